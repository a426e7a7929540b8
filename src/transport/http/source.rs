//! Reading an image from a server of HTTP, from any byte on.

use async_trait::async_trait;
use http::header::{CONTENT_RANGE, IF_RANGE, LAST_MODIFIED, RANGE, TRANSFER_ENCODING};
use http::{HeaderMap, HeaderValue, Method, StatusCode};
use tokio::time::timeout;
use tokio_util::bytes::Bytes;

use crate::model::{Failure, Fault, Side, Step};
use crate::transport::{Remote, Source};

use super::HttpTransport;
use super::answer::{self, Part, part};
use super::client::Client;
use super::exchange::Response;
use super::{cause, redirect};

/// One reading of a file: one answer.
pub(super) struct HttpSource {
    client: Client,
    /// Absent: there is nothing more to come.
    response: Option<Response>,
    /// What came and was not asked for yet.
    pending: Bytes,
    size: Option<u64>,
    modified: Option<String>,
    /// Offset of the first byte that is wanted; what comes before is thrown away.
    offset: u64,
    /// Offset of the next byte in the file.
    position: u64,
    step: Step,
}

impl HttpSource {
    pub(super) async fn open(
        transport: &HttpTransport,
        remote: &Remote,
        offset: u64,
    ) -> Result<Self, Failure> {
        let known = match offset {
            0 => None,
            _ => transport.validator(remote),
        };
        let headers = asked(offset, known.as_deref());
        let (response, client) =
            redirect::ask(transport, remote, &Method::GET, &headers, Step::Open).await?;
        if offset > 0 && response.status() == StatusCode::RANGE_NOT_SATISFIABLE {
            return Self::behind(transport, remote, (response, client), offset).await;
        }
        let opened = Self::opened(response, client, offset, known.as_deref()).await?;
        if offset == 0 {
            transport.remember(remote, opened.modified.as_deref());
        }
        Ok(opened)
    }

    /// `known`: by what the file could be known again when it was read from its beginning.
    pub(super) async fn opened(
        response: Response,
        client: Client,
        offset: u64,
        known: Option<&str>,
    ) -> Result<Self, Failure> {
        let failed = |fault| Err(Failure::new(Step::Open, fault));
        let (status, headers) = (response.status(), response.headers());
        let modified = answer::validator(headers).map(str::to_owned);
        let (position, size) = match status {
            StatusCode::OK => (0, answer::length(headers)),
            StatusCode::PARTIAL_CONTENT => match (part(headers), answer::length(headers)) {
                (Some(Part::Bytes(first, last, total)), length)
                    if first == offset
                        && offset > 0
                        && length.is_none_or(|length| length == last - first + 1) =>
                {
                    (first, total)
                }
                _ => return failed(wrong_part(headers)),
            },
            _ => return Err(answer::refusal(Step::Open, response, &client.redact).await),
        };
        if let Some(fault) = known.and_then(|known| changed(known, headers)) {
            return failed(fault);
        }
        if let Some(size) = size.filter(|size| *size < offset) {
            return failed(shorter(size, offset));
        }
        answer::check_encoding(headers).map_err(|fault| Failure::new(Step::Open, fault))?;
        let has_end = headers.contains_key(TRANSFER_ENCODING) || answer::length(headers).is_some();
        if !has_end {
            // Its end could not be told from a connection that was lost.
            let said = "the file with neither its length nor an end that could be known".into();
            let may_pass = false;
            return failed(Fault::Answer { said, may_pass });
        }
        Ok(Self {
            client,
            response: Some(response),
            pending: Bytes::new(),
            size,
            modified,
            offset,
            position,
            step: Step::Read,
        })
    }

    /// The server says that there is nothing from `offset` on: that is the end, or another file. Some
    /// (lighttpd) do not say how long it is.
    async fn behind(
        transport: &HttpTransport,
        remote: &Remote,
        (response, client): (Response, Client),
        offset: u64,
    ) -> Result<Self, Failure> {
        let modified = answer::validator(response.headers()).map(str::to_owned);
        let size = match part(response.headers()) {
            Some(Part::None(size)) => Some(size),
            _ => size_of(transport, remote).await?,
        };
        match size {
            Some(size) if size < offset => Err(Failure::new(Step::Open, shorter(size, offset))),
            Some(size) if size == offset => Ok(Self {
                client,
                response: None,
                pending: Bytes::new(),
                size: Some(size),
                modified,
                offset,
                position: offset,
                step: Step::Read,
            }),
            _ => Err(answer::refusal(Step::Open, response, &client.redact).await),
        }
    }

    /// What is read belongs to this step.
    pub(super) fn at(self, step: Step) -> Self {
        Self { step, ..self }
    }

    /// Waits for bytes; `false`: there are no more.
    async fn fill(&mut self) -> Result<bool, Failure> {
        let progress = self.client.endpoint.timeouts.progress;
        while self.pending.is_empty() {
            let Some(response) = &mut self.response else {
                return Ok(false);
            };
            let failed = |fault| Err(Failure::new(self.step, fault));
            match timeout(progress, response.chunk()).await {
                Ok(Ok(Some(bytes))) => self.pending = bytes,
                Ok(Ok(None)) => self.response = None,
                Ok(Err(error)) => return failed(self.broken(&error)),
                Err(_) => return failed(Fault::Stalled { after: progress }),
            }
        }
        Ok(true)
    }

    fn broken(&self, error: &hyper::Error) -> Fault {
        match (self.size, self.client.fault(error)) {
            (Some(size), Fault::Lost { .. }) if cause::is_short(error) => Fault::ShortImage {
                read: self.position,
                size,
            },
            (_, Fault::Lost { reason, .. }) => Fault::Lost {
                side: Side::Http,
                reason,
            },
            (_, fault) => fault,
        }
    }
}

/// The headers that ask for a file from a byte on, if it is still the one that was known.
fn asked(offset: u64, known: Option<&str>) -> HeaderMap {
    let mut headers = HeaderMap::new();
    if offset > 0 {
        if let Ok(range) = HeaderValue::from_str(&format!("bytes={offset}-")) {
            headers.insert(RANGE, range);
        }
        if let Some(known) = known.and_then(|known| HeaderValue::from_str(known).ok()) {
            headers.insert(IF_RANGE, known);
        }
    }
    headers
}

/// The file is another one than it was, as far as its server says.
fn changed(known: &str, headers: &HeaderMap) -> Option<Fault> {
    let now = match answer::is_tag(known) {
        true => answer::strong_tag(headers)?,
        false => answer::text_of(headers, LAST_MODIFIED)?,
    };
    (now != known).then(|| Fault::SourceChanged {
        reason: format!(
            "its server called it {} and now says {}",
            crate::model::text::shown(known),
            crate::model::text::shown(now)
        ),
    })
}

fn wrong_part(headers: &HeaderMap) -> Fault {
    let range = answer::text_of(headers, CONTENT_RANGE);
    Fault::Malformed {
        reply: match range {
            Some(range) => format!("206 with the part {}", crate::model::text::shown(range)),
            None => "206 without saying which part".into(),
        },
    }
}

/// Bytes before `offset` were already read, so the file had more than it has now.
fn shorter(size: u64, offset: u64) -> Fault {
    Fault::SourceChanged {
        reason: format!("it has {size} bytes, and was to be read from byte {offset} on"),
    }
}

#[async_trait]
impl Source for HttpSource {
    fn size(&self) -> Option<u64> {
        self.size
    }

    fn modified(&self) -> Option<&str> {
        self.modified.as_deref()
    }

    async fn read(&mut self, buffer: &mut [u8]) -> Result<usize, Failure> {
        if buffer.is_empty() {
            return Ok(0);
        }
        let step = self.step;
        let failed = |fault| Err(Failure::new(step, fault));
        loop {
            if !self.fill().await? {
                return match self.size {
                    Some(size) if self.position < size => failed(Fault::ShortImage {
                        read: self.position,
                        size,
                    }),
                    _ if self.position < self.offset => failed(shorter(self.position, self.offset)),
                    _ => Ok(0),
                };
            }
            let before = self.offset.saturating_sub(self.position);
            let skipped = usize::try_from(before).unwrap_or(usize::MAX);
            let skipped = skipped.min(self.pending.len());
            let rest = self.pending.split_off(skipped);
            self.pending = rest;
            let count = self.pending.len().min(buffer.len());
            buffer[..count].copy_from_slice(&self.pending[..count]);
            self.pending = self.pending.split_off(count);
            self.position += (skipped + count) as u64;
            if let Some(size) = self.size.filter(|size| self.position > *size) {
                return failed(Fault::LongImage { size });
            }
            if count > 0 {
                return Ok(count);
            }
        }
    }

    async fn close(self: Box<Self>) {}
}

/// Whether the file is there, and its size where the server reports it.
pub(super) async fn size_of(
    transport: &HttpTransport,
    remote: &Remote,
) -> Result<Option<u64>, Failure> {
    let none = HeaderMap::new();
    let step = Step::Prepare;
    let (response, client) = redirect::ask(transport, remote, &Method::HEAD, &none, step).await?;
    if response.status().is_success() {
        let length = answer::length(response.headers());
        if length.is_some() {
            return Ok(length);
        }
    } else if !refuses_head(response.status()) {
        return Err(answer::refusal(step, response, &client.redact).await);
    }
    // The head of the answer is enough; what is begun to be sent is not taken.
    let (response, client) = redirect::ask(transport, remote, &Method::GET, &none, step).await?;
    match response.status().is_success() {
        true => Ok(answer::length(response.headers())),
        false => Err(answer::refusal(step, response, &client.redact).await),
    }
}

/// Whether an answer to `HEAD` may be about the method, and not about the file.
pub(super) fn refuses_head(status: StatusCode) -> bool {
    matches!(status.as_u16(), 400 | 403 | 405 | 501)
}
