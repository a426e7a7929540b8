//! HTTP, against a server that answers to the byte what a test says.

use std::sync::Arc;

use subtend::model::{
    Failure, Fault, Http, Login, RemotePath, Scheme, Staging, Timeouts, Upload, VerifyMode,
};
use subtend::transport::{AnyTransport, Destination, Remote, Source, Transport};

use crate::common::*;
use crate::support::within;

mod entity;
mod secrets;
mod source;
mod turns;

use turns::Turns;

fn transport() -> AnyTransport {
    AnyTransport::of(String::new())
}

fn remote_of(server: &Turns, timeouts: Timeouts) -> Remote {
    let mut remote = remote_at(server.address, timeouts);
    remote.endpoint.address.scheme = Scheme::Http;
    remote
}

fn upload_to(server: &Turns, upload: Upload, size: Option<u64>) -> Destination {
    let mut remote = remote_of(server, patient());
    remote.endpoint.http = Http {
        upload: Some(upload),
        ..Http::default()
    };
    Destination {
        remote,
        verify: VerifyMode::Best,
        staging: Staging::Direct,
        delete_first: false,
        names: names(),
        size,
    }
}

fn with_login(mut remote: Remote, login: Login) -> Remote {
    remote.endpoint.login = Arc::new(login);
    remote
}

async fn open(
    transport: &AnyTransport,
    remote: &Remote,
    offset: u64,
) -> Result<Box<dyn Source>, Failure> {
    within(SOON, transport.open_source(remote, offset)).await
}

async fn read(remote: &Remote, offset: u64) -> Result<Vec<u8>, Failure> {
    let mut source = open(&transport(), remote, offset).await?;
    read_to_end(&mut *source).await
}

fn answered(fault: &Fault) -> (&str, bool) {
    match fault {
        Fault::Answer { said, may_pass } => (said, *may_pass),
        other => panic!("{other:?}"),
    }
}

fn other_path(mut remote: Remote, path: &str) -> Remote {
    remote.path = RemotePath::new(path).unwrap();
    remote
}
