//! The inventory page.

use ratatui::Frame;
use ratatui::layout::Rect;

use crate::console::action::Action;
use crate::console::effect::Effect;
use crate::console::state::State;
use crate::console::theme::Theme;
use crate::link::Snapshot;

#[derive(Debug, Default)]
pub(crate) struct View {
    /// The filter is being typed.
    pub(crate) typing: bool,
}

pub(crate) fn update(state: &mut State, snapshot: &Snapshot, action: Action) -> Option<Effect> {
    let _ = (state, snapshot, action);
    None
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
