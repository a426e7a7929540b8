//! `keys`: what is bound anew, and everything that is wrong with it.

use std::collections::BTreeMap;

use crate::console::{Context, Key, Keymap, named};
use crate::model::complaint::did_you_mean;
use crate::model::text::quoted;
use crate::yaml::error::{Problems, Span};
use crate::yaml::fields::{list, mapping};
use crate::yaml::tree::{Node, Value};
use crate::yaml::values::label;

/// Keys that one action can have.
const MOST: usize = 8;
/// The contexts of dialogs stand together under this key.
pub(super) const DIALOGS: &str = "dialogs";

/// An action that is bound anew, and to what.
struct Bound {
    places: Vec<usize>,
    keys: Vec<Key>,
    at: Span,
}

/// The keys that are in force with what is written.
pub(super) fn read(problems: &mut Problems, node: &Node) -> Keymap {
    let mut keymap = Keymap::default();
    let mut bound = Vec::new();
    let contexts = Context::pages();
    for (word, span, value) in entries(problems, node, "`keys`") {
        if word == DIALOGS {
            for (word, span, value) in entries(problems, value, "`dialogs`") {
                let found = Context::dialogs().find(|(known, _)| *known == word);
                match found {
                    Some((_, context)) => {
                        bound.extend(context_of(problems, value, (word, context), &keymap));
                    }
                    None => unknown(
                        problems,
                        (word, span),
                        "kind of dialog",
                        Context::dialogs().map(|(known, _)| known),
                    ),
                }
            }
            continue;
        }
        match contexts.clone().find(|(known, _)| *known == word) {
            Some((_, context)) => {
                bound.extend(context_of(problems, value, (word, context), &keymap));
            }
            None => unknown(
                problems,
                (word, span),
                "place for keys",
                contexts.clone().map(|(known, _)| known).chain([DIALOGS]),
            ),
        }
    }
    // What is said of one page goes before what is said of all, wherever it stands.
    bound.sort_by_key(|one| std::cmp::Reverse(one.places.len()));
    let mut written: BTreeMap<usize, Span> = BTreeMap::new();
    for one in bound {
        keymap.bind(&one.places, &one.keys);
        written.extend(one.places.into_iter().map(|place| (place, one.at.clone())));
    }
    complain(problems, &keymap, &written);
    keymap
}

/// Of each fault, at what was written last of what it is about; of one that is the same on several pages, once.
fn complain(problems: &mut Problems, keymap: &Keymap, written: &BTreeMap<usize, Span>) {
    let mut told: Vec<(Span, String)> = Vec::new();
    for fault in keymap.faults() {
        let spans = fault.rows.iter().filter_map(|row| written.get(row));
        let Some(at) = spans.max_by_key(|span| span.bytes.start) else {
            continue;
        };
        // Without the page.
        let what = (at.clone(), fault.what);
        if !told.contains(&what) {
            problems.report(at, fault.message, fault.help);
            told.push(what);
        }
    }
}

fn entries<'a>(
    problems: &mut Problems,
    node: &'a Node,
    what: &str,
) -> Vec<(&'a str, &'a Span, &'a Node)> {
    // All of it may be commented out.
    if node.is_null() {
        return Vec::new();
    }
    let entries = mapping(problems, node, what, || {
        "write where, what and the key: `watch: { cancel: F5 }`".into()
    });
    entries.unwrap_or_default()
}

fn unknown<'w>(
    problems: &mut Problems,
    (word, span): (&str, &Span),
    what: &str,
    known: impl Iterator<Item = &'w str> + Clone,
) {
    let help = did_you_mean(word, known.clone(), || {
        format!("possible are {}", list(known))
    });
    problems.report(span, format!("{} is no {what}", quoted(word)), help);
}

fn context_of(
    problems: &mut Problems,
    node: &Node,
    (word, context): (&str, Context),
    keymap: &Keymap,
) -> Vec<Bound> {
    let mut bound = Vec::new();
    for (name, span, value) in entries(problems, node, &quoted(word)) {
        let places = keymap.places(context, name);
        if places.is_empty() {
            let here: Vec<&str> = (keymap.bound(context).iter())
                .map(|(name, ..)| *name)
                .collect();
            match named(name) {
                Some(_) => problems.report(
                    span,
                    format!("{} is no action of {}", quoted(name), quoted(word)),
                    elsewhere(keymap, name),
                ),
                None => unknown(problems, (name, span), "action", here.into_iter()),
            }
            continue;
        }
        let Some(keys) = keys(problems, value, name) else {
            continue;
        };
        if keys.is_empty() && keymap.is_way_out(&places) {
            problems.report(
                span,
                format!("{} has no key", quoted(name)),
                "it is a way out: give it one",
            );
            continue;
        }
        bound.push(Bound {
            places,
            keys,
            at: span.clone(),
        });
    }
    bound
}

/// Where an action is one.
fn elsewhere(keymap: &Keymap, name: &str) -> String {
    let pages = Context::pages();
    let dialogs = Context::dialogs();
    let all = pages.chain(dialogs);
    let has = all.filter(|(_, context)| !keymap.places(*context, name).is_empty());
    format!("it is one of {}", list(has.map(|(word, _)| word)))
}

/// One key, or a list of them, which may be empty.
fn keys(problems: &mut Problems, node: &Node, name: &str) -> Option<Vec<Key>> {
    let items: Vec<&Node> = match &node.value {
        Value::Sequence(items) => items.iter().map(|item| &**item).collect(),
        _ => vec![node],
    };
    let mut keys = Vec::new();
    for (at, item) in items.iter().enumerate() {
        if at == MOST {
            return problems.refuse(
                &item.span,
                format!("more than {MOST} keys for {}", quoted(name)),
                "keep those that are pressed",
            );
        }
        let written = label(problems, item, name)?;
        let key = problems.ok(&item.span, Key::written(&written))?;
        match keys.contains(&key) {
            false => keys.push(key),
            true => problems.report(
                &item.span,
                format!("{key} stands there twice"),
                "keep one of them",
            ),
        }
    }
    Some(keys)
}
