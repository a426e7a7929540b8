//! Devices that fetch their image by a command of their own, from this host, while it is read for them.

use std::fmt::Write;

use subtend::lab::Lab;
use subtend::model::{EntityState, Holds, Outcome, Verified};
use subtend::protocol::{EntitySummary, Summary};

use crate::support::run::{Run, entity};
use crate::support::upgrades::{assert_sound, entities, logins, serve};

const SIZE: u64 = 5_000_000;
const PATH: &str = "/flash/image.bin";
/// A step that compares what the device says of its file.
const SHA256: &str = r#"      - { send: "checksum {path}", expect: '^(?<sum>[0-9a-f]{64}) ', is: "{sha256}", proves: digest }
"#;
const BYTES: &str = r#"      - { send: "checksum {path}", expect: '^[0-9a-f]{64} (?<size>\d+)', is: "{size}", proves: size }
"#;

/// How devices of one family are made to fetch.
struct Family {
    dialect: &'static str,
    /// The rest of `session`.
    session: &'static str,
    version: &'static str,
    /// A step before the one that makes it fetch.
    first: &'static str,
    fetch: &'static str,
    /// What is compared, and whether that is a digest.
    proof: (&'static str, bool),
}

const BANKS: Family = Family {
    dialect: "banks",
    session: "prompt: '> $'",
    version: r"send: show version, expect: 'Version (?<version>\S+)'",
    first: "",
    fetch: r#"send: "fetch {url} {path}", expect: '^OK'"#,
    proof: (SHA256, true),
};

const OTHERS: [Family; 4] = [
    Family {
        dialect: "ios",
        session: "prompt: '[>#] ?$'",
        version: r"send: show version, expect: 'Version (?<version>[^,\s]+)'",
        first: "      - { send: enable, answers: [ { to: 'Password: ?$', with: any } ], safe: true }\n",
        fetch: r#"send: "copy {url} flash:image.bin", expect: '\[OK - \d+ bytes\]',
          answers: [ { to: 'Destination filename \[[^\]]*\]\? ?$', with: "" }, { to: '\[confirm\] ?$', with: "" } ]"#,
        proof: (
            "      - { send: \"verify /md5 flash:image.bin\", expect: '= (?<sum>[0-9a-f]{32})', is: \"{md5}\", proves: digest }\n",
            true,
        ),
    },
    Family {
        dialect: "junos",
        session: "prompt: '> $'",
        version: r"send: show version, expect: 'Junos: (?<version>\S+)'",
        first: "",
        fetch: r#"send: "file copy {url} {path}""#,
        proof: (
            "      - { send: \"file checksum sha-256 {path}\", expect: '= (?<sum>[0-9a-f]{64})', is: \"{sha256}\", proves: digest }\n",
            true,
        ),
    },
    Family {
        dialect: "mikrotik",
        session: r"prompt: '\] > $'",
        version: r"send: /system resource print, expect: 'version: (?<version>\S+)'",
        first: "",
        fetch: r#"send: "/tool fetch url={url} dst-path={path}", expect: 'status: finished'"#,
        proof: (
            "      - { send: \":put [/file get {path} size]\", expect: '(?<size>\\d+)', is: \"{size}\", proves: size }\n",
            false,
        ),
    },
    Family {
        dialect: "openwrt",
        session: "prompt: ':~# $'",
        version: r"send: cat /etc/openwrt_release, expect: 'DISTRIB_RELEASE=.(?<version>\d+)'",
        first: "",
        fetch: r#"send: "wget -O {path} {url}", expect: 'Download completed'"#,
        proof: (
            "      - { send: \"md5sum {path}\", expect: '^(?<sum>[0-9a-f]{32}) ', is: \"{md5}\", proves: digest }\n",
            true,
        ),
    },
];

/// Devices of one kind, in the group `shelf`.
struct Site {
    family: &'static Family,
    door: &'static str,
    devices: usize,
    /// Steps behind the one that makes a device fetch.
    proof: &'static str,
    /// What the inventory says of the image: `, sha256: …`.
    image: String,
    /// Of the first device alone.
    first: &'static str,
    activate: &'static str,
    /// Lines of `x-lab`'s entities.
    behaviour: &'static str,
}

impl Default for Site {
    fn default() -> Self {
        Self {
            family: &BANKS,
            door: "telnet",
            devices: 1,
            proof: SHA256,
            image: String::new(),
            first: "",
            activate: "later",
            behaviour: "",
        }
    }
}

impl Site {
    async fn serve(&self) -> Lab {
        let Self {
            family,
            door,
            devices,
            proof,
            image,
            first,
            activate,
            behaviour,
        } = self;
        let Family {
            dialect,
            session,
            version,
            first: begins,
            fetch,
            ..
        } = family;
        let port = if *door == "ssh" { 22 } else { 23 };
        let mut shelf = String::new();
        for number in 1..=*devices {
            let only = if number == 1 { first } else { "" };
            writeln!(
                shelf,
                r#"  - {{ name: d{number:02}, type: shelf, version: "1", address: 127.0.1.{number}{only} }}"#
            )
            .unwrap();
        }
        let text = format!(
            r#"
memory: 2 MiB
buffer_size: 64 KiB
serve: {{ http: "127.0.0.1:0" }}
credentials: {{ craft: {{ user: craft, password: {{ command: [echo, sesame] }} }} }}
defaults: {{ credentials: craft, path: {PATH}, timeouts: {{ reply: 30s }} }}
file_servers: {{ hq: {{ url: "ftp://127.0.0.1/" }} }}
images: {{ shelf-2: {{ file: shelf-2.bin, type: shelf, version: "2"{image} }} }}
types: {{ shelf: {{ procedure: fetches, deliver: fetch }} }}
procedures:
  fetches:
    session: {{ {door}: {port}, {session} }}
    before:
      - {{ {version}, is: "{{previous}}", safe: true }}
    fetch:
{begins}      - {{ {fetch}, fetch: http, within: 60s }}
{proof}    activate:
      - {{ send: "set boot {{path}}", expect: OK, within: 20s }}
      - {{ send: restart, within: 20s, answers: [ {{ to: '\(y/n\) $', with: y }} ] }}
      - {{ restart: true, down: 5s, back: 60s }}
    check:
      - {{ {version}, is: "{{version}}", within: 20s }}
entities:
{shelf}groups:
  shelf: {{ select: {{ type: shelf }}, image: shelf-2, source: {{ file_server: hq }}, activate: {activate}, retries: 0 }}
x-lab:
  images: {{ shelf-2: {{ size: {SIZE} B }} }}
  entities:
    "d*": {{ cli: {{ {door}: 0, dialect: {dialect} }} }}
{behaviour}"#
        );
        serve(&text).await
    }
}

async fn run(lab: &Lab) -> Summary {
    let run = Run::with_logins(lab.inventory(), logins());
    run.begin(&["shelf"]).await;
    let (summary, _) = run.finish().await;
    assert!(summary.peak_pool_bytes <= summary.memory, "{summary:?}");
    summary
}

fn holds_image(lab: &Lab, name: &str) -> bool {
    let file = lab.file(name, PATH);
    file.is_some_and(|file| file.same_as_image("shelf-2"))
}

/// All of them have it, and it was read once for all of them.
fn assert_all(lab: &Lab, summary: &Summary, verified: Verified) {
    assert_eq!(summary.outcome, Outcome::Delivered, "{summary:#?}");
    assert_eq!(lab.bytes_served("hq"), SIZE);
    assert_eq!((summary.groups[0].passes, summary.source_bytes), (1, SIZE));
    for name in entities(lab.inventory()) {
        assert_has(lab, entity(summary, name), verified);
        assert_eq!(lab.bytes_received(name), SIZE, "{name}");
    }
}

fn assert_has(lab: &Lab, said: &EntitySummary, verified: Verified) {
    assert_eq!(said.state, EntityState::Delivered, "{said:#?}");
    let expected = (verified, Some(Holds::New), SIZE);
    assert_eq!(
        (said.verified, said.holds, said.bytes),
        expected,
        "{said:?}"
    );
    assert!(holds_image(lab, &said.entity), "{said:?}");
}

#[tokio::test(flavor = "multi_thread")]
async fn twenty_devices_fetch_over_telnet_and_over_ssh_what_is_read_once() {
    for door in ["telnet", "ssh"] {
        let site = Site {
            door,
            devices: 20,
            ..Site::default()
        };
        let lab = site.serve().await;
        let summary = run(&lab).await;
        assert_all(&lab, &summary, Verified::Digest);
        assert!(summary.peak_pool_bytes > 0);
        lab.stop().await;
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn what_is_fetched_is_as_well_proven_as_the_steps_behind_it_prove_it() {
    for (proof, verified) in [("", Verified::None), (BYTES, Verified::Size)] {
        let site = Site {
            devices: 20,
            proof,
            ..Site::default()
        };
        let lab = site.serve().await;
        assert_all(&lab, &run(&lab).await, verified);
        lab.stop().await;
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn one_pass_feeds_a_device_that_fetches_and_one_that_is_sent_its_image() {
    let site = Site {
        devices: 2,
        first: ", deliver: push",
        ..Site::default()
    };
    let lab = site.serve().await;
    let summary = run(&lab).await;
    assert_eq!(summary.outcome, Outcome::Delivered, "{summary:#?}");
    assert_eq!((summary.groups[0].passes, summary.source_bytes), (1, SIZE));
    assert_eq!(lab.bytes_served("hq"), SIZE);
    assert_has(&lab, entity(&summary, "d01"), Verified::Readback);
    assert_has(&lab, entity(&summary, "d02"), Verified::Digest);
    lab.stop().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_device_that_is_cut_off_asks_for_the_rest_and_gets_it() {
    let site = Site {
        devices: 2,
        behaviour: "    d01: { drop_at: 2500000 B, drop_times: 1, cli: { fetch_resumes: true } }\n",
        ..Site::default()
    };
    let lab = site.serve().await;
    let summary = run(&lab).await;
    assert_eq!(summary.outcome, Outcome::Delivered, "{summary:#?}");
    for name in ["d01", "d02"] {
        assert_has(&lab, entity(&summary, name), Verified::Digest);
        // The half that it had was not sent again.
        assert_eq!(lab.bytes_received(name), SIZE, "{name}");
    }
    lab.stop().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_device_that_is_cut_off_and_gives_up_fails_with_what_it_says() {
    let site = Site {
        behaviour: "    d01: { drop_at: 2500000 B }\n",
        ..Site::default()
    };
    let lab = site.serve().await;
    let summary = run(&lab).await;
    let said = entity(&summary, "d01");
    assert_eq!(said.state, EntityState::Failed, "{said:?}");
    assert_eq!(said.holds, Some(Holds::Unknown), "{said:?}");
    let cause = said.cause.as_deref().unwrap();
    assert!(cause.starts_with("fetch, step 1 of 2 (send \""), "{cause}");
    assert!(cause.contains("ERROR: dropped on purpose"), "{cause}");
    assert!(lab.file("d01", PATH).is_none());
    lab.stop().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn an_image_that_is_not_the_inventorys_is_never_whole_on_a_device() {
    let wrong = "5a".repeat(32);
    // What there is of it stays on the devices, so that nobody else sees to it that it is not whole.
    let site = Site {
        devices: 4,
        image: format!(", sha256: \"{wrong}\""),
        behaviour: "    \"d0*\": { cli: { fetch_keeps: true } }\n",
        ..Site::default()
    };
    let lab = site.serve().await;
    let summary = run(&lab).await;
    let real = hex::encode(lab.image_sha256("shelf-2").unwrap());
    for name in entities(lab.inventory()) {
        let said = entity(&summary, name);
        assert_eq!(said.state, EntityState::Failed, "{said:?}");
        let cause = said.cause.as_deref().unwrap();
        assert!(cause.contains(&wrong) && cause.contains(&real), "{cause}");
        assert!(!holds_image(&lab, name), "{name}");
        let received = lab.bytes_received(name);
        assert!((1..SIZE).contains(&received), "{name}: {received}");
        assert_eq!(said.holds, Some(Holds::Unknown), "{said:?}");
    }
    lab.stop().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_device_that_says_it_has_fetched_and_never_asked_is_not_believed() {
    for (proof, why) in [
        ("", "the step is done, and the device has asked for nothing"),
        (
            SHA256,
            "fetch, step 2 of 2 (send \"checksum /flash/image.bin\"): ",
        ),
    ] {
        let site = Site {
            devices: 2,
            proof,
            behaviour: "    d01: { cli: { fetches_nothing: true } }\n",
            ..Site::default()
        };
        let lab = site.serve().await;
        let summary = run(&lab).await;
        let said = entity(&summary, "d01");
        assert_eq!(said.state, EntityState::Failed, "{said:?}");
        let cause = said.cause.as_deref().unwrap();
        assert!(cause.starts_with(why), "{cause}");
        // It did what it was made to do, whatever that was.
        assert_eq!(said.holds, Some(Holds::Unknown), "{said:?}");
        assert_eq!(lab.bytes_received("d01"), 0);
        assert_eq!(entity(&summary, "d02").state, EntityState::Delivered);
        lab.stop().await;
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn what_a_device_has_fetched_it_is_made_to_run() {
    let site = Site {
        devices: 3,
        activate: "now",
        behaviour: "    d03: { cli: { error_on: fetch } }\n",
        ..Site::default()
    };
    let lab = site.serve().await;
    let summary = run(&lab).await;
    for name in ["d01", "d02"] {
        let said = entity(&summary, name);
        assert_eq!(said.state, EntityState::Upgraded, "{said:#?}");
        assert_eq!(said.runs.as_deref(), Some("2"));
        let state = lab.machine(name).unwrap();
        assert_eq!((&*state.version, state.boots), ("2", 1), "{name}");
    }
    // What was not fetched is not booted.
    let said = entity(&summary, "d03");
    assert_eq!(said.state, EntityState::Failed, "{said:?}");
    assert_eq!(lab.machine("d03").unwrap().boots, 0);
    assert_sound(&lab);
    lab.stop().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn each_family_fetches_by_a_command_of_its_own_and_shows_what_it_has() {
    for family in &OTHERS {
        let (proof, is_digest) = family.proof;
        let site = Site {
            family,
            devices: 2,
            proof,
            ..Site::default()
        };
        let lab = site.serve().await;
        let verified = if is_digest {
            Verified::Digest
        } else {
            Verified::Size
        };
        assert_all(&lab, &run(&lab).await, verified);
        lab.stop().await;
    }
}

/// It is served also to those that begin while others are being delivered, which are none of those that fetch.
#[tokio::test(flavor = "multi_thread")]
async fn one_that_fetches_in_a_later_wave_than_those_that_are_sent_their_image_is_served() {
    let site = Site {
        devices: 2,
        first: ", deliver: push",
        activate: "later, waves: [1, rest]",
        ..Site::default()
    };
    let lab = site.serve().await;
    let summary = run(&lab).await;
    assert_eq!(summary.outcome, Outcome::Delivered, "{summary:#?}");
    assert_has(&lab, entity(&summary, "d01"), Verified::Readback);
    assert_has(&lab, entity(&summary, "d02"), Verified::Digest);
    lab.stop().await;
}
