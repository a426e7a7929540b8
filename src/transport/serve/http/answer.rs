//! Who is asked for a file, and what is answered.

use std::net::SocketAddr;
use std::sync::Arc;

use hyper::body::Incoming;
use hyper::header::{
    ACCEPT_RANGES, ALLOW, CONTENT_LENGTH, CONTENT_RANGE, CONTENT_TYPE, ETAG, HeaderName,
    HeaderValue, RETRY_AFTER,
};
use hyper::{Method, Request, Response, StatusCode};
use tokio::sync::mpsc::error::TrySendError;
use tokio::sync::{mpsc, oneshot};

use super::super::{Answer, Asked, Denied, Guard, Pieces, Refusal, Visit, Wanted};
use super::body::{Body, Image};
use super::line::Line;
use super::request;
use crate::model::serve::Over;
use crate::model::text::shown;

/// Seconds after which a device that asks for several parts at once is to ask again.
const AGAIN: &str = "2";

/// Answers the request of a connection.
#[derive(Clone)]
pub(super) struct Answerer {
    pub(super) by: SocketAddr,
    pub(super) guard: Guard,
    pub(super) line: Arc<Line>,
}

/// A file that is offered, and who has it.
struct File {
    tag: String,
    visits: mpsc::Sender<Visit>,
}

/// An answer without the image.
struct No {
    status: StatusCode,
    words: String,
    header: Option<(HeaderName, String)>,
}

impl No {
    fn new(status: StatusCode, words: impl Into<String>) -> Self {
        Self {
            status,
            words: words.into(),
            header: None,
        }
    }

    fn with(self, name: HeaderName, value: impl Into<String>) -> Self {
        Self {
            header: Some((name, value.into())),
            ..self
        }
    }

    fn beyond_end(size: u64) -> Self {
        No::new(
            StatusCode::RANGE_NOT_SATISFIABLE,
            Refusal::BeyondEnd { size }.to_string(),
        )
        .with(CONTENT_RANGE, format!("bytes */{size}"))
    }
}

impl From<Refusal> for No {
    fn from(refusal: Refusal) -> Self {
        let no = Self::new(StatusCode::SERVICE_UNAVAILABLE, refusal.to_string());
        match refusal {
            Refusal::Busy => no.with(RETRY_AFTER, AGAIN),
            Refusal::BeyondEnd { size } => Self::beyond_end(size),
            Refusal::NotNow(_) => no,
        }
    }
}

impl Answerer {
    pub(super) async fn answer(self, request: Request<Incoming>) -> Response<Body> {
        match self.image(&request).await {
            Ok(response) => response,
            Err(no) => {
                let asked = format!("{} {}", request.method(), request.uri().path());
                let (words, asked) = (shown(&no.words), shown(&asked));
                let why = format_args!("{asked}: {} {words}", no.status.as_u16());
                self.guard.refused(Over::Http, self.by, &why);
                let mut response = response(no.status, Body::Text(Some((words + "\n").into())));
                set(&mut response, CONTENT_TYPE, "text/plain; charset=utf-8");
                if let Some((name, value)) = no.header {
                    set(&mut response, name, &value);
                }
                response
            }
        }
    }

    async fn image(&self, request: &Request<Incoming>) -> Result<Response<Body>, No> {
        let is_head = *request.method() == Method::HEAD;
        if !is_head && *request.method() != Method::GET {
            let no = No::new(StatusCode::METHOD_NOT_ALLOWED, "the image is only read");
            return Err(no.with(ALLOW, "GET, HEAD"));
        }
        let file = self.find(request.uri().path())?;
        if request::is_of_another(request.headers(), &file.tag) {
            let words = "this is another image than the one that is asked for";
            return Err(No::new(StatusCode::PRECONDITION_FAILED, words));
        }
        if is_head {
            return self.announce(&file).await;
        }
        // Where the size is not known, a part can't be described (RFC 9110 section 14.4).
        if let Some(range) = request::part(request.headers(), &file.tag)
            && let Some(size) = self.ask(&file, Wanted::Size).await?.size
        {
            let (from, until) = range.within(size).ok_or_else(|| No::beyond_end(size))?;
            return self.part(&file, from, until, size).await;
        }
        self.whole(&file).await
    }

    fn find(&self, path: &str) -> Result<File, No> {
        let name = request::decoded(path);
        let address = self.by.ip();
        let found = self.guard.offers().find(address, &name);
        let visits = found.map_err(|denied| match denied {
            Denied::Stranger => No::new(
                StatusCode::FORBIDDEN,
                format!("nothing is offered to {address}"),
            ),
            Denied::NoSuchName => No::new(
                StatusCode::NOT_FOUND,
                format!("nothing of this name is offered to {address}"),
            ),
            Denied::Elsewhere(_) => No::new(
                StatusCode::FORBIDDEN,
                format!(
                    "this is offered to another address than {address}, from which it is asked for"
                ),
            ),
        })?;
        let token = name.trim_start_matches('/').split('/').next();
        let tag = format!("\"{}\"", token.unwrap_or_default());
        Ok(File { tag, visits })
    }

    async fn ask(&self, file: &File, wanted: Wanted) -> Result<Answer, No> {
        let (answer, answered) = oneshot::channel();
        let asked = Asked {
            over: Over::Http,
            by: self.by,
            wanted,
            answer,
        };
        file.visits
            .try_send(Visit::Asked(asked))
            .map_err(|error| match error {
                TrySendError::Full(_) => Refusal::Busy.into(),
                TrySendError::Closed(_) => withdrawn(),
            })?;
        Ok(answered.await.map_err(|_| withdrawn())??)
    }

    /// As [`Self::ask`], for bytes.
    async fn pieces(
        &self,
        file: &File,
        from: u64,
        until: Option<u64>,
    ) -> Result<(Option<u64>, Pieces), No> {
        let answer = self.ask(file, Wanted::Bytes { from, until }).await?;
        let pieces = answer.pieces.ok_or_else(withdrawn)?;
        Ok((answer.size, pieces))
    }

    async fn announce(&self, file: &File) -> Result<Response<Body>, No> {
        let size = self.ask(file, Wanted::Size).await?.size;
        let mut response = described(StatusCode::OK, Body::Text(None), file);
        if let Some(size) = size {
            set(&mut response, CONTENT_LENGTH, &size.to_string());
        }
        Ok(response)
    }

    async fn whole(&self, file: &File) -> Result<Response<Body>, No> {
        let (size, pieces) = self.pieces(file, 0, None).await?;
        let image = Image::new(pieces, size, Arc::clone(&self.line));
        Ok(described(StatusCode::OK, Body::Image(image), file))
    }

    async fn part(
        &self,
        file: &File,
        from: u64,
        until: u64,
        size: u64,
    ) -> Result<Response<Body>, No> {
        let limit = (until < size).then_some(until);
        let (now, pieces) = self.pieces(file, from, limit).await?;
        if now.is_some_and(|now| now != size) {
            let words = "the image's size changed while it was asked for";
            return Err(Refusal::NotNow(words.into()).into());
        }
        let image = Image::new(pieces, Some(until - from), Arc::clone(&self.line));
        let body = Body::Image(image);
        let mut response = described(StatusCode::PARTIAL_CONTENT, body, file);
        let range = format!("bytes {from}-{}/{size}", until - 1);
        set(&mut response, CONTENT_RANGE, &range);
        Ok(response)
    }
}

fn withdrawn() -> No {
    Refusal::NotNow("it is not offered any more".into()).into()
}

fn response(status: StatusCode, body: Body) -> Response<Body> {
    let mut response = Response::new(body);
    *response.status_mut() = status;
    response
}

/// With what is said of the file.
fn described(status: StatusCode, body: Body, file: &File) -> Response<Body> {
    let mut response = response(status, body);
    set(&mut response, CONTENT_TYPE, "application/octet-stream");
    set(&mut response, ACCEPT_RANGES, "bytes");
    set(&mut response, ETAG, &file.tag);
    response
}

/// A value that no header can have is left out.
fn set(response: &mut Response<Body>, name: HeaderName, value: &str) {
    if let Ok(value) = HeaderValue::from_str(value) {
        response.headers_mut().insert(name, value);
    }
}
