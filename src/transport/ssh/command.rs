//! One command (RFC 4254 section 6.5), and its exit (section 6.10).

use std::time::Duration;

use async_trait::async_trait;
use russh::client::Msg;
use russh::{Channel, ChannelMsg};
use tokio::time::timeout;

use crate::model::text::shown;
use crate::model::{Failure, Fault, Step};
use crate::transport::command::{Exit, RemoteCommand};

use super::{Connection, lost};

/// A channel for a command.
pub(in crate::transport) struct Command {
    connection: Connection,
    channel: Channel<Msg>,
    reply: Duration,
    exit: Option<Exit>,
    has_ended: bool,
}

impl Command {
    /// # Errors
    /// The server has no room for another session.
    pub(in crate::transport) async fn open(
        connection: Connection,
        reply: Duration,
    ) -> Result<Self, Failure> {
        let channel = connection.channel().await?;
        Ok(Self {
            connection,
            channel,
            reply,
            exit: None,
            has_ended: false,
        })
    }

    fn cause(&self) -> Fault {
        (self.connection.cause()).unwrap_or_else(|| lost("the server ended the command"))
    }
}

#[async_trait]
impl RemoteCommand for Command {
    async fn start(&mut self, line: &str) -> Result<(), Failure> {
        let channel = &mut self.channel;
        let asked = async {
            (channel.exec(true, line).await).ok()?;
            loop {
                match channel.wait().await? {
                    ChannelMsg::Success => return Some(true),
                    ChannelMsg::Failure => return Some(false),
                    ChannelMsg::Close => return None,
                    _ => {}
                }
            }
        };
        let fault = match timeout(self.reply, asked).await {
            Ok(Some(true)) => return Ok(()),
            Ok(Some(false)) => Fault::Answer {
                said: "no to the request for a command: it may have a shell only; leave `exec` out of its session"
                    .into(),
                may_pass: false,
            },
            Ok(None) => self.cause(),
            Err(_) => Fault::NoReply {
                command: "the request for a command".into(),
                after: self.reply,
            },
        };
        Err(Failure::new(Step::Command, fault))
    }

    async fn read(&mut self) -> Result<Vec<u8>, Failure> {
        loop {
            match self.channel.wait().await {
                Some(ChannelMsg::Data { data } | ChannelMsg::ExtendedData { data, .. })
                    if !data.is_empty() =>
                {
                    return Ok(data.to_vec());
                }
                // What comes behind the end of the output says how it ended.
                Some(ChannelMsg::ExitStatus { exit_status }) => {
                    self.exit.get_or_insert(Exit::Status(exit_status));
                }
                Some(ChannelMsg::ExitSignal { signal_name, .. }) => {
                    let name = shown(&format!("{signal_name:?}"));
                    self.exit.get_or_insert(Exit::Signal(name));
                }
                Some(ChannelMsg::Close) => return Ok(Vec::new()),
                Some(_) => {}
                None if self.exit.is_some() => return Ok(Vec::new()),
                None => return Err(Failure::new(Step::Command, self.cause())),
            }
        }
    }

    fn exit(&self) -> Option<&Exit> {
        self.exit.as_ref()
    }

    async fn gone(&mut self) {
        if !self.has_ended {
            self.connection.ended().await;
            self.has_ended = true;
        }
    }

    async fn close(self: Box<Self>) {
        if !self.has_ended {
            let mut connection = self.connection;
            connection.end().await;
        }
    }
}
