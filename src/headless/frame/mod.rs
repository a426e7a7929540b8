//! What the screen shows: a snapshot as lines that fit a width and a height. Pure.
//!
//! Every state is shown by a word; a tone only helps the eye. Where rows are short, entities that
//! run or failed stay and the rest is counted; where columns are short, the gauge goes first, then
//! rate and lag.

mod campaign;
mod columns;
mod header;

use jiff::Timestamp;
use jiff::tz::TimeZone;

use crate::model::EntityState;
use crate::protocol::{EntitySnapshot, GroupPhase, GroupSnapshot, Snapshot};

use super::text::{count, cut};
use super::words::{phase, tally};
use columns::Columns;
use header::header;

/// How a line is meant.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Tone {
    Plain,
    Head,
    Good,
    Watch,
    Bad,
}

/// One line, free of control characters.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Line {
    pub(super) text: String,
    pub(super) tone: Tone,
}

/// The room there is, and how late it is for its reader.
#[derive(Debug, Clone, Copy)]
pub(super) struct Room<'a> {
    pub(super) columns: usize,
    pub(super) rows: usize,
    pub(super) utf8: bool,
    pub(super) now: Timestamp,
    pub(super) zone: &'a TimeZone,
}

/// The snapshot as at most `rows` lines of at most `columns` cells; `note` is the last one.
pub(super) fn frame(snapshot: &Snapshot, note: Option<&str>, room: Room<'_>) -> Vec<Line> {
    let rows = room.rows.saturating_sub(usize::from(note.is_some()));
    let mut lines = Vec::new();
    if snapshot.groups.len() > rows {
        many_groups(snapshot, rows, room, &mut lines);
    } else {
        let mut left = rows - snapshot.groups.len();
        let heads = snapshot.groups.iter().map(|group| {
            // Where not even these fit, headers say that a group is held.
            let more = Some(campaign::lines(group, room)).filter(|lines| lines.len() <= left);
            let more = more.unwrap_or_default();
            left -= more.len();
            more
        });
        let heads: Vec<Vec<Line>> = heads.collect();
        let shares = shares(&snapshot.groups, left);
        for ((group, head), share) in snapshot.groups.iter().zip(heads).zip(shares) {
            lines.push(header(group, room));
            lines.extend(head);
            entities(group, share, room, &mut lines);
        }
    }
    lines.extend(note.map(|note| Line {
        text: note.to_owned(),
        tone: Tone::Head,
    }));
    for line in &mut lines {
        line.text = cut(line.text.trim_end(), room.columns, room.utf8);
    }
    lines.truncate(room.rows);
    lines
}

/// Not even the headers fit: those that run first, the rest counted.
fn many_groups(snapshot: &Snapshot, rows: usize, room: Room<'_>, lines: &mut Vec<Line>) {
    let Some(rows) = rows.checked_sub(1) else {
        return;
    };
    let keep = chosen(&snapshot.groups, rows, |group| {
        usize::from(has_ended(group))
    });
    let mut left = Vec::new();
    for (group, keep) in snapshot.groups.iter().zip(keep) {
        if keep {
            lines.push(header(group, room));
        } else {
            left.push(phase(group));
        }
    }
    lines.push(more(&left, "group", room));
}

fn has_ended(group: &GroupSnapshot) -> bool {
    matches!(group.phase, GroupPhase::Ended(_))
}

/// The number of rows of entities per group: one each in turn, groups that run before those that ended.
fn shares<G: AsRef<GroupSnapshot>>(groups: &[G], mut rows: usize) -> Vec<usize> {
    let mut shares = vec![0; groups.len()];
    for ended in [false, true] {
        loop {
            let before = rows;
            for (group, share) in groups.iter().zip(&mut shares) {
                let group = group.as_ref();
                if rows > 0 && has_ended(group) == ended && *share < group.entities.len() {
                    *share += 1;
                    rows -= 1;
                }
            }
            if rows == before {
                break;
            }
        }
    }
    shares
}

/// Which of the items are kept: the best ranks, and among equals the first.
fn chosen<T>(items: &[T], room: usize, rank: impl Fn(&T) -> usize) -> Vec<bool> {
    let mut order: Vec<usize> = (0..items.len()).collect();
    order.sort_by_key(|&at| rank(&items[at]));
    let mut keep = vec![false; items.len()];
    for &at in order.iter().take(room) {
        keep[at] = true;
    }
    keep
}

/// Those that failed or run are worth a row before those that wait or are done.
fn rank(entity: &EntitySnapshot) -> usize {
    match entity.state {
        EntityState::Failed | EntityState::RolledBack => 0,
        EntityState::Retrying | EntityState::Offline => 1,
        EntityState::Connecting
        | EntityState::Preparing
        | EntityState::Activating
        | EntityState::Restarting
        | EntityState::Checking
        | EntityState::Sending
        | EntityState::Fetching
        | EntityState::CatchingUp
        | EntityState::Confirming
        | EntityState::Verifying => 2,
        EntityState::Cancelled => 3,
        EntityState::Waiting => 4,
        EntityState::Delivered | EntityState::Upgraded => 5,
        EntityState::Skipped => 6,
    }
}

fn entities(group: &GroupSnapshot, rows: usize, room: Room<'_>, lines: &mut Vec<Line>) {
    // One row is kept for counting those that have none.
    let fits = rows >= group.entities.len();
    let keep = chosen(
        &group.entities,
        if fits { rows } else { rows.saturating_sub(1) },
        rank,
    );
    let columns = Columns::new(group, room);
    let mut left = Vec::new();
    for (entity, keep) in group.entities.iter().zip(keep) {
        if keep {
            lines.push(columns.line(group, entity));
        } else {
            left.push(entity.standing().as_str());
        }
    }
    if !fits && rows > 0 {
        let Line { text, tone } = more(&left, "", room);
        let text = format!("  {text}");
        lines.push(Line { text, tone });
    }
}

/// `… 12 more: 8 waiting, 4 delivered`, the most frequent first.
fn more(states: &[&'static str], what: &str, room: Room<'_>) -> Line {
    let dots = if room.utf8 { "…" } else { "..." };
    let number = match what {
        "" => states.len().to_string(),
        what => count(states.len(), what),
    };
    Line {
        text: format!("{dots} {number} more: {}", tally(states)),
        tone: Tone::Plain,
    }
}
