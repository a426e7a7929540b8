//! The overview: all groups at once, and how the run went from its beginning. Enter goes to a group on the watch page.

mod lanes;
mod layout;
mod plots;
#[cfg(test)]
mod tests;
mod totals;

use ratatui::Frame;
use ratatui::layout::Rect;
use ratatui::text::{Line, Span};

use crate::console::action::Action;
use crate::console::effect::Effect;
use crate::console::keymap::Hints;
use crate::console::page::Page;
use crate::console::scroll::Scroll;
use crate::console::state::{Request, Screen, Shared};
use crate::protocol::Snapshot;
use crate::terminal::Theme;

use layout::{Places, places};

#[derive(Debug, Default)]
pub(crate) struct View {
    /// A row is the place of a group in the snapshot.
    scroll: Scroll,
    /// Nobody has moved the cursor yet.
    is_moved: bool,
}

/// The places of the page on the screen that there is.
fn on_screen(shared: &Shared, groups: usize) -> Places {
    let rows = u16::try_from(shared.page_rows()).unwrap_or(u16::MAX);
    // Above the page there is the title.
    places(Rect::new(0, 1, shared.columns, rows), groups)
}

fn rows(shared: &Shared, groups: usize) -> usize {
    usize::from(on_screen(shared, groups).lanes.height)
}

impl Screen for View {
    fn update(
        &mut self,
        shared: &mut Shared,
        snapshot: &Snapshot,
        action: Action,
    ) -> Option<Effect> {
        let len = snapshot.groups.len();
        let rows = rows(shared, len);
        match action {
            Action::Details if len > 0 => {
                shared.request(Request::Watch(self.scroll.cursor.min(len - 1)));
            }
            Action::Details => shared.say("nothing was started yet"),
            Action::Back => shared.say("this is the first page; 1 to 5 go to the others"),
            Action::Click { row, .. } => {
                let lanes = on_screen(shared, len).lanes;
                let at = usize::from(row.saturating_sub(lanes.y)) + self.scroll.offset;
                if (lanes.y..lanes.bottom()).contains(&row) && at < len {
                    self.scroll.to(at, len, rows);
                    self.is_moved = true;
                }
            }
            action => self.is_moved |= self.scroll.follow(&action, len, rows),
        }
        None
    }

    fn draw(
        &self,
        shared: &Shared,
        snapshot: &Snapshot,
        theme: &Theme,
        frame: &mut Frame<'_>,
        area: Rect,
    ) {
        draw(self, shared, snapshot, theme, frame, area);
    }

    /// The first group that runs is under the cursor until it is moved.
    fn enter(&mut self, shared: &mut Shared, snapshot: &Snapshot) -> Option<Effect> {
        if !self.is_moved {
            let mut groups = snapshot.groups.iter();
            let first = groups.position(|group| !group.phase.is_ended());
            let first = first.unwrap_or(0);
            let len = snapshot.groups.len();
            self.scroll.to(first, len, rows(shared, len));
        }
        None
    }

    fn hints(&self, _shared: &Shared, snapshot: &Snapshot) -> Hints {
        match snapshot.groups.is_empty() {
            true => Hints {
                first: Vec::new(),
                without: vec![Action::Details],
            },
            false => Hints {
                first: vec![(Action::Details, "watch")],
                without: Vec::new(),
            },
        }
    }
}

fn draw(
    view: &View,
    shared: &Shared,
    snapshot: &Snapshot,
    theme: &Theme,
    frame: &mut Frame<'_>,
    area: Rect,
) {
    if snapshot.groups.is_empty() {
        return empty(shared, theme, frame, area);
    }
    let len = snapshot.groups.len();
    let places = places(area, len);
    let width = usize::from(area.width);
    let lines = [
        totals::rates(snapshot, theme, width),
        totals::counts(snapshot, theme, width),
    ];
    for (line, row) in lines.into_iter().zip(places.totals.rows()) {
        frame.render_widget(line, row);
    }
    let rows = usize::from(places.lanes.height);
    // The screen may have become smaller since the cursor moved.
    let mut scroll = view.scroll;
    scroll.to(scroll.cursor, len, rows);
    let groups: Vec<_> = snapshot.groups.iter().map(|group| &**group).collect();
    let selected = groups.get(scroll.cursor).copied();
    plots::draw(&places.plots, snapshot, selected, theme, frame);
    let widths = lanes::Widths::of(&groups, usize::from(places.lanes.width), theme);
    frame.render_widget(lanes::head(&widths, theme), places.head);
    let visible = groups.iter().enumerate().skip(scroll.offset);
    for ((at, group), row) in visible.zip(places.lanes.rows()) {
        let lane = lanes::lane(group, at == scroll.cursor, &widths, shared, theme);
        frame.render_widget(lane, row);
    }
    if let Some(group) = selected {
        let place = match len > rows {
            true => format!("{} of {len}  ", scroll.cursor + 1),
            false => String::new(),
        };
        let mut line = lanes::foot(group, shared, theme, width.saturating_sub(place.len()));
        line.spans.insert(0, Span::styled(place, theme.hint()));
        frame.render_widget(line, places.foot);
    }
}

fn empty(shared: &Shared, theme: &Theme, frame: &mut Frame<'_>, area: Rect) {
    let go = |page| shared.key(Page::Overview, &Action::Go(page));
    let lines = [
        Line::styled("Nothing was started yet.", theme.title()),
        Line::default(),
        Line::raw(format!(
            "{} shows the entities: there {} upgrades what is picked.",
            go(Page::Inventory),
            shared.key(Page::Inventory, &Action::Upgrade)
        )),
        Line::raw(format!(
            "{} shows the groups: there {} reviews them, and {} starts.",
            go(Page::Groups),
            shared.key(Page::Groups, &Action::Start),
            shared.key(Page::Review, &Action::Begin)
        )),
        Line::default(),
        Line::raw("Here is then how all groups stand, and how the run went"),
        Line::raw("from its beginning: what is read and delivered, how full"),
        Line::raw("the pools are, and how many entities are done."),
    ];
    for (line, row) in lines.into_iter().zip(area.rows()) {
        frame.render_widget(line, row);
    }
}
