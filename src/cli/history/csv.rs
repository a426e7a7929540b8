//! History as comma-separated values (RFC 4180), a line per run or entity, names on the first.
//! Times are UTC, sizes are bytes.

use crate::journal::{EntityRow, GroupRow, PastRow, RunRow, RunWhole};
use crate::model::text::escaped;

/// One line. Text from outside has its control characters escaped, so a line stays one.
fn line(out: &mut String, cells: impl Iterator<Item = String>) {
    let cells = cells.map(|cell| {
        let mut shown = escaped(&cell);
        // Spreadsheets take these for formulas, and a cause may be a server's own words.
        if shown.starts_with(['=', '+', '-', '@']) {
            shown.insert(0, '\'');
        }
        match shown.contains([',', '"', ' ']) {
            true => format!("\"{}\"", shown.replace('"', "\"\"")),
            false => shown,
        }
    });
    *out += &cells.collect::<Vec<_>>().join(",");
    *out += "\r\n";
}

/// The name of a column, and its cell in a row.
type Column<T> = (&'static str, fn(&T) -> String);

/// The columns of a row itself, and those of the entity that it is about.
fn table<T>(rows: &[T], own: &[Column<T>], entity: Option<fn(&T) -> &EntityRow>) -> String {
    let of_entity = entity.map_or(&[][..], |_| &ENTITY);
    let names = own.iter().map(|(name, _)| name);
    let names = names.chain(of_entity.iter().map(|(name, _)| name));
    let mut out = String::new();
    line(&mut out, names.map(ToString::to_string));
    for row in rows {
        let own = own.iter().map(|(_, cell)| cell(row));
        let entity = entity.map(|entity| entity(row)).into_iter();
        let of_entity = entity.flat_map(|one| of_entity.iter().map(move |(_, cell)| cell(one)));
        line(&mut out, own.chain(of_entity));
    }
    out
}

fn or_empty(value: &Option<impl ToString>) -> String {
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

pub(super) fn runs(runs: &[RunRow]) -> String {
    let columns: [Column<RunRow>; 19] = [
        ("run", |run| run.run.clone()),
        ("started", |run| run.started.to_string()),
        ("ended", |run| or_empty(&run.ended)),
        ("status", |run| run.status_word().to_owned()),
        ("outcome", |run| or_empty(&run.outcome)),
        ("user", |run| run.origin.user.clone()),
        ("host", |run| run.origin.host.clone()),
        ("ssh_client", |run| or_empty(&run.origin.ssh_client)),
        ("groups", |run| run.groups.join(" ")),
        ("entities", |run| run.counts.entities.to_string()),
        ("delivered", |run| run.counts.delivered.to_string()),
        ("skipped", |run| run.counts.skipped.to_string()),
        ("failed", |run| run.counts.failed.to_string()),
        ("cancelled", |run| run.counts.cancelled.to_string()),
        ("unfinished", |run| run.counts.unfinished.to_string()),
        ("inventory_file", |run| run.inventory_file.clone()),
        ("delivered_unproven", |run| {
            run.counts.delivered_unproven.to_string()
        }),
        ("upgraded", |run| run.counts.upgraded.to_string()),
        ("rolled_back", |run| run.counts.rolled_back.to_string()),
    ];
    table(runs, &columns, None)
}

pub(super) fn run(run: &RunWhole) -> String {
    type Row<'a> = (&'a GroupRow, &'a EntityRow);
    let rows: Vec<Row<'_>> = (run.groups.iter())
        .flat_map(|group| group.entities.iter().map(move |entity| (group, entity)))
        .collect();
    let columns: [Column<Row<'_>>; 4] = [
        ("group", |(group, _)| group.group.clone()),
        ("image", |(group, _)| group.image.clone()),
        ("version", |(group, _)| group.version.clone()),
        ("sha256", |(group, _)| or_empty(&group.sha256)),
    ];
    table(&rows, &columns, Some(|(_, entity)| entity))
}

pub(super) fn past(rows: &[PastRow]) -> String {
    let columns: [Column<PastRow>; 6] = [
        ("run", |row| row.run.clone()),
        ("user", |row| row.user.clone()),
        ("group", |row| row.group.clone()),
        ("image", |row| row.image.clone()),
        ("version", |row| row.version.clone()),
        ("sha256", |row| or_empty(&row.sha256)),
    ];
    table(rows, &columns, Some(|row| &row.entity))
}
