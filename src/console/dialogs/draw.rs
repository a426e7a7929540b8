//! How dialogs look: a box in the middle of the page, as small as its content allows.

use std::collections::BTreeSet;

use ratatui::Frame;
use ratatui::layout::Rect;
use ratatui::symbols::border;
use ratatui::text::{Line, Span};
use ratatui::widgets::{Block, Clear, Paragraph};
use tui_input::Input;

use crate::console::action::Action;
use crate::console::keymap::{Keymap, Scope};
use crate::console::scroll::Scroll;
use crate::console::widgets::fit::{self, fit};
use crate::model::columns;
use crate::terminal::Theme;

use super::find::Find;
use super::{Dialog, Row, command};

/// ASCII borders for terminals without better ones.
const ASCII: border::Set<'_> = border::Set {
    top_left: "+",
    top_right: "+",
    bottom_left: "+",
    bottom_right: "+",
    vertical_left: "|",
    vertical_right: "|",
    horizontal_top: "-",
    horizontal_bottom: "-",
};

pub(super) fn draw(
    dialog: &Dialog,
    keys: &Keymap,
    rows: usize,
    theme: &Theme,
    frame: &mut Frame<'_>,
    area: Rect,
) {
    let (title, mut lines) = content(dialog, keys, rows, usize::from(area.width), theme);
    // Within border and padding; made for a screen that was wider, say.
    let room = usize::from(area.width).saturating_sub(4);
    for line in lines.iter_mut().filter(|line| line.width() > room) {
        let style = line.spans.first().map_or(line.style, |first| first.style);
        let text: String = line.spans.iter().map(|span| &*span.content).collect();
        *line = Line::styled(columns::cut(&text, room, !theme.ascii), style);
    }
    let widest = lines
        .iter()
        .map(Line::width)
        .max()
        .unwrap_or(0)
        .max(columns::width(&title) + 2);
    let width = u16::try_from(widest + 4)
        .unwrap_or(u16::MAX)
        .clamp(30.min(area.width), area.width);
    let height = u16::try_from(lines.len() + 2)
        .unwrap_or(u16::MAX)
        .min(area.height);
    let place = Rect {
        x: area.x + (area.width - width) / 2,
        y: area.y + (area.height - height) / 2,
        width,
        height,
    };
    let set = if theme.ascii { ASCII } else { border::ROUNDED };
    let block = Block::bordered()
        .border_set(set)
        .title(Span::styled(format!(" {title} "), theme.title()))
        .padding(ratatui::widgets::Padding::horizontal(1));
    frame.render_widget(Clear, place);
    frame.render_widget(Paragraph::new(lines).block(block), place);
}

/// The title, and the lines of which `rows` fit at a time.
fn content<'a>(
    dialog: &'a Dialog,
    keymap: &Keymap,
    rows: usize,
    columns: usize,
    theme: &Theme,
) -> (String, Vec<Line<'a>>) {
    let key = |action| keymap.key(Scope::Dialog(dialog.kind()), &action);
    let (title, lines) = match dialog {
        Dialog::Confirm { title, lines, .. } => {
            let mut lines = plain(lines, theme);
            lines.push(Line::raw(""));
            let keys = format!("{} yes   {} no", key(Action::Yes), key(Action::No));
            lines.push(Line::styled(keys, theme.title()));
            (title.as_str(), lines)
        }
        Dialog::Sheet {
            title, lines, keys, ..
        } => {
            let mut lines = plain(lines, theme);
            let [yes, no] = keys;
            lines.push(Line::raw(""));
            let keys = format!("{} {yes}   {} {no}", key(Action::Yes), key(Action::No));
            lines.push(Line::styled(keys, theme.title()));
            (title.as_str(), lines)
        }
        Dialog::Text {
            title,
            lines,
            input,
            ..
        } => {
            let mut lines = plain(lines, theme);
            lines.push(typed(input, columns, theme));
            (title.as_str(), lines)
        }
        Dialog::Password { title, lines, .. } => {
            let mut lines = plain(lines, theme);
            lines.push(Line::from(vec![
                Span::raw("> "),
                Span::styled("_", theme.cursor()),
                Span::styled("(what you type is not shown)", theme.hint()),
            ]));
            (title.as_str(), lines)
        }
        Dialog::Command { input, chosen } => (
            "Command",
            command_lines((input, *chosen), keymap, rows, columns, theme),
        ),
        Dialog::List {
            title,
            rows: all,
            scroll,
            find,
            ticks,
            ..
        } => {
            let all_again = key(Action::Back);
            let shown = (scroll, rows, all_again.as_str());
            let lines = list_lines(all, (find, ticks.as_ref()), shown, theme);
            (title.as_str(), looked_for(find, lines, columns, theme))
        }
        Dialog::Reading {
            title,
            lines,
            scroll,
            find,
            file,
            run,
        } => {
            let key = key(Action::Report);
            let written = match (file, run) {
                (Some(file), _) => Some(format!("{key} writes it to {}", fit::plain(file, theme))),
                (None, Some(_)) => Some(format!("{key} writes a report of it")),
                (None, None) => None,
            };
            let lines = reading_lines(lines, (scroll, find), written, rows, theme);
            (title.as_str(), looked_for(find, lines, columns, theme))
        }
    };
    (fit::plain(title, theme), lines)
}

fn typed<'a>(input: &Input, columns: usize, theme: &Theme) -> Line<'a> {
    let value = fit::plain(input.value(), theme);
    let width = columns.saturating_sub(10).clamp(1, 60);
    // The end of a long text is where it is typed.
    let skip = value.chars().count().saturating_sub(width - 1);
    let tail: String = value.chars().skip(skip).collect();
    Line::from(vec![
        Span::raw("> "),
        Span::raw(tail),
        Span::styled("_", theme.cursor()),
    ])
}

/// Width of the keys of a command.
const KEYS: usize = 12;

/// What is typed, and the commands that it may mean, with the keys that do the same.
fn command_lines<'a>(
    (input, chosen): (&Input, Option<usize>),
    keys: &Keymap,
    rows: usize,
    columns: usize,
    theme: &Theme,
) -> Vec<Line<'a>> {
    let room = columns.saturating_sub(4);
    let offers = command::matching(input.value());
    let widest = offers
        .iter()
        .map(|offer| offer.name.len())
        .max()
        .unwrap_or(0);
    let rows = rows.saturating_sub(2).max(1);
    let first = (chosen.unwrap_or(0) + 1).saturating_sub(rows);
    let mut lines = vec![Line::from(vec![
        Span::raw(format!(":{}", fit::plain(input.value(), theme))),
        Span::styled("_", theme.cursor()),
    ])];
    let offered = (offers.iter().enumerate()).skip(first).take(rows);
    lines.extend(offered.map(|(at, offer)| {
        let row = keys.row_of(offer.action);
        let key = row.map(|row| row.keys_shown()).unwrap_or_default();
        let text = format!("{:<widest$}  {key:<KEYS$}  {}", offer.name, offer.help);
        let style = match chosen == Some(at) {
            true => theme.cursor(),
            false => theme.hint(),
        };
        Line::styled(fit::cut(&text, room, theme), style)
    }));
    let below = offers.len().saturating_sub(first + rows);
    if below > 0 {
        lines.push(Line::styled(format!("{below} more"), theme.hint()));
    }
    lines
}

/// What is looked for stands above the lines, while it is typed and while it leaves some out.
fn looked_for<'a>(
    find: &Find,
    mut lines: Vec<Line<'a>>,
    columns: usize,
    theme: &Theme,
) -> Vec<Line<'a>> {
    if find.is_typed {
        let mut line = typed(&find.input, columns, theme);
        line.spans[0] = Span::raw("/ ");
        lines.insert(0, line);
    } else if !find.is_empty() {
        let text = format!("/ {}", fit::plain(find.input.value(), theme));
        lines.insert(0, Line::styled(text, theme.hint()));
    }
    lines
}

fn list_lines<'a>(
    all: &[Row],
    (find, ticks): (&Find, Option<&BTreeSet<String>>),
    (scroll, rows, back): (&Scroll, usize, &str),
    theme: &Theme,
) -> Vec<Line<'a>> {
    if all.is_empty() {
        let text = "there is nothing to choose from";
        return vec![Line::styled(text, theme.hint())];
    }
    let widest = all
        .iter()
        .map(|row| columns::width(&fit::plain(&row.label, theme)))
        .max()
        .unwrap_or(0);
    let left = find.left(all);
    let mut lines: Vec<Line<'_>> = (left.iter().enumerate())
        .skip(scroll.offset)
        .take(rows)
        .map(|(at, row)| {
            let row = &all[*row];
            let tick = ticks.map(|ticks| ticks.contains(&row.value));
            list_row((row, tick), widest, at == scroll.cursor, theme)
        })
        .collect();
    if left.is_empty() {
        let text = format!("none of them: {back} shows all");
        lines.push(Line::styled(text, theme.hint()));
    } else if left.len() > rows {
        let last = (scroll.offset + rows).min(left.len());
        let more = format!("{}-{last} of {}", scroll.offset + 1, left.len());
        lines.push(Line::styled(more, theme.hint()).right_aligned());
    }
    lines
}

/// The part of a text that is shown, which part that is, and what `w` writes of it.
fn reading_lines<'a>(
    lines: &[String],
    (scroll, find): (&Scroll, &Find),
    written: Option<String>,
    rows: usize,
    theme: &Theme,
) -> Vec<Line<'a>> {
    let mut shown: Vec<Line<'_>> = lines
        .iter()
        .skip(scroll.offset)
        .take(rows)
        .map(|line| match find.holds(line) {
            true => Line::styled(visible(line, theme), theme.notice()),
            false => Line::raw(visible(line, theme)),
        })
        .collect();
    if lines.len() > rows {
        let last = (scroll.offset + rows).min(lines.len());
        let more = format!("{}-{last} of {}", scroll.offset + 1, lines.len());
        shown.push(Line::styled(more, theme.hint()).right_aligned());
    }
    if let Some(text) = written {
        shown.push(Line::styled(text, theme.hint()));
    }
    shown
}

fn list_row<'a>(
    (row, tick): (&Row, Option<bool>),
    widest: usize,
    here: bool,
    theme: &Theme,
) -> Line<'a> {
    let tick = match tick {
        Some(true) => "[x] ",
        Some(false) => "[ ] ",
        None => "",
    };
    let line = Line::from(vec![
        Span::raw(tick),
        Span::raw(fit(&row.label, widest, theme)),
        Span::styled(
            format!("  {}", fit::plain(&row.detail, theme)),
            theme.hint(),
        ),
    ]);
    if here {
        line.style(theme.cursor())
    } else {
        line
    }
}

fn plain<'a>(lines: &[String], theme: &Theme) -> Vec<Line<'a>> {
    let visible = |line: &String| Line::raw(visible(line, theme));
    lines.iter().map(visible).collect()
}

/// Fit to be shown, indentation kept.
fn visible(line: &str, theme: &Theme) -> String {
    let indent = line.len() - line.trim_start_matches(' ').len();
    format!("{}{}", " ".repeat(indent), fit::plain(line, theme))
}

#[cfg(test)]
mod tests {
    use super::super::Asked;
    use super::*;
    use crate::console::page::Page;
    use crate::console::testing::{ASCII, MONO};

    fn drawn(dialog: &Dialog, theme: &Theme) -> String {
        let (title, lines) = content(dialog, &Keymap::default(), 10, 80, theme);
        lines
            .iter()
            .fold(title, |text, line| format!("{text}\n{line}"))
    }

    /// Every kind of dialog, with a text from outside wherever there can be one.
    #[test]
    fn dialogs_are_of_ascii_alone_where_the_terminal_knows_no_more() {
        let text = || "größe\u{1b}[2J".to_owned();
        let intent = || Asked::Quit;
        let row = Row {
            label: text(),
            detail: text(),
            value: text(),
        };
        let mut reading = Dialog::reading(text(), vec![format!("  {}", text())]);
        if let Dialog::Reading { file, .. } = &mut reading {
            *file = Some(text());
        }
        let command = Dialog::Command {
            input: tui_input::Input::new(text()),
            chosen: None,
        };
        for dialog in [
            Dialog::confirm(text(), [text()], intent()),
            Dialog::sheet(text(), vec![text()], ["go on", "leave it"], intent()),
            Dialog::text(text(), &text(), intent()),
            Dialog::password(text(), vec![text()], intent()),
            Dialog::list(text(), vec![row], intent()),
            reading,
            command,
        ] {
            let ascii = drawn(&dialog, &ASCII);
            assert!(ascii.is_ascii() && ascii.contains("gr??e"), "{ascii}");
            let full = drawn(&dialog, &MONO);
            assert!(full.contains("größe\\u{1b}[2J"), "{full}");
        }
        for page in Page::ALL {
            let help = Dialog::help(&Keymap::default(), Scope::Page(page));
            assert!(drawn(&help, &ASCII).is_ascii());
        }
    }
}
