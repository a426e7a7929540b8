//! What is said of one group, below the list and whole.

use ratatui::Frame;
use ratatui::layout::Rect;
use ratatui::text::Line;

use crate::console::action::Action;
use crate::console::activation::can_activate;
use crate::console::dialogs::Dialog;
use crate::console::page::Page;
use crate::console::pages::groups::conflicts::{Conflict, beside_runs};
use crate::console::pages::groups::{View, members};
use crate::console::state::{Shared, Time};
use crate::console::widgets::fit::{cut, plain};
use crate::model::columns::hang;
use crate::model::{EntityState, PeerChoice, SourceChoice, units};
use crate::plan::{Chosen, ResolvedDraft};
use crate::protocol::Snapshot;
use crate::terminal::{Theme, Tone};

use super::{NAMES, run_of};

/// A line of the details: what it is about, what it says, and how it is to be seen.
pub(super) struct Fact {
    name: &'static str,
    text: String,
    tone: Tone,
}

impl Fact {
    fn plain(name: &'static str, text: String) -> Self {
        Self {
            name,
            text,
            tone: Tone::Plain,
        }
    }
}

pub(super) fn facts(view: &View, shared: &Shared, snapshot: &Snapshot, at: usize) -> Vec<Fact> {
    let inventory = &shared.site.inventory;
    let group = &shared.resolved.groups[at];
    let policy = &group.policy;
    let laggards = [policy.laggards_in_words(), policy.parallel_in_words()].join("; ");
    let entities = format!(
        "{}: {}",
        group.members.len(),
        members::folded(inventory, &group.members)
    );
    let mut facts = conflicts(shared, group, &view.conflicts[at], snapshot);
    facts.extend(image(group));
    facts.extend(sources(group));
    facts.extend(versions(shared, group));
    facts.push(Fact::plain("laggards", laggards));
    facts.push(Fact::plain("retries", policy.limits.retries_in_words()));
    facts.extend(extent(shared, group));
    let campaign = group.campaign.in_words().into_iter();
    facts.extend(campaign.map(|(name, text)| Fact::plain(name, text)));
    facts.extend(held(group, snapshot, &shared.time));
    facts.extend(results(group, snapshot));
    facts.push(Fact::plain("entities", entities));
    facts
}

fn conflicts(
    shared: &Shared,
    group: &ResolvedDraft,
    fixed: &[Conflict],
    snapshot: &Snapshot,
) -> Vec<Fact> {
    let runs = beside_runs(&shared.site.inventory, group, snapshot);
    // Of a group that runs, that matters more than an overlap.
    let in_a_run = |conflict: &&Conflict| match conflict {
        Conflict::Overlap { other, .. } => runs.iter().any(|run| run.is_in_run_of(other)),
        _ => false,
    };
    let fact = |conflict: &Conflict| {
        let (sign, tone) = match conflict {
            one if one.is_running() => (">", Tone::Busy),
            one if one.is_gap() => ("?", Tone::Look),
            one if one.blocks() => ("!", Tone::Bad),
            _ => ("~", Tone::Look),
        };
        let text = format!("{sign} {}", conflict.words(shared.keys()));
        Fact {
            name: "",
            text,
            tone,
        }
    };
    let fixed = fixed.iter().filter(|one| !in_a_run(one));
    runs.iter().chain(fixed).map(fact).collect()
}

fn image(group: &ResolvedDraft) -> Option<Fact> {
    let image = group.image.known()?;
    let size = image.size.map_or("size not known".into(), units::size);
    let sha256 = match image.sha256 {
        Some(_) => "SHA-256 known",
        None => "no SHA-256",
    };
    let text = format!(
        "{}: type {}, version {}, {}, {size}, {sha256}",
        image.name, image.type_, image.version, image.file
    );
    Some(Fact::plain("image", text))
}

/// In the order in which they are tried.
fn sources(group: &ResolvedDraft) -> impl Iterator<Item = Fact> {
    group.sources().enumerate().filter_map(|(place, source)| {
        let Chosen::Known(source) = source else {
            return None;
        };
        let text = match source {
            SourceChoice::FileServer(server) => {
                format!("{}: file server {}", server.name, members::url(server))
            }
            SourceChoice::File(path) => format!("file {path} of this host"),
            SourceChoice::Peer(PeerChoice::Named(peer)) => {
                format!("peer {}: {} {}", peer.name, peer.address, peer.path)
            }
            SourceChoice::Peer(PeerChoice::Any(_)) => "any peer that has the image".into(),
        };
        Some(match place {
            0 => Fact::plain("source", text),
            _ => Fact::plain("", format!("then {text}")),
        })
    })
}

/// What the entities have, and how many of them have the image already.
fn versions(shared: &Shared, group: &ResolvedDraft) -> Option<Fact> {
    let entities = &shared.site.inventory.entities;
    let counts = members::versions(shared, group).into_iter();
    let mut versions: Vec<String> = counts
        .map(|(version, count)| match &*version {
            "" => format!("not known ({count})"),
            version => format!("{version} ({count})"),
        })
        .collect();
    let skipped = group.image.known().map_or(0, |image| {
        let members = group.members.iter();
        members
            .filter(|at| {
                let entity = &entities[**at];
                image.is_on(entity) || shared.presence.version(entity) == image.version
            })
            .count()
    });
    if skipped > 0 {
        versions.push(format!("{skipped} will be skipped"));
    }
    (!versions.is_empty()).then(|| Fact::plain("versions", versions.join(", ")))
}

/// How far it goes, where devices can be made to run the image, and what is done on them.
fn extent(shared: &Shared, group: &ResolvedDraft) -> Vec<Fact> {
    let Some(image) = group.image.known() else {
        return Vec::new();
    };
    let inventory = &shared.site.inventory;
    let procedure = inventory.procedure(&image.type_);
    let procedure = procedure.map(|one| Fact::plain("procedure", one.in_words()));
    let mut facts = Vec::from_iter(procedure);
    if can_activate(inventory, &image.type_).is_ok() {
        let mut text = group.policy.extent_in_words().to_owned();
        if !group.policy.extent.activates() {
            let activate = shared.key(Page::Groups, &Action::Activate);
            text += &format!("; {activate} makes those that hold it run it");
        }
        facts.insert(0, Fact::plain("activate", text));
    }
    facts
}

/// Why nobody of its run begins.
fn held(group: &ResolvedDraft, snapshot: &Snapshot, time: &Time) -> Option<Fact> {
    let run = run_of(snapshot, group).filter(|run| !run.phase.is_ended())?;
    let text = run
        .campaign
        .as_deref()?
        .held_in_words(time.now, &time.zone)?;
    Some(Fact {
        name: "now",
        text,
        tone: Tone::Look,
    })
}

/// Of the newest run of the group.
fn results(group: &ResolvedDraft, snapshot: &Snapshot) -> Option<Fact> {
    let run = run_of(snapshot, group)?;
    let count = |state| run.entities.iter().filter(|one| one.state == state).count();
    let words = [
        (EntityState::Upgraded, "upgraded", false),
        (EntityState::Delivered, "delivered", true),
        (EntityState::Skipped, "skipped", true),
        (EntityState::RolledBack, "rolled back", false),
        (EntityState::Failed, "failed", true),
    ];
    let said = words.into_iter().filter_map(|(state, word, always)| {
        let many = count(state);
        (always || many > 0).then(|| format!("{many} {word}"))
    });
    let said: Vec<String> = said.collect();
    let text = format!("{} of {}", said.join(", "), run.entities.len());
    let name = match run.phase.is_ended() {
        true => "last run",
        false => "this run",
    };
    Some(Fact::plain(name, text))
}

/// The facts, on lines of this number of columns.
pub(super) fn lines(facts: &[Fact], columns: usize) -> Vec<(String, Tone)> {
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

pub(super) fn title(shared: &Shared, at: usize) -> String {
    let origin = if shared.drafts[at].from_inventory {
        "of the inventory"
    } else {
        "made here"
    };
    format!("{}, {origin}", shared.resolved.groups[at].name)
}

pub(super) fn draw_details(
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
        let enter = shared.key(Page::Groups, &Action::Details);
        let text = format!("{} more lines: {enter} shows all", lines.len() - kept);
        frame.render_widget(Line::styled(text, theme.hint()), row);
    }
}

/// All of it as a text to read.
pub(in crate::console::pages::groups) fn details(
    view: &mut View,
    shared: &mut Shared,
    snapshot: &Snapshot,
    at: usize,
) {
    let columns = usize::from(shared.columns).saturating_sub(6).clamp(40, 90);
    let facts = facts(view, shared, snapshot, at);
    let lines = lines(&facts, columns).into_iter().map(|(text, _)| text);
    let title = title(shared, at);
    shared.dialogs.push(Dialog::reading(title, lines.collect()));
}
