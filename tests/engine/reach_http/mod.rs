//! Groups over HTTP: what FTP promises. `faults` has each class of fault by its state, its cause and what the
//! entity holds, `sources` those of sources.

mod faults;
mod sources;

use std::sync::Arc;
use std::time::Duration;

use crate::sources::{changes, passes, with_entities, with_sha256};
use crate::support::run::{Run, assert_delivered, assert_failed, entity};
use crate::support::{
    GROUP, IMAGE, PATH, SERVER, at_rate, behave, does, lab, network, over, with_group,
};
use subtend::model::EntityState::Failed;
use subtend::model::Staging::{Direct, Rename};
use subtend::model::{FileServer, Holds, Limits, Outcome, Scheme, SourceChoice, Step, Timeouts};
use subtend::protocol::Event;

const MIB: u64 = 1 << 20;
/// Bytes of the old file of an entity.
const OLD: Option<u64> = Some(4096);

/// Read once, bounded, identical (promises 1 and 2), by a name of its own and without.
#[tokio::test(flavor = "multi_thread")]
async fn twenty_entities_get_by_put_an_image_larger_than_the_memory() {
    for staging in [Rename, Direct] {
        let (mut inventory, settings) = network(20, 16 * MIB);
        inventory.memory = 4 * MIB;
        over(&mut inventory, |_| Scheme::Http, Scheme::Http);
        with_entities(&mut inventory, |entity| entity.staging = staging);
        let lab = lab(&inventory, &settings).await;
        let (summary, _) = Run::start(lab.inventory(), &[GROUP]).await.finish().await;

        assert_eq!(summary.outcome, Outcome::Delivered, "{summary:?}");
        assert_eq!(summary.source_bytes, 16 * MIB);
        assert_eq!(lab.bytes_served(SERVER), 16 * MIB);
        assert_eq!(lab.sessions(SERVER), 1);
        let peak = summary.peak_pool_bytes;
        assert!(peak > 0 && peak <= 4 * MIB, "{peak}");
        for number in 1..=20 {
            let name = format!("e{number:03}");
            assert_delivered(&lab, &summary, &name, IMAGE);
            let said = entity(&summary, &name);
            assert_eq!((said.attempts, said.staged), (1, staging == Rename));
        }
        lab.stop().await;
    }
}

/// From one protocol to the other, each way.
#[tokio::test(flavor = "multi_thread")]
async fn a_source_of_another_protocol_goes_on_at_the_same_byte() {
    for (first, next) in [(Scheme::Ftp, Scheme::Http), (Scheme::Http, Scheme::Ftp)] {
        let (mut inventory, mut settings) = network(2, 8 * MIB);
        over(&mut inventory, |_| Scheme::Http, first);
        let mut mirror = FileServer::clone(&inventory.file_servers[0]);
        (mirror.name, mirror.address.scheme) = ("mirror".into(), next);
        let mirror = Arc::new(mirror);
        inventory.file_servers.push(Arc::clone(&mirror));
        with_group(&mut inventory, |group| {
            group.then = vec![SourceChoice::FileServer(mirror)];
        });
        inventory.memory = MIB;
        settings
            .file_servers
            .insert(SERVER.into(), at_rate(8 * MIB));
        let lab = lab(&inventory, &settings).await;
        let run = Run::start(&with_sha256(&lab), &[GROUP]).await;
        lab.until_served(SERVER, 4 * MIB).await;
        lab.kill(SERVER).await;
        let (summary, events) = run.finish().await;

        assert_eq!(
            summary.outcome,
            Outcome::Delivered,
            "{first:?}: {summary:?}"
        );
        for name in ["e001", "e002"] {
            assert_delivered(&lab, &summary, name, IMAGE);
            assert_eq!(entity(&summary, name).attempts, 1);
        }
        assert_eq!(passes(&events), [(1, SERVER)]);
        let [(1, "mirror", cause)] = changes(&events)[..] else {
            panic!("{events:?}");
        };
        assert!(cause.starts_with("hq failed: read: "), "{cause}");
        let offset = events.iter().find_map(|event| match event {
            Event::Source { offset, .. } => Some(*offset),
            _ => None,
        });
        assert!(
            offset.is_some_and(|at| at > 0 && at < 8 * MIB),
            "{offset:?}"
        );
        // Each byte once, over both.
        assert_eq!(summary.source_bytes, 8 * MIB);
        lab.stop().await;
    }
}

fn impatient() -> Timeouts {
    let time = Duration::from_secs(2);
    Timeouts {
        progress: time,
        confirm: time,
        ..Timeouts::default()
    }
}

/// One that falls silent, one that vanishes in mid-transfer and one that reboots for long when it has the image
/// hold nobody up, and keep what they had.
#[tokio::test(flavor = "multi_thread")]
async fn entities_that_are_gone_hold_nobody_up() {
    let (mut inventory, mut settings) = network(4, 8 * MIB);
    over(&mut inventory, |_| Scheme::Http, Scheme::Http);
    with_entities(&mut inventory, |entity| entity.timeouts = impatient());
    behave(&mut settings, "*", at_rate(8 * MIB));
    behave(&mut settings, "e004", does("{ reboot_after_store: 60s }"));
    let lab = lab(&inventory, &settings).await;
    let run = Run::start(lab.inventory(), &[GROUP]).await;
    for name in ["e001", "e002"] {
        lab.until_received(name, MIB).await;
    }
    lab.silence("e001");
    lab.kill("e002").await;
    let (summary, _) = run.finish().await;
    assert_delivered(&lab, &summary, "e003", IMAGE);
    let silent = assert_failed(&summary, "e001", Step::Send);
    let gone = assert_failed(&summary, "e002", Step::Send);
    for (said, words) in [(silent, "no progress"), (gone, "connection was lost")] {
        let cause = said.cause.as_deref().unwrap_or_default();
        assert!(cause.contains(words), "{cause}");
        let held = lab.file(&said.entity, PATH).unwrap();
        assert_eq!((said.holds, Some(held.size())), (Some(Holds::Old), OLD));
    }
    // Its connection is reset, or the next one refused. The copy that it took is there, and said to be.
    let away = entity(&summary, "e004");
    assert_eq!((away.state, away.holds), (Failed, Some(Holds::Old)));
    assert!(
        matches!(away.step, Some(Step::Verify | Step::Connect)),
        "{away:?}"
    );
    let left = away.left.as_deref().unwrap();
    assert!(lab.file("e004", left).unwrap().same_as_image(IMAGE));
    assert_eq!(lab.file("e004", PATH).map(|file| file.size()), OLD);
    lab.stop().await;
}

/// What may pass is tried again, until it has.
#[tokio::test(flavor = "multi_thread")]
async fn what_passes_is_tried_again() {
    let cases = [
        "{ busy_times: 1 }",
        "{ drop_at: 1 MiB, drop_times: 1 }",
        "{ drop_at: 1 MiB, drop_times: 1, down_for: 300ms }",
        "{ busy_renames: 1 }",
        "{ hang_up_after: STOR, hang_up_times: 1 }",
        "{ reboot_after_store: 300ms }",
    ];
    let (mut inventory, mut settings) = network(cases.len(), 2 * MIB);
    over(&mut inventory, |_| Scheme::Http, Scheme::Http);
    with_group(&mut inventory, |group| group.limits = Limits::default());
    for (words, number) in cases.iter().zip(1..) {
        behave(&mut settings, &format!("e{number:03}"), does(words));
    }
    let lab = lab(&inventory, &settings).await;
    let (summary, _) = Run::start(lab.inventory(), &[GROUP]).await.finish().await;
    for entity in &inventory.entities {
        assert_delivered(&lab, &summary, &entity.name, IMAGE);
    }
    lab.stop().await;
}
