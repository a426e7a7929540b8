//! Serving over FTP: libunftp speaks the protocol, on connections that are accepted here, over a storage that has one
//! file to read and nothing else.
//!
//! Any user and any password are taken: what counts is the file's name, which has a token in it, and the address that
//! asks. Data connections are passive, at the address of the control connection. The end of the image has been sent
//! when the host has taken its last byte, and libunftp then says 226: nothing shows what the device has made of it.
//! An image that breaks off ends as one that is whole does, but for the 426 that is said then: libunftp keeps the data
//! connection, so that it can't be reset.
//!
//! - here: control connections
//! - `storage` the file, as libunftp asks for it

mod storage;

use std::io;
use std::net::{IpAddr, Shutdown, SocketAddr};
use std::ops::RangeInclusive;
use std::sync::Arc;
use std::time::Duration;

use async_trait::async_trait;
use libunftp::ServerBuilder;
use libunftp::options::Binder;
use tokio::net::{TcpListener, TcpSocket, TcpStream};
use tokio::task::JoinSet;
use tokio::time::{sleep, timeout};
use tokio_util::sync::CancellationToken;
use tokio_util::task::TaskTracker;
use unftp_core::auth::{AuthenticationError, Authenticator, Credentials, Principal};

use super::{Admitted, Guard};

use storage::Storage;

/// A control connection on which nothing is said or transferred is closed.
const IDLE: Duration = Duration::from_secs(60);
/// For libunftp to see that a control connection has ended.
const GRACE: Duration = Duration::from_secs(1);
/// Before a connection is accepted again after none could be.
const AGAIN: Duration = Duration::from_millis(100);

/// A listener for control connections.
#[derive(Debug)]
pub struct Ftp {
    listener: TcpListener,
    address: SocketAddr,
}

impl Ftp {
    /// # Errors
    /// The address can't be had.
    pub async fn bind(at: SocketAddr) -> io::Result<Self> {
        let listener = TcpListener::bind(at).await?;
        let address = listener.local_addr()?;
        Ok(Self { listener, address })
    }

    pub fn address(&self) -> SocketAddr {
        self.address
    }

    /// Serves until cancelled; then nothing is sent any more. A data connection on which nothing was asked for is
    /// libunftp's, for some minutes at most.
    pub async fn serve(self, guard: Guard, cancel: CancellationToken) {
        let mut sessions = JoinSet::new();
        // Transfers are in tasks of libunftp's.
        let transfers = TaskTracker::new();
        loop {
            let accepted = tokio::select! {
                biased;
                () = cancel.cancelled() => break,
                Some(_) = sessions.join_next() => continue,
                accepted = self.listener.accept() => accepted,
            };
            let (control, device) = match accepted {
                Ok(accepted) => accepted,
                Err(error) => {
                    tracing::warn!(
                        "no connection over FTP is accepted at {}: {error}",
                        self.address
                    );
                    tokio::select! {
                        () = cancel.cancelled() => break,
                        () = sleep(AGAIN) => continue,
                    }
                }
            };
            let Some(admitted) = guard.admit(device.ip()) else {
                continue;
            };
            let storage = Storage {
                guard: guard.clone(),
                device,
                cancel: cancel.clone(),
                transfers: transfers.clone(),
            };
            sessions.spawn(session(control, storage, cancel.clone(), admitted));
        }
        while sessions.join_next().await.is_some() {}
        transfers.close();
        transfers.wait().await;
    }
}

/// One control connection, until either side closes it.
async fn session(
    control: TcpStream,
    storage: Storage,
    cancel: CancellationToken,
    _admitted: Admitted,
) {
    let device = storage.device;
    if let Err(error) = serve(control, storage, cancel).await {
        tracing::debug!("a session over FTP with {device} ended: {error}");
    }
}

async fn serve(control: TcpStream, storage: Storage, cancel: CancellationToken) -> io::Result<()> {
    // libunftp keeps the socket, in a task of its own that ends when the connection does.
    let control = control.into_std()?;
    let end = control.try_clone()?;
    let control = TcpStream::from_std(control)?;
    // libunftp gives a server's binder to its first session only; so each session has a server.
    let unftp = ServerBuilder::with_authenticator(Box::new(move || storage.clone()), Arc::new(Any))
        .greeting("subtend")
        .idle_session_timeout(IDLE.as_secs())
        // Its own logger would write to whatever logger the process has, and it writes a lot.
        .logger(slog::Logger::root(slog::Discard, slog::o!()))
        .binder(Passive)
        .build()
        .map_err(io::Error::other)?;
    let serving = unftp.service(control);
    tokio::pin!(serving);
    tokio::select! {
        biased;
        () = cancel.cancelled() => {
            end.shutdown(Shutdown::Both)?;
            // Its loop can be stuck in a message to itself.
            let ended = timeout(GRACE, serving).await.map_err(io::Error::other)?;
            ended.map_err(io::Error::other)
        }
        served = &mut serving => served.map_err(io::Error::other),
    }
}

/// Takes any user.
#[derive(Debug)]
struct Any;

#[async_trait]
impl Authenticator for Any {
    async fn authenticate(
        &self,
        username: &str,
        _: &Credentials,
    ) -> Result<Principal, AuthenticationError> {
        Ok(Principal {
            username: username.into(),
        })
    }
}

/// Opens the listeners of data connections: on the session's own address, on any free port.
#[derive(Debug)]
struct Passive;

#[async_trait]
impl Binder for Passive {
    async fn bind(&mut self, ip: IpAddr, _: RangeInclusive<u16>) -> io::Result<TcpSocket> {
        let socket = match ip {
            IpAddr::V4(_) => TcpSocket::new_v4()?,
            IpAddr::V6(_) => TcpSocket::new_v6()?,
        };
        socket.bind((ip, 0).into())?;
        Ok(socket)
    }
}
