//! The frame around the pages: a title with the pages, a line for messages, a line for the keys
//! that matter now, and the dialogs on top.

use ratatui::Frame;
use ratatui::layout::{Constraint, Layout, Rect};
use ratatui::text::Line;
use ratatui::widgets::Tabs;
use unicode_width::UnicodeWidthStr;

use crate::protocol::{GroupSnapshot, Snapshot};

use super::action::Action;
use super::dialogs;
use super::keymap::{Hints, Keymap, Scope};
use super::page::Page;
use super::pages::State;
use super::widgets::fit::{self, plain};
use super::widgets::table::tabs;
use crate::terminal::Theme;

/// Columns of a site's name of which some is better than none.
const LEAST_SITE: usize = 8;
/// The smallest screen that is drawn on.
const SMALLEST: (u16, u16) = (60, 16);

/// Draws everything; nothing is changed by drawing.
pub(crate) fn draw(state: &State, snapshot: &Snapshot, theme: &Theme, frame: &mut Frame<'_>) {
    let snapshot = state.shared.frozen.as_deref().unwrap_or(snapshot);
    let area = frame.area();
    if area.width < SMALLEST.0 || area.height < SMALLEST.1 {
        let text = format!(
            "needs {}x{}, has {}x{}; transfers go on",
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
    (state.screen()).draw(&state.shared, snapshot, theme, frame, page);
    draw_message(state, theme, frame, message);
    let wanted = match state.scope() {
        Scope::Page(_) => (state.screen()).hints(&state.shared, snapshot),
        _ => Hints::default(),
    };
    let hints = (state.shared.keys()).hints(state.scope(), keys.width, &wanted);
    frame.render_widget(Line::styled(hints, theme.hint()), keys);
    let rows = state.shared.list_rows();
    let keys = state.shared.keys();
    dialogs::draw(&state.shared.dialogs, keys, rows, theme, frame, page);
}

fn draw_title(
    state: &State,
    snapshot: &Snapshot,
    theme: &Theme,
    frame: &mut Frame<'_>,
    area: Rect,
) {
    let right = match state.shared.frozen.is_some() {
        true => "FROZEN".to_owned(),
        false if state.shared.engine.is_gone => "no engine".to_owned(),
        false => at_work(snapshot),
    };
    let others = match state.shared.engine.others {
        0 => String::new(),
        1 => ", 1 other".to_owned(),
        many => format!(", {many} others"),
    };
    let right = if state.shared.engine.watch_only {
        format!("{right}{others}, watching")
    } else {
        format!("{right}{others}")
    };
    let room = usize::from(area.width).saturating_sub(right.len() + 1);
    let site = plain(&state.shared.site_name, theme);
    let (name, tabs) = title(&site, state.shared.page, state.shared.keys(), theme, room);
    let [first, rest] = Layout::horizontal([
        Constraint::Length(u16::try_from(name.width()).unwrap_or(0)),
        Constraint::Fill(1),
    ])
    .areas(area);
    frame.render_widget(Line::styled(name, theme.title()), first);
    frame.render_widget(tabs, rest);
    frame.render_widget(Line::styled(right, theme.title()).right_aligned(), area);
}

/// `1 group runs`, `2 run, 1 paused`.
fn at_work(snapshot: &Snapshot) -> String {
    let paused = |group: &GroupSnapshot| {
        let campaign = group.campaign.as_ref();
        campaign.is_some_and(|campaign| campaign.pause().is_some())
    };
    let (mut runs, mut pauses, mut waits) = (0_usize, 0_usize, 0_usize);
    for group in snapshot.running() {
        *match group.is_at_rest() {
            false => &mut runs,
            true if paused(group) => &mut pauses,
            true => &mut waits,
        } += 1;
    }
    let groups = |many: usize, one: &str, more: &str| match many {
        1 => format!("1 group {one}"),
        _ => format!("{many} groups {more}"),
    };
    match (runs, pauses, waits) {
        (0, 0, 0) => "idle".into(),
        (runs, 0, 0) => groups(runs, "runs", "run"),
        (0, pauses, 0) => groups(pauses, "paused", "paused"),
        (0, 0, waits) => groups(waits, "waits", "wait"),
        _ => {
            let parts = [(runs, "run"), (pauses, "paused"), (waits, "wait")];
            let parts = parts.iter().filter(|(many, _)| *many > 0);
            let parts: Vec<String> = parts.map(|(many, word)| format!("{many} {word}")).collect();
            parts.join(", ")
        }
    }
}

/// The site, and the pages with their keys. Of what does not fit, the program's name goes first, then that of the
/// site is cut, then the titles of the pages go that one is not on.
fn title(
    site: &str,
    current: Page,
    keys: &Keymap,
    theme: &Theme,
    room: usize,
) -> (String, Tabs<'static>) {
    let others = (!Page::ALL.contains(&current)).then_some(current);
    let selected = Page::ALL.into_iter().position(|page| page == current);
    let tabs = |titles: bool| {
        let pages = Page::ALL.map(|page| {
            let key = keys.on(current, &Action::Go(page));
            if titles || page == current {
                format!(" {key} {}", page.title())
            } else {
                format!(" {key}")
            }
        });
        let other = others.map(|page| format!(" {}", page.title()));
        tabs(
            pages.into_iter().chain(other),
            selected.unwrap_or(Page::ALL.len()),
            theme,
        )
    };
    let whole = tabs(true);
    let left = room.saturating_sub(whole.width());
    let site_width = site.width();
    let both = format!("subtend  {site} ");
    if both.width() <= left {
        return (both, whole);
    }
    if site_width < left || left >= LEAST_SITE {
        return (fit::cut(site, left.saturating_sub(1), theme) + " ", whole);
    }
    if whole.width() <= room {
        return (String::new(), whole);
    }
    let short = tabs(false);
    let left = room.saturating_sub(short.width() + 1);
    match left {
        LEAST_SITE.. => (fit::cut(site, left, theme) + " ", short),
        _ => (String::new(), short),
    }
}

fn draw_message(state: &State, theme: &Theme, frame: &mut Frame<'_>, area: Rect) {
    let guide = state
        .shared
        .guide
        .filter(|_| state.shared.message.is_none());
    if let Some(guide) = guide {
        let text = fit::cut(
            &guide.line(state.shared.keys()),
            usize::from(area.width),
            theme,
        );
        frame.render_widget(Line::styled(text, theme.here()), area);
    }
    if let Some(message) = &state.shared.message {
        let style = if message.is_error {
            theme.error()
        } else {
            theme.notice()
        };
        let text = fit::cut(&message.text, usize::from(area.width), theme);
        frame.render_widget(Line::styled(text, style), area);
    }
}

#[cfg(test)]
mod tests {
    use ratatui::buffer::Buffer;
    use ratatui::widgets::Widget;

    use super::*;
    use crate::console::testing::MONO;

    /// The title as it is drawn.
    fn drawn(page: Page, room: usize) -> String {
        let (name, tabs) = title("bremen-mitte", page, &Keymap::default(), &MONO, room);
        let area = Rect::new(0, 0, tabs.width() as u16, 1);
        let mut buffer = Buffer::empty(area);
        tabs.render(area, &mut buffer);
        let cells = buffer.content.iter().map(|cell| cell.symbol());
        name + &cells.collect::<String>()
    }

    #[test]
    fn the_title_leaves_room_for_the_status_from_60_columns_up() {
        for width in usize::from(SMALLEST.0)..120 {
            for status in [
                "idle",
                "FROZEN",
                "1 group runs",
                "999 groups run",
                "99 run, 9 paused, 9 wait",
            ] {
                let room = width - status.len() - 1;
                for page in Page::ALL.into_iter().chain([Page::History]) {
                    let line = drawn(page, room);
                    assert!(line.width() <= room, "{page:?}, {width}: {line}");
                    assert!(line.contains(page.title()), "{line}");
                }
            }
        }
        let at = |room| drawn(Page::Watch, room);
        let pages = " 0 Overview 1 Inventory 2 Groups 3 Review 4 Watch 5 Log";
        assert_eq!(at(77), format!("subtend  bremen-mitte {pages}"));
        assert_eq!(at(76), format!("bremen-mitte {pages}"));
        assert_eq!(at(64), format!("bremen-… {pages}"));
        assert_eq!(at(60), pages);
        assert_eq!(at(40), "bremen-mitte  0 1 2 3 4 Watch 5");
        assert_eq!(at(20), " 0 1 2 3 4 Watch 5");
    }
}
