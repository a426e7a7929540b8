//! The log page: tui-logger's lines, by level, target and entity; the log file has all of them.

mod capture;
mod lines;
#[cfg(test)]
mod tests;

use std::collections::BTreeMap;

use log::{Level, LevelFilter};
use ratatui::Frame;
use ratatui::buffer::Buffer;
use ratatui::layout::Rect;
use ratatui::style::{Modifier, Style};
use ratatui::text::Line;
use ratatui::widgets::Widget;
use tui_logger::{TuiLoggerTargetWidget, TuiWidgetEvent, TuiWidgetState};

use crate::console::action::Action;
use crate::console::asked::{Answer, Asked, OfLog};
use crate::console::dialogs::Dialog;
use crate::console::effect::Effect;
use crate::console::page::Page;
use crate::console::scroll::Scroll;
use crate::console::state::{Screen, Shared};
use crate::console::widgets::fit::{cut, plain};
use crate::model::text::quoted;
use crate::model::{columns, units};
use crate::protocol::Snapshot;
use crate::terminal::{Theme, Tone};

use capture::KEPT;
pub use capture::LogCapture;
pub(crate) use capture::News;
#[cfg(test)]
pub(crate) use capture::alone;

/// Rows above the lines.
const HEAD: usize = 2;
/// Columns of tui-logger's selector before the name of a target: a letter for each level, a colon.
const LETTERS: usize = 6;

const LEVELS: [Level; 5] = [
    Level::Error,
    Level::Warn,
    Level::Info,
    Level::Debug,
    Level::Trace,
];

/// What is shown. tui-logger's state is made of it for each picture, so that drawing changes nothing.
#[derive(Debug)]
pub(crate) struct View {
    /// Of every target that has no level of its own.
    level: LevelFilter,
    /// Every target that was seen.
    targets: BTreeMap<String, Target>,
    /// Only the lines of this entity, in whatever group.
    entity: Option<String>,
    /// The number of the last record that was seen.
    newest: u32,
    /// `None` follows the newest.
    scrolled: Option<Scrolled>,
    /// The selector is open, and its cursor is on this target.
    selected: Option<String>,
}

#[derive(Debug, Default)]
struct Target {
    own: Option<LevelFilter>,
    /// How many records came of each level.
    counts: [usize; 5],
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
struct Scrolled {
    /// The number of the lowest record on the screen.
    lowest: u32,
    /// How many later ones are shown, below the screen.
    below: usize,
}

impl Default for View {
    fn default() -> Self {
        Self {
            level: LevelFilter::Info,
            targets: BTreeMap::new(),
            entity: None,
            newest: 0,
            scrolled: None,
            selected: None,
        }
    }
}

impl Screen for View {
    fn update(
        &mut self,
        shared: &mut Shared,
        _snapshot: &Snapshot,
        action: Action,
    ) -> Option<Effect> {
        update(self, shared, action)
    }

    fn draw(
        &self,
        shared: &Shared,
        _snapshot: &Snapshot,
        theme: &Theme,
        frame: &mut Frame<'_>,
        area: Rect,
    ) {
        draw(self, shared, theme, frame, area);
    }
}

/// Records came: called by the loop. Whether the screen has to be drawn for them.
pub(crate) fn observe(view: &mut View, shared: &Shared, news: News) -> bool {
    let (mut shown, mut known) = (0, true);
    for (name, level) in news.records {
        known &= view.targets.contains_key(&name);
        let target = view.targets.entry(name.clone()).or_default();
        target.counts[level as usize - 1] += 1;
        shown += usize::from(level <= view.level_of(&name));
    }
    let is_news = news.newest != view.newest;
    view.newest = news.newest;
    let mut changed = shown > 0 && view.scrolled.is_none();
    changed |= !known && view.selected.is_some();
    if let Some(at) = &mut view.scrolled {
        at.below += shown;
        // What is read is gone, or nearly: the oldest is shown instead.
        let lowest = at.lowest;
        if is_news && view.newest.saturating_sub(lowest) as usize + 1 >= KEPT {
            go_to(view, shared, lowest);
            changed |= view.scrolled.is_none_or(|at| at.lowest != lowest);
        }
    }
    changed && shared.page == Page::Log
}

impl View {
    /// The level of a target, as tui-logger's widgets are given it.
    fn level_of(&self, name: &str) -> LevelFilter {
        let own = self.targets.get(name).and_then(|target| target.own);
        let is_meant = |entity: &str| {
            let of_group = name.strip_suffix(entity);
            of_group.is_some_and(|group| group.is_empty() || group.ends_with('/'))
        };
        match (&self.entity, own) {
            (Some(entity), _) if !is_meant(entity) => LevelFilter::Off,
            (_, own) => own.unwrap_or(self.level),
        }
    }

    /// tui-logger's state for what is shown.
    fn shown(&self) -> TuiWidgetState {
        let otherwise = match self.entity {
            Some(_) => LevelFilter::Off,
            None => self.level,
        };
        let state = TuiWidgetState::new().set_default_display_level(otherwise);
        let levels = self.targets.keys().map(|name| (name, self.level_of(name)));
        let others = levels.filter(|(_, level)| *level != otherwise);
        others.fold(state, |state, (name, level)| {
            state.set_level_for_target(name, level)
        })
    }

    /// How many records came that are shown.
    fn total(&self) -> usize {
        let shown = self.targets.iter().map(|(name, target)| {
            let levels = LEVELS.iter().zip(target.counts);
            let level = self.level_of(name);
            let shown = levels.filter(|(one, _)| **one <= level);
            shown.map(|(_, count)| count).sum::<usize>()
        });
        shown.sum()
    }

    fn below(&self) -> usize {
        self.scrolled.map_or(0, |at| at.below)
    }

    /// Where the cursor of the selector is; targets that come meanwhile don't move it to another one.
    fn cursor(&self) -> Option<usize> {
        let selected = self.selected.as_ref()?;
        let place = self.targets.keys().position(|name| name == selected);
        Some(place.unwrap_or(0))
    }

    fn select(&mut self, place: usize) {
        let name = self.targets.keys().nth(place);
        self.selected = Some(name.cloned().unwrap_or_default());
    }

    /// The columns of the selector, and one between it and the lines.
    fn selector(&self, width: u16) -> u16 {
        if self.selected.is_none() {
            return 0;
        }
        let names = self.targets.keys().map(|name| columns::width(name));
        let wanted = names.max().unwrap_or(0).saturating_add(LETTERS + 1);
        u16::try_from(wanted).unwrap_or(u16::MAX).min(width / 2)
    }
}

pub(crate) fn update(view: &mut View, shared: &mut Shared, action: Action) -> Option<Effect> {
    if view.selected.is_some() && choose(view, shared, &action) {
        return None;
    }
    match action {
        Action::Back => shared.page = Page::Watch,
        Action::LogMore | Action::Right => level(view, shared, 1),
        Action::LogLess | Action::Left => level(view, shared, -1),
        Action::LogTargets => {
            view.select(0);
            settle(view, shared);
        }
        Action::LogEntity => {
            let now = view.entity.clone().unwrap_or_default();
            let title = "Only the lines of which entity? (empty: all)";
            let intent = Asked::Log(OfLog::Entity);
            (shared.dialogs).push(Dialog::text(title, &now, intent));
        }
        action => scroll(view, shared, &action),
    }
    None
}

/// The level that shows one more or one fewer, from errors alone to everything.
fn next(level: LevelFilter, by: isize) -> LevelFilter {
    let at = (level as usize).saturating_add_signed(by);
    LevelFilter::iter()
        .nth(at.clamp(0, LEVELS.len()))
        .unwrap_or(level)
}

/// Of all targets: those that had a level of their own have none any more, but what is hidden stays
/// hidden.
fn level(view: &mut View, shared: &Shared, by: isize) {
    view.level = next(view.level, by).max(LevelFilter::Error);
    for target in view.targets.values_mut() {
        target.own = target.own.filter(|own| *own == LevelFilter::Off);
    }
    settle(view, shared);
}

/// What an action does in the selector; `false` if it is none of the selector's.
fn choose(view: &mut View, shared: &Shared, action: &Action) -> bool {
    let rows = rows(shared);
    let (level, len) = (view.level, view.targets.len());
    let Some(cursor) = view.cursor() else {
        return false;
    };
    let mut scroll = Scroll { cursor, offset: 0 };
    if scroll.follow(action, len, rows) {
        view.select(scroll.cursor);
        return true;
    }
    let by = match action {
        Action::Back | Action::LogTargets => {
            view.selected = None;
            settle(view, shared);
            return true;
        }
        Action::LogToggleAll => {
            let hide = view
                .targets
                .values()
                .all(|target| target.own != Some(LevelFilter::Off));
            let own = hide.then_some(LevelFilter::Off);
            view.targets
                .values_mut()
                .for_each(|target| target.own = own);
            settle(view, shared);
            return true;
        }
        Action::LogToggle => None,
        Action::Left => Some(-1),
        Action::Right => Some(1),
        _ => return false,
    };
    if let Some(target) = view.targets.values_mut().nth(cursor) {
        let is_hidden = target.own == Some(LevelFilter::Off);
        target.own = match by {
            None => (!is_hidden).then_some(LevelFilter::Off),
            Some(by) => Some(next(target.own.unwrap_or(level), by)),
        };
    }
    settle(view, shared);
    true
}

pub(crate) fn answered(
    view: &mut View,
    shared: &mut Shared,
    asked: OfLog,
    answer: Answer,
) -> Option<Effect> {
    if let (OfLog::Entity, Answer::Text(name)) = (asked, answer) {
        let name = name.trim();
        if !name.is_empty() && shared.site.inventory.entity(name).is_none() {
            // Its lines are looked for all the same: the log may know more than the inventory.
            shared.complain(format!(
                "there is no entity {} in the inventory",
                quoted(name)
            ));
        }
        view.entity = Some(name.to_owned()).filter(|name| !name.is_empty());
        settle(view, shared);
    }
    None
}

fn rows(shared: &Shared) -> usize {
    shared.page_rows().saturating_sub(HEAD).max(1)
}

/// The rows of the shown records but the newest `below`, as they are on this screen.
fn measure(view: &View, shared: &Shared, below: usize, rows: usize) -> Vec<lines::Row> {
    let width = shared.columns - view.selector(shared.columns);
    lines::measure(&view.shown(), below, width, rows)
}

/// After another choice of what is shown, the place is the same, also when another choice follows.
fn settle(view: &mut View, shared: &Shared) {
    if let Some(at) = view.scrolled {
        let (_, below) = find(view, shared, at.lowest);
        view.scrolled = Some(Scrolled { below, ..at });
    }
}

/// Makes this record the lowest, or the next one before it that is shown.
fn go_to(view: &mut View, shared: &Shared, lowest: u32) {
    let (shown, below) = find(view, shared, lowest);
    stop_at(view, &shown, below);
}

/// All that are shown, and how many are below the screen if this record is the lowest; those on the
/// first screen never are.
fn find(view: &View, shared: &Shared, lowest: u32) -> (Vec<lines::Row>, usize) {
    let all = measure(view, shared, usize::MAX, 0);
    let newer = all.iter().take_while(|(number, _)| *number > lowest);
    let below = newer.count();
    // Each of them takes a row or more, so that as many as there are rows are enough.
    let first = all.len().saturating_sub(rows(shared));
    if below < first {
        return (all, below);
    }
    let oldest = measure(view, shared, first, usize::MAX);
    let oldest = oldest.get(first..).unwrap_or_default();
    let below = below.min(first + first_screen(oldest, rows(shared)));
    (all, below)
}

fn stop_at(view: &mut View, shown: &[lines::Row], below: usize) {
    let lowest = shown.get(below).filter(|_| below > 0);
    view.scrolled = lowest.map(|(lowest, _)| Scrolled {
        lowest: *lowest,
        below,
    });
}

/// The lowest record of the first screen: of these records, the oldest of all at their end, those that
/// fit on it.
fn first_screen(records: &[lines::Row], rows: usize) -> usize {
    let mut filled = 0;
    let fitting = records.iter().rev().take_while(|(_, takes)| {
        filled += takes;
        filled <= rows
    });
    records.len().saturating_sub(fitting.count().max(1))
}

fn scroll(view: &mut View, shared: &Shared, action: &Action) {
    let rows = rows(shared);
    let below = view.below();
    let records = match action {
        Action::Last => return view.scrolled = None,
        Action::First => return go_to(view, shared, 0),
        Action::Up | Action::PageUp | Action::Down | Action::PageDown => {
            measure(view, shared, below, 2 * rows)
        }
        _ => return,
    };
    let here = records.get(below..).unwrap_or_default();
    if here.is_empty() {
        return;
    }
    let mut left = rows;
    let filled = here.iter().take_while(|(_, takes)| {
        let fits = *takes <= left;
        left = left.saturating_sub(*takes);
        fits
    });
    let page = filled.count().saturating_sub(1).max(1);
    let is_all = here.iter().map(|(_, takes)| takes).sum::<usize>() < 2 * rows;
    let highest = match is_all {
        true => first_screen(here, rows),
        false => here.len().saturating_sub(1),
    };
    let to = match action {
        Action::Up => below + highest.min(1),
        Action::PageUp => below + highest.min(page),
        Action::Down => below.saturating_sub(1),
        _ => below.saturating_sub(page),
    };
    stop_at(view, &records, to);
}

pub(crate) fn draw(view: &View, shared: &Shared, theme: &Theme, frame: &mut Frame<'_>, area: Rect) {
    let [head, mut body] = split(area);
    for (line, row) in self::head(view, shared, theme).into_iter().zip(head.rows()) {
        let (text, style) = line;
        let text = cut(&text, usize::from(area.width), theme);
        frame.render_widget(Line::styled(text, style), row);
    }
    if let Some(selected) = view.cursor() {
        let columns = view.selector(area.width);
        let selector = Rect {
            width: columns.saturating_sub(1),
            ..body
        };
        let drawn = targets(view, selected, theme, selector);
        frame.buffer_mut().merge(&drawn);
        body = Rect {
            x: body.x + columns,
            width: body.width - columns,
            ..body
        };
    }
    // On a buffer of its own: tui-logger's area reaches below this one.
    let mut drawn = Buffer::empty(body);
    let records = match view.targets.is_empty() {
        true => Vec::new(),
        false => lines::draw(&view.shown(), theme, view.below(), body, &mut drawn),
    };
    frame.buffer_mut().merge(&drawn);
    if records.is_empty() {
        let text = if view.targets.is_empty() {
            "Nothing was logged yet."
        } else {
            "No line fits; + shows more levels, t more targets, E another entity or all."
        };
        let text = cut(text, usize::from(body.width), theme);
        frame.render_widget(Line::raw(text), body);
    }
}

fn split(area: Rect) -> [Rect; 2] {
    let height = area.height.min(HEAD as u16);
    let head = Rect { height, ..area };
    let body = Rect {
        y: area.y + height,
        height: area.height - height,
        ..area
    };
    [head, body]
}

/// tui-logger's selector. It shows the levels that are on, and its cursor, by style alone, and there
/// are terminals without; so what is off is a dot, and the cursor has a sign too.
fn targets(view: &View, selected: usize, theme: &Theme, area: Rect) -> Buffer {
    let state = view.shown();
    let draw = || {
        // Of its own, since long names go beyond the area that the widget is given.
        let mut buffer = Buffer::empty(area);
        TuiLoggerTargetWidget::default()
            .style_show(theme.head())
            .style_hide(Style::new().add_modifier(Modifier::HIDDEN))
            .highlight_style(theme.cursor())
            .state(&state)
            .render(area, &mut buffer);
        buffer
    };
    // It knows the number of its rows when it was drawn once.
    draw();
    (0..selected).for_each(|_| state.transition(TuiWidgetEvent::DownKey));
    let mut buffer = draw();
    for (x, y) in area.positions().map(|at| (at.x, at.y)) {
        let column = usize::from(x - area.x);
        let is_cursor = (buffer.cell((x + 1, y)))
            .is_some_and(|next| next.modifier.contains(Modifier::REVERSED));
        let Some(cell) = buffer.cell_mut((x, y)) else {
            continue;
        };
        if cell.modifier.contains(Modifier::HIDDEN) {
            cell.modifier.remove(Modifier::HIDDEN);
            cell.set_symbol(".").set_style(theme.tone(Tone::Faint));
        } else if column + 1 == LETTERS && cell.symbol() == ":" {
            cell.set_symbol(if is_cursor { ">" } else { " " });
        } else if theme.ascii && !cell.symbol().is_ascii() {
            cell.set_symbol("?");
        }
    }
    buffer
}

fn head(view: &View, shared: &Shared, theme: &Theme) -> [(String, Style); 2] {
    let all = view.targets.len();
    let hidden = |target: &&Target| target.own == Some(LevelFilter::Off);
    let targets = match view.targets.values().filter(hidden).count() {
        0 => "all targets".into(),
        some => format!("{some} of {all} targets hidden"),
    };
    let entity = match &view.entity {
        Some(entity) => format!("only {}", plain(entity, theme)),
        None => "all entities".into(),
    };
    let place = match view.scrolled {
        Some(at) => {
            let total = view.total();
            format!(
                "line {} of {total}, End follows",
                total.saturating_sub(at.below)
            )
        }
        None => "following".into(),
    };
    let level = view.level.as_str().to_ascii_lowercase();
    let first = format!("{place}   level {level}   {targets}   {entity}");
    let selected = view.cursor().and_then(|at| view.targets.iter().nth(at));
    let second = match selected {
        Some((name, target)) => {
            let count = columns::count(target.counts.iter().sum(), "line");
            let level = match view.level_of(name) {
                LevelFilter::Off => "hidden".to_owned(),
                level => format!("level {}", level.as_str().to_ascii_lowercase()),
            };
            format!("{name}: {level}, {count}   Enter hides or shows, a all, t closes")
        }
        None => {
            let output = match shared.output.total {
                0 => String::new(),
                _ => {
                    let rate = units::rate(shared.output.per_second as f64);
                    format!("   screen output {rate}")
                }
            };
            let file = match &shared.site.log_file {
                Some(file) => format!("file {file}"),
                None => "no log file".to_owned(),
            };
            format!("times are UTC{output}   {file}")
        }
    };
    [(first, theme.head()), (second, theme.hint())]
}
