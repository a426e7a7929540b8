//! One transfer, as an agent does it, and what tests compare it with.

use std::net::SocketAddr;
use std::sync::Arc;
use std::time::Duration;

use sha2::{Digest, Sha256};
use socket2::{Domain, SockAddr, Socket, Type};
use subtend::model::staging::{AUTO, File, Names};
use subtend::model::{
    Address, Failure, Fault, Login, RemotePath, Scheme, Staging, Step, Timeouts, Verified,
    VerifyMode,
};
use subtend::placement::Delivery;
use subtend::transport::ftp::FtpTransport;
use subtend::transport::{
    AnyTransport, Destination, Endpoint, ImageDigest, Remote, Source, Transport,
};

pub use crate::support::scripted::Behaviour;
use crate::support::scripted::{Script, ScriptedServer};
use crate::support::{LONG, within};

pub const PATH: &str = "/flash/image.bin";
/// What is written to, until it is whole.
pub fn staging() -> String {
    names().of(File::Staging).to_string()
}

/// A second name to write to.
pub fn spare() -> String {
    names().of(File::Spare).to_string()
}

/// The old image's, while the new one takes its place.
pub fn aside() -> String {
    names().of(File::Aside).to_string()
}

pub fn names() -> Names {
    Names::new(&RemotePath::new(PATH).unwrap(), AUTO, "").unwrap()
}

/// The deadline that a test is about.
pub const SHORT: Duration = Duration::from_millis(300);
/// Time that a test's work may take: less than [`patient`] deadlines, more than anything takes.
pub const SOON: Duration = Duration::from_secs(10);
/// What an entity has before.
pub const OLD: &[u8] = b"the old image";

/// Deadlines that no test waits for.
pub fn patient() -> Timeouts {
    let long = SOON * 3;
    Timeouts {
        connect: long,
        reply: long,
        progress: long,
        confirm: long,
        min_rate: 0,
    }
}

/// As [`patient`], with a short deadline for replies.
pub fn impatient() -> Timeouts {
    Timeouts {
        reply: SHORT,
        ..patient()
    }
}

pub fn remote_at(address: SocketAddr, timeouts: Timeouts) -> Remote {
    Remote {
        endpoint: Endpoint {
            address: Address {
                scheme: Scheme::Ftp,
                host: address.ip().to_string(),
                port: address.port(),
            },
            login: Arc::new(Login::anonymous()),
            timeouts,
            tls: subtend::model::Tls::default(),
            ssh: subtend::model::Ssh::default(),
            dialect: subtend::model::Dialect::default(),
            http: subtend::model::Http::default(),
        },
        path: RemotePath::new(PATH).unwrap(),
    }
}

pub fn remote(server: &ScriptedServer) -> Remote {
    remote_at(server.address(), patient())
}

pub fn destination(server: &ScriptedServer) -> Destination {
    destination_with(server, patient())
}

pub fn destination_with(server: &ScriptedServer, timeouts: Timeouts) -> Destination {
    Destination {
        remote: remote_at(server.address(), timeouts),
        // A test that is about the proof of a copy says so.
        verify: VerifyMode::Quick,
        staging: Staging::Rename,
        delete_first: false,
        names: names(),
        size: None,
    }
}

/// Another file than [`PATH`], which has names of its own.
pub fn at_path(destination: Destination, path: &str) -> Destination {
    let path = RemotePath::new(path).unwrap();
    Destination {
        names: Names::new(&path, AUTO, "").unwrap(),
        remote: Remote {
            path,
            ..destination.remote
        },
        ..destination
    }
}

/// There is room for one session only.
pub fn one_session() -> Behaviour {
    Behaviour {
        max_sessions: Some(1),
        ..Behaviour::default()
    }
}

/// A server that holds the old image.
pub async fn device(script: Script) -> ScriptedServer {
    let server = ScriptedServer::start(script).await;
    server.put(PATH, OLD);
    server
}

/// A server that has an image to be read.
pub async fn library(script: Script, image: &[u8]) -> ScriptedServer {
    let server = ScriptedServer::start(script).await;
    server.put(PATH, image);
    server
}

/// Bytes with everything in them that a transfer in the wrong type mangles, and no two parts alike.
pub fn image(length: usize) -> Vec<u8> {
    let mut bytes = Vec::with_capacity(length + 16);
    let mut number = 0_u32;
    while bytes.len() < length {
        bytes.extend_from_slice(b"\r\n\n\r\0\xff\r\r\n\xff\xff\xf4");
        bytes.extend_from_slice(&number.to_be_bytes());
        number += 1;
    }
    bytes.truncate(length);
    bytes
}

pub fn digest(bytes: &[u8]) -> ImageDigest {
    ImageDigest {
        size: bytes.len() as u64,
        sha256: Sha256::digest(bytes).into(),
    }
}

pub async fn open_sink(
    transport: &dyn Transport,
    destination: &Destination,
) -> Result<Delivery, Failure> {
    let opened = within(SOON, Delivery::open(transport, destination, None)).await;
    opened
        .map(|(delivery, _)| delivery)
        .map_err(|not_opened| not_opened.failure)
}

pub async fn open_source(remote: &Remote, offset: u64) -> Result<Box<dyn Source>, Failure> {
    within(SOON, FtpTransport::new().open_source(remote, offset)).await
}

pub async fn write_all(sink: &mut Delivery, bytes: &[u8]) -> Result<(), Failure> {
    within(SOON, async {
        let mut rest = bytes;
        while !rest.is_empty() {
            let count = sink.write(&rest[..rest.len().min(64 * 1024)]).await?;
            rest = &rest[count..];
        }
        Ok(())
    })
    .await
}

/// Everything up to and including the verification.
async fn fill(sink: &mut Delivery, bytes: &[u8]) -> Result<Verified, Failure> {
    write_all(sink, bytes).await?;
    within(SOON, sink.finish()).await?;
    within(SOON, sink.verify(&digest(bytes))).await
}

/// Delivers an image, or gives it up and says why.
pub async fn send_with(
    transport: &dyn Transport,
    destination: &Destination,
    bytes: &[u8],
) -> Result<Verified, Failure> {
    let mut sink = open_sink(transport, destination).await?;
    let done = match fill(&mut sink, bytes).await {
        Ok(_) => within(SOON, sink.commit(&digest(bytes))).await,
        Err(failure) => Err(failure),
    };
    match done {
        Ok(verified) => {
            within(SOON, sink.close()).await;
            Ok(verified)
        }
        Err(failure) => {
            // What can't be removed is seen in the server's files.
            let _ = within(SOON, sink.discard(false)).await;
            within(SOON, sink.close()).await;
            Err(failure)
        }
    }
}

pub async fn send(destination: &Destination, bytes: &[u8]) -> Result<Verified, Failure> {
    send_with(&FtpTransport::new(), destination, bytes).await
}

/// As an agent does it, over the protocol of the address: how it was proven, or why not, and whether the device had
/// confirmed the file.
pub async fn try_to_deliver(
    destination: &Destination,
    bytes: &[u8],
) -> Result<Verified, (Failure, bool)> {
    let transport = AnyTransport::default();
    let opened = within(LONG, Delivery::open(&transport, destination, None)).await;
    let (mut sink, _) = opened.map_err(|not_opened| (not_opened.failure, false))?;
    let sent = async {
        let mut rest = bytes;
        while !rest.is_empty() {
            let count = sink.write(&rest[..rest.len().min(256 << 10)]).await?;
            rest = &rest[count..];
        }
        sink.finish().await?;
        sink.verify(&digest(bytes)).await?;
        sink.commit(&digest(bytes)).await
    };
    let sent = within(LONG, sent).await;
    let confirmed = sink.is_confirmed();
    if sent.is_err() {
        let _ = within(LONG, sink.discard(false)).await;
    }
    within(LONG, sink.close()).await;
    sent.map_err(|failure| (failure, confirmed))
}

pub async fn deliver(destination: &Destination, bytes: &[u8]) -> Result<Verified, Failure> {
    let delivered = try_to_deliver(destination, bytes).await;
    delivered.map_err(|(failure, _)| failure)
}

/// Reads to the end that the source reports.
pub async fn read_to_end(source: &mut dyn Source) -> Result<Vec<u8>, Failure> {
    within(SOON, async {
        let mut bytes = Vec::new();
        let mut buffer = vec![0; 16 * 1024];
        loop {
            match source.read(&mut buffer).await? {
                0 => return Ok(bytes),
                count => bytes.extend_from_slice(&buffer[..count]),
            }
        }
    })
    .await
}

/// The size that was reported, and what came.
pub async fn receive(remote: &Remote, offset: u64) -> Result<(Option<u64>, Vec<u8>), Failure> {
    let mut source = open_source(remote, offset).await?;
    let bytes = read_to_end(&mut *source).await?;
    let size = source.size();
    within(SOON, source.close()).await;
    Ok((size, bytes))
}

/// The entity holds the image under its final name, and nothing else.
pub fn assert_delivered(server: &ScriptedServer, bytes: &[u8]) {
    assert_eq!(server.files(), [PATH]);
    assert!(
        server.file(PATH).unwrap() == bytes,
        "the entity holds other bytes"
    );
}

/// The entity holds its old image, and nothing else.
pub fn assert_untouched(server: &ScriptedServer) {
    assert_delivered(server, OLD);
}

pub fn failed<T>(step: Step, fault: Fault) -> Result<T, Failure> {
    Err(Failure::new(step, fault))
}

pub fn said(step: Step, code: u16, text: &str) -> Failure {
    let text = text.into();
    Failure::new(step, Fault::Reply { code, text })
}

pub fn no_reply(step: Step, command: &str) -> Failure {
    let command = command.into();
    let after = SHORT;
    Failure::new(step, Fault::NoReply { command, after })
}

/// A port that takes no more connections: its queue is full, so the next one waits for ever.
pub struct FullPort {
    listener: Socket,
    _waiting: Vec<tokio::net::TcpStream>,
}

impl FullPort {
    pub async fn new() -> Self {
        let listener = Socket::new(Domain::IPV4, Type::STREAM, None).unwrap();
        let any = SocketAddr::from(([127, 0, 0, 1], 0));
        listener.bind(&SockAddr::from(any)).unwrap();
        listener.listen(0).unwrap();
        let address = listener.local_addr().unwrap().as_socket().unwrap();
        let mut waiting = Vec::new();
        // How many fit differs between systems.
        for _ in 0..100 {
            let one = tokio::net::TcpStream::connect(address);
            match tokio::time::timeout(Duration::from_millis(200), one).await {
                Ok(Ok(stream)) => waiting.push(stream),
                _ => {
                    return Self {
                        listener,
                        _waiting: waiting,
                    };
                }
            }
        }
        panic!("the queue of {address} is never full");
    }

    pub fn address(&self) -> SocketAddr {
        self.listener.local_addr().unwrap().as_socket().unwrap()
    }
}
