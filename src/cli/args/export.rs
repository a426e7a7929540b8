//! `subtend export`: a past run as a report.

use std::path::PathBuf;

use clap::{Args, ValueHint};

use crate::model::ReportFormat;

#[derive(Debug, Args)]
#[command(
    after_help = "Examples:\n  subtend export 20261122T2050 --html --output report.html\n  \
                  subtend export --junit > subtend.xml\n\n\
                  What is told comes from the journal in the state directory; nothing is connected to.\n\
                  Of a run that is going on, the report says how it stands. Without --output it goes\n\
                  to standard output. Exit codes: 0 it was written, 1 it could not be read or\n\
                  written, 2 there is no such run."
)]
pub struct ExportArgs {
    /// The run: its identifier, or the beginning of it; `subtend history` lists them [default: the newest]
    #[arg(value_name = "RUN")]
    pub run: Option<String>,
    #[command(flatten)]
    pub format: FormatArgs,
    /// Write to this file, whole or not at all; one that is there is replaced [default: standard output]
    #[arg(short, long, value_name = "FILE", value_hint = ValueHint::FilePath)]
    pub output: Option<PathBuf>,
}

/// One of them is to be given.
#[derive(Debug, Clone, Copy, Args)]
#[group(required = true, multiple = false)]
pub struct FormatArgs {
    /// One page with plots that needs nothing beside it
    #[arg(long)]
    pub html: bool,
    /// JUnit's XML, for Jenkins, GitLab and the like
    #[arg(long)]
    pub junit: bool,
    /// Comma-separated values, a line per entity, names on the first
    #[arg(long)]
    pub csv: bool,
    /// Lines of 80 columns, for a mail
    #[arg(long)]
    pub text: bool,
}

impl FormatArgs {
    pub fn format(self) -> ReportFormat {
        match (self.html, self.junit, self.csv) {
            (true, ..) => ReportFormat::Html,
            (_, true, _) => ReportFormat::Junit,
            (.., true) => ReportFormat::Csv,
            _ => ReportFormat::Text,
        }
    }
}
