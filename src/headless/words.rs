//! What all ways of showing a run say in the same words.

use crate::model::text::shown;
use crate::model::{Bottleneck, Verified, units};
use crate::protocol::{GroupPhase, GroupSnapshot};

pub(super) fn phase(group: &GroupSnapshot) -> &'static str {
    match group.phase {
        GroupPhase::Starting => "starting",
        GroupPhase::Transferring => "transferring",
        GroupPhase::Draining => "draining",
        GroupPhase::Ended(_) => "ended",
    }
}

/// How much of the work is done, from 0 to 1: over the entities that still take part.
pub(super) fn done(group: &GroupSnapshot) -> Option<f64> {
    let size = group.size.filter(|size| *size > 0)?;
    let parts: Vec<f64> = group
        .entities
        .iter()
        .filter_map(|entity| match entity.state {
            state if state.has_image() => Some(1.0),
            state if state.is_final() => None,
            _ => Some((entity.sent as f64 / size as f64).min(1.0)),
        })
        .collect();
    (!parts.is_empty()).then(|| parts.iter().sum::<f64>() / parts.len() as f64)
}

/// `17 s left`, in whole seconds.
pub(super) fn left(group: &GroupSnapshot) -> Option<String> {
    let left = seconds(group.time_left?.ceil().max(1.0));
    Some(format!("{} left", units::duration(left)))
}

/// Rounded down, so that 100 % means all of it.
pub(super) fn percent(part: Option<f64>) -> String {
    match part {
        // The small addend makes up for figures like 0.29 * 100 = 28.999….
        Some(part) => format!("{:>3.0} %", (part * 100.0 + 1e-9).floor()),
        None => "  - %".into(),
    }
}

pub(super) fn seconds(seconds: f64) -> std::time::Duration {
    std::time::Duration::try_from_secs_f64(seconds).unwrap_or_default()
}

/// `limited by the source`, where it is known what the group waits for.
pub(super) fn limited(group: &GroupSnapshot) -> Option<String> {
    match &group.bottleneck {
        Bottleneck::None => None,
        Bottleneck::Cap(on) => Some(format!("held by cap on {}", shown(&on.in_words()))),
        Bottleneck::Entity(name) => Some(format!("limited by {}", shown(name))),
        other => Some(format!("limited by {other}")),
    }
}

/// `8 waiting, 4 delivered`: each word with how often it occurs, the most frequent first.
pub(super) fn tally(words: &[&'static str]) -> String {
    let mut counts: Vec<(&str, usize)> = Vec::new();
    for word in words {
        match counts.iter_mut().find(|(known, _)| known == word) {
            Some((_, number)) => *number += 1,
            None => counts.push((word, 1)),
        }
    }
    counts.sort_by_key(|(_, number)| std::cmp::Reverse(*number));
    let parts: Vec<String> = counts
        .iter()
        .map(|(word, n)| format!("{n} {word}"))
        .collect();
    parts.join(", ")
}

/// How a copy was checked, in words.
pub(super) fn verified(verified: Verified) -> &'static str {
    match verified {
        Verified::Digest => "verified by digest",
        Verified::Readback => "verified by reading back",
        Verified::Size => "by size alone",
        Verified::None => "not checked",
    }
}
