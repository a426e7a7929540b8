//! What there is to be set, and where each value comes from.

use jiff::tz::TimeZone;

use super::written::Written;
use super::{ConfigError, Given, given};
use crate::console::{self, Keymap, Page, SavedFilter};
use crate::terminal::{ThemeName, Wanted};

/// Where a value comes from.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Origin {
    Default,
    File,
    Variable(&'static str),
    Option(&'static str),
}

/// A value that is in force.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Set<T> {
    pub(super) value: T,
    pub(super) origin: Origin,
}

/// In which times are shown.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) enum Zone {
    Local,
    Utc,
    /// By its name in the database of time zones.
    Named(TimeZone),
}

impl Zone {
    fn time_zone(&self) -> TimeZone {
        match self {
            Self::Local => TimeZone::system(),
            Self::Utc => TimeZone::UTC,
            Self::Named(zone) => zone.clone(),
        }
    }
}

/// The settings that are in force.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Config {
    pub(super) theme: Set<ThemeName>,
    /// ASCII alone, or not; without a word the locale decides.
    pub(super) ascii: Set<Option<bool>>,
    pub(super) slow: Set<bool>,
    pub(super) mouse: Set<bool>,
    pub(super) time: Set<Zone>,
    pub(super) start_page: Set<Option<Page>>,
    pub(super) columns: Set<Vec<String>>,
    pub(super) filters: Set<Vec<SavedFilter>>,
    pub(super) many: Set<usize>,
    pub(super) notices: Notices,
    pub(super) keys: Set<Keymap>,
}

/// What the terminal is asked to show besides pictures.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Notices {
    pub(super) title: Set<bool>,
    pub(super) progress: Set<bool>,
    pub(super) bell: Set<bool>,
    pub(super) message: Set<bool>,
}

/// A variable, and what an option says.
type Said<T> = (Option<(T, &'static str)>, Option<(T, &'static str)>);

/// The last one that says something wins.
fn set<T>(default: T, file: Option<T>, (variable, option): Said<T>) -> Set<T> {
    let (value, origin) = match (option, variable, file) {
        (Some((value, name)), _, _) => (value, Origin::Option(name)),
        (None, Some((value, name)), _) => (value, Origin::Variable(name)),
        (None, None, Some(value)) => (value, Origin::File),
        (None, None, None) => (default, Origin::Default),
    };
    Set { value, origin }
}

impl Config {
    pub(super) fn new(
        written: Written,
        given: &Given,
        variable: impl Fn(&str) -> Option<String>,
    ) -> Result<Self, ConfigError> {
        let said = given::variables(&variable)?;
        let option = |is_given: bool, name| is_given.then_some((true, name));
        let silent = given.no_notices.then_some((false, "--no-notices"));
        let notice = |file| set(true, file, (None, silent));
        let mut theme = set(
            ThemeName::default(),
            written.theme,
            (said.theme, given.theme),
        );
        // The terminal's colours are left alone then, whatever else is said.
        if let (Some(no_color), true) = (said.no_color, theme.value != ThemeName::Mono) {
            theme = Set {
                value: ThemeName::Mono,
                origin: Origin::Variable(no_color),
            };
        }
        let time = given.time.clone().map(|zone| (zone, "--time"));
        let ascii = given.ascii.then_some((Some(true), "--ascii"));
        Ok(Self {
            theme,
            ascii: set(None, written.ascii, (said.ascii, ascii)),
            slow: set(
                false,
                written.slow,
                (said.slow, option(given.slow, "--slow")),
            ),
            mouse: set(
                false,
                written.mouse,
                (said.mouse, option(given.mouse, "--mouse")),
            ),
            time: set(Zone::Local, written.time, (said.time, time)),
            start_page: set(None, written.start_page, (said.start_page, None)),
            columns: set(Vec::new(), written.columns, (None, None)),
            filters: set(Vec::new(), written.filters, (None, None)),
            many: set(console::MANY, written.many, (None, None)),
            notices: Notices {
                title: notice(written.title),
                progress: notice(written.progress),
                bell: notice(written.bell),
                message: notice(written.message),
            },
            keys: set(Keymap::default(), written.keys, (None, None)),
        })
    }

    /// How the console is to be, for who opens it.
    pub(crate) fn into_options(self) -> console::Options {
        console::Options {
            theme: self.theme.value,
            ascii: self.ascii.value,
            slow: self.slow.value,
            mouse: self.mouse.value,
            notices: Wanted {
                title: self.notices.title.value,
                progress: self.notices.progress.value,
                bell: self.notices.bell.value,
                message: self.notices.message.value,
            },
            shared: false,
            watch_only: false,
            practice: false,
            settings: console::Settings {
                zone: self.time.value.time_zone(),
                start_page: self.start_page.value,
                columns: self.columns.value,
                filters: self.filters.value,
                many: self.many.value,
                keys: self.keys.value,
            },
        }
    }
}
