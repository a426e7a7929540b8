//! How the groups page looks: the list, and the group under the cursor in words. They stand one
//! above the other, and side by side where the screen is wide.

use ratatui::Frame;
use ratatui::layout::{Constraint, Layout, Rect};
use ratatui::text::Line;
use ratatui::widgets::{Cell, Row};

use crate::console::dialogs::Dialog;
use crate::console::state::Shared;
use crate::console::widgets::fit::{cut, plain, right, share};
use crate::console::widgets::table::table;
use crate::model::columns::hang;
use crate::model::{EntityState, Inventory, Outcome, PeerChoice, SourceChoice, Standing, units};
use crate::plan::{Chosen, ResolvedDraft};
use crate::protocol::{GroupPhase, GroupSnapshot, Snapshot};
use crate::terminal::{Theme, Tone};

use super::View;
use super::conflicts::{Conflict, beside_runs};
use super::members;

/// Columns from which on both parts stand side by side.
const WIDE: u16 = 110;
/// The list of a wide screen.
const LIST: u16 = 74;
/// Before the first column, for the mark.
const MARK: usize = 2;
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
            "There is no group yet.",
            "n makes one of the marked entities, else of what the filter shows;",
            "A makes groups by type, by version or by both.",
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
        count(shared.marks.len(), "entity", "entities")
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
    let inventory = &shared.site.inventory;
    let texts: Vec<[String; 4]> = shared
        .resolved
        .groups
        .iter()
        .map(|group| {
            [
                group.name.clone(),
                image_name(group),
                versions(inventory, group, theme),
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
    const STATE: usize = 13;
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
        let row = Row::new([
            Cell::new(format!("{mark} {}", cut(name, widths[0], theme))),
            Cell::new(right(&group.members.len().to_string(), widths[1], theme)),
            Cell::new(cut(image, widths[2], theme)),
            Cell::new(cut(version, widths[3], theme)),
            Cell::new(cut(source, widths[4], theme)),
            Cell::new(cut(&format!("{sign} {word}"), widths[5], theme)).style(theme.tone(tone)),
        ]);
        if at == scroll.cursor {
            row.style(theme.cursor())
        } else {
            row
        }
    });
    let rows: Vec<Row<'_>> = rows.collect();
    let titles = ["  Group", " Ents", "Image", "Version", "Source", "State"];
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
fn versions(inventory: &Inventory, group: &ResolvedDraft, theme: &Theme) -> String {
    let arrow = if theme.ascii { ">" } else { "→" };
    let from: Vec<&str> = members::versions(inventory, group)
        .into_iter()
        .map(|(version, _)| version)
        .collect();
    let Some(image) = group.image.known() else {
        return from.join(",");
    };
    let old: Vec<&str> = from
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
        return (theme.sign(EntityState::Sending), "runs".into(), Tone::Busy);
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

/// A line of the details: what it is about, what it says, and how it is to be seen.
struct Fact {
    name: &'static str,
    text: String,
    tone: Tone,
}

fn facts(view: &View, shared: &Shared, snapshot: &Snapshot, at: usize) -> Vec<Fact> {
    let inventory = &shared.site.inventory;
    let group = &shared.resolved.groups[at];
    let mut facts = Vec::new();
    let mut fact = |name, text: String, tone| facts.push(Fact { name, text, tone });
    let runs = beside_runs(inventory, group, snapshot);
    // Of a group that runs, that matters more than an overlap.
    let in_a_run = |conflict: &&Conflict| match conflict {
        Conflict::Overlap { other, .. } => runs.iter().any(|run| run.is_in_run_of(other)),
        _ => false,
    };
    let fixed = view.conflicts[at].iter();
    let conflicts = runs.iter().chain(fixed.filter(|one| !in_a_run(one)));
    for conflict in conflicts {
        let (sign, tone) = match conflict {
            one if one.is_running() => (">", Tone::Busy),
            one if one.is_gap() => ("?", Tone::Look),
            one if one.blocks() => ("!", Tone::Bad),
            _ => ("~", Tone::Look),
        };
        fact("", format!("{sign} {}", conflict.words()), tone);
    }
    if let Some(image) = group.image.known() {
        let size = image.size.map_or("size not known".into(), units::size);
        let sha256 = if image.sha256.is_some() {
            "SHA-256 known"
        } else {
            "no SHA-256"
        };
        let text = format!(
            "{}: type {}, version {}, {}, {size}, {sha256}",
            image.name, image.type_, image.version, image.file
        );
        fact("image", text, Tone::Plain);
    }
    if let Chosen::Known(source) = &group.source {
        let text = match source {
            SourceChoice::FileServer(server) => {
                format!("{}: file server {}", server.name, members::url(server))
            }
            SourceChoice::Peer(PeerChoice::Named(peer)) => {
                format!("peer {}: {} {}", peer.name, peer.address, peer.path)
            }
            SourceChoice::Peer(PeerChoice::Any(_)) => "any peer that has the image".into(),
        };
        fact("source", text, Tone::Plain);
    }
    let versions = members::versions(inventory, group)
        .into_iter()
        .map(|(version, count)| {
            let version = if version.is_empty() {
                "not known"
            } else {
                version
            };
            format!("{version} ({count})")
        });
    let mut versions: Vec<String> = versions.collect();
    let skipped = group.image.known().map_or(0, |image| {
        let members = group.members.iter();
        members
            .filter(|at| image.is_on(&inventory.entities[**at]))
            .count()
    });
    if skipped > 0 {
        versions.push(format!("{skipped} will be skipped"));
    }
    if !versions.is_empty() {
        fact("versions", versions.join(", "), Tone::Plain);
    }
    let policy = &group.policy;
    let text = format!(
        "{}; {}",
        policy.laggards_in_words(),
        policy.parallel_in_words()
    );
    fact("laggards", text, Tone::Plain);
    fact("retries", policy.limits.retries_in_words(), Tone::Plain);
    if let Some(run) = run_of(snapshot, group) {
        let count = |state| run.entities.iter().filter(|one| one.state == state).count();
        let text = format!(
            "{} delivered, {} skipped, {} failed of {}",
            count(EntityState::Delivered),
            count(EntityState::Skipped),
            count(EntityState::Failed),
            run.entities.len()
        );
        let name = if run.phase.is_ended() {
            "last run"
        } else {
            "this run"
        };
        fact(name, text, Tone::Plain);
    }
    let members = format!(
        "{}: {}",
        group.members.len(),
        members::folded(inventory, &group.members)
    );
    fact("entities", members, Tone::Plain);
    facts
}

const NAMES: usize = 10;

/// The facts, on lines of this number of columns.
fn lines(facts: &[Fact], columns: usize) -> Vec<(String, Tone)> {
    let mut lines = Vec::new();
    for fact in facts {
        let names = if fact.name.is_empty() { 0 } else { NAMES };
        let indent = if names == 0 { 2 } else { 0 };
        let room = columns.saturating_sub(names);
        for (line, text) in hang(&fact.text, indent, room).into_iter().enumerate() {
            let name = if line == 0 { fact.name } else { "" };
            lines.push((format!("{name:<names$}{text}"), fact.tone));
        }
    }
    lines
}

fn title(shared: &Shared, at: usize) -> String {
    let origin = if shared.drafts[at].from_inventory {
        "of the inventory"
    } else {
        "made here"
    };
    format!("{}, {origin}", shared.resolved.groups[at].name)
}

fn draw_details(
    view: &View,
    shared: &Shared,
    snapshot: &Snapshot,
    theme: &Theme,
    frame: &mut Frame<'_>,
    area: Rect,
    at: usize,
) {
    let columns = usize::from(area.width);
    let mut rows = area.rows();
    if let Some(row) = rows.next() {
        let title = cut(&title(shared, at), columns, theme);
        frame.render_widget(Line::styled(title, theme.head()), row);
    }
    let lines = lines(&facts(view, shared, snapshot, at), columns);
    let room = usize::from(area.height).saturating_sub(1);
    let (kept, more) = if lines.len() > room {
        (room.saturating_sub(1), true)
    } else {
        (lines.len(), false)
    };
    for ((text, tone), row) in lines.iter().take(kept).zip(rows.by_ref()) {
        let indent = text.len() - text.trim_start_matches(' ').len();
        let text = format!("{}{}", " ".repeat(indent), plain(text, theme));
        frame.render_widget(Line::styled(text, theme.tone(*tone)), row);
    }
    if more && let Some(row) = rows.next() {
        let text = format!("{} more lines: Enter shows all", lines.len() - kept);
        frame.render_widget(Line::styled(text, theme.hint()), row);
    }
}

/// All of it as a text to read.
pub(super) fn details(view: &mut View, shared: &mut Shared, snapshot: &Snapshot, at: usize) {
    let columns = usize::from(shared.columns).saturating_sub(6).clamp(40, 90);
    let facts = facts(view, shared, snapshot, at);
    let lines = lines(&facts, columns).into_iter().map(|(text, _)| text);
    let title = title(shared, at);
    shared.dialogs.push(Dialog::reading(title, lines.collect()));
}
