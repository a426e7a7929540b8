//! A file on its way to an entity: the body of one request.
//!
//! The library takes what is sent as its connection takes it, out of a channel that holds one piece. What
//! writes waits for that, so that a slow entity slows its writer, and sees at once when the entity answers,
//! since what it says before it has everything is why it will not have it.

use std::io;

use futures_util::stream;
use reqwest::header::{CONTENT_LENGTH, CONTENT_TYPE};
use reqwest::multipart::{Form, Part};
use reqwest::{Body, Method, RequestBuilder, Response, Url};
use tokio::sync::{mpsc, oneshot};
use tokio::task::JoinError;
use tokio::time::{Instant, timeout, timeout_at};
use tokio_util::bytes::Bytes;
use tokio_util::task::AbortOnDropHandle;

use crate::model::{Failure, Fault, RemotePath, Side, Step, Upload as Way};
use crate::transport::NotStored;

use super::answer;
use super::client::{Client, step_of};
use super::target::file_name;

/// Bytes of one piece. The library gathers up to 16 before it waits for its connection.
const PIECE: usize = 16 * 1024;
/// How long the answer may take where the connection is lost and it would say why.
const REASON: std::time::Duration = std::time::Duration::from_secs(2);

enum Piece {
    Data(Bytes),
    /// The file is whole. Without it the request is given up, whatever was announced.
    End,
}

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
        let (begins, mut begun) = oneshot::channel();
        let body = body(taken, begins);
        let request = match way {
            Way::Put => Ok(put(client, url, body, size)),
            Way::Field(field) => form(client, url, body, size, field, path),
        };
        let request =
            request.map_err(|fault| not_stored(Failure::new(Step::Open, fault), false))?;
        let asking = client.clone();
        let answer = AbortOnDropHandle::new(tokio::spawn(async move {
            let answer = request.send().await;
            answer.map_err(|error| Failure::new(step_of(&error, Step::Send), asking.fault(&error)))
        }));
        let mut upload = Self {
            pieces,
            answer,
            client: client.clone(),
            needs_end: size.is_none() || *way != Way::Put,
            size,
            sent: 0,
            blocked_since: None,
        };
        let patience = client.patience();
        let connecting = async {
            tokio::select! {
                biased;
                // Dropped without a word, it was never asked for: the answer says why.
                Ok(()) = &mut begun => None,
                answer = &mut upload.answer => Some(joined(answer)),
            }
        };
        match timeout(patience, connecting).await {
            Ok(None) => Ok(upload),
            Ok(Some(answer)) => {
                let has_answered = answer.is_ok();
                let failure = upload.ended(Step::Open, answer).await;
                Err(not_stored(failure, has_answered))
            }
            Err(_) => {
                let after = client.endpoint.timeouts.connect;
                let address = client.endpoint.address.to_string();
                let fault = Fault::ConnectTimeout { address, after };
                Err(not_stored(Failure::new(Step::Connect, fault), false))
            }
        }
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

fn not_stored(failure: Failure, may_have_begun: bool) -> NotStored {
    NotStored {
        failure,
        may_have_begun,
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

fn put(client: &Client, url: Url, body: Body, size: Option<u64>) -> RequestBuilder {
    let request = client.request(Method::PUT, url);
    let request = match size {
        Some(size) => request.header(CONTENT_LENGTH, size),
        None => request,
    };
    request
        .header(CONTENT_TYPE, "application/octet-stream")
        .body(body)
}

fn form(
    client: &Client,
    url: Url,
    body: Body,
    size: Option<u64>,
    field: &str,
    path: &RemotePath,
) -> Result<RequestBuilder, Fault> {
    let Some(size) = size else {
        // Programs behind a form learn from the length how much to read (RFC 3875 section 4.1.2).
        let reason = "the image's size is not known, and a form has to announce it; write the image's `size`";
        return Err(Fault::Local(reason.into()));
    };
    let part = Part::stream_with_length(body, size).file_name(file_name(path).to_owned());
    let part = part.mime_str("application/octet-stream");
    let part = part.map_err(|error| Fault::Local(error.to_string()))?;
    let form = Form::new().part(field.to_owned(), part);
    Ok(client.request(Method::POST, url).multipart(form))
}

/// What the library takes, piece by piece; `begins` is done when it first asks, for which it has connected.
fn body(pieces: mpsc::Receiver<Piece>, begins: oneshot::Sender<()>) -> Body {
    let whole = (pieces, Some(begins), false);
    Body::wrap_stream(stream::unfold(whole, async |(mut pieces, begins, over)| {
        if let Some(begins) = begins {
            // What waited for it may have been given up: then nothing more comes.
            let _ = begins.send(());
        }
        if over {
            return None;
        }
        match pieces.recv().await {
            Some(Piece::Data(data)) => Some((Ok(data), (pieces, None, false))),
            Some(Piece::End) => None,
            None => {
                let given_up = io::Error::other("the file was given up");
                Some((Err(given_up), (pieces, None, true)))
            }
        }
    }))
}

fn lost(reason: &str) -> Fault {
    Fault::Lost {
        side: Side::Http,
        reason: reason.into(),
    }
}
