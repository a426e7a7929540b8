//! The frame around the pages: a title with the pages, a line for messages, a line for the keys
//! that matter now, and the dialogs on top.

use ratatui::Frame;
use ratatui::layout::{Constraint, Layout, Rect};
use ratatui::text::{Line, Span};

use crate::link::Snapshot;

use super::dialogs;
use super::keymap;
use super::pages::{groups, inventory, log, review, watch};
use super::state::{Page, State};
use super::theme::Theme;

/// The smallest screen that is drawn on.
const SMALLEST: (u16, u16) = (60, 16);

/// Draws everything; nothing is changed by drawing.
pub(crate) fn draw(state: &State, snapshot: &Snapshot, theme: &Theme, frame: &mut Frame<'_>) {
    let snapshot = state.frozen.as_deref().unwrap_or(snapshot);
    let area = frame.area();
    if area.width < SMALLEST.0 || area.height < SMALLEST.1 {
        let text = format!(
            "subtend needs {}x{}, this is {}x{}; transfers go on",
            SMALLEST.0, SMALLEST.1, area.width, area.height
        );
        frame.render_widget(Line::raw(text), area);
        return;
    }
    let [title, page, message, keys] = Layout::vertical([
        Constraint::Length(1),
        Constraint::Fill(1),
        Constraint::Length(1),
        Constraint::Length(1),
    ])
    .areas(area);
    draw_title(state, snapshot, theme, frame, title);
    match state.page {
        Page::Inventory => inventory::draw(state, snapshot, theme, frame, page),
        Page::Groups => groups::draw(state, snapshot, theme, frame, page),
        Page::Review => review::draw(state, snapshot, theme, frame, page),
        Page::Watch => watch::draw(state, snapshot, theme, frame, page),
        Page::Log => log::draw(state, snapshot, theme, frame, page),
    }
    draw_message(state, theme, frame, message);
    let hints = keymap::hints(keymap::scope(state), keys.width);
    frame.render_widget(Line::styled(hints, theme.hint()), keys);
    dialogs::draw(state, snapshot, theme, frame, page);
}

fn draw_title(
    state: &State,
    snapshot: &Snapshot,
    theme: &Theme,
    frame: &mut Frame<'_>,
    area: Rect,
) {
    let mut spans = vec![Span::styled("subtend ", theme.title())];
    for (digit, page) in (1..).zip(Page::ALL) {
        let text = format!(" {digit} {} ", page.title());
        let style = if page == state.page {
            theme.selected_tab()
        } else {
            theme.tab()
        };
        spans.push(Span::styled(text, style));
    }
    let running = snapshot
        .groups
        .iter()
        .filter(|group| !group.phase.is_ended())
        .count();
    let right = match (state.frozen.is_some(), running) {
        (true, _) => "FROZEN".to_owned(),
        (_, 0) => "idle".to_owned(),
        (_, 1) => "1 group runs".to_owned(),
        (_, many) => format!("{many} groups run"),
    };
    frame.render_widget(Line::from(spans), area);
    frame.render_widget(Line::styled(right, theme.title()).right_aligned(), area);
}

fn draw_message(state: &State, theme: &Theme, frame: &mut Frame<'_>, area: Rect) {
    if let Some(message) = &state.message {
        let style = if message.is_error {
            theme.error()
        } else {
            theme.notice()
        };
        let text = crate::model::text::shown(&message.text);
        frame.render_widget(Line::styled(text, style), area);
    }
}
