//! One client as the engine sees it: a task that lets it in, takes its orders, and sends it what
//! there is to see at the pace at which it reads.

use std::sync::Arc;
use std::time::Duration;

use secrecy::zeroize::Zeroizing;
use thiserror::Error;
use tokio::io::AsyncWriteExt;
use tokio::net::UnixStream;
use tokio::net::unix::{OwnedReadHalf, OwnedWriteHalf};
use tokio::sync::{mpsc, oneshot, watch};
use tokio::time::{Instant, sleep_until, timeout};

use super::delta::Delta;
use super::wire::{
    Answer, Ask, GREETING, Hello, Incoming, LONGEST_ASK, LONGEST_HELLO, PROTOCOL, Tell, Welcome,
    WireError, frame, write,
};
use crate::protocol::Snapshot;

/// Minimum interval between two snapshots.
pub(super) const PACE: Duration = Duration::from_millis(250);
/// A client that reads nothing for this long is cut off. One that merely slept comes back by itself.
const STUCK: Duration = Duration::from_secs(30);
/// What there is to say at the end must be gone within this time.
const PARTING: Duration = Duration::from_secs(1);
/// The same for all clients together.
pub(super) const PARTING_ALL: Duration = Duration::from_secs(2);

/// A frame, made once for all that watch.
pub(super) type Frame = Arc<Zeroizing<Vec<u8>>>;

/// Why a client is cut off, or not let in.
#[derive(Debug, Error)]
pub(super) enum CutOff {
    #[error("it did not say who it is")]
    Silent,
    #[error("this is no subtend: {0}")]
    NoFrame(WireError),
    #[error("this is no subtend: {0}")]
    NoHello(serde_json::Error),
    #[error(
        "the engine that runs is subtend {} (protocol {PROTOCOL}), and this is subtend {version} \
         (protocol {}); use the program that the engine was started with, or end the engine with its \
         `subtend stop`",
        env!("CARGO_PKG_VERSION"),
        .protocol.map_or_else(|| "unknown".into(), |protocol| protocol.to_string())
    )]
    Version {
        version: String,
        protocol: Option<u64>,
    },
    #[error("{others} others watch the engine already")]
    Full { others: usize },
    #[error("what it sent can't be understood: {0}")]
    Malformed(WireError),
    #[error("it read nothing for {} s", STUCK.as_secs())]
    Stuck,
    #[error("a snapshot can't be sent: {0}")]
    Snapshot(WireError),
}

/// To the server's task.
pub(super) enum Said {
    /// Somebody is at the door.
    Hello {
        id: u64,
        hello: Hello,
        /// Dropped: the engine is ending.
        answer: oneshot::Sender<Result<Admission, CutOff>>,
    },
    Ask {
        id: u64,
        ask: Ask,
    },
}

/// What a client that was let in gets.
pub(super) struct Admission {
    pub(super) welcome: Welcome,
    /// Ends when there is nothing more to report.
    pub(super) events: mpsc::Receiver<Frame>,
    pub(super) snapshots: watch::Receiver<Arc<Snapshot>>,
}

/// Serves one client until it leaves, is cut off, or the engine ends.
pub(super) async fn serve(
    id: u64,
    stream: UnixStream,
    server: mpsc::Sender<Said>,
) -> Result<(), CutOff> {
    let (from, mut to) = stream.into_split();
    let mut incoming = Incoming::new(from, LONGEST_HELLO);
    let admission = match timeout(GREETING, greet(id, &mut incoming, &server)).await {
        Ok(Ok(Some(admission))) => admission,
        Ok(Ok(None)) => return Ok(()),
        Ok(Err(reason)) => {
            refuse(&mut to, reason.to_string()).await;
            return Err(reason);
        }
        Err(_) => return Err(CutOff::Silent),
    };
    let Admission {
        welcome,
        events,
        snapshots,
    } = admission;
    let welcome = Answer::Welcome(Box::new(welcome));
    match timeout(STUCK, write(&mut to, &welcome)).await {
        Ok(Ok(())) => {}
        _ => return Ok(()),
    }
    incoming.set_longest(LONGEST_ASK);
    let listening = listen(id, incoming, server);
    tokio::pin!(listening);
    let cut_off = tokio::select! {
        read = &mut listening => read,
        // One that is gone may have given orders before, which are still to be read.
        written = tell(&mut to, events, snapshots) => match written {
            Ok(()) => timeout(PARTING, listening).await.unwrap_or(Ok(())),
            stuck => stuck,
        },
    };
    if let Err(reason) = &cut_off {
        let dropped = Tell::Dropped {
            reason: reason.to_string(),
        };
        let _ = timeout(PARTING, write(&mut to, &dropped)).await;
    }
    cut_off
}

async fn greet(
    id: u64,
    incoming: &mut Incoming<OwnedReadHalf>,
    server: &mpsc::Sender<Said>,
) -> Result<Option<Admission>, CutOff> {
    let value: serde_json::Value = match incoming.next().await {
        Ok(Some(value)) => value,
        Ok(None) => return Ok(None),
        Err(error) => return Err(CutOff::NoFrame(error)),
    };
    // Read before the rest: another version may say the rest in other words.
    let protocol = value.get("protocol").and_then(serde_json::Value::as_u64);
    if protocol != Some(u64::from(PROTOCOL)) {
        let version = value.get("version").and_then(serde_json::Value::as_str);
        let version: String = version.unwrap_or("?").chars().take(40).collect();
        return Err(CutOff::Version { version, protocol });
    }
    let hello: Hello = serde_json::from_value(value).map_err(CutOff::NoHello)?;
    let (answer, answered) = oneshot::channel();
    if server
        .send(Said::Hello { id, hello, answer })
        .await
        .is_err()
    {
        return Ok(None);
    }
    match answered.await {
        Ok(Ok(admission)) => Ok(Some(admission)),
        Ok(Err(reason)) => Err(reason),
        Err(_) => Ok(None),
    }
}

pub(super) async fn refuse(to: &mut OwnedWriteHalf, reason: String) {
    let _ = timeout(PARTING, write(to, &Answer::Refuse { reason })).await;
}

/// Its orders. The end of them is the end of its visit.
async fn listen(
    id: u64,
    mut incoming: Incoming<OwnedReadHalf>,
    server: mpsc::Sender<Said>,
) -> Result<(), CutOff> {
    loop {
        match incoming.next().await {
            Ok(Some(ask)) => {
                if server.send(Said::Ask { id, ask }).await.is_err() {
                    return Ok(());
                }
            }
            Ok(None) => return Ok(()),
            // It is gone; nothing is wrong with what it said.
            Err(WireError::Io(error)) if error.kind() != std::io::ErrorKind::InvalidData => {
                return Ok(());
            }
            Err(error) => return Err(CutOff::Malformed(error)),
        }
    }
}

async fn tell(
    to: &mut OwnedWriteHalf,
    mut events: mpsc::Receiver<Frame>,
    mut snapshots: watch::Receiver<Arc<Snapshot>>,
) -> Result<(), CutOff> {
    let mut sent: Option<Arc<Snapshot>> = None;
    let mut next = Instant::now();
    let mut publishing = true;
    snapshots.mark_changed();
    loop {
        tokio::select! {
            biased;
            event = events.recv() => match event {
                Some(event) => {
                    if !send(to, &event).await? {
                        return Ok(());
                    }
                }
                None => break,
            },
            changed = due(next, &mut snapshots), if publishing => match changed {
                true => {
                    if !picture(to, &mut sent, &mut snapshots).await? {
                        return Ok(());
                    }
                    next = Instant::now() + PACE;
                }
                false => publishing = false,
            },
        }
    }
    // How it all ended.
    let _ = timeout(PARTING, async {
        let _ = picture(to, &mut sent, &mut snapshots).await;
        let _ = to.shutdown().await;
    })
    .await;
    Ok(())
}

/// Whether there is a new snapshot; not before its time.
async fn due(next: Instant, snapshots: &mut watch::Receiver<Arc<Snapshot>>) -> bool {
    sleep_until(next).await;
    snapshots.changed().await.is_ok()
}

async fn picture(
    to: &mut OwnedWriteHalf,
    sent: &mut Option<Arc<Snapshot>>,
    snapshots: &mut watch::Receiver<Arc<Snapshot>>,
) -> Result<bool, CutOff> {
    let now = snapshots.borrow_and_update().clone();
    let delta = Box::new(Delta::between(sent.as_deref(), &now));
    *sent = Some(now);
    match frame(&Tell::Snapshot { delta }) {
        Ok(bytes) => send(to, &bytes).await,
        Err(error) => Err(CutOff::Snapshot(error)),
    }
}

/// Whether it is still there.
async fn send(to: &mut OwnedWriteHalf, bytes: &[u8]) -> Result<bool, CutOff> {
    match timeout(STUCK, to.write_all(bytes)).await {
        Ok(Ok(())) => Ok(true),
        Ok(Err(_)) => Ok(false),
        Err(_) => Err(CutOff::Stuck),
    }
}
