//! In what form a report of a run is written.

use std::fmt;

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum ReportFormat {
    /// One page that needs nothing beside it.
    Html,
    /// JUnit's XML, as servers for tests read it.
    Junit,
    /// A line per entity.
    Csv,
    /// For a mail, 80 columns wide.
    Text,
}

impl ReportFormat {
    pub const ALL: [Self; 4] = [Self::Html, Self::Csv, Self::Text, Self::Junit];

    /// What names of its files end with.
    pub fn extension(self) -> &'static str {
        match self {
            Self::Html => "html",
            Self::Junit => "xml",
            Self::Csv => "csv",
            Self::Text => "txt",
        }
    }

    /// What it is for, in a few words.
    pub fn about(self) -> &'static str {
        match self {
            Self::Html => "a page with plots, for a browser or to be printed",
            Self::Junit => "JUnit's XML, for Jenkins, GitLab and the like",
            Self::Csv => "a line per entity, for a spreadsheet",
            Self::Text => "80 columns, for a mail",
        }
    }

    pub fn of(word: &str) -> Option<Self> {
        Self::ALL.into_iter().find(|one| one.to_string() == word)
    }
}

impl fmt::Display for ReportFormat {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.pad(match self {
            Self::Html => "html",
            Self::Junit => "junit",
            Self::Csv => "csv",
            Self::Text => "text",
        })
    }
}
