//! A server as requests are made to it: whom they go to, with which login, over which TLS.

use std::time::Duration;

use reqwest::header::{ACCEPT_ENCODING, HOST, HeaderMap, HeaderValue};
use reqwest::{Method, RequestBuilder, Response, Url, redirect};
use secrecy::ExposeSecret;
use tokio::time::timeout;

use crate::model::{Failure, Fault, RemotePath, Scheme, Step};
use crate::transport::redact::Redact;
use crate::transport::tls::{Authorities, TlsContext};
use crate::transport::{Endpoint, tcp};

use super::{cause, target};

/// One server, and how it is spoken to.
#[derive(Clone)]
pub(super) struct Client {
    pub(super) endpoint: Endpoint,
    library: reqwest::Client,
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
        let after = timeouts.connect;
        let resolved = timeout(after, tcp::resolve(address)).await;
        let targets = resolved.map_err(|_| Fault::ConnectTimeout {
            address: address.to_string(),
            after,
        })??;
        let first = targets.first().ok_or_else(|| tcp::no_address(address))?;
        let tls = match address.scheme {
            Scheme::Https => {
                let (tls, host) = (&endpoint.tls, &address.host);
                Some(TlsContext::new(authorities, tls, host, first.ip()).await?)
            }
            _ => None,
        };
        let mut builder = reqwest::Client::builder()
            .http1_only()
            // An image goes to its device and nowhere else, whatever the environment says of proxies.
            .no_proxy()
            .redirect(redirect::Policy::none())
            .retry(reqwest::retry::never())
            .referer(false)
            .connect_timeout(after)
            .pool_max_idle_per_host(0)
            .tcp_nodelay(true)
            .tcp_keepalive(tcp::KEEPALIVE)
            .resolve_to_addrs(&target::looked_up(address), &targets);
        // Without TLS too: what the library would make by itself looks for authorities of its own.
        let config = match &tls {
            Some(context) => context.config(),
            None => TlsContext::none()?,
        };
        builder = builder.tls_backend_preconfigured(config);
        let library = builder
            .build()
            .map_err(|error| Fault::Local(cause::reason(&error)))?;
        Ok(Self {
            endpoint: endpoint.clone(),
            library,
            tls,
            redact: Redact::of(&endpoint.login, None),
        })
    }

    pub(super) fn url(&self, path: &RemotePath) -> Result<Url, Fault> {
        let is_form = !self.endpoint.http.has_files();
        target::url(&self.endpoint.address, path, is_form)
    }

    pub(super) fn request(&self, method: Method, url: Url) -> RequestBuilder {
        let mut headers = HeaderMap::new();
        headers.insert(ACCEPT_ENCODING, HeaderValue::from_static("identity"));
        let host = target::zone(&self.endpoint.address);
        if let Some(host) = host.and_then(|host| HeaderValue::from_str(&host).ok()) {
            headers.insert(HOST, host);
        }
        let request = self.library.request(method, url).headers(headers);
        let login = &self.endpoint.login;
        match &login.token {
            Some(token) => request.bearer_auth(token.expose_secret()),
            None if login.is_anonymous() => request,
            None => request.basic_auth(&login.user, Some(login.password.expose_secret())),
        }
    }

    /// The head of an answer, whatever its status.
    pub(super) async fn answer(
        &self,
        step: Step,
        request: RequestBuilder,
    ) -> Result<Response, Failure> {
        let after = self.endpoint.timeouts.reply;
        match timeout(self.patience(), request.send()).await {
            Ok(Ok(response)) => Ok(response),
            Ok(Err(error)) => Err(Failure::new(step_of(&error, step), self.fault(&error))),
            Err(_) => {
                let command = "the request".into();
                Err(Failure::new(step, Fault::NoReply { command, after }))
            }
        }
    }

    /// How long a request may take up to the head of its answer: the library connects for as long as it
    /// may first.
    pub(super) fn patience(&self) -> Duration {
        let timeouts = &self.endpoint.timeouts;
        timeouts.connect.saturating_add(timeouts.reply)
    }

    pub(super) fn fault(&self, error: &reqwest::Error) -> Fault {
        let Endpoint {
            address, timeouts, ..
        } = &self.endpoint;
        cause::fault(error, address, timeouts, self.tls.as_ref())
    }
}

/// What fails before a request is sent fails in connecting.
pub(super) fn step_of(error: &reqwest::Error, step: Step) -> Step {
    match error.is_connect() {
        true => Step::Connect,
        false => step,
    }
}
