//! The history page: past runs, the newest first; Enter opens one. Reached by `H` from every page,
//! and read from the journal each time.
//!
//! It has no digit: it is looked at now and then, and its title would crowd out the others on a
//! narrow screen.

#[cfg(test)]
mod tests;

use ratatui::Frame;
use ratatui::layout::{Constraint, Layout, Rect};
use ratatui::text::Line;
use ratatui::widgets::Row;

use crate::console::action::Action;
use crate::console::dialogs::Dialog;
use crate::console::effect::Effect;
use crate::console::page::Page;
use crate::console::past_run::PastRun;
use crate::console::reports;
use crate::console::scroll::Scroll;
use crate::console::state::{Screen, Shared};
use crate::console::widgets::fit::{cut, right};
use crate::console::widgets::table::table;
use crate::model::columns::{count, width};
use crate::model::text::shown;
use crate::protocol::Snapshot;
use crate::terminal::{Theme, Tone};

#[derive(Debug, Default)]
pub(crate) struct View {
    /// None until they were read.
    runs: Option<Vec<PastRun>>,
    scroll: Scroll,
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
        _shared: &Shared,
        _snapshot: &Snapshot,
        theme: &Theme,
        frame: &mut Frame<'_>,
        area: Rect,
    ) {
        draw(self, theme, frame, area);
    }

    fn enter(&mut self, _shared: &mut Shared, _snapshot: &Snapshot) -> Option<Effect> {
        Some(Effect::ReadHistory)
    }
}

/// The head above the list.
const HEAD: usize = 1;

pub(crate) fn came(view: &mut View, shared: &Shared, runs: Vec<PastRun>) {
    let rows = rows(shared);
    let len = runs.len();
    view.runs = Some(runs);
    view.scroll.to(view.scroll.cursor, len, rows);
}

fn rows(shared: &Shared) -> usize {
    shared.page_rows().saturating_sub(HEAD).max(1)
}

pub(crate) fn update(view: &mut View, shared: &mut Shared, action: Action) -> Option<Effect> {
    let rows = rows(shared);
    let runs = view.runs.as_deref().unwrap_or_default();
    match action {
        Action::Past(runs) => came(view, shared, runs),
        Action::OpenedRun { run, text } => opened(shared, &run, &text),
        Action::Back => shared.page = Page::Watch,
        Action::Report => match runs.get(view.scroll.cursor) {
            Some(run) => reports::ask(shared, &run.run),
            None => shared.complain("there is no run to report"),
        },
        Action::Details => {
            let run = runs.get(view.scroll.cursor)?;
            return Some(Effect::OpenRun {
                run: run.run.clone(),
                // Inside the frame of a dialog.
                columns: usize::from(shared.columns).saturating_sub(8).max(40),
            });
        }
        action => {
            let len = runs.len();
            view.scroll.follow(&action, len, rows);
        }
    }
    None
}

/// The text of one run was read.
pub(crate) fn opened(shared: &mut Shared, run: &str, text: &str) {
    let lines = text.lines().map(str::to_owned).collect();
    let mut dialog = Dialog::reading(format!("Run {run}"), lines);
    if let Dialog::Reading { run: of, .. } = &mut dialog {
        *of = Some(run.to_owned());
    }
    shared.dialogs.push(dialog);
}

/// The names of its groups, as many as fit, and behind all of them what else there is.
fn about(run: &PastRun, room: usize) -> String {
    let all = run.groups.len();
    let names = |many: usize| match all - many {
        0 => run.groups.join(", "),
        more => format!("{} and {more} more", run.groups[..many].join(", ")),
    };
    let fits = |many: &usize| width(&shown(&names(*many))) <= room;
    let unproven = match run.unproven {
        0 => String::new(),
        many => format!(" ({many} unproven)"),
    };
    match (1..=all).rev().find(fits) {
        // Also one name that is too long, which is cut.
        Some(many) if many == all => format!("{}{unproven} {}", names(all), run.about),
        None if all <= 1 => format!("{}{unproven} {}", names(all), run.about),
        Some(many) => names(many),
        None => count(all, "group"),
    }
}

/// `2026-11-22 21:50`.
const BEGAN: usize = 16;
const OUTCOME: usize = 9;

pub(crate) fn draw(view: &View, theme: &Theme, frame: &mut Frame<'_>, area: Rect) {
    let [_, body] = Layout::vertical([Constraint::Length(1), Constraint::Fill(1)]).areas(area);
    let fixed = [BEGAN, OUTCOME, 9, 7, 6];
    let rest = usize::from(area.width).saturating_sub(fixed.iter().sum::<usize>() + fixed.len());
    let widths: Vec<usize> = fixed.into_iter().chain([rest]).collect();
    let cells = |began: &str, outcome: &str, counts: [&str; 3], about: &str| {
        let [delivered, skipped, failed] = counts;
        Row::new([
            cut(began, BEGAN, theme),
            cut(outcome, OUTCOME, theme),
            right(delivered, 9, theme),
            right(skipped, 7, theme),
            right(failed, 6, theme),
            cut(about, widths[5], theme),
        ])
    };
    let titles = cells(
        "began",
        "outcome",
        ["delivered", "skipped", "failed"],
        "groups, by",
    );
    let table = table(titles, &widths, 1, theme);
    let Some(runs) = view.runs.as_ref().filter(|runs| !runs.is_empty()) else {
        let text = match view.runs {
            None => "the journal is being read",
            Some(_) => "no run was recorded yet",
        };
        frame.render_widget(table, area);
        frame.render_widget(Line::styled(text, theme.hint()), body);
        return;
    };
    // The screen may have become smaller since the cursor moved.
    let rows = usize::from(body.height);
    let mut scroll = view.scroll;
    scroll.to(scroll.cursor, runs.len(), rows);
    let visible = runs.iter().enumerate().skip(scroll.offset).take(rows);
    let rows = visible.map(|(row, run)| {
        let [delivered, skipped, failed] =
            [run.delivered, run.skipped, run.failed].map(|number| number.to_string());
        let counts = [delivered.as_str(), &skipped, &failed];
        let outcome = match (run.outcome.as_str(), run.unproven) {
            ("delivered", 1..) => "unproven",
            (outcome, _) => outcome,
        };
        let about = about(run, widths[5]);
        let style = match outcome {
            _ if row == scroll.cursor => theme.cursor(),
            "delivered" => theme.tone(Tone::Plain),
            "running" => theme.tone(Tone::Busy),
            "failed" | "cut off" => theme.tone(Tone::Bad),
            _ => theme.tone(Tone::Look),
        };
        cells(&run.began, outcome, counts, &about).style(style)
    });
    let rows: Vec<Row<'_>> = rows.collect();
    frame.render_widget(table.rows(rows), area);
}
