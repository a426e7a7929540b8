//! What can be started beside what, and what it gets.
#![allow(clippy::unwrap_used)]

use std::time::Duration;

use proptest::prelude::*;

use super::*;
use crate::model::campaign::{Campaign, Downgrade};
use crate::model::procedure::{TypeSpec, Versions};
use crate::model::testing::{self, inventory};
use crate::model::{BufferPreference, LoginBy, SMALLEST_BUFFER as SMALLEST, Scheme};

/// `old1`, `old2`, `new1` and `new2`; the new ones have the image.
fn network() -> Inventory {
    let mut inventory = inventory(8 << 20, BufferPreference::Size(256 << 10));
    let entities = [("old1", "1"), ("old2", "1"), ("new1", "2"), ("new2", "2")];
    inventory.entities = entities
        .map(|(name, version)| Arc::new(testing::entity(name, version)))
        .into();
    inventory
}

fn entities(inventory: &Inventory, names: &str) -> Vec<Arc<Entity>> {
    let names = names.split_whitespace();
    names
        .map(|name| inventory.entity(name).unwrap().clone())
        .collect()
}

/// Adds a group with these targets, which reads from any of the peers if there are some.
fn add(inventory: &mut Inventory, name: &str, targets: &str, peers: &str) {
    let mut group = testing::group(name, entities(inventory, targets));
    if !peers.is_empty() {
        let peers = entities(inventory, peers);
        group.source = SourceChoice::Peer(PeerChoice::Any(peers));
    }
    inventory.groups.push(Arc::new(group));
}

fn add_named(inventory: &mut Inventory, name: &str, targets: &str, peer: &str) {
    let mut group = testing::group(name, entities(inventory, targets));
    let peer = entities(inventory, peer).remove(0);
    group.source = SourceChoice::Peer(PeerChoice::Named(peer));
    inventory.groups.push(Arc::new(group));
}

/// What runs (and whether it was forced), and what is to be started beside it.
fn plan_of(inventory: &Inventory, running: &[(&str, bool)], names: &[&str], force: bool) -> Plan {
    let running = running.iter().map(|(name, force)| {
        let group = inventory.group(name).unwrap();
        Footprint::of(group, &group.entities, *force)
    });
    let specs = names.iter().map(|name| GroupSpec::Named((*name).into()));
    let (running, specs): (Vec<_>, Vec<_>) = (running.collect(), specs.collect());
    plan(inventory, &running, &specs, force)
}

/// What the groups may read from, a text each.
fn start(
    inventory: &Inventory,
    running: &[(&str, bool)],
    names: &[&str],
    force: bool,
) -> Result<Vec<String>, String> {
    let groups = plan_of(inventory, running, names, force).startable();
    let peers = |group: Arc<Group>| {
        let names = group
            .source
            .peers()
            .iter()
            .map(|peer| peer.name.to_string());
        names.collect::<Vec<_>>().join(" ")
    };
    groups
        .map(|groups| groups.into_iter().map(peers).collect())
        .map_err(|blockers| said(&blockers).join("\n"))
}

#[test]
fn a_forced_group_does_not_read_what_it_writes() {
    let mut network = network();
    add(&mut network, "all", "old1 new1 new2", "new1 new2");
    add(&mut network, "some", "old1 new2", "new1 new2");
    assert_eq!(
        start(&network, &[], &["all"], false).unwrap(),
        ["new1 new2"]
    );
    assert_eq!(start(&network, &[], &["some"], true).unwrap(), ["new1"]);
    assert_eq!(
        start(&network, &[], &["all"], true).unwrap_err(),
        "group `all` has no peer left to read `adsl-2` from: new[1-2] would be read while the \
         new image is written there; read it from a file server, or leave one of them out, or \
         start without `--force`"
    );
}

#[test]
fn what_another_group_writes_is_not_read_either() {
    let mut network = network();
    add(&mut network, "reads", "old1", "new1 new2");
    add(&mut network, "writes", "old2 new2", "");
    add(&mut network, "writes-all", "new1 new2", "");
    let both = ["reads", "writes"];
    assert_eq!(start(&network, &[], &both, false).unwrap()[0], "new1 new2");
    assert_eq!(start(&network, &[], &both, true).unwrap()[0], "new1");
    let beside = |other: &str, force| start(&network, &[(other, force)], &["reads"], false);
    assert_eq!(beside("writes", false).unwrap(), ["new1 new2"]);
    assert_eq!(beside("writes", true).unwrap(), ["new1"]);
    let refused = beside("writes-all", true).unwrap_err();
    assert!(
        refused.contains("no peer left") && !refused.contains("--force"),
        "{refused}"
    );
    // A group that runs may read from any of its peers until it ends.
    let refused = start(&network, &[("reads", false)], &["writes"], true).unwrap_err();
    assert_eq!(
        refused,
        "new2 is read by group `reads`, which runs; `writes` can start when that has ended"
    );
    assert!(start(&network, &[("reads", false)], &["writes"], false).is_ok());
}

#[test]
fn a_named_peer_is_not_written_by_another_group() {
    let mut network = network();
    add_named(&mut network, "reads", "old1", "new1");
    add(&mut network, "writes", "old2 new1", "");
    let refused = |running: &[(&str, bool)], names: &[&str], force| {
        start(&network, running, names, force).unwrap_err()
    };
    let upgraded = "`new1`, the source of `reads`, is being upgraded in group `writes`";
    assert_eq!(refused(&[], &["reads", "writes"], true), upgraded);
    assert_eq!(refused(&[], &["writes", "reads"], true), upgraded);
    assert_eq!(refused(&[("writes", true)], &["reads"], false), upgraded);
    assert!(refused(&[("reads", false)], &["writes"], true).starts_with("new1 is read by"));
    assert!(start(&network, &[], &["reads", "writes"], false).is_ok());
}

#[test]
fn every_reason_is_told_in_one_go() {
    let mut network = network();
    add(&mut network, "one", "old1 old2", "");
    add(&mut network, "two", "old1 old2", "");
    let refused = |running: &[(&str, bool)], names: &[&str]| {
        start(&network, running, names, false).unwrap_err()
    };
    assert_eq!(
        refused(&[], &["nobody", "owt"]),
        "there is no group `nobody` (under `groups` there are `one` and `two`)\n\
         there is no group `owt` (under `groups` there are `one` and `two`)"
    );
    assert_eq!(
        refused(&[], &["one", "two"]),
        "groups `one` and `two` can't run together: both have old[1-2]"
    );
    assert_eq!(
        refused(&[("one", false)], &["two"]),
        "old[1-2] are in group `one`, which runs; `two` can start when that has ended"
    );
    assert_eq!(
        refused(&[("one", false)], &["one"]),
        "group `one` runs already"
    );
    assert_eq!(
        refused(&[], &["one", "one"]),
        "group `one` is to be started twice"
    );
}

#[test]
fn memory_is_needed_for_those_that_run_too() {
    let mut network = network();
    network.memory = 1 << 20;
    for (name, target) in [("one", "old1"), ("two", "old2"), ("three", "new1")] {
        add(&mut network, name, target, "");
    }
    assert!(start(&network, &[("one", false)], &["two"], false).is_ok());
    let refused = start(&network, &[("one", false)], &["two", "three"], false).unwrap_err();
    assert!(refused.contains("too little for 3 groups"), "{refused}");
}

#[test]
fn peers_that_are_left_out_and_groups_without_work_are_found() {
    let mut network = network();
    add(&mut network, "reads", "old1", "new1 new2");
    add(&mut network, "writes", "old2 new2", "");
    add(&mut network, "idle", "new1", "");
    let found = |names: &[&str], force| plan_of(&network, &[], names, force).findings;
    assert_eq!(found(&["reads", "writes"], false), []);
    let left_out = Finding::PeersLeftOut {
        group: "reads".into(),
        peers: vec!["new2".into()],
    };
    assert_eq!(found(&["reads", "writes"], true), [left_out]);
    let nothing = Finding::NothingToSend {
        group: "idle".into(),
    };
    assert_eq!(found(&["idle"], false), [nothing]);
    assert_eq!(found(&["idle"], true), []);
}

#[test]
fn credentials_are_those_of_the_hosts_that_are_logged_in_to() {
    let mut network = network();
    let credentials = ["craft", "field", "unused"].map(|name| CredentialsRef {
        name: name.into(),
        user: name.into(),
        by: LoginBy::Password,
        secret: SecretSource::Ask,
    });
    network.credentials = credentials.into();
    for entity in &mut network.entities {
        let known = if entity.version == "1" {
            "craft"
        } else {
            "field"
        };
        Arc::make_mut(entity).credentials = Some(known.into());
    }
    add(&mut network, "old", "old1 old2 new1", "");
    add(&mut network, "reads", "old1", "new1");
    let needed = |name: &str, force| {
        let plan = plan_of(&network, &[], &[name], force);
        let names: Vec<Name> = plan
            .credentials
            .iter()
            .map(|one| one.name.clone())
            .collect();
        (names.join(" "), said(&plan.findings))
    };
    let (names, said) = needed("old", false);
    assert_eq!(names, "craft", "who is skipped is not logged in to");
    assert_eq!(
        said,
        ["craft: sent in CLEAR TEXT, readable on the way, to old[1-2]"]
    );
    assert_eq!(needed("old", true).0, "craft field");
    assert_eq!(needed("reads", false).0, "craft field");
}

#[test]
fn command_lines_are_logged_in_to_where_a_step_of_the_run_sends_something_there() {
    let needed = |before: &str, activate: &str| {
        let text = format!(
            "credentials: {{ cli: {{ user: a, password: {{ env: A }} }}, en: {{ user: b, password: {{ env: B }} }} }}
types: {{ adsl: {{ procedure: card }} }}
procedures:
  card:
    session: {{ telnet: 23, credentials: cli }}
    before: [ {before} ]
    activate: [ {{ send: enable, answers: [ {{ to: 'word:', password: en }} ] }} ]
    check: [ {{ send: ver, expect: '(?<v>.+)', is: \"{{version}}\" }} ]
images: {{ i: {{ file: f, type: adsl, version: \"2\" }} }}
entities: [ {{ name: \"e[1-2]\", type: adsl, version: \"1\", address: \"192.0.2.[1-2]\", path: /f }} ]
groups: {{ g: {{ select: {{ type: adsl }}, image: i, source: {{ file: /f }}, activate: {activate} }} }}
"
        );
        let inventory = crate::inventory::parse(&text, std::path::Path::new("site.yaml"));
        let inventory = inventory.unwrap();
        let plan = plan_of(&inventory, &[], &["g"], false);
        let names = plan.credentials.iter().map(|one| one.name.to_string());
        (names.collect::<Vec<_>>().join(" "), said(&plan.findings))
    };
    let (send, site) = ("{ send: ver }", "{ site: STAT }");
    let clear = |name: &str| {
        format!(
            "{name}: sent in CLEAR TEXT (telnet), readable on the way, to the command line of e[1-2]"
        )
    };
    assert_eq!(needed(site, "later"), (String::new(), vec![]));
    assert_eq!(needed(send, "later"), ("cli".into(), vec![clear("cli")]));
    let all = ("cli en".into(), vec![clear("cli"), clear("en")]);
    assert_eq!(needed(site, "now"), all);
}

/// Steps of `fetch` are carried out on devices that fetch alone, and nobody logs in at the address of one.
#[test]
fn passwords_that_steps_of_fetch_need_are_needed_where_devices_fetch() {
    let needed = |deliver: &str, deed: &str, activate: &str| {
        let text = format!(
            "serve: {{ http: 192.0.2.9:8080 }}
credentials: {{ own: {{ user: o, password: {{ env: O }} }}, cli: {{ user: a, password: {{ env: A }} }},
  en: {{ user: b, password: {{ env: B }} }} }}
types: {{ adsl: {{ procedure: card, deliver: {deliver} }} }}
procedures:
  card:
    session: {{ ssh: 22, credentials: cli, ssh_legacy: true }}
    fetch: [ {{ {deed}, fetch: http, within: 1m }} ]
    activate: [ {{ exec: [x], within: 1m }}, {{ restart: true, down: 1m, back: 1m }} ]
    check: [ {{ exec: [y], expect: '(?<v>.+)', is: \"{{version}}\", within: 1m }} ]
images: {{ i: {{ file: f, type: adsl, version: \"2\" }} }}
entities: [ {{ name: \"e[1-2]\", type: adsl, version: \"1\", address: \"192.0.2.[1-2]\", path: /f, credentials: own }} ]
groups: {{ g: {{ select: {{ type: adsl }}, image: i, source: {{ file: /f }}, activate: {activate} }} }}
"
        );
        let inventory = crate::inventory::parse(&text, std::path::Path::new("site.yaml"));
        let mut inventory = inventory.unwrap();
        let plan_now = |inventory: &Inventory| {
            let plan = plan_of(inventory, &[], &["g"], false);
            let legacy = plan
                .findings
                .iter()
                .any(|one| matches!(one, Finding::LegacySsh { .. }));
            let names = plan.credentials.iter().map(|one| one.name.to_string());
            (names.collect::<Vec<_>>().join(" "), legacy)
        };
        let named = plan_now(&inventory);
        // Where the session names none, they are the entity's own.
        let group = Arc::make_mut(&mut inventory.groups[0]);
        let procedure = Arc::make_mut(group.procedure.as_mut().unwrap());
        procedure.session.as_mut().unwrap().credentials = None;
        (named, plan_now(&inventory).0)
    };
    let of = |names: &str, legacy, own: &str| ((names.to_owned(), legacy), own.to_owned());
    let send = "send: copy, answers: [ { to: 'word:', password: en } ]";
    assert_eq!(needed("fetch", send, "later"), of("cli en", true, "own en"));
    assert_eq!(needed("push", send, "later"), of("own", false, "own"));
    assert_eq!(needed("push", send, "now"), of("own", false, "own"));
    let exec = "exec: [copy]";
    assert_eq!(needed("fetch", exec, "later"), of("", false, ""));
    // Its command line alone shows whether it is back.
    assert_eq!(needed("fetch", exec, "now"), of("cli", true, "own"));
}

/// As for command lines; what goes over TLS is not readable.
#[test]
fn passwords_for_requests_over_http_are_said_to_be_readable() {
    let needed = |way: &str, activate: &str| {
        let text = format!(
            "credentials: {{ web: {{ user: a, password: {{ env: A }} }} }}
types: {{ adsl: {{ procedure: card }} }}
procedures:
  card:
    session: {{ {way}, credentials: web }}
    activate: [ {{ http: POST /reload }} ]
    check: [ {{ http: /ver, expect: '(?<v>.+)', is: \"{{version}}\" }} ]
images: {{ i: {{ file: f, type: adsl, version: \"2\" }} }}
entities: [ {{ name: \"e[1-2]\", type: adsl, version: \"1\", address: \"192.0.2.[1-2]\", path: /f }} ]
groups: {{ g: {{ select: {{ type: adsl }}, image: i, source: {{ file: /f }}, activate: {activate} }} }}
"
        );
        let inventory = crate::inventory::parse(&text, std::path::Path::new("site.yaml"));
        let plan = plan_of(&inventory.unwrap(), &[], &["g"], false);
        (plan.credentials.len(), said(&plan.findings))
    };
    assert_eq!(needed("http: 80", "later"), (0, vec![]));
    let clear =
        "web: sent in CLEAR TEXT (http), readable on the way, to the web server of e[1-2]".into();
    assert_eq!(needed("http: 80", "now"), (1, vec![clear]));
    assert_eq!(needed("https: 443", "now"), (1, vec![]));
}

/// Share, number and size of the buffers of a number of groups.
fn pools(
    memory: u64,
    buffers: BufferPreference,
    number: usize,
) -> Result<Vec<(u64, usize, u64)>, String> {
    let mut inventory = inventory(memory, buffers);
    let names: Vec<String> = (0..number).map(|at| format!("g{at}")).collect();
    let groups = names
        .iter()
        .map(|name| Arc::new(testing::group(name, Vec::new())));
    inventory.groups = groups.collect();
    let names: Vec<&str> = names.iter().map(String::as_str).collect();
    let plan = plan_of(&inventory, &[], &names, false);
    match plan.blockers.is_empty() {
        false => Err(said(&plan.blockers).join("\n")),
        true => {
            let pools = plan.groups.iter().map(|group| group.pool.unwrap());
            let figures = |pool: PlannedPool| {
                let Layout {
                    buffers,
                    buffer_size,
                } = pool.layout;
                (pool.share, buffers, buffer_size as u64)
            };
            Ok(pools.map(figures).collect())
        }
    }
}

#[test]
fn one_group_has_all_of_the_memory() {
    let pools = pools(8 << 20, BufferPreference::Size(256 << 10), 1).unwrap();
    assert_eq!(pools, [(8 << 20, 32, 256 << 10)]);
}

#[test]
fn a_fixed_number_gives_the_size() {
    let both = pools(8 << 20, BufferPreference::Count(16), 2).unwrap();
    assert_eq!(both, [(4 << 20, 16, 256 << 10); 2]);
}

#[test]
fn the_remainder_goes_to_the_first() {
    let pools = pools(1_000_001, BufferPreference::Size(1000), 3).unwrap();
    let shares: Vec<u64> = pools.iter().map(|(share, ..)| *share).collect();
    assert_eq!(shares, [333_334, 333_334, 333_333]);
}

#[test]
fn too_little_memory_is_refused_with_what_is_needed() {
    let refused = |memory, buffers, number| pools(memory, buffers, number).err();
    let size = BufferPreference::Size(256 << 10);
    assert_eq!(refused(1 << 20, size, 2), None, "two buffers each");
    assert_eq!(
        refused(1 << 20, size, 3).unwrap(),
        "1.0 MiB of memory are too little for 3 groups at a time: each needs two buffers of \
         256.0 KiB, so give at least 1.5 MiB (1572864 bytes) of `memory`, a smaller \
         `buffer_size`, or run fewer groups at a time"
    );
    let count = BufferPreference::Count(16);
    assert_eq!(refused(16 << 10, count, 1), None, "1 KiB a buffer");
    assert_eq!(
        refused(15 << 10, count, 1).unwrap(),
        "15.0 KiB of memory are too little for 1 group at a time: each needs 16 buffers of at \
         least 1.0 KiB, so give at least 16.0 KiB (16384 bytes) of `memory`, or fewer `buffers`"
    );
    assert!(refused(1 << 40, BufferPreference::Size(u64::MAX), 2).is_some());
}

proptest! {
    #[test]
    fn pools_never_take_more_than_the_memory(
        memory in 1u64..1 << 40,
        number in 1usize..12,
        size in prop::option::of(1u64..1 << 30),
        count in 1usize..10_000,
    ) {
        let preference = size.map_or(BufferPreference::Count(count), BufferPreference::Size);
        let Ok(pools) = pools(memory, preference, number) else {
            prop_assert!(memory < preference.least_memory() * number as u64);
            return Ok(());
        };
        let held: u64 = pools.iter().map(|(_, buffers, size)| *buffers as u64 * size).sum();
        prop_assert!(held <= memory);
        prop_assert_eq!(pools.iter().map(|(share, ..)| share).sum::<u64>(), memory);
        for (_, buffers, size) in pools {
            match preference {
                BufferPreference::Size(wanted) => {
                    prop_assert!(buffers >= 2 && size == wanted);
                }
                BufferPreference::Count(count) => {
                    prop_assert!(buffers == count && size >= SMALLEST);
                }
            }
        }
    }
}

/// Those with which `adsl` has versions that compare.
fn versioned(how: Versions, campaign: Campaign, versions: &[(&str, &str)]) -> Inventory {
    let mut inventory = inventory(8 << 20, BufferPreference::Size(256 << 10));
    let entities = versions.iter();
    inventory.entities = entities
        .map(|(name, version)| Arc::new(testing::entity(name, version)))
        .collect();
    inventory.types = vec![Arc::new(TypeSpec {
        name: "adsl".into(),
        procedure: None,
        versions: how,
    })];
    let mut group = testing::group("g", inventory.entities.clone());
    group.campaign = Arc::new(campaign);
    inventory.groups.push(Arc::new(group));
    inventory
}

#[test]
fn an_older_image_is_put_on_nothing_unless_that_is_allowed() {
    let versions = [
        ("a1", "1.9"),
        ("a2", "3"),
        ("a3", "2.1"),
        ("a4", "2"),
        ("a5", "3"),
    ];
    let refuse = || versioned(Versions::Dotted, Campaign::default(), &versions);
    for force in [false, true] {
        let plan = plan_of(&refuse(), &[], &["g"], force);
        let expected = "group `g`: the image `adsl-2` is version `2`, which is older than what 3 of them run: \
                        `2.1` on a3, `3` on a2, a5; write `downgrade: allow` where that is meant, or leave them out";
        assert_eq!(said(&plan.blockers), [expected], "force: {force}");
    }
    let allow = Campaign {
        downgrade: Downgrade::Allow,
        ..Campaign::default()
    };
    let inventory = versioned(Versions::Dotted, allow, &versions);
    assert!(plan_of(&inventory, &[], &["g"], false).blockers.is_empty());
    // Nobody knows how they compare.
    let inventory = versioned(Versions::None, Campaign::default(), &versions);
    let plan = plan_of(&inventory, &[], &["g"], false);
    assert!(plan.blockers.is_empty() && plan.findings.is_empty());
    let inventory = versioned(Versions::Semver, Campaign::default(), &versions);
    let plan = plan_of(&inventory, &[], &["g"], false);
    assert!(plan.blockers.is_empty());
    let expected = "whether version `2` is older can't be said, since these are not semver: `1.9` on a1, `2.1` on a3, \
                    `3` on a2, a5";
    assert_eq!(said(&plan.findings), [expected]);
}

#[test]
fn an_image_is_put_only_on_versions_that_it_may_be_put_on() {
    let from = |from: &str| Campaign {
        from: Some(from.into()),
        ..Campaign::default()
    };
    let versions = [("a1", "1.2"), ("a2", "1.9"), ("a3", "2")];
    let blockers = |text: &str, force| {
        let inventory = versioned(Versions::Dotted, from(text), &versions);
        said(&plan_of(&inventory, &[], &["g"], force).blockers)
    };
    assert_eq!(blockers(">=1.2", false), [""; 0]);
    let expected = "group `g`: the image `adsl-2` may be put on `>=1.5, <2` alone (`from`), and 1 of them runs \
                    something else: `1.2` on a1; leave them out, or bring them to such a version first";
    assert_eq!(blockers(">=1.5, <2", false), [expected]);
    // One that has it is skipped, unless it gets it again.
    assert!(blockers(">=1.5, <2", true)[0].contains("`2` on a3"));
    // Not knowing is no yes.
    let inventory = versioned(
        Versions::Semver,
        from(">=1.0.0"),
        &[("a1", "1.2.0"), ("a2", "old")],
    );
    let refused = said(&plan_of(&inventory, &[], &["g"], false).blockers);
    assert!(
        refused[0].contains("1 of them runs something else: `old` on a2"),
        "{refused:?}"
    );
}

#[test]
fn a_plan_says_where_devices_fetch_from_and_what_is_to_be_done_for_it_to_be_served() {
    let mut inventory = network();
    inventory.serve.http = Some(([192, 0, 2, 1], 80).into());
    inventory.serve.tftp = Some(([192, 0, 2, 1], 8069).into());
    add(&mut inventory, "pushed", "old1", "");
    for entity in inventory.entities.iter_mut().take(2) {
        Arc::make_mut(entity).address.scheme = Scheme::Fetch;
    }
    add(&mut inventory, "fetched", "old1 old2 new1", "");
    let mut patient = testing::group("patient", entities(&inventory, "old1"));
    patient.laggards = Laggards::Wait;
    inventory.groups.push(Arc::new(patient));
    let mut activated = testing::group("activated", entities(&inventory, "old1"));
    activated.extent = Extent::Activate;
    inventory.groups.push(Arc::new(activated));
    let low = |at: SocketAddr| (at.port() < 1024).then(|| format!("{at} is low"));
    let plan = |inventory: &Inventory, name| {
        plan_of(inventory, &[], &[name], false).served(&inventory.serve, low)
    };
    let served = |plan: &Plan| {
        let findings = plan.findings.iter();
        let served = findings.filter(|one| matches!(one, Finding::Served { .. }));
        served.map(ToString::to_string).collect::<Vec<_>>()
    };
    let at = "http 192.0.2.1:80, tftp 192.0.2.1:8069, from where";
    let fetched = plan(&inventory, "fetched");
    let waits = "the others wait up to 30 s for one to ask";
    assert_eq!(
        served(&fetched),
        [format!("{at} old[1-2] fetch the image; {waits}")]
    );
    let patient = served(&plan(&inventory, "patient"));
    assert_eq!(patient, [format!("{at} old1 fetches the image")]);
    let mut hasty = inventory.clone();
    hasty.serve.gather = Duration::ZERO;
    let hasty = served(&plan(&hasty, "fetched"));
    assert!(
        hasty[0].ends_with("; nobody waits for one that has not asked"),
        "{hasty:?}"
    );
    let refused = said(&fetched.startable().unwrap_err());
    assert_eq!(
        refused,
        ["images can't be served to devices that fetch them: 192.0.2.1:80 is low"]
    );
    for name in ["pushed", "activated"] {
        let other = plan(&inventory, name);
        assert!(served(&other).is_empty(), "{name}");
        other.startable().unwrap();
    }
}
