//! The keys of one mapping: which there may be, and which there are.

use std::fmt::Display;

use super::error::{Problems, Span, did_you_mean, quoted};
use super::tree::{Node, Value};
use crate::model::suggest::nearest;

/// What a mapping may hold.
pub(crate) struct Shape {
    /// With its article, for messages: `a group`.
    pub what: &'static str,
    /// In lists, so that shapes can share some.
    pub known: &'static [&'static [&'static str]],
    /// Whether keys that begin with `x-` are let through, for others to read.
    pub extensions: bool,
    /// Keys that may stand there without a value, as if they were absent.
    pub may_be_empty: &'static [&'static str],
}

impl Shape {
    pub(crate) const fn new(what: &'static str, known: &'static [&'static [&'static str]]) -> Self {
        Self {
            what,
            known,
            extensions: false,
            may_be_empty: &[],
        }
    }

    fn known(&self) -> impl Iterator<Item = &'static str> + Clone {
        self.known.iter().copied().flatten().copied()
    }
}

/// The known keys of a mapping and their values.
#[derive(Default)]
pub(crate) struct Fields<'a> {
    /// `None` where there is no mapping, or it can't be read, which is reported already.
    span: Option<&'a Span>,
    what: &'static str,
    /// `None` where a value is missing, which is reported already.
    found: Vec<(&'a str, &'a Span, Option<&'a Node>)>,
    /// Known keys that unknown ones were probably meant to be.
    meant: Vec<&'a str>,
}

impl<'a> Fields<'a> {
    /// Reports what is not a mapping, unknown keys, and keys without a value.
    pub(crate) fn read(problems: &mut Problems, node: &'a Node, shape: &Shape) -> Self {
        let entries = mapping(problems, node, shape.what, || {
            format!("write keys and values: {}", list(shape.known()))
        });
        let Some(entries) = entries else {
            return Self::default();
        };
        let mut found = Vec::new();
        let mut meant = Vec::new();
        for (key, at, value) in entries {
            if !shape.known().any(|known| known == key) {
                if !(shape.extensions && key.starts_with("x-")) {
                    let help = did_you_mean(key, shape.known(), || {
                        format!("known are {}", list(shape.known()))
                    });
                    let message = format!("unknown key {} in {}", quoted(key), shape.what);
                    problems.report(at, message, help);
                    meant.extend(nearest(key, shape.known()));
                }
                continue;
            }
            if !value.is_null() {
                let known = !matches!(value.value, Value::Broken);
                found.push((key, at, known.then_some(value)));
            } else if !shape.may_be_empty.contains(&key) {
                problems.report(
                    at,
                    format!("{} has no value", quoted(key)),
                    format!("write it after the colon: `{key}: VALUE`"),
                );
                found.push((key, at, None));
            }
        }
        Self {
            span: Some(&node.span),
            what: shape.what,
            found,
            meant,
        }
    }

    /// Whether there is such a mapping.
    pub(crate) fn are_there(&self) -> bool {
        self.span.is_some()
    }

    pub(crate) fn get(&self, key: &str) -> Option<&'a Node> {
        self.find(key).and_then(|(_, _, node)| *node)
    }

    /// The value of a key, if it is there and can be read.
    pub(crate) fn value<T>(
        &self,
        problems: &mut Problems,
        key: &str,
        read: impl FnOnce(&mut Problems, &'a Node, &str) -> Option<T>,
    ) -> Option<T> {
        read(problems, self.get(key)?, key)
    }

    /// Where a key stands, also when its value is unusable.
    pub(crate) fn key_span(&self, key: &str) -> Option<&'a Span> {
        self.find(key).map(|(_, at, _)| *at)
    }

    /// A key that must be there; its absence is reported, unless it is there misspelt.
    pub(crate) fn require(
        &self,
        problems: &mut Problems,
        key: &str,
        example: &str,
    ) -> Option<&'a Node> {
        match self.find(key) {
            Some((_, _, node)) => *node,
            None if self.is_meant(key) => None,
            None => problems.refuse(
                self.span?,
                format!("{} without {}", self.what, quoted(key)),
                format!("add `{key}: {example}`"),
            ),
        }
    }

    /// Whether an unknown key was probably meant to be this one, which is reported already.
    pub(crate) fn is_meant(&self, key: &str) -> bool {
        self.meant.contains(&key)
    }

    fn find(&self, key: &str) -> Option<&(&'a str, &'a Span, Option<&'a Node>)> {
        self.found.iter().find(|(known, _, _)| *known == key)
    }
}

/// The entries of a mapping with keys of text; reports everything else.
pub(crate) fn mapping<'a>(
    problems: &mut Problems,
    node: &'a Node,
    what: &str,
    help: impl FnOnce() -> String,
) -> Option<Vec<(&'a str, &'a Span, &'a Node)>> {
    let entries = match &node.value {
        Value::Mapping(entries) => entries,
        Value::Broken => return None,
        _ => {
            let message = format!("{what} must be a mapping, and this is {}", node.kind());
            problems.report(&node.span, message, help());
            return None;
        }
    };
    let mut found = Vec::with_capacity(entries.len());
    for entry in entries {
        match (entry.key.text(), &entry.key.value) {
            (Some(key), _) => found.push((key, &entry.key.span, &*entry.value)),
            (None, Value::Broken) => {}
            (None, _) => problems.report(
                &entry.key.span,
                format!("a key must be text, and this is {}", entry.key.kind()),
                "write `key: value`; a key that looks like something else must stand in quotes",
            ),
        }
    }
    Some(found)
}

/// The entries of a section, under the names that the file gives them.
pub(crate) fn section<'a>(
    problems: &mut Problems,
    node: Option<&'a Node>,
    key: &str,
) -> Vec<(&'a str, &'a Span, &'a Node)> {
    let Some(node) = node else {
        return Vec::new();
    };
    let what = quoted(key);
    let entries = mapping(problems, node, &what, || {
        format!("write a name and what it stands for: `{key}: {{ NAME: {{ … }} }}`")
    });
    let mut entries = entries.unwrap_or_default();
    for (name, at, _) in &entries {
        if let Err(complaint) = crate::model::names::check(name) {
            problems.complain(at, complaint);
        }
    }
    entries.retain(|(_, _, value)| !matches!(value.value, Value::Broken));
    entries
}

/// Words for a sentence: `` `a`, `b`, `c` ``.
pub(crate) fn list(words: impl IntoIterator<Item = impl Display>) -> String {
    let quoted = words.into_iter().map(|word| format!("`{word}`"));
    quoted.collect::<Vec<_>>().join(", ")
}
