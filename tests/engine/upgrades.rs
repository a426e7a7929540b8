//! Devices that get an image and are made to run it, by their command lines over telnet and SSH and by `SITE`: what
//! becomes of each is what it says itself.

use std::collections::BTreeMap;
use std::path::Path;
use std::sync::Arc;

use subtend::inventory;
use subtend::lab::{Lab, LabOptions, LabSettings};
use subtend::model::procedure::Extent;
use subtend::model::{EntityState, Holds, Inventory, Login, Logins, Outcome, Verified};
use subtend::protocol::{Event, GroupSpec, Summary};

use crate::support::LONG;
use crate::support::run::{Run, entity};

/// A site with three kinds of devices, each with a number of entities, and what they do besides.
fn site(numbers: [usize; 3], extent: &str, behaviour: &str) -> String {
    let [telnet, ssh, ftp] = numbers;
    format!(
        r#"
memory: 4 MiB
buffer_size: 64 KiB
credentials: {{ craft: {{ user: craft }} }}
defaults: {{ credentials: craft, path: /flash/image.bin }}
file_servers: {{ hq: {{ url: "ftp://127.0.0.1/" }} }}
images:
  telnet-2: {{ file: telnet-2.bin, type: telnet, version: "2" }}
  ssh-2: {{ file: ssh-2.bin, type: ssh, version: "2" }}
  site-2: {{ file: site-2.bin, type: site, version: "2" }}
types:
  telnet: {{ procedure: over-telnet, versions: dotted }}
  ssh: {{ procedure: over-ssh }}
  site: {{ procedure: over-site }}
procedures:
  over-telnet: &banks
    session: {{ telnet: 23, prompt: '> $' }}
    before:
      - {{ send: show version, expect: 'Version (?<version>\S+)', is: "{{previous}}", safe: true }}
    activate:
      - {{ send: "set boot {{path}}", expect: OK, within: 20s }}
      - {{ send: restart, within: 20s, answers: [ {{ to: '\(y/n\) $', with: y }} ] }}
      - {{ restart: true, down: 20s, back: 60s }}
    check:
      - {{ send: show version, expect: 'Version (?<version>\S+)', is: "{{version}}", within: 20s }}
    undo:
      - {{ send: boot bank 1, expect: OK, within: 20s }}
  over-ssh:
    <<: *banks
    session: {{ ssh: 22, prompt: '> $' }}
  over-site:
    activate:
      - {{ site: RESET, within: 20s }}
      - {{ restart: true, down: 20s, back: 60s }}
    check:
      - {{ site: VERSION, expect: 'Version (?<version>\S+)', is: "{{version}}", within: 20s }}
    undo:
      - {{ site: BANK 1, within: 20s }}
entities:
  - {{ name: "t[001-{telnet:03}]", type: telnet, version: "1", address: "127.0.1.[1-{telnet}]" }}
  - {{ name: "s[001-{ssh:03}]", type: ssh, version: "1", address: "127.0.2.[1-{ssh}]" }}
  - {{ name: "f[001-{ftp:03}]", type: site, version: "1", address: "127.0.3.[1-{ftp}]" }}
groups:
  telnet: {{ select: {{ type: telnet }}, image: telnet-2, source: {{ file_server: hq }}, activate: {extent} }}
  ssh: {{ select: {{ type: ssh }}, image: ssh-2, source: {{ file_server: hq }}, activate: {extent} }}
  site: {{ select: {{ type: site }}, image: site-2, source: {{ file_server: hq }}, activate: {extent} }}
x-lab:
  images: {{ telnet-2: {{ size: 200 KB }}, ssh-2: {{ size: 200 KB }}, site-2: {{ size: 200 KB }} }}
  entities:
    "t*": {{ cli: {{ telnet: 0, dialect: banks }} }}
    "s*": {{ cli: {{ ssh: 0, dialect: banks }} }}
    "f*": {{ cli: {{ site: RESET }} }}
{behaviour}"#
    )
}

fn logins() -> Logins {
    let mut logins = Logins::default();
    logins.insert("craft".into(), Login::with_password("craft", "sesame"));
    logins
}

/// Begins these groups.
async fn begin(lab: &Lab, groups: &[&str]) -> Run {
    let run = Run::with_logins(lab.inventory(), logins());
    run.begin(groups).await;
    run
}

const GROUPS: [&str; 3] = ["telnet", "ssh", "site"];

pub(crate) async fn start(text: &str) -> Lab {
    let inventory = inventory::parse(text, Path::new("site.yaml"));
    let mut inventory = inventory.unwrap_or_else(|errors| panic!("{errors}"));
    for entity in &mut inventory.entities {
        Arc::make_mut(entity).address.port = 0;
    }
    for server in &mut inventory.file_servers {
        Arc::make_mut(server).address.port = 0;
    }
    let settings = LabSettings::from_inventory_text(text).unwrap();
    let options = LabOptions {
        take_free_ports: true,
    };
    Lab::start(&inventory, &settings, options).await.unwrap()
}

fn entities(inventory: &Inventory) -> impl Iterator<Item = &str> {
    inventory.entities.iter().map(|entity| &*entity.name)
}

/// How many entities ended in each state.
fn states(summary: &Summary) -> BTreeMap<&'static str, usize> {
    let mut states = BTreeMap::new();
    for entity in summary.groups.iter().flat_map(|group| &group.entities) {
        *states.entry(entity.state.as_str()).or_default() += 1;
    }
    states
}

/// Of all devices: nothing that changes them was done twice, and each could start once more.
fn assert_sound(lab: &Lab) {
    for name in entities(lab.inventory()) {
        let state = lab.machine(name).unwrap();
        assert!(state.holds_bootable_image, "{name}: {state:?}");
        for (command, times) in &state.ran {
            assert_eq!(*times, 1, "{name}: {command} in {state:?}");
        }
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn devices_are_upgraded_over_telnet_ssh_and_site_and_say_so() {
    let lab = start(&site([3, 3, 3], "now", "")).await;
    let (summary, events) = begin(&lab, &GROUPS).await.finish().await;
    assert_eq!(summary.outcome, Outcome::Delivered, "{summary:#?}");
    assert_eq!(states(&summary), BTreeMap::from([("upgraded", 9)]));
    for name in entities(lab.inventory()) {
        let said = entity(&summary, name);
        assert_eq!(said.runs.as_deref(), Some("2"), "{said:?}");
        assert_eq!(
            (said.verified, said.holds),
            (Verified::Readback, Some(Holds::New))
        );
        let state = lab.machine(name).unwrap();
        assert_eq!((&*state.version, state.boots), ("2", 1), "{name}");
        // Before a byte is sent it is asked; then it gets the image, and only then it restarts.
        let order: Vec<EntityState> = (events.iter())
            .filter_map(|event| match event {
                Event::State { entity, state, .. } if **entity == *name => Some(*state),
                _ => None,
            })
            .collect();
        let place = |wanted: EntityState| order.iter().position(|state| *state == wanted);
        let verifying = place(EntityState::Verifying);
        assert!(place(EntityState::Activating) > verifying, "{order:?}");
        assert!(
            place(EntityState::Restarting) > place(EntityState::Activating),
            "{order:?}"
        );
        assert!(
            place(EntityState::Checking) > place(EntityState::Restarting),
            "{order:?}"
        );
        assert!(!name.starts_with(['t', 's']) || place(EntityState::Preparing) < verifying);
        assert_eq!(order.last(), Some(&EntityState::Upgraded));
    }
    assert_sound(&lab);
    lab.stop().await;
}

/// One that is on its way down takes connections, and passwords, and ends them.
#[tokio::test(flavor = "multi_thread")]
async fn a_login_that_ends_soon_after_a_device_went_is_no_refusal() {
    let ends = "    \"t00*\": { cli: { ends_logins: 2 } }\n";
    let lab = start(&site([2, 1, 1], "now", ends)).await;
    let (summary, _) = begin(&lab, &["telnet"]).await.finish().await;
    assert_eq!(
        states(&summary),
        BTreeMap::from([("upgraded", 2)]),
        "{summary:#?}"
    );
    assert_sound(&lab);
    lab.stop().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn what_was_delivered_is_made_to_run_later_and_only_that() {
    let lab = start(&site([2, 1, 1], "later", "")).await;
    let mut run = begin(&lab, &["telnet"]).await;
    run.until_ended().await;
    for name in ["t001", "t002"] {
        assert_eq!(
            lab.machine(name).unwrap().version,
            "1",
            "a file in flash is no upgrade"
        );
    }
    let activate = |name: &str| {
        let mut group = (**lab.inventory().group(name).unwrap()).clone();
        group.extent = Extent::Activate;
        GroupSpec::of(&group)
    };
    run.begin_specs(vec![activate("telnet"), activate("site")])
        .await;
    run.until_state("t001", EntityState::Upgraded).await;
    run.until_ended().await;
    let (summary, _) = run.finish().await;
    let again = &summary.groups[1..];
    let states: Vec<_> = again.iter().flat_map(|group| &group.entities).collect();
    for one in states {
        match &*one.entity {
            "f001" => {
                assert_eq!(one.state, EntityState::Failed, "{one:?}");
                let cause = one.cause.as_deref().unwrap();
                assert!(
                    cause.contains("no run is known to have delivered this image"),
                    "{cause}"
                );
            }
            name => {
                assert_eq!(one.state, EntityState::Upgraded, "{one:?}");
                assert_eq!(lab.machine(name).unwrap().version, "2");
            }
        }
    }
    // It was not sent again.
    assert_eq!(lab.bytes_received("t001"), 200_000);
    assert_eq!(lab.machine("f001").unwrap().boots, 0);
    assert_sound(&lab);
    lab.stop().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn two_hundred_devices_of_which_one_in_twenty_cant_boot_the_image() {
    let bad = r#"    "t0[10,30,50,70]": { cli: { boot_fails: true } }
    "s0[20,40,60]": { cli: { boots_old: true } }
    "f0[10,20,30]": { cli: { boot_fails: true } }
"#;
    let lab = start(&site([80, 80, 40], "now", bad)).await;
    let run = begin(&lab, &GROUPS).await;
    let (summary, _) = run.finish_within(4 * LONG).await;
    assert_eq!(summary.outcome, Outcome::Partial, "{:?}", states(&summary));
    let expected = BTreeMap::from([("upgraded", 190), ("rolled-back", 10)]);
    assert_eq!(states(&summary), expected);
    for group in &summary.groups {
        // One reading for each group.
        assert_eq!(
            (group.passes, group.source_bytes),
            (1, 200_000),
            "{}",
            group.group
        );
        for one in &group.entities {
            let state = lab.machine(&one.entity).unwrap();
            assert_eq!(one.runs.as_deref(), Some(&*state.version), "{one:?}");
            match one.state {
                EntityState::Upgraded => assert_eq!(state.version, "2", "{one:?}"),
                _ => {
                    assert_eq!(state.version, "1", "{one:?}");
                    let cause = one.cause.as_deref().unwrap();
                    let said = "check, step 1 of 1";
                    assert!(cause.starts_with(said), "{cause}");
                    assert!(
                        cause.contains("says version `1`, and `2` was expected"),
                        "{cause}"
                    );
                    assert!(cause.ends_with("`undo` was carried out, and it says that it runs 1"));
                }
            }
        }
    }
    assert_sound(&lab);
    lab.stop().await;
}
