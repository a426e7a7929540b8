//! The shell of a user who is logged in, with a terminal of its own (RFC 4254 section 6.2 and 6.5).

use std::time::Duration;

use async_trait::async_trait;
use russh::client::Msg;
use russh::{ChannelMsg, ChannelReadHalf, ChannelWriteHalf};
use tokio::time::timeout;

use crate::model::text::shown;
use crate::model::{Failure, Fault, Step};
use crate::transport::terminal::Terminal;

use super::{Connection, lost};

/// Nothing on it is drawn, and a line has room for any command. Few devices show such a screen page by page.
const KIND: &str = "vt100";
const COLUMNS: u32 = 500;
const ROWS: u32 = 500;

/// A shell that runs.
pub(in crate::transport) struct Shell {
    connection: Connection,
    incoming: ChannelReadHalf,
    outgoing: ChannelWriteHalf<Msg>,
    reply: Duration,
}

impl Shell {
    /// # Errors
    /// The server gives this user no shell, or has no room for another session.
    pub(in crate::transport) async fn start(
        connection: Connection,
        reply: Duration,
    ) -> Result<Self, Failure> {
        let mut channel = connection.channel().await?;
        let asked = async {
            // Some servers give a shell without a terminal, and say no to the request for one.
            (channel
                .request_pty(true, KIND, COLUMNS, ROWS, 0, 0, &[])
                .await)
                .ok()?;
            let mut answers = 0;
            (channel.request_shell(true).await).ok()?;
            loop {
                match channel.wait().await? {
                    ChannelMsg::Success | ChannelMsg::Failure if answers == 0 => answers = 1,
                    ChannelMsg::Success => return Some(true),
                    ChannelMsg::Failure => return Some(false),
                    ChannelMsg::Close | ChannelMsg::Eof => return None,
                    _ => {}
                }
            }
        };
        let fault = match timeout(reply, asked).await {
            Ok(Some(true)) => {
                let (incoming, outgoing) = channel.split();
                return Ok(Self {
                    connection,
                    incoming,
                    outgoing,
                    reply,
                });
            }
            Ok(Some(false)) => Fault::Answer {
                said: "no to the request for a shell; this user may have none".into(),
                may_pass: false,
            },
            Ok(None) => ended(&connection),
            Err(_) => Fault::NoReply {
                command: "the request for a shell".into(),
                after: reply,
            },
        };
        Err(Failure::new(Step::Login, fault))
    }
}

fn ended(connection: &Connection) -> Fault {
    (connection.cause()).unwrap_or_else(|| lost("the server ended the shell"))
}

#[async_trait]
impl Terminal for Shell {
    async fn read(&mut self) -> Result<Vec<u8>, Failure> {
        loop {
            match self.incoming.wait().await {
                Some(ChannelMsg::Data { data } | ChannelMsg::ExtendedData { data, .. })
                    if !data.is_empty() =>
                {
                    return Ok(data.to_vec());
                }
                Some(ChannelMsg::Eof | ChannelMsg::Close) => return Ok(Vec::new()),
                Some(_) => {}
                None => match self.connection.cause() {
                    Some(cause) => return Err(Failure::new(Step::Command, cause)),
                    None => return Ok(Vec::new()),
                },
            }
        }
    }

    async fn write(&mut self, data: &[u8]) -> Result<(), Failure> {
        let fault = match timeout(self.reply, self.outgoing.data_bytes(data.to_vec())).await {
            Ok(Ok(())) => return Ok(()),
            Ok(Err(error)) => {
                (self.connection.cause()).unwrap_or_else(|| lost(&shown(&error.to_string())))
            }
            Err(_) => Fault::Stalled { after: self.reply },
        };
        Err(Failure::new(Step::Command, fault))
    }

    async fn close(self: Box<Self>) {
        let mut connection = self.connection;
        connection.end().await;
    }
}
