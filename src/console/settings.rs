//! How the operator wants the console, as plain data: made of options, variables and a file by who opens it.

use jiff::tz::TimeZone;

use super::keymap::Keymap;
use super::page::Page;

/// From how many entities on their number is typed before a start, where nothing else is said.
pub const MANY: usize = 50;

#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Settings {
    /// In which times are shown.
    pub zone: TimeZone,
    /// The page that it opens on; without one the inventory, or what runs.
    pub start_page: Option<Page>,
    /// Labels that have a column of their own in the inventory, where there is room.
    pub columns: Vec<String>,
    pub filters: Vec<SavedFilter>,
    /// From how many entities on their number is typed before a start.
    pub many: usize,
    pub keys: Keymap,
}

/// A filter of the inventory that has a name.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct SavedFilter {
    pub name: String,
    pub words: String,
}

impl Default for Settings {
    fn default() -> Self {
        Self {
            zone: TimeZone::UTC,
            start_page: None,
            columns: Vec::new(),
            filters: Vec::new(),
            many: MANY,
            keys: Keymap::default(),
        }
    }
}
