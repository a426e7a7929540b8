//! Where a group's image is read from: file servers and peers in the operator's order of preference
//! (Figure 4, \[0027\]), which of them can be read now, and which were left because of what they sent.

mod ask;
mod order;
#[cfg(test)]
mod tests;

use std::collections::HashSet;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use crate::model::{
    Entity, Failure, Fault, FileServer, Group, Image, Logins, Name, PeerChoice, SourceChoice, Step,
};
use crate::transport::{Remote, Transport};

use super::registry::{PeerRegistry, Server};
use order::Offer;

/// A source that was chosen, by its name in reports.
#[derive(Debug, Clone)]
pub(crate) struct Chosen {
    pub(crate) name: Name,
    pub(crate) remote: Remote,
    pub(crate) peer: Option<Peer>,
}

/// An entity that is a source.
#[derive(Debug, Clone)]
pub(crate) struct Peer {
    pub(crate) entity: Name,
    /// The SHA-256 that its copy was proven to have, by this run or an earlier one.
    pub(crate) proven: Option<[u8; 32]>,
}

impl Chosen {
    fn peer(entity: &Entity, remote: Remote, proven: Option<[u8; 32]>) -> Self {
        Self {
            name: peer_name(entity),
            remote,
            peer: Some(Peer {
                entity: entity.name.clone(),
                proven,
            }),
        }
    }

    /// Devices come and go: a peer that fails is replaced, a file server is first tried again.
    pub(crate) fn is_peer(&self) -> bool {
        self.peer.is_some()
    }
}

/// A source that a pass comes to when those before it have failed.
#[derive(Debug, Clone)]
#[expect(clippy::large_enum_variant, reason = "most are of the large one")]
pub(crate) enum Candidate {
    Known(Chosen),
    /// Entities that are asked whether they hold the image when it is their turn: devices are not
    /// troubled for nothing.
    Peers(PeerChoice),
    /// One that can't be read by this run.
    Unfit(Name, Failure),
}

impl Candidate {
    pub(crate) fn name(&self) -> Name {
        match self {
            Self::Known(chosen) => chosen.name.clone(),
            Self::Peers(choice) => SourceChoice::Peer(choice.clone()).label().into(),
            Self::Unfit(name, _) => name.clone(),
        }
    }

    pub(crate) fn known(&self) -> Option<&Chosen> {
        match self {
            Self::Known(chosen) => Some(chosen),
            _ => None,
        }
    }
}

/// Everything that a group's image can be read from.
#[derive(Debug)]
pub(crate) struct Sources {
    pub(crate) group: Arc<Group>,
    logins: Arc<Logins>,
    pub(crate) holders: PeerRegistry,
    /// What the operator asked for, in the order of preference. One of them is known.
    asked_for: Vec<Candidate>,
    /// They take over where a peer alone was asked for.
    file_servers: Vec<Chosen>,
    /// Why those before the one that is read first were passed over.
    pub(crate) passed_over: Option<String>,
    judged: Mutex<Judged>,
}

/// What the run has found out about sources by the bytes that they gave.
#[derive(Debug, Default)]
struct Judged {
    /// Those that are read no more, and why.
    left: Vec<(Name, String)>,
    /// Several gave the bytes of a wrong image, and it is not known which: they are read last.
    suspected: HashSet<Name>,
}

impl Sources {
    /// Asks those that may hold the image in the order of preference, until one does.
    ///
    /// # Errors
    /// Step `select`: what became of each.
    pub(crate) async fn choose<T: Transport>(
        transport: &Arc<T>,
        group: &Arc<Group>,
        logins: &Arc<Logins>,
        holders: &PeerRegistry,
        file_servers: &[Arc<FileServer>],
    ) -> Result<Self, Failure> {
        let mut sources = Self::none(group, logins, holders);
        if let (SourceChoice::Peer(_), []) = (&group.source, group.then.as_slice()) {
            let of = |server: &Arc<FileServer>| of_server(server, &group.image, logins).ok();
            sources.file_servers = file_servers.iter().filter_map(of).collect();
        }
        let mut refused: Vec<(Name, Failure)> = Vec::new();
        let mut is_known = false;
        for choice in group.sources() {
            let candidate = sources.candidate(choice);
            if is_known {
                sources.asked_for.push(candidate);
                continue;
            }
            match sources.find(transport, &candidate).await {
                Ok(found) => {
                    is_known = true;
                    sources
                        .asked_for
                        .extend(found.into_iter().map(Candidate::Known));
                }
                Err(failure) => {
                    refused.push((candidate.name(), failure));
                    sources.asked_for.push(candidate);
                }
            }
        }
        if !is_known {
            return Err(failed(refused, Step::Select));
        }
        let why = |(name, failure): &(Name, Failure)| format!("{name} failed: {failure}");
        let why: Vec<String> = refused.iter().map(why).collect();
        sources.passed_over = (!why.is_empty()).then(|| why.join("; "));
        Ok(sources)
    }

    fn none(group: &Arc<Group>, logins: &Arc<Logins>, holders: &PeerRegistry) -> Self {
        Self {
            group: group.clone(),
            logins: logins.clone(),
            holders: holders.clone(),
            asked_for: Vec::new(),
            file_servers: Vec::new(),
            passed_over: None,
            judged: Mutex::default(),
        }
    }

    /// What would be read first of one source that was asked for.
    ///
    /// # Errors
    /// Step `select`: why it can't be read.
    pub(crate) async fn first<T: Transport>(
        transport: &Arc<T>,
        group: &Arc<Group>,
        logins: &Arc<Logins>,
        holders: &PeerRegistry,
        choice: &SourceChoice,
    ) -> Result<Chosen, Failure> {
        let sources = Self::none(group, logins, holders);
        let found = sources.find(transport, &sources.candidate(choice)).await?;
        let reason = || "there is no source".to_owned();
        let none = || Failure::new(Step::Select, Fault::NoPeer { reason: reason() });
        found.into_iter().next().ok_or_else(none)
    }

    /// Without asking anybody.
    fn candidate(&self, choice: &SourceChoice) -> Candidate {
        match choice {
            SourceChoice::FileServer(server) => {
                match of_server(server, &self.group.image, &self.logins) {
                    Ok(chosen) => Candidate::Known(chosen),
                    Err(failure) => Candidate::Unfit(server.name.clone(), failure),
                }
            }
            SourceChoice::File(path) => Candidate::Known(Chosen {
                name: choice.label().into(),
                remote: Remote::of_file(path),
                peer: None,
            }),
            SourceChoice::Peer(choice) => Candidate::Peers(choice.clone()),
        }
    }

    /// What a pass can read from, in the order in which it does, and the place of the one that it
    /// begins with. A later pass begins with the entities that this run has delivered: they spare the
    /// file server. `written` are the servers of entities that are to be written. Empty: all that can
    /// be read have sent something else than the image.
    pub(crate) fn order(&self, later: bool, written: &HashSet<Server>) -> (Vec<Candidate>, usize) {
        let holders = self.holders.of(&self.group.image).into_iter();
        let holders = holders.filter_map(|(holder, sha256)| {
            let remote = Remote::of_entity(&holder, &self.logins).ok()?;
            Some(Chosen::peer(&holder, remote, Some(sha256)))
        });
        let asked_for = self.asked_for.iter().filter(|one| !self.is_any_left(one));
        let offer = Offer {
            holders: holders.collect(),
            asked_for: asked_for.cloned().collect(),
            file_servers: (self.file_servers.iter())
                .filter(|server| !self.is_left(server))
                .cloned()
                .collect(),
        };
        let mut order = offer.order(later, written, |server| self.holders.sessions(server));
        let suspected = self.judged().suspected.clone();
        order.sort_by_key(|one| suspected.contains(&one.name()));
        if order.iter().all(|one| matches!(one, Candidate::Unfit(..))) {
            order.clear();
        }
        let first = match later {
            false => order.iter().position(|one| one.known().is_some()),
            true => None,
        };
        (order, first.unwrap_or(0))
    }

    /// The SHA-256 that the image is proven to have on entities, if it is the same on all: what
    /// another peer sends is compared with it. A file server may have a newer one.
    pub(crate) fn proven(&self) -> Option<[u8; 32]> {
        let mut all = self.holders.known(&self.group.image).into_iter();
        let (_, first) = all.next()?;
        all.all(|(_, other)| other == first).then_some(first)
    }

    /// Whether anything can be read beside these, or each of them by itself.
    pub(crate) fn are_others(&self, than: &[Name]) -> bool {
        let is_other = |one: &Candidate| {
            let is_fit = !matches!(one, Candidate::Unfit(..));
            is_fit && !than.contains(&one.name()) && !self.is_any_left(one)
        };
        let is_server = |one: &Chosen| !than.contains(&one.name) && !self.is_left(one);
        than.len() > 1
            || self.asked_for.iter().any(is_other)
            || self.file_servers.iter().any(is_server)
    }

    /// What this source sent is not the image: the run reads it no more.
    pub(crate) fn leave(&self, name: &Name, peer: Option<&Name>, reason: &str) {
        if let Some(peer) = peer {
            self.holders.leave(peer);
        }
        tracing::warn!("{name} is read no more in this run: {reason}");
        let mut judged = self.judged();
        if !judged.left.iter().any(|(left, _)| left == name) {
            judged.left.push((name.clone(), reason.to_owned()));
        }
    }

    /// Whether a source was [left](Self::leave). A peer is believed again once it was delivered anew.
    pub(crate) fn is_left(&self, chosen: &Chosen) -> bool {
        self.was_left(&chosen.name, chosen.peer.as_ref().map(|peer| &peer.entity))
    }

    fn is_any_left(&self, candidate: &Candidate) -> bool {
        match candidate {
            Candidate::Known(chosen) => self.is_left(chosen),
            Candidate::Peers(PeerChoice::Named(peer)) => self.holders.is_left(&peer.name),
            Candidate::Peers(PeerChoice::Any(_)) | Candidate::Unfit(..) => false,
        }
    }

    /// As [`Self::is_left`], of a source by its name, and the entity where it is a peer.
    pub(crate) fn was_left(&self, name: &Name, peer: Option<&Name>) -> bool {
        match peer {
            Some(peer) => self.holders.is_left(peer),
            None => self.judged().left.iter().any(|(left, _)| left == name),
        }
    }

    /// It gave a part of a wrong image.
    pub(crate) fn suspect(&self, name: &Name) {
        self.judged().suspected.insert(name.clone());
    }

    pub(crate) fn is_suspected(&self, name: &Name) -> bool {
        self.judged().suspected.contains(name)
    }

    /// No source is left: what became of each, also of those that were left before.
    pub(crate) fn failed(&self, mut causes: Vec<(Name, Failure)>, step: Step) -> Failure {
        let mut left = self.judged().left.clone();
        // Another group may have found out about a peer.
        let peers = self.asked_for.iter().filter(|one| self.is_any_left(one));
        left.extend(peers.map(|peer| (peer.name(), SENT_ANOTHER.to_owned())));
        for (name, reason) in left {
            if !causes.iter().any(|(known, _)| *known == name) {
                let failure = Failure::new(Step::Read, Fault::NotTheImage { reason });
                causes.push((name, failure));
            }
        }
        failed(causes, step)
    }

    fn judged(&self) -> MutexGuard<'_, Judged> {
        self.judged.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

/// Of a source that was left.
pub(crate) const SENT_ANOTHER: &str = "it sent something else before";

/// What went wrong with sources, by their names.
fn failed(mut causes: Vec<(Name, Failure)>, step: Step) -> Failure {
    if causes.len() == 1
        && let Some((name, failure)) = causes.pop()
    {
        let fault = Fault::Source {
            name: name.to_string(),
            failure: Box::new(failure),
        };
        return Failure::new(step, fault);
    }
    let causes = causes.into_iter();
    let causes = causes.map(|(name, failure)| (name.to_string(), failure));
    let fault = Fault::NoSource {
        causes: causes.collect(),
    };
    Failure::new(step, fault)
}

fn of_server(server: &FileServer, image: &Image, logins: &Logins) -> Result<Chosen, Failure> {
    Ok(Chosen {
        name: server.name.clone(),
        remote: Remote::of_server(server, image, logins).map_err(no_login)?,
        peer: None,
    })
}

fn no_login(failure: Failure) -> Failure {
    Failure {
        step: Step::Select,
        ..failure
    }
}

fn peer_name(peer: &Entity) -> Name {
    format!("peer:{}", peer.name).into()
}
