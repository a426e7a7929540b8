//! Comma-separated values (RFC 4180), names on the first line. Times are UTC, sizes are bytes.

use crate::journal::EntityRow;

use super::escape::cell;
use super::facts::{Entity, Group, Report};

/// One line. Text from outside has its control characters escaped, so a line stays one.
fn line(out: &mut String, cells: impl Iterator<Item = String>) {
    let cells: Vec<String> = cells.map(|text| cell(&text)).collect();
    *out += &cells.join(",");
    *out += "\r\n";
}

/// The name of a column, and its cell in a row.
pub type Column<T> = (&'static str, fn(&T) -> String);

/// A line per row: its own columns, those of the entity that it is about, where it is about one, and `more`. What is
/// added goes behind what was there: scripts may count columns.
pub fn table<T>(
    rows: &[T],
    own: &[Column<T>],
    entity: Option<fn(&T) -> &EntityRow>,
    more: &[Column<T>],
) -> String {
    let of_entity = entity.map_or(&[][..], |_| &ENTITY);
    let names = own.iter().map(|(name, _)| *name);
    let names = names.chain(of_entity.iter().map(|(name, _)| *name));
    let names = names.chain(more.iter().map(|(name, _)| *name));
    let mut out = String::new();
    line(&mut out, names.map(str::to_owned));
    for row in rows {
        let own = own.iter().map(|(_, cell)| cell(row));
        let entity = entity.map(|entity| entity(row)).into_iter();
        let of_entity = entity.flat_map(|one| of_entity.iter().map(move |(_, cell)| cell(one)));
        let more = more.iter().map(|(_, cell)| cell(row));
        line(&mut out, own.chain(of_entity).chain(more));
    }
    out
}

/// Of what may not be known.
pub fn or_empty(value: &Option<impl ToString>) -> String {
    value.as_ref().map(ToString::to_string).unwrap_or_default()
}

const ENTITY: [Column<EntityRow>; 14] = [
    ("entity", |one| one.entity.clone()),
    ("type", |one| one.type_.clone()),
    ("address", |one| one.address.clone()),
    ("path", |one| one.path.clone()),
    ("state", |one| one.state.to_string()),
    ("step", |one| or_empty(&one.step)),
    ("cause", |one| or_empty(&one.cause)),
    ("attempts", |one| one.attempts.to_string()),
    ("at", |one| one.at.to_string()),
    ("bytes", |one| one.copied.bytes.to_string()),
    ("verified", |one| or_empty(&one.copied.verified)),
    ("source", |one| or_empty(&one.copied.source)),
    ("holds", |one| or_empty(&one.holds)),
    ("runs", |one| or_empty(&one.runs)),
];

type Row<'a> = (&'a Report, &'a Group, &'a Entity);

/// Each entity of the run.
pub fn run(report: &Report) -> String {
    let entities = report.entities();
    let rows: Vec<Row<'_>> = entities
        .map(|(_, group, one)| (report, group, one))
        .collect();
    let own: [Column<Row<'_>>; 4] = [
        ("group", |(_, group, _)| group.row.group.clone()),
        ("image", |(_, group, _)| group.row.image.clone()),
        ("version", |(_, group, _)| group.row.version.clone()),
        ("sha256", |(_, group, _)| or_empty(&group.row.sha256)),
    ];
    let more: [Column<Row<'_>>; 5] = [
        ("run", |(report, ..)| report.run.run.clone()),
        ("version_before", |(.., one)| or_empty(&one.before)),
        ("began", |(.., one)| or_empty(&one.began)),
        ("seconds", |(.., one)| {
            let seconds = one.took().map(|took| format!("{:.3}", took.as_secs_f64()));
            or_empty(&seconds)
        }),
        ("advice", |(.., one)| or_empty(&one.row.advice)),
    ];
    table(&rows, &own, Some(|(.., one)| &one.row), &more)
}
