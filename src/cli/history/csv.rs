//! History as comma-separated values, a line per run or entity.

use crate::journal::{PastRow, RunRow};
use crate::report::csv::{Column, or_empty, table};

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
    table(runs, &columns, None, &[])
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
    table(rows, &columns, Some(|row| &row.entity), &[])
}
