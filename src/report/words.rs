//! What reports say in sentences, whatever the format. Texts from outside are as they came.

use jiff::Timestamp;
use jiff::tz::TimeZone;

use crate::journal::{Counts, RunStatus};
use crate::model::{Holds, Standing, Verified, units};

use super::facts::{Entity, Group, Report};

/// Said of a run of which no series was kept.
pub(super) fn no_plots(report: &Report) -> &'static str {
    match report.goes_on() {
        true => {
            "There are no plots of this run yet: how its figures go is recorded twice a minute."
        }
        false => "There are no plots of this run: how its figures went was not recorded.",
    }
}

/// How good it is, for a colour.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Tone {
    Good,
    /// Something is to be looked at, or goes on.
    Look,
    Bad,
}

/// What the run came to, in one sentence.
pub(super) fn outcome(report: &Report) -> String {
    let counts = &report.run.counts;
    let head = match report.run.status {
        RunStatus::Running => "The run is going on: ",
        RunStatus::CutOff => "The run was cut off: ",
        RunStatus::Ended => "",
    };
    let has = match (counts.entities, counts.good()) {
        (0, _) => "no entity was in it".to_owned(),
        (1, 0) => "its entity does not have the image".to_owned(),
        (1, _) => "its entity has the image".to_owned(),
        (all, good) if all == good => format!("all {all} entities have the image"),
        (all, good) => format!("{good} of {all} entities have the image"),
    };
    let parts = parts(counts);
    let detail = match parts.is_empty() {
        true => String::new(),
        false => format!(" ({})", parts.join(", ")),
    };
    let mut sentence = format!("{head}{has}{detail}.");
    // All of these begin with a letter or a digit of ASCII.
    if let Some(first) = sentence.get_mut(..1) {
        first.make_ascii_uppercase();
    }
    sentence
}

/// `17 delivered and proven`, `2 delivered, not proven`, …: what there is any of.
pub(super) fn parts(counts: &Counts) -> Vec<String> {
    let proven = counts.delivered - counts.delivered_unproven;
    [
        (counts.upgraded, "upgraded"),
        (proven, "delivered and proven"),
        (
            counts.delivered_unproven,
            "delivered without proof of the content",
        ),
        (counts.skipped, "had it before"),
        (counts.failed, "failed"),
        (counts.rolled_back, "rolled back"),
        (counts.cancelled, "cancelled"),
        (counts.unfinished, "not finished"),
    ]
    .into_iter()
    .filter(|(many, _)| *many > 0)
    .map(|(many, what)| format!("{many} {what}"))
    .collect()
}

pub(super) fn tone(report: &Report) -> Tone {
    let counts = &report.run.counts;
    match (counts.failed + counts.rolled_back, report.run.status) {
        (1.., _) | (_, RunStatus::CutOff) => Tone::Bad,
        (0, RunStatus::Running) => Tone::Look,
        (0, RunStatus::Ended) if counts.cancelled + counts.unfinished > 0 => Tone::Look,
        (0, RunStatus::Ended) if counts.delivered_unproven > 0 => Tone::Look,
        (0, RunStatus::Ended) => Tone::Good,
    }
}

pub(super) fn tone_of(one: &Entity) -> Tone {
    match one.row.standing() {
        _ if one.failed() => Tone::Bad,
        Standing::Unproven => Tone::Look,
        Standing::In(state) if state.is_success() => Tone::Good,
        Standing::In(_) => Tone::Look,
    }
}

/// How its copy was looked at; `None`: nothing was sent to it, or it is not there yet.
pub(super) fn verified(one: &Entity) -> Option<&'static str> {
    one.row.copied.verified.as_ref()?;
    Some(match one.row.verified() {
        Verified::Digest => "its own digest",
        Verified::Readback => "read back",
        Verified::Size => "size alone",
        Verified::None => "not checked",
    })
}

/// What it holds now.
pub(super) fn holds(report: &Report, one: &Entity) -> &'static str {
    match one.row.holds {
        Some(holds) => holds.words(),
        None if one.row.state.is_success() => Holds::New.words(),
        None if report.goes_on() => "it is not known yet what it holds: the run goes on",
        None => Holds::Unknown.words(),
    }
}

/// `send: the server said 552 …`: at which step, and why.
pub(super) fn cause(one: &Entity) -> Option<String> {
    let cause = one.row.cause.as_deref()?;
    Some(match one.row.step_of_cause() {
        Some(step) => format!("{step}: {cause}"),
        None => cause.to_owned(),
    })
}

/// `2026-11-28 03:12:05 +01:00`.
pub(super) fn moment(at: Timestamp, zone: &TimeZone) -> String {
    let local = at.to_zoned(zone.clone());
    local.strftime("%Y-%m-%d %H:%M:%S %:z").to_string()
}

/// How long the run took, or that it is not over.
pub(super) fn duration(report: &Report) -> String {
    match (report.took(), report.run.status) {
        (Some(took), _) => units::long(took),
        (None, RunStatus::Running) => "it is going on".into(),
        (None, _) => "not known: its process ended before it could say".into(),
    }
}

/// `adsl-2.4, version 2.4`.
pub(super) fn image(group: &Group) -> String {
    let row = &group.row;
    let mut text = row.image.clone();
    if !row.version.is_empty() {
        text += &format!(", version {}", row.version);
    }
    if let Some(size) = row.size {
        text += &format!(", {}", units::size(size));
    }
    text
}

/// Where it was read from, each source once.
pub(super) fn sources(group: &Group) -> Vec<&str> {
    let mut sources: Vec<&str> = Vec::new();
    for pass in &group.row.passes {
        if !sources.contains(&&*pass.source) {
            sources.push(&pass.source);
        }
    }
    if sources.is_empty() {
        sources.push(&group.row.source);
    }
    sources
}

/// `544 MiB delivered from 32 MiB read; the pools held at most 7 MiB of 8 MiB`.
pub(super) fn amounts(report: &Report) -> Option<String> {
    let amounts = &report.run.amounts;
    let (peak, read, delivered) = (
        amounts.peak_pool_bytes?,
        amounts.source_bytes?,
        amounts.delivered_bytes?,
    );
    let [peak, memory, read, delivered] = [peak, amounts.memory, read, delivered].map(units::size);
    Some(format!(
        "{delivered} delivered from {read} read; the pools held at most {peak} of {memory}"
    ))
}

/// What the reader has to know before believing any of it.
pub(super) fn doubts(report: &Report) -> Vec<String> {
    let mut doubts = Vec::new();
    if report.goes_on() {
        let at = moment(report.made.at, &report.made.zone);
        doubts.push(format!(
            "The run goes on: this is how it stood at {at}, and figures of its course may be half a minute older."
        ));
    }
    if report.run.status == RunStatus::CutOff && report.run.practice {
        doubts.push(
            "Its process is gone before it was done, and the practice network with it.".into(),
        );
    } else if report.run.status == RunStatus::CutOff {
        let run = &report.run.run;
        doubts.push(format!(
            "Its process is gone before it was done. `subtend recover {run}` shows what each entity has, and takes it up \
             again."
        ));
    }
    if report.run.in_doubt {
        doubts.push(
            "The journal could not be written when the process ended: records are missing here."
                .into(),
        );
    }
    doubts
}

/// What happened to a group on its way beside its entities: another source, waves, pauses; each with its time. How
/// deep its pool was is in the plots.
pub(super) fn notes(group: &Group, zone: &TimeZone) -> Vec<(String, String)> {
    let notes = group.row.notes.iter().filter(|note| note.kind != "depth");
    notes
        .map(|note| (moment(note.at, zone), note.in_words(zone)))
        .collect()
}
