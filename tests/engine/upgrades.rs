//! Devices that get an image and are made to run it, by their command lines over telnet and SSH and by `SITE`: what
//! becomes of each is what it says itself.

use std::collections::BTreeMap;
use std::path::Path;

use subtend::inventory;
use subtend::lab::Lab;
use subtend::model::procedure::Extent;
use subtend::model::{EntityState, Holds, Outcome, Verified};
use subtend::protocol::{Event, GroupSpec, Summary, Target};

use crate::support::run::{Run, assert_untouched, entity};
use crate::support::upgrades::{GROUPS, SIZE, Site, assert_sound, entities, logins};
use crate::support::{LONG, within};

/// Begins these groups.
async fn begin(lab: &Lab, groups: &[&str]) -> Run {
    let run = Run::with_logins(lab.inventory(), logins());
    run.begin(groups).await;
    run
}

/// How many entities ended in each state.
fn states(summary: &Summary) -> BTreeMap<&'static str, usize> {
    let mut states = BTreeMap::new();
    for entity in summary.groups.iter().flat_map(|group| &group.entities) {
        *states.entry(entity.state.as_str()).or_default() += 1;
    }
    states
}

#[tokio::test(flavor = "multi_thread")]
async fn devices_are_upgraded_over_telnet_ssh_and_site_and_say_so() {
    let lab = Site {
        numbers: [3, 3, 3],
        activate: "now",
        behaviour: "",
    }
    .serve()
    .await;
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

/// The inventory is behind what a device runs: the device says so itself before a byte is sent.
#[tokio::test(flavor = "multi_thread")]
async fn an_image_older_than_what_a_device_says_that_it_runs_is_not_sent() {
    let site = Site {
        numbers: [2, 1, 1],
        activate: "now",
        behaviour: "",
    };
    let lab = site.serve().await;
    let text = (site.as_served(&lab))
        .replace(
            "type: telnet, version: \"1\"",
            "type: telnet, version: \"0.5\"",
        )
        .replace(
            "type: telnet, version: \"2\"",
            "type: telnet, version: \"0.9\"",
        )
        .replace(", is: \"{previous}\"", "");
    let inventory = inventory::parse(&text, Path::new("site.yaml"));
    let inventory = inventory.unwrap_or_else(|errors| panic!("{errors}"));
    let run = Run::with_logins(&inventory, logins());
    run.begin(&["telnet"]).await;
    let (summary, _) = run.finish().await;
    assert_eq!(states(&summary), BTreeMap::from([("failed", 2)]));
    for name in ["t001", "t002"] {
        let said = entity(&summary, name);
        let cause = said.cause.as_deref().unwrap_or_default();
        let why = "before, step 1 of 1 (send \"show version\"): it says that it runs `1`, which is newer than the image, \
                   `0.9`";
        assert!(cause.starts_with(why), "{cause}");
        assert_eq!(said.holds, Some(Holds::Old), "{said:?}");
        assert_untouched(&lab, name);
    }
    lab.stop().await;
}

/// One that is on its way down takes connections, and passwords, and ends them.
#[tokio::test(flavor = "multi_thread")]
async fn a_login_that_ends_soon_after_a_device_went_is_no_refusal() {
    let ends = "    \"t00*\": { cli: { ends_logins: 2 } }\n";
    let site = Site {
        numbers: [2, 1, 1],
        activate: "now",
        behaviour: ends,
    };
    let lab = site.serve().await;
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
    let lab = Site {
        numbers: [2, 1, 1],
        activate: "later",
        behaviour: "",
    }
    .serve()
    .await;
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
    assert_eq!(lab.bytes_received("t001"), SIZE);
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
    let site = Site {
        numbers: [80, 80, 40],
        activate: "now",
        behaviour: bad,
    };
    let lab = site.serve().await;
    let run = begin(&lab, &GROUPS).await;
    let (summary, _) = run.finish_within(4 * LONG).await;
    assert_eq!(summary.outcome, Outcome::Partial, "{:?}", states(&summary));
    let expected = BTreeMap::from([("upgraded", 190), ("rolled-back", 10)]);
    assert_eq!(states(&summary), expected);
    for group in &summary.groups {
        // One reading for each group.
        assert_eq!(
            (group.passes, group.source_bytes),
            (1, SIZE),
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

/// What was begun on a device stays begun, whoever is tired of waiting for it.
#[tokio::test(flavor = "multi_thread")]
async fn a_device_that_was_given_up_while_it_restarts_is_asked_first_the_next_time() {
    let slow = "    \"t00*\": { cli: { boot_time: 4s } }\n";
    let site = Site {
        numbers: [1, 1, 1],
        activate: "now",
        behaviour: slow,
    };
    let lab = site.serve().await;
    let mut run = begin(&lab, &["telnet"]).await;
    run.until_state("t001", EntityState::Restarting).await;
    within(LONG, lab.until_booted("t001", 1)).await;
    run.cancel(Target::All).await;
    run.until_state("t001", EntityState::Cancelled).await;
    run.until_ended().await;
    // It starts while nobody looks.
    within(LONG, lab.until_serving("t001")).await;
    let mut group = (**lab.inventory().group("telnet").unwrap()).clone();
    group.extent = Extent::Activate;
    run.begin_specs(vec![GroupSpec::of(&group)]).await;
    let (summary, events) = run.finish().await;
    let said = &summary.groups[1].entities[0];
    assert_eq!(said.state, EntityState::Upgraded, "{said:?}");
    let second: Vec<EntityState> = (events.iter().rev())
        .filter_map(|event| match event {
            Event::State { state, .. } => Some(*state),
            _ => None,
        })
        .take_while(|state| *state != EntityState::Cancelled)
        .collect();
    assert!(!second.contains(&EntityState::Activating), "{second:?}");
    assert_eq!(lab.machine("t001").unwrap().boots, 1);
    assert_sound(&lab);
    lab.stop().await;
}

/// Nothing is sent to a device that is not what it is taken for.
#[tokio::test(flavor = "multi_thread")]
async fn a_device_whose_steps_before_the_image_fail_gets_nothing() {
    let silent = "    \"t001\": { cli: { error_on: show version } }\n";
    let site = Site {
        numbers: [2, 1, 1],
        activate: "now",
        behaviour: silent,
    };
    let lab = site.serve().await;
    let (summary, _) = begin(&lab, &["telnet"]).await.finish().await;
    let said = entity(&summary, "t001");
    assert_eq!(said.state, EntityState::Failed, "{said:?}");
    assert_eq!(said.holds, Some(Holds::Old));
    let cause = said.cause.as_deref().unwrap();
    assert!(
        cause.starts_with("before, step 1 of 1 (send \"show version\"): "),
        "{cause}"
    );
    assert_untouched(&lab, "t001");
    assert_eq!(lab.bytes_received("t001"), 0);
    assert_eq!(entity(&summary, "t002").state, EntityState::Upgraded);
    assert_sound(&lab);
    lab.stop().await;
}
