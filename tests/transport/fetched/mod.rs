//! Images that are served, fetched as devices do it: by clients of other makes, and by sockets that do what a test
//! has them do. A test is the agent that gives the bytes.

use std::net::{IpAddr, SocketAddr};
use std::path::PathBuf;
use std::process::Stdio;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::sync::{Arc, Mutex};

use subtend::transport::serve::{
    Answer, Asked, Bytes, Giver, Guard, Offered, Offers, Refusal, Visit, Wanted, pieces,
};
use tokio::process::Command;
use tokio::sync::Notify;
use tokio::task::JoinSet;

#[cfg(unix)]
use crate::support::LONG;
use crate::support::within;

#[cfg(unix)]
mod ftp;
mod relay;
mod tftp;
#[cfg(unix)]
mod tftp_clients;

const PIECE: usize = 64 * 1024;

fn device() -> IpAddr {
    [127, 0, 0, 1].into()
}

/// No two blocks of it are alike.
fn image(length: usize) -> Bytes {
    let mut state = 0x9e37_79b9_u32;
    let byte = |_| {
        state ^= state << 13;
        state ^= state >> 17;
        state ^= state << 5;
        state as u8
    };
    (0..length).map(byte).collect()
}

/// What the agent of a test does, and what it has seen.
#[derive(Clone)]
struct Agent {
    image: Bytes,
    /// It breaks off after so many bytes.
    breaks_at: Option<usize>,
    refuses: Option<Refusal>,
    seen: Arc<Mutex<Vec<Wanted>>>,
    /// Requests of which everything was sent.
    sent: Arc<AtomicUsize>,
    serving: Arc<AtomicUsize>,
    /// A request has been served, to its end or not.
    over: Arc<Notify>,
}

impl Agent {
    fn of(image: Bytes) -> Self {
        Self {
            image,
            breaks_at: None,
            refuses: None,
            seen: Arc::default(),
            sent: Arc::default(),
            serving: Arc::default(),
            over: Arc::default(),
        }
    }

    fn seen(&self) -> Vec<Wanted> {
        self.seen.lock().unwrap().clone()
    }

    fn sent(&self) -> usize {
        self.sent.load(Ordering::SeqCst)
    }

    /// A client that has everything ends before its last acknowledgement is read; one that asks in between is refused
    /// as the second at a time.
    #[cfg(unix)]
    async fn idle(&self) {
        within(LONG, async {
            loop {
                let over = self.over.notified();
                if self.serving.load(Ordering::SeqCst) == 0 {
                    return;
                }
                over.await;
            }
        })
        .await;
    }

    async fn run(self, mut offered: Offered) {
        let mut gives = JoinSet::new();
        loop {
            tokio::select! {
                visit = offered.visit() => match visit {
                    Some(Visit::Asked(asked)) => self.answer(asked, &mut gives),
                    Some(Visit::FromElsewhere(_)) => {}
                    None => return,
                },
                Some(done) = gives.join_next() => done.unwrap(),
            }
        }
    }

    fn answer(&self, asked: Asked, gives: &mut JoinSet<()>) {
        self.seen.lock().unwrap().push(asked.wanted);
        let size = self.image.len();
        let answer = match (&self.refuses, asked.wanted) {
            (Some(refusal), _) => Err(refusal.clone()),
            (None, Wanted::Size) => Ok(None),
            (None, Wanted::Bytes { .. }) if self.serving.load(Ordering::SeqCst) > 0 => {
                Err(Refusal::Busy)
            }
            (None, Wanted::Bytes { from, .. }) if from > size as u64 => {
                Err(Refusal::BeyondEnd { size: size as u64 })
            }
            (None, Wanted::Bytes { from, until }) => {
                let until = until.map_or(size, |until| until as usize);
                let bytes = self.image.slice(from as usize..until);
                let (giver, pieces) = pieces();
                self.serving.fetch_add(1, Ordering::SeqCst);
                gives.spawn(self.clone().give(giver, bytes));
                Ok(Some(pieces))
            }
        };
        let size = Some(size as u64);
        let _ = asked
            .answer
            .send(answer.map(|pieces| Answer { size, pieces }));
    }

    async fn give(self, giver: Giver, mut bytes: Bytes) {
        let mut left = self.breaks_at.unwrap_or(usize::MAX);
        while !bytes.is_empty() && left > 0 {
            let piece = bytes.split_to(bytes.len().min(PIECE).min(left));
            left -= piece.len();
            if giver.give(piece).await.is_err() {
                break;
            }
        }
        if bytes.is_empty() && giver.end().await.is_ok() {
            self.sent.fetch_add(1, Ordering::SeqCst);
        }
        self.serving.fetch_sub(1, Ordering::SeqCst);
        self.over.notify_waiters();
    }
}

/// An offer to [`device`], and the agent behind it.
fn offer(agent: &Agent, tasks: &mut JoinSet<()>) -> (Guard, String) {
    let offers = Offers::default();
    let offered = offers.offer(&"shelf1-01".into(), vec![device()], "adsl 2.4.bin");
    let name = offered.name();
    tasks.spawn(agent.clone().run(offered));
    (Guard::new(offers), name)
}

/// A client of another make at work in a directory of its own.
#[cfg(unix)]
struct Client {
    program: PathBuf,
    dir: tempfile::TempDir,
}

#[cfg(unix)]
impl Client {
    /// `None`: it is not installed here.
    fn of(name: &str) -> Option<Self> {
        Some(Self {
            program: crate::support::real::client_or_skip(name)?,
            dir: tempfile::tempdir().unwrap(),
        })
    }

    /// Whether it says that it has succeeded, and its words.
    async fn run(&self, arguments: &[&str]) -> (bool, String) {
        let mut command = Command::new(&self.program);
        command
            .args(arguments)
            .current_dir(self.dir.path())
            .env("HOME", self.dir.path())
            .stdin(Stdio::null())
            .kill_on_drop(true);
        let output = within(LONG, command.output()).await.unwrap();
        let said = [output.stdout, output.stderr].concat();
        (
            output.status.success(),
            String::from_utf8_lossy(&said).into_owned(),
        )
    }

    /// What it has fetched as `got`; the next run finds none.
    fn got(&self) -> Option<Vec<u8>> {
        let file = self.dir.path().join("got");
        let got = std::fs::read(&file).ok();
        let _ = std::fs::remove_file(file);
        got
    }
}
