//! `SITE` commands (RFC 959 section 4.1.3): what a device does beside its files.

use std::time::Duration;

use async_trait::async_trait;

use crate::model::text::escaped;
use crate::model::{Failure, Fault, Step};
use crate::transport::{Endpoint, Orders};

use super::quirks::ServerQuirks;
use super::session::Session;

/// A session that no file is moved in.
pub(super) struct FtpOrders {
    session: Session,
}

impl FtpOrders {
    pub(super) async fn open(quirks: &ServerQuirks, endpoint: &Endpoint) -> Result<Self, Failure> {
        let session = Session::open_at(quirks, endpoint, "").await?;
        Ok(Self { session })
    }
}

#[async_trait]
impl Orders for FtpOrders {
    async fn order(&mut self, line: &str, within: Duration) -> Result<String, Failure> {
        let failed = |fault| Err(Failure::new(Step::Command, fault));
        // It would be several commands.
        if line.chars().any(char::is_control) {
            let reason = "a SITE command with control characters is not sent".to_owned();
            return failed(Fault::Local(reason));
        }
        let command = format!("SITE {line}");
        let reply = self.session.command_within(Step::Command, &command, within);
        let reply = reply.await?;
        // 202 is `not implemented here`, which is no success of an order.
        if !reply.is_done() || reply.is_unknown_command() {
            return failed(reply.fault());
        }
        let text = self.session.control.redact.hide(&reply.raw);
        let lines: Vec<String> = text.lines().map(escaped).collect();
        Ok(lines.join("\n"))
    }

    async fn gone(&mut self) {
        loop {
            match self.session.reply(Step::Command).await {
                // What it says when it takes its leave.
                Ok(_) => {}
                Err(failure) if matches!(failure.fault, Fault::Lost { .. }) => return,
                // Whether it is there can't be read from it any more.
                Err(_) => return std::future::pending().await,
            }
        }
    }

    async fn close(self: Box<Self>) {
        self.session.close().await;
    }
}
