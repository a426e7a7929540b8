//! How a group is gone through: its waves on a line, and why nobody begins, below its header.

use super::super::text::{cut, wrap};
use super::{Line, Room, Tone};
use crate::protocol::{GroupSnapshot, Mark, PauseReason, STEP_GAP};

/// Lines of at most the room's columns; none where all entities begin at once.
pub(super) fn lines(group: &GroupSnapshot, room: Room<'_>) -> Vec<Line> {
    let Some(campaign) = &group.campaign else {
        return Vec::new();
    };
    let mut lines = Vec::new();
    if campaign.waves.len() > 1 {
        const LABEL: &str = "  waves  ";
        let steps = campaign.steps(room.columns.saturating_sub(LABEL.len()));
        let steps = steps
            .iter()
            .map(|step| sign(step.mark, room.utf8).to_owned() + &step.text);
        let text = LABEL.to_owned() + &steps.collect::<Vec<_>>().join(&" ".repeat(STEP_GAP));
        lines.push(Line {
            text,
            tone: Tone::Plain,
        });
    }
    let held = campaign.held_in_words(room.now, room.zone);
    if let Some(held) = held.filter(|_| !group.phase.is_ended()) {
        let tone = match campaign.pause() {
            Some(PauseReason::Failures { .. } | PauseReason::WaveFailed { .. }) => Tone::Bad,
            _ => Tone::Watch,
        };
        let line = |text| Line { text, tone };
        let mut wrapped = wrap(&held, 2, room.columns);
        if wrapped.len() > MOST {
            let rest = wrapped.split_off(MOST - 1);
            let rest: Vec<&str> = rest.iter().map(|line| line.trim_start()).collect();
            let rest = format!("  {}", rest.join(" "));
            wrapped.push(cut(&rest, room.columns, room.utf8));
        }
        lines.extend(wrapped.into_iter().map(line));
    }
    lines
}

/// Lines of why nobody begins.
const MOST: usize = 2;

fn sign(mark: Mark, utf8: bool) -> &'static str {
    match (mark, utf8) {
        (Mark::Next, true) => "·",
        (Mark::Next, false) => ".",
        (Mark::Good, true) => "✓",
        (Mark::Good, false) => "#",
        (Mark::Now, true) => "▸",
        (Mark::Now, false) => ">",
        (Mark::Look, _) => "!",
        (Mark::Failed, _) => "X",
    }
}
