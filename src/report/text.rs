//! A report for a mail: plain lines of 80 columns, what failed first.

use crate::model::columns::{count, cut, fit, labelled, width, wrap};
use crate::model::{Standing, UNPROVEN_HINT, units};

use super::escape::line;
use super::facts::{Entity, Group, Report};
use super::words;

const COLUMNS: usize = 80;
/// Of the labels in front of texts.
const LABEL: usize = 12;

pub(super) fn text(report: &Report) -> String {
    let mut lines = Vec::new();
    head(report, &mut lines);
    failures(report, &mut lines);
    let open: Vec<_> = report.open().collect();
    if !open.is_empty() {
        title(
            &format!("{} cancelled or not finished", count(open.len(), "entity")),
            &mut lines,
        );
        open.iter()
            .for_each(|(_, group, one)| case(report, (group, one), &mut lines));
    }
    title(
        &format!("{} in all", count(report.groups.len(), "group")),
        &mut lines,
    );
    report.groups.iter().for_each(|one| group(one, &mut lines));
    title("All entities", &mut lines);
    report
        .groups
        .iter()
        .for_each(|one| entities(one, &mut lines));
    lines.push(String::new());
    lines.extend(wrap(
        &format!(
            "Made by subtend {} at {}. Version before: as the inventory had it when the run began.",
            env!("CARGO_PKG_VERSION"),
            words::moment(report.made.at, &report.made.zone)
        ),
        0,
        COLUMNS,
    ));
    for line in &mut lines {
        line.truncate(line.trim_end().len());
    }
    lines.join("\n") + "\n"
}

fn title(text: &str, lines: &mut Vec<String>) {
    lines.push(String::new());
    lines.push(text.to_owned());
    lines.push("-".repeat(width(text)));
}

fn row(label: &str, text: &str, lines: &mut Vec<String>) {
    lines.extend(labelled(
        &format!("  {label}"),
        &line(text),
        2 + LABEL,
        COLUMNS,
    ));
}

fn head(report: &Report, lines: &mut Vec<String>) {
    let run = &report.run;
    let zone = &report.made.zone;
    let head = cut(
        &line(&format!("Upgrade report: {}", report.site)),
        COLUMNS,
        true,
    );
    lines.push(head.clone());
    lines.push("=".repeat(width(&head)));
    lines.push(String::new());
    lines.extend(wrap(&words::outcome(report), 0, COLUMNS));
    for doubt in words::doubts(report) {
        lines.extend(wrap(&line(&doubt), 0, COLUMNS));
    }
    lines.push(String::new());
    row("run", &run.run, lines);
    row("outcome", &run.outcome_word(), lines);
    row("began", &words::moment(run.started, zone), lines);
    if let Some(ended) = run.ended {
        row("ended", &words::moment(ended, zone), lines);
    }
    row("took", &words::duration(report), lines);
    row("by", &run.who(), lines);
    row("inventory", &run.inventory_file, lines);
    if run.practice {
        row(
            "network",
            "a practice network, which is gone with its run",
            lines,
        );
    }
    if let Some(amounts) = words::amounts(report) {
        row("bytes", &amounts, lines);
    }
    row(
        "program",
        &format!("subtend {}", run.process.subtend),
        lines,
    );
}

fn failures(report: &Report, lines: &mut Vec<String>) {
    let failures: Vec<_> = report.failures().collect();
    if failures.is_empty() {
        return title("Nothing failed", lines);
    }
    title(&count(failures.len(), "failure"), lines);
    for (_, group, one) in failures {
        case(report, (group, one), lines);
    }
}

fn case(report: &Report, (group, one): (&Group, &Entity), lines: &mut Vec<String>) {
    let one_line = line(&format!("{}: {}", one.row.entity, one.row.standing()));
    lines.extend(wrap(&one_line, 0, COLUMNS));
    if let Some(cause) = words::cause(one) {
        row("cause", &cause, lines);
    }
    if let Some(advice) = &one.row.advice {
        row("to do", advice, lines);
    }
    row("now", words::holds(report, one), lines);
    if let Some(left) = &one.row.copied.left {
        row("left behind", left, lines);
    }
    if let Some(runs) = &one.row.runs {
        row("runs", runs, lines);
    }
    let at = words::moment(one.row.at, &report.made.zone);
    let tries = count(one.row.attempts as usize, "try");
    row(
        "group",
        &format!("{}, {at}, {tries}", group.row.group),
        lines,
    );
}

fn group(group: &Group, lines: &mut Vec<String>) {
    lines.extend(wrap(
        &line(&format!("{}: {}", group.row.group, words::image(group))),
        0,
        COLUMNS,
    ));
    row("source", &words::sources(group).join(", "), lines);
    let parts = words::parts(&group.counts);
    row(
        "entities",
        &format!("{}: {}", group.counts.entities, parts.join(", ")),
        lines,
    );
    for (label, bytes, peak) in [
        ("read", group.read, group.peaks.map(|peaks| peaks.0)),
        (
            "delivered",
            group.delivered,
            group.peaks.map(|peaks| peaks.1),
        ),
    ] {
        let mut text = units::size(bytes);
        if let Some(rate) = group.rate(bytes) {
            text += &format!(", {} in the mean", units::rate(rate));
        }
        if let Some(peak) = peak {
            text += &format!(", at most {}", units::rate(peak));
        }
        row(label, &text, lines);
    }
    let took = group
        .took()
        .map_or_else(|| "it is not over".into(), units::long);
    row("took", &took, lines);
    if group.counts.delivered_unproven > 0 {
        let many = count(group.counts.delivered_unproven, "entity");
        row(
            "not proven",
            &format!("{many}: nobody has looked at the content; {UNPROVEN_HINT}"),
            lines,
        );
    }
}

/// Columns of the table of entities: state, versions, verified, tries, time.
const STATE: usize = 11;
const VERSION: usize = 10;
const VERIFIED: usize = 14;
const TOOK: usize = 9;

fn entities(group: &Group, lines: &mut Vec<String>) {
    const FIXED: usize = STATE + 2 * VERSION + VERIFIED + TOOK + 5;
    let name = COLUMNS - FIXED;
    let cells = |cells: [&str; 6]| {
        let [entity, state, before, now, verified, took] = cells;
        let cells = [
            fit(entity, name, true),
            fit(state, STATE, true),
            fit(before, VERSION, true),
            fit(now, VERSION, true),
            fit(verified, VERIFIED, true),
            fit(took, TOOK, true),
        ];
        cells.join(" ")
    };
    let head = line(&format!("{}, type {}", group.row.group, group.row.type_));
    lines.extend(wrap(&head, 0, COLUMNS));
    lines.push(cells([
        "entity", "state", "before", "now", "verified", "took",
    ]));
    for one in &group.entities {
        let version = |version: Option<&str>| version.map_or_else(|| "?".into(), line);
        let took = one.took().map_or_else(|| "-".into(), units::long);
        let entity = line(&one.row.entity);
        let row = cells([
            &entity,
            one.row.standing().as_str(),
            &version(one.before.as_deref()),
            &version(group.version_now(one)),
            words::verified(one).unwrap_or("-"),
            &took,
        ]);
        lines.push(row);
        // What was cut off.
        if width(&entity) > name {
            lines.extend(wrap(&entity, 2, COLUMNS));
        }
    }
    let unproven = group
        .entities
        .iter()
        .any(|one| one.row.standing() == Standing::Unproven);
    if unproven {
        lines.push("unproven: delivered, and checked by its size alone, or not".into());
    }
}
