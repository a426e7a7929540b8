//! The settings that are in force, as a file that says the same when it is read.

use std::fmt::Write as _;

use super::keys::DIALOGS;
use super::settings::{Config, Origin, Set};
use super::words::{ASCII, START_PAGES};
use super::{Place, Zone};
use crate::console::{Context, Keymap};
use crate::model::text::shown;

impl Origin {
    fn in_words(self) -> String {
        match self {
            Self::Default => "default".into(),
            Self::File => "from the file".into(),
            Self::Variable(name) => format!("from {name}"),
            Self::Option(name) => format!("from {name}"),
        }
    }
}

impl Zone {
    pub(super) fn word(&self) -> &str {
        match self {
            Self::Local => "local",
            Self::Utc => "utc",
            Self::Named(zone) => zone.iana_name().unwrap_or("utc"),
        }
    }
}

/// Commented YAML. Behind each value stands where it comes from.
pub(crate) fn print(config: &Config, place: &Place) -> String {
    let mut out = Printed::default();
    out.comment("Settings of subtend's console, as they are in force here. Options win over");
    out.comment("variables, and variables over the file, which is looked for as");
    match place.file() {
        Ok(file) => out.comment(&shown(&file.display().to_string())),
        Err(none) => out.comment(&none.to_string()),
    }
    out.about(
        "Colours: auto, dark, light, high-contrast, mono. auto is light where COLORFGBG says so.",
    );
    out.value("theme", config.theme.value.word(), config.theme.origin);
    out.about("Draw with ASCII alone: true, false, or auto, as the locale says.");
    out.value(
        "ascii",
        word_of(&ASCII, &config.ascii.value),
        config.ascii.origin,
    );
    out.about("Redraw once a second at most, for slow lines.");
    out.boolean("slow", &config.slow);
    out.about("Take clicks of a mouse, which the terminal then has no more.");
    out.boolean("mouse", &config.mouse);
    out.about("Times are shown in: local, utc, or a time zone like Europe/Berlin.");
    out.value("time", &text(config.time.value.word()), config.time.origin);
    out.about("The first page: overview, inventory, groups, watch, log; auto is the inventory, or");
    out.comment("watch where work runs.");
    let page = word_of(&START_PAGES, &config.start_page.value);
    out.value("start_page", page, config.start_page.origin);
    out.about("Labels with a column of their own in the inventory, where there is room.");
    let columns: Vec<String> = config.columns.value.iter().map(|name| text(name)).collect();
    let columns = format!("[{}]", columns.join(", "));
    out.value("columns", &columns, config.columns.origin);
    out.about("Filters of the inventory by name, as they are typed there.");
    match config.filters.value.as_slice() {
        [] => out.value("filters", "{}", config.filters.origin),
        filters => {
            out.section("filters", Some(config.filters.origin));
            for filter in filters {
                let _ = writeln!(out.0, "  {}: {}", text(&filter.name), text(&filter.words));
            }
        }
    }
    out.about("Before a start of so many entities their number is typed.");
    out.section("confirm", None);
    out.value(
        "  count",
        &config.many.value.to_string(),
        config.many.origin,
    );
    out.about(
        "What the terminal shows besides the picture: its title, a bar of progress, a bell and",
    );
    out.comment("a message of the desktop when somebody is needed.");
    out.section("notices", None);
    out.boolean("  title", &config.notices.title);
    out.boolean("  progress", &config.notices.progress);
    out.boolean("  bell", &config.notices.bell);
    out.boolean("  message", &config.notices.message);
    keys(&mut out, &config.keys);
    out.0
}

/// All keys there are, with what they do. `global` is what all pages have in common.
fn keys(out: &mut Printed, set: &Set<Keymap>) {
    out.about(
        "Keys: where, what, and a key or a list of keys. Characters stand for themselves; other",
    );
    out.comment(
        "keys have names like ctrl-u, F5, shift-tab, space, enter. Ctrl-C always leaves or closes.",
    );
    out.section("keys", Some(set.origin));
    for (word, context) in Context::pages() {
        bound(out, &set.value, (word, context), "  ");
    }
    let _ = writeln!(out.0, "  {DIALOGS}:");
    for (word, context) in Context::dialogs() {
        bound(out, &set.value, (word, context), "    ");
    }
}

fn bound(out: &mut Printed, keymap: &Keymap, (word, context): (&str, Context), indent: &str) {
    let all = keymap.bound(context);
    if all.is_empty() {
        return;
    }
    let _ = writeln!(out.0, "{indent}{word}:");
    for (name, keys, help) in all {
        let keys: Vec<String> = keys.iter().map(|key| text(&key.to_string())).collect();
        let keys = match keys.as_slice() {
            [one] => one.clone(),
            _ => format!("[{}]", keys.join(", ")),
        };
        let _ = writeln!(out.0, "{indent}  {name}: {keys}  # {help}");
    }
}

#[derive(Default)]
pub(super) struct Printed(pub(super) String);

impl Printed {
    pub(super) fn comment(&mut self, text: &str) {
        let _ = writeln!(self.0, "# {text}");
    }

    /// A comment that begins what follows.
    pub(super) fn about(&mut self, text: &str) {
        self.0.push('\n');
        self.comment(text);
    }

    pub(super) fn value(&mut self, key: &str, value: &str, origin: Origin) {
        let _ = writeln!(self.0, "{key}: {value}  # {}", origin.in_words());
    }

    fn boolean(&mut self, key: &str, set: &Set<bool>) {
        self.value(key, &set.value.to_string(), set.origin);
    }

    pub(super) fn section(&mut self, key: &str, origin: Option<Origin>) {
        let _ = match origin {
            Some(origin) => writeln!(self.0, "{key}:  # {}", origin.in_words()),
            None => writeln!(self.0, "{key}:"),
        };
    }
}

/// In quotes, so that it is text whatever it looks like. What JSON writes YAML reads.
pub(super) fn text(text: &str) -> String {
    serde_json::Value::from(text).to_string()
}

fn word_of<T: PartialEq>(words: &[(&'static str, T)], value: &T) -> &'static str {
    let found = words.iter().find(|(_, meant)| meant == value);
    found.map_or("auto", |(word, _)| word)
}
