//! One request and its answer, over a connection of its own (RFC 9112), with hyper.
//!
//! The library's connection is carried on by the task that waits for something of it, and by none of its own: what
//! is read is not handed from one thread to another.

use std::future::poll_fn;
use std::pin::{Pin, pin};
use std::task::Poll;

use http::response::Parts;
use http::{HeaderMap, Method, StatusCode};
use hyper::body::{Body as _, Incoming};
use hyper::client::conn::http1::{self, SendRequest};
use hyper_util::rt::TokioIo;
use tokio::io::{AsyncRead, AsyncWrite};
use tokio_util::bytes::Bytes;
use url::Url;

use super::body::Body;
use super::wire::Wire;

/// Bytes that are read at a time. As much as a pool's buffer often has; more would only leave the processor's
/// cache before it is copied there. The head of an answer has to fit too.
const READ: usize = 256 * 1024;

/// What is asked for.
pub(super) struct Request {
    pub(super) method: Method,
    pub(super) url: Url,
    pub(super) headers: HeaderMap,
    pub(super) body: Body,
}

impl Request {
    /// With these headers, in place of others of the same names.
    pub(super) fn headers(mut self, headers: HeaderMap) -> Self {
        // Each name comes once.
        for (name, value) in &headers {
            self.headers.insert(name, value.clone());
        }
        self
    }

    fn for_library(self) -> Result<(http::Request<Body>, Url), http::Error> {
        // Without scheme and host: those are for proxies (RFC 9112 section 3.2.1).
        let target = &self.url[url::Position::BeforePath..url::Position::AfterQuery];
        let mut request = http::Request::builder()
            .method(self.method)
            .uri(target)
            .body(self.body)?;
        *request.headers_mut() = self.headers;
        Ok((request, self.url))
    }
}

/// A connection over which nothing was sent yet.
pub(super) struct Connection {
    sender: SendRequest<Body>,
    /// Absent: it is over.
    carried: Option<Carried>,
}

type Carried = Pin<Box<dyn Future<Output = ()> + Send>>;

impl Connection {
    pub(super) async fn over<S>(stream: S) -> Result<Self, hyper::Error>
    where
        S: AsyncRead + AsyncWrite + Unpin + Send + 'static,
    {
        let (sender, connection) = http1::Builder::new()
            .max_buf_size(READ)
            // As curl and browsers write them: some devices compare them letter by letter.
            .title_case_headers(true)
            .handshake(TokioIo::new(Wire::new(stream)))
            .await?;
        Ok(Self {
            sender,
            // What was wrong is reported to the task that waits for the answer, or for more of it.
            carried: Some(Box::pin(async move { drop(connection.await) })),
        })
    }

    /// Waits for something that the connection has to be carried on for.
    async fn until<T>(carried: &mut Option<Carried>, wanted: impl Future<Output = T>) -> T {
        let mut wanted = pin!(wanted);
        poll_fn(|context| {
            if let Some(connection) = carried
                && connection.as_mut().poll(context).is_ready()
            {
                *carried = None;
            }
            wanted.as_mut().poll(context)
        })
        .await
    }

    /// The head of the answer, which may come before the whole body was sent.
    pub(super) async fn ask(mut self, request: Request) -> Result<Response, Broken> {
        let (request, url) = request.for_library().map_err(Broken::Request)?;
        let answer = self.sender.send_request(request);
        let answer = Self::until(&mut self.carried, answer).await;
        let (head, body) = answer.map_err(Broken::Connection)?.into_parts();
        Ok(Response {
            head,
            body,
            url,
            connection: self,
        })
    }
}

/// Why there is no answer.
#[derive(Debug)]
pub(super) enum Broken {
    /// What is asked for can't be sent.
    Request(http::Error),
    Connection(hyper::Error),
}

/// The head of an answer, and what follows it.
pub(super) struct Response {
    head: Parts,
    body: Incoming,
    url: Url,
    connection: Connection,
}

impl Response {
    pub(super) fn status(&self) -> StatusCode {
        self.head.status
    }

    pub(super) fn headers(&self) -> &HeaderMap {
        &self.head.headers
    }

    /// What was asked for.
    pub(super) fn url(&self) -> &Url {
        &self.url
    }

    /// Waits for more of what follows; `None`: that was all, and the server has shown it.
    pub(super) async fn chunk(&mut self) -> Result<Option<Bytes>, hyper::Error> {
        let mut body = Pin::new(&mut self.body);
        let frame = poll_fn(|context| {
            loop {
                match body.as_mut().poll_frame(context) {
                    Poll::Ready(Some(Ok(frame))) => match frame.into_data() {
                        Ok(data) => return Poll::Ready(Ok(Some(data))),
                        // Trailers say nothing of the file.
                        Err(_) => continue,
                    },
                    Poll::Ready(Some(Err(error))) => return Poll::Ready(Err(error)),
                    Poll::Ready(None) => return Poll::Ready(Ok(None)),
                    Poll::Pending => return Poll::Pending,
                }
            }
        });
        Connection::until(&mut self.connection.carried, frame).await
    }
}
