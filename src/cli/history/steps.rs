//! The steps of procedures for people: what was done, how it ended, how long it took, and what the device said.

use std::time::Duration;

use jiff::tz::TimeZone;

use super::text::clock;
use crate::cli::args::HistoryArgs;
use crate::journal::{EntityRow, StepRow};
use crate::model::columns::{width, wrap};
use crate::model::text::{escaped, shown};
use crate::model::units;

/// Which steps are shown.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Steps {
    /// Of those that did not get where they were to, without what was said.
    Short,
    /// The same with what was said.
    OfTroubled,
    /// All of them, with what was said.
    All,
}

impl Steps {
    pub(super) fn of(args: &HistoryArgs) -> Self {
        match args.transcript {
            true => Self::All,
            false => Self::Short,
        }
    }
}

/// The steps of an entity, those of entities that got there in one line unless `steps` wants them all.
pub(super) fn lines(
    one: &EntityRow,
    steps: Steps,
    zone: &TimeZone,
    columns: usize,
    lines: &mut Vec<String>,
) {
    if steps == Steps::All || !one.state.is_success() {
        every(one, steps, zone, columns, lines);
    }
}

/// All of them, whatever became of it.
pub(super) fn every(
    one: &EntityRow,
    steps: Steps,
    zone: &TimeZone,
    columns: usize,
    lines: &mut Vec<String>,
) {
    for step in &one.steps {
        let text = format!("{} {}", clock(step.at, zone), in_words(step));
        lines.extend(wrap(&text, 6, columns));
        let said = step.said.as_deref().filter(|_| steps != Steps::Short);
        for line in said.unwrap_or_default().lines() {
            let line = format!("{SAID}{}", escaped(line.trim_end()));
            // As it was said, where there is room: what stands in columns stays there.
            match width(&line) <= columns {
                true => lines.push(line),
                false => lines.extend(wrap(&line, SAID.len(), columns)),
            }
        }
    }
}

/// Before what a device said.
const SAID: &str = "          ";

/// `activate 2: restart: done in 42 s`.
fn in_words(step: &StepRow) -> String {
    let (part, what) = (shown(&step.part), shown(&step.what));
    let number = step.number.saturating_add(1);
    let how = match (&step.outcome, step.ended) {
        (Some(outcome), Some(ended)) => {
            let took = Duration::try_from(ended.duration_since(step.at)).unwrap_or_default();
            format!("{} in {}", shown(outcome), units::duration(took))
        }
        (Some(outcome), None) => shown(outcome),
        (None, _) => "begun, and nothing is known of its end".into(),
    };
    format!("{part} {number}: {what}: {how}")
}
