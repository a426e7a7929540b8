//! Each class of fault alone on its entity: state, step and cause are those of the table.

use subtend::model::{EntityState, Outcome, Step};

use crate::faults::fault::Fault;
use crate::faults::world::*;

const SIZE: u64 = 3 << 20;

#[tokio::test(flavor = "multi_thread")]
async fn every_class_has_its_own_cause() {
    let image = image(SIZE);
    // At the beginning, in the middle and when the sender is through.
    for at in [0, SIZE / 3, SIZE - 1] {
        let mut devices = vec![device("healthy", (Fault::None, false), &image).await];
        for number in 0..CLASSES {
            let (name, fault, delete_first) = class(number, at, SIZE);
            devices.push(device(name, (fault, delete_first), &image).await);
        }
        let summary = run(&image, &devices).await;
        assert_eq!(summary.outcome, Outcome::Partial);
        let all: Vec<_> = (devices.iter())
            .map(|device| (device, assert_as_expected(device, &summary, &image)))
            .collect();
        for (device, said) in &all {
            println!("{at} {}: {:?} {:?}", device.name, said.step, said.cause);
        }
        for (device, _) in &all {
            let expected = expected(device.fault, device.delete_first);
            for (other, said) in &all {
                let says = |cause: &str| cause.contains(expected.words);
                let is_same =
                    std::mem::discriminant(&other.fault) == std::mem::discriminant(&device.fault);
                assert!(
                    is_same
                        || expected.steps.is_empty()
                        || !said.cause.as_deref().is_some_and(says),
                    "{} is told as {}: {:?}",
                    other.name,
                    device.name,
                    said.cause
                );
            }
        }
    }
}

/// While there is room, the fault is seen while the image is sent, at its step.
#[tokio::test(flavor = "multi_thread")]
async fn what_breaks_early_is_told_while_sending() {
    let image = image(SIZE);
    let mut devices = Vec::new();
    for number in [6, 7, 8, 9, 13, 14, 17, 18] {
        let (name, fault, _) = class(number, 70_001, SIZE);
        devices.push(device(name, (fault, false), &image).await);
    }
    let summary = run(&image, &devices).await;
    for device in &devices {
        let said = assert_as_expected(device, &summary, &image);
        assert_eq!(said.step, Some(Step::Send), "{said:?}");
        assert_eq!(said.state, EntityState::Failed);
    }
}
