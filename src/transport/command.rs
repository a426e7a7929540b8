//! One command of a user who is logged in, without a shell that it is typed into.

use async_trait::async_trait;

use crate::model::Failure;

/// How a command ended, as far as the device says.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Exit {
    /// 0: it went well.
    Status(u32),
    /// It was killed: the signal's name, escaped.
    Signal(String),
}

/// A connection on which one command can be carried out: many devices have room for one only.
#[async_trait]
pub trait RemoteCommand: Send {
    /// Starts it.
    ///
    /// # Errors
    /// The device takes no commands, or the connection is lost.
    async fn start(&mut self, line: &str) -> Result<(), Failure>;

    /// Waits for some bytes of what it prints; none: it has ended. Nothing is lost by giving up the wait. It has no
    /// deadline of its own.
    ///
    /// # Errors
    /// The connection is lost.
    async fn read(&mut self) -> Result<Vec<u8>, Failure>;

    /// How it ended; not all devices say so.
    fn exit(&self) -> Option<&Exit>;

    /// Waits until the device has ended the connection. Nothing is lost by giving up the wait, but what it printed
    /// meanwhile.
    async fn gone(&mut self);

    /// Ends it in good order, without waiting long.
    async fn close(self: Box<Self>);
}
