//! Groups with devices in their boot loader: the image under its name, acknowledged and unproven.

use std::sync::Arc;
use std::time::Duration;

use crate::support::run::{Run, assert_failed, entity};
use crate::support::{GROUP, IMAGE, PATH, SERVER, behave, lab, network, over, with_group};
use subtend::lab::Behaviour;
use subtend::model::{Entity, EntityState, Outcome, Scheme, Step, Verified};

const MIB: u64 = 1 << 20;

/// Read once, bounded, identical (promises 1 and 2); nothing can be asked, so nothing is proven.
#[tokio::test(flavor = "multi_thread")]
async fn twenty_entities_in_their_boot_loader_get_an_image_larger_than_the_memory() {
    let (mut inventory, settings) = network(20, 4 * MIB + 1);
    inventory.memory = MIB;
    over(&mut inventory, |_| Scheme::Tftp, Scheme::Ftp);
    let lab = lab(&inventory, &settings).await;
    let (summary, _) = Run::start(lab.inventory(), &[GROUP]).await.finish().await;

    assert_eq!(summary.source_bytes, 4 * MIB + 1, "{summary:?}");
    assert_eq!(lab.bytes_served(SERVER), 4 * MIB + 1);
    assert!(summary.peak_pool_bytes <= MIB);
    for number in 1..=20 {
        let name = format!("e{number:03}");
        let said = entity(&summary, &name);
        assert_eq!(said.state, EntityState::Delivered, "{said:?}");
        assert_eq!(said.verified, Verified::None);
        assert_eq!(lab.files(&name), [PATH]);
        assert!(lab.file(&name, PATH).unwrap().same_as_image(IMAGE));
        assert_eq!(lab.sessions(&name), 1);
    }
    lab.stop().await;
}

/// State, step and cause of each class of fault; those beside it get the image, over TFTP and over FTP.
#[tokio::test(flavor = "multi_thread")]
async fn each_class_of_fault_over_tftp_has_its_cause() {
    let usual = Behaviour::default;
    let in_the_middle = Some(MIB / 2);
    let faults = [
        (
            Behaviour {
                disk_full_at: in_the_middle,
                ..usual()
            },
            Step::Send,
            "disk full on purpose",
        ),
        (
            Behaviour {
                read_only: true,
                ..usual()
            },
            Step::Open,
            "read-only",
        ),
        (
            Behaviour {
                drop_at: in_the_middle,
                ..usual()
            },
            Step::Send,
            "no progress for",
        ),
        (
            Behaviour {
                silent_at: in_the_middle,
                ..usual()
            },
            Step::Send,
            "no progress for",
        ),
        (
            Behaviour {
                no_confirm: true,
                ..usual()
            },
            Step::Confirm,
            "not confirmed within",
        ),
        (
            Behaviour {
                hang_up_on: Some("STOR".into()),
                ..usual()
            },
            Step::Open,
            "no reply to",
        ),
    ];
    let (mut inventory, mut settings) = network(faults.len() + 2, MIB);
    let last = format!("e{:03}", faults.len() + 2);
    let scheme = |entity: &Entity| match *entity.name == *last {
        true => Scheme::Ftp,
        false => Scheme::Tftp,
    };
    over(&mut inventory, scheme, Scheme::Ftp);
    for entity in &mut inventory.entities {
        let timeouts = &mut Arc::make_mut(entity).timeouts;
        timeouts.reply = Duration::from_secs(3);
        timeouts.progress = Duration::from_secs(3);
        timeouts.confirm = Duration::from_secs(3);
    }
    let entities = inventory.entities.clone();
    with_group(&mut inventory, |group| group.entities = entities);
    let name = |number: usize| format!("e{:03}", number + 1);
    for (number, (behaviour, ..)) in faults.iter().enumerate() {
        behave(&mut settings, &name(number), behaviour.clone());
    }
    let lab = lab(&inventory, &settings).await;
    let (summary, _) = Run::start(lab.inventory(), &[GROUP]).await.finish().await;
    assert_eq!(summary.outcome, Outcome::Partial);
    for number in 0..faults.len() {
        println!("{:?}", entity(&summary, &name(number)));
    }
    for (number, (_, step, words)) in faults.iter().enumerate() {
        let said = assert_failed(&summary, &name(number), *step);
        let cause = said.cause.as_deref().unwrap_or_default();
        assert!(cause.contains(words), "{said:?}");
    }
    for number in [faults.len(), faults.len() + 1] {
        let name = name(number);
        assert_eq!(entity(&summary, &name).state, EntityState::Delivered);
        assert!(lab.file(&name, PATH).unwrap().same_as_image(IMAGE));
    }
    lab.stop().await;
}

/// A device that was cut off, and comes back, is written again from its beginning.
#[tokio::test(flavor = "multi_thread")]
async fn a_device_that_reboots_in_the_middle_is_written_again() {
    let (mut inventory, mut settings) = network(1, MIB);
    over(&mut inventory, |_| Scheme::Tftp, Scheme::Ftp);
    let entity_of = &mut Arc::make_mut(&mut inventory.entities[0]).timeouts;
    entity_of.progress = Duration::from_secs(2);
    let entities = inventory.entities.clone();
    with_group(&mut inventory, |group| {
        group.entities = entities;
        group.limits.retries = 5;
    });
    let reboots = Behaviour {
        drop_at: Some(MIB / 2),
        drop_times: Some(1),
        down_for: Some(Duration::from_millis(500)),
        ..Behaviour::default()
    };
    behave(&mut settings, "e001", reboots);
    let lab = lab(&inventory, &settings).await;
    let (summary, _) = Run::start(lab.inventory(), &[GROUP]).await.finish().await;
    let said = entity(&summary, "e001");
    assert_eq!(said.state, EntityState::Delivered, "{said:?}");
    assert_eq!(said.attempts, 2);
    assert!(lab.file("e001", PATH).unwrap().same_as_image(IMAGE));
    lab.stop().await;
}
