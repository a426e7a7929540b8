//! Images that are served over HTTP: what clients of other makes get, and what strangers do not.

use std::net::SocketAddr;
use std::sync::Arc;

use subtend::model::serve::{Over, Serve};
use subtend::transport::serve::{
    Answer, Asked, Bytes, Desk, Gone, Offered, Refusal, Visit, Wanted, pieces,
};
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::TcpStream;
use tokio::sync::watch;
use tokio::task::{JoinHandle, JoinSet};

use crate::support::{LONG, within};

#[cfg(unix)]
mod clients;
mod connections;
mod requests;
mod strangers;

const PIECE: usize = 64 * 1024;

/// How an entity's agent answers.
#[derive(Debug, Clone, Copy, Default)]
struct How {
    size_unknown: bool,
    /// The first request that reaches this byte is broken off there.
    break_at: Option<usize>,
    /// While a request is served, others are refused.
    one_at_a_time: bool,
}

/// What came, and what became of what was given.
#[derive(Debug, Clone, PartialEq, Eq)]
enum Seen {
    Wanted(Wanted),
    FromElsewhere,
    Refused,
    Sent,
    Gone,
    BrokenOff,
}

/// A served image and the agent that answers for it.
struct Served {
    desk: Desk,
    url: String,
    address: SocketAddr,
    path: String,
    seen: Arc<watch::Sender<Vec<Seen>>>,
    agent: JoinHandle<()>,
}

async fn desk() -> Desk {
    let http = Some(SocketAddr::from(([127, 0, 0, 1], 0)));
    let serve = Serve {
        http,
        ..Serve::default()
    };
    Desk::open(&serve).await.unwrap()
}

fn offered(desk: &Desk) -> Offered {
    let device = vec![[127, 0, 0, 1].into()];
    desk.offers().offer(&"e1".into(), device, "image.bin")
}

impl Served {
    async fn start(image: &[u8], how: How) -> Self {
        let desk = desk().await;
        let offered = offered(&desk);
        let seen = Arc::new(watch::Sender::default());
        let url = desk.url(Over::Http, &offered).unwrap();
        let path = format!("/{}", offered.name());
        let image = Bytes::copy_from_slice(image);
        let agent = tokio::spawn(agent(offered, image, how, Arc::clone(&seen)));
        Self {
            url,
            address: desk.address(Over::Http).unwrap(),
            path,
            seen,
            agent,
            desk,
        }
    }

    fn seen(&self) -> Vec<Seen> {
        self.seen.borrow().clone()
    }

    /// A client may have ended before its agent has noted what became of it.
    async fn until(&self, what: Seen) {
        let mut seen = self.seen.subscribe();
        let there = seen.wait_for(|seen| seen.contains(&what));
        within(LONG, there).await.unwrap();
    }

    async fn end(self) {
        within(LONG, self.desk.close()).await;
        self.agent.abort();
    }

    /// All that comes as the answer to a request: its head, and what is behind that.
    async fn ask(&self, request: &str) -> (String, Vec<u8>) {
        ask(self.address, &request.replace("PATH", &self.path)).await
    }
}

async fn ask(address: SocketAddr, request: &str) -> (String, Vec<u8>) {
    let mut socket = TcpStream::connect(address).await.unwrap();
    socket.write_all(request.as_bytes()).await.unwrap();
    let mut answer = Vec::new();
    let read = within(LONG, socket.read_to_end(&mut answer)).await;
    read.unwrap();
    let head = answer.windows(4).position(|four| four == b"\r\n\r\n");
    let body = answer.split_off(head.unwrap_or_else(|| panic!("{answer:?}")) + 4);
    (String::from_utf8(answer).unwrap().to_lowercase(), body)
}

async fn agent(mut offered: Offered, image: Bytes, how: How, seen: Arc<watch::Sender<Vec<Seen>>>) {
    let mut giving = JoinSet::new();
    let mut break_at = how.break_at;
    let see = |what| seen.send_modify(|seen| seen.push(what));
    loop {
        let visit = tokio::select! {
            biased;
            Some(done) = giving.join_next() => {
                see(done.unwrap());
                continue;
            }
            visit = offered.visit() => visit.unwrap(),
        };
        let asked = match visit {
            Visit::Asked(asked) => asked,
            Visit::FromElsewhere(_) => {
                see(Seen::FromElsewhere);
                continue;
            }
        };
        see(Seen::Wanted(asked.wanted));
        let size = (!how.size_unknown).then_some(image.len() as u64);
        let Wanted::Bytes { from, until } = asked.wanted else {
            let _ = asked.answer.send(Ok(Answer { size, pieces: None }));
            continue;
        };
        if how.one_at_a_time && !giving.is_empty() {
            see(Seen::Refused);
            let _ = asked.answer.send(Err(Refusal::Busy));
            continue;
        }
        let until = until.map_or(image.len(), |until| until as usize);
        let from = from as usize;
        let stop = break_at.take_if(|stop| (from..until).contains(stop));
        let part = image.slice(from..stop.unwrap_or(until));
        giving.spawn(give(asked, size, part, stop.is_some()));
    }
}

async fn give(asked: Asked, size: Option<u64>, part: Bytes, breaks: bool) -> Seen {
    let (giver, pieces) = pieces();
    let pieces = Some(pieces);
    if asked.answer.send(Ok(Answer { size, pieces })).is_err() {
        return Seen::Gone;
    }
    let given = async {
        for at in (0..part.len()).step_by(PIECE) {
            let piece = part.slice(at..part.len().min(at + PIECE));
            giver.give(piece).await?;
        }
        if breaks {
            // The connection has taken all before that.
            giver.ready().await?;
            return Ok::<_, Gone>(Seen::BrokenOff);
        }
        giver.end().await?;
        Ok(Seen::Sent)
    };
    given.await.unwrap_or(Seen::Gone)
}
