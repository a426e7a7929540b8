//! Groups over other protocols than FTP, and over several at once: the same promises.

use std::sync::Arc;

use crate::support::run::{Run, assert_delivered, entity};
use crate::support::{GROUP, IMAGE, SERVER, behave, lab, network, over};
use subtend::lab::Behaviour;
use subtend::model::{Fault, HostTrust, Outcome, Scheme, Step, Verified};

const MIB: u64 = 1 << 20;

/// Read once, bounded, identical (promises 1 and 2).
#[tokio::test(flavor = "multi_thread")]
async fn twenty_entities_of_sftp_get_16_mib_out_of_1_mib_of_memory() {
    let (mut inventory, settings) = network(20, 16 * MIB);
    inventory.memory = MIB;
    over(&mut inventory, |_| Scheme::Sftp, Scheme::Sftp);
    let lab = lab(&inventory, &settings).await;
    let (summary, _) = Run::start(lab.inventory(), &[GROUP]).await.finish().await;

    assert_eq!(summary.outcome, Outcome::Delivered, "{summary:?}");
    assert_eq!(summary.source_bytes, 16 * MIB);
    assert_eq!(lab.bytes_served(SERVER), 16 * MIB);
    assert_eq!(lab.sessions(SERVER), 1);
    let peak = summary.peak_pool_bytes;
    assert!(peak > 0 && peak <= MIB, "{peak}");
    for number in 1..=20 {
        let name = format!("e{number:03}");
        assert_delivered(&lab, &summary, &name, IMAGE);
        assert_eq!(entity(&summary, &name).attempts, 1);
    }
    lab.stop().await;
}
