//! How settings are written.

use std::collections::BTreeMap;
use std::time::Duration;

use serde::de::Error as _;
use serde::{Deserialize, Deserializer};
use thiserror::Error;

use super::NameCut;
use crate::model::units;

/// What is no word of FTP.
#[derive(Debug, Error)]
enum Wrong {
    #[error("`{0}`: write a command of FTP, like `RNTO`")]
    Verb(String),
    #[error("`{0}`: write a reply of FTP, like `553 not here`")]
    Reply(String),
}

pub(in crate::lab) fn size<'de, D: Deserializer<'de>>(from: D) -> Result<Option<u64>, D::Error> {
    let text = String::deserialize(from)?;
    units::parse_size(&text).map(Some).map_err(D::Error::custom)
}

/// `5%`.
pub(in crate::lab) fn percent<'de, D: Deserializer<'de>>(from: D) -> Result<u8, D::Error> {
    let text = String::deserialize(from)?;
    let number = text.trim().strip_suffix('%').map(str::trim_end);
    match number.and_then(|number| number.parse().ok()) {
        Some(percent @ 0..=100) => Ok(percent),
        _ => Err(D::Error::custom(format!(
            "`{text}`: write a share, like `5%`"
        ))),
    }
}

pub(super) fn some_size<'de, D: Deserializer<'de>>(from: D) -> Result<u64, D::Error> {
    match size(from)? {
        Some(size) if size > 0 => Ok(size),
        _ => Err(D::Error::custom("write a size above 0, like `1 MiB`")),
    }
}

pub(super) fn block<'de, D: Deserializer<'de>>(from: D) -> Result<Option<u64>, D::Error> {
    some_size(from).map(Some)
}

pub(super) fn rate<'de, D: Deserializer<'de>>(from: D) -> Result<Option<u64>, D::Error> {
    let text = String::deserialize(from)?;
    let number = text.trim();
    match number
        .strip_suffix("/s")
        .map(|number| units::parse_size(number.trim_end()))
    {
        Some(Ok(rate)) if rate > 0 => Ok(Some(rate)),
        _ => Err(D::Error::custom(format!(
            "`{text}` is not a rate; write a size a second, like `600 KiB/s`"
        ))),
    }
}

pub(super) fn time<'de, D: Deserializer<'de>>(from: D) -> Result<Option<Duration>, D::Error> {
    some_time(from).map(Some)
}

pub(super) fn some_time<'de, D: Deserializer<'de>>(from: D) -> Result<Duration, D::Error> {
    let text = String::deserialize(from)?;
    units::parse_duration(&text).map_err(D::Error::custom)
}

pub(super) fn name_cut<'de, D: Deserializer<'de>>(from: D) -> Result<Option<NameCut>, D::Error> {
    let text = String::deserialize(from)?;
    match (text.as_str(), text.parse::<usize>()) {
        ("8.3", _) => Ok(Some(NameCut::Dos)),
        (_, Ok(most)) if most > 0 => Ok(Some(NameCut::At(most))),
        _ => Err(D::Error::custom(format!(
            "`{text}`: write `8.3`, or a number of characters above 0, like `14`"
        ))),
    }
}

pub(super) fn verb<'de, D: Deserializer<'de>>(from: D) -> Result<Option<String>, D::Error> {
    let text = String::deserialize(from)?;
    verb_of(&text).map(Some).map_err(D::Error::custom)
}

fn verb_of(text: &str) -> Result<String, Wrong> {
    let is_verb = (3..=7).contains(&text.len()) && text.bytes().all(|b| b.is_ascii_alphanumeric());
    match is_verb {
        true => Ok(text.to_ascii_uppercase()),
        false => Err(Wrong::Verb(text.into())),
    }
}

pub(super) fn reply<'de, D: Deserializer<'de>>(from: D) -> Result<Option<String>, D::Error> {
    let text = String::deserialize(from)?;
    reply_of(text).map(Some).map_err(D::Error::custom)
}

/// One line with a code that ends a command: what goes on after it would never end.
fn reply_of(text: String) -> Result<String, Wrong> {
    let code: Vec<u8> = text.bytes().take(4).collect();
    match code[..] {
        [b'2'..=b'5', b'0'..=b'5', b'0'..=b'9', b' '] if !text.contains(['\r', '\n']) => Ok(text),
        _ => Err(Wrong::Reply(text)),
    }
}

pub(super) fn replies<'de, D: Deserializer<'de>>(
    from: D,
) -> Result<BTreeMap<String, String>, D::Error> {
    let lines = BTreeMap::<String, String>::deserialize(from)?;
    (lines.into_iter())
        .map(|(verb, line)| Ok((verb_of(&verb)?, reply_of(line)?)))
        .collect::<Result<_, Wrong>>()
        .map_err(D::Error::custom)
}

pub(super) fn delays<'de, D: Deserializer<'de>>(
    from: D,
) -> Result<BTreeMap<String, Duration>, D::Error> {
    let times = BTreeMap::<String, String>::deserialize(from)?;
    (times.into_iter())
        .map(|(verb, time)| {
            let verb = verb_of(&verb).map_err(D::Error::custom)?;
            Ok((
                verb,
                units::parse_duration(&time).map_err(D::Error::custom)?,
            ))
        })
        .collect()
}

pub(super) fn banks<'de, D: Deserializer<'de>>(from: D) -> Result<Option<u8>, D::Error> {
    match u8::deserialize(from)? {
        banks @ 1..=2 => Ok(Some(banks)),
        _ => Err(D::Error::custom("a device has 1 or 2 banks")),
    }
}

pub(super) fn login<'de, D: Deserializer<'de>>(from: D) -> Result<bool, D::Error> {
    match String::deserialize(from)?.as_str() {
        "refuse" => Ok(true),
        "accept" => Ok(false),
        other => Err(D::Error::custom(format!(
            "`{other}`: write `refuse` or `accept`"
        ))),
    }
}
