//! Serving images over HTTP (RFC 9110, 9112): hyper speaks the protocol.
//!
//! - here: the listener
//! - `connection` one connection, and how it ends; `line` what both its ends know of it
//! - `request` what is asked for; `range` which bytes; `answer` who is asked, and what is answered
//! - `body` what is sent
//!
//! A connection is for one request. It has a linger of nothing until its answer is whole: however it ends before
//! that, if need be by the end of this program, it ends in a reset, so that a device to which no length was announced
//! does not take a part for the whole.

mod answer;
mod body;
mod connection;
mod line;
mod range;
mod request;

use std::io;
use std::net::SocketAddr;
use std::time::Duration;

use tokio::net::{TcpListener, TcpSocket};
use tokio::task::JoinSet;
use tokio_util::sync::CancellationToken;

use crate::model::serve::Over;

use super::Guard;

/// Before connections are accepted again where none could be.
const AGAIN: Duration = Duration::from_millis(500);

/// Connections that wait to be accepted. A device behind more of them would try again after a second.
const WAITING: u32 = 1024;

#[derive(Debug)]
pub(super) struct Http {
    listener: TcpListener,
    address: SocketAddr,
}

impl Http {
    pub(super) fn bind(at: SocketAddr) -> io::Result<Self> {
        let socket = match at {
            SocketAddr::V4(_) => TcpSocket::new_v4()?,
            SocketAddr::V6(_) => TcpSocket::new_v6()?,
        };
        // On Windows it would let another program have the address too.
        #[cfg(unix)]
        socket.set_reuseaddr(true)?;
        socket.bind(at)?;
        let listener = socket.listen(WAITING)?;
        let address = listener.local_addr()?;
        Ok(Self { listener, address })
    }

    pub(super) fn address(&self) -> SocketAddr {
        self.address
    }

    /// Serves until it is cancelled, which breaks off what is under way.
    pub(super) async fn serve(self, guard: Guard, cancel: CancellationToken) {
        let mut connections = JoinSet::new();
        loop {
            tokio::select! {
                biased;
                () = cancel.cancelled() => break,
                Some(_) = connections.join_next() => {}
                accepted = self.listener.accept() => match accepted {
                    Ok((socket, by)) => {
                        let by = SocketAddr::new(by.ip().to_canonical(), by.port());
                        match guard.admit(by.ip()) {
                            Some(admitted) => {
                                let (guard, cancel) = (guard.clone(), cancel.clone());
                                connections.spawn(async move {
                                    connection::serve(socket, by, guard, cancel).await;
                                    drop(admitted);
                                });
                            }
                            None => guard.refused(Over::Http, by, &"too many connections from there are open"),
                        }
                    }
                    Err(error) => {
                        // Out of files, most likely: others have to close theirs first.
                        tracing::warn!("no connection is accepted over HTTP at {}: {error}", self.address);
                        tokio::select! {
                            () = cancel.cancelled() => {}
                            () = tokio::time::sleep(AGAIN) => {}
                        }
                    }
                },
            }
        }
        drop(self.listener);
        while connections.join_next().await.is_some() {}
    }
}
