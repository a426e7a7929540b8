//! Single values: text, names, sizes, times, numbers, choices.

use std::time::Duration;

use crate::model::units;

pub(super) use crate::model::names::check as check_name;

use super::error::{Complaint, Problems, did_you_mean, quoted};
use super::fields::list;
use super::tree::{Node, Value};

/// A wait longer than this is a typing error.
const LONGEST_TIME: Duration = Duration::from_secs(24 * 60 * 60);
/// More memory, or a larger image, than any host of this kind has.
const LARGEST_SIZE: u64 = 1 << 40;
/// Bytes a second: 100 Gbit/s.
const FASTEST: u64 = 12_500_000_000;

/// Text that is not empty, as written.
pub(super) fn text<'a>(problems: &mut Problems, node: &'a Node, key: &str) -> Option<&'a str> {
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
pub(super) fn label(problems: &mut Problems, node: &Node, key: &str) -> Option<String> {
    let text = text(problems, node, key)?;
    if text.chars().any(char::is_control) {
        let message = format!("{} holds a control character", quoted(key));
        return problems.refuse(&node.span, message, "write plain text");
    }
    Some(text.to_owned())
}

/// Text, or a list of texts.
pub(super) fn texts<'a>(
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

/// A size in bytes, more than 0.
pub(super) fn size(problems: &mut Problems, node: &Node, key: &str) -> Option<u64> {
    let written = text(problems, node, key)?;
    let complaint = match units::parse_size(written) {
        Ok(0) => Complaint::new(
            format!("{} is 0", quoted(key)),
            "write a size like `256 KiB` or `8 MiB`",
        ),
        Ok(size) if size > LARGEST_SIZE => Complaint::new(
            format!("{} of {} is too large", quoted(key), quoted(written)),
            format!("at most {} make sense", units::size(LARGEST_SIZE)),
        ),
        Ok(size) => return Some(size),
        Err(_) => Complaint::new(
            format!("{} is not a size", quoted(written)),
            "write a number with a unit, like `256 KiB` or `8 MiB`",
        ),
    };
    problems.complain(&node.span, complaint);
    None
}

/// Bytes a second; 0 where `none` is written.
pub(super) fn rate(problems: &mut Problems, node: &Node, key: &str) -> Option<u64> {
    const HELP: &str = "write a size a second, like `4 KiB/s`, or `none`";
    let written = text(problems, node, key)?;
    if written == "none" {
        return Some(0);
    }
    let size = (written.trim().strip_suffix("/s")).map(|size| units::parse_size(size.trim_end()));
    let complaint = match size {
        Some(Ok(0)) => Complaint::new(format!("{} of 0 is no rate", quoted(key)), HELP),
        Some(Ok(rate)) if rate > FASTEST => Complaint::new(
            format!(
                "{} of {} is more than any link carries",
                quoted(key),
                quoted(written)
            ),
            HELP,
        ),
        Some(Ok(rate)) => return Some(rate),
        _ => Complaint::new(format!("{} is not a rate", quoted(written)), HELP),
    };
    problems.complain(&node.span, complaint);
    None
}

/// A time to wait, more than 0.
pub(super) fn time(problems: &mut Problems, node: &Node, key: &str) -> Option<Duration> {
    let written = text(problems, node, key)?;
    let complaint = match units::parse_duration(written) {
        Ok(Duration::ZERO) => Complaint::new(
            format!("a timeout {} of 0 would fail at once", quoted(key)),
            "write how long to wait, like `30s` or `5m`",
        ),
        Ok(time) if time > LONGEST_TIME => Complaint::new(
            format!(
                "{} for {} is longer than a day",
                quoted(written),
                quoted(key)
            ),
            "write how long to wait at most, like `30s` or `5m`",
        ),
        Ok(time) => return Some(time),
        Err(_) => Complaint::new(
            format!("{} is not a time", quoted(written)),
            "write a number with a unit, like `250ms`, `30s` or `5m`",
        ),
    };
    problems.complain(&node.span, complaint);
    None
}

/// A number of things, at least one.
pub(super) fn count(problems: &mut Problems, node: &Node, key: &str) -> Option<usize> {
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
pub(super) fn boolean(problems: &mut Problems, node: &Node, key: &str) -> Option<bool> {
    choice(problems, node, key, &[("true", true), ("false", false)])
}

/// One of some words.
pub(super) fn choice<T: Copy>(
    problems: &mut Problems,
    node: &Node,
    key: &str,
    choices: &[(&str, T)],
) -> Option<T> {
    let written = text(problems, node, key)?;
    if let Some((_, value)) = choices.iter().find(|(word, _)| *word == written) {
        return Some(*value);
    }
    let words: Vec<&str> = choices.iter().map(|(word, _)| *word).collect();
    let help = did_you_mean(written, words.iter().copied(), || {
        format!("possible are {}", list(&words))
    });
    let message = format!("{} can't be {}", quoted(key), quoted(written));
    problems.refuse(&node.span, message, help)
}
