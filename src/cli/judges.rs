//! Whether a group can be started is asked in several places, for several readers: the inventory
//! file, the engine and the command line, `check`, the groups page and the review. They ask one
//! rulebook; one table of cases is put to all of them, so that it shows where they differ.
#![allow(clippy::unwrap_used, clippy::panic)]

use std::fmt::Write;
use std::path::Path;
use std::sync::Arc;

use super::args::CheckArgs;
use super::check::Planned;
use crate::console::testing::{self, entity, group, idle, site_of};
use crate::inventory::parse;
use crate::model::{
    DeliveryPolicy, EntityState, GroupSpec, ImageSpec, Inventory, Limits, MadeGroup, SourceSpec,
};
use crate::plan::{Footprint, make_group, plan, said};
use crate::protocol::Snapshot;

/// Four old entities of the type `adsl`, two that have the image, and two of another type.
const SITE: &str = r#"
memory: 128 KiB
buffer_size: 32 KiB
file_servers: { hq: { url: "ftp://192.0.2.10" } }
images:
  adsl-2: { file: adsl-2.bin, type: adsl, version: "2" }
  adsl-3: { file: adsl-3.bin, type: adsl, version: "3" }
defaults: { path: /flash/image.bin }
entities:
  - { name: "old[1-4]", type: adsl, version: "1", address: "192.0.2.[21-24]" }
  - { name: "new[1-2]", type: adsl, version: "2", address: "192.0.2.[31-32]" }
  - { name: "vdsl[1-2]", type: vdsl, version: "2", address: "192.0.2.[41-42]" }
"#;

struct Case {
    name: &'static str,
    /// To be started.
    spec: MadeGroup,
    /// To be started with it.
    with: Option<MadeGroup>,
    /// Runs already.
    runs: Option<MadeGroup>,
    force: bool,
    change: fn(&mut Inventory),
}

fn made(name: &str, image: &str, source: SourceSpec, entities: &[&str]) -> MadeGroup {
    MadeGroup {
        name: name.into(),
        image: ImageSpec::Named(image.into()),
        source,
        then: Vec::new(),
        entities: entities.iter().map(|name| (*name).to_owned()).collect(),
        policy: DeliveryPolicy::default(),
        campaign: Box::default(),
    }
}

/// Of `old1`, with an order of sources.
fn then<const N: usize>(name: &str, first: SourceSpec, then: [SourceSpec; N]) -> MadeGroup {
    MadeGroup {
        then: then.into(),
        ..made(name, "adsl-2", first, &["old1"])
    }
}

fn hq() -> SourceSpec {
    SourceSpec::FileServer("hq".into())
}

fn peer(name: &str) -> SourceSpec {
    SourceSpec::Peer(name.into())
}

/// The group `g`: `adsl-2` for `old1`.
fn good() -> MadeGroup {
    made("g", "adsl-2", hq(), &["old1"])
}

fn case(name: &'static str, spec: MadeGroup) -> Case {
    Case {
        name,
        spec,
        with: None,
        runs: None,
        force: false,
        change: |_| {},
    }
}

fn named(name: &str) -> MadeGroup {
    made(name, "adsl-2", hq(), &["old1"])
}

fn described(file: &str, type_: &str, version: &str, size: Option<u64>) -> MadeGroup {
    MadeGroup {
        image: ImageSpec::Described {
            name: "own".into(),
            file: file.into(),
            type_: type_.into(),
            version: version.into(),
            size,
        },
        ..good()
    }
}

fn cases() -> Vec<Case> {
    let mut none_at_a_time = good();
    let mut no_limit = good();
    none_at_a_time.policy.parallel = Some(0);
    no_limit.policy.limits.laggard = std::time::Duration::ZERO;
    let any = || SourceSpec::AnyPeer;
    vec![
        case("nothing is wrong", good()),
        case(
            "an image of another type",
            made("g", "adsl-2", hq(), &["old1", "vdsl1", "vdsl2"]),
        ),
        Case {
            change: |inventory| {
                let old1 = inventory
                    .entities
                    .iter_mut()
                    .find(|one| &*one.name == "old1");
                Arc::make_mut(old1.unwrap()).type_.clear();
            },
            ..case("an entity without a type", good())
        },
        case("an unknown image", made("g", "adsl-22", hq(), &["old1"])),
        case("no image chosen", made("g", "", hq(), &["old1"])),
        case(
            "an unknown file server",
            made(
                "g",
                "adsl-2",
                SourceSpec::FileServer("qh".into()),
                &["old1"],
            ),
        ),
        case(
            "no source chosen",
            made(
                "g",
                "adsl-2",
                SourceSpec::FileServer(String::new()),
                &["old1"],
            ),
        ),
        case(
            "an unknown entity",
            made("g", "adsl-2", hq(), &["old1", "olf2"]),
        ),
        case(
            "a range of which some are there",
            made("g", "adsl-2", hq(), &["old[3-6]"]),
        ),
        case(
            "a pattern that nothing matches",
            made("g", "adsl-2", hq(), &["x*"]),
        ),
        case(
            "a range that ends before it begins",
            made("g", "adsl-2", hq(), &["old[2-1]"]),
        ),
        case("no entities", made("g", "adsl-2", hq(), &[])),
        case(
            "an unknown peer",
            made("g", "adsl-2", peer("new9"), &["old1"]),
        ),
        case(
            "a peer with another version",
            made("g", "adsl-2", peer("old2"), &["old1"]),
        ),
        case(
            "a peer of another type",
            made("g", "adsl-2", peer("vdsl1"), &["old1"]),
        ),
        case(
            "a peer that is a target",
            made("g", "adsl-2", peer("new1"), &["old1", "new1"]),
        ),
        case(
            "any peer, and nobody has it",
            made("g", "adsl-3", any(), &["old1"]),
        ),
        case(
            "any peer, and some are targets",
            made("g", "adsl-2", any(), &["old1", "new1"]),
        ),
        Case {
            force: true,
            ..case(
                "any peer, and all are written",
                made("g", "adsl-2", any(), &["old1", "new[1-2]"]),
            )
        },
        case(
            "a second source that is unknown",
            then("g", hq(), [SourceSpec::FileServer("qh".into())]),
        ),
        case("a source twice", then("g", hq(), [any(), hq()])),
        case(
            "a file of this host",
            then("g", SourceSpec::File("/media/usb/a.bin".into()), [hq()]),
        ),
        case(
            "a folder of this host",
            then("g", hq(), [SourceSpec::File("/media/usb/".into())]),
        ),
        case(
            "a second peer with another version",
            then("g", hq(), [peer("old2")]),
        ),
        case(
            "a third peer that is unknown",
            then("g", hq(), [peer("new1"), peer("new9")]),
        ),
        case(
            "any peer behind a file server, and nobody has it",
            MadeGroup {
                image: ImageSpec::Named("adsl-3".into()),
                ..then("g", hq(), [any()])
            },
        ),
        case(
            "any peer before a file server, and nobody has it",
            MadeGroup {
                image: ImageSpec::Named("adsl-3".into()),
                ..then("g", any(), [hq()])
            },
        ),
        Case {
            with: Some(made("h", "adsl-3", hq(), &["new1"])),
            ..case(
                "a peer that the other writes, before a file server",
                then("g", peer("new1"), [hq()]),
            )
        },
        Case {
            with: Some(made("h", "adsl-3", hq(), &["new*"])),
            ..case(
                "two peers that the other writes",
                then("g", peer("new1"), [peer("new2")]),
            )
        },
        case("none at a time", none_at_a_time),
        case("a limit without sense", no_limit),
        case("a name that is empty", named("")),
        case("a name with a control character", named("a\u{7}b")),
        case("a name with a space before it", named(" a")),
        case("a name with a sign of patterns", named("a*")),
        case("a name of 201 characters", named(&"a".repeat(201))),
        case(
            "all have the image",
            made("g", "adsl-2", hq(), &["new1", "new2"]),
        ),
        case(
            "a described image",
            described("a/b.bin", "adsl", "2", Some(1)),
        ),
        case(
            "a described image for another type",
            described("b.bin", "vdsl", "2", None),
        ),
        case(
            "a described image that leads out",
            described("a/../../b.bin", "adsl", "2", None),
        ),
        case(
            "a described image from the root",
            described("/b.bin", "adsl", "2", None),
        ),
        case(
            "a described image without a file's name",
            described("a/", "adsl", "2", None),
        ),
        case(
            "a described image without a version",
            described("b.bin", "adsl", "", None),
        ),
        case(
            "a described image without a type",
            described("b.bin", "", "2", None),
        ),
        case(
            "a described image with a control character",
            described("b\u{7}.bin", "adsl", "2", None),
        ),
        case(
            "a described image of no bytes",
            described("b.bin", "adsl", "2", Some(0)),
        ),
        Case {
            with: Some(made("h", "adsl-3", hq(), &["old*"])),
            ..case("an entity in two groups", good())
        },
        Case {
            with: Some(good()),
            ..case("the same group twice", good())
        },
        Case {
            with: Some(made("h", "adsl-3", hq(), &["new1"])),
            ..case(
                "a peer that the other writes",
                made("g", "adsl-2", peer("new1"), &["old1"]),
            )
        },
        Case {
            with: Some(made("h", "adsl-3", hq(), &["new1"])),
            ..case(
                "any peer, of which the other writes one",
                made("g", "adsl-2", any(), &["old1"]),
            )
        },
        Case {
            with: Some(made("h", "adsl-3", hq(), &["new*"])),
            ..case(
                "any peer, of which the other writes all",
                made("g", "adsl-2", any(), &["old1"]),
            )
        },
        Case {
            runs: Some(good()),
            ..case("it runs already", named("g"))
        },
        Case {
            runs: Some(made("r", "adsl-2", hq(), &["old[1-2]"])),
            ..case(
                "an entity of one that runs",
                made("g", "adsl-3", hq(), &["old*"]),
            )
        },
        Case {
            runs: Some(made("r", "adsl-2", peer("new1"), &["old2"])),
            ..case(
                "a target that one that runs reads",
                made("g", "adsl-3", hq(), &["new1"]),
            )
        },
        Case {
            runs: Some(made("r", "adsl-2", any(), &["old2"])),
            ..case(
                "a target that one that runs may read",
                made("g", "adsl-3", hq(), &["new1"]),
            )
        },
        Case {
            runs: Some(made("r", "adsl-3", hq(), &["new1"])),
            ..case(
                "a peer that one that runs writes",
                made("g", "adsl-2", peer("new1"), &["old1"]),
            )
        },
        Case {
            runs: Some(made("r", "adsl-3", hq(), &["new*"])),
            ..case(
                "any peer, and one that runs writes all",
                made("g", "adsl-2", any(), &["old1"]),
            )
        },
        Case {
            runs: Some(made("r", "adsl-3", hq(), &["old2"])),
            with: Some(made("h", "adsl-3", hq(), &["old3"])),
            ..case("no memory for a third pool", good())
        },
        Case {
            runs: Some(made("r", "adsl-3", hq(), &["old2"])),
            with: Some(made("h", "adsl-33", hq(), &["old3"])),
            ..case("no memory for a third pool, and an unknown image", good())
        },
    ]
}

/// What one of them says: its reasons, none where it lets the start pass, nothing where it is not
/// asked such a thing.
type Verdict = Option<Vec<String>>;

impl Case {
    fn inventory(&self) -> Inventory {
        let mut inventory = parse(SITE, Path::new("site.yaml")).unwrap();
        (self.change)(&mut inventory);
        inventory
    }

    fn specs(&self) -> Vec<GroupSpec> {
        self.groups().cloned().map(GroupSpec::Made).collect()
    }

    fn groups(&self) -> impl Iterator<Item = &MadeGroup> {
        std::iter::once(&self.spec).chain(&self.with)
    }

    /// A file can't be read as far as such an inventory.
    fn is_of_a_file(&self) -> bool {
        let inventory = self.inventory();
        inventory.entities.iter().all(|one| !one.type_.is_empty())
    }

    /// The groups as they would stand in the file.
    fn yaml(&self) -> String {
        let text = |text: &str| serde_json::Value::from(text).to_string();
        let (mut images, mut groups) = (String::new(), String::new());
        for made in self.groups() {
            let MadeGroup {
                name,
                image,
                source,
                then,
                entities,
                policy,
                campaign: _,
            } = made;
            if let ImageSpec::Described {
                name,
                file,
                type_,
                version,
                size,
            } = image
            {
                let size = size.map_or(String::new(), |size| format!(", size: {size} B"));
                let [file, type_, version] = [file, type_, version].map(|one| text(one));
                writeln!(
                    images,
                    "  {name}: {{ file: {file}, type: {type_}, version: {version}{size} }}"
                )
                .unwrap();
            }
            let written = |source: &SourceSpec| match source {
                SourceSpec::FileServer(name) => format!("{{ file_server: {} }}", text(name)),
                SourceSpec::File(path) => format!("{{ file: {} }}", text(path)),
                SourceSpec::Peer(name) => format!("{{ peer: {} }}", text(name)),
                SourceSpec::AnyPeer => "{ peer: any }".into(),
            };
            let order: Vec<String> = [source].into_iter().chain(then).map(written).collect();
            let source = match order.as_slice() {
                [one] => format!("source: {one}"),
                order => format!("sources: [{}]", order.join(", ")),
            };
            let entities: Vec<String> = entities.iter().map(|one| text(one)).collect();
            let mut more = String::new();
            if let Some(parallel) = policy.parallel {
                write!(more, ", parallel: {parallel}").unwrap();
            }
            if policy.limits != Limits::default() {
                write!(
                    more,
                    ", laggard_limit: {}s",
                    policy.limits.laggard.as_secs()
                )
                .unwrap();
            }
            writeln!(
                groups,
                "  {}: {{ entities: [{}], image: {}, {source}{more} }}",
                text(name),
                entities.join(", "),
                text(image.name()),
            )
            .unwrap();
        }
        SITE.replace("defaults:", &format!("{images}defaults:")) + "groups:\n" + &groups
    }

    fn file(&self) -> Verdict {
        if self.force || self.runs.is_some() || !self.is_of_a_file() {
            return None;
        }
        let errors = parse(&self.yaml(), Path::new("site.yaml"));
        Some(match errors {
            Ok(_) => Vec::new(),
            Err(errors) => {
                let errors = errors.errors().iter();
                errors
                    .map(|one| format!("{} ({})", one.message, one.help))
                    .collect()
            }
        })
    }

    /// `subtend check`, where the file lets it pass.
    fn check(&self) -> Verdict {
        if self.force || self.runs.is_some() || !self.is_of_a_file() {
            return None;
        }
        let inventory = parse(&self.yaml(), Path::new("site.yaml")).ok()?;
        let args = CheckArgs {
            online: false,
            groups: Vec::new(),
            json: false,
        };
        let planned = Planned::of(&args, inventory);
        Some(match planned {
            Ok(_) => Vec::new(),
            Err(failed) => failed.to_string().lines().map(str::to_owned).collect(),
        })
    }

    fn engine(&self) -> Verdict {
        let inventory = self.inventory();
        let running = self.runs.iter().map(|made| {
            let group = make_group(&inventory, made).unwrap();
            Footprint::of(&group, &group.entities, false)
        });
        let running: Vec<Footprint> = running.collect();
        let plan = plan(&inventory, &running, &self.specs(), self.force);
        Some(said(&plan.blockers))
    }

    fn snapshot(&self) -> Snapshot {
        let inventory = self.inventory();
        let running = self.runs.iter().map(|made| {
            let made = make_group(&inventory, made).unwrap();
            let entities = made.entities.iter();
            let entities = entities.map(|one| entity(&one.name, EntityState::Sending, 0));
            let mut running = group(&made.name, entities.collect());
            running.image = made.image.name.clone();
            running.version.clone_from(&made.image.version);
            running.source = made.source.label();
            Arc::new(running)
        });
        Snapshot {
            groups: running.collect(),
            ..idle()
        }
    }

    fn groups_page(&self) -> Verdict {
        // The page knows nothing of it.
        if self.force {
            return None;
        }
        let mut site = site_of(self.inventory());
        site.kept = self.specs();
        Some(testing::groups_page(
            site,
            &self.snapshot(),
            self.specs().len(),
        ))
    }

    fn review(&self) -> Verdict {
        let site = site_of(self.inventory());
        Some(testing::review(
            site,
            &self.snapshot(),
            self.specs(),
            self.force,
        ))
    }
}

/// Who lets a start pass that others refuse, and why that is right.
const EXCEPTIONS: [(&str, &str); 9] = [
    // A file may have groups that can't run together, other than by writing the same entity: each
    // may be run by itself.
    ("a peer that the other writes", "file"),
    ("any peer, of which the other writes all", "file"),
    ("two peers that the other writes", "file"),
    // The page has a word for each group by itself and beside what runs; what is started together
    // is judged by the review, to which it leads.
    ("a peer that the other writes", "groups"),
    ("any peer, of which the other writes all", "groups"),
    ("two peers that the other writes", "groups"),
    ("no memory for a third pool", "groups"),
    // The engine alone knows which of any peers a group may still read, and has the last word.
    ("a target that one that runs may read", "groups"),
    ("a target that one that runs may read", "review"),
];

#[test]
fn all_who_judge_a_start_agree() {
    let mut table = String::new();
    let mut passed = Vec::new();
    for case in cases() {
        writeln!(table, "== {}", case.name).unwrap();
        let verdicts = [
            ("file", case.file()),
            ("check", case.check()),
            ("engine", case.engine()),
            ("groups", case.groups_page()),
            ("review", case.review()),
        ];
        let is_refused = |(_, verdict): &&(_, Verdict)| match verdict {
            Some(reasons) => !reasons.is_empty(),
            None => false,
        };
        let refused = verdicts.iter().filter(is_refused).count();
        for (judge, verdict) in &verdicts {
            match verdict {
                None => writeln!(table, "{judge:>8}  -").unwrap(),
                Some(reasons) if reasons.is_empty() => {
                    writeln!(table, "{judge:>8}  ok").unwrap();
                    if refused > 0 {
                        passed.push((case.name, *judge));
                    }
                }
                Some(reasons) => {
                    for reason in reasons {
                        let reason = reason.replace(&"a".repeat(201), "a…a");
                        writeln!(table, "{judge:>8}  NO: {reason}").unwrap();
                    }
                }
            }
        }
    }
    insta::assert_snapshot!(table);
    let mut expected = EXCEPTIONS.to_vec();
    expected.sort_unstable();
    passed.sort_unstable();
    assert_eq!(passed, expected, "{table}");
}
