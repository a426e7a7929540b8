//! Which source is to blame when bytes that were read are not the image's.
//!
//! The inventory's digest is above all, and a file server is above a peer: it is where the
//! image comes from. Of file servers the one that was read before is believed, until a digest shows
//! otherwise. A peer that was proven to hold the image is above one that was asked for by
//! the operator and proven by nothing.

use std::sync::Arc;

use crate::inspect::Chosen;
use crate::model::Name;

/// A source that some of the bytes came from.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Giver {
    /// As in reports.
    pub(super) name: Name,
    /// The entity, where it is a peer.
    pub(super) peer: Option<Name>,
    /// It was proven by content, by this run or an earlier one, to hold the image.
    pub(super) proven: bool,
}

impl Chosen {
    pub(super) fn giver(&self) -> Giver {
        let peer = self.peer.as_ref();
        Giver {
            name: self.name.clone(),
            peer: peer.map(|peer| peer.entity.clone()),
            proven: peer.is_some_and(|peer| peer.proven.is_some()),
        }
    }
}

/// All sources that gave something of what a digest stands for, in the order in which they did.
pub(super) type Givers = Arc<[Giver]>;

/// With one more, unless it has given something already.
pub(super) fn with(givers: &Givers, one: &Giver) -> Givers {
    if givers.iter().any(|giver| giver.name == one.name) {
        return givers.clone();
    }
    givers.iter().chain([one]).cloned().collect()
}

/// The digest of what these gave is not the image's: the peers to be left, the least proven first.
/// Empty: no peer has given anything.
pub(super) fn to_blame(givers: &[Giver]) -> Vec<Giver> {
    let peers = |proven: bool| -> Vec<Giver> {
        let is = |giver: &&Giver| giver.peer.is_some() && giver.proven == proven;
        givers.iter().filter(is).cloned().collect()
    };
    let unproven = peers(false);
    if unproven.is_empty() {
        peers(true)
    } else {
        unproven
    }
}

/// What a wrong image is held against.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) enum Verdict {
    /// A file server alone has given it, and there is nothing else to be read: the image itself is
    /// another one.
    Nobody,
    Left(Vec<Giver>),
    /// Several have given it, and one of them wrong bytes. These come last from now on, so that another
    /// one is read by itself, which will show it.
    Suspected(Vec<Giver>),
}

/// The digest of what these gave is not the image's. `are_others`: something else can be read than all
/// of them together. Each verdict leaves or suspects a giver that was not before, so that there is an
/// end to it.
pub(super) fn judge(
    givers: &[Giver],
    are_others: bool,
    is_suspected: impl Fn(&Giver) -> bool,
) -> Verdict {
    let Some(last) = givers.last() else {
        return Verdict::Nobody;
    };
    let mut to_blame = to_blame(givers);
    if to_blame.is_empty() {
        if !are_others {
            return Verdict::Nobody;
        }
        to_blame = givers.to_vec();
    }
    // The last one has come to the end, and so it will by itself.
    let is_apart = |one: &&Giver| one.name != last.name || to_blame.len() == 1 && givers.len() > 1;
    let fresh = to_blame.iter().filter(is_apart);
    let fresh: Vec<Giver> = fresh.filter(|one| !is_suspected(one)).cloned().collect();
    if !fresh.is_empty() {
        return Verdict::Suspected(fresh);
    }
    // None can be read by itself: most of it is of the last one.
    if to_blame.iter().any(|one| one.name == last.name) {
        to_blame.retain(|one| one.name == last.name);
    }
    Verdict::Left(to_blame)
}

/// What becomes of a source whose file does not begin with what was read so far.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) enum Contradiction {
    /// It is left, and the next one asked.
    Newcomer,
    /// It is right, and what was read so far is not the image: the sources that gave it are left.
    Givers(Vec<Giver>),
    /// It has another file than it had before.
    Changed,
}

/// `newcomer` was to go on where others stopped, and holds other bytes than `givers` gave.
pub(super) fn contradicted(newcomer: &Giver, givers: &[Giver]) -> Contradiction {
    let blamed = to_blame(givers);
    if newcomer.peer.is_none() && !blamed.is_empty() {
        Contradiction::Givers(blamed)
    } else if newcomer.peer.is_none() && givers.iter().any(|giver| giver.name == newcomer.name) {
        Contradiction::Changed
    } else {
        Contradiction::Newcomer
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// `hq`, `peer:a`, and `peer:b+`, which is proven.
    fn giver(name: &str) -> Giver {
        let proven = name.ends_with('+');
        let name = name.trim_end_matches('+');
        Giver {
            name: name.into(),
            peer: name.strip_prefix("peer:").map(Into::into),
            proven,
        }
    }

    fn givers(names: &[&str]) -> Givers {
        names.iter().map(|name| giver(name)).collect()
    }

    fn names(givers: &[Giver]) -> Vec<&str> {
        givers.iter().map(|giver| &*giver.name).collect()
    }

    #[test]
    fn the_least_proven_peers_are_blamed_and_a_file_server_never_is() {
        for (gave, blamed) in [
            (vec!["hq"], vec![]),
            (vec!["hq", "other"], vec![]),
            (vec!["peer:a"], vec!["peer:a"]),
            (vec!["peer:a", "hq"], vec!["peer:a"]),
            (vec!["hq", "peer:b+"], vec!["peer:b"]),
            (
                vec!["peer:b+", "peer:a", "peer:c"],
                vec!["peer:a", "peer:c"],
            ),
            (vec!["peer:b+", "peer:c+"], vec!["peer:b", "peer:c"]),
        ] {
            assert_eq!(names(&to_blame(&givers(&gave))), blamed, "{gave:?}");
        }
    }

    #[test]
    fn a_file_server_is_believed_before_a_peer() {
        for (newcomer, gave, expected) in [
            ("peer:a", vec!["hq"], Contradiction::Newcomer),
            ("peer:a", vec!["peer:c"], Contradiction::Newcomer),
            ("peer:a", vec!["peer:a"], Contradiction::Newcomer),
            ("hq", vec!["hq"], Contradiction::Changed),
            ("other", vec!["hq"], Contradiction::Newcomer),
            (
                "hq",
                vec!["peer:a"],
                Contradiction::Givers(vec![giver("peer:a")]),
            ),
            (
                "hq",
                vec!["hq", "peer:a"],
                Contradiction::Givers(vec![giver("peer:a")]),
            ),
        ] {
            let found = contradicted(&giver(newcomer), &givers(&gave));
            assert_eq!(found, expected, "{newcomer} after {gave:?}");
        }
    }

    #[test]
    fn one_alone_is_left_and_of_several_each_is_read_by_itself_first() {
        let left = |all: &[&str]| Verdict::Left(givers(all).to_vec());
        let suspected = |all: &[&str]| Verdict::Suspected(givers(all).to_vec());
        for (gave, others, before, verdict) in [
            (vec!["hq"], false, vec![], Verdict::Nobody),
            (vec!["hq"], true, vec![], left(&["hq"])),
            (vec!["hq"], true, vec!["hq"], left(&["hq"])),
            (vec!["hq", "other"], true, vec![], suspected(&["hq"])),
            (vec!["other", "hq"], true, vec!["hq"], suspected(&["other"])),
            (vec!["hq", "other"], true, vec!["hq"], left(&["other"])),
            (vec!["peer:a"], false, vec![], left(&["peer:a"])),
            (vec!["peer:a", "hq"], true, vec![], suspected(&["peer:a"])),
            (vec!["hq", "peer:a"], true, vec![], suspected(&["peer:a"])),
            (
                vec!["peer:a", "hq"],
                true,
                vec!["peer:a"],
                left(&["peer:a"]),
            ),
            (
                vec!["peer:a", "peer:b"],
                true,
                vec![],
                suspected(&["peer:a"]),
            ),
            (
                vec!["peer:a", "peer:b+"],
                true,
                vec![],
                suspected(&["peer:a"]),
            ),
            (vec![], true, vec![], Verdict::Nobody),
        ] {
            let is_suspected = |giver: &Giver| before.contains(&&*giver.name);
            let found = judge(&givers(&gave), others, is_suspected);
            assert_eq!(found, verdict, "{gave:?}, suspected: {before:?}");
        }
    }

    #[test]
    fn a_source_is_counted_once() {
        let two = with(&with(&givers(&["hq"]), &giver("peer:a")), &giver("hq"));
        assert_eq!(names(&two), ["hq", "peer:a"]);
    }
}
