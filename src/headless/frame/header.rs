//! The line of one group: what fits of it, the most important first.

use super::super::text::width;
use super::super::words::{done, left, limited, percent, seconds};
use super::{Line, Room, Tone};
use crate::model::text::shown;
use crate::model::units;
use crate::protocol::{GroupPhase, GroupSnapshot};

/// One part of a header: what it is worth where columns are short (the highest number goes first),
/// the blanks before it, and its text.
struct Part(u8, &'static str, String);

pub(super) fn header(group: &GroupSnapshot, room: Room<'_>) -> Line {
    const GAP: &str = "  ";
    let mut parts = vec![
        Part(0, "", shown(&group.group)),
        Part(
            3,
            GAP,
            format!("{} from {}", shown(&group.image), shown(&group.source)),
        ),
    ];
    match group.phase {
        GroupPhase::Ended(outcome) => {
            parts.push(Part(1, GAP, outcome.to_string()));
            parts.push(Part(4, GAP, units::duration(seconds(group.seconds))));
        }
        _ if group.is_at_rest() => {
            let campaign = group.campaign.as_ref();
            let word = campaign.and_then(|one| one.word(room.now, room.zone));
            parts.push(Part(1, GAP, word.unwrap_or_default()));
        }
        GroupPhase::Starting => parts.push(Part(1, GAP, "starting".into())),
        GroupPhase::Transferring | GroupPhase::Draining => {
            parts.push(Part(1, GAP, percent(done(group)).trim_start().to_owned()));
            if group.phase == GroupPhase::Draining {
                parts.push(Part(2, GAP, "draining".into()));
            } else {
                parts.push(Part(2, GAP, units::rate(group.rate)));
            }
            if let Some(left) = left(group) {
                parts.push(Part(6, GAP, left));
            }
            let times = if room.utf8 { "×" } else { "x" };
            let buffer = units::size(group.buffer_size);
            parts.push(Part(4, GAP, format!("pool {}/{}", group.used, group.depth)));
            parts.push(Part(7, " ", format!("{times} {buffer}")));
            if let Some(limited) = limited(group) {
                parts.push(Part(5, GAP, limited));
            }
            if let Some(reason) = &group.depth_reason {
                parts.push(Part(8, GAP, format!("({})", shown(reason))));
            }
        }
    }
    // The least important parts go until the rest fits.
    while parts.len() > 1 {
        let wide: usize = parts
            .iter()
            .map(|Part(_, gap, text)| gap.len() + width(text))
            .sum();
        if wide <= room.columns {
            break;
        }
        let least = parts.iter().map(|Part(worth, ..)| *worth).max();
        parts.retain(|Part(worth, ..)| Some(*worth) != least);
    }
    Line {
        text: parts
            .iter()
            .flat_map(|Part(_, gap, text)| [gap, text.as_str()])
            .collect(),
        tone: Tone::Head,
    }
}
