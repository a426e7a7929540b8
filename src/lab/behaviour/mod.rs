//! What a server of a lab does besides serving: the words for faults, whatever the protocol.
//!
//! - here: the words, each a key of the settings
//! - `cli` those of a command line and of how a device boots
//! - `parse` how they are written; `words` how they are shown

mod parse;
mod words;

use std::collections::BTreeMap;
use std::net::Ipv4Addr;
use std::time::Duration;

use serde::Deserialize;

use super::draw;
use crate::model::Scheme;

pub(super) use parse::{percent, size};

/// The settings, and how those of one key fill what a narrower one leaves open.
macro_rules! settings {
    ($(#[$of:meta])* pub struct $name:ident { $($(#[$about:meta])* pub $field:ident: $type:ty,)* }) => {
        $(#[$of])*
        pub struct $name { $($(#[$about])* pub $field: $type,)* }

        impl $name {
            /// What `self` says, and where it says nothing, what `other` says.
            pub(super) fn or(self, other: &Self) -> Self {
                Self { $($field: self.$field.or_said(&other.$field),)* }
            }
        }
    };
}

mod cli;

pub use cli::{CommandLine, DialectName};

/// One setting, or the one of a wider key.
trait Setting {
    fn or_said(self, other: &Self) -> Self;
}

impl Setting for bool {
    fn or_said(self, other: &Self) -> Self {
        self || *other
    }
}

impl<T: Clone> Setting for Option<T> {
    fn or_said(self, other: &Self) -> Self {
        self.or_else(|| other.clone())
    }
}

impl<T: Clone> Setting for BTreeMap<String, T> {
    fn or_said(self, other: &Self) -> Self {
        let mut all = other.clone();
        all.extend(self);
        all
    }
}

settings! {
    /// What one server does besides serving. Offsets count from the start of the file; those of an
    /// entity are about uploads, those of a file server about downloads.
    ///
    /// These are the words for what devices do, here and in tests: the scripted server of the tests
    /// behaves by the same struct.
    #[derive(Debug, Clone, Default, PartialEq, Eq, Deserialize)]
    #[serde(deny_unknown_fields, default)]
    pub struct Behaviour {
        /// Bytes per second of one transfer.
        #[serde(deserialize_with = "parse::rate")]
        pub rate: Option<u64>,
        /// Bytes per second of one download, where that is not `rate`.
        #[serde(deserialize_with = "parse::rate")]
        pub read_rate: Option<u64>,
        /// Before each command is acted on.
        #[serde(deserialize_with = "parse::time")]
        pub latency: Option<Duration>,
        /// Stops taking an upload for a while, as a device that erases flash does.
        pub pause: Option<Pause>,
        /// Pauses at bytes drawn from the server's name, the same in every upload: the first within
        /// `every`, each next one after half of `every` to one and a half, in the mean `every`.
        pub random_pauses: bool,
        /// The number of control connections that are greeted with 421 and closed before one is accepted.
        pub busy_times: Option<u32>,
        /// That many are accepted before the first one of `busy_times`.
        pub busy_after: Option<u32>,
        /// The maximum number of sessions at the same time; what comes beyond it is greeted with 421
        /// and closed.
        pub max_sessions: Option<u32>,
        /// In place of 421, or of what else the protocol has; empty: closed without a word.
        pub busy_reply: Option<String>,
        /// SSH: its host key is another one than the lab shows.
        pub other_host_key: bool,
        /// `login: refuse`: every login is answered with 530.
        #[serde(rename = "login", deserialize_with = "parse::login")]
        pub refuse_login: bool,
        /// An upload that goes on after this number of bytes is answered with 552.
        #[serde(deserialize_with = "parse::size")]
        pub disk_full_at: Option<u64>,
        /// The data connection is cut at this byte, and the transfer answered with 426. An upload's is
        /// reset; a download's is closed after the bytes before.
        #[serde(deserialize_with = "parse::size")]
        pub drop_at: Option<u64>,
        /// As `drop_at`, at a byte drawn from the server's name within the smallest image that it may
        /// be about. `drop_at` goes before it.
        pub drop_somewhere: bool,
        /// The number of transfers that are cut; the ones after them are not. Absent: all are.
        pub drop_times: Option<u32>,
        /// A cut is a reboot: no 426, all connections of the server are reset, and new ones are refused
        /// for this time. Its files stay, partial ones too.
        #[serde(deserialize_with = "parse::time")]
        pub down_for: Option<Duration>,
        /// Vanishes for good when it has sent this number of file bytes, over all downloads.
        #[serde(deserialize_with = "parse::size")]
        pub dies_at: Option<u64>,
        /// From the last byte of an upload to its 226.
        #[serde(deserialize_with = "parse::time")]
        pub confirm_after: Option<Duration>,
        /// The transfer stands still at this byte for ever.
        #[serde(deserialize_with = "parse::size")]
        pub silent_at: Option<u64>,
        /// Downloads end at this byte, and what an entity stores does too; both are answered with 226
        /// all the same.
        #[serde(deserialize_with = "parse::size")]
        pub truncate_at: Option<u64>,
        /// This byte is changed: in what is stored, and for a file server in what is sent.
        #[serde(deserialize_with = "parse::size")]
        pub corrupt_at: Option<u64>,
        /// This byte is changed in what is sent, and not in what is stored.
        #[serde(deserialize_with = "parse::size")]
        pub corrupt_read_at: Option<u64>,
        /// An upload is answered with 226 at this byte, and the rest of it is never read.
        #[serde(deserialize_with = "parse::size")]
        pub confirm_at: Option<u64>,
        /// An upload is stored, and its end is never answered.
        pub no_confirm: bool,
        /// The end of an upload is answered with this line in place of 226. The file stays.
        #[serde(deserialize_with = "parse::reply")]
        pub confirm_reply: Option<String>,
        /// `REST` is answered with 502, and `FEAT` does not name it.
        pub no_rest: bool,
        /// `RNFR` is answered with 502.
        pub no_rename: bool,
        /// A rename onto an existing file is answered with 553.
        pub no_overwrite: bool,
        /// A rename to this path is answered with 553, also while there is no such file.
        pub no_rename_to: Option<String>,
        /// Refused renames are answered with this line in place of 450 and 553.
        #[serde(deserialize_with = "parse::reply")]
        pub rename_reply: Option<String>,
        /// An upload onto an existing file is answered with 553.
        pub no_replace: bool,
        /// `DELE` is answered with 550.
        pub no_delete: bool,
        /// Uploads are answered with 553.
        pub read_only: bool,
        /// Downloads are answered with 550. The lab computes no digests, so nothing shows what is in a
        /// file.
        pub no_read: bool,
        /// `SIZE` is answered with 550, whatever the file.
        pub no_size: bool,
        /// `SIZE` counts whole blocks of this number of bytes.
        #[serde(deserialize_with = "parse::block")]
        pub size_block: Option<u64>,
        /// For that long after an upload `SIZE` says 0.
        #[serde(deserialize_with = "parse::time")]
        pub size_after: Option<Duration>,
        /// Names are cut without a word: to a number of characters, or to `8.3`. What begins alike is one
        /// file.
        #[serde(deserialize_with = "parse::name_cut")]
        pub cut_names: Option<NameCut>,
        /// Names in capitals and in small letters are the same.
        pub fold_case: bool,
        /// Names are taken in another encoding until the session has said `OPTS UTF8 ON`.
        pub encode_names: bool,
        /// Commands about files with a `/` in their names are answered with 553: `CWD` comes first.
        pub no_paths: bool,
        /// `STOR` is refused in a session that has not said this (`ACCT`, `SITE IMAGE 1`).
        pub store_needs: Option<String>,
        /// `RNFR` is answered with 350 for every name.
        pub rnfr_any: bool,
        /// `RNTO` is answered with 553.
        pub refuse_rename: bool,
        /// The number of `RNTO` that are answered with 450; the ones after them are not.
        pub busy_renames: Option<u32>,
        /// `RNTO` is answered with 250, and nothing is renamed.
        pub false_rename: bool,
        /// A renamed file gets that name with `.1` behind it.
        pub rename_elsewhere: bool,
        /// An upload under a name that is taken goes to that name with `.1` behind it, and is confirmed.
        pub store_elsewhere: bool,
        /// A confirmed upload is followed by a reboot: all connections of the server are reset, and new
        /// ones are refused for this time. Its files stay.
        #[serde(deserialize_with = "parse::time")]
        pub reboot_after_store: Option<Duration>,
        /// A confirmed upload is gone: it was installed, or lost.
        pub gone_after_store: bool,
        /// The session ends when this command comes (`RNTO`), which is not acted on.
        #[serde(deserialize_with = "parse::verb")]
        pub hang_up_on: Option<String>,
        /// The session ends when this command was acted on, in place of its last reply.
        #[serde(deserialize_with = "parse::verb")]
        pub hang_up_after: Option<String>,
        /// The number of times; the ones after them are answered. Absent: always.
        pub hang_up_times: Option<u32>,
        /// That many are answered before the first one that is not.
        pub hang_up_skip: Option<u32>,
        /// The control connection ends at this byte of an upload.
        #[serde(deserialize_with = "parse::size")]
        pub hang_up_at: Option<u64>,
        /// `PASV` names this host, with the right port.
        pub pasv_host: Option<Ipv4Addr>,
        /// Commands that are answered with a line, and not acted on: `EPSV: 500 what?`.
        #[serde(deserialize_with = "parse::replies")]
        pub replies: BTreeMap<String, String>,
        /// As `latency`, and after it, for some commands alone.
        #[serde(deserialize_with = "parse::delays")]
        pub delays: BTreeMap<String, Duration>,
        /// An entity's command line, and how it boots.
        pub cli: CommandLine,
    }
}

/// What is left of a file's name; those of folders are left alone.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum NameCut {
    /// Its first characters.
    At(usize),
    /// Eight, a dot, and three, as on FAT.
    Dos,
}

/// How an upload stops from time to time.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Pause {
    /// Bytes between two pauses.
    #[serde(deserialize_with = "parse::some_size")]
    pub every: u64,
    #[serde(rename = "for", deserialize_with = "parse::some_time")]
    pub length: Duration,
}

impl Behaviour {
    /// The first of these words that means nothing in a protocol: its fault would be waited for in vain.
    pub(super) fn unknown_to(&self, scheme: Scheme) -> Option<&'static str> {
        let of_ftp = [
            ("encode_names", self.encode_names),
            ("no_paths", self.no_paths),
            ("store_needs", self.store_needs.is_some()),
            ("rnfr_any", self.rnfr_any),
            ("pasv_host", self.pasv_host.is_some()),
        ];
        let of_ssh = [("other_host_key", self.other_host_key)];
        let not_of_ssh = [("no_rest", self.no_rest)];
        // TFTP writes files, and that is all, as a device does that fetches them.
        let of_questions = [
            ("refuse_login", self.refuse_login),
            ("no_rename", self.no_rename),
            ("no_overwrite", self.no_overwrite),
            ("no_rename_to", self.no_rename_to.is_some()),
            ("rename_reply", self.rename_reply.is_some()),
            ("refuse_rename", self.refuse_rename),
            ("busy_renames", self.busy_renames.is_some()),
            ("false_rename", self.false_rename),
            ("rename_elsewhere", self.rename_elsewhere),
            ("no_delete", self.no_delete),
            ("no_read", self.no_read),
            ("no_size", self.no_size),
            ("size_block", self.size_block.is_some()),
            ("size_after", self.size_after.is_some()),
            ("confirm_at", self.confirm_at.is_some()),
        ];
        let words = match scheme {
            Scheme::Tftp | Scheme::Fetch => {
                vec![&of_ftp[..], &of_ssh[..], &not_of_ssh[..], &of_questions[..]]
            }
            Scheme::Sftp => vec![&of_ftp[..], &not_of_ssh[..]],
            Scheme::Http => vec![&of_ftp[..], &of_ssh[..]],
            _ => vec![&of_ssh[..]],
        };
        let mut words = words.into_iter().flatten();
        (words.find(|(_, said)| *said).map(|(key, _)| *key))
            .or_else(|| (scheme != Scheme::Ftp && self.cli.site.is_some()).then_some("cli.site"))
            .or_else(|| self.cli.meaningless())
    }

    /// The same, with the byte at which transfers are dropped somewhere.
    pub(super) fn settled(mut self, name: &str, image: u64) -> Self {
        if self.drop_somewhere && self.drop_at.is_none() {
            self.drop_at = Some(draw::byte_within(name, image));
        }
        self
    }
}
