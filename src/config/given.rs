//! What goes before the file: options of the command line, and before the usual file variables.

use super::words;
use super::{ConfigError, Zone};
use crate::console::Page;
use crate::model::complaint::Complaint;
use crate::terminal::ThemeName;

/// What the command line says.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub(crate) struct Given {
    /// With the option that says it.
    pub(crate) theme: Option<(ThemeName, &'static str)>,
    pub(crate) time: Option<Zone>,
    pub(crate) ascii: bool,
    pub(crate) slow: bool,
    pub(crate) mouse: bool,
    pub(crate) no_notices: bool,
}

/// A value, and the variable that has it.
type Of<T> = Option<(T, &'static str)>;

/// What variables say.
#[derive(Debug, Default)]
pub(super) struct Variables {
    pub(super) theme: Of<ThemeName>,
    pub(super) ascii: Of<Option<bool>>,
    pub(super) slow: Of<bool>,
    pub(super) mouse: Of<bool>,
    pub(super) time: Of<Zone>,
    pub(super) start_page: Of<Option<Page>>,
    /// The name of the variable, where there are to be no colours.
    pub(super) no_color: Option<&'static str>,
}

pub(super) fn variables(
    variable: &impl Fn(&str) -> Option<String>,
) -> Result<Variables, ConfigError> {
    let set = |name: &str| variable(name).filter(|value| !value.is_empty());
    let boolean = |key| move |word: &str| words::boolean(word, key);
    Ok(Variables {
        theme: read("SUBTEND_THEME", set, words::theme)?,
        ascii: read("SUBTEND_ASCII", set, words::ascii)?,
        slow: read("SUBTEND_SLOW", set, boolean("slow"))?,
        mouse: read("SUBTEND_MOUSE", set, boolean("mouse"))?,
        time: read("SUBTEND_TIME", set, words::zone)?,
        start_page: read("SUBTEND_START_PAGE", set, words::start_page)?,
        no_color: set("NO_COLOR").map(|_| "NO_COLOR"),
    })
}

fn read<T>(
    name: &'static str,
    set: impl Fn(&str) -> Option<String>,
    meant: impl Fn(&str) -> Result<T, Complaint>,
) -> Result<Of<T>, ConfigError> {
    let value = set(name).map(|word| meant(&word)).transpose();
    value
        .map(|value| value.map(|value| (value, name)))
        .map_err(|complaint| ConfigError::Variable { name, complaint })
}
