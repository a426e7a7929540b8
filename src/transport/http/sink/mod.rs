//! Questions to an entity that gets a file over HTTP. Each is a request of its own; what they come to, and which
//! may follow which, is decided in `placement`.
//!
//! Where the entity takes a form, its path is that of a program: what that answers with is no file, so nothing
//! is asked of it, and a delivery is as good as its confirmation.

use std::time::Duration;

use async_trait::async_trait;
use http::header::{LOCATION, RANGE};
use http::{HeaderMap, HeaderValue, Method, StatusCode};

use crate::model::staging::File;
use crate::model::{Failure, Fault, RemotePath, Step, Upload as Way};
use crate::transport::trial::BYTE;
use crate::transport::{
    Destination, How, ImageDigest, NotStored, Proof, Refusal, Reply, Seen, Sink,
};

use super::HttpTransport;
use super::answer::{self, Part, part};
use super::client::Client;
use super::exchange::Response;
use super::redirect::is_redirect;
use super::source::refuses_head;
use super::upload::Upload;

mod confirm;
mod prove;

/// Pauses before a file is asked for again that an upload which was given up may still bring. Requests over two
/// connections have no order: the server may come to one that was sent first after one that was sent later.
const LATE: [Duration; 3] = [
    Duration::from_millis(100),
    Duration::from_millis(200),
    Duration::from_millis(400),
];

pub(super) struct HttpSink {
    client: Client,
    destination: Destination,
    upload: Option<Upload>,
    /// A request with a file was sent, and not answered: it may be carried out at any time.
    is_unanswered: bool,
}

impl HttpSink {
    pub(super) async fn open(
        transport: &HttpTransport,
        destination: &Destination,
    ) -> Result<Self, Failure> {
        let client = Client::new(&transport.authorities, &destination.remote.endpoint).await;
        Ok(Self {
            client: client.map_err(|fault| Failure::new(Step::Connect, fault))?,
            destination: destination.clone(),
            upload: None,
            is_unanswered: false,
        })
    }

    fn has_files(&self) -> bool {
        self.client.endpoint.http.has_files()
    }

    /// What the entity answers to a command about a file, whatever it is.
    async fn command(
        &self,
        step: Step,
        method: Method,
        path: &RemotePath,
        headers: HeaderMap,
    ) -> Result<Response, Failure> {
        let url = self.client.url(path);
        let url = url.map_err(|fault| Failure::new(step, fault))?;
        let request = self.client.request(method, url).headers(headers);
        self.client.answer(step, request).await
    }

    /// What the entity answers about a file. It has to answer itself: a page that it leads to is not the file.
    async fn ask(
        &self,
        step: Step,
        method: Method,
        path: &RemotePath,
        headers: HeaderMap,
    ) -> Result<Response, Failure> {
        let response = self.command(step, method, path, headers).await?;
        match is_redirect(response.status()) || response.status() == StatusCode::UNAUTHORIZED {
            true => Err(self.refusal(step, response).await),
            false => Ok(response),
        }
    }

    async fn refusal(&self, step: Step, response: Response) -> Failure {
        answer::refusal(step, response, &self.client.redact).await
    }

    async fn head(&self, path: &RemotePath) -> Result<Response, Failure> {
        self.ask(Step::Prepare, Method::HEAD, path, HeaderMap::new())
            .await
    }

    /// Whether the entity answers, and lets this login in. `OPTIONS` has no effect, also where the path is
    /// that of a program; what it says of it does not matter.
    pub(super) async fn reach(&self, path: &RemotePath) -> Result<(), Failure> {
        if self.has_files() {
            return Ok(());
        }
        let none = HeaderMap::new();
        let response = self.ask(Step::Prepare, Method::OPTIONS, path, none).await?;
        match response.status() {
            StatusCode::NOT_FOUND | StatusCode::GONE => {
                Err(self.refusal(Step::Prepare, response).await)
            }
            _ => Ok(()),
        }
    }

    /// As a look, of an entity that does not answer `HEAD`.
    async fn seen_by_get(&self, path: &RemotePath) -> Result<Seen, Failure> {
        let mut headers = HeaderMap::new();
        headers.insert(RANGE, HeaderValue::from_static("bytes=0-0"));
        let response = self.ask(Step::Prepare, Method::GET, path, headers).await?;
        let headers = response.headers();
        Ok(match (response.status(), part(headers)) {
            (StatusCode::PARTIAL_CONTENT, Some(Part::Bytes(_, _, size))) => Seen::Present { size },
            (StatusCode::RANGE_NOT_SATISFIABLE, Some(Part::None(size))) => {
                Seen::Present { size: Some(size) }
            }
            (StatusCode::NOT_FOUND | StatusCode::GONE, _) => Seen::Absent,
            (status, _) if status.is_success() => Seen::Present {
                size: answer::length(headers),
            },
            (status, _) if status.is_server_error() && status != StatusCode::NOT_IMPLEMENTED => {
                return Err(self.refusal(Step::Prepare, response).await);
            }
            _ => Seen::Unknown,
        })
    }

    async fn replied(&self, step: Step, response: Response) -> Reply {
        let status = response.status();
        // 207 says of each file what became of it, and that something did not.
        if status.is_success() && status != StatusCode::MULTI_STATUS {
            return Reply::Done;
        }
        Reply::Refused(Refusal {
            kind: answer::kind_of(status),
            failure: self.refusal(step, response).await,
        })
    }

    async fn moved(
        &self,
        step: Step,
        from: &RemotePath,
        to: &RemotePath,
        overwrite: bool,
    ) -> Result<Response, Failure> {
        let failed = |fault| Failure::new(step, fault);
        let to = self.client.url(to).map_err(failed)?;
        let local = |_| failed(Fault::Local("the new name can't be sent".into()));
        let method =
            Method::from_bytes(b"MOVE").map_err(|error| failed(Fault::Local(error.to_string())))?;
        let mut headers = HeaderMap::new();
        let to = HeaderValue::from_str(to.as_str()).map_err(local)?;
        headers.insert("destination", to);
        let overwrite = if overwrite { "T" } else { "F" };
        headers.insert("overwrite", HeaderValue::from_static(overwrite));
        self.command(step, method, from, headers).await
    }

    pub(super) async fn put_byte(&mut self, path: &RemotePath) -> Result<(), Failure> {
        self.begin(path, Some(1))
            .await
            .map_err(|not_stored| not_stored.failure)?;
        self.write(BYTE).await?;
        self.finish().await
    }

    async fn begin(&mut self, path: &RemotePath, size: Option<u64>) -> Result<(), NotStored> {
        let not_begun = |fault| NotStored {
            failure: Failure::new(Step::Open, fault),
            may_have_begun: false,
        };
        let Some(way) = self.client.endpoint.http.upload.clone() else {
            let reason = "the inventory does not say how the entity takes a file (`upload`)";
            return Err(not_begun(Fault::Local(reason.into())));
        };
        let url = self.client.url(path).map_err(not_begun)?;
        self.upload = None;
        self.upload = Some(Upload::open(&self.client, &way, path, url, size).await?);
        self.is_unanswered = true;
        Ok(())
    }
}

#[async_trait]
impl Sink for HttpSink {
    fn has_names(&self) -> bool {
        self.has_files()
    }

    async fn look(&mut self, path: &RemotePath) -> Result<Seen, Failure> {
        if !self.has_files() {
            return Ok(Seen::Unknown);
        }
        let response = self.head(path).await?;
        Ok(match response.status() {
            StatusCode::NOT_FOUND | StatusCode::GONE => Seen::Absent,
            status if status.is_success() => match answer::length(response.headers()) {
                Some(size) => Seen::Present { size: Some(size) },
                None => self.seen_by_get(path).await?,
            },
            status if refuses_head(status) => self.seen_by_get(path).await?,
            status if status.is_server_error() => {
                return Err(self.refusal(Step::Prepare, response).await);
            }
            _ => Seen::Unknown,
        })
    }

    async fn modified(&mut self, path: &RemotePath) -> Result<Option<String>, Failure> {
        if !self.has_files() {
            return Ok(None);
        }
        let response = self.head(path).await?;
        let validator = answer::validator(response.headers());
        let is_there = response.status().is_success();
        Ok(validator.filter(|_| is_there).map(str::to_owned))
    }

    async fn delete(&mut self, path: &RemotePath) -> Result<Reply, Failure> {
        let mut pauses = LATE.into_iter();
        loop {
            let none = HeaderMap::new();
            let response = self
                .command(Step::Discard, Method::DELETE, path, none)
                .await?;
            let is_absent = matches!(response.status().as_u16(), 404 | 410);
            match pauses.next().filter(|_| is_absent && self.is_unanswered) {
                Some(pause) => tokio::time::sleep(pause).await,
                None => return Ok(self.replied(Step::Discard, response).await),
            }
        }
    }

    async fn rename(&mut self, from: &RemotePath, to: &RemotePath) -> Result<Reply, Failure> {
        let response = self.moved(Step::Rename, from, to, true).await?;
        Ok(self.replied(Step::Rename, response).await)
    }

    async fn put(&mut self, path: &RemotePath) -> Result<bool, Failure> {
        let stored = self.put_byte(path).await;
        self.abort();
        match stored {
            Ok(()) => Ok(true),
            Err(failure) => match &failure.fault {
                Fault::Answer {
                    may_pass: false, ..
                }
                | Fault::NoFile { .. } => Ok(false),
                _ => Err(failure),
            },
        }
    }

    async fn prove(
        &mut self,
        path: &RemotePath,
        image: &ImageDigest,
        how: How,
    ) -> Result<Proof, Failure> {
        self.compared(path, image, how).await
    }

    /// `MOVE` (RFC 4918 section 9.9) of a file that is not there, to a name that is not the final one.
    async fn can_rename(
        &mut self,
        free: &RemotePath,
        _: Option<&RemotePath>,
    ) -> Result<(), Failure> {
        let names = &self.destination.names;
        let other = match names.of(File::Staging) == free {
            true => File::Spare,
            false => File::Staging,
        };
        let other = names.of(other).clone();
        let response = self.moved(Step::Prepare, free, &other, false).await?;
        match response.status().as_u16() {
            405 | 501 => {
                let reply = answer::said(response, &self.client.redact).await;
                Err(Failure::new(Step::Prepare, Fault::NoRename { reply }))
            }
            401 => Err(self.refusal(Step::Prepare, response).await),
            _ if is_redirect(response.status()) => Err(self.refusal(Step::Prepare, response).await),
            _ => Ok(()),
        }
    }

    async fn store(&mut self, path: &RemotePath) -> Result<(), NotStored> {
        self.begin(path, self.destination.size).await
    }

    async fn write(&mut self, data: &[u8]) -> Result<usize, Failure> {
        let upload = self.upload.as_mut().ok_or_else(over)?;
        let written = upload.write(data).await;
        if written.is_err() {
            self.upload = None;
        }
        written
    }

    async fn ready(&mut self) -> Result<(), Failure> {
        let upload = self.upload.as_mut().ok_or_else(over)?;
        let ready = upload.ready().await;
        if ready.is_err() {
            self.upload = None;
        }
        ready
    }

    async fn finish(&mut self) -> Result<(), Failure> {
        let Some(upload) = self.upload.take() else {
            return Ok(());
        };
        let response = upload.finish().await?;
        self.is_unanswered = false;
        self.confirmed(response).await
    }

    fn abort(&mut self) {
        self.upload = None;
    }

    async fn close(self: Box<Self>) {}
}

fn over() -> Failure {
    let cause = "the file was already ended";
    Failure::new(Step::Send, Fault::Local(cause.into()))
}

/// Where an answer to a form leads: most programs show their result on a page of its own.
fn result_page(response: &Response, way: Option<&Way>) -> Option<String> {
    let is_form = matches!(way, Some(Way::Field(_)));
    let leads = matches!(response.status().as_u16(), 302 | 303);
    let location = answer::text_of(response.headers(), LOCATION)?;
    (is_form && leads).then(|| location.to_owned())
}
