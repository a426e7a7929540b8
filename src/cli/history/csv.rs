//! History as comma-separated values (RFC 4180), one line a run or an entity, names on the first.
//! Times are UTC, sizes are bytes.

use crate::journal::{EntityRow, PastRow, RunRow, RunWhole};
use crate::model::text::push_shown;

/// One line. Text from outside has its control characters escaped, so a line stays one.
fn line(out: &mut String, cells: &[String]) {
    for (at, cell) in cells.iter().enumerate() {
        if at > 0 {
            out.push(',');
        }
        let mut shown = String::new();
        cell.chars().for_each(|c| push_shown(&mut shown, c));
        // Spreadsheets take these for formulas, and a cause may be a server's own words.
        if shown.starts_with(['=', '+', '-', '@']) {
            shown.insert(0, '\'');
        }
        if shown.contains([',', '"', ' ']) {
            out.push('"');
            out.push_str(&shown.replace('"', "\"\""));
            out.push('"');
        } else {
            out.push_str(&shown);
        }
    }
    out.push_str("\r\n");
}

fn table<T>(head: &[&str], rows: &[T], cells: impl Fn(&T) -> Vec<String>) -> String {
    let mut out = String::new();
    line(
        &mut out,
        &head.iter().map(ToString::to_string).collect::<Vec<_>>(),
    );
    for row in rows {
        line(&mut out, &cells(row));
    }
    out
}

fn or_empty(value: &Option<impl ToString>) -> String {
    value.as_ref().map(ToString::to_string).unwrap_or_default()
}

pub(super) fn runs(runs: &[RunRow]) -> String {
    let head = [
        "run",
        "started",
        "ended",
        "status",
        "outcome",
        "user",
        "host",
        "ssh_client",
        "groups",
        "entities",
        "delivered",
        "skipped",
        "failed",
        "cancelled",
        "unfinished",
        "inventory_file",
        "delivered_unproven",
    ];
    table(&head, runs, |run| {
        vec![
            run.run.clone(),
            run.started.to_string(),
            or_empty(&run.ended),
            super::text::status(run).to_owned(),
            or_empty(&run.outcome),
            run.origin.user.clone(),
            run.origin.host.clone(),
            or_empty(&run.origin.ssh_client),
            run.groups.join(" "),
            run.counts.entities.to_string(),
            run.counts.delivered.to_string(),
            run.counts.skipped.to_string(),
            run.counts.failed.to_string(),
            run.counts.cancelled.to_string(),
            run.counts.unfinished.to_string(),
            run.inventory_file.clone(),
            run.counts.delivered_unproven.to_string(),
        ]
    })
}

const ENTITY: [&str; 13] = [
    "entity", "type", "address", "path", "state", "step", "cause", "attempts", "at", "bytes",
    "verified", "source", "holds",
];

fn entity(one: &EntityRow) -> Vec<String> {
    vec![
        one.entity.clone(),
        one.type_.clone(),
        one.address.clone(),
        one.path.clone(),
        one.state.to_string(),
        or_empty(&one.step),
        or_empty(&one.cause),
        one.attempts.to_string(),
        one.at.to_string(),
        one.copied.bytes.to_string(),
        or_empty(&one.copied.verified),
        or_empty(&one.copied.source),
        or_empty(&one.holds),
    ]
}

pub(super) fn run(run: &RunWhole) -> String {
    let head = [&["group", "image", "version", "sha256"][..], &ENTITY].concat();
    let rows: Vec<_> = (run.groups.iter())
        .flat_map(|group| group.entities.iter().map(move |entity| (group, entity)))
        .collect();
    table(&head, &rows, |(group, one)| {
        let mut cells = vec![
            group.group.clone(),
            group.image.clone(),
            group.version.clone(),
            or_empty(&group.sha256),
        ];
        cells.extend(entity(one));
        cells
    })
}

pub(super) fn past(rows: &[PastRow]) -> String {
    let head = [
        &["run", "user", "group", "image", "version", "sha256"][..],
        &ENTITY,
    ]
    .concat();
    table(&head, rows, |row| {
        let mut cells = vec![
            row.run.clone(),
            row.user.clone(),
            row.group.clone(),
            row.image.clone(),
            row.version.clone(),
            or_empty(&row.sha256),
        ];
        cells.extend(entity(&row.entity));
        cells
    })
}
