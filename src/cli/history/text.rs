//! History for people, in lines that fit their terminal. Every text of the journal is escaped here.

use std::time::Duration;

use jiff::Timestamp;
use jiff::tz::TimeZone;

use crate::journal::{
    CutOff, EntityRow, GroupRow, PassRow, PastRow, RunRow, RunStatus, RunWhole, StagingFile,
};
use crate::model::columns::{count, cut, fit, hang, labelled, width, wrap};
use crate::model::text::shown;
use crate::model::{EntityState, UNPROVEN_HINT, units};

use super::steps::{self, Steps};

/// Between two columns.
const GAP: &str = "  ";

/// `2026-11-22 21:50`, in the time zone of this host.
pub(in crate::cli) fn moment(at: Timestamp, zone: &TimeZone) -> String {
    let local = at.to_zoned(zone.clone());
    local.strftime("%Y-%m-%d %H:%M").to_string()
}

pub(super) fn clock(at: Timestamp, zone: &TimeZone) -> String {
    at.to_zoned(zone.clone()).strftime("%H:%M:%S").to_string()
}

/// In exactly this number of cells.
fn pad(text: &str, columns: usize) -> String {
    fit(text, columns, true)
}

fn right(text: &str, columns: usize) -> String {
    format!("{}{text}", " ".repeat(columns.saturating_sub(width(text))))
}

fn finished(mut lines: Vec<String>) -> String {
    for line in &mut lines {
        line.truncate(line.trim_end().len());
    }
    lines.join("\n") + "\n"
}

/// `20261122T205000Z-1a2b`.
const RUN: usize = 21;
const MOMENT: usize = 16;
/// `catching-up` is the longest state.
const STATE: usize = 11;

pub(super) fn runs(runs: &[RunRow], cut_off: &[CutOff], zone: &TimeZone, columns: usize) -> String {
    if runs.is_empty() {
        return "no run was recorded yet\n".into();
    }
    let mut lines = vec![
        [
            pad("run", RUN),
            pad("began", MOMENT),
            pad("outcome", 9),
            "delivered".into(),
            "skipped".into(),
            "failed".into(),
        ]
        .join(GAP),
    ];
    for run in runs {
        lines.push(
            [
                pad(&shown(&run.run), RUN),
                pad(&moment(run.started, zone), MOMENT),
                pad(&run.outcome_word(), 9),
                right(&run.counts.delivered.to_string(), 9),
                right(&run.counts.skipped.to_string(), 7),
                right(&run.counts.failed.to_string(), 6),
            ]
            .join(GAP),
        );
        let groups: Vec<String> = run.groups.iter().map(|group| shown(group)).collect();
        let mut more = format!(
            "{} in {}",
            count(run.counts.entities, "entity"),
            groups.join(", ")
        );
        for (number, word) in [
            (run.counts.upgraded, "upgraded"),
            (run.counts.rolled_back, "rolled back"),
            (run.counts.delivered_unproven, "unproven"),
            (run.counts.cancelled, "cancelled"),
            (run.counts.unfinished, "unfinished"),
        ] {
            if number > 0 {
                more += &format!(", {number} {word}");
            }
        }
        more += &format!("; by {}", run.who());
        if run.practice {
            more += "; practice network";
        }
        lines.extend(wrap(&more, 4, columns));
    }
    for run in cut_off {
        lines.push(String::new());
        lines.extend(wrap(&shown(&run.sentence()), 0, columns));
    }
    finished(lines)
}

fn row(label: &str, text: &str, columns: usize, lines: &mut Vec<String>) {
    lines.extend(labelled(&format!("  {label}"), text, 12, columns));
}

pub(super) fn run(whole: &RunWhole, steps: Steps, zone: &TimeZone, columns: usize) -> String {
    let run = &whole.run;
    let mut lines = vec![format!("run {}: {}", shown(&run.run), run.outcome_word())];
    let began = run.started.to_zoned(zone.clone());
    let mut when = began.strftime("%Y-%m-%d %H:%M:%S %:z").to_string();
    if let Some(ended) = run.ended {
        let took = Duration::try_from(ended.duration_since(run.started)).unwrap_or_default();
        when += &format!(", took {}", units::duration(took));
    }
    row("began", &when, columns, &mut lines);
    let by = format!(
        "{} (process {}, subtend {})",
        run.who(),
        run.process.pid,
        shown(&run.process.subtend)
    );
    row("by", &by, columns, &mut lines);
    row(
        "inventory",
        &shown(&run.inventory_file),
        columns,
        &mut lines,
    );
    let amounts = &run.amounts;
    if let (Some(peak), Some(read), Some(delivered)) = (
        amounts.peak_pool_bytes,
        amounts.source_bytes,
        amounts.delivered_bytes,
    ) {
        let [peak, memory, read, delivered] =
            [peak, amounts.memory, read, delivered].map(units::size);
        let text = format!("{delivered} from {read} read; pools held at most {peak} of {memory}");
        row("delivered", &text, columns, &mut lines);
    }
    if run.counts.delivered_unproven > 0 {
        let text = format!(
            "{}: nobody has looked at the content; {UNPROVEN_HINT}",
            count(run.counts.delivered_unproven, "entity")
        );
        row("unproven", &text, columns, &mut lines);
    }
    if let Some(settled) = run.settled {
        row("settled", &moment(settled, zone), columns, &mut lines);
    }
    for one in &whole.groups {
        lines.push(String::new());
        group(
            one,
            run.status == RunStatus::CutOff,
            steps,
            zone,
            columns,
            &mut lines,
        );
    }
    finished(lines)
}

fn group(
    group: &GroupRow,
    cut_off: bool,
    steps: Steps,
    zone: &TimeZone,
    columns: usize,
    lines: &mut Vec<String>,
) {
    let [name, image, type_, version] =
        [&group.group, &group.image, &group.type_, &group.version].map(|text| shown(text));
    let mut head = format!("{name}: {image}, type {type_}, version {version}");
    if let Some(size) = group.size {
        head += &format!(", {} ({size} bytes)", units::size(size));
    }
    lines.extend(hang(&head, 2, columns));
    if let Some(sha256) = &group.sha256 {
        row("sha256", &shown(sha256), columns, lines);
    }
    if group.passes.is_empty() {
        row("source", &shown(&group.source), columns, lines);
    }
    for one in &group.passes {
        row(&format!("pass {}", one.pass), &pass(one), columns, lines);
    }
    for note in &group.notes {
        row(&shown(&note.kind), &note.in_words(zone), columns, lines);
    }
    let longest = group.entities.iter().map(|one| width(&shown(&one.entity)));
    let name = longest.max().unwrap_or(0).clamp(6, columns / 3);
    let (checked, last) = if cut_off {
        ("holds", 10)
    } else {
        ("verified", 9)
    };
    lines.push(String::new());
    lines.push(format!(
        "  {}",
        [
            pad("entity", name),
            pad("state", STATE),
            pad(checked, last),
            "attempts".into(),
            pad("at", 8),
            "source".into()
        ]
        .join(GAP)
    ));
    for one in &group.entities {
        let checked = if cut_off {
            held(one)
        } else {
            one.copied
                .verified
                .as_deref()
                .map_or_else(|| "-".into(), shown)
        };
        let line = format!(
            "  {}",
            [
                pad(&shown(&one.entity), name),
                pad(one.standing().as_str(), STATE),
                pad(&checked, last),
                right(&one.attempts.to_string(), 8),
                clock(one.at, zone),
                one.copied
                    .source
                    .as_deref()
                    .map_or_else(|| "-".into(), shown),
            ]
            .join(GAP)
        );
        lines.push(cut(&line, columns, true));
        if let Some(why) = why(one) {
            lines.extend(wrap(&why, 6, columns));
        }
        steps::lines(one, steps, zone, columns, lines);
    }
}

fn pass(pass: &PassRow) -> String {
    let mut text = shown(&pass.source);
    if pass.offset > 0 {
        text += &format!(", from byte {} on", pass.offset);
    }
    match pass.read {
        Some(read) => text += &format!(", read {}", units::size(read)),
        None => text += ", did not end",
    }
    text
}

/// What it holds, in one word; a later run knows better.
fn held(one: &EntityRow) -> String {
    match one.holds {
        Some(holds) => holds.to_string(),
        None => one.after_crash.to_string(),
    }
}

/// `send: the server said 552 …`, what was left behind, and what it holds now.
fn why(one: &EntityRow) -> Option<String> {
    let mut parts = Vec::new();
    if let Some(runs) = &one.runs {
        parts.push(format!("runs {}", shown(runs)));
    }
    if let Some(cause) = &one.cause {
        let step = one.step_of_cause();
        let step = step.map_or_else(String::new, |step| format!("{}: ", shown(step)));
        parts.push(step + &shown(cause));
    }
    if let Some(left) = &one.copied.left {
        parts.push(format!("left behind: {}", shown(left)));
    }
    let ended = matches!(
        one.state,
        EntityState::Failed | EntityState::RolledBack | EntityState::Cancelled
    );
    if let Some(holds) = one.holds.filter(|_| ended) {
        parts.push(holds.words().into());
    }
    if (one.found).is_some_and(|found| found.staging == StagingFile::Removed) {
        parts.push("its staging file was removed after the run".into());
    }
    (!parts.is_empty()).then(|| parts.join("; "))
}

/// With `all`, each change of its state too.
pub(super) fn past(
    rows: &[PastRow],
    all: bool,
    steps: Steps,
    zone: &TimeZone,
    columns: usize,
) -> String {
    // One entity has few of them.
    let is_whole = |one: &EntityRow| all || steps == Steps::All || !one.state.is_success();
    let mut lines = Vec::new();
    if let Some(newest) = rows.first() {
        let one = &newest.entity;
        let [name, address, path] = [&one.entity, &one.address, &one.path].map(|text| shown(text));
        lines.extend(hang(&format!("{name}: {address}, {path}"), 2, columns));
    }
    let head = ["began", "run", "image", "version", "state"];
    let image = columns
        .saturating_sub(2 + MOMENT + RUN + 8 + STATE + 4 * GAP.len())
        .clamp(8, 24);
    let line = |cells: [&str; 5]| {
        let [began, run, of, version, state] = cells;
        let cells = [
            pad(began, MOMENT),
            pad(run, RUN),
            pad(of, image),
            pad(version, 8),
            pad(state, STATE),
        ];
        format!("  {}", cells.join(GAP))
    };
    lines.push(line(head));
    for row in rows {
        let one = &row.entity;
        let began = one.changes.first().map_or(one.at, |first| first.at);
        lines.push(line([
            &moment(began, zone),
            &shown(&row.run),
            &shown(&row.image),
            &shown(&row.version),
            one.standing().as_str(),
        ]));
        lines.extend(wrap(&story(row), 6, columns));
        let changes = one.changes.iter().filter(|_| all);
        for change in changes {
            let mut text = format!("{} {}", clock(change.at, zone), change.state);
            if let Some(step) = &change.step {
                text += &format!(", {}", shown(step));
            }
            if change.attempt > 1 {
                text += &format!(", attempt {}", change.attempt);
            }
            if let Some(cause) = &change.cause {
                text += &format!(": {}", shown(cause));
            }
            lines.extend(wrap(&text, 6, columns));
        }
        if is_whole(one) {
            steps::every(one, steps, zone, columns, &mut lines);
        }
    }
    finished(lines)
}

fn story(row: &PastRow) -> String {
    let one = &row.entity;
    let mut parts = vec![format!("group {}", shown(&row.group))];
    if let Some(source) = &one.copied.source {
        parts.push(format!("from {}", shown(source)));
    }
    if matches!(one.state, EntityState::Delivered | EntityState::Upgraded) {
        parts.push(units::size(one.copied.bytes));
        parts.push(match one.copied.verified.as_deref() {
            None | Some("none") => "delivered, not verified".into(),
            Some("size") => "delivered, by size alone".into(),
            Some(how) => format!("verified by {}", shown(how)),
        });
    }
    if !one.state.is_final() {
        parts.push(format!("holds: {}", held(one)));
    }
    if one.attempts > 1 {
        parts.push(count(one.attempts as usize, "attempt"));
    }
    parts.extend(why(one));
    parts.push(format!("by {}", shown(&row.user)));
    parts.join(", ")
}
