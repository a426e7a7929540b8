//! The file of settings, every error at once.

use super::{Zone, keys, words};
use crate::console::{Keymap, Page, SavedFilter};
use crate::model::complaint::Complaint;
use crate::model::text::quoted;
use crate::terminal::ThemeName;
use crate::yaml::error::Problems;
use crate::yaml::fields::{Fields, Shape, mapping};
use crate::yaml::tree::{Node, Value};
use crate::yaml::values::{boolean, label};

const FILE: Shape = Shape {
    may_be_empty: KEYS,
    ..Shape::new("the settings", &[KEYS])
};
const KEYS: &[&str] = &[
    "theme",
    "ascii",
    "slow",
    "mouse",
    "time",
    "start_page",
    "columns",
    "filters",
    "confirm",
    "notices",
    "keys",
];
const CONFIRM: Shape = Shape::new("`confirm`", &[&["count"]]);
const NOTICES: Shape = Shape::new("`notices`", &[&["title", "progress", "bell", "message"]]);

/// Columns of labels, and the length of a label's name.
const MOST_COLUMNS: usize = 8;
const LONGEST_COLUMN: usize = 64;
/// Saved filters, and the lengths of one's name and words.
const MOST_FILTERS: usize = 50;
const LONGEST_FILTER_NAME: usize = 32;
const LONGEST_FILTER: usize = 200;
/// More entities than that are never started without their number.
const LARGEST_COUNT: usize = 10_000;

/// What the file says.
#[derive(Debug, Default, PartialEq, Eq)]
pub(super) struct Written {
    pub(super) theme: Option<ThemeName>,
    pub(super) ascii: Option<Option<bool>>,
    pub(super) slow: Option<bool>,
    pub(super) mouse: Option<bool>,
    pub(super) time: Option<Zone>,
    pub(super) start_page: Option<Option<Page>>,
    pub(super) columns: Option<Vec<String>>,
    pub(super) filters: Option<Vec<SavedFilter>>,
    pub(super) many: Option<usize>,
    pub(super) title: Option<bool>,
    pub(super) progress: Option<bool>,
    pub(super) bell: Option<bool>,
    pub(super) message: Option<bool>,
    pub(super) keys: Option<Keymap>,
}

pub(super) fn read(root: &Node, problems: &mut Problems) -> Written {
    // A file in which all is commented out says nothing.
    if root.is_null() {
        return Written::default();
    }
    let fields = Fields::read(problems, root, &FILE);
    let mut written = Written {
        theme: fields.value(problems, "theme", |p, node, key| {
            word(p, node, key, words::theme)
        }),
        ascii: fields.value(problems, "ascii", |p, node, key| {
            word(p, node, key, words::ascii)
        }),
        slow: fields.value(problems, "slow", boolean),
        mouse: fields.value(problems, "mouse", boolean),
        time: fields.value(problems, "time", |p, node, key| {
            word(p, node, key, words::zone)
        }),
        start_page: fields.value(problems, "start_page", |p, node, key| {
            word(p, node, key, words::start_page)
        }),
        columns: fields.value(problems, "columns", columns),
        filters: fields.value(problems, "filters", filters),
        ..Written::default()
    };
    if let Some(node) = fields.get("confirm") {
        let confirm = Fields::read(problems, node, &CONFIRM);
        written.many = confirm.value(problems, "count", count);
    }
    written.keys = fields.get("keys").map(|node| keys::read(problems, node));
    if let Some(node) = fields.get("notices") {
        let notices = Fields::read(problems, node, &NOTICES);
        written.title = notices.value(problems, "title", boolean);
        written.progress = notices.value(problems, "progress", boolean);
        written.bell = notices.value(problems, "bell", boolean);
        written.message = notices.value(problems, "message", boolean);
    }
    written
}

/// One word with a meaning.
fn word<T>(
    problems: &mut Problems,
    node: &Node,
    key: &str,
    meant: impl Fn(&str) -> Result<T, Complaint>,
) -> Option<T> {
    let written = label(problems, node, key)?;
    problems.ok(&node.span, meant(&written))
}

/// Text on one line, with a maximum number of characters.
fn short(problems: &mut Problems, node: &Node, key: &str, longest: usize) -> Option<String> {
    let text = label(problems, node, key)?;
    match text.chars().count() > longest {
        false => Some(text),
        true => problems.refuse(
            &node.span,
            format!("{} is longer than {longest} characters", quoted(key)),
            "write a shorter one",
        ),
    }
}

fn columns(problems: &mut Problems, node: &Node, key: &str) -> Option<Vec<String>> {
    let Value::Sequence(items) = &node.value else {
        return problems.refuse(
            &node.span,
            format!(
                "{} must be a list, and this is {}",
                quoted(key),
                node.kind()
            ),
            format!("write names of labels: `{key}: [site, shelf]`"),
        );
    };
    let mut columns: Vec<String> = Vec::new();
    for (at, item) in items.iter().enumerate() {
        if at == MOST_COLUMNS {
            problems.report(
                &item.span,
                format!("more than {MOST_COLUMNS} columns"),
                "keep those that are looked at most",
            );
            break;
        }
        let Some(name) = short(problems, item, key, LONGEST_COLUMN) else {
            continue;
        };
        match columns.contains(&name) {
            false => columns.push(name),
            true => problems.report(
                &item.span,
                format!("the column {} is there already", quoted(&name)),
                "keep one of them",
            ),
        }
    }
    Some(columns)
}

fn filters(problems: &mut Problems, node: &Node, key: &str) -> Option<Vec<SavedFilter>> {
    let entries = mapping(problems, node, &quoted(key), || {
        format!("write a name and the words: `{key}: {{ north: \"site=north\" }}`")
    })?;
    let mut filters = Vec::new();
    for (at, (name, span, words)) in entries.into_iter().enumerate() {
        if at == MOST_FILTERS {
            problems.report(
                span,
                format!("more than {MOST_FILTERS} filters"),
                "keep those that are used most",
            );
            break;
        }
        let length = name.chars().count();
        if name.trim().is_empty() || name.chars().any(char::is_control) {
            problems.report(
                span,
                format!("{} can't be the name of a filter", quoted(name)),
                "write plain text that can be seen",
            );
        } else if length > LONGEST_FILTER_NAME {
            problems.report(
                span,
                format!("the name of a filter is longer than {LONGEST_FILTER_NAME} characters"),
                "write a shorter one",
            );
        }
        if let Some(words) = short(problems, words, name, LONGEST_FILTER) {
            let name = name.to_owned();
            filters.push(SavedFilter { name, words });
        }
    }
    Some(filters)
}

/// From how many entities on their number is typed.
fn count(problems: &mut Problems, node: &Node, key: &str) -> Option<usize> {
    let written = label(problems, node, key)?;
    match written.parse::<usize>() {
        Ok(count) if (1..=LARGEST_COUNT).contains(&count) => Some(count),
        _ => problems.refuse(
            &node.span,
            format!("{} can't be {}", quoted(key), quoted(&written)),
            format!("write a whole number from 1 to {LARGEST_COUNT}"),
        ),
    }
}
