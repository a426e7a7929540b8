//! The log page: the newest lines, by level, target and entity; the log file has all of them.

mod lines;
#[cfg(test)]
mod tests;

use std::collections::{BTreeMap, BTreeSet, VecDeque};

use ratatui::Frame;
use ratatui::layout::Rect;
use ratatui::text::Line;
use tracing::Level;

use crate::console::action::Action;
use crate::console::dialogs::{Answer, Dialog, Intent, Row};
use crate::console::effect::Effect;
use crate::console::state::{Page, State};
use crate::console::theme::{Theme, Tone};
use crate::console::widgets::fit::{cut, plain};
use crate::link::Snapshot;
use crate::model::text::quoted;
use crate::model::{columns, units};

pub use lines::{LogLine, LogLines};

/// So many lines can be paged through.
const KEPT: usize = 5000;
/// Rows above the lines.
const HEAD: usize = 2;

const LEVELS: [Level; 5] = [
    Level::ERROR,
    Level::WARN,
    Level::INFO,
    Level::DEBUG,
    Level::TRACE,
];

#[derive(Debug)]
pub(crate) struct View {
    lines: VecDeque<LogLine>,
    /// The number of the first line that is kept, counted from the beginning of the session.
    first: usize,
    /// What is no less grave is shown.
    level: Level,
    /// Every target that was seen, and whether it is shown.
    targets: BTreeMap<String, bool>,
    /// Only lines that name this entity.
    entity: Option<String>,
    /// The number of the lowest line on the screen; `None` follows the newest.
    bottom: Option<usize>,
}

impl Default for View {
    fn default() -> Self {
        Self {
            lines: VecDeque::new(),
            first: 0,
            level: Level::INFO,
            targets: BTreeMap::new(),
            entity: None,
            bottom: None,
        }
    }
}

/// What this page asks in dialogs.
#[derive(Debug, Clone, PartialEq)]
pub(crate) enum Asked {
    Targets,
    Entity,
}

/// Lines came: called by the loop. Whether the screen has to be drawn for them.
pub(crate) fn observe(state: &mut State, lines: Vec<LogLine>) -> bool {
    let view = &mut state.log;
    let mut changed = false;
    for line in lines {
        if !view.targets.contains_key(&line.target) {
            view.targets.insert(line.target.clone(), true);
        }
        changed |= view.shows(&line);
        if view.lines.len() == KEPT {
            view.lines.pop_front();
            view.first += 1;
        }
        view.lines.push_back(line);
    }
    changed && state.page == Page::Log && view.bottom.is_none()
}

impl View {
    fn shows(&self, line: &LogLine) -> bool {
        // `tracing` orders levels by how much they show: an error is the least.
        line.level <= self.level
            && self.targets.get(&line.target).copied().unwrap_or(true)
            && (self.entity.as_deref()).is_none_or(|entity| names(&line.text, entity))
    }

    /// The numbers of the lines that are shown, oldest first.
    fn shown(&self) -> Vec<usize> {
        let lines = self.lines.iter().zip(self.first..);
        lines
            .filter(|(line, _)| self.shows(line))
            .map(|(_, number)| number)
            .collect()
    }

    fn line(&self, number: usize) -> Option<&LogLine> {
        self.lines.get(number.checked_sub(self.first)?)
    }

    /// The place in `shown` of the lowest line.
    fn lowest(&self, shown: &[usize]) -> usize {
        let last = shown.len().saturating_sub(1);
        match self.bottom {
            Some(bottom) => shown.partition_point(|number| *number <= bottom).max(1) - 1,
            None => last,
        }
        .min(last)
    }
}

/// Whether a text names an entity: `shelf1-1` is not in `shelf1-10`.
fn names(text: &str, entity: &str) -> bool {
    let part = |c: char| c.is_alphanumeric() || c == '-' || c == '_';
    text.match_indices(entity)
        .any(|(at, _)| !text[..at].ends_with(part) && !text[at + entity.len()..].starts_with(part))
}

pub(crate) fn update(state: &mut State, _snapshot: &Snapshot, action: Action) -> Option<Effect> {
    match action {
        Action::Back => state.page = Page::Watch,
        Action::LogMore | Action::Right => level(state, 1),
        Action::LogLess | Action::Left => level(state, -1),
        Action::LogTargets => targets(state, 0),
        Action::LogEntity => {
            let now = state.log.entity.clone().unwrap_or_default();
            let title = "Only the lines of which entity? (empty: all)";
            let intent = Intent::Log(Asked::Entity);
            (state.dialogs).push(Dialog::text(title, &now, intent));
        }
        action => scroll(state, &action),
    }
    None
}

fn level(state: &mut State, by: isize) {
    let at = LEVELS.iter().position(|level| *level == state.log.level);
    let at = at
        .unwrap_or(2)
        .saturating_add_signed(by)
        .min(LEVELS.len() - 1);
    state.log.level = LEVELS[at];
}

/// Asks again after each choice, until it is closed.
fn targets(state: &mut State, cursor: usize) {
    let word = |shown: bool| if shown { "shown" } else { "hidden" };
    let mut counts: BTreeMap<&str, usize> = BTreeMap::new();
    for line in &state.log.lines {
        *counts.entry(&line.target).or_default() += 1;
    }
    let mut rows = vec![Row {
        label: "all of them".into(),
        detail: "show or hide".into(),
        value: String::new(),
    }];
    rows.extend(state.log.targets.iter().map(|(target, shown)| {
        let count = counts.get(target.as_str()).copied().unwrap_or(0);
        Row {
            label: target.clone(),
            detail: format!("{}, {}", word(*shown), columns::count(count, "line")),
            value: target.clone(),
        }
    }));
    let len = rows.len();
    let mut dialog = Dialog::list(
        "Targets: Enter shows or hides",
        rows,
        Intent::Log(Asked::Targets),
    );
    let visible = crate::console::dialogs::list_rows(state);
    if let Dialog::List { scroll, .. } = &mut dialog {
        scroll.to(cursor, len, visible);
    }
    state.dialogs.push(dialog);
}

pub(crate) fn answered(state: &mut State, asked: Asked, answer: Answer) -> Option<Effect> {
    match (asked, answer) {
        (Asked::Targets, Answer::Chosen(target)) => {
            let view = &mut state.log;
            let place = view.targets.keys().position(|one| *one == target);
            if target.is_empty() {
                let all = view.targets.values().all(|shown| *shown);
                view.targets.values_mut().for_each(|shown| *shown = !all);
            } else if let Some(shown) = view.targets.get_mut(&target) {
                *shown = !*shown;
            }
            targets(state, place.map_or(0, |place| place + 1));
        }
        (Asked::Entity, Answer::Text(name)) => {
            let name = name.trim();
            if name.is_empty() {
                state.log.entity = None;
                return None;
            }
            if state.site.inventory.entity(name).is_none() {
                state.complain(format!(
                    "there is no entity {} in the inventory",
                    quoted(name)
                ));
            }
            // Its lines are looked for all the same: the log may know more than the inventory.
            state.log.entity = Some(name.to_owned());
        }
        _ => {}
    }
    None
}

fn scroll(state: &mut State, action: &Action) {
    let width = usize::from(state.columns);
    let rows = state.page_rows().saturating_sub(HEAD).max(1);
    let view = &state.log;
    let shown = view.shown();
    if shown.is_empty() {
        return;
    }
    let last = shown.len() - 1;
    let lowest = view.lowest(&shown);
    // So many lines fill a screen whose lowest line is this one; long lines take several rows.
    let filled = |lowest: usize| {
        let mut left = rows;
        let lines = shown[..=lowest].iter().rev().take_while(|number| {
            let line = view.line(**number);
            let takes = line.map_or(1, |line| wrapped(line, width, false).len());
            let fits = takes <= left;
            left = left.saturating_sub(takes);
            fits
        });
        lines.count().max(1)
    };
    let page = filled(lowest).saturating_sub(1).max(1);
    // The first screen is a full one.
    let top = (0..=last)
        .find(|place| filled(*place) <= *place)
        .map_or(last, |place| place.saturating_sub(1));
    let to = match action {
        Action::Up => lowest.saturating_sub(1).max(top),
        Action::PageUp => lowest.saturating_sub(page).max(top),
        Action::First => top,
        Action::Down => lowest + 1,
        Action::PageDown => lowest + page,
        Action::Last => last,
        _ => return,
    };
    state.log.bottom = shown.get(to).filter(|_| to < last).copied();
}

/// A line on as many rows as it takes, the later ones indented.
fn wrapped(line: &LogLine, width: usize, ascii: bool) -> Vec<String> {
    let target = line
        .target
        .strip_prefix("subtend::")
        .unwrap_or(&line.target);
    let at = line.at.strftime("%H:%M:%S");
    // Cut and escaped where it came in; `plain` would cut it once more.
    let text: String = match ascii && !line.text.is_ascii() {
        true => line
            .text
            .chars()
            .map(|c| if c.is_ascii() { c } else { '?' })
            .collect(),
        false => line.text.clone(),
    };
    let first = format!("{at} {:<5} {target}: ", line.level);
    let lines = columns::wrap(&format!("{first}{text}"), 0, width.saturating_sub(2));
    let indent = |(at, line): (usize, String)| if at == 0 { line } else { format!("  {line}") };
    lines.into_iter().enumerate().map(indent).collect()
}

pub(crate) fn draw(
    state: &State,
    _snapshot: &Snapshot,
    theme: &Theme,
    frame: &mut Frame<'_>,
    area: Rect,
) {
    let view = &state.log;
    let width = usize::from(area.width);
    let rows = usize::from(area.height).saturating_sub(HEAD);
    let shown = view.shown();
    let lowest = view.lowest(&shown);
    let [filters, output] = head(state, &shown, lowest, theme);
    let style = theme.head();
    let mut lines = vec![
        Line::styled(cut(&filters, width, theme), style),
        Line::styled(cut(&output, width, theme), theme.hint()),
    ];
    if shown.is_empty() {
        let text = if view.lines.is_empty() {
            "Nothing was logged yet."
        } else {
            "No line fits; + shows more levels, t more targets, E another entity or all."
        };
        lines.push(Line::raw(cut(text, width, theme)));
    } else {
        let mut below: VecDeque<Line<'_>> = VecDeque::new();
        for number in shown[..=lowest].iter().rev() {
            let Some(line) = view.line(*number) else {
                break;
            };
            let style = theme.tone(match line.level {
                Level::ERROR => Tone::Bad,
                Level::WARN => Tone::Look,
                Level::INFO => Tone::Plain,
                _ => Tone::Faint,
            });
            for text in wrapped(line, width, theme.ascii).into_iter().rev() {
                below.push_front(Line::styled(text, style));
            }
            if below.len() >= rows {
                break;
            }
        }
        lines.extend(below.drain(below.len().saturating_sub(rows)..));
    }
    for (line, row) in lines.into_iter().zip(area.rows()) {
        frame.render_widget(line, row);
    }
}

fn head(state: &State, shown: &[usize], lowest: usize, theme: &Theme) -> [String; 2] {
    let view = &state.log;
    let hidden: BTreeSet<&str> = (view.targets.iter())
        .filter(|(_, shown)| !**shown)
        .map(|(target, _)| target.as_str())
        .collect();
    let targets = match hidden.len() {
        0 => "all targets".into(),
        some => format!("{some} of {} targets hidden", view.targets.len()),
    };
    let entity = match &view.entity {
        Some(entity) => format!("only {}", plain(entity, theme)),
        None => "all entities".into(),
    };
    let place = match view.bottom {
        Some(_) => format!("line {} of {}, End follows", lowest + 1, shown.len()),
        None => "following".into(),
    };
    let level = view.level.as_str().to_ascii_lowercase();
    let output = match state.output.total {
        0 => String::new(),
        _ => format!(
            "   screen output {}",
            units::rate(state.output.per_second as f64)
        ),
    };
    let file = match &state.site.log_file {
        Some(file) => format!("times are UTC{output}   file {file}"),
        None => format!("times are UTC{output}   no log file"),
    };
    [
        format!("{place}   level {level}   {targets}   {entity}"),
        file,
    ]
}
