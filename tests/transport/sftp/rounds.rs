//! How many times a delivery waits for an answer, which is what it costs on a far link.

use std::sync::Arc;
use std::sync::atomic::{AtomicBool, AtomicUsize, Ordering};

use subtend::model::VerifyMode;
use tokio::io::{AsyncRead, AsyncReadExt, AsyncWrite, AsyncWriteExt};
use tokio::net::{TcpListener, TcpStream};
use tokio_util::task::AbortOnDropHandle;

use super::*;

/// A relay to a server, that counts how often something is said that may be about what the server said.
struct Relay {
    port: u16,
    rounds: Arc<AtomicUsize>,
    _carrying: AbortOnDropHandle<()>,
}

impl Relay {
    async fn to(port: u16) -> Self {
        let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
        let own = listener.local_addr().unwrap().port();
        let rounds = Arc::new(AtomicUsize::new(0));
        let counted = Arc::clone(&rounds);
        let carrying = async move {
            let (near, _) = listener.accept().await.unwrap();
            let far = TcpStream::connect(("127.0.0.1", port)).await.unwrap();
            let heard = AtomicBool::new(true);
            let ((near_in, near_out), (far_in, far_out)) = (near.into_split(), far.into_split());
            let asks = carry(near_in, far_out, || {
                if heard.swap(false, Ordering::Relaxed) {
                    counted.fetch_add(1, Ordering::Relaxed);
                }
            });
            let answers = carry(far_in, near_out, || heard.store(true, Ordering::Relaxed));
            tokio::join!(asks, answers);
        };
        Self {
            port: own,
            rounds,
            _carrying: AbortOnDropHandle::new(tokio::spawn(carrying)),
        }
    }
}

async fn carry(
    mut from: impl AsyncRead + Unpin,
    mut to: impl AsyncWrite + Unpin,
    mut passes: impl FnMut(),
) {
    let mut buffer = vec![0; 64 << 10];
    while let Ok(count @ 1..) = from.read(&mut buffer).await {
        passes();
        if to.write_all(&buffer[..count]).await.is_err() {
            return;
        }
    }
    let _ = to.shutdown().await;
}

/// The one connection of a delivery; what came before it on the entity.
async fn rounds_of(old: bool) -> usize {
    let sshd = Sshd::start();
    if old {
        sshd.put_old();
    }
    let relay = Relay::to(sshd.port).await;
    let mut destination = sshd.destination();
    destination.remote.endpoint.address.port = relay.port;
    destination.verify = VerifyMode::Quick;
    let bytes = image(10_000);
    assert_eq!(deliver(&destination, &bytes).await, Ok(Verified::Size));
    assert!(sshd.file().unwrap() == bytes, "other bytes");
    relay.rounds.load(Ordering::Relaxed)
}

#[tokio::test]
async fn a_clean_delivery_asks_what_hangs_on_nothing_at_once() {
    if !is_here() {
        return;
    }
    // Hello, keys, login and the subsystem are 10 or so of them, the file and its name 7.
    let old = rounds_of(true).await;
    let fresh = rounds_of(false).await;
    println!("{old} with an old image, {fresh} without");
    assert!(old <= 22, "{old}");
    // Asked one after the other, an absent name takes up to seven.
    assert!(fresh <= old + 8, "{fresh} and {old}");
}
