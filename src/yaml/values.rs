//! Single values of any file: text, numbers, choices.

use super::error::{Complaint, Problems, did_you_mean, quoted};
use super::fields::list;
use super::tree::{Node, Value};

/// Text that is not empty, as written.
pub(crate) fn text<'a>(problems: &mut Problems, node: &'a Node, key: &str) -> Option<&'a str> {
    match (node.text(), &node.value) {
        (Some(""), _) => {
            let message = format!("{} is empty", quoted(key));
            problems.refuse(&node.span, message, "give it a value")
        }
        (Some(text), _) => Some(text),
        (None, Value::Broken) => None,
        (None, _) => problems.refuse(
            &node.span,
            format!("{} must be text, and this is {}", quoted(key), node.kind()),
            format!("write one value: `{key}: VALUE`"),
        ),
    }
}

/// Text without characters that can't be shown, for what is only compared and listed.
pub(crate) fn label(problems: &mut Problems, node: &Node, key: &str) -> Option<String> {
    let text = text(problems, node, key)?;
    if text.chars().any(char::is_control) {
        let message = format!("{} holds a control character", quoted(key));
        return problems.refuse(&node.span, message, "write plain text");
    }
    Some(text.to_owned())
}

/// Text, or a list of texts.
pub(crate) fn texts<'a>(
    problems: &mut Problems,
    node: &'a Node,
    key: &str,
) -> Vec<(&'a str, &'a Node)> {
    let items: Vec<&Node> = match &node.value {
        Value::Sequence(items) => items.iter().map(|item| &**item).collect(),
        _ => vec![node],
    };
    items
        .into_iter()
        .filter_map(|item| text(problems, item, key).map(|text| (text, item)))
        .collect()
}

/// A number of things, at least one.
pub(crate) fn count(problems: &mut Problems, node: &Node, key: &str) -> Option<usize> {
    let written = text(problems, node, key)?;
    match written.parse::<u32>() {
        Ok(count) if count > 0 => Some(count as usize),
        _ => problems.refuse(
            &node.span,
            format!("{} can't be {}", quoted(key), quoted(written)),
            "write a whole number from 1",
        ),
    }
}

/// `true` or `false`.
pub(crate) fn boolean(problems: &mut Problems, node: &Node, key: &str) -> Option<bool> {
    choice(problems, node, key, &[("true", true), ("false", false)])
}

/// One of some words.
pub(crate) fn choice<T: Copy>(
    problems: &mut Problems,
    node: &Node,
    key: &str,
    choices: &[(&str, T)],
) -> Option<T> {
    let written = text(problems, node, key)?;
    problems.ok(&node.span, one_of(written, key, choices))
}

/// What one of some words stands for.
///
/// # Errors
/// It is none of them.
pub(crate) fn one_of<T: Copy>(
    written: &str,
    key: &str,
    choices: &[(&str, T)],
) -> Result<T, Complaint> {
    if let Some((_, value)) = choices.iter().find(|(word, _)| *word == written) {
        return Ok(*value);
    }
    let words: Vec<&str> = choices.iter().map(|(word, _)| *word).collect();
    let help = did_you_mean(written, words.iter().copied(), || {
        format!("possible are {}", list(&words))
    });
    let message = format!("{} can't be {}", quoted(key), quoted(written));
    Err(Complaint::new(message, help))
}
