//! Files of more than 65,535 blocks.

use super::*;

fn small(after: u16) -> Device {
    Device {
        after,
        ..Device::granting(&[("blksize", 8), ("windowsize", 16)])
    }
}

#[tokio::test]
async fn blocks_go_on_with_0_after_the_last_number() {
    let device = small(0).start(usual).await;
    let bytes = image(70_000 * 8);
    assert_eq!(sent(&device, &bytes).await, Ok(Verified::None));
    assert_has(&device, &bytes);
}

/// It took none of the blocks behind for another one, and the second attempt knows.
#[tokio::test]
async fn a_device_that_goes_on_with_1_is_found_out_and_remembered() {
    let device = small(1).start(usual).await;
    let (transport, bytes) = (transport(), image(70_000 * 8));
    let destination = to(&device);
    let first = send_with(&transport, &destination, &bytes)
        .await
        .unwrap_err();
    assert!(first.is_transient(), "{first}");
    assert!(first.to_string().contains("goes on with 1"), "{first}");
    assert!(bytes.starts_with(&device.log().file) && !device.log().is_whole);
    let second = send_with(&transport, &destination, &bytes).await;
    assert_eq!(second, Ok(Verified::None));
    assert_has(&device, &bytes);
}

#[tokio::test]
async fn a_device_that_knows_no_way_on_fails_as_itself() {
    let plan = |came: &Came| match came {
        Came::Data { number: 0, .. } => Do::Say(error(3, "too large")),
        _ => Do::AsItShould,
    };
    let device = small(0).start(plan).await;
    let failure = fails(&to(&device), &image(70_000 * 8)).await;
    assert!(
        failure.to_string().contains("disk full: too large"),
        "{failure}"
    );
    assert!(!failure.is_transient());
}
