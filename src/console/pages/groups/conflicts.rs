//! What is wrong with a group, or would be if it were started now: pure, and put in words.

use std::collections::{BTreeMap, HashSet};

use crate::link::Snapshot;
use crate::model::Inventory;
use crate::model::text::quoted;

use super::sheet::{Chosen, Sheet, Source, folded};

#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) enum Conflict {
    NoEntities,
    NoImage,
    NoSource,
    /// The name of another group.
    NameTaken,
    UnknownEntities(Vec<String>),
    UnknownImage(String),
    UnknownSource(String),
    WrongType {
        entities: String,
        type_: String,
        image: String,
        for_type: String,
    },
    PeerIsTarget(String),
    PeerWrongType {
        peer: String,
        type_: String,
    },
    PeerWrongVersion {
        peer: String,
        version: String,
        wanted: String,
    },
    NobodyHasIt {
        image: String,
        version: String,
    },
    /// Both can be started, but not at the same time.
    Overlap {
        other: String,
        entities: String,
    },
    Runs,
    RunsElsewhere {
        other: String,
        entities: String,
    },
}

impl Conflict {
    /// Whether the group can't be started because of it; an overlap matters only to both together.
    pub(crate) fn blocks(&self) -> bool {
        !matches!(self, Self::Overlap { .. })
    }

    /// Whether something is yet to be chosen, which is no mistake.
    pub(crate) fn is_gap(&self) -> bool {
        matches!(self, Self::NoEntities | Self::NoImage | Self::NoSource)
    }

    /// In a list, where there is room for two words.
    pub(crate) fn short(&self) -> &'static str {
        match self {
            Self::NoEntities => "empty",
            Self::NoImage => "no image",
            Self::NoSource => "no source",
            Self::NameTaken => "name taken",
            Self::UnknownEntities(_) | Self::UnknownImage(_) | Self::UnknownSource(_) => "unknown",
            Self::WrongType { .. } => "wrong type",
            Self::PeerIsTarget(_) => "peer=target",
            Self::PeerWrongType { .. } | Self::PeerWrongVersion { .. } => "wrong peer",
            Self::NobodyHasIt { .. } => "no peer",
            Self::Overlap { .. } => "overlaps",
            Self::Runs => "runs",
            Self::RunsElsewhere { .. } => "in a run",
        }
    }

    /// What it is, and what to do.
    pub(crate) fn words(&self) -> String {
        match self {
            Self::NoEntities => "no entities: mark some in the inventory and add them (+)".into(),
            Self::NoImage => "no image yet: i chooses one".into(),
            Self::NoSource => "no source yet: o chooses one".into(),
            Self::NameTaken => "another group has this name: N renames this one".into(),
            Self::UnknownEntities(names) => {
                format!(
                    "not in the inventory any more: {}; adding (+) or removing (-) drops them",
                    names.join(", ")
                )
            }
            Self::UnknownImage(name) => format!(
                "the image {} is not in the inventory: i chooses another",
                quoted(name)
            ),
            Self::UnknownSource(name) => format!(
                "the source {} is not in the inventory: o chooses another",
                quoted(name)
            ),
            Self::WrongType {
                entities,
                type_,
                image,
                for_type,
            } => format!("{entities}: type {type_}, and {image} is for type {for_type}"),
            Self::PeerIsTarget(peer) => format!(
                "the peer {peer} is a target of the group too: take it out (-) or choose another source (o)"
            ),
            Self::PeerWrongType { peer, type_ } => {
                format!("the peer {peer} is of another type, {type_}: o chooses another")
            }
            Self::PeerWrongVersion {
                peer,
                version,
                wanted,
            } => format!(
                "the peer {peer} has version {version}, not {wanted}: o chooses another source"
            ),
            Self::NobodyHasIt { image, version } => format!(
                "no entity is known to have {image} (version {version}): o chooses another source"
            ),
            Self::Overlap { other, entities } => {
                format!("{entities} in group {other} too: the two can't run together")
            }
            Self::Runs => "it runs now".into(),
            Self::RunsElsewhere { other, entities } => {
                format!("{entities} in group {other}, which runs now: wait for its end")
            }
        }
    }
}

/// What is wrong with one of the groups; `of_entity` are the groups of each entity.
pub(crate) fn conflicts(
    inventory: &Inventory,
    sheets: &[Sheet],
    of_entity: &[Vec<usize>],
    at: usize,
) -> Vec<Conflict> {
    let sheet = &sheets[at];
    let mut found = Vec::new();
    let same_name = |(place, other): (usize, &Sheet)| place != at && other.name == sheet.name;
    // The inventory's group was there first.
    if !sheet.from_inventory && sheets.iter().enumerate().any(same_name) {
        found.push(Conflict::NameTaken);
    }
    if sheet.members.is_empty() {
        found.push(Conflict::NoEntities);
    }
    if !sheet.missing.is_empty() {
        found.push(Conflict::UnknownEntities(sheet.missing.clone()));
    }
    match &sheet.image {
        Chosen::NotYet => found.push(Conflict::NoImage),
        Chosen::Unknown(name) => found.push(Conflict::UnknownImage(name.clone())),
        Chosen::Known(_) => found.extend(wrong_types(inventory, sheet)),
    }
    match &sheet.source {
        Chosen::NotYet => found.push(Conflict::NoSource),
        Chosen::Unknown(name) => found.push(Conflict::UnknownSource(name.clone())),
        Chosen::Known(source) => found.extend(wrong_source(inventory, sheet, source)),
    }
    let mut shared: BTreeMap<usize, Vec<usize>> = BTreeMap::new();
    for member in &sheet.members {
        for other in of_entity[*member].iter().filter(|other| **other != at) {
            shared.entry(*other).or_default().push(*member);
        }
    }
    found.extend(
        shared
            .into_iter()
            .map(|(other, members)| Conflict::Overlap {
                other: sheets[other].name.clone(),
                entities: folded(inventory, &members),
            }),
    );
    found
}

/// One conflict for each type that the image is not for.
fn wrong_types(inventory: &Inventory, sheet: &Sheet) -> Vec<Conflict> {
    let Some(image) = sheet.image.known().filter(|image| !image.type_.is_empty()) else {
        return Vec::new();
    };
    let mut wrong: BTreeMap<&str, Vec<usize>> = BTreeMap::new();
    for at in &sheet.members {
        let type_ = &*inventory.entities[*at].type_;
        if !type_.is_empty() && type_ != image.type_ {
            wrong.entry(type_).or_default().push(*at);
        }
    }
    let wrong = wrong.into_iter();
    wrong
        .map(|(type_, members)| Conflict::WrongType {
            entities: folded(inventory, &members),
            type_: type_.into(),
            image: image.name.to_string(),
            for_type: image.type_.clone(),
        })
        .collect()
}

fn wrong_source(inventory: &Inventory, sheet: &Sheet, source: &Source) -> Vec<Conflict> {
    let mut found = Vec::new();
    let image = sheet.image.known();
    match source {
        Source::FileServer(_) => {}
        Source::Peer(at) => {
            let entity = &inventory.entities[*at];
            let peer = entity.name.to_string();
            let differ = |a: &str, b: &str| !a.is_empty() && !b.is_empty() && a != b;
            match image {
                Some(image) if differ(&entity.type_, &image.type_) => {
                    found.push(Conflict::PeerWrongType {
                        peer: peer.clone(),
                        type_: entity.type_.clone(),
                    });
                }
                Some(image) if differ(&entity.version, &image.version) => {
                    found.push(Conflict::PeerWrongVersion {
                        peer: peer.clone(),
                        version: entity.version.clone(),
                        wanted: image.version.clone(),
                    });
                }
                _ => {}
            }
            if sheet.members.contains(at) {
                found.push(Conflict::PeerIsTarget(peer));
            }
        }
        Source::AnyPeer => {
            if let Some(image) = image {
                let mut all = inventory.entities.iter();
                if !all.any(|one| one.holds(image)) {
                    found.push(Conflict::NobodyHasIt {
                        image: image.name.to_string(),
                        version: image.version.clone(),
                    });
                }
            }
        }
    }
    found
}

/// What stands against starting a group now, because of what runs.
pub(crate) fn beside_runs(
    inventory: &Inventory,
    sheet: &Sheet,
    snapshot: &Snapshot,
) -> Vec<Conflict> {
    let mut found = Vec::new();
    for group in snapshot.running() {
        if *group.group == *sheet.name {
            found.push(Conflict::Runs);
            continue;
        }
        // Those that it is done with may be in another group.
        let names: HashSet<&str> = group.unfinished().map(|one| &*one.entity).collect();
        let both: Vec<usize> = (sheet.members.iter().copied())
            .filter(|at| names.contains(&*inventory.entities[*at].name))
            .collect();
        if !both.is_empty() {
            found.push(Conflict::RunsElsewhere {
                other: group.group.to_string(),
                entities: folded(inventory, &both),
            });
        }
    }
    found
}

#[cfg(test)]
mod tests {
    use super::super::View;
    use super::*;
    use crate::console::state::Draft;
    use crate::console::testing;
    use crate::link::GroupSpec;
    use crate::model::{ImageSpec, Laggards, SourceSpec};

    fn made(name: &str, image: &str, source: SourceSpec, entities: &[&str]) -> Draft {
        Draft {
            spec: GroupSpec::Made {
                name: name.into(),
                image: ImageSpec::Named(image.into()),
                source,
                entities: entities.iter().map(|name| (*name).to_owned()).collect(),
                laggards: Laggards::CatchUp,
                limits: crate::model::Limits::default(),
                parallel: None,
            },
            from_inventory: false,
        }
    }

    fn hq() -> SourceSpec {
        SourceSpec::FileServer("hq".into())
    }

    fn words(drafts: &[Draft], at: usize) -> Vec<String> {
        let inventory = testing::inventory(testing::SITE);
        let view = View::new(&inventory, drafts);
        let found = conflicts(&inventory, &view.sheets, &view.of_entity, at);
        found.iter().map(Conflict::words).collect()
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
                    "no entities: mark some in the inventory and add them (+)",
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
        if let GroupSpec::Made { image, .. } = &mut group.spec {
            *image = ImageSpec::Described {
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
        let view = View::new(&inventory, &drafts);
        let mut snapshot = testing::snapshot();
        let words = |snapshot: &Snapshot, at: usize| -> Vec<String> {
            let found = beside_runs(&inventory, &view.sheets[at], snapshot);
            found.iter().map(Conflict::words).collect()
        };
        assert_eq!(words(&snapshot, 0), ["it runs now"]);
        assert_eq!(
            words(&snapshot, 1),
            ["shelf1-07 in group adsl, which runs now: wait for its end"],
            "it is done with shelf1-08"
        );
        assert!(words(&snapshot, 2).is_empty());
        let mut ended = (*snapshot.groups[0]).clone();
        ended.phase = crate::link::GroupPhase::Ended(crate::model::Outcome::Partial);
        snapshot.groups = vec![ended.into()];
        assert!(words(&snapshot, 0).is_empty() && words(&snapshot, 1).is_empty());
    }
}
