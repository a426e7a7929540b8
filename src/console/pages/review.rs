//! The review page.

use ratatui::Frame;
use ratatui::layout::Rect;

use crate::console::action::Action;
use crate::console::dialogs::Answer;
use crate::console::effect::Effect;
use crate::console::state::State;
use crate::console::theme::Theme;
use crate::link::Snapshot;

#[derive(Debug, Default)]
pub(crate) struct View {}

/// The page for these groups.
pub(crate) fn open(state: &mut State, specs: Vec<crate::link::GroupSpec>) {
    let _ = specs;
    state.page = crate::console::state::Page::Review;
}

pub(crate) fn update(state: &mut State, snapshot: &Snapshot, action: Action) -> Option<Effect> {
    let _ = (state, snapshot, action);
    None
}

/// What this page asks in dialogs.
#[derive(Debug, Clone, PartialEq)]
pub(crate) enum Asked {}

pub(crate) fn answered(
    _state: &mut State,
    _snapshot: &Snapshot,
    asked: Asked,
    _answer: Answer,
) -> Option<Effect> {
    match asked {}
}

pub(crate) fn draw(
    state: &State,
    snapshot: &Snapshot,
    theme: &Theme,
    frame: &mut Frame<'_>,
    area: Rect,
) {
    let _ = (state, snapshot, theme, frame, area);
}
