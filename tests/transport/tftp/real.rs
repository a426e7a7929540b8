//! tftpd-hpa and atftpd.

use super::*;
use crate::support::LONG;
use crate::support::real::{Make, RealServer, TFTP_MAKES, require_or_skip};

async fn each(test: impl AsyncFn(&'static dyn Make, RealServer, Destination)) {
    for make in TFTP_MAKES {
        if require_or_skip(make) {
            let server = RealServer::start(make);
            let destination = destination_at(server.address, patient(), None);
            test(make, server, at_path(destination, "image.bin")).await;
        }
    }
}

/// atftpd acknowledges the last block before it has written it.
async fn holds(server: &RealServer, bytes: &[u8]) {
    within(LONG, async {
        while server.file("image.bin").is_none_or(|file| file != bytes) {
            tokio::task::yield_now().await;
        }
    })
    .await;
}

#[tokio::test]
async fn real_servers_hold_what_was_sent() {
    each(async |make, server, destination| {
        server.put("image.bin", &image(500_000));
        for length in [1, 512, 1428 * 16, 1428 * 32 + 1, 3_000_000] {
            let bytes = image(length);
            let destination = Destination {
                size: Some(length as u64),
                ..destination.clone()
            };
            let done = send_with(&transport(), &destination, &bytes).await;
            assert_eq!(done, Ok(Verified::None), "{} {length}", make.name());
            holds(&server, &bytes).await;
        }
    })
    .await;
}

#[tokio::test]
async fn real_servers_say_why_they_take_no_file() {
    each(async |make, server, destination| {
        server.forbid();
        let failure = send_with(&transport(), &destination, b"0123")
            .await
            .unwrap_err();
        let said = failure.to_string();
        assert!(
            said.contains("the server said error"),
            "{}: {said}",
            make.name()
        );
        assert!(server.files().is_empty());
    })
    .await;
}

/// It keeps a part at most, and takes the file again at once.
#[tokio::test]
async fn real_servers_take_a_file_again_that_was_given_up() {
    each(async |make, server, destination| {
        let bytes = image(400_000);
        let transport = transport();
        let mut sink = open_sink(&transport, &destination).await.unwrap();
        write_all(&mut sink, &bytes[..200_000]).await.unwrap();
        drop(sink);
        let done = send_with(&transport, &destination, &bytes).await;
        assert_eq!(done, Ok(Verified::None), "{}", make.name());
        holds(&server, &bytes).await;
    })
    .await;
}
