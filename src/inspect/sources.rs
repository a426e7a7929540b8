//! Where a group's image is read from: the file server, one named peer, or any peer that has it
//! (Figure 4, \[0027\]), which sources can take over when that fails, and in which order.

use std::collections::HashSet;
use std::sync::Arc;

use tokio_util::sync::CancellationToken;

use crate::model::{
    Entity, Failure, Fault, FileServer, Group, Image, Logins, Name, PeerChoice, SourceChoice, Step,
};
use crate::transport::{Remote, Transport};

use super::peers::{AT_ONCE, ask, can_serve, right_size};
use super::registry::{PeerRegistry, Server, Sessions, server};

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

/// An entity that holds the image, and the SHA-256 that its copy was proven to have.
type Proven = (Arc<Entity>, [u8; 32]);

/// Everything that a group's image can be read from.
#[derive(Debug)]
pub(crate) struct Sources {
    group: Arc<Group>,
    logins: Arc<Logins>,
    holders: PeerRegistry,
    /// What the operator asked for: one, or every peer that holds the right size.
    asked_for: Vec<Chosen>,
    /// They take over from peers.
    file_servers: Vec<Chosen>,
}

impl Sources {
    /// # Errors
    /// Step `select`, with what every peer that was asked said.
    pub(crate) async fn choose<T: Transport>(
        transport: &Arc<T>,
        group: &Arc<Group>,
        logins: &Arc<Logins>,
        holders: &PeerRegistry,
        file_servers: &[Arc<FileServer>],
    ) -> Result<Self, Failure> {
        let delivered = holders.known(&group.image);
        let (asked_for, file_servers) = match &group.source {
            SourceChoice::FileServer(server) => {
                (vec![of_server(server, group, logins)?], Vec::new())
            }
            SourceChoice::Peer(peer) => {
                let asked_for = match peer {
                    PeerChoice::Named(peer) => {
                        vec![named(transport, peer, group, logins, &delivered).await?]
                    }
                    PeerChoice::Any(peers) => {
                        let mut peers = peers.clone();
                        let known: HashSet<Name> = (peers.iter().chain(&group.entities))
                            .map(|peer| peer.name.clone())
                            .collect();
                        let others = delivered.iter().map(|(entity, _)| entity);
                        peers.extend(others.filter(|one| !known.contains(&one.name)).cloned());
                        peers.retain(|peer| !holders.is_left(&peer.name));
                        any(transport, &peers, group, logins, &delivered).await?
                    }
                };
                let servers = file_servers.iter();
                let able = servers.filter_map(|server| of_server(server, group, logins).ok());
                (asked_for, able.collect())
            }
        };
        Ok(Self {
            group: group.clone(),
            logins: logins.clone(),
            holders: holders.clone(),
            asked_for,
            file_servers,
        })
    }

    /// What the first pass can read from, the best first.
    pub(crate) fn candidates(&self) -> Vec<Chosen> {
        self.order(false, &HashSet::new())
    }

    /// What would be read first.
    ///
    /// # Errors
    /// There is nothing to read from.
    pub(crate) fn first(&self) -> Result<Chosen, Failure> {
        let first = self.candidates().into_iter().next();
        first.ok_or_else(|| no_peer("there is no source".into()))
    }

    /// What a pass can read from, the best first. For a later pass those are the entities that this
    /// run has delivered: they spare the file server. `written` are the servers of entities that
    /// are to be written.
    pub(crate) fn order(&self, later: bool, written: &HashSet<Server>) -> Vec<Chosen> {
        let holders = self.holders.of(&self.group.image).into_iter();
        let holders = holders.filter_map(|(holder, sha256)| {
            let remote = Remote::of_entity(&holder, &self.logins).ok()?;
            Some(Chosen::peer(&holder, remote, Some(sha256)))
        });
        let left = |chosen: &Chosen| {
            let peer = chosen.peer.as_ref();
            peer.is_some_and(|peer| self.holders.is_left(&peer.entity))
        };
        let offer = Offer {
            holders: holders.collect(),
            asked_for: self
                .asked_for
                .iter()
                .filter(|one| !left(one))
                .cloned()
                .collect(),
            file_servers: self.file_servers.clone(),
        };
        offer.order(later, written, |server| self.holders.sessions(server))
    }

    /// The SHA-256 that the image is proven to have on entities, if it is the same on all: what
    /// another peer sends is compared with it. A file server may have a newer one.
    pub(crate) fn proven(&self) -> Option<[u8; 32]> {
        let mut all = self.holders.known(&self.group.image).into_iter();
        let (_, first) = all.next()?;
        all.all(|(_, other)| other == first).then_some(first)
    }
}

/// The sources of one group as they are known when a pass begins.
struct Offer {
    /// Proven by this run, in the order in which they got the image.
    holders: Vec<Chosen>,
    asked_for: Vec<Chosen>,
    file_servers: Vec<Chosen>,
}

impl Offer {
    /// The best first, each once. A device may take one session at a time, so a source on a server
    /// that is written to comes last, and one that nobody has asked for is not read there at all
    /// while there is another. Of those that this run has delivered, the one that is read least
    /// comes first.
    fn order(
        mut self,
        later: bool,
        written: &HashSet<Server>,
        sessions: impl Fn(&Server) -> Sessions,
    ) -> Vec<Chosen> {
        let place = |chosen: &Chosen| server(&chosen.remote.endpoint.address);
        let is_written = |chosen: &Chosen| {
            let place = place(chosen);
            written.contains(&place) || sessions(&place).writing > 0
        };
        self.holders
            .sort_by_key(|holder| sessions(&place(holder)).reading);
        let (in_the_way, holders): (Vec<_>, Vec<_>) = self
            .holders
            .into_iter()
            .partition(|holder| is_written(holder));
        let mut order = if later {
            [holders, self.asked_for, self.file_servers].concat()
        } else {
            [self.asked_for, holders, self.file_servers].concat()
        };
        let mut seen = HashSet::new();
        order.retain(|chosen| seen.insert(chosen.name.clone()));
        order.sort_by_key(|chosen| is_written(chosen));
        if order.is_empty() { in_the_way } else { order }
    }
}

/// What went wrong with a source, by its name.
pub(crate) fn of_source(name: &str, failure: Failure) -> Failure {
    if failure.is_cancelled() {
        return failure;
    }
    let step = failure.step;
    let fault = Fault::Source {
        name: name.to_owned(),
        failure: Box::new(failure),
    };
    Failure::new(step, fault)
}

fn no_login(failure: Failure) -> Failure {
    Failure {
        step: Step::Select,
        ..failure
    }
}

fn of_server(server: &FileServer, group: &Group, logins: &Logins) -> Result<Chosen, Failure> {
    Ok(Chosen {
        name: server.name.clone(),
        remote: Remote::of_server(server, &group.image, logins).map_err(no_login)?,
        peer: None,
    })
}

async fn named<T: Transport>(
    transport: &Arc<T>,
    peer: &Arc<Entity>,
    group: &Group,
    logins: &Logins,
    delivered: &[Proven],
) -> Result<Chosen, Failure> {
    check(peer, &group.image, delivered)?;
    let remote = Remote::of_entity(peer, logins).map_err(no_login)?;
    match transport.size_of(&remote).await {
        Err(failure) => Err(no_peer(format!("{}: {failure}", peer.name))),
        Ok(Some(actual)) if group.image.size.is_some_and(|size| size != actual) => {
            let reason = format!("{} holds {actual} bytes, not the image", peer.name);
            Err(no_peer(reason))
        }
        Ok(_) => Ok(Chosen::peer(peer, remote, proven(peer, delivered))),
    }
}

fn no_peer(reason: String) -> Failure {
    Failure::new(Step::Select, Fault::NoPeer { reason })
}

fn peer_name(peer: &Entity) -> Name {
    format!("peer:{}", peer.name).into()
}

fn proven(peer: &Entity, delivered: &[Proven]) -> Option<[u8; 32]> {
    let is = |(holder, _): &&Proven| holder.name == peer.name;
    delivered.iter().find(is).map(|(_, sha256)| *sha256)
}

/// What was delivered, by this run or an earlier one, is known better than the inventory knows it.
fn check(peer: &Entity, image: &Image, delivered: &[Proven]) -> Result<(), Failure> {
    if proven(peer, delivered).is_some() {
        return Ok(());
    }
    can_serve(peer, image).map_err(|unfit| no_peer(unfit.to_string()))
}

/// The peers, in the inventory's order and the proven ones first, that hold a file of the right size:
/// the size that the inventory gives, or else the one that most of the peers hold. Asked a few at a time, until
/// there are some.
async fn any<T: Transport>(
    transport: &Arc<T>,
    peers: &[Arc<Entity>],
    group: &Group,
    logins: &Arc<Logins>,
    delivered: &[Proven],
) -> Result<Vec<Chosen>, Failure> {
    let image = &group.image;
    let mut refusals = Vec::new();
    let mut held: Vec<(u64, Chosen)> = Vec::new();
    // They don't report the size of their file, and come last.
    let mut sizeless = Vec::new();
    for batch in peers.chunks(AT_ONCE) {
        let (able, unable): (Vec<_>, Vec<_>) = (batch
            .iter()
            .map(|peer| (peer, check(peer, image, delivered))))
        .partition(|(_, check)| check.is_ok());
        let unable = unable.into_iter().filter_map(|(_, check)| check.err());
        refusals.extend(unable.map(|failure| match failure.fault {
            Fault::NoPeer { reason } => reason,
            fault => fault.to_string(),
        }));
        let able: Vec<Arc<Entity>> = able.into_iter().map(|(peer, _)| peer.clone()).collect();
        for (peer, answer) in able
            .iter()
            .zip(ask(transport, &able, logins, &CancellationToken::new()).await)
        {
            match (Remote::of_entity(peer, logins), answer) {
                (Ok(remote), Ok(Some(size))) if size > 0 => {
                    held.push((size, Chosen::peer(peer, remote, proven(peer, delivered))));
                }
                // The digest of what it sends will tell.
                (Ok(remote), Ok(None)) if image.sha256.is_some() => {
                    sizeless.push(Chosen::peer(peer, remote, proven(peer, delivered)));
                }
                (_, Ok(_)) => {
                    refusals.push(format!("{} does not tell the size of its file", peer.name))
                }
                (_, Err(failure)) => refusals.push(format!("{}: {failure}", peer.name)),
            }
        }
        let is_proven = |one: &Chosen| one.peer.as_ref().is_some_and(|peer| peer.proven.is_some());
        let proven = held.iter().find(|(_, chosen)| is_proven(chosen));
        let right = match (image.size, proven) {
            (None, Some((size, _))) => Some(*size),
            _ => right_size(image, held.iter().map(|(size, _)| *size)),
        };
        if held.iter().any(|(size, _)| Some(*size) == right) {
            held.retain(|(size, _)| Some(*size) == right);
            let mut able: Vec<Chosen> = held.into_iter().map(|(_, chosen)| chosen).collect();
            able.append(&mut sizeless);
            able.sort_by_key(|one| !is_proven(one));
            return Ok(able);
        }
        for (size, chosen) in held.drain(..) {
            refusals.push(format!("{} holds {size} bytes, not the image", chosen.name));
        }
    }
    if !sizeless.is_empty() {
        return Ok(sizeless);
    }
    Err(no_peer(if refusals.is_empty() {
        format!(
            "no entity of type {} is at version {}",
            image.type_, image.version
        )
    } else {
        refusals.join("; ")
    }))
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::model::testing::{address, entity, group, image};
    use crate::model::{Login, RemotePath, Timeouts, Tls};
    use crate::transport::Endpoint;

    /// `peer:NAME@HOST` or `NAME@HOST`.
    fn chosen(text: &str) -> Chosen {
        let (name, host) = text.split_once('@').unwrap();
        Chosen {
            name: name.into(),
            remote: Remote {
                endpoint: Endpoint {
                    address: address(host),
                    login: Arc::new(Login::anonymous()),
                    timeouts: Timeouts::default(),
                    tls: Tls::default(),
                    ssh: crate::model::Ssh::default(),
                    dialect: crate::model::Dialect::default(),
                },
                path: RemotePath::new("a").unwrap(),
            },
            peer: name.strip_prefix("peer:").map(|entity| Peer {
                entity: entity.into(),
                proven: None,
            }),
        }
    }

    fn all(texts: &[&str]) -> Vec<Chosen> {
        texts.iter().map(|text| chosen(text)).collect()
    }

    fn at(host: &str) -> Server {
        server(&address(host))
    }

    struct Case<'a> {
        what: &'a str,
        later: bool,
        holders: &'a [&'a str],
        asked_for: &'a [&'a str],
        file_servers: &'a [&'a str],
        written: &'a [&'a str],
        /// Hosts and the sessions that write there, by other groups, and that read there.
        sessions: &'a [(&'a str, usize, usize)],
        order: &'a [&'a str],
    }

    const PLAIN: Case<'_> = Case {
        what: "",
        later: true,
        holders: &[],
        asked_for: &["hq@hq"],
        file_servers: &[],
        written: &[],
        sessions: &[],
        order: &[],
    };

    #[test]
    fn sources_come_in_the_order_in_which_they_are_in_nobodys_way() {
        let two = &["peer:a@a", "peer:b@b"];
        for case in [
            Case {
                what: "a later pass spares the file server",
                holders: two,
                order: &["peer:a", "peer:b", "hq"],
                ..PLAIN
            },
            Case {
                what: "the first one is read as asked for",
                later: false,
                holders: &["peer:a@a"],
                order: &["hq", "peer:a"],
                ..PLAIN
            },
            Case {
                what: "the one that is read least comes first",
                holders: two,
                sessions: &[("a", 0, 2), ("b", 0, 1)],
                order: &["peer:b", "peer:a", "hq"],
                ..PLAIN
            },
            Case {
                what: "no holder is read where an entity of the group is to be written",
                holders: two,
                written: &["a"],
                order: &["peer:b", "hq"],
                ..PLAIN
            },
            Case {
                what: "nor where another group writes",
                holders: two,
                sessions: &[("a", 1, 0), ("b", 1, 0)],
                order: &["hq"],
                ..PLAIN
            },
            Case {
                what: "what was asked for comes last there",
                later: false,
                asked_for: two,
                file_servers: &["hq@hq"],
                written: &["A"],
                order: &["peer:b", "hq", "peer:a"],
                ..PLAIN
            },
            Case {
                what: "a file server behind the same address too",
                holders: &["peer:b@b"],
                asked_for: &["hq@shelf"],
                written: &["shelf"],
                order: &["peer:b", "hq"],
                ..PLAIN
            },
            Case {
                what: "there is no other",
                holders: two,
                asked_for: &[],
                written: &["a", "b"],
                order: &["peer:a", "peer:b"],
                ..PLAIN
            },
            Case {
                what: "each once",
                holders: &["peer:a@a"],
                asked_for: two,
                order: &["peer:a", "peer:b"],
                ..PLAIN
            },
        ] {
            let offer = Offer {
                holders: all(case.holders),
                asked_for: all(case.asked_for),
                file_servers: all(case.file_servers),
            };
            let written = case.written.iter().map(|host| at(host)).collect();
            let order = offer.order(case.later, &written, |server| {
                let known = case.sessions.iter().find(|(host, ..)| at(host) == *server);
                known.map_or_else(Sessions::default, |&(_, writing, reading)| Sessions {
                    reading,
                    writing,
                })
            });
            let names: Vec<&str> = order.iter().map(|one| &*one.name).collect();
            assert_eq!(names, case.order, "{}", case.what);
        }
    }

    #[test]
    fn a_digest_is_known_when_all_that_are_proven_have_the_same() {
        let image = Arc::new(image());
        let group = group("g", Vec::new());
        let sources = Sources {
            group: Arc::new(Group {
                image: image.clone(),
                ..group
            }),
            logins: Arc::default(),
            holders: PeerRegistry::default(),
            asked_for: all(&["peer:a@a", "peer:b@b"]),
            file_servers: Vec::new(),
        };
        let one = |name: &str| Arc::new(entity(name, "1"));
        let add = |name, byte| sources.holders.add(&image, &one(name), [byte; 32]);
        assert_eq!(sources.proven(), None);
        sources.holders.remember(&image, &one("c"), [1; 32]);
        assert_eq!(sources.proven(), Some([1; 32]));
        add("d", 1);
        assert_eq!(sources.proven(), Some([1; 32]));
        add("e", 2);
        assert_eq!(sources.proven(), None, "they differ");

        let names = |later| {
            let order = sources.order(later, &HashSet::new());
            order
                .iter()
                .map(|one| one.name.to_string())
                .collect::<Vec<_>>()
        };
        assert_eq!(names(true), ["peer:d", "peer:e", "peer:a", "peer:b"]);
        for name in ["a", "d"] {
            sources.holders.leave(&name.into());
        }
        assert_eq!(names(true), ["peer:e", "peer:b"], "what lied is no source");
        assert_eq!(names(false), ["peer:b", "peer:e"]);
    }
}
