//! Choosing where a group's image is read from: a file server, one peer, or any peer that has it. In a
//! group with an order of sources, the one that is chosen comes first.
//!
//! The rows say what is known of each peer. `a` has the peers asked whether they have the image, which logs in to each:
//! that is never done unasked. Esc stops it.

use std::collections::HashMap;

use crate::console::action::Action;
use crate::console::asked::{Asked, OfGroups};
use crate::console::dialogs::{Dialog, Row};
use crate::console::effect::Effect;
use crate::console::keymap::{Kind, Scope};
use crate::console::page::Page;
use crate::console::state::Shared;
use crate::model::names::natural;
use crate::model::{Entity, SourceSpec, columns, units};
use crate::protocol::{Command, GroupSpec, PeerCheck};

use super::View;
use super::members::{types, url};
use super::{arrived, changed, made, push};

/// Before the name of a file server or of a peer.
const SERVER: &str = "server:";
const PEER: &str = "peer:";
const ANY: &str = "any";

pub(super) fn open(shared: &mut Shared, at: usize) {
    let group = &shared.resolved.groups[at];
    let title = match group.then.is_empty() {
        true => format!("Source of {}", group.name),
        false => format!(
            "First source of {}: {} (the first again: that one alone)",
            group.name,
            group.source_label()
        ),
    };
    let rows = rows(shared, at);
    push(
        shared,
        Dialog::list(title, rows, Asked::Groups(OfGroups::Source { at })),
    );
    let ask = shared.keys().key(Scope::Dialog(Kind::List), &Action::Ask);
    shared.say(format!(
        "{ask} asks the peers whether they have the image: it logs in to each of them"
    ));
}

/// Has the peers asked for the group's image.
pub(super) fn ask_peers(shared: &mut Shared, at: usize) -> Option<Effect> {
    let group = &shared.resolved.groups[at];
    let image = match (&shared.drafts[at].spec, group.image.known()) {
        (GroupSpec::Made(made), Some(known)) => Some((made.image.clone(), known.clone())),
        _ => None,
    };
    let Some((spec, image)) = image else {
        let key = shared.key(Page::Groups, &Action::PickImage);
        shared.say(format!(
            "without an image no peer can be asked for it: choose one first ({key})"
        ));
        return None;
    };
    let many = (shared.site.inventory.entities.iter())
        .filter(|entity| entity.type_ == image.type_)
        .count();
    let many = columns::count(many, "entity");
    shared.say(format!(
        "{many} of type {} are being asked: {} stops it",
        image.type_,
        shared.keys().key(Scope::Dialog(Kind::List), &Action::Back)
    ));
    shared.answers.asking.insert(image.name.clone());
    arrived(shared);
    Some(Effect::Send(vec![Command::AskPeers { image: spec }]))
}

pub(super) fn rows(shared: &Shared, at: usize) -> Vec<Row> {
    let inventory = &shared.site.inventory;
    let group = &shared.resolved.groups[at];
    let mut rows: Vec<Row> = inventory
        .file_servers
        .iter()
        .map(|server| Row {
            label: server.name.to_string(),
            detail: format!("file server {}", url(server)),
            value: format!("{SERVER}{}", server.name),
        })
        .collect();
    let image = group.image.known();
    let of_types = match image {
        Some(image) => [&*image.type_].into(),
        None => types(inventory, group),
    };
    let has_version = |entity: &Entity| {
        image.is_some_and(|image| {
            image.is_on(entity) || *shared.presence.version(entity) == image.version
        })
    };
    let mut peers: Vec<usize> = (0..inventory.entities.len())
        .filter(|peer| of_types.contains(&*inventory.entities[*peer].type_))
        .collect();
    // Those that have it by the inventory's word stand first.
    peers.sort_by(|a, b| {
        let (a, b) = (&inventory.entities[*a], &inventory.entities[*b]);
        let having = has_version(b).cmp(&has_version(a));
        having.then_with(|| natural(&a.name, &b.name))
    });
    let checks: HashMap<&str, &PeerCheck> = image
        .and_then(|image| shared.answers.peers.get(&image.name))
        .map(|checks| checks.iter().map(|check| (&*check.entity, check)).collect())
        .unwrap_or_default();
    let is_asking = image.is_some_and(|image| shared.answers.asking.contains(&image.name));
    let having = checks.values().filter(|check| check.has_it).count();
    let by_word = peers
        .iter()
        .filter(|peer| has_version(&inventory.entities[**peer]))
        .count();
    rows.push(Row {
        label: "any peer that has it".into(),
        detail: if is_asking {
            let back = shared.keys().key(Scope::Dialog(Kind::List), &Action::Back);
            format!("they are being asked ({back} stops)")
        } else if checks.is_empty() {
            format!("{by_word} by the inventory, not checked")
        } else {
            format!("{having} have it, {} checked", checks.len())
        },
        value: ANY.into(),
    });
    rows.extend(peers.into_iter().map(|peer| {
        let entity = &inventory.entities[peer];
        let answer = checks
            .get(&*entity.name)
            .map_or("not checked".into(), |check| answer(check));
        // A target that has the image is skipped, and so can be read.
        let target = if group.members.contains(&peer) {
            ", a target"
        } else {
            ""
        };
        Row {
            label: format!("{PEER}{}", entity.name),
            detail: format!("{}{target}: {answer}", shared.presence.version(entity)),
            value: format!("{PEER}{}", entity.name),
        }
    }));
    rows
}

fn answer(check: &PeerCheck) -> String {
    match (&check.file, check.has_it) {
        (Ok(Some(size)), true) => format!("has it, {}", units::size(*size)),
        (Ok(None), true) => "has it, size not told".into(),
        (Ok(Some(size)), false) => format!("has another file, {}", units::size(*size)),
        (Ok(None), false) => "has another file".into(),
        (Err(cause), _) => cause.clone(),
    }
}

pub(super) fn chosen(
    view: &mut View,
    shared: &mut Shared,
    at: usize,
    value: &str,
) -> Option<Effect> {
    let source = if value == ANY {
        SourceSpec::AnyPeer
    } else if let Some(server) = value.strip_prefix(SERVER) {
        SourceSpec::FileServer(server.into())
    } else {
        SourceSpec::Peer(value.strip_prefix(PEER)?.into())
    };
    made(shared, at)?.prefer(source);
    changed(view, shared)
}
