//! One session of SFTP: requests, and answers in any order. Each answer names its request, so that a request
//! that nobody waits for any more leaves no session out of step.

use std::time::Duration;

use futures_util::FutureExt;
use russh::{ChannelMsg, ChannelReadHalf};
use secrecy::ExposeSecret;
use tokio::sync::mpsc;
use tokio::task::JoinHandle;
use tokio::time::{Instant, timeout, timeout_at};

use crate::model::{Failure, Fault, Side, Step, Timeouts, text::shown};
use crate::transport::Endpoint;
use crate::transport::ssh::{Connection, Keys};

use super::status::Status;
use super::wire::{self, Answer, Attributes, Inbox, Kind, Packet};

/// What every server takes in one request (section 3 of the draft: packets of 34,000 bytes).
const USUAL: usize = 32 << 10;
/// Servers with larger limits get no larger requests: they would hold much memory for one entity.
const LARGEST: usize = 128 << 10;
/// What is left of what a server writes to its standard error, where it says why it ended.
const MOST_SAID: usize = 1024;

/// What the server offers beyond the draft.
#[derive(Debug, Clone, Copy, Default)]
pub(super) struct Offers {
    pub(super) posix_rename: bool,
    pub(super) fsync: bool,
    pub(super) statvfs: bool,
}

/// The user's session on a server.
pub(super) struct Session {
    connection: Connection,
    incoming: ChannelReadHalf,
    outgoing: mpsc::UnboundedSender<Vec<u8>>,
    /// Hands what is outgoing to the connection.
    sender: JoinHandle<()>,
    inbox: Inbox,
    /// What the server wrote to its standard error.
    said: String,
    lost: Option<Fault>,
    last_id: u32,
    /// The question for what one request may hold. Nobody waits for its answer: the usual is always right.
    limits: Option<u32>,
    /// Never shown, should the server repeat it.
    secret: String,
    pub(super) offers: Offers,
    pub(super) longest_read: usize,
    pub(super) longest_write: usize,
    pub(super) timeouts: Timeouts,
}

impl Drop for Session {
    fn drop(&mut self) {
        self.sender.abort();
    }
}

impl Session {
    pub(super) async fn open(keys: &Keys, endpoint: &Endpoint) -> Result<Self, Failure> {
        let connection = Connection::open(keys, endpoint).await?;
        let mut channel = connection.channel().await?;
        let timeouts = endpoint.timeouts;
        let failed = |fault| Failure::new(Step::Login, fault);
        let asked = async {
            if channel.request_subsystem(true, "sftp").await.is_err() {
                return false;
            }
            loop {
                match channel.wait().await {
                    Some(ChannelMsg::Success) => return true,
                    Some(ChannelMsg::WindowAdjusted { .. } | ChannelMsg::ExtendedData { .. }) => {}
                    _ => return false,
                }
            }
        };
        match timeout(timeouts.reply, asked).await {
            Ok(true) => {}
            Ok(false) => {
                let refused = || Fault::Answer {
                    said: "that it has no SFTP; it may have SCP (`scp://`)".into(),
                    may_pass: false,
                };
                return Err(failed(connection.cause().unwrap_or_else(refused)));
            }
            Err(_) => return Err(failed(no_reply("the request for SFTP", timeouts.reply))),
        }
        let (incoming, write) = channel.split();
        let (outgoing, mut packets) = mpsc::unbounded_channel::<Vec<u8>>();
        let sender = tokio::spawn(async move {
            while let Some(packet) = packets.recv().await {
                if write.data_bytes(packet).await.is_err() {
                    break;
                }
            }
        });
        let mut session = Self {
            connection,
            incoming,
            outgoing,
            sender,
            inbox: Inbox::default(),
            said: String::new(),
            lost: None,
            last_id: 0,
            limits: None,
            secret: endpoint.login.secret().expose_secret().to_owned(),
            offers: Offers::default(),
            longest_read: USUAL,
            longest_write: USUAL,
            timeouts,
        };
        session.begin().await.map_err(failed)?;
        Ok(session)
    }

    /// Versions, and what is offered beyond them.
    async fn begin(&mut self) -> Result<(), Fault> {
        self.post(Packet::init());
        let deadline = Instant::now() + self.timeouts.reply;
        let version = match timeout_at(deadline, self.next()).await {
            Ok(next) => next?,
            Err(_) => return Err(no_reply("the first packet of SFTP", self.timeouts.reply)),
        };
        let (3.., Answer::Version(extensions)) = version else {
            return Err(Fault::Malformed {
                reply: "it does not speak version 3 of SFTP".into(),
            });
        };
        for (name, value) in extensions {
            match (name.as_str(), value.as_str()) {
                ("posix-rename@openssh.com", "1") => self.offers.posix_rename = true,
                ("fsync@openssh.com", "1") => self.offers.fsync = true,
                ("statvfs@openssh.com", "2") => self.offers.statvfs = true,
                ("limits@openssh.com", "1") => {
                    let id = self.id();
                    let request = Packet::new(Kind::Extended, id).string(b"limits@openssh.com");
                    self.post(request.end());
                    self.limits = Some(id);
                }
                _ => {}
            }
        }
        Ok(())
    }

    fn limited(&mut self, answer: &Answer) {
        if let Answer::Extended(said) = answer
            && let Some((read, write)) = wire::limits(said)
        {
            let most = |limit: u64| match usize::try_from(limit) {
                Ok(0) | Err(_) => USUAL,
                Ok(limit) => limit.min(LARGEST),
            };
            (self.longest_read, self.longest_write) = (most(read), most(write));
        }
    }

    /// Whether requests can still be answered.
    pub(super) fn is_alive(&self) -> bool {
        self.lost.is_none()
    }

    pub(super) fn id(&mut self) -> u32 {
        self.last_id = self.last_id.wrapping_add(1);
        self.last_id
    }

    /// Sends a request without waiting. That it can't be sent is seen where its answer is waited for.
    pub(super) fn post(&self, packet: Vec<u8>) {
        let _ = self.outgoing.send(packet);
    }

    /// The next answer, to whichever request. Dropped while it waits, it has taken none.
    ///
    /// # Errors
    /// The session is over, and why.
    pub(super) async fn next(&mut self) -> Result<(u32, Answer), Fault> {
        loop {
            if let Some(lost) = &self.lost {
                return Err(lost.clone());
            }
            if let Some(packet) = self.inbox.next() {
                let (id, answer) = wire::answer(packet).map_err(|_| self.nonsense())?;
                if self.limits.take_if(|limits| *limits == id).is_none() {
                    return Ok((id, answer));
                }
                self.limited(&answer);
                continue;
            }
            match self.incoming.wait().await {
                Some(ChannelMsg::Data { data }) => {
                    if self.inbox.feed(&data).is_err() {
                        return Err(self.nonsense());
                    }
                }
                Some(ChannelMsg::ExtendedData { data, .. }) => {
                    let room = MOST_SAID.saturating_sub(self.said.len());
                    let piece = &data[..data.len().min(room)];
                    self.said.push_str(&String::from_utf8_lossy(piece));
                }
                Some(ChannelMsg::ExitStatus { exit_status }) if exit_status != 0 => {
                    let said = self.shown(&self.said);
                    self.ended(format!(
                        "its SFTP server ended with status {exit_status} {said}"
                    ));
                }
                Some(ChannelMsg::ExitSignal { signal_name, .. }) => {
                    self.ended(format!("its SFTP server was ended by {signal_name:?}"));
                }
                Some(ChannelMsg::Eof | ChannelMsg::Close) | None => {
                    let said = self.shown(&self.said);
                    self.ended(format!("the server ended the session {said}"));
                }
                Some(_) => {}
            }
        }
    }

    /// An answer that is there already.
    pub(super) fn next_now(&mut self) -> Option<Result<(u32, Answer), Fault>> {
        self.next().now_or_never()
    }

    fn nonsense(&mut self) -> Fault {
        let reply = "a packet that is none of SFTP".to_owned();
        self.lost.insert(Fault::Malformed { reply }).clone()
    }

    fn ended(&mut self, reason: String) {
        let cause = self.connection.cause();
        let lost = cause.unwrap_or_else(|| Fault::Lost {
            side: Side::Ssh,
            reason: reason.trim_end().to_owned(),
        });
        self.lost.get_or_insert(lost);
    }

    /// What the server said, fit to be shown. It may have repeated the user's secret.
    fn shown(&self, text: &str) -> String {
        let text = match self.secret.len() {
            0..=2 => text.to_owned(),
            _ => text.replace(&self.secret, "***"),
        };
        shown(&text)
    }

    pub(super) fn status(&self, code: u32, text: &str) -> Status {
        let text = self.shown(text);
        Status { code, text }
    }

    /// Asks questions that do not hang on each other, all at once, and waits for all answers, `within` after the
    /// one before it for each. Those of requests that were given up are passed over.
    pub(super) async fn ask_all<const N: usize>(
        &mut self,
        step: Step,
        what: &str,
        within: Duration,
        packets: impl FnOnce([u32; N]) -> [Packet; N],
    ) -> Result<[Result<Answer, Status>; N], Failure> {
        let ids = [(); N].map(|()| self.id());
        for packet in packets(ids) {
            self.post(packet.end());
        }
        let failed = |fault| Failure::new(step, fault);
        let mut answers = [const { None }; N];
        let mut deadline = Instant::now() + within;
        while answers.iter().any(Option::is_none) {
            let next = timeout_at(deadline, self.next()).await;
            let next = next.map_err(|_| failed(no_reply(what, within)))?;
            let (of, answer) = next.map_err(failed)?;
            if let Some(place) = ids.iter().position(|id| *id == of) {
                answers[place] = Some(match answer {
                    Answer::Status { code, text } if code != wire::OK => {
                        Err(self.status(code, &text))
                    }
                    answer => Ok(answer),
                });
                deadline = Instant::now() + within;
            }
        }
        let answers: Vec<_> = answers.into_iter().flatten().collect();
        answers.try_into().map_err(|_| self.odd(step))
    }

    /// Asks, and waits for the answer; `Err` of the inner result is a status that is no success.
    pub(super) async fn ask(
        &mut self,
        step: Step,
        what: &str,
        packet: impl FnOnce(u32) -> Packet,
    ) -> Result<Result<Answer, Status>, Failure> {
        let within = self.timeouts.reply;
        self.ask_within(step, what, within, packet).await
    }

    pub(super) async fn ask_within(
        &mut self,
        step: Step,
        what: &str,
        within: Duration,
        packet: impl FnOnce(u32) -> Packet,
    ) -> Result<Result<Answer, Status>, Failure> {
        let asked = self.ask_all(step, what, within, |[id]| [packet(id)]);
        let [answer] = asked.await?;
        Ok(answer)
    }

    /// What is known of a file; with `Lstat`, of a link itself.
    pub(super) async fn stat(
        &mut self,
        step: Step,
        kind: Kind,
        path: &str,
    ) -> Result<Result<Attributes, Status>, Failure> {
        let [answer] = self.stats(step, path, [kind]).await?;
        Ok(answer)
    }

    /// As [`Self::stat`], of several kinds at once.
    pub(super) async fn stats<const N: usize>(
        &mut self,
        step: Step,
        path: &str,
        kinds: [Kind; N],
    ) -> Result<[Result<Attributes, Status>; N], Failure> {
        let within = self.timeouts.reply;
        let asked = self.ask_all(step, "stat", within, |ids| {
            let mut ids = ids.into_iter();
            kinds.map(|kind| {
                let id = ids.next().unwrap_or_default();
                Packet::new(kind, id).string(path.as_bytes())
            })
        });
        let answers = asked.await?;
        if (answers.iter())
            .any(|answer| matches!(answer, Ok(answer) if !matches!(answer, Answer::Attributes(_))))
        {
            return Err(self.odd(step));
        }
        Ok(answers.map(|answer| match answer? {
            Answer::Attributes(attributes) => Ok(attributes),
            _ => Ok(Attributes::default()),
        }))
    }

    /// Opens a file, or a directory.
    pub(super) async fn open_handle(
        &mut self,
        step: Step,
        packet: impl FnOnce(u32) -> Packet,
    ) -> Result<Result<Vec<u8>, Status>, Failure> {
        match self.ask(step, "open", packet).await? {
            Ok(Answer::Handle(handle)) => Ok(Ok(handle)),
            Ok(_) => Err(self.odd(step)),
            Err(status) => Ok(Err(status)),
        }
    }

    /// Closes a handle without waiting.
    pub(super) fn let_go(&mut self, handle: &[u8]) {
        let id = self.id();
        self.post(Packet::new(Kind::Close, id).string(handle).end());
    }

    /// An answer to something else than what was asked. What follows can't be relied on.
    pub(super) fn odd(&mut self, step: Step) -> Failure {
        Failure::new(step, self.nonsense())
    }

    /// Ends it in good order, without waiting long.
    pub(super) async fn close(self) {
        // Dropped as a whole it would be cut.
        let mut session = self;
        session.sender.abort();
        let _ = (&mut session.sender).await;
        session.connection.end().await;
    }
}

pub(super) fn no_reply(what: &str, after: Duration) -> Fault {
    let command = what.to_owned();
    Fault::NoReply { command, after }
}
