//! Where in a transfer something happened: the step, and the connection.

use std::fmt;

use serde::{Deserialize, Serialize};

/// One step of a transfer, in the order in which they happen; the `step` of JSON lines.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum Step {
    /// Looking for a peer that has the image.
    Select,
    /// The TCP connection, and the server's greeting.
    Connect,
    Login,
    /// What a procedure sends to the command line of a device, or has a program do, and the answer to it.
    Command,
    /// Waiting for a device to go and to come back.
    Restart,
    /// `TYPE I`, asking what the server can do, the size of the file.
    Prepare,
    /// Opening the data connection and the file.
    Open,
    /// Reading blocks of the image from its source.
    Read,
    /// Writing blocks to the entity.
    Send,
    /// Waiting for the entity to say that it has stored the file.
    Confirm,
    Verify,
    /// Renaming the staging file to its final name.
    Rename,
    /// Removing the staging file.
    Discard,
}

impl fmt::Display for Step {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.pad(match self {
            Step::Select => "select",
            Step::Connect => "connect",
            Step::Login => "login",
            Step::Command => "command",
            Step::Restart => "restart",
            Step::Prepare => "prepare",
            Step::Open => "open",
            Step::Read => "read",
            Step::Send => "send",
            Step::Confirm => "confirm",
            Step::Verify => "verify",
            Step::Rename => "rename",
            Step::Discard => "discard",
        })
    }
}

/// Which connection a fault was seen on.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Side {
    Control,
    Data,
    /// The one connection of SSH.
    Ssh,
    /// The one connection of HTTP.
    Http,
    Telnet,
    /// The one with the command line of a device, over whichever protocol.
    Session,
    /// The packets of TFTP, which has no connection.
    Tftp,
}

impl fmt::Display for Side {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Side::Control => "control connection",
            Side::Data => "data connection",
            Side::Ssh => "SSH connection",
            Side::Http => "HTTP connection",
            Side::Telnet => "telnet connection",
            Side::Session => "session",
            Side::Tftp => "transfer over TFTP",
        })
    }
}
