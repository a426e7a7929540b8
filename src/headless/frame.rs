//! What the screen shows: a snapshot as lines that fit a width and a height. Pure.
//!
//! Every state is shown by a word; a tone only helps the eye. Where rows are short, entities that
//! run or failed stay and the rest is counted; where columns are short, the gauge goes first, then
//! rate and lag.

use crate::model::text::shown;
use crate::model::{Bottleneck, EntityState, Standing, Verified, units};
use crate::protocol::{EntitySnapshot, GroupPhase, GroupSnapshot, Snapshot};

use super::text::{count, cut, fit, width};

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

/// The room there is.
#[derive(Debug, Clone, Copy)]
pub(super) struct Room {
    pub(super) columns: usize,
    pub(super) rows: usize,
    pub(super) utf8: bool,
}

/// The snapshot as at most `rows` lines of at most `columns` cells; `note` is the last one.
pub(super) fn frame(snapshot: &Snapshot, note: Option<&str>, room: Room) -> Vec<Line> {
    let rows = room.rows.saturating_sub(usize::from(note.is_some()));
    let mut lines = Vec::new();
    if snapshot.groups.len() > rows {
        many_groups(snapshot, rows, room, &mut lines);
    } else {
        let shares = shares(&snapshot.groups, rows - snapshot.groups.len());
        for (group, share) in snapshot.groups.iter().zip(shares) {
            lines.push(header(group, room));
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
fn many_groups(snapshot: &Snapshot, rows: usize, room: Room, lines: &mut Vec<Line>) {
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

/// One part of a header: what it is worth where columns are short (the highest number goes first),
/// the blanks before it, and its text.
struct Part(u8, &'static str, String);

fn header(group: &GroupSnapshot, room: Room) -> Line {
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
            match &group.bottleneck {
                Bottleneck::None => {}
                Bottleneck::Entity(name) => {
                    parts.push(Part(5, GAP, format!("limited by {}", shown(name))));
                }
                other => parts.push(Part(5, GAP, format!("limited by {other}"))),
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

fn phase(group: &GroupSnapshot) -> &'static str {
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
            EntityState::Skipped | EntityState::Failed | EntityState::Cancelled => None,
            EntityState::Delivered => Some(1.0),
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

/// Those that failed or run are worth a row before those that wait or are done.
fn rank(entity: &EntitySnapshot) -> usize {
    match entity.state {
        EntityState::Failed => 0,
        EntityState::Retrying => 1,
        EntityState::Connecting
        | EntityState::Sending
        | EntityState::CatchingUp
        | EntityState::Confirming
        | EntityState::Verifying => 2,
        EntityState::Cancelled => 3,
        EntityState::Waiting => 4,
        EntityState::Delivered => 5,
        EntityState::Skipped => 6,
    }
}

fn entities(group: &GroupSnapshot, rows: usize, room: Room, lines: &mut Vec<Line>) {
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
fn more(states: &[&'static str], what: &str, room: Room) -> Line {
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

/// The columns of one group's entities.
struct Columns {
    name: usize,
    gauge: usize,
    rate: bool,
    lag: bool,
    /// What is left for the cause of a failure.
    detail: usize,
    utf8: bool,
}

/// `catching-up` is the longest.
const STATE: usize = 11;
/// `1023.9 KiB/s` is the longest.
const RATE: usize = 12;

impl Columns {
    fn new(group: &GroupSnapshot, room: Room) -> Self {
        let longest = group
            .entities
            .iter()
            .map(|entity| width(&shown(&entity.entity)))
            .max();
        let name = longest.unwrap_or(0).min((room.columns / 3).max(8));
        // Two blanks, the name, percent, state, and two blanks between each.
        let taken = 2 + name + 2 + 5 + 2 + STATE + 2;
        let detail = room.columns.saturating_sub(taken);
        Self {
            name,
            gauge: detail.saturating_sub(RATE + 2 + 10).min(24) / 4 * 4,
            rate: detail >= RATE,
            lag: detail >= RATE + 2 + 7,
            detail,
            utf8: room.utf8,
        }
    }

    fn line(&self, group: &GroupSnapshot, entity: &EntitySnapshot) -> Line {
        let size = group.size.filter(|size| *size > 0);
        let part = match entity.state {
            EntityState::Delivered => Some(1.0),
            EntityState::Skipped | EntityState::Waiting => None,
            _ => size.map(|size| (entity.sent as f64 / size as f64).min(1.0)),
        };
        let name = fit(&shown(&entity.entity), self.name, self.utf8);
        let state = fit(entity.standing().as_str(), STATE, self.utf8);
        let detail = cut(&self.detail(group, entity, part), self.detail, self.utf8);
        Line {
            text: format!("  {name}  {}  {state}  {detail}", percent(part)),
            tone: match entity.standing() {
                Standing::In(EntityState::Failed | EntityState::Cancelled) => Tone::Bad,
                Standing::In(EntityState::Retrying | EntityState::CatchingUp) => Tone::Watch,
                Standing::Unproven => Tone::Watch,
                Standing::In(EntityState::Delivered) => Tone::Good,
                Standing::In(_) => Tone::Plain,
            },
        }
    }

    fn detail(&self, group: &GroupSnapshot, entity: &EntitySnapshot, part: Option<f64>) -> String {
        match entity.state {
            EntityState::Sending | EntityState::CatchingUp => {
                let mut parts = Vec::new();
                if self.gauge > 0 {
                    parts.push(gauge(part.unwrap_or(0.0), self.gauge, self.utf8));
                }
                if self.rate {
                    parts.push(format!("{:>RATE$}", units::rate(entity.rate)));
                }
                if self.lag {
                    parts.push(format!("lag {}", entity.lag));
                }
                parts.join("  ")
            }
            EntityState::Connecting => entity.step.map_or_else(String::new, |s| s.to_string()),
            EntityState::Failed | EntityState::Retrying | EntityState::Cancelled => why(entity),
            EntityState::Delivered => {
                let time = units::duration(seconds(entity.seconds));
                match entity.standing() {
                    Standing::Unproven => {
                        format!("{time}, delivered, {}", verified(entity.verified))
                    }
                    Standing::In(_) => format!("{time}, {}", verified(entity.verified)),
                }
            }
            EntityState::Skipped => match &entity.cause {
                Some(cause) => shown(cause),
                None => format!("already has {}", shown(&group.version)),
            },
            EntityState::Waiting | EntityState::Confirming | EntityState::Verifying => {
                String::new()
            }
        }
    }
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

fn why(entity: &EntitySnapshot) -> String {
    let Some(cause) = &entity.cause else {
        return String::new();
    };
    let mut text = match entity.step {
        Some(step) => format!("{step}: {}", shown(cause)),
        None => shown(cause),
    };
    if entity.attempt > 1 {
        text = format!("attempt {}, {text}", entity.attempt);
    }
    text
}

fn gauge(part: f64, cells: usize, utf8: bool) -> String {
    let full = ((part * cells as f64) as usize).min(cells);
    let (on, off) = if utf8 { ("━", "·") } else { ("=", ".") };
    format!("{}{}", on.repeat(full), off.repeat(cells - full))
}
