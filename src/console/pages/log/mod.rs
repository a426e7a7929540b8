//! The log page: tui-logger's lines, by level, target and entity; the log file has all of them.

use std::collections::BTreeMap;

use capture::KEPT;
use draw::draw;
use log::{Level, LevelFilter};
use ratatui::Frame;
use ratatui::layout::Rect;
use scroll::{go_to, rows, scroll, settle};
use tui_logger::TuiWidgetState;

use crate::console::action::Action;
use crate::console::asked::{Answer, Asked, OfLog};
use crate::console::dialogs::Dialog;
use crate::console::effect::Effect;
use crate::console::page::Page;
use crate::console::scroll::Scroll;
use crate::console::state::{Screen, Shared};
use crate::model::columns;
use crate::model::text::quoted;
use crate::protocol::Snapshot;
use crate::terminal::Theme;

mod capture;
mod draw;
mod lines;
mod scroll;
#[cfg(test)]
mod tests;

pub use capture::LogCapture;
pub(crate) use capture::News;
#[cfg(test)]
pub(crate) use capture::{alone, nobody_logs};

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
