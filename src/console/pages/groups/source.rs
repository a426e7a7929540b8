//! Choosing where a group's image is read from: a file server, one peer, or any peer that has it. In a
//! group with an order of sources, the one that is chosen comes first.
//!
//! When the list is opened, the peers are asked whether they have the image; the rows tell what
//! each answered as the answers come.

use std::collections::HashMap;

use crate::console::asked::{Asked, OfGroups};
use crate::console::dialogs::{Dialog, Row};
use crate::console::effect::Effect;
use crate::console::state::Shared;
use crate::model::names::natural;
use crate::model::{Entity, SourceSpec, units};
use crate::protocol::{Command, GroupSpec, PeerCheck};

use super::View;
use super::members::{types, url};
use super::{changed, made, push};

/// Before the name of a file server or of a peer.
const SERVER: &str = "server:";
const PEER: &str = "peer:";
const ANY: &str = "any";

pub(super) fn ask(shared: &mut Shared, at: usize) -> Option<Effect> {
    let group = &shared.resolved.groups[at];
    let title = match group.then.is_empty() {
        true => format!("Source of {}", group.name),
        false => format!(
            "First source of {}: {} (the first again: that one alone)",
            group.name,
            group.source_label()
        ),
    };
    let asks = match &shared.drafts[at].spec {
        GroupSpec::Made(made) if group.image.known().is_some() => Some(Command::AskPeers {
            image: made.image.clone(),
        }),
        _ => None,
    };
    let rows = rows(shared, at);
    push(
        shared,
        Dialog::list(title, rows, Asked::Groups(OfGroups::Source { at })),
    );
    match asks {
        Some(command) => Some(Effect::Send(vec![command])),
        None => {
            shared.say("without an image no peer can be asked for it: choose one first (i)");
            None
        }
    }
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
    let has_version = |entity: &Entity| image.is_some_and(|image| image.is_on(entity));
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
    let having = checks.values().filter(|check| check.has_it).count();
    let by_word = peers
        .iter()
        .filter(|peer| has_version(&inventory.entities[**peer]))
        .count();
    rows.push(Row {
        label: "any peer that has it".into(),
        detail: if checks.is_empty() {
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
            detail: format!("{}{target}: {answer}", entity.version),
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
