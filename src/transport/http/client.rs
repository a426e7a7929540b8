//! A server as requests are made to it: whom they go to, with which login, over which TLS.

use std::fmt;
use std::net::SocketAddr;
use std::sync::Arc;

use base64::Engine;
use base64::prelude::BASE64_STANDARD;
use http::header::{ACCEPT, ACCEPT_ENCODING, AUTHORIZATION, HOST};
use http::{HeaderMap, HeaderValue, Method};
use secrecy::ExposeSecret;
use secrecy::zeroize::Zeroizing;
use tokio::time::{Instant, timeout};
use url::Url;

use crate::model::{Failure, Fault, Login, RemotePath, Scheme, Side, Step};
use crate::transport::redact::Redact;
use crate::transport::tls::{Authorities, TlsContext};
use crate::transport::{Endpoint, tcp};

use super::body::Body;
use super::exchange::{Broken, Connection, Request, Response};
use super::{cause, target};

/// One server, and how it is spoken to.
#[derive(Clone)]
pub(super) struct Client {
    pub(super) endpoint: Endpoint,
    targets: Arc<[SocketAddr]>,
    tls: Option<TlsContext>,
    pub(super) redact: Redact,
}

impl Client {
    /// Looks the host up. Nothing is sent yet: each request has a connection of its own, since a device may
    /// have forgotten one that it was spoken to over before, and a request that is lost in it may have been
    /// carried out.
    pub(super) async fn new(authorities: &Authorities, endpoint: &Endpoint) -> Result<Self, Fault> {
        let Endpoint {
            address, timeouts, ..
        } = endpoint;
        let resolved = timeout(timeouts.connect, tcp::resolve(address)).await;
        let targets = resolved.map_err(|_| tcp::late(address, timeouts.connect))??;
        let first = targets.first().ok_or_else(|| tcp::no_address(address))?;
        let tls = match address.scheme {
            Scheme::Https => {
                let (tls, host) = (&endpoint.tls, &address.host);
                Some(TlsContext::new(authorities, tls, host, first.ip()).await?)
            }
            _ => None,
        };
        Ok(Self {
            endpoint: endpoint.clone(),
            targets: targets.into(),
            tls,
            redact: Redact::of(&endpoint.login, None),
        })
    }

    pub(super) fn url(&self, path: &RemotePath) -> Result<Url, Fault> {
        let is_form = !self.endpoint.http.has_files();
        target::url(&self.endpoint.address, path, is_form)
    }

    /// A request without a body.
    pub(super) fn request(&self, method: Method, url: Url) -> Request {
        let mut headers = HeaderMap::new();
        let host = target::zone(&self.endpoint.address).unwrap_or_else(|| target::host_of(&url));
        if let Ok(host) = HeaderValue::from_str(&host) {
            headers.insert(HOST, host);
        }
        headers.insert(ACCEPT, HeaderValue::from_static("*/*"));
        headers.insert(ACCEPT_ENCODING, HeaderValue::from_static("identity"));
        if let Some(login) = authorization(&self.endpoint.login) {
            headers.insert(AUTHORIZATION, login);
        }
        Request {
            method,
            url,
            headers,
            body: Body::default(),
        }
    }

    /// Connects, and shakes hands where there is TLS.
    pub(super) async fn connect(&self) -> Result<Connection, Fault> {
        let (address, timeouts) = (&self.endpoint.address, &self.endpoint.timeouts);
        let until = Instant::now() + timeouts.connect;
        let stream = tcp::connect_to(&self.targets, address, until, timeouts.connect).await?;
        let connection = match &self.tls {
            None => Connection::over(stream).await,
            Some(tls) => {
                let stream = tls.connect(stream, Side::Http, timeouts.reply).await?;
                Connection::over(stream).await
            }
        };
        connection.map_err(|error| self.fault(&error))
    }

    /// The head of an answer, whatever its status.
    pub(super) async fn answer(&self, step: Step, request: Request) -> Result<Response, Failure> {
        let at = |fault| Failure::new(step, fault);
        let connected = self.connect().await;
        let connection = connected.map_err(|fault| Failure::new(Step::Connect, fault))?;
        let after = self.endpoint.timeouts.reply;
        match timeout(after, connection.ask(request)).await {
            Ok(answer) => answer.map_err(|broken| at(self.no_answer(&broken))),
            Err(_) => {
                let command = "the request".into();
                Err(at(Fault::NoReply { command, after }))
            }
        }
    }

    pub(super) fn no_answer(&self, broken: &Broken) -> Fault {
        match broken {
            Broken::Request(error) => Fault::Local(format!("the request can't be sent: {error}")),
            Broken::Connection(error) => self.fault(error),
        }
    }

    pub(super) fn fault(&self, error: &hyper::Error) -> Fault {
        cause::fault(error, self.tls.as_ref())
    }
}

impl fmt::Debug for Client {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Client")
            .field("address", &self.endpoint.address)
            .finish_non_exhaustive()
    }
}

/// What shows who asks (RFC 6750, RFC 7617).
fn authorization(login: &Login) -> Option<HeaderValue> {
    let shown = match &login.token {
        Some(token) => Zeroizing::new(format!("Bearer {}", token.expose_secret())),
        None if login.is_anonymous() => return None,
        None => {
            let pair = format!("{}:{}", login.user, login.password.expose_secret());
            let pair = BASE64_STANDARD.encode(Zeroizing::new(pair).as_bytes());
            Zeroizing::new(format!("Basic {}", *Zeroizing::new(pair)))
        }
    };
    // Of a token that no header can hold the server is sent none, and asks for it.
    let mut value = HeaderValue::from_str(&shown).ok()?;
    value.set_sensitive(true);
    Some(value)
}
