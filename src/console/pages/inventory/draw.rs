//! How the inventory page looks: the filter, the table's head, the rows on the screen, a footer.

use ratatui::Frame;
use ratatui::layout::{Constraint, Layout, Rect};
use ratatui::text::{Line, Span};
use ratatui::widgets::{Cell, Row};

use crate::console::action::Action;
use crate::console::page::Page;
use crate::console::state::Shared;
use crate::console::widgets::fit::{cut, plain, share};
use crate::console::widgets::table::table;
use crate::model::text::shown;
use crate::protocol::Snapshot;
use crate::terminal::Theme;

use super::View;
use super::{Column, newest};

/// A sign, a blank, and the longest word.
const STATE: usize = 13;
/// Less room than this is left empty.
const LEAST_NOTE: usize = 16;
/// A label's column is no wider.
const WIDEST_LABEL: usize = 16;
/// Before the first column: the accent of the cursor, the mark and a blank.
const MARK: usize = 3;
/// On screens that are narrower, columns stand closer together.
const ROOMY: usize = 72;

pub(crate) fn draw(
    view: &View,
    shared: &Shared,
    snapshot: &Snapshot,
    theme: &Theme,
    frame: &mut Frame<'_>,
    area: Rect,
) {
    let [filter, body, footer] = Layout::vertical([
        Constraint::Length(u16::from(view.has_filter(shared))),
        Constraint::Fill(1),
        Constraint::Length(1),
    ])
    .areas(area);
    if view.has_filter(shared) {
        frame.render_widget(
            filter_line(view, shared, theme, usize::from(filter.width)),
            filter,
        );
    }
    let columns = Columns::new(view, shared, usize::from(area.width));
    let rows = usize::from(body.height.saturating_sub(1));
    // The screen may have become smaller since the cursor moved.
    let mut scroll = view.scroll;
    scroll.to(scroll.cursor, shared.picks.shown.len(), rows);
    let visible = shared
        .picks
        .shown
        .iter()
        .enumerate()
        .skip(scroll.offset)
        .take(rows);
    let rows = visible.map(|(row, at)| {
        let entity = columns.row((view, shared), snapshot, theme, *at, row == scroll.cursor);
        if row == scroll.cursor {
            entity.style(theme.here())
        } else {
            entity
        }
    });
    let rows: Vec<Row<'_>> = rows.collect();
    let titles = columns.titles(view, shared, theme);
    let table = table(titles, &columns.widths, columns.gap, theme);
    frame.render_widget(table.rows(rows), body);
    if shared.picks.shown.is_empty() {
        let text = if shared.site.inventory.entities.is_empty() {
            "the inventory has no entities".to_owned()
        } else {
            let back = shared.key(Page::Inventory, &Action::Back);
            format!("no entity matches the filter; {back} clears it")
        };
        let [_, below] = Layout::vertical([Constraint::Length(1), Constraint::Fill(1)]).areas(body);
        frame.render_widget(Line::styled(text, theme.hint()), below);
    }
    frame.render_widget(Line::styled(counts(shared), theme.hint()), footer);
}

fn filter_line<'a>(view: &View, shared: &Shared, theme: &Theme, columns: usize) -> Line<'a> {
    let value = shared.picks.filter.value();
    if !view.typing {
        let back = shared.key(Page::Inventory, &Action::Back);
        return Line::from(vec![
            Span::styled("filter: ", theme.head()),
            Span::raw(cut(value, columns.saturating_sub(24), theme)),
            Span::styled(format!("   {back} clears it"), theme.hint()),
        ]);
    }
    // What is typed is where the cursor is; of a long filter its end around it is shown.
    let typed: Vec<char> = value.chars().collect();
    let at = shared.picks.filter.cursor().min(typed.len());
    let from = (at + 4).saturating_sub(columns);
    let text = |range: std::ops::Range<usize>| {
        let text: String = typed[range].iter().collect();
        // Blanks at its ends are part of what is typed.
        text.split(' ')
            .map(|word| plain(word, theme))
            .collect::<Vec<_>>()
            .join(" ")
    };
    let under = match typed.get(at) {
        Some(_) => text(at..at + 1),
        None => " ".into(),
    };
    let mut spans = vec![
        Span::styled("/", theme.head()),
        Span::raw(text(from.min(at)..at)),
        Span::styled(under, theme.cursor()),
    ];
    if at < typed.len() {
        spans.push(Span::raw(text(at + 1..typed.len())));
    }
    if typed.is_empty() {
        let hint = " words, type:adsl version: name: address: group: state: site=north, !not";
        spans.push(Span::styled(
            cut(hint.trim(), columns.saturating_sub(3), theme),
            theme.hint(),
        ));
    }
    Line::from(spans)
}

/// Columns of the table, the mark in the first; a note has what is left where that is enough.
struct Columns {
    widths: Vec<usize>,
    gap: usize,
    /// How many labels have a column of their own, behind the state.
    labels: usize,
}

impl Columns {
    fn new(view: &View, shared: &Shared, room: usize) -> Self {
        let [name, type_, version, address] = view.widest;
        let groups = shared.resolved.widest;
        let gap = if room < ROOMY { 1 } else { 2 };
        // A head has room for its sign too, where there is room.
        let title = |column: Column| column.title().len() + if room < ROOMY { 0 } else { 2 };
        let columns = [
            (name.clamp(title(Column::Name), 32), 9),
            (type_.clamp(title(Column::Type), 14), 5),
            (version.clamp(title(Column::Version), 16), 7),
            (address.clamp(title(Column::Address), 30), 9),
            (groups.clamp(title(Column::Group), 24), 6),
            (STATE, STATE),
        ];
        let gaps = MARK + gap * (columns.len() - 1);
        let mut widths = share(&columns, room.saturating_sub(gaps));
        let used = widths.iter().sum::<usize>() + gaps;
        let mut note = room.saturating_sub(used + gap);
        widths[0] += MARK;
        // Labels, in their order, as long as there is room: a note has what they leave.
        let wanted = shared.settings.columns.iter().zip(&view.labels);
        let wanted = wanted.map(|(label, widest)| {
            let title = crate::model::columns::width(&shown(label));
            (*widest).max(title).clamp(1, WIDEST_LABEL)
        });
        for width in wanted {
            if note < width {
                break;
            }
            widths.push(width);
            note = note.saturating_sub(width + gap);
        }
        let labels = widths.len() - Column::ALL.len();
        if note >= LEAST_NOTE {
            widths.push(note);
        }
        Self {
            widths,
            gap,
            labels,
        }
    }

    fn titles<'a>(&self, view: &View, shared: &Shared, theme: &Theme) -> Row<'a> {
        let (down, up) = if theme.ascii {
            ("v", "^")
        } else {
            ("▾", "▴")
        };
        let sign = if view.reverse { up } else { down };
        let titles = Column::ALL
            .into_iter()
            .zip(&self.widths)
            .map(|(column, width)| {
                let mark = if column == Column::Name { MARK } else { 0 };
                let (title, width) = (column.title(), width - mark);
                let title = match width.checked_sub(title.len()) {
                    _ if column != view.sort => title.to_owned(),
                    Some(2..) => format!("{title} {sign}"),
                    // The sign matters more than the end of the title.
                    _ => format!("{title:<0$.0$}{sign}", width.saturating_sub(1)),
                };
                " ".repeat(mark) + &title
            });
        let labels = shared.settings.columns.iter().take(self.labels);
        let labels = labels.map(|label| plain(label, theme));
        Row::new(titles.chain(labels).chain(["Note".to_owned()]))
    }

    fn row<'a>(
        &self,
        (view, shared): (&View, &Shared),
        snapshot: &Snapshot,
        theme: &Theme,
        at: usize,
        here: bool,
    ) -> Row<'a> {
        let entity = &shared.site.inventory.entities[at];
        let (marked, unmarked) = theme.mark();
        let mark = if shared.picks.marks.contains(&at) {
            marked
        } else {
            unmarked
        };
        let groups = shared.resolved.names_of(at).collect::<Vec<_>>().join(",");
        let name = cut(&entity.name, self.widths[0] - MARK, theme);
        let version = shared.presence.version(entity);
        let texts = [&*entity.type_, &version, &view.addresses[at], &groups];
        let texts = texts.into_iter().zip(&self.widths[1..]);
        let mut name = found(&name, &view.words, theme);
        let (accent, none) = theme.accent();
        let accent = if here { accent } else { none };
        name.spans.insert(0, Span::raw(format!("{accent}{mark} ")));
        let mut cells = vec![Cell::new(name)];
        cells.extend(texts.enumerate().map(|(column, (text, width))| {
            let text = cut(text, *width, theme);
            let is_searched = match column {
                0 => true,
                // Words mean whole versions.
                1 => view
                    .words
                    .iter()
                    .any(|word| text.eq_ignore_ascii_case(word)),
                _ => false,
            };
            match is_searched {
                true => Cell::new(found(&text, &view.words, theme)),
                false => Cell::new(text),
            }
        }));
        let last = newest(snapshot, &entity.name);
        cells.push(last.as_ref().map_or_else(
            || Cell::new(""),
            |(_, last)| {
                let standing = last.standing();
                let text = format!("{} {standing}", theme.sign(standing));
                Cell::new(cut(&text, self.widths[5], theme)).style(theme.of_state(standing))
            },
        ));
        let (own, rest) = self.widths[Column::ALL.len()..].split_at(self.labels);
        let names = &shared.settings.columns[..self.labels];
        cells.extend(names.iter().zip(own).map(|(name, width)| {
            let value = entity.labels.get(name.as_str()).map_or("", |value| value);
            Cell::new(cut(value, *width, theme))
        }));
        if let Some(room) = rest.first() {
            let cause = last.and_then(|(_, last)| last.cause.clone());
            let note = cause.unwrap_or_else(|| labels(entity, names));
            cells.push(Cell::new(cut(&note, *room, theme)).style(theme.hint()));
        }
        Row::new(cells)
    }
}

/// A text in which the first place is marked that one of the words was found at.
fn found<'a>(text: &str, words: &[String], theme: &Theme) -> Line<'a> {
    let lower = text.to_lowercase();
    let place = words.iter().find_map(|word| {
        let at = lower.find(word.as_str())?;
        // Where lower case has other lengths nothing is marked.
        let range = at..at + word.len();
        text.get(range.clone()).is_some().then_some(range)
    });
    let Some(range) = place.filter(|_| lower.len() == text.len()) else {
        return Line::raw(text.to_owned());
    };
    Line::from(vec![
        Span::raw(text[..range.start].to_owned()),
        Span::styled(text[range.clone()].to_owned(), theme.found()),
        Span::raw(text[range.end..].to_owned()),
    ])
}

/// Those without a column of their own.
fn labels(entity: &crate::model::Entity, shown: &[String]) -> String {
    let is_shown = |key: &str| shown.iter().any(|name| name == key);
    let labels = entity.labels.iter().filter(|(key, _)| !is_shown(key));
    let labels: Vec<String> = labels
        .map(|(key, value)| format!("{key}={value}"))
        .collect();
    labels.join(" ")
}

fn counts(shared: &Shared) -> String {
    let all = shared.site.inventory.entities.len();
    let mut text = format!("{} marked", shared.picks.marks.len());
    let hidden = if shared.picks.shown.len() == all || shared.picks.marks.is_empty() {
        0
    } else {
        let shown = shared
            .picks
            .shown
            .iter()
            .filter(|at| shared.picks.marks.contains(at));
        shared.picks.marks.len() - shown.count()
    };
    if hidden > 0 {
        text.push_str(&format!(" ({hidden} not shown)"));
    }
    format!("{text}   {} shown   {all} in all", shared.picks.shown.len())
}
