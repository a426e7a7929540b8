//! TFTP, against a device that does what a test has it do, and against servers of other makes.

use std::net::SocketAddr;

use subtend::model::{
    Failure, Fault, Holds, Scheme, Staging, Step, Timeouts, Verified, VerifyMode,
};
use subtend::placement::Delivery;
use subtend::transport::{AnyTransport, Destination, Seen, Transport};
use tokio_util::sync::CancellationToken;

use crate::common::*;
use crate::support::within;

mod device;
mod faults;
#[cfg(unix)]
mod real;
mod request;
mod rollover;

use device::{Came, Device, Do, Running, ack, error, oack};

fn transport() -> AnyTransport {
    AnyTransport::of(String::new())
}

fn destination_at(address: SocketAddr, timeouts: Timeouts, size: Option<u64>) -> Destination {
    let mut remote = remote_at(address, timeouts);
    remote.endpoint.address.scheme = Scheme::Tftp;
    Destination {
        remote,
        verify: VerifyMode::Best,
        staging: Staging::Direct,
        delete_first: false,
        names: names(),
        size,
    }
}

fn to(device: &Running) -> Destination {
    destination_at(device.address, patient(), None)
}

async fn sent(device: &Running, bytes: &[u8]) -> Result<Verified, Failure> {
    send_with(&transport(), &to(device), bytes).await
}

/// What the entity holds is not known either.
async fn fails(destination: &Destination, bytes: &[u8]) -> Failure {
    let transport = transport();
    let mut sink = match within(SOON, Delivery::open(&transport, destination, None)).await {
        Ok((sink, _)) => sink,
        Err(not_opened) => return not_opened.failure,
    };
    let failure = match write_all(&mut sink, bytes).await {
        Ok(()) => within(SOON, sink.finish()).await.unwrap_err(),
        Err(failure) => failure,
    };
    let _ = within(SOON, sink.discard(false)).await;
    assert_eq!(sink.holds(), Holds::Unknown);
    failure
}

fn usual(_: &Came) -> Do {
    Do::AsItShould
}

fn assert_has(device: &Running, bytes: &[u8]) {
    let log = device.log();
    assert!(
        log.is_whole && log.file == bytes,
        "{} bytes",
        log.file.len()
    );
}

#[tokio::test]
async fn nothing_is_asked_of_a_device_and_nothing_is_proven() {
    let device = Device::old().start(usual).await;
    let (transport, destination) = (transport(), to(&device));
    let probe = within(
        SOON,
        transport.probe(&destination, &CancellationToken::new()),
    )
    .await;
    assert!(probe.unwrap().unasked);
    let compared = within(SOON, transport.compare(&destination.remote, [0; 32])).await;
    assert_eq!(compared.unwrap().same, None);
    assert!(
        within(SOON, transport.size_of(&destination.remote))
            .await
            .is_err()
    );
    assert!(
        within(SOON, transport.open_source(&destination.remote, 0))
            .await
            .is_err()
    );
    let mut sink = within(SOON, transport.open_sink(&destination))
        .await
        .unwrap();
    assert_eq!(sink.look(&destination.remote.path).await, Ok(Seen::Unknown));
    assert!(device.log().requests.is_empty());

    for (verify, expected) in [
        (VerifyMode::Best, Ok(Verified::None)),
        (VerifyMode::Quick, Ok(Verified::None)),
        (VerifyMode::None, Ok(Verified::None)),
        (VerifyMode::Readback, Err(Step::Verify)),
        (VerifyMode::Size, Err(Step::Verify)),
    ] {
        let destination = Destination {
            verify,
            ..destination.clone()
        };
        let proven = send_with(&transport, &destination, b"0123").await;
        assert_eq!(
            proven.map_err(|failure| failure.step),
            expected,
            "{verify:?}"
        );
        assert_has(&device, b"0123");
    }
}

/// A file that fills its blocks ends with an empty one.
#[tokio::test]
async fn files_of_all_lengths_arrive_as_they_are() {
    let full = [("blksize", 1428), ("windowsize", 16), ("tsize", 0)];
    for device in [
        Device::old(),
        Device::granting(&full),
        Device::granting(&[("blksize", 8)]),
        Device::granting(&[("windowsize", 3)]),
    ] {
        let device = device.start(usual).await;
        for length in [
            1,
            7,
            8,
            511,
            512,
            513,
            1428,
            1428 * 16,
            1428 * 16 + 1,
            30_000,
        ] {
            let bytes = image(length);
            assert_eq!(sent(&device, &bytes).await, Ok(Verified::None));
            assert_has(&device, &bytes);
        }
        assert!(device.log().errors.is_empty());
    }
}
