//! How the log page looks: the records, and beside them their targets.

use log::LevelFilter;
use ratatui::Frame;
use ratatui::buffer::Buffer;
use ratatui::layout::Rect;
use ratatui::style::{Modifier, Style};
use ratatui::text::Line;
use ratatui::widgets::Widget;
use tui_logger::{TuiLoggerTargetWidget, TuiWidgetEvent};

use crate::console::action::Action;
use crate::console::page::Page;
use crate::console::state::Shared;
use crate::console::widgets::fit::{cut, plain};
use crate::model::{columns, units};
use crate::terminal::{Theme, Tone};

use super::lines;
use super::{HEAD, LETTERS, Target, View};

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
        false => lines::draw(
            &view.shown(),
            (theme, &shared.time.zone),
            view.below(),
            body,
            &mut drawn,
        ),
    };
    frame.buffer_mut().merge(&drawn);
    if records.is_empty() {
        let text = if view.targets.is_empty() {
            "Nothing was logged yet.".to_owned()
        } else {
            let key = |action| shared.key(Page::Log, &action);
            format!(
                "No line fits; {} shows more levels, {} more targets, {} another entity or all.",
                key(Action::LogMore),
                key(Action::LogTargets),
                key(Action::LogEntity)
            )
        };
        let text = cut(&text, usize::from(body.width), theme);
        frame.render_widget(Line::raw(text), body);
    }
}

pub(super) fn split(area: Rect) -> [Rect; 2] {
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
pub(super) fn targets(view: &View, selected: usize, theme: &Theme, area: Rect) -> Buffer {
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

pub(super) fn head(view: &View, shared: &Shared, theme: &Theme) -> [(String, Style); 2] {
    let all = view.targets.len();
    let key = |action| shared.key(Page::Log, &action);
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
                "line {} of {total}, {} follows",
                total.saturating_sub(at.below),
                key(Action::Last)
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
            format!(
                "{name}: {level}, {count}   {} hides or shows, {} all, {} closes",
                key(Action::LogToggle),
                key(Action::LogToggleAll),
                key(Action::LogTargets)
            )
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
            let zone = &shared.time.zone;
            let zone = zone.iana_name().unwrap_or("local");
            let zone = zone.strip_prefix("Etc/").unwrap_or(zone);
            format!("times are {zone}{output}   {file}")
        }
    };
    [(first, theme.head()), (second, theme.hint())]
}
