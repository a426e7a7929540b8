//! What single values mean, wherever they are written: in the file, in a variable, behind an option.

use jiff::tz::TimeZone;

use super::Zone;
use crate::console::Page;
use crate::model::complaint::Complaint;
use crate::model::text::quoted;
use crate::terminal::ThemeName;
use crate::yaml::values::one_of;

/// The pages that can be the first one, by their words.
pub(super) const START_PAGES: [(&str, Option<Page>); 6] = [
    ("auto", None),
    ("overview", Some(Page::Overview)),
    ("inventory", Some(Page::Inventory)),
    ("groups", Some(Page::Groups)),
    ("watch", Some(Page::Watch)),
    ("log", Some(Page::Log)),
];

pub(super) const ASCII: [(&str, Option<bool>); 3] =
    [("auto", None), ("true", Some(true)), ("false", Some(false))];

pub(crate) fn theme(word: &str) -> Result<ThemeName, Complaint> {
    one_of(word, "theme", &ThemeName::WORDS)
}

pub(super) fn start_page(word: &str) -> Result<Option<Page>, Complaint> {
    one_of(word, "start_page", &START_PAGES)
}

pub(super) fn ascii(word: &str) -> Result<Option<bool>, Complaint> {
    one_of(word, "ascii", &ASCII)
}

pub(super) fn boolean(word: &str, key: &str) -> Result<bool, Complaint> {
    one_of(word, key, &[("true", true), ("false", false)])
}

/// `local`, `utc`, or the name of a time zone.
pub(crate) fn zone(word: &str) -> Result<Zone, Complaint> {
    match word {
        "local" => Ok(Zone::Local),
        "utc" => Ok(Zone::Utc),
        name => match TimeZone::get(name) {
            Ok(zone) => Ok(Zone::Named(zone)),
            Err(_) => Err(Complaint::new(
                format!("{} is no time zone", quoted(name)),
                "write `local`, `utc`, or a name like `Europe/Berlin`",
            )),
        },
    }
}
