//! A file on its way to an entity: the body of one request.
//!
//! The library takes what is sent as its connection takes it, out of a channel that holds one piece. What
//! writes waits for that, so that a slow entity slows its writer, and sees at once when the entity answers,
//! since what it says before it has everything is why it will not have it.

use http::header::CONTENT_TYPE;
use http::{HeaderValue, Method};
use tokio::sync::mpsc;
use tokio::task::JoinError;
use tokio::time::{Instant, timeout, timeout_at};
use tokio_util::bytes::Bytes;
use tokio_util::task::AbortOnDropHandle;
use url::Url;

use crate::model::{Failure, Fault, RemotePath, Side, Step, Upload as Way};
use crate::transport::NotStored;

use super::answer;
use super::body::{Body, Piece};
use super::client::Client;
use super::exchange::{Request, Response};
use super::target::file_name;

/// Bytes of one piece. The library gathers up to 16 before it waits for its connection.
const PIECE: usize = 16 * 1024;
/// How long the answer may take where the connection is lost and it would say why.
const REASON: std::time::Duration = std::time::Duration::from_secs(2);

type Answer = Result<Response, Failure>;

/// A request whose body is being sent.
pub(super) struct Upload {
    pieces: mpsc::Sender<Piece>,
    answer: AbortOnDropHandle<Answer>,
    client: Client,
    /// The entity can't know by the length alone that it has everything.
    needs_end: bool,
    /// Bytes that were announced, and that were taken.
    size: Option<u64>,
    sent: u64,
    /// When the wait for the entity to take more began.
    blocked_since: Option<Instant>,
}

impl Upload {
    /// Sends the head of the request. `url`: that of `path`.
    pub(super) async fn open(
        client: &Client,
        way: &Way,
        path: &RemotePath,
        url: Url,
        size: Option<u64>,
    ) -> Result<Self, NotStored> {
        let (pieces, taken) = mpsc::channel(1);
        let request = request(client, way, path, url, (taken, size));
        let request = request.map_err(|fault| not_begun(Step::Open, fault))?;
        let connected = client.connect().await;
        let connection = connected.map_err(|fault| not_begun(Step::Connect, fault))?;
        let asking = client.clone();
        let answer = AbortOnDropHandle::new(tokio::spawn(async move {
            let answer = connection.ask(request).await;
            answer.map_err(|broken| Failure::new(Step::Send, asking.no_answer(&broken)))
        }));
        Ok(Self {
            pieces,
            answer,
            client: client.clone(),
            needs_end: size.is_none() || *way != Way::Put,
            size,
            sent: 0,
            blocked_since: None,
        })
    }

    /// Writes some bytes, unless the entity has already answered. Dropped while it waits, it has written
    /// nothing.
    pub(super) async fn write(&mut self, data: &[u8]) -> Result<usize, Failure> {
        let count = data.len().min(PIECE);
        let left = self.size.map_or(u64::MAX, |size| size - self.sent);
        if count as u64 > left {
            let reason =
                format!("more came than the {left} bytes that were left of what was announced");
            return Err(Failure::new(Step::Send, Fault::Local(reason)));
        }
        let piece = || Piece::Data(Bytes::copy_from_slice(&data[..count]));
        self.waited(Step::Send, Some(piece)).await?;
        self.sent += count as u64;
        Ok(count)
    }

    /// Waits until a write would not wait, as [`Self::write`] does.
    pub(super) async fn ready(&mut self) -> Result<(), Failure> {
        self.waited(Step::Send, None::<fn() -> Piece>).await
    }

    /// Waits for room, and puts a piece there. The deadline counts from when room was first missed, however
    /// often the wait was given up and begun again; what can be done at once is done in any case.
    async fn waited(
        &mut self,
        step: Step,
        piece: Option<impl FnOnce() -> Piece>,
    ) -> Result<(), Failure> {
        let since = *self.blocked_since.get_or_insert_with(Instant::now);
        let progress = self.client.endpoint.timeouts.progress;
        let waited = async {
            // An early answer counts more than room.
            tokio::select! {
                biased;
                answer = &mut self.answer => Err(Some(joined(answer))),
                room = self.pieces.reserve() => room.map_err(|_| None),
            }
        };
        let room = match timeout_at(since + progress, waited).await {
            Ok(room) => room,
            Err(_) => match self.pieces.try_reserve() {
                Ok(room) => Ok(room),
                Err(_) => {
                    let fault = Fault::Stalled { after: progress };
                    return Err(Failure::new(step, fault));
                }
            },
        };
        match room {
            Ok(room) => {
                if let Some(piece) = piece {
                    room.send(piece());
                }
                self.blocked_since = None;
                Ok(())
            }
            Err(Some(answer)) => Err(self.ended(step, answer).await),
            // The library takes no more: why is in the answer.
            Err(None) => match timeout(REASON, &mut self.answer).await {
                Ok(answer) => Err(self.ended(step, joined(answer)).await),
                Err(_) => Err(Failure::new(step, lost("nothing more was taken"))),
            },
        }
    }

    /// What an answer means that came before the end of the file.
    async fn ended(&self, step: Step, answer: Answer) -> Failure {
        match answer {
            Ok(response) if response.status().is_success() => {
                Failure::new(step, Fault::EarlyConfirmation { sent: self.sent })
            }
            Ok(response) => answer::refusal(step, response, &self.client.redact).await,
            Err(failure) => at(step, failure),
        }
    }

    /// Ends the file, and waits for the answer to all of it.
    pub(super) async fn finish(mut self) -> Result<Response, Failure> {
        if let Some(size) = self.size.filter(|size| *size != self.sent) {
            let reason = format!("{size} bytes were announced, and {} came", self.sent);
            return Err(Failure::new(Step::Send, Fault::Local(reason)));
        }
        if self.needs_end {
            self.waited(Step::Confirm, Some(|| Piece::End)).await?;
        }
        let after = self.client.endpoint.timeouts.confirm;
        match timeout(after, &mut self.answer).await {
            Ok(answer) => joined(answer).map_err(|failure| at(Step::Confirm, failure)),
            Err(_) => Err(Failure::new(Step::Confirm, Fault::NotConfirmed { after })),
        }
    }
}

fn not_begun(step: Step, fault: Fault) -> NotStored {
    NotStored {
        failure: Failure::new(step, fault),
        may_have_begun: false,
    }
}

/// What broke while the body was sent did so in this step.
fn at(step: Step, failure: Failure) -> Failure {
    match failure.step {
        Step::Send => Failure { step, ..failure },
        _ => failure,
    }
}

fn joined(answer: Result<Answer, JoinError>) -> Answer {
    answer.unwrap_or_else(|error| {
        let reason = format!("the request was not carried out: {error}");
        Err(Failure::new(Step::Send, Fault::Local(reason)))
    })
}

/// What is asked of the entity, and the file that comes with it, of `size` bytes where that is known.
fn request(
    client: &Client,
    way: &Way,
    path: &RemotePath,
    url: Url,
    (file, size): (mpsc::Receiver<Piece>, Option<u64>),
) -> Result<Request, Fault> {
    let local = |reason: &str| Fault::Local(reason.into());
    let (method, body, kind) = match (way, size) {
        (Way::Put, size) => {
            let kind = "application/octet-stream".to_owned();
            (Method::PUT, Body::file(file, size), kind)
        }
        (Way::Field(field), Some(size)) => {
            let (body, kind) = Body::form(file, size, field, file_name(path));
            (Method::POST, body, kind)
        }
        (Way::Field(_), None) => {
            // Programs behind a form learn from the length how much to read (RFC 3875 section 4.1.2).
            let reason = "the image's size is not known, and a form has to announce it; write the image's `size`";
            return Err(local(reason));
        }
    };
    let mut request = client.request(method, url);
    let kind = HeaderValue::from_str(&kind);
    let kind = kind.map_err(|_| local("the type of the request can't be sent"))?;
    request.headers.insert(CONTENT_TYPE, kind);
    request.body = body;
    Ok(request)
}

fn lost(reason: &str) -> Fault {
    Fault::Lost {
        side: Side::Http,
        reason: reason.into(),
    }
}
