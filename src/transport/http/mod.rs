//! HTTP (RFC 9110 and 9112) over hyper, kept behind [`Transport`].
//!
//! The library speaks HTTP/1.1 over one connection (`exchange`); TCP and TLS are ours, so that certificates are
//! believed as everywhere else. There is nothing else that may bring something else than the file, or carry the
//! file elsewhere: no proxies of the environment, decompression, cookies, or connections that are used again.
//! Redirects are followed here, to servers of the inventory alone (`redirect`). A body that is sent waits for its
//! server, and its answer is noticed while it is sent (`upload`), also where the connection ends behind it (`wire`).
//! What steps of procedures ask is no file (`ask`).

use std::collections::HashMap;
use std::sync::{Arc, Mutex, PoisonError};

use async_trait::async_trait;
use tokio_util::sync::CancellationToken;

use crate::model::{Address, Failure, Fault, Probe, RemotePath, Step};
use crate::transport::tls::Authorities;

use super::{
    Compared, Destination, Directory, Endpoint, Listed, Remote, Requests, Sink, Source, Transport,
};

mod answer;
mod ask;
mod body;
mod cause;
mod client;
mod exchange;
mod probe;
mod redirect;
mod sink;
mod source;
mod target;
mod upload;
mod wire;

pub(crate) use answer::plain;
use ask::HttpRequests;
use sink::HttpSink;
use source::HttpSource;

/// HTTP, with what it has learned about the files of this run.
#[derive(Debug, Clone, Default)]
pub(super) struct HttpTransport {
    authorities: Authorities,
    /// What the server said of each file (`ETag`, `Last-Modified`) when it was read from its beginning.
    validators: Arc<Mutex<HashMap<(Address, RemotePath), String>>>,
}

impl HttpTransport {
    fn remember(&self, remote: &Remote, validator: Option<&str>) {
        let file = (remote.endpoint.address.clone(), remote.path.clone());
        let mut known = self.validators.lock();
        let known = known.as_mut().unwrap_or_else(|poisoned| poisoned.get_mut());
        match validator {
            Some(validator) => known.insert(file, validator.to_owned()),
            None => known.remove(&file),
        };
    }

    fn validator(&self, remote: &Remote) -> Option<String> {
        let file = (remote.endpoint.address.clone(), remote.path.clone());
        let known = self.validators.lock();
        known
            .unwrap_or_else(PoisonError::into_inner)
            .get(&file)
            .cloned()
    }
}

#[async_trait]
impl Transport for HttpTransport {
    async fn open_source(&self, remote: &Remote, offset: u64) -> Result<Box<dyn Source>, Failure> {
        Ok(Box::new(HttpSource::open(self, remote, offset).await?))
    }

    async fn open_sink(&self, destination: &Destination) -> Result<Box<dyn Sink>, Failure> {
        Ok(Box::new(HttpSink::open(self, destination).await?))
    }

    async fn size_of(&self, remote: &Remote) -> Result<Option<u64>, Failure> {
        source::size_of(self, remote).await
    }

    async fn probe(
        &self,
        destination: &Destination,
        cancel: &CancellationToken,
    ) -> Result<Probe, Failure> {
        probe::probe(self, destination, cancel).await
    }

    async fn compare(&self, remote: &Remote, _: [u8; 32]) -> Result<Compared, Failure> {
        let size = source::size_of(self, remote).await?;
        Ok(Compared { size, same: None })
    }

    async fn list(&self, _: &Directory) -> Result<Vec<Listed>, Failure> {
        let reason = "a server of HTTP does not list its files in a form that every one shares; write the \
                      image's `file` by hand";
        Err(Failure::new(Step::Open, Fault::Local(reason.into())))
    }

    async fn requests(&self, endpoint: &Endpoint) -> Result<Box<dyn Requests>, Failure> {
        Ok(Box::new(HttpRequests::open(self, endpoint).await?))
    }
}
