//! The order of sources, and what is known of their digests.

use super::*;
use crate::inspect::registry::{Sessions, server};
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
                http: crate::model::Http::default(),
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

/// As [`chosen`]; without a host, peers that were not asked yet, or a file server without a login.
fn candidate(text: &str) -> Candidate {
    match text {
        "peer:any" => Candidate::Peers(PeerChoice::Any(Vec::new())),
        text if text.contains('@') => Candidate::Known(chosen(text)),
        text => {
            let reason = "none".into();
            Candidate::Unfit(
                text.into(),
                Failure::new(Step::Select, Fault::NoPeer { reason }),
            )
        }
    }
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
            what: "an order of preference is kept, and holders are read behind it",
            later: false,
            holders: two,
            asked_for: &["hq@hq", "peer:any", "other@other"],
            order: &["hq", "peer:any", "other", "peer:a", "peer:b"],
            ..PLAIN
        },
        Case {
            what: "a later pass begins at the preferred one again, behind holders",
            holders: two,
            asked_for: &["hq", "peer:any", "other@other"],
            order: &["peer:a", "peer:b", "hq", "peer:any", "other"],
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
            asked_for: case.asked_for.iter().map(|text| candidate(text)).collect(),
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
        let names: Vec<String> = order.iter().map(|one| one.name().to_string()).collect();
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
        asked_for: ["peer:a@a", "peer:b@b"].map(candidate).into(),
        file_servers: Vec::new(),
        passed_over: None,
        judged: Mutex::default(),
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
        let (order, first) = order;
        assert_eq!(first, 0);
        let names = order.iter().map(|one| one.name().to_string());
        names.collect::<Vec<_>>()
    };
    assert_eq!(names(true), ["peer:d", "peer:e", "peer:a", "peer:b"]);
    for name in ["a", "d"] {
        sources.holders.leave(&name.into());
    }
    assert_eq!(names(true), ["peer:e", "peer:b"], "what lied is no source");
    assert_eq!(names(false), ["peer:b", "peer:e"]);
}

fn sources(asked_for: &[&str]) -> Sources {
    Sources {
        asked_for: asked_for.iter().map(|text| candidate(text)).collect(),
        ..Sources::none(
            &Arc::new(group("g", Vec::new())),
            &Arc::default(),
            &PeerRegistry::default(),
        )
    }
}

/// The names in their order, with `>` before the one that a pass begins with.
fn way(sources: &Sources, later: bool) -> String {
    let (order, first) = sources.order(later, &HashSet::new());
    let name = |(at, one): (usize, &Candidate)| {
        let begins = if at == first { ">" } else { "" };
        format!("{begins}{}", one.name())
    };
    let names: Vec<String> = order.iter().enumerate().map(name).collect();
    names.join(" ")
}

#[test]
fn a_pass_begins_with_the_first_that_is_known_and_a_later_one_with_the_preferred_one() {
    let sources = sources(&["peer:any", "mirror", "hq@hq", "other@other"]);
    assert_eq!(way(&sources, false), "peer:any mirror >hq other");
    assert_eq!(way(&sources, true), ">peer:any mirror hq other");
}

#[test]
fn what_is_left_is_read_no_more_and_what_is_suspected_last() {
    let sources = sources(&["hq@hq", "mirror", "other@other"]);
    let (hq, other): (Name, Name) = ("hq".into(), "other".into());
    assert!(sources.are_others(std::slice::from_ref(&hq)));
    sources.suspect(&hq);
    assert_eq!(way(&sources, true), ">mirror other hq");
    sources.leave(&other, None, "its digest is another");
    assert_eq!(way(&sources, true), ">mirror hq");
    assert!(
        !sources.are_others(std::slice::from_ref(&hq)),
        "one without a login is none"
    );
    assert!(sources.are_others(&[hq.clone(), other]), "each by itself");
    sources.leave(&hq, None, "so is its");
    assert_eq!(way(&sources, true), "");
    let said = sources.failed(Vec::new(), Step::Select).to_string();
    assert_eq!(
        said,
        "select: no source can be read: other: read: it holds another image: its digest is another; \
         hq: read: it holds another image: so is its"
    );
}
