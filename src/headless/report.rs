//! The summary for people: what became of the run, and of every entity that was not delivered.
//!
//! Those that were delivered are counted by how their copy was checked; those that were not are each
//! named, with the step, the cause, what it holds now and what was left behind. Entities that share all of that share
//! a paragraph: 200 entities behind a file server that went away are one.

use jiff::tz::TimeZone;

use crate::model::text::shown;
use crate::model::{EntityState, Outcome, Standing, UNPROVEN_HINT, Verified, names, units};
use crate::protocol::{EntitySummary, GroupSummary, Summary};

use super::text::{count, wrap};
use super::waves;
use super::words::{seconds, verified};

/// The summary in lines of at most `columns` cells, with times of this host's zone.
pub fn report(summary: &Summary, columns: usize) -> String {
    report_in(summary, columns, &TimeZone::system())
}

pub(super) fn report_in(summary: &Summary, columns: usize, zone: &TimeZone) -> String {
    let mut lines = Vec::new();
    for one in &summary.groups {
        group(one, columns, &mut lines);
        if let Some(text) = waves::in_words(one, summary.at, zone) {
            lines.extend(wrap(&text, 2, columns));
        }
        lines.push(String::new());
    }
    lines.extend(wrap(&total(summary), 0, columns));
    lines.join("\n") + "\n"
}

fn total(summary: &Summary) -> String {
    let all = || summary.groups.iter().flat_map(|group| &group.entities);
    let upgrades =
        |one: &EntitySummary| matches!(one.state, EntityState::Upgraded | EntityState::RolledBack);
    let outcome = match (summary.outcome, all().any(upgrades)) {
        (Outcome::Delivered, true) if !all().any(|one| one.state == EntityState::Delivered) => {
            "upgraded"
        }
        (Outcome::Delivered, _) => "delivered",
        (Outcome::Partial, true) => "partial: some entities were not upgraded",
        (Outcome::Partial, false) => "partial: some entities were not delivered",
        (Outcome::Failed, true) => "failed: no entity was upgraded",
        (Outcome::Failed, false) => "failed: no entity was delivered",
        (Outcome::Cancelled, _) => "cancelled",
        (Outcome::Waiting, _) => "waiting: some entities have not begun, or are offline",
    };
    let unproven = match summary.delivered_unproven {
        0 => String::new(),
        many => format!(" ({} unproven)", count(many, "entity")),
    };
    let [read, delivered, peak, memory] = [
        summary.source_bytes,
        summary.delivered_bytes,
        summary.peak_pool_bytes,
        summary.memory,
    ]
    .map(units::size);
    let time = units::duration(seconds(summary.seconds));
    format!(
        "{outcome} - {delivered} delivered{unproven} from {read} read in {time}; pools held at most {peak} of \
         {memory} (run {})",
        shown(&summary.run)
    )
}

fn group(group: &GroupSummary, columns: usize, lines: &mut Vec<String>) {
    let [name, image, source] = [&*group.group, &*group.image, &*group.source].map(shown);
    lines.extend(wrap(&format!("{name}: {image} from {source}"), 0, columns));
    let mut facts = Vec::new();
    if let Some(size) = group.size {
        facts.push(format!("{} ({size} bytes)", units::size(size)));
    }
    facts.push(units::duration(seconds(group.seconds)));
    let passes = count(group.passes as usize, "pass");
    facts.push(format!(
        "read {} in {passes}",
        units::size(group.source_bytes)
    ));
    lines.extend(wrap(&facts.join(", "), 2, columns));
    if let Some(sha256) = &group.sha256 {
        lines.extend(wrap(&format!("sha256 {}", shown(sha256)), 2, columns));
    }
    lines.extend(wrap(&counts(group), 2, columns));
    skipped(group, columns, lines);
    unproven(group, columns, lines);
    for missing in missing(group) {
        missing.print(columns, lines);
    }
    leftovers(group, columns, lines);
}

/// Those with the same reason in one paragraph.
fn skipped(group: &GroupSummary, columns: usize, lines: &mut Vec<String>) {
    let mut reasons: Vec<(&str, Vec<String>)> = Vec::new();
    for entity in in_state(group, EntityState::Skipped) {
        let reason = entity
            .cause
            .as_deref()
            .unwrap_or("it has the image already");
        let name = shown(&entity.entity);
        match reasons.iter_mut().find(|(known, _)| *known == reason) {
            Some((_, names)) => names.push(name),
            None => reasons.push((reason, vec![name])),
        }
    }
    for (reason, names) in reasons {
        let names = names::compress(&names).join(", ");
        let text = format!("{names}: skipped, {}", shown(reason));
        lines.extend(wrap(&text, 2, columns));
    }
}

/// Those that were delivered without proof of their content, by name, and what can be done.
fn unproven(group: &GroupSummary, columns: usize, lines: &mut Vec<String>) {
    let unproven: Vec<String> = (group.entities.iter())
        .filter(|entity| entity.standing() == Standing::Unproven)
        .map(|entity| shown(&entity.entity))
        .collect();
    if !unproven.is_empty() {
        let names = names::compress(&unproven).join(", ");
        let text =
            format!("{names}: delivered, but nobody has looked at the content; {UNPROVEN_HINT}");
        lines.extend(wrap(&text, 2, columns));
    }
}

fn in_state(group: &GroupSummary, state: EntityState) -> impl Iterator<Item = &EntitySummary> {
    group
        .entities
        .iter()
        .filter(move |entity| entity.state == state)
}

/// `17 delivered (17 verified by digest), 2 delivered but unproven (2 by size alone), 1 failed`.
fn counts(group: &GroupSummary) -> String {
    let mut parts = Vec::new();
    let mut states: Vec<EntityState> = vec![
        EntityState::Upgraded,
        EntityState::Delivered,
        EntityState::Skipped,
        EntityState::RolledBack,
        EntityState::Failed,
        EntityState::Cancelled,
    ];
    // An engine that was torn down may leave others behind; they are reported, too.
    for entity in &group.entities {
        if !states.contains(&entity.state) {
            states.push(entity.state);
        }
    }
    for state in states {
        if state == EntityState::Delivered {
            for (proven, words) in [(true, "delivered"), (false, "delivered but unproven")] {
                let number = delivered(group, proven).count();
                if number > 0 {
                    parts.push(format!("{number} {words} ({})", checked(group, proven)));
                }
            }
            continue;
        }
        let number = in_state(group, state).count();
        if number > 0 {
            parts.push(format!("{number} {}", word(state)));
        }
    }
    if parts.is_empty() {
        parts.push("no entities".into());
    }
    parts.join(", ")
}

/// A state in a sentence.
fn word(state: EntityState) -> &'static str {
    match state {
        EntityState::RolledBack => "rolled back",
        state => state.as_str(),
    }
}

fn delivered(group: &GroupSummary, proven: bool) -> impl Iterator<Item = &EntitySummary> {
    let delivered = in_state(group, EntityState::Delivered);
    delivered.filter(move |entity| entity.verified.is_proof() == proven)
}

fn checked(group: &GroupSummary, proven: bool) -> String {
    let mut parts = Vec::new();
    for how in [
        Verified::Digest,
        Verified::Readback,
        Verified::Size,
        Verified::None,
    ] {
        let number = delivered(group, proven)
            .filter(|entity| entity.verified == how)
            .count();
        if number > 0 {
            parts.push(format!("{number} {}", verified(how)));
        }
    }
    let direct = delivered(group, proven)
        .filter(|entity| !entity.staged)
        .count();
    if direct > 0 {
        parts.push(format!("{direct} without a staging file"));
    }
    parts.join(", ")
}

/// Entities with the same fate.
struct Missing<'a> {
    like: &'a EntitySummary,
    names: Vec<String>,
}

fn missing(group: &GroupSummary) -> Vec<Missing<'_>> {
    let mut all: Vec<Missing<'_>> = Vec::new();
    for entity in &group.entities {
        if entity.state.is_success() {
            continue;
        }
        let fate = |e: &EntitySummary| {
            let texts = (e.cause.clone(), e.left.clone(), e.runs.clone());
            (e.state, e.step, e.attempts, e.holds, texts)
        };
        let name = shown(&entity.entity);
        match all
            .iter_mut()
            .find(|other| fate(other.like) == fate(entity))
        {
            Some(same) => same.names.push(name),
            None => all.push(Missing {
                like: entity,
                names: vec![name],
            }),
        }
    }
    all
}

impl Missing<'_> {
    fn print(&self, columns: usize, lines: &mut Vec<String>) {
        let entity = self.like;
        let mut head = format!(
            "{}: {}",
            names::compress(&self.names).join(", "),
            word(entity.state)
        );
        // The cause of one that was made to run its previous image again names the step itself.
        let step = entity
            .step
            .filter(|_| entity.state != EntityState::RolledBack);
        if let Some(step) = step {
            head += &format!(" at {step}");
        }
        if let Some(runs) = &entity.runs {
            head += &format!(", runs {}", shown(runs));
        }
        head += &format!(", {}", count(entity.attempts as usize, "attempt"));
        lines.extend(wrap(&head, 2, columns));
        if let Some(cause) = &entity.cause {
            lines.extend(wrap(&shown(cause), 6, columns));
        }
        if let Some(holds) = entity.holds {
            lines.extend(wrap(holds.words(), 6, columns));
        }
        if let Some(left) = &entity.left {
            let left = format!("left behind on the entity, remove it: {}", shown(left));
            lines.extend(wrap(&left, 6, columns));
        }
    }
}

/// Staging files of entities that were delivered all the same (read back under another name, say).
fn leftovers(group: &GroupSummary, columns: usize, lines: &mut Vec<String>) {
    let upgraded = in_state(group, EntityState::Upgraded);
    for entity in in_state(group, EntityState::Delivered).chain(upgraded) {
        if let Some(left) = &entity.left {
            let (name, left) = (shown(&entity.entity), shown(left));
            lines.extend(wrap(
                &format!("{name}: left behind, remove it: {left}"),
                2,
                columns,
            ));
        }
    }
}
