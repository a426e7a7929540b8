//! How the groups page looks: the list, and the group under the cursor in words. They stand one
//! above the other, and side by side where the screen is wide.

mod details;

pub(super) use details::details;
use details::draw_details;
use ratatui::Frame;
use ratatui::layout::{Constraint, Layout, Rect};
use ratatui::text::Line;
use ratatui::widgets::{Cell, Row};

use crate::console::action::Action;
use crate::console::page::Page;
use crate::console::state::Shared;
use crate::console::widgets::fit::{cut, right, share};
use crate::console::widgets::table::table;
use crate::model::{EntityState, Outcome, Standing};
use crate::plan::{Chosen, ResolvedDraft};
use crate::protocol::{GroupPhase, GroupSnapshot, PauseReason, Snapshot};
use crate::terminal::{Theme, Tone};

use super::conflicts::beside_runs;
use super::{View, members};

/// Columns from which on both parts stand side by side.
const WIDE: u16 = 110;
/// The list of a wide screen.
const LIST: u16 = 74;
/// Before the first column, for the mark.
const MARK: usize = 3;
/// In a list that is narrower, columns stand closer together.
const ROOMY: usize = 72;

/// The rows of the list that fit, without its head.
pub(super) fn list_rows(shared: &Shared) -> usize {
    let page = shared.page_rows();
    if shared.columns >= WIDE {
        // Without its head and the footer.
        return page.saturating_sub(2).max(1);
    }
    // The details have at least half of the page.
    let most = (page / 2).saturating_sub(2).max(1);
    shared.drafts.len().clamp(1, most)
}

pub(crate) fn draw(
    view: &View,
    shared: &Shared,
    snapshot: &Snapshot,
    theme: &Theme,
    frame: &mut Frame<'_>,
    area: Rect,
) {
    let [main, footer] = Layout::vertical([Constraint::Fill(1), Constraint::Length(1)]).areas(area);
    let (list, details) = if area.width >= WIDE {
        let [list, _, details] = Layout::horizontal([
            Constraint::Length(LIST),
            Constraint::Length(2),
            Constraint::Fill(1),
        ])
        .areas(main);
        (list, details)
    } else {
        let rows = u16::try_from(list_rows(shared) + 1).unwrap_or(u16::MAX);
        let [list, _, details] = Layout::vertical([
            Constraint::Length(rows),
            Constraint::Length(1),
            Constraint::Fill(1),
        ])
        .areas(main);
        (list, details)
    };
    draw_list(view, shared, snapshot, theme, frame, list);
    frame.render_widget(Line::styled(counts(view, shared), theme.hint()), footer);
    let Some(at) = view.current(shared) else {
        let lines = [
            "There is no group yet.".to_owned(),
            format!(
                "{} makes one of the marked entities, else of what the filter shows;",
                shared.key(Page::Groups, &Action::NewGroup)
            ),
            format!(
                "{} makes groups by type, by version or by both.",
                shared.key(Page::Groups, &Action::AutoGroup)
            ),
        ];
        for (row, line) in details.rows().zip(lines) {
            frame.render_widget(Line::styled(line, theme.hint()), row);
        }
        return;
    };
    draw_details(view, shared, snapshot, theme, frame, details, at);
}

fn count(number: usize, one: &str, many: &str) -> String {
    format!("{number} {}", if number == 1 { one } else { many })
}

fn counts(view: &View, shared: &Shared) -> String {
    let made = shared.drafts.iter().filter(|one| !one.from_inventory);
    format!(
        "{} selected   {}, {} made here   {} marked",
        view.selected.len(),
        count(shared.resolved.groups.len(), "group", "groups"),
        made.count(),
        count(shared.picks.marks.len(), "entity", "entities")
    )
}

fn draw_list(
    view: &View,
    shared: &Shared,
    snapshot: &Snapshot,
    theme: &Theme,
    frame: &mut Frame<'_>,
    area: Rect,
) {
    let texts: Vec<[String; 4]> = shared
        .resolved
        .groups
        .iter()
        .map(|group| {
            [
                group.name.clone(),
                image_name(group),
                versions(shared, group, theme),
                group.source_label(),
            ]
        })
        .collect();
    let titles = ["Group", "Image", "Version", "Source"];
    let wanted = |at: usize, most: usize| {
        let longest = texts.iter().map(|row| row[at].chars().count()).max();
        longest.unwrap_or(0).clamp(titles[at].len(), most)
    };
    const ENTITIES: usize = 5;
    const STATE: usize = 14;
    let columns = [
        (wanted(0, 26), 10),
        (ENTITIES, ENTITIES),
        (wanted(1, 22), 8),
        (wanted(2, 18), 9),
        (wanted(3, 18), 8),
        (STATE, STATE),
    ];
    let room = usize::from(area.width);
    let gap = if room < ROOMY { 1 } else { 2 };
    let gaps = MARK + gap * (columns.len() - 1);
    let mut widths = share(&columns, room.saturating_sub(gaps));
    let shown = usize::from(area.height).saturating_sub(1);
    let mut scroll = view.scroll;
    scroll.to(scroll.cursor, shared.resolved.groups.len(), shown);
    let visible = (scroll.offset..shared.resolved.groups.len()).take(shown);
    let rows = visible.map(|at| {
        let group = &shared.resolved.groups[at];
        let [name, image, version, source] = &texts[at];
        let (marked, unmarked) = theme.mark();
        let mark = if view.selected.contains(&at) {
            marked
        } else {
            unmarked
        };
        let (sign, word, tone) = standing(view, shared, snapshot, theme, at);
        let (accent, none) = theme.accent();
        let accent = if at == scroll.cursor { accent } else { none };
        let row = Row::new([
            Cell::new(format!("{accent}{mark} {}", cut(name, widths[0], theme))),
            Cell::new(right(&group.members.len().to_string(), widths[1], theme)),
            Cell::new(cut(image, widths[2], theme)),
            Cell::new(cut(version, widths[3], theme)),
            Cell::new(cut(source, widths[4], theme)),
            Cell::new(cut(&format!("{sign} {word}"), widths[5], theme)).style(theme.tone(tone)),
        ]);
        if at == scroll.cursor {
            row.style(theme.here())
        } else {
            row
        }
    });
    let rows: Vec<Row<'_>> = rows.collect();
    let titles = ["   Group", " Ents", "Image", "Version", "Source", "State"];
    widths[0] += MARK;
    let table = table(Row::new(titles), &widths, gap, theme);
    frame.render_widget(table.rows(rows), area);
}

fn image_name(group: &ResolvedDraft) -> String {
    match &group.image {
        Chosen::NotYet => String::new(),
        Chosen::Unknown(name) => name.clone(),
        Chosen::Known(image) => image.name.to_string(),
    }
}

/// From which version to which; those that have the image already are skipped and do not count.
fn versions(shared: &Shared, group: &ResolvedDraft, theme: &Theme) -> String {
    let arrow = if theme.ascii { ">" } else { "→" };
    let from: Vec<String> = members::versions(shared, group)
        .into_iter()
        .map(|(version, _)| version.into_owned())
        .collect();
    let Some(image) = group.image.known() else {
        return from.join(",");
    };
    let old: Vec<String> = from
        .into_iter()
        .filter(|version| *version != image.version)
        .collect();
    if old.is_empty() {
        return image.version.clone();
    }
    format!("{} {arrow} {}", old.join(","), image.version)
}

/// The newest run of a group.
fn run_of<'s>(snapshot: &'s Snapshot, group: &ResolvedDraft) -> Option<&'s GroupSnapshot> {
    let mut groups = snapshot.groups.iter().rev();
    groups
        .find(|run| *run.group == *group.name)
        .map(|run| &**run)
}

/// How one stands that has not ended.
fn at_work(
    run: Option<&GroupSnapshot>,
    shared: &Shared,
    theme: &Theme,
) -> (&'static str, String, Tone) {
    let campaign = run.and_then(|run| run.campaign.as_deref());
    let word = campaign.and_then(|one| one.word(shared.time.now, &shared.time.zone));
    let (sign, tone) = match campaign.and_then(|campaign| campaign.pause()) {
        Some(PauseReason::Failures { .. } | PauseReason::WaveFailed { .. }) => ("=", Tone::Bad),
        Some(_) => ("=", Tone::Look),
        None if run.is_some_and(GroupSnapshot::is_at_rest) => {
            (theme.sign(EntityState::Waiting), Tone::Busy)
        }
        None => (theme.sign(EntityState::Sending), Tone::Busy),
    };
    (sign, word.unwrap_or_else(|| "runs".into()), tone)
}

/// How a group stands: a sign and a word.
fn standing(
    view: &View,
    shared: &Shared,
    snapshot: &Snapshot,
    theme: &Theme,
    at: usize,
) -> (&'static str, String, Tone) {
    let group = &shared.resolved.groups[at];
    let conflicts = &view.conflicts[at];
    let run = run_of(snapshot, group);
    if run.is_some_and(|run| !run.phase.is_ended()) {
        return at_work(run, shared, theme);
    }
    let mut blocking = conflicts.iter().filter(|one| one.blocks());
    if let Some(conflict) = blocking.clone().find(|one| !one.is_gap()) {
        return ("!", conflict.short().into(), Tone::Bad);
    }
    if let Some(gap) = blocking.next() {
        return ("?", gap.short().into(), Tone::Look);
    }
    if let Some(conflict) = conflicts.first() {
        return ("~", conflict.short().into(), Tone::Look);
    }
    if let Some(conflict) = beside_runs(&shared.site.inventory, group, snapshot).first() {
        return ("~", conflict.short().into(), Tone::Look);
    }
    match run.map(|run| run.phase) {
        Some(GroupPhase::Ended(outcome)) => {
            let (state, tone) = match outcome {
                Outcome::Delivered => (EntityState::Delivered, Tone::Good),
                Outcome::Partial | Outcome::Failed => (EntityState::Failed, Tone::Bad),
                Outcome::Cancelled => (EntityState::Cancelled, Tone::Look),
                Outcome::Waiting => (EntityState::Waiting, Tone::Look),
            };
            match run.map_or(0, GroupSnapshot::unproven) {
                0 => (theme.sign(state), outcome.to_string(), tone),
                _ if outcome == Outcome::Delivered => (
                    theme.sign(Standing::Unproven),
                    "unproven".into(),
                    Tone::Look,
                ),
                _ => (theme.sign(state), outcome.to_string(), tone),
            }
        }
        _ => ("+", "ready".into(), Tone::Good),
    }
}

const NAMES: usize = 10;
