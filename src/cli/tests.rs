//! The commands, put together from services that a test provides.

use std::collections::BTreeMap;
use std::path::Path;
use std::sync::Arc;
use std::time::Duration;

use clap::Parser;
#[cfg(feature = "lab")]
use color_eyre::eyre;

use super::args::{Arguments, CheckArgs, RunArgs, Verb};
use super::check::check;
use super::select::select;
use super::services::{Engine, Services};
#[cfg(feature = "lab")]
use super::services::{Lab, Practice};
use crate::inventory::{self, InventoryErrors};
use crate::model::campaign::start::read_start;
use crate::model::campaign::{Campaign, Downgrade, Offline, Proceed, StopAfter, Wave, Window};
use crate::model::{
    BufferPreference, CredentialsRef, Entity, Extent, FileServer, Group, GroupSpec, Image,
    Inventory, Limits, LoginBy, Logins, MadeGroup, Name, PeerChoice, SecretSource, SourceChoice,
    SourceSpec, testing,
};

struct Fake(Inventory);

impl Services for Fake {
    fn load(&self, file: &Path) -> Result<Inventory, InventoryErrors> {
        if file == Path::new("broken.yaml") {
            return inventory::parse("no_such: key", file);
        }
        Ok(self.0.clone())
    }

    async fn look_up(
        &self,
        _: &[CredentialsRef],
        _: &[CredentialsRef],
    ) -> (Logins, BTreeMap<Name, String>) {
        Default::default()
    }

    fn engine(&self, _inventory: Arc<Inventory>, _logins: Logins) -> Engine {
        panic!("nothing is started in these tests")
    }

    #[cfg(feature = "lab")]
    async fn lab(&self, _: Practice<'_>, _: bool) -> eyre::Result<Lab> {
        Err(eyre::eyre!("no lab in this test"))
    }
}

fn entity(name: &str, version: &str, credentials: &str) -> Arc<Entity> {
    Arc::new(Entity {
        credentials: Some(credentials.into()),
        ..testing::entity(name, version)
    })
}

fn inventory() -> Inventory {
    let server = Arc::new(FileServer {
        credentials: Some("noc".into()),
        ..testing::server()
    });
    let image = Arc::new(Image {
        name: "adsl-2.4".into(),
        file: "adsl-2.4.bin".into(),
        version: "2.4".into(),
        sha256: Some([0x9f; 32]),
        ..testing::image()
    });
    let mut entities: Vec<_> = (1..=20)
        .map(|at| entity(&format!("shelf1-{at:02}"), "2.3", "craft"))
        .collect();
    entities[8] = entity("shelf1-09", "2.4", "old");
    let group = |name: &str, members: &[Arc<Entity>], source| {
        Arc::new(Group {
            image: image.clone(),
            source,
            ..testing::group(name, members.to_vec())
        })
    };
    let groups = vec![
        group("adsl", &entities, SourceChoice::FileServer(server.clone())),
        group(
            "spare",
            &entities[..4],
            SourceChoice::Peer(PeerChoice::Named(entities[8].clone())),
        ),
        group(
            "rest",
            &[],
            SourceChoice::Peer(PeerChoice::Any(vec![entities[8].clone()])),
        ),
    ];
    let credentials = ["noc", "craft", "old", "unused"].map(|name| CredentialsRef {
        name: name.into(),
        user: name.into(),
        by: LoginBy::Password,
        secret: SecretSource::Ask,
    });
    Inventory {
        credentials: credentials.into(),
        file_servers: vec![server],
        images: vec![image],
        entities,
        groups,
        rates: Vec::new(),
        ..testing::inventory(8 << 20, BufferPreference::Size(256 << 10))
    }
}

/// The words of a line, with quotes around some.
fn words(line: &str) -> Vec<&str> {
    let parts = line.split('\'').enumerate();
    parts
        .flat_map(|(at, part)| match at % 2 {
            0 => part.split_whitespace().collect(),
            _ => vec![part],
        })
        .collect()
}

fn args(line: &str) -> RunArgs {
    let words = ["subtend", "run"].into_iter().chain(words(line));
    match Arguments::try_parse_from(words).unwrap().verb {
        Some(Verb::Run(args)) => args,
        other => panic!("{other:?}"),
    }
}

#[test]
fn groups_are_selected_with_the_credentials_that_they_need() {
    let selection = select(&args("adsl adsl"), &inventory()).unwrap();
    assert_eq!(selection.specs, [GroupSpec::Named("adsl".into())]);
    let names: Vec<&str> = selection.credentials.iter().map(|one| &*one.name).collect();
    assert_eq!(names, ["noc", "craft"], "shelf1-09 is skipped");
    let selection = select(&args("adsl --force"), &inventory()).unwrap();
    let names: Vec<&str> = selection.credentials.iter().map(|one| &*one.name).collect();
    assert_eq!(names, ["noc", "craft", "old"]);
    let selection = select(&args("rest"), &inventory()).unwrap();
    let names: Vec<&str> = selection.credentials.iter().map(|one| &*one.name).collect();
    assert_eq!(names, ["old"]);
}

/// Nothing is opened at the address of a device that fetches, and nobody tries the steps by which it does.
#[test]
fn passwords_that_a_question_has_no_use_for_are_not_asked_for() {
    let text = "serve: { http: 192.0.2.9:8080 }
credentials: { own: { user: o, password: { env: O } }, cli: { user: a, password: { env: A } },
  en: { user: b, password: { env: B } }, more: { user: c, password: { env: C } } }
types: { t: { procedure: p, deliver: fetch } }
procedures:
  p:
    session: { ssh: 22, credentials: cli }
    before: [ { send: en, answers: [ { to: 'word:', password: more } ], safe: true } ]
    fetch: [ { send: copy, fetch: http, within: 1m, answers: [ { to: 'word:', password: en } ] } ]
images: { i: { file: f, type: t, version: \"2\" } }
entities: [ { name: e, type: t, version: \"1\", address: 192.0.2.1, path: /f, credentials: own } ]
groups: { g: { select: { type: t }, image: i, source: { file: /f } } }
";
    let names = |found: Vec<CredentialsRef>| {
        let names = found.iter().map(|one| one.name.to_string());
        names.collect::<Vec<_>>().join(" ")
    };
    let own = text.replace("ssh: 22, credentials: cli", "ssh: 22");
    for (text, looked_at) in [(text, "cli more"), (&own, "own more")] {
        let inventory = crate::inventory::parse(text, Path::new("site.yaml")).unwrap();
        let groups = &inventory.groups;
        let verified = names(super::select::credentials(groups, &inventory));
        assert_eq!(verified, "");
        let found = super::select::credentials_with_sessions(groups, &inventory);
        assert_eq!(names(found), looked_at);
    }
}

#[test]
fn a_group_is_made_from_patterns() {
    let line = "--image adsl-2.4 --source peer:any --entities shelf1-[01-03] shelf1-1? shelf1-02";
    let selection = select(&args(line), &inventory()).unwrap();
    let [
        GroupSpec::Made(MadeGroup {
            name,
            source,
            then,
            entities,
            ..
        }),
    ] = selection.specs.as_slice()
    else {
        panic!("{selection:?}");
    };
    assert_eq!(name, "adsl-2.4");
    assert_eq!((source, then.as_slice()), (&SourceSpec::AnyPeer, &[][..]));
    assert_eq!(entities.len(), 13);
    assert_eq!(
        entities[..4],
        ["shelf1-01", "shelf1-02", "shelf1-03", "shelf1-10"]
    );
}

#[test]
fn limits_of_a_group_made_on_the_spot_are_those_given_and_else_the_defaults() {
    let limits = |options: &str| {
        let line = format!("--image adsl-2.4 --source hq --entities shelf1-01 {options}");
        let selection = select(&args(&line), &inventory()).unwrap();
        match &selection.specs[..] {
            [GroupSpec::Made(made)] => made.policy.limits,
            other => panic!("{other:?}"),
        }
    };
    let default = Limits::default();
    assert_eq!(limits("--laggards drop"), default);
    assert_eq!(
        limits("--laggard-limit 500ms"),
        Limits {
            laggard: Duration::from_millis(500),
            ..default
        }
    );
    assert_eq!(
        limits("--retries 3 --retry-for 10m"),
        Limits {
            retries: 3,
            retry_for: Duration::from_secs(600),
            ..default
        }
    );
}

/// A group whose devices are upgraded over telnet, and one whose devices have no procedure.
fn upgrading() -> Inventory {
    let text = r#"
credentials: { craft: { user: craft, password: { env: CRAFT } } }
file_servers: { hq: { url: "ftp://192.0.2.10" } }
images:
  adsl-2.4: { file: a.bin, type: adsl, version: "2.4", sha256: d74317c91bffc6a038e7499fc0518b02f598512f532d77f7b90fd730083e36ae }
  vdsl-3.1: { file: v.bin, type: vdsl, version: "3.1" }
types: { adsl: { procedure: card } }
procedures:
  card:
    session: { telnet: 23, credentials: craft }
    activate: [ { send: reload }, { restart: true } ]
    check: [ { send: "show version", expect: 'Version (?<version>\S+)', is: "{version}" } ]
defaults: { path: /flash/image.bin }
entities:
  - { name: "a-[1-2]", type: adsl, version: "2.3", address: "192.0.2.[21-22]" }
  - { name: v-1, type: vdsl, version: "1.8", address: 192.0.2.61 }
groups:
  adsl: { select: { type: adsl }, image: adsl-2.4, source: { file_server: hq } }
  vdsl: { select: { type: vdsl }, image: vdsl-3.1, source: { file_server: hq } }
"#;
    inventory::parse(text, Path::new("site.yaml")).unwrap()
}

#[test]
fn what_a_group_says_of_activation_is_overridden_and_nothing_else_of_it() {
    let inventory = upgrading();
    let of = |line: &str| select(&args(line), &inventory).unwrap().specs.remove(0);
    let named = GroupSpec::Named("adsl".into());
    assert_eq!(of("adsl"), named);
    assert_eq!(of("adsl --activate later"), named, "as it is");
    let plan = crate::plan::plan(&inventory, &[], &[of("adsl --activate now")], false);
    let group = plan.startable().unwrap().remove(0);
    let expected = Group {
        extent: Extent::Upgrade,
        ..(*inventory.groups[0]).clone()
    };
    assert_eq!(*group, expected, "with its SHA-256");
    let line = "--image adsl-2.4 --source hq --entities a-1 --activate now";
    let GroupSpec::Made(made) = of(line) else {
        panic!("it is made on the spot")
    };
    assert_eq!(made.policy.extent, Extent::Upgrade);
    // The console keeps it, and a group that says nothing stays as short as it was.
    let kept = serde_json::to_string(&GroupSpec::Made(made.clone())).unwrap();
    assert_eq!(
        serde_json::from_str::<GroupSpec>(&kept).unwrap(),
        GroupSpec::Made(made)
    );
    let window = "--window '01:00-05:00 UTC' --activate window";
    let GroupSpec::Made(made) = of(&format!("adsl {window}")) else {
        panic!("it is not as the inventory has it")
    };
    assert!(made.campaign.window_is_for_activation && made.policy.extent == Extent::Upgrade);
    let refused = select(&args("--all --activate now"), &inventory).unwrap_err();
    let refused = refused.to_string();
    assert!(
        refused.contains("group `vdsl`: type `vdsl` has no procedure with `activate`"),
        "{refused}"
    );
}

#[test]
fn the_plan_says_what_is_done_on_devices_beside_their_image() {
    let args = |json| CheckArgs {
        online: false,
        groups: Vec::new(),
        json,
    };
    let file = Path::new("site.yaml");
    let text = check(&args(false), file, &Fake(upgrading())).unwrap();
    let (adsl, vdsl) = text.split_once("vdsl: ").unwrap();
    let words: Vec<&str> = adsl.split_whitespace().collect();
    let words = words.join(" ");
    let said = "procedure `card`: over telnet, port 23, passwords in CLEAR TEXT; activate 2 steps, check 1 step";
    assert!(words.contains(said), "{text}");
    assert!(words.contains("activate later"), "{text}");
    assert!(!vdsl.contains("procedure"), "{text}");
    assert!(
        text.lines().all(|line| line.chars().count() <= 80),
        "{text}"
    );

    let json = check(&args(true), file, &Fake(upgrading())).unwrap();
    let plan: serde_json::Value = serde_json::from_str(&json).unwrap();
    let (adsl, vdsl) = (&plan["groups"][0], &plan["groups"][1]);
    assert_eq!(adsl["activate"], "later");
    let procedure = serde_json::json!({
        "name": "card",
        "session": { "way": "telnet", "port": 23, "clear_text": true },
        "steps": { "before": 0, "fetch": 0, "activate": 2, "check": 1, "undo": 0 },
    });
    assert_eq!(adsl["procedure"], procedure);
    assert!(
        vdsl.get("activate").is_none() && vdsl.get("procedure").is_none(),
        "{vdsl}"
    );
}

#[test]
fn what_the_inventory_does_not_know_is_named_in_one_go() {
    for (line, words) in [
        (
            "adsl nope nada",
            &[
                "no group `nope` (under `groups` there are `adsl`, `spare` and `rest`)",
                "no group `nada`",
            ][..],
        ),
        ("adls", &["no group `adls` (did you mean `adsl`?)"]),
        (
            "adsl spare",
            &["`adsl` and `spare` can't run together: both have shelf1-[01-04]"],
        ),
        (
            "--image x --source y --entities shelf1-[19-22] z",
            &[
                "no image `x`",
                "no file server `y` (under `file_servers` there are `hq`)",
                "there are no entities `shelf1-21` and `shelf1-22`",
                "`z`",
            ],
        ),
        (
            "--image adsl-2.4 --source peer:x --entities shelf9-*",
            &["no entity `x`", "`shelf9-*`"],
        ),
    ] {
        let error = select(&args(line), &inventory()).unwrap_err();
        let error = error.to_string();
        for word in words {
            assert!(error.contains(word), "{line}: {error}");
        }
    }
}

#[test]
fn the_plan_says_where_devices_fetch_from() {
    let args = |json| CheckArgs {
        online: false,
        groups: vec!["adsl".into()],
        json,
    };
    let fetching = || {
        let mut inventory = inventory();
        inventory.serve.http = Some(([192, 0, 2, 1], 8080).into());
        let group = Arc::make_mut(&mut inventory.groups[0]);
        for entity in &mut group.entities {
            Arc::make_mut(entity).address.scheme = crate::model::Scheme::Fetch;
        }
        inventory
    };
    let file = Path::new("site.yaml");
    let json = check(&args(true), file, &Fake(fetching())).unwrap();
    let plan: serde_json::Value = serde_json::from_str(&json).unwrap();
    let group = &plan["groups"][0];
    assert_eq!(
        group["serve"],
        serde_json::json!({ "http": "192.0.2.1:8080" })
    );
    assert_eq!(group["gather"], 30.0);
    let fetch = group["fetching"].as_array().unwrap().len();
    let skipped = group["skipped"].as_array().unwrap().len();
    assert_eq!(fetch + skipped, group["entities"].as_array().unwrap().len());
    let text = check(&args(false), file, &Fake(fetching())).unwrap();
    assert!(
        text.contains("  serve     http 192.0.2.1:8080, from where "),
        "{text}"
    );
    let pushed = check(&args(false), file, &Fake(inventory())).unwrap();
    assert!(!pushed.contains("serve "), "{pushed}");
}

#[test]
fn the_plan_for_people() {
    let args = CheckArgs {
        online: false,
        groups: Vec::new(),
        json: false,
    };
    let mut inventory = inventory();
    // Those of `spare`.
    let adsl = Arc::make_mut(&mut inventory.groups[0]);
    adsl.entities.drain(..4);
    let text = check(&args, Path::new("site.yaml"), &Fake(inventory)).unwrap();
    assert!(
        text.lines().all(|line| line.chars().count() <= 80),
        "{text}"
    );
    insta::assert_snapshot!(text);
}

#[test]
fn the_plan_for_scripts() {
    let args = CheckArgs {
        online: false,
        groups: vec!["adsl".into()],
        json: true,
    };
    let json = check(&args, Path::new("site.yaml"), &Fake(inventory())).unwrap();
    let plan: serde_json::Value = serde_json::from_str(&json).unwrap();
    assert_eq!(plan["memory"], 8 << 20);
    let group = &plan["groups"][0];
    assert_eq!(group["share"], 8 << 20);
    assert_eq!(
        (&group["buffers"], &group["buffer_size"]),
        (&32.into(), &(256 << 10).into())
    );
    assert_eq!(group["skipped"], serde_json::json!(["shelf1-09"]));
    assert_eq!(group["source"], "hq");
    assert_eq!(group["parallel"], serde_json::Value::Null);
    assert_eq!(group["laggards"], "catch-up");
    assert_eq!(
        (
            &group["laggard_limit"],
            &group["retries"],
            &group["retry_for"]
        ),
        (&2.0.into(), &8.into(), &300.0.into())
    );
}

#[test]
fn a_wrong_inventory_or_name_ends_with_2() {
    let args = CheckArgs {
        online: false,
        groups: vec!["nope".into()],
        json: false,
    };
    for file in ["broken.yaml", "site.yaml"] {
        assert_eq!(
            check(&args, Path::new(file), &Fake(inventory()))
                .unwrap_err()
                .code,
            2
        );
    }
}

#[test]
fn what_the_engine_would_refuse_ends_before_a_password_is_asked_for() {
    let mut inventory = inventory();
    let error = select(&args("rest --force"), &inventory);
    assert!(error.is_ok(), "shelf1-09 is no target of it: {error:?}");
    let line = "--image adsl-2.4 --source peer:any --entities shelf1-* --force";
    let error = select(&args(line), &inventory).unwrap_err().to_string();
    assert!(
        error.contains("no peer left") && error.contains("shelf1-09"),
        "{error}"
    );

    inventory.memory = 511 << 10;
    let error = select(&args("adsl"), &inventory).unwrap_err().to_string();
    assert!(error.contains("at least 512.0 KiB"), "{error}");
}

#[test]
fn a_plan_with_too_little_memory_ends_with_2() {
    let plan = |groups: &[&str]| {
        let args = CheckArgs {
            online: false,
            groups: groups.iter().map(ToString::to_string).collect(),
            json: false,
        };
        let mut inventory = inventory();
        inventory.memory = 1 << 20;
        check(&args, Path::new("site.yaml"), &Fake(inventory))
    };
    assert!(plan(&["adsl", "rest"]).is_ok(), "two buffers each");
    let failed = plan(&[]).unwrap_err();
    assert_eq!(failed.code, 2);
    let told = failed.to_string();
    assert!(
        told.contains("for 3 groups") && told.contains("1.5 MiB"),
        "{told}"
    );
}

#[test]
fn how_groups_are_gone_through_is_said_on_the_command_line_too() {
    let mut inventory = upgrading();
    let campaign = |of: GroupSpec| match of {
        GroupSpec::Made(made) => *made.campaign,
        GroupSpec::Named(name) => panic!("{name} as it is"),
    };
    let flags = "--waves 1,rest --proceed ask --stop-after 50% --start 2026-12-01T01:00[Europe/Berlin] \
                 --offline 'wait 14d' --downgrade allow";
    let all = Campaign {
        waves: vec![Wave::Count(1), Wave::Rest],
        proceed: Proceed::Ask,
        stop_after: StopAfter::read("50%").ok(),
        start: read_start("2026-12-01T01:00[Europe/Berlin]").ok(),
        offline: Offline::read("wait 14d").unwrap(),
        downgrade: Downgrade::Allow,
        ..Campaign::default()
    };
    let of = |line: &str, inventory: &Inventory| {
        let selected = select(&args(line), inventory);
        selected.map(|mut selection| selection.specs.remove(0))
    };
    let made = format!("--image adsl-2.4 --source hq --entities a-* {flags}");
    assert_eq!(campaign(of(&made, &inventory).unwrap()), all);
    // What is not given is as the group says.
    let group = Arc::make_mut(&mut inventory.groups[0]);
    group.campaign = Arc::new(Campaign {
        from: None,
        never_together: None,
        takes: None,
        window: Window::read("01:00-05:00 UTC").ok(),
        ..Campaign::default()
    });
    let window = group.campaign.window.clone();
    assert_eq!(
        of("adsl", &inventory).unwrap(),
        GroupSpec::Named("adsl".into())
    );
    let expected = Campaign { window, ..all };
    assert_eq!(
        campaign(of(&format!("adsl {flags}"), &inventory).unwrap()),
        expected
    );
    // The rules are those of the inventory.
    let refused = of("adsl --waves 9,rest", &inventory).unwrap_err();
    let refused = refused.to_string();
    assert!(
        refused.contains("more than the group has: 2 entities"),
        "{refused}"
    );
    for (flag, words) in [
        ("--waves 0,rest", "nobody in it"),
        ("--stop-after 200%", "more than all"),
        ("--start tomorrow", "no time with a zone"),
        ("--window 1-5", "is no window"),
        ("--offline 'wait 0s'", "wait for 0"),
        ("--takes 0s", "no entity takes 0"),
    ] {
        let line = format!("subtend run adsl {flag}");
        let said = Arguments::try_parse_from(self::words(&line))
            .unwrap_err()
            .to_string();
        assert!(said.contains(words), "{flag}: {said}");
    }
}
