//! From an address to a prompt.

use regex::Regex;
use tokio_util::sync::CancellationToken;

use crate::model::Failure;
use crate::transport::{Endpoint, Terminals};

use super::Session;

/// A session over SSH, of a user who is logged in by it. The address' scheme is one of SSH.
///
/// # Errors
/// The device can't be reached, has not the right key, lets nobody in, or shows no prompt within `reply`.
pub async fn open_ssh(
    terminals: &Terminals,
    endpoint: &Endpoint,
    prompt: &Regex,
    cancel: &CancellationToken,
) -> Result<Session, Failure> {
    let terminal = terminals.ssh(endpoint, cancel).await?;
    Session::open(
        terminal,
        &endpoint.login,
        false,
        prompt,
        endpoint.timeouts.reply,
        cancel,
    )
    .await
}

/// A session over telnet: name and password are sent in clear text when they are asked for.
///
/// # Errors
/// The device can't be reached, lets nobody in, or shows no prompt within `reply`.
pub async fn open_telnet(
    terminals: &Terminals,
    endpoint: &Endpoint,
    prompt: &Regex,
    cancel: &CancellationToken,
) -> Result<Session, Failure> {
    let terminal = terminals.telnet(endpoint, cancel).await?;
    Session::open(
        terminal,
        &endpoint.login,
        true,
        prompt,
        endpoint.timeouts.reply,
        cancel,
    )
    .await
}
