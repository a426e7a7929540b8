//! Orders of a device's own, inside the protocol of its files.

use std::time::Duration;

use async_trait::async_trait;

use crate::model::Failure;

/// A session for `SITE` commands.
#[async_trait]
pub trait Orders: Send {
    /// Sends what follows the word `SITE`, and gives the text of the reply: escaped, without the password.
    ///
    /// # Errors
    /// A refusal is [`Fault::Reply`](crate::model::Fault::Reply); a server that ends the session in place of its
    /// reply is [`Fault::Lost`](crate::model::Fault::Lost).
    async fn order(&mut self, line: &str, within: Duration) -> Result<String, Failure>;

    /// Waits until the server has closed or reset the session. Nothing is lost by giving up the wait.
    async fn gone(&mut self);

    /// Ends it in good order, without waiting long.
    async fn close(self: Box<Self>);
}
