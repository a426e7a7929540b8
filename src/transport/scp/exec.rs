//! One command on a server, which speaks the protocol on its standard input and output.

use std::time::Duration;

use futures_util::FutureExt;
use russh::{ChannelMsg, ChannelReadHalf};
use secrecy::ExposeSecret;
use tokio::sync::mpsc;
use tokio::task::JoinHandle;
use tokio::time::{Instant, timeout_at};

use crate::model::text::shown;
use crate::model::{Fault, Side};
use crate::transport::Endpoint;
use crate::transport::ssh::Connection;

use super::control::{LONGEST_LINE, refused};

/// Blocks that wait for room on the way to the server.
const WAITING: usize = 4;
/// What is kept of the standard error of the command.
const MOST_SAID: usize = 1024;
/// How long the exit status of a command that has said that all is well is waited for.
const PARTING: Duration = Duration::from_millis(500);

/// What the task that sends is to do.
enum Order {
    Send(Vec<u8>),
    /// End the channel, so that the command has to end too.
    Close,
}

/// A command that runs. What it is sent goes by a task of its own, so that it can be heard meanwhile.
pub(super) struct Exec {
    incoming: ChannelReadHalf,
    /// None once its standard input was ended.
    outgoing: Option<mpsc::Sender<Order>>,
    sender: JoinHandle<()>,
    /// Bytes that were received and not taken.
    inbox: Vec<u8>,
    taken: usize,
    /// Its standard error.
    said: String,
    status: Option<u32>,
    has_ended: bool,
    /// Never shown, should the server repeat it.
    secret: String,
    /// Bytes of the file that were sent.
    sent: u64,
    /// When the server last took something.
    since: Instant,
    reply: Duration,
    progress: Duration,
}

impl Drop for Exec {
    fn drop(&mut self) {
        self.sender.abort();
    }
}

impl Exec {
    /// # Errors
    /// The server runs no commands, or not this one.
    pub(super) async fn start(
        connection: &Connection,
        endpoint: &Endpoint,
        command: &str,
    ) -> Result<Self, Fault> {
        let mut channel = connection
            .channel()
            .await
            .map_err(|failure| failure.fault)?;
        let reply = endpoint.timeouts.reply;
        let deadline = Instant::now() + reply;
        let asked = async {
            channel.exec(true, command).await.ok()?;
            loop {
                match channel.wait().await? {
                    ChannelMsg::Success => return Some(()),
                    ChannelMsg::WindowAdjusted { .. } | ChannelMsg::ExtendedData { .. } => {}
                    _ => return None,
                }
            }
        };
        match timeout_at(deadline, asked).await {
            Ok(Some(())) => {}
            Ok(None) => {
                let no_commands =
                    || refused("that it runs no commands, so that it has no SCP".into());
                return Err(connection.cause().unwrap_or_else(no_commands));
            }
            Err(_) => return Err(no_reply("the request for SCP", reply)),
        }
        let (incoming, write) = channel.split();
        let (outgoing, mut blocks) = mpsc::channel::<Order>(WAITING);
        let sender = tokio::spawn(async move {
            while let Some(order) = blocks.recv().await {
                let done = match order {
                    Order::Send(block) => write.data_bytes(block).await,
                    Order::Close => write.close().await,
                };
                if done.is_err() {
                    return;
                }
            }
            let _ = write.eof().await;
        });
        Ok(Self {
            incoming,
            outgoing: Some(outgoing),
            sender,
            inbox: Vec::new(),
            taken: 0,
            said: String::new(),
            status: None,
            has_ended: false,
            secret: endpoint.login.secret().expose_secret().to_owned(),
            sent: 0,
            since: Instant::now(),
            reply,
            progress: endpoint.timeouts.progress,
        })
    }

    /// Ends a command that is not to go on, so that another one can be begun.
    pub(super) async fn stop(mut self) {
        let closing = async {
            if let Some(outgoing) = self.outgoing.take() {
                let _ = outgoing.send(Order::Close).await;
            }
            let _ = (&mut self.sender).await;
        };
        let _ = tokio::time::timeout(PARTING, closing).await;
    }

    /// Whether something was received; `false`: the command has ended.
    async fn receive(&mut self) -> bool {
        while !self.has_ended {
            match self.incoming.wait().await {
                Some(ChannelMsg::Data { data }) if !data.is_empty() => {
                    if self.taken == self.inbox.len() {
                        self.inbox.clear();
                        self.taken = 0;
                    }
                    self.inbox.extend_from_slice(&data);
                    return true;
                }
                Some(ChannelMsg::ExtendedData { data, .. }) => {
                    let room = MOST_SAID.saturating_sub(self.said.len());
                    let piece = &data[..data.len().min(room)];
                    self.said.push_str(&String::from_utf8_lossy(piece));
                }
                Some(ChannelMsg::ExitStatus { exit_status }) => self.status = Some(exit_status),
                Some(ChannelMsg::Close) | None => self.has_ended = true,
                // Its exit status may follow the end of its output.
                Some(_) => {}
            }
        }
        false
    }

    fn held(&self) -> &[u8] {
        &self.inbox[self.taken..]
    }

    /// Why it ended before it was to.
    pub(super) fn ended(&self, connection: &Connection) -> Fault {
        let said = self.shown(&self.said);
        match (self.status, connection.cause()) {
            (Some(status), _) if status != 0 => match said.as_str() {
                "" => refused(format!("nothing, and its scp ended with status {status}")),
                said => refused(format!("{said} (its scp ended with status {status})")),
            },
            (_, Some(cause)) => cause,
            _ => Fault::Lost {
                side: Side::Ssh,
                reason: format!("its scp ended {said}").trim_end().to_owned(),
            },
        }
    }

    /// What the server said, fit to be shown. It may have repeated the user's secret.
    fn shown(&self, text: &str) -> String {
        let text = match self.secret.len() {
            0..=2 => text.to_owned(),
            _ => text.replace(&self.secret, "***"),
        };
        shown(text.trim())
    }

    /// The answer to what was sent: that all is well, or why not, as `fault` has it.
    pub(super) async fn answer(
        &mut self,
        connection: &Connection,
        what: &str,
        within: Duration,
        fault: impl Fn(String) -> Fault,
    ) -> Result<(), Fault> {
        match self.byte(connection, what, within).await? {
            0 => Ok(()),
            first => Err(self.refusal(connection, first, fault).await),
        }
    }

    /// The next byte.
    pub(super) async fn byte(
        &mut self,
        connection: &Connection,
        what: &str,
        within: Duration,
    ) -> Result<u8, Fault> {
        let deadline = Instant::now() + within;
        loop {
            if let Some(byte) = self.held().first().copied() {
                self.taken += 1;
                return Ok(byte);
            }
            match timeout_at(deadline, self.receive()).await {
                Ok(true) => {}
                Ok(false) => return Err(self.ended(connection)),
                Err(_) => return Err(no_reply(what, within)),
            }
        }
    }

    /// The rest of a line.
    ///
    /// # Errors
    /// It has no end.
    pub(super) async fn line(&mut self, connection: &Connection) -> Result<String, Fault> {
        let deadline = Instant::now() + self.reply;
        loop {
            if let Some(end) = self.held().iter().position(|byte| *byte == b'\n') {
                let line = String::from_utf8_lossy(&self.held()[..end]).into_owned();
                self.taken += end + 1;
                return Ok(line);
            }
            if self.held().len() > LONGEST_LINE {
                let reply = "a line that has no end".to_owned();
                return Err(Fault::Malformed { reply });
            }
            match timeout_at(deadline, self.receive()).await {
                Ok(true) => {}
                Ok(false) => return Err(self.ended(connection)),
                Err(_) => return Err(no_reply("the end of a line", self.reply)),
            }
        }
    }

    /// What an answer means that doesn't begin with 0.
    pub(super) async fn refusal(
        &mut self,
        connection: &Connection,
        first: u8,
        fault: impl Fn(String) -> Fault,
    ) -> Fault {
        let text = match self.line(connection).await {
            Ok(text) => text,
            // A text without an end is better than none.
            Err(_) if !self.held().is_empty() => String::from_utf8_lossy(self.held()).into_owned(),
            Err(ended) => return ended,
        };
        match first {
            1 | 2 => fault(self.shown(&text)),
            // What a shell says when it begins, or a device that asks something.
            first => Fault::Malformed {
                reply: self.shown(&format!("{}{text}", char::from(first))),
            },
        }
    }

    /// Takes some bytes of a file; 0: the command has ended.
    pub(super) async fn read(
        &mut self,
        buffer: &mut [u8],
        within: Duration,
    ) -> Result<usize, Fault> {
        if self.held().is_empty() {
            let received = tokio::time::timeout(within, self.receive()).await;
            if !received.map_err(|_| Fault::Stalled { after: within })? {
                return Ok(0);
            }
        }
        let count = buffer.len().min(self.held().len());
        buffer[..count].copy_from_slice(&self.held()[..count]);
        self.taken += count;
        Ok(count)
    }

    /// Waits until the server takes more, and hears it meanwhile. One that takes nothing fails by the
    /// progress deadline, which counts from what it last took.
    ///
    /// # Errors
    /// It has said something before it has the whole file, or has ended.
    pub(super) async fn ready(&mut self, connection: &Connection) -> Result<(), Fault> {
        let Some(outgoing) = self.outgoing.clone() else {
            return Err(self.ended(connection));
        };
        // What was said counts before what could be sent; it may have come together with what was waited for.
        if !self.held().is_empty() {
            return Err(self.interrupted(connection, true).await);
        }
        if let Some(received) = self.receive().now_or_never() {
            return Err(self.interrupted(connection, received).await);
        }
        let deadline = self.since + self.progress;
        let after = self.progress;
        let room = tokio::select! {
            biased;
            room = outgoing.reserve() => Some(room.is_ok()),
            received = self.receive() => return Err(self.interrupted(connection, received).await),
            () = tokio::time::sleep_until(deadline) => None,
        };
        match room {
            Some(true) => {
                self.since = Instant::now();
                Ok(())
            }
            // The task that sends ends when the connection does.
            Some(false) => {
                let ended = timeout_at(Instant::now() + self.reply, async {
                    while self.receive().await {}
                });
                let _ = ended.await;
                Err(self.ended(connection))
            }
            None => Err(Fault::Stalled { after }),
        }
    }

    async fn interrupted(&mut self, connection: &Connection, received: bool) -> Fault {
        if !received {
            return self.ended(connection);
        }
        match self.byte(connection, "its answer", self.reply).await {
            Ok(0) => Fault::EarlyConfirmation { sent: self.sent },
            Ok(first) => self.refusal(connection, first, refused).await,
            Err(fault) => fault,
        }
    }

    /// Sends a block of the file, for which there is room.
    pub(super) fn send_block(&mut self, block: &[u8]) -> bool {
        self.sent += block.len() as u64;
        self.send(block.to_vec())
    }

    /// Whether it ended of its own accord, and called that a success.
    pub(super) fn gave_up(&self) -> bool {
        self.status == Some(0)
    }

    /// Sends some bytes, for which there is room.
    pub(super) fn send(&self, block: Vec<u8>) -> bool {
        (self.outgoing.as_ref())
            .is_some_and(|outgoing| outgoing.try_send(Order::Send(block)).is_ok())
    }

    /// Ends its standard input, and waits for its exit status as far as it comes.
    ///
    /// # Errors
    /// It ended with another status than 0.
    pub(super) async fn finish(&mut self, connection: &Connection) -> Result<(), Fault> {
        self.outgoing = None;
        let deadline = Instant::now() + PARTING;
        let _ = timeout_at(deadline, async { while self.receive().await {} }).await;
        match self.status {
            None | Some(0) => Ok(()),
            Some(_) => Err(self.ended(connection)),
        }
    }
}

fn no_reply(what: &str, after: Duration) -> Fault {
    let command = what.to_owned();
    Fault::NoReply { command, after }
}
