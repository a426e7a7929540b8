//! From an address to a prompt.

use regex::Regex;
use tokio_util::sync::CancellationToken;

use crate::model::Failure;
use crate::model::procedure::Way;
use crate::transport::{Endpoint, Transport};

use super::Session;

/// A session with a command line. Over SSH the user is logged in by it, and the address' scheme is one of SSH; over
/// telnet name and password are sent in clear text when they are asked for.
///
/// # Errors
/// The device can't be reached, has not the right key, lets nobody in, or shows no prompt within `reply`.
pub async fn open(
    transport: &impl Transport,
    way: Way,
    endpoint: &Endpoint,
    prompt: &Regex,
    cancel: &CancellationToken,
) -> Result<Session, Failure> {
    let terminal = transport.terminal(way, endpoint, cancel).await?;
    let (asks, reply) = (way == Way::Telnet, endpoint.timeouts.reply);
    Session::open(terminal, &endpoint.login, asks, prompt, reply, cancel).await
}
