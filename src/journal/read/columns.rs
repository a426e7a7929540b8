//! Columns into values.

use jiff::Timestamp;
use rusqlite::{Connection, Row};

use crate::model::{EntityState, Holds, Verified};

pub(super) fn collect<T>(
    from: &Connection,
    sql: &str,
    with: impl rusqlite::Params,
    read: impl FnMut(&Row<'_>) -> rusqlite::Result<T>,
) -> rusqlite::Result<Vec<T>> {
    from.prepare_cached(sql)?.query_map(with, read)?.collect()
}

pub(super) fn holds(row: &Row<'_>) -> rusqlite::Result<Option<Holds>> {
    let word: Option<String> = row.get("holds")?;
    Ok(word.as_deref().and_then(Holds::of))
}

pub(super) fn state(
    row: &Row<'_>,
    column: impl rusqlite::RowIndex,
) -> rusqlite::Result<EntityState> {
    let text: String = row.get(column)?;
    word(&text).ok_or_else(|| unreadable(format!("`{text}` is no state")))
}

/// How a copy was checked; where nothing says so, it was not.
pub(super) fn checked(row: &Row<'_>) -> rusqlite::Result<Verified> {
    let text: Option<String> = row.get("verified")?;
    Ok((text.as_deref().and_then(word)).unwrap_or(Verified::None))
}

/// A word of the JSON lines.
pub(super) fn word<T: serde::de::DeserializeOwned>(text: &str) -> Option<T> {
    serde_json::from_value(serde_json::Value::String(text.to_owned())).ok()
}

pub(super) fn time(row: &Row<'_>, column: &str) -> rusqlite::Result<Timestamp> {
    at(row.get(column)?)
}

pub(super) fn maybe_time(row: &Row<'_>, column: &str) -> rusqlite::Result<Option<Timestamp>> {
    row.get::<_, Option<i64>>(column)?.map(at).transpose()
}

fn at(micros: i64) -> rusqlite::Result<Timestamp> {
    Timestamp::from_microsecond(micros).map_err(|error| unreadable(error.to_string()))
}

pub(super) fn bytes(row: &Row<'_>, column: &str) -> rusqlite::Result<Option<u64>> {
    let bytes: Option<i64> = row.get(column)?;
    Ok(bytes.map(|bytes| u64::try_from(bytes).unwrap_or(0)))
}

/// Something in the file that was not put there by this program.
fn unreadable(what: String) -> rusqlite::Error {
    let corrupt = rusqlite::ffi::Error::new(rusqlite::ffi::SQLITE_CORRUPT);
    rusqlite::Error::SqliteFailure(corrupt, Some(what))
}
