//! The groups of the run: what they were given, what became of it, how much, and how fast.

use crate::journal::Counts;
use crate::model::units;
use crate::report::escape::{id, markup};
use crate::report::facts::{Group, Report};
use crate::report::words;

const COLUMNS: [(&str, bool); 10] = [
    ("Group, image", false),
    ("Source", false),
    ("Entities", true),
    ("Proven", true),
    ("Not proven", true),
    ("Had it", true),
    ("Failed", true),
    ("Read", true),
    ("Delivered", true),
    ("Took", true),
];

pub(super) fn table(report: &Report, out: &mut String) {
    let many = report.groups.len();
    *out += &format!(
        "<section id=\"groups\">\n<h2>{}</h2>\n",
        match many {
            1 => "The group".to_owned(),
            many => format!("The {many} groups"),
        }
    );
    let rows = report.groups.iter().enumerate();
    *out += &super::table(
        "groups",
        &COLUMNS,
        rows.map(|(place, group)| row(place, group)),
    );
    *out += "<p class=\"note\">Proven: the content was looked at, by the entity's own digest or read back, or the device \
             said that it runs the image. Not proven: delivered, and checked by its size alone, or not. Read: bytes \
             that came from sources, each once for all entities; delivered: those that entities have confirmed. Mean: over all of the group's time.</p>\n";
    for group in &report.groups {
        notes(report, group, out);
    }
    *out += "</section>\n";
}

fn row(place: usize, group: &Group) -> (String, Vec<String>) {
    let sources = words::sources(group);
    let sources: Vec<String> = sources.into_iter().map(markup).collect();
    let counts = &group.counts;
    let cells = vec![
        format!(
            "<span class=\"name\">{}</span><br/>{}",
            markup(&group.row.group),
            markup(&words::image(group))
        ),
        sources.join("<br/>"),
        counts.entities.to_string(),
        (counts.delivered - counts.delivered_unproven + counts.upgraded).to_string(),
        toned(counts.delivered_unproven, "look"),
        counts.skipped.to_string(),
        failed(counts),
        amount(group, group.read, group.peaks.map(|peaks| peaks.0)),
        amount(group, group.delivered, group.peaks.map(|peaks| peaks.1)),
        group.took().map_or_else(|| "not over".into(), units::long),
    ];
    (format!("g{place}-{}", id(&group.row.group)), cells)
}

fn toned(many: usize, class: &str) -> String {
    match many {
        0 => "0".into(),
        many => format!("<strong class=\"{class}\">{many}</strong>"),
    }
}

/// With those that were cancelled, or are not finished, where there are any.
fn failed(counts: &Counts) -> String {
    let mut text = toned(counts.failed + counts.rolled_back, "bad");
    for (many, what) in [
        (counts.rolled_back, "rolled back"),
        (counts.cancelled, "cancelled"),
        (counts.unfinished, "not finished"),
    ] {
        if many > 0 {
            text += &format!("<br/>{many} {what}");
        }
    }
    text
}

/// How much, and below it the mean rate over all of its time, and the highest.
fn amount(group: &Group, bytes: u64, peak: Option<f64>) -> String {
    let mut text = units::size(bytes);
    for (rate, what) in [(group.rate(bytes), "mean"), (peak, "peak")] {
        if let Some(rate) = rate {
            text += &format!("<br/><small>{what} {}</small>", units::rate(rate));
        }
    }
    text
}

/// What happened to it on the way: other sources, waves, pauses.
fn notes(report: &Report, group: &Group, out: &mut String) {
    let notes = words::notes(group, &report.made.zone);
    if notes.is_empty() {
        return;
    }
    *out += &format!(
        "<h3>What happened to {}</h3>\n<dl>\n",
        markup(&group.row.group)
    );
    for (at, text) in notes {
        *out += &format!("<dt>{}</dt><dd>{}</dd>\n", markup(&at), markup(&text));
    }
    *out += "</dl>\n";
}
