//! What a scripted server does differently from a good one.

use std::collections::HashMap;
use std::fmt;
use std::sync::Arc;
use std::time::Duration;

use crate::support::tls::ServerTls;

/// A delay that never ends.
pub const FOREVER: Duration = Duration::MAX;

/// Looks at a command line first, and may answer it instead of the server.
type Handler = Arc<dyn Fn(&str, &mut ConnState) -> Action + Send + Sync>;

/// All options. The default is a good server.
#[derive(Clone, Default)]
pub struct Script {
    pub greeting: Greeting,
    /// Fixed replies by verb (upper case); the command itself is not carried out.
    pub replies: HashMap<String, Reply>,
    /// Waits before commands are carried out and answered, by verb; [`FOREVER`] never does.
    pub delays: HashMap<String, Duration>,
    /// Asked before `replies`.
    pub handler: Option<Handler>,
    pub passive: Passive,
    /// `PORT` and `EPRT` are known.
    pub active: bool,
    /// Whether TLS is spoken, and how. What is said in clear text is answered all the same.
    pub tls: Option<ServerTls>,
    pub store: Store,
    pub retrieve: Retrieve,
    /// A second control connection at the same time is answered with 421 and closed.
    pub one_session: bool,
    /// Control connections, by their index, that are answered with 421 and closed.
    pub turned_away: Vec<usize>,
    /// What they are answered with in place of 421; nothing at all where this is empty.
    pub turns_away_with: Option<&'static str>,
    /// `RNTO` onto an existing file is answered with 553.
    pub no_overwrite: bool,
    /// `STOR` onto an existing file is answered with 553.
    pub no_replace: bool,
    /// `STOR` onto an existing file stores another one, with `.1` behind its name.
    pub stores_elsewhere: bool,
    pub names: Names,
    pub rename: Rename,
    /// In what is uploaded a bit of this byte is another one as soon as it is stored.
    pub flips: Option<usize>,
    /// Commands with which the control connection is lost.
    pub lost: Vec<Lost>,
    /// Verbs that are carried out, and then the control connection is closed without a reply.
    pub unsaid: Vec<&'static str>,
    /// Digest commands that are offered and answered: `HASH` (SHA-256), `XSHA256`, `XSHA1`, `XMD5`,
    /// `XCRC`.
    pub digests: Vec<&'static str>,
    /// What `MLSD`, `LIST` and `NLST` send, by verb; a verb that is not here is answered with 502.
    pub listings: HashMap<&'static str, Vec<u8>>,
    /// `MLSD` lists what is stored, by its last names.
    pub lists: bool,
}

/// What a server makes of the names that it is given. It says nothing of it.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub enum Names {
    #[default]
    AsGiven,
    /// Eight characters and, behind the first dot, three; the case is folded.
    EightThree,
    /// So many characters.
    First(usize),
    /// Without the case.
    Folded,
    /// In an encoding of its own, until the session has said `OPTS UTF8 ON`.
    Encoded,
}

/// What goes wrong with `RNTO`.
#[derive(Debug, Clone, Copy, Default)]
pub struct Rename {
    /// Said, and nothing is renamed: a refusal, or a lie.
    pub instead: Option<&'static str>,
    /// Only where the new name is taken.
    pub onto_taken: bool,
    /// Only where this is the new name.
    pub onto: Option<&'static str>,
    /// So many times, and never again; absent: always.
    pub times: Option<usize>,
    /// The file gets this name instead of the one that was asked for.
    pub elsewhere: Option<&'static str>,
}

/// The connection is lost with a command.
#[derive(Debug, Clone, Copy)]
pub struct Lost {
    pub verb: &'static str,
    /// Which of that verb, over all connections: 0 for the first.
    pub nth: usize,
    /// Before or after it was carried out.
    pub done: bool,
}

/// What is sent when a control connection opens.
#[derive(Debug, Clone)]
pub enum Greeting {
    Bytes(Vec<u8>),
    /// Some bytes, and others after a while.
    Later {
        first: Vec<u8>,
        after: Duration,
        then: Vec<u8>,
    },
    /// One byte at a time.
    Drip {
        bytes: Vec<u8>,
        every: Duration,
    },
    /// Lines of a reply that never ends.
    Endless,
    /// Nothing, for ever.
    Never,
}

impl Default for Greeting {
    fn default() -> Self {
        Self::Bytes(b"220 scripted\r\n".to_vec())
    }
}

/// An answer to one command.
#[derive(Debug, Clone)]
pub enum Reply {
    /// Raw bytes: line ends, codes and all are the script's.
    Bytes(Vec<u8>),
    /// Raw bytes, one at a time.
    Drip { bytes: Vec<u8>, every: Duration },
    /// None at all; the server reads on.
    Never,
    /// The control connection is closed.
    Close,
    /// The control connection is reset.
    Reset,
}

impl Reply {
    /// One line, with its end.
    pub fn line(line: &str) -> Self {
        Self::Bytes(format!("{line}\r\n").into_bytes())
    }

    pub fn raw(bytes: impl Into<Vec<u8>>) -> Self {
        Self::Bytes(bytes.into())
    }
}

/// What a handler makes of a command.
#[derive(Debug, Clone)]
pub enum Action {
    /// What the server would do anyway.
    Default,
    /// This, and the command is not carried out.
    Reply(Reply),
}

/// What a handler may look at and change.
#[derive(Debug)]
pub struct ConnState {
    /// Index of the connection: 0 for the first.
    pub connection: usize,
    /// The lines received on it, this one included.
    pub commands: Vec<String>,
    /// Whether `TYPE I` is in force.
    pub binary: bool,
    /// From `REST`.
    pub offset: u64,
    /// From `RNFR`.
    pub rename_from: Option<String>,
    /// From `PROT P`.
    pub private: bool,
    /// From `OPTS UTF8 ON`.
    pub utf8: bool,
}

/// How the data connection is announced.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub enum Passive {
    #[default]
    Good,
    /// `PASV` names this host, with the right port. `EPSV` names no host.
    OtherHost([u8; 4]),
    /// `227 Entering Passive Mode 127,0,0,1,4,1`, as some devices write it.
    NoParentheses,
    /// The port that is announced is closed.
    DeadPort,
    /// `PASV` names this host, which alone listens. `EPSV` names no host.
    OnlyAt([u8; 4]),
}

/// What becomes of the data connection when a transfer is interfered with.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub enum Data {
    /// Left open, neither read nor written any more.
    #[default]
    LeaveOpen,
    /// As if nothing had happened.
    GoOn,
    Close,
    Reset,
}

/// What goes wrong with uploads.
#[derive(Debug, Clone)]
pub struct Store {
    /// Interfere when so many bytes have been taken; absent: never.
    pub at: Option<u64>,
    /// From there on nothing is read until [`super::ScriptedServer::go_on`]; what interferes does
    /// so after that.
    pub waits: bool,
    /// What is said on the control connection then: `552 full`, `426 broken`, an early `226 done`.
    pub reply: Option<&'static str>,
    /// The reply comes so long after the data connection was closed or reset, not before.
    pub reply_after: Option<Duration>,
    /// Whether the control connection is closed then, after the reply.
    pub close_control: bool,
    pub data: Data,
    /// So many uploads are interfered with, the ones after them are not; absent: all.
    pub times: Option<usize>,
    /// The reply before the data; absent: none comes.
    pub preliminary: Option<&'static str>,
    /// The file is created, and then this is said instead: `425 no data connection`.
    pub refuse: Option<&'static str>,
    /// From the end of the data to the final reply; [`FOREVER`]: it never comes.
    pub confirm_after: Duration,
    pub confirm: &'static str,
    /// Said every 50 ms for ever, in place of the final reply.
    pub keeps_saying: Option<&'static str>,
}

impl Default for Store {
    fn default() -> Self {
        Self {
            at: None,
            waits: false,
            reply: None,
            reply_after: None,
            close_control: false,
            data: Data::default(),
            times: None,
            preliminary: Some("150 go on"),
            refuse: None,
            confirm_after: Duration::ZERO,
            confirm: "226 stored",
            keeps_saying: None,
        }
    }
}

/// What goes wrong with downloads.
#[derive(Debug, Clone, Default)]
pub struct Retrieve {
    /// Stop sending at this offset of the file; absent: at its end.
    pub at: Option<u64>,
    /// The final reply when it stops early: `226 done` lies, `426 broken` does not. Absent: none.
    pub reply: Option<&'static str>,
    /// What becomes of the data connection when it stops early. (`GoOn` is `Close` here.)
    pub data: Data,
    /// So many downloads stop early; absent: all.
    pub times: Option<usize>,
    /// The reply before the data; absent: one without the size.
    pub preliminary: Option<&'static str>,
    /// Said every 50 ms for ever, in place of the final reply.
    pub keeps_saying: Option<&'static str>,
    /// The control connection is closed in place of the final reply.
    pub close_control: bool,
    /// So many zero bytes are sent after the end of the file.
    pub extra: usize,
    /// No reply comes before the final one.
    pub no_preliminary: bool,
    /// The final reply waits until the client has closed its side of the data connection too.
    pub waits_for_close: bool,
}

impl Script {
    /// Answers a verb with this.
    pub fn on(mut self, verb: &str, reply: Reply) -> Self {
        self.replies.insert(verb.into(), reply);
        self
    }

    /// Sends this text when a directory is asked for with that verb.
    pub fn listing(mut self, verb: &'static str, text: impl Into<Vec<u8>>) -> Self {
        self.listings.insert(verb, text.into());
        self
    }

    /// Waits before a verb is carried out.
    pub fn delay(mut self, verb: &str, time: Duration) -> Self {
        self.delays.insert(verb.into(), time);
        self
    }

    /// Asks a closure about each command first.
    pub fn handle(
        mut self,
        handler: impl Fn(&str, &mut ConnState) -> Action + Send + Sync + 'static,
    ) -> Self {
        self.handler = Some(Arc::new(handler));
        self
    }
}

impl Names {
    /// The name under which a path is kept.
    pub(super) fn kept(self, path: &str, utf8: bool) -> String {
        let (directory, name) = path.rsplit_once('/').unwrap_or(("", path));
        let first = |text: &str, most: usize| text.chars().take(most).collect::<String>();
        let kept = match self {
            Self::AsGiven => name.to_owned(),
            Self::EightThree => {
                let (stem, extension) = name.split_once('.').unwrap_or((name, ""));
                format!("{}.{}", first(stem, 8), first(extension, 3)).to_lowercase()
            }
            Self::First(most) => first(name, most),
            Self::Folded => name.to_lowercase(),
            Self::Encoded if utf8 => name.to_owned(),
            Self::Encoded => (name.bytes().map(char::from)).collect(),
        };
        format!("{directory}/{kept}")
    }
}

impl fmt::Debug for Script {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Script")
            .field("greeting", &self.greeting)
            .field("replies", &self.replies)
            .field("store", &self.store)
            .field("retrieve", &self.retrieve)
            .finish_non_exhaustive()
    }
}

/// The verb of a command line, in upper case.
pub(super) fn verb_of(line: &str) -> String {
    line.split(' ').next().unwrap_or_default().to_uppercase()
}
