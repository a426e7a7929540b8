//! What is wrong with a group, or would be if it were started now. The rulebook judges
//! ([`crate::plan`]); here it is said with the key that helps.

use std::collections::BTreeMap;

use crate::console::action::Action;
use crate::console::keymap::Keymap;
use crate::console::page::Page;
use crate::console::state::{Draft, Resolved, running};
use crate::model::text::quoted;
use crate::model::{Flaw, Inventory, Thing, names};
use crate::plan::{Blocker, Footprint, ResolvedDraft, beside, left_out};
use crate::protocol::Snapshot;

use super::members::folded;

#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) enum Conflict {
    /// The name of another group of the list.
    NameTaken,
    /// Names, ranges and patterns of entities that are not there.
    UnknownEntities(Vec<String>),
    /// Anything else that is wrong with the group by itself.
    Flaw(Flaw),
    /// Both can be started, but not at the same time.
    Overlap { other: String, entities: String },
    /// What runs stands against it.
    Beside(Blocker),
}

impl Conflict {
    /// Whether the group can't be started because of it; an overlap matters only to both together.
    pub(crate) fn blocks(&self) -> bool {
        !matches!(self, Self::Overlap { .. })
    }

    /// Whether something is yet to be chosen, which is no mistake.
    pub(crate) fn is_gap(&self) -> bool {
        matches!(
            self,
            Self::Flaw(Flaw::NoEntities | Flaw::NoImage | Flaw::NoSource)
        )
    }

    pub(crate) fn is_running(&self) -> bool {
        matches!(self, Self::Beside(Blocker::RunsAlready { .. }))
    }

    /// Whether it is about entities of a group that runs.
    pub(crate) fn is_in_run_of(&self, name: &str) -> bool {
        matches!(self, Self::Beside(Blocker::InARun { other, .. }) if other == name)
    }

    /// In a list, where there is room for two words.
    pub(crate) fn short(&self) -> &'static str {
        match self {
            Self::NameTaken => "name taken",
            Self::UnknownEntities(_) => "unknown",
            Self::Overlap { .. } => "overlaps",
            Self::Beside(Blocker::RunsAlready { .. }) => "runs",
            Self::Beside(Blocker::NoPeerLeft { .. }) => "no peer",
            Self::Beside(_) => "in a run",
            Self::Flaw(flaw) => match flaw {
                Flaw::NoEntities => "empty",
                Flaw::NoImage => "no image",
                Flaw::NoSource => "no source",
                Flaw::SourceTwice(_) => "twice",
                Flaw::BadFile { .. } => "bad file",
                Flaw::Unknown { .. }
                | Flaw::BadPattern(_)
                | Flaw::NothingMatches(_)
                | Flaw::MissingOfRange(_) => "unknown",
                Flaw::WrongType { .. } => "wrong type",
                Flaw::PeerIsTarget(_) => "peer=target",
                Flaw::PeerWrongType { .. }
                | Flaw::PeerWrongVersion { .. }
                | Flaw::PeerCantGive { .. } => "wrong peer",
                Flaw::NobodyHasIt { .. } => "no peer",
                Flaw::BadName(_) => "bad name",
                Flaw::BadImage(_) => "bad image",
                Flaw::NoneAtATime | Flaw::BadLimit(_) | Flaw::BadRate(_) => "bad limit",
                Flaw::BadCampaign(_) => "bad campaign",
                Flaw::NothingActivates(_) => "no activate",
            },
        }
    }

    /// What it is, and what to do.
    pub(crate) fn words(&self, keys: &Keymap) -> String {
        let key = |action| keys.on(Page::Groups, &action);
        match self {
            Self::NameTaken => format!(
                "another group has this name: {} renames this one",
                key(Action::RenameGroup)
            ),
            Self::UnknownEntities(names) => format!(
                "not in the inventory any more: {}; adding ({}) or removing ({}) drops them",
                names.join(", "),
                key(Action::AddMembers),
                key(Action::RemoveMembers)
            ),
            Self::Flaw(flaw) => flaw_in_words(flaw, keys),
            Self::Overlap { other, entities } => {
                format!("{entities} in group {other} too: the two can't run together")
            }
            Self::Beside(Blocker::RunsAlready { .. }) => "it runs now".into(),
            Self::Beside(Blocker::InARun {
                other, entities, ..
            }) => format!(
                "{} in group {other}, which runs now: wait for its end",
                names::compress(entities).join(", ")
            ),
            Self::Beside(blocker) => blocker.to_string(),
        }
    }
}

fn flaw_in_words(flaw: &Flaw, keys: &Keymap) -> String {
    let key = |action| keys.on(Page::Groups, &action);
    let (image, source) = (key(Action::PickImage), key(Action::PickSource));
    let (add, remove) = (key(Action::AddMembers), key(Action::RemoveMembers));
    let message = || flaw.complaint().message;
    match flaw {
        Flaw::NoEntities => format!("no entities: mark some in the inventory and add them ({add})"),
        Flaw::NoImage => format!("no image yet: {image} chooses one"),
        Flaw::NoSource => format!("no source yet: {source} chooses one"),
        Flaw::Unknown {
            what: Thing::Image,
            name,
            ..
        } => format!(
            "the image {} is not in the inventory: {image} chooses another",
            quoted(name)
        ),
        Flaw::Unknown {
            what: Thing::FileServer,
            name,
            ..
        } => not_a_source(name, &source),
        Flaw::Unknown {
            what: Thing::Peer,
            name,
            ..
        } => not_a_source(&format!("peer:{name}"), &source),
        Flaw::WrongType {
            entities,
            type_,
            image: wrong,
            for_type,
        } => {
            let type_ = match type_.as_str() {
                "" => "no known type".to_owned(),
                type_ => format!("type {type_}"),
            };
            let entities = names::compress(entities).join(", ");
            format!("{entities}: {type_}, and {wrong} is for type {for_type}")
        }
        Flaw::PeerIsTarget(peer) => format!(
            "the peer {peer} is a target of the group too: take it out ({remove}) or choose \
             another source ({source})"
        ),
        Flaw::PeerCantGive { peer, protocol } => {
            format!(
                "nothing can be read from {peer} over {protocol}: {source} chooses another source"
            )
        }
        Flaw::PeerWrongType { peer, type_, .. } => {
            format!("the peer {peer} is of another type, {type_}: {source} chooses another")
        }
        Flaw::PeerWrongVersion {
            peer,
            version,
            wanted,
            ..
        } => {
            format!(
                "the peer {peer} has version {version}, not {wanted}: {source} chooses another source"
            )
        }
        Flaw::NobodyHasIt {
            image: wanted,
            version,
            ..
        } => format!(
            "no entity is known to have {wanted} (version {version}): {source} chooses another source"
        ),
        Flaw::BadPattern(_) => format!(
            "{}; adding ({add}) or removing ({remove}) drops it",
            message()
        ),
        Flaw::BadName(_) => format!("{}: {} renames it", message(), key(Action::RenameGroup)),
        Flaw::BadImage(_) => format!("{}: {image} chooses another", message()),
        Flaw::NoneAtATime => format!("{}: {} changes it", message(), key(Action::Parallel)),
        flaw => flaw.to_string(),
    }
}

fn not_a_source(label: &str, source: &str) -> String {
    format!(
        "the source {} is not in the inventory: {source} chooses another",
        quoted(label)
    )
}

/// Of each group of the list.
pub(super) fn of_all(
    inventory: &Inventory,
    drafts: &[Draft],
    resolved: &Resolved,
) -> Vec<Vec<Conflict>> {
    let Resolved {
        groups, of_entity, ..
    } = resolved;
    let of = |at| conflicts(inventory, drafts, groups, of_entity, at);
    (0..groups.len()).map(of).collect()
}

/// What is wrong with one of the groups; `of_entity` are the groups of each entity.
fn conflicts(
    inventory: &Inventory,
    drafts: &[Draft],
    groups: &[ResolvedDraft],
    of_entity: &[Vec<usize>],
    at: usize,
) -> Vec<Conflict> {
    let group = &groups[at];
    let mut found = Vec::new();
    let same_name =
        |(place, other): (usize, &ResolvedDraft)| place != at && other.name == group.name;
    // The inventory's group was there first.
    if !drafts[at].from_inventory && groups.iter().enumerate().any(same_name) {
        found.push(Conflict::NameTaken);
    }
    let mut unknown = Vec::new();
    let mut flaws = Vec::new();
    for flaw in &group.flaws {
        match flaw {
            Flaw::Unknown {
                what: Thing::Entity,
                name,
                ..
            }
            | Flaw::NothingMatches(name) => unknown.push(name.clone()),
            Flaw::MissingOfRange(names) => unknown.extend(names.iter().cloned()),
            flaw => flaws.push(Conflict::Flaw(flaw.clone())),
        }
    }
    if !unknown.is_empty() {
        found.push(Conflict::UnknownEntities(unknown));
    }
    found.extend(flaws);
    let mut shared: BTreeMap<usize, Vec<usize>> = BTreeMap::new();
    for member in &group.members {
        for other in of_entity[*member].iter().filter(|other| **other != at) {
            shared.entry(*other).or_default().push(*member);
        }
    }
    let overlaps = shared
        .into_iter()
        .map(|(other, members)| Conflict::Overlap {
            other: groups[other].name.clone(),
            entities: folded(inventory, &members),
        });
    found.extend(overlaps);
    found
}

/// What stands against starting a group now, because of what runs.
pub(crate) fn beside_runs(
    inventory: &Inventory,
    group: &ResolvedDraft,
    snapshot: &Snapshot,
) -> Vec<Conflict> {
    let running: Vec<Footprint> = running(snapshot).collect();
    if running.is_empty() {
        return Vec::new();
    }
    let footprint = group.footprint(inventory);
    let found = running.iter().filter_map(|other| beside(&footprint, other));
    let mut found: Vec<Conflict> = found.map(Conflict::Beside).collect();
    found.extend(
        left_out(&footprint, running.iter())
            .err()
            .map(Conflict::Beside),
    );
    found
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::console::testing;
    use crate::model::{DeliveryPolicy, GroupSpec, ImageSpec, MadeGroup, SourceSpec};

    fn made(name: &str, image: &str, source: SourceSpec, entities: &[&str]) -> Draft {
        Draft {
            spec: GroupSpec::Made(MadeGroup {
                name: name.into(),
                image: ImageSpec::Named(image.into()),
                source,
                then: Vec::new(),
                entities: entities.iter().map(|name| (*name).to_owned()).collect(),
                policy: DeliveryPolicy::default(),
                campaign: Box::default(),
            }),
            from_inventory: false,
        }
    }

    fn hq() -> SourceSpec {
        SourceSpec::FileServer("hq".into())
    }

    fn words(drafts: &[Draft], at: usize) -> Vec<String> {
        let inventory = testing::inventory(testing::SITE);
        let resolved = Resolved::new(&inventory, drafts);
        let of_all = of_all(&inventory, drafts, &resolved);
        of_all[at]
            .iter()
            .map(|one| one.words(&Keymap::default()))
            .collect()
    }

    /// Each kind of conflict, from the group that has it to the words that tell it.
    #[test]
    fn every_conflict_is_told_with_what_to_do() {
        let peer = |name: &str| SourceSpec::Peer(name.into());
        let none = SourceSpec::FileServer(String::new());
        for (group, expected) in [
            (made("x", "adsl-2.4", hq(), &["shelf1-01"]), vec![]),
            (
                made("x", "", none, &[]),
                vec![
                    "no entities: mark some in the inventory and add them (+)",
                    "no image yet: i chooses one",
                    "no source yet: o chooses one",
                ],
            ),
            (
                made(
                    "x",
                    "old",
                    SourceSpec::FileServer("gone".into()),
                    &["shelf9-01"],
                ),
                vec![
                    "not in the inventory any more: shelf9-01; adding (+) or removing (-) drops them",
                    "the image `old` is not in the inventory: i chooses another",
                    "the source `gone` is not in the inventory: o chooses another",
                ],
            ),
            (
                made(
                    "x",
                    "adsl-2.4",
                    hq(),
                    &["shelf1-*", "shelf2-03", "shelf2-04"],
                ),
                vec!["shelf2-[03-04]: type vdsl, and adsl-2.4 is for type adsl"],
            ),
            (
                made(
                    "x",
                    "adsl-2.4",
                    peer("shelf1-08"),
                    &["shelf1-08", "shelf1-01"],
                ),
                vec![
                    "the peer shelf1-08 is a target of the group too: take it out (-) or choose \
                     another source (o)",
                ],
            ),
            (
                made("x", "adsl-2.4", peer("shelf1-02"), &["shelf1-01"]),
                vec!["the peer shelf1-02 has version 2.3, not 2.4: o chooses another source"],
            ),
            (
                made("x", "adsl-2.4", peer("shelf2-01"), &["shelf1-01"]),
                vec!["the peer shelf2-01 is of another type, vdsl: o chooses another"],
            ),
            (
                made("x", "adsl-2.4", SourceSpec::AnyPeer, &["shelf1-01"]),
                vec![],
            ),
        ] {
            assert_eq!(
                words(std::slice::from_ref(&group), 0),
                expected,
                "{group:?}"
            );
        }
    }

    #[test]
    fn an_image_that_nobody_has_can_not_come_from_any_peer() {
        let mut group = made("x", "", SourceSpec::AnyPeer, &["shelf1-01"]);
        if let GroupSpec::Made(made) = &mut group.spec {
            made.image = ImageSpec::Described {
                name: "new".into(),
                file: "new.bin".into(),
                type_: "adsl".into(),
                version: "9".into(),
                size: None,
            };
        }
        assert_eq!(
            words(&[group], 0),
            ["no entity is known to have new (version 9): o chooses another source"]
        );
    }

    #[test]
    fn groups_that_share_entities_say_which_and_names_are_unique() {
        let drafts = [
            made("one", "adsl-2.4", hq(), &["shelf1-[01-04]"]),
            made("two", "adsl-2.4", hq(), &["shelf1-[03-06]"]),
            made("one", "adsl-2.4", hq(), &["shelf1-07"]),
        ];
        assert_eq!(
            words(&drafts, 1),
            ["shelf1-[03-04] in group one too: the two can't run together"]
        );
        assert_eq!(
            words(&drafts, 2),
            ["another group has this name: N renames this one"]
        );
    }

    #[test]
    fn what_runs_stands_against_a_start_until_it_has_ended() {
        let inventory = testing::inventory(testing::SITE);
        let drafts = [
            made("adsl", "adsl-2.4", hq(), &["shelf1-01"]),
            made("x", "adsl-2.4", hq(), &["shelf1-[07-08]"]),
            made("y", "vdsl-3.1", hq(), &["shelf2-03"]),
        ];
        let resolved = Resolved::new(&inventory, &drafts);
        let mut snapshot = testing::snapshot();
        let words = |snapshot: &Snapshot, at: usize| -> Vec<String> {
            let found = beside_runs(&inventory, &resolved.groups[at], snapshot);
            found
                .iter()
                .map(|one| one.words(&Keymap::default()))
                .collect()
        };
        assert_eq!(words(&snapshot, 0), ["it runs now"]);
        assert_eq!(
            words(&snapshot, 1),
            ["shelf1-07 in group adsl, which runs now: wait for its end"],
            "it is done with shelf1-08"
        );
        assert!(words(&snapshot, 2).is_empty());
        let mut ended = (*snapshot.groups[0]).clone();
        ended.phase = crate::protocol::GroupPhase::Ended(crate::model::Outcome::Partial);
        snapshot.groups = vec![ended.into()];
        assert!(words(&snapshot, 0).is_empty() && words(&snapshot, 1).is_empty());
    }
}
