//! What a scripted server does differently from a good one.

use std::collections::HashMap;
use std::fmt;
use std::sync::Arc;
use std::time::Duration;

use subtend::lab::{Behaviour, CommandLine, NameCut};

use crate::tls::ServerTls;

/// A delay that never ends.
pub const FOREVER: Duration = Duration::MAX;

/// Looks at a command line first, and may answer it instead of the server.
type Handler = Arc<dyn Fn(&str, &mut ConnState) -> Action + Send + Sync>;

/// All options. The default is a good server.
#[derive(Clone, Default)]
pub struct Script {
    /// What it does in the words of the lab. It is an entity: offsets are about uploads.
    pub behaviour: Behaviour,
    pub greeting: Greeting,
    /// Raw replies by verb (upper case), before those of the behaviour; the command itself is not
    /// carried out.
    pub replies: HashMap<String, Reply>,
    /// Asked before `replies`.
    pub handler: Option<Handler>,
    pub passive: Passive,
    /// `PORT` and `EPRT` are known.
    pub active: bool,
    /// Whether TLS is spoken, and how. What is said in clear text is answered all the same.
    pub tls: Option<ServerTls>,
    pub store: Store,
    pub retrieve: Retrieve,
    /// What is stored and begins like this takes no memory of its own.
    pub image: Arc<Vec<u8>>,
    /// Asked of the kernel, which takes it twice, for the data that waits to be read.
    pub receive_buffer: Option<usize>,
    /// Digest commands that are offered and answered: `HASH` (SHA-256), `XSHA256`, `XSHA1`, `XMD5`,
    /// `XCRC`.
    pub digests: Vec<&'static str>,
    /// What `MLSD`, `LIST` and `NLST` send, by verb; a verb that is not here is answered with 502.
    pub listings: HashMap<&'static str, Vec<u8>>,
    /// `MLSD` lists what is stored, by its last names.
    pub lists: bool,
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
    /// Interfere when this number of bytes has been taken; absent: never.
    pub at: Option<u64>,
    /// From there on nothing is read until [`super::ScriptedServer::go_on`]; what interferes does
    /// so after that.
    pub waits: bool,
    /// What is said on the control connection then: `552 full`, `426 broken`, an early `226 done`.
    pub reply: Option<&'static str>,
    /// The reply comes this time after the data connection was closed or reset, not before.
    pub reply_after: Option<Duration>,
    /// Whether the control connection is closed then, after the reply.
    pub close_control: bool,
    pub data: Data,
    /// The number of uploads that are interfered with, the ones after them are not; absent: all.
    pub times: Option<usize>,
    /// The reply before the data; absent: none comes.
    pub preliminary: Option<&'static str>,
    /// The file is created, and then this is said instead: `425 no data connection`.
    pub refuse: Option<&'static str>,
    /// The final reply, raw.
    pub confirm: &'static str,
    /// Said every 50 ms for ever, in place of the final reply.
    pub keeps_saying: Option<&'static str>,
    /// The final reply comes byte by byte, and never to its end.
    pub drips: bool,
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
            confirm: "226 stored",
            keeps_saying: None,
            drips: false,
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
    /// The number of downloads that stop early; absent: all.
    pub times: Option<usize>,
    /// The reply before the data; absent: one without the size.
    pub preliminary: Option<&'static str>,
    /// Said every 50 ms for ever, in place of the final reply.
    pub keeps_saying: Option<&'static str>,
    /// The control connection is closed in place of the final reply.
    pub close_control: bool,
    /// The number of zero bytes that are sent after the end of the file.
    pub extra: usize,
    /// The file is sent again and again.
    pub endless: bool,
    /// No reply comes before the final one.
    pub no_preliminary: bool,
    /// The final reply waits until the client has closed its side of the data connection too.
    pub waits_for_close: bool,
}

impl Script {
    /// A server that does this.
    pub fn behaving(behaviour: Behaviour) -> Self {
        Self {
            behaviour,
            ..Self::default()
        }
    }

    /// Fails where a test asks for what this server does not do. Whoever adds a word to the lab is
    /// asked here by the compiler whether it is one of this server too.
    pub(super) fn assert_is_done(&self) {
        let Behaviour {
            // In `control.rs`.
            latency: _,
            busy_times: _,
            busy_after: _,
            max_sessions: _,
            busy_reply: _,
            refuse_login: _,
            no_rest: _,
            no_rename: _,
            no_overwrite: _,
            no_rename_to: _,
            rename_reply: _,
            no_delete: _,
            no_size: _,
            size_block: _,
            size_after: _,
            cut_names: _,
            fold_case: _,
            encode_names: _,
            no_paths: _,
            store_needs: _,
            rnfr_any: _,
            refuse_rename: _,
            busy_renames: _,
            false_rename: _,
            rename_elsewhere: _,
            hang_up_on: _,
            hang_up_after: _,
            hang_up_times: _,
            hang_up_skip: _,
            pasv_host: _,
            replies: _,
            delays: _,
            // In `transfer.rs`.
            disk_full_at: _,
            drop_at: _,
            drop_times: _,
            confirm_after: _,
            silent_at: _,
            truncate_at: _,
            corrupt_at: _,
            corrupt_read_at: _,
            confirm_at: _,
            no_confirm: _,
            confirm_reply: _,
            no_replace: _,
            read_only: _,
            no_read: _,
            store_elsewhere: _,
            gone_after_store: _,
            hang_up_at: _,
            // How fast it is and how it comes and goes is the lab's alone.
            rate,
            read_rate,
            pause,
            random_pauses,
            drop_somewhere,
            down_for,
            dies_at,
            reboot_after_store,
            // It speaks FTP.
            other_host_key,
            cli,
        } = &self.behaviour;
        assert!(
            !random_pauses
                && !drop_somewhere
                && !other_host_key
                && *cli == CommandLine::default()
                && pause.is_none()
                && rate.or(*read_rate).or(*dies_at).is_none()
                && down_for.or(*reboot_after_store).is_none(),
            "not done by a scripted server: {:?}",
            self.behaviour
        );
    }

    /// What goes wrong with uploads, also by the behaviour.
    pub(super) fn store(&self) -> Store {
        let behaviour = &self.behaviour;
        let store = self.store.clone();
        let times = |times: Option<u32>| times.map(|times| usize::try_from(times).unwrap());
        match (behaviour.drop_at, behaviour.silent_at, behaviour.confirm_at) {
            (Some(at), _, _) => Store {
                at: Some(at),
                reply: Some("426 it broke"),
                reply_after: Some(Duration::ZERO),
                data: Data::Reset,
                times: times(behaviour.drop_times),
                ..store
            },
            (_, Some(at), _) => Store {
                at: Some(at),
                data: Data::LeaveOpen,
                ..store
            },
            (_, _, Some(at)) => Store {
                at: Some(at),
                reply: Some("226 stored"),
                data: Data::LeaveOpen,
                ..store
            },
            _ => store,
        }
    }

    /// What goes wrong with downloads, also by the behaviour.
    pub(super) fn retrieve(&self) -> Retrieve {
        let retrieve = self.retrieve.clone();
        match self.behaviour.truncate_at {
            Some(at) => Retrieve {
                at: Some(at),
                reply: Some("226 sent"),
                data: Data::Close,
                ..retrieve
            },
            None => retrieve,
        }
    }

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
        self.behaviour.delays.insert(verb.into(), time);
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

/// The name under which a path is kept. Nothing is said of it.
pub(super) fn kept(behaviour: &Behaviour, path: &str, utf8: bool) -> String {
    let (directory, name) = path.rsplit_once('/').unwrap_or(("", path));
    let first = |text: &str, most: usize| text.chars().take(most).collect::<String>();
    let kept = match (behaviour.cut_names, name.split_once('.')) {
        (None, _) => name.to_owned(),
        (Some(NameCut::At(most)), _) => first(name, most),
        (Some(NameCut::Dos), None) => first(name, 8),
        (Some(NameCut::Dos), Some((stem, rest))) => {
            let extension = rest.split('.').next().unwrap_or_default();
            format!("{}.{}", first(stem, 8), first(extension, 3))
        }
    };
    let mut path = format!("{directory}/{kept}");
    if behaviour.encode_names && !utf8 {
        path = path.bytes().map(char::from).collect();
    }
    match behaviour.fold_case {
        true => path.to_lowercase(),
        false => path,
    }
}

impl fmt::Debug for Script {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Script")
            .field("behaviour", &self.behaviour)
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
