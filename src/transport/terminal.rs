//! What a person would type into and read from a device, over whichever protocol.

use async_trait::async_trait;

use crate::model::Failure;

use super::Endpoint;
use super::command::RemoteCommand;
use super::ssh::{Command, Connection, Keys, Shell};
use super::telnet::Telnet;
use super::trial::unless_cancelled;

use tokio_util::sync::CancellationToken;

/// A stream of bytes to and from the command line of a device.
#[async_trait]
pub trait Terminal: Send {
    /// Waits for some bytes, which are what the device showed, without what the protocol needs for itself; none: it
    /// has ended. Nothing is lost by giving up the wait. It has no deadline of its own.
    ///
    /// # Errors
    /// The connection is lost.
    async fn read(&mut self) -> Result<Vec<u8>, Failure>;

    /// # Errors
    /// The connection is lost, or the device does not take it within its `reply` deadline.
    async fn write(&mut self, data: &[u8]) -> Result<(), Failure>;

    /// Ends it in good order, without waiting long.
    async fn close(self: Box<Self>);
}

/// The ways to command lines, with the private keys of this run.
#[derive(Debug, Clone, Default)]
pub(super) struct Terminals {
    keys: Keys,
}

impl Terminals {
    /// A shell with a terminal, of a user who is logged in (RFC 4254 section 6.2 and 6.5).
    ///
    /// # Errors
    /// The server can't be reached, has not the right key, or gives this user no shell.
    pub(super) async fn ssh(
        &self,
        endpoint: &Endpoint,
        cancel: &CancellationToken,
    ) -> Result<Box<dyn Terminal>, Failure> {
        unless_cancelled(cancel, async {
            let connection = Connection::open(&self.keys, endpoint).await?;
            let shell = Shell::start(connection, endpoint.timeouts.reply).await?;
            Ok(Box::new(shell) as Box<dyn Terminal>)
        })
        .await
    }

    /// A connection for one command, of a user who is logged in.
    ///
    /// # Errors
    /// The server can't be reached, has not the right key, or has no room for another.
    pub(super) async fn command(
        &self,
        endpoint: &Endpoint,
        cancel: &CancellationToken,
    ) -> Result<Box<dyn RemoteCommand>, Failure> {
        unless_cancelled(cancel, async {
            let connection = Connection::open(&self.keys, endpoint).await?;
            let command = Command::open(connection, endpoint.timeouts.reply).await?;
            Ok(Box::new(command) as Box<dyn RemoteCommand>)
        })
        .await
    }

    /// A connection of RFC 854; nobody is logged in.
    ///
    /// # Errors
    /// The server can't be reached.
    pub(super) async fn telnet(
        &self,
        endpoint: &Endpoint,
        cancel: &CancellationToken,
    ) -> Result<Box<dyn Terminal>, Failure> {
        unless_cancelled(cancel, async {
            let telnet = Telnet::connect(endpoint).await?;
            Ok(Box::new(telnet) as Box<dyn Terminal>)
        })
        .await
    }
}
