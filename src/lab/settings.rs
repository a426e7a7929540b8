//! What the servers of a lab do besides serving: the `x-lab` key of an inventory, or a file of its
//! own with the same content.
//!
//! ```yaml
//! x-lab:
//!   images: { adsl-2.4: { size: 8 MiB } }
//!   file_servers: { hq: { rate: 4 MiB/s } }
//!   entities:
//!     shelf1-07: { rate: 600 KiB/s }
//!     "shelf2-[01-04]": { pause: { every: 1 MiB, for: 400ms } }
//! ```

use std::collections::BTreeMap;
use std::net::Ipv4Addr;
use std::path::Path;
use std::time::Duration;

use serde::de::Error as _;
use serde::{Deserialize, Deserializer};

use super::draw;
use super::error::LabError;
use crate::model::{names, units};

/// The settings of a lab. By default every server is a good and fast one.
#[derive(Debug, Clone, Default, PartialEq, Eq, Deserialize)]
#[serde(deny_unknown_fields, default)]
pub struct LabSettings {
    pub images: BTreeMap<String, ImageSettings>,
    /// By name or pattern (`*`, `?`, `[01-20]`).
    pub file_servers: BTreeMap<String, Behaviour>,
    /// By name or pattern.
    pub entities: BTreeMap<String, Behaviour>,
}

/// What is said about one generated image.
#[derive(Debug, Clone, Default, PartialEq, Eq, Deserialize)]
#[serde(deny_unknown_fields, default)]
pub struct ImageSettings {
    /// Bytes; else the inventory's, else 8 MiB.
    #[serde(deserialize_with = "size")]
    pub size: Option<u64>,
}

/// What one server does besides serving. Offsets count from the start of the file; those of an
/// entity are about uploads, those of a file server about downloads.
///
/// These are the words for what devices do, here and in tests: the scripted server of the tests
/// behaves by the same struct.
#[derive(Debug, Clone, Default, PartialEq, Eq, Deserialize)]
#[serde(deny_unknown_fields, default)]
pub struct Behaviour {
    /// Bytes a second of one transfer.
    #[serde(deserialize_with = "rate")]
    pub rate: Option<u64>,
    /// Bytes a second of one download, where that is not `rate`.
    #[serde(deserialize_with = "rate")]
    pub read_rate: Option<u64>,
    /// Before each command is acted on.
    #[serde(deserialize_with = "time")]
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
    /// In place of 421; empty: closed without a word.
    pub busy_reply: Option<String>,
    /// `login: refuse`: every login is answered with 530.
    #[serde(rename = "login", deserialize_with = "login")]
    pub refuse_login: bool,
    /// An upload that goes on after this number of bytes is answered with 552.
    #[serde(deserialize_with = "size")]
    pub disk_full_at: Option<u64>,
    /// The data connection is cut at this byte, and the transfer answered with 426. An upload's is
    /// reset; a download's is closed after the bytes before.
    #[serde(deserialize_with = "size")]
    pub drop_at: Option<u64>,
    /// As `drop_at`, at a byte drawn from the server's name within the smallest image that it may
    /// be about. `drop_at` goes before it.
    pub drop_somewhere: bool,
    /// The number of transfers that are cut; the ones after them are not. Absent: all are.
    pub drop_times: Option<u32>,
    /// A cut is a reboot: no 426, all connections of the server are reset, and new ones are refused
    /// for this time. Its files stay, partial ones too.
    #[serde(deserialize_with = "time")]
    pub down_for: Option<Duration>,
    /// Vanishes for good when it has sent this number of file bytes, over all downloads.
    #[serde(deserialize_with = "size")]
    pub dies_at: Option<u64>,
    /// From the last byte of an upload to its 226.
    #[serde(deserialize_with = "time")]
    pub confirm_after: Option<Duration>,
    /// The transfer stands still at this byte for ever.
    #[serde(deserialize_with = "size")]
    pub silent_at: Option<u64>,
    /// Downloads end at this byte, and what an entity stores does too; both are answered with 226
    /// all the same.
    #[serde(deserialize_with = "size")]
    pub truncate_at: Option<u64>,
    /// This byte is changed: in what is stored, and for a file server in what is sent.
    #[serde(deserialize_with = "size")]
    pub corrupt_at: Option<u64>,
    /// This byte is changed in what is sent, and not in what is stored.
    #[serde(deserialize_with = "size")]
    pub corrupt_read_at: Option<u64>,
    /// An upload is answered with 226 at this byte, and the rest of it is never read.
    #[serde(deserialize_with = "size")]
    pub confirm_at: Option<u64>,
    /// An upload is stored, and its end is never answered.
    pub no_confirm: bool,
    /// The end of an upload is answered with this line in place of 226. The file stays.
    #[serde(deserialize_with = "reply")]
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
    #[serde(deserialize_with = "reply")]
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
    #[serde(deserialize_with = "block")]
    pub size_block: Option<u64>,
    /// For that long after an upload `SIZE` says 0.
    #[serde(deserialize_with = "time")]
    pub size_after: Option<Duration>,
    /// Names are cut without a word: to a number of characters, or to `8.3`. What begins alike is one
    /// file.
    #[serde(deserialize_with = "name_cut")]
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
    #[serde(deserialize_with = "time")]
    pub reboot_after_store: Option<Duration>,
    /// A confirmed upload is gone: it was installed, or lost.
    pub gone_after_store: bool,
    /// The session ends when this command comes (`RNTO`), which is not acted on.
    #[serde(deserialize_with = "verb")]
    pub hang_up_on: Option<String>,
    /// The session ends when this command was acted on, in place of its last reply.
    #[serde(deserialize_with = "verb")]
    pub hang_up_after: Option<String>,
    /// The number of times; the ones after them are answered. Absent: always.
    pub hang_up_times: Option<u32>,
    /// That many are answered before the first one that is not.
    pub hang_up_skip: Option<u32>,
    /// The control connection ends at this byte of an upload.
    #[serde(deserialize_with = "size")]
    pub hang_up_at: Option<u64>,
    /// `PASV` names this host, with the right port.
    pub pasv_host: Option<Ipv4Addr>,
    /// Commands that are answered with a line, and not acted on: `EPSV: 500 what?`.
    #[serde(deserialize_with = "replies")]
    pub replies: BTreeMap<String, String>,
    /// As `latency`, and after it, for some commands alone.
    #[serde(deserialize_with = "delays")]
    pub delays: BTreeMap<String, Duration>,
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
    #[serde(deserialize_with = "some_size")]
    pub every: u64,
    #[serde(rename = "for", deserialize_with = "some_time")]
    pub length: Duration,
}

impl LabSettings {
    /// The settings under the `x-lab` key of an inventory; the default where it has none. The rest
    /// of the inventory is not looked at.
    ///
    /// # Errors
    /// [`LabError::Settings`], with line and column.
    pub fn from_inventory_text(text: &str) -> Result<Self, LabError> {
        #[derive(Deserialize)]
        struct Inventory {
            #[serde(rename = "x-lab", default)]
            lab: LabSettings,
        }
        if text.trim().is_empty() {
            return Ok(Self::default());
        }
        serde_yaml::from_str(text)
            .map(|inventory: Inventory| inventory.lab)
            .map_err(|error| LabError::Settings(error.to_string()))
    }

    /// The settings of a file of their own: what stands under `x-lab`, at the top level.
    ///
    /// # Errors
    /// [`LabError::Settings`], with line and column.
    pub fn from_text(text: &str) -> Result<Self, LabError> {
        if text.trim().is_empty() {
            return Ok(Self::default());
        }
        serde_yaml::from_str(text).map_err(|error| LabError::Settings(error.to_string()))
    }

    /// As [`Self::from_text`], from a file.
    ///
    /// # Errors
    /// [`LabError::Read`] and [`LabError::Settings`].
    pub fn load(path: &Path) -> Result<Self, LabError> {
        let text = std::fs::read_to_string(path).map_err(|cause| LabError::Read {
            file: path.into(),
            cause,
        })?;
        Self::from_text(&text)
            .map_err(|error| LabError::Settings(format!("{}: {error}", path.display())))
    }

    pub(super) fn of_entity(&self, name: &str) -> Behaviour {
        of(&self.entities, name)
    }

    pub(super) fn of_file_server(&self, name: &str) -> Behaviour {
        of(&self.file_servers, name)
    }
}

/// What all keys say that stand for a name: its own first, then patterns from the longest to the
/// shortest, so that what is said of fewer servers goes before what is said of more.
fn of(settings: &BTreeMap<String, Behaviour>, name: &str) -> Behaviour {
    let mut said: Vec<_> = settings
        .iter()
        .filter(|(key, _)| *key == name || names::matches(key, name))
        .collect();
    said.sort_by_key(|(key, _)| {
        (
            *key != name,
            key.contains(['*', '?', '[']),
            usize::MAX - key.len(),
        )
    });
    said.into_iter()
        .fold(Behaviour::default(), |sum, (_, more)| sum.or(more))
}

impl Behaviour {
    /// What `self` says, and where it says nothing, what `other` says.
    fn or(mut self, other: &Self) -> Self {
        for (verb, reply) in &other.replies {
            (self.replies.entry(verb.clone())).or_insert_with(|| reply.clone());
        }
        for (verb, time) in &other.delays {
            self.delays.entry(verb.clone()).or_insert(*time);
        }
        let text = |own: Option<String>, other: &Option<String>| own.or_else(|| other.clone());
        Self {
            rate: self.rate.or(other.rate),
            read_rate: self.read_rate.or(other.read_rate),
            latency: self.latency.or(other.latency),
            pause: self.pause.or(other.pause),
            random_pauses: self.random_pauses || other.random_pauses,
            busy_times: self.busy_times.or(other.busy_times),
            busy_after: self.busy_after.or(other.busy_after),
            max_sessions: self.max_sessions.or(other.max_sessions),
            busy_reply: text(self.busy_reply, &other.busy_reply),
            refuse_login: self.refuse_login || other.refuse_login,
            disk_full_at: self.disk_full_at.or(other.disk_full_at),
            drop_at: self.drop_at.or(other.drop_at),
            drop_somewhere: self.drop_somewhere || other.drop_somewhere,
            drop_times: self.drop_times.or(other.drop_times),
            down_for: self.down_for.or(other.down_for),
            dies_at: self.dies_at.or(other.dies_at),
            confirm_after: self.confirm_after.or(other.confirm_after),
            silent_at: self.silent_at.or(other.silent_at),
            truncate_at: self.truncate_at.or(other.truncate_at),
            corrupt_at: self.corrupt_at.or(other.corrupt_at),
            corrupt_read_at: self.corrupt_read_at.or(other.corrupt_read_at),
            confirm_at: self.confirm_at.or(other.confirm_at),
            no_confirm: self.no_confirm || other.no_confirm,
            confirm_reply: text(self.confirm_reply, &other.confirm_reply),
            no_rest: self.no_rest || other.no_rest,
            no_rename: self.no_rename || other.no_rename,
            no_overwrite: self.no_overwrite || other.no_overwrite,
            no_rename_to: text(self.no_rename_to, &other.no_rename_to),
            rename_reply: text(self.rename_reply, &other.rename_reply),
            no_replace: self.no_replace || other.no_replace,
            no_delete: self.no_delete || other.no_delete,
            read_only: self.read_only || other.read_only,
            no_read: self.no_read || other.no_read,
            no_size: self.no_size || other.no_size,
            size_block: self.size_block.or(other.size_block),
            size_after: self.size_after.or(other.size_after),
            cut_names: self.cut_names.or(other.cut_names),
            fold_case: self.fold_case || other.fold_case,
            encode_names: self.encode_names || other.encode_names,
            no_paths: self.no_paths || other.no_paths,
            store_needs: text(self.store_needs, &other.store_needs),
            rnfr_any: self.rnfr_any || other.rnfr_any,
            refuse_rename: self.refuse_rename || other.refuse_rename,
            busy_renames: self.busy_renames.or(other.busy_renames),
            false_rename: self.false_rename || other.false_rename,
            rename_elsewhere: self.rename_elsewhere || other.rename_elsewhere,
            store_elsewhere: self.store_elsewhere || other.store_elsewhere,
            reboot_after_store: self.reboot_after_store.or(other.reboot_after_store),
            gone_after_store: self.gone_after_store || other.gone_after_store,
            hang_up_on: text(self.hang_up_on, &other.hang_up_on),
            hang_up_after: text(self.hang_up_after, &other.hang_up_after),
            hang_up_times: self.hang_up_times.or(other.hang_up_times),
            hang_up_skip: self.hang_up_skip.or(other.hang_up_skip),
            hang_up_at: self.hang_up_at.or(other.hang_up_at),
            pasv_host: self.pasv_host.or(other.pasv_host),
            replies: self.replies,
            delays: self.delays,
        }
    }

    /// The same, with the byte at which transfers are dropped somewhere.
    pub(super) fn settled(mut self, name: &str, image: u64) -> Self {
        if self.drop_somewhere && self.drop_at.is_none() {
            self.drop_at = Some(draw::byte_within(name, image));
        }
        self
    }

    /// The settings in words, for people: `600.0 KiB/s, disk full at 3.0 MiB`; empty for none.
    pub fn words(&self) -> String {
        let mut words = Vec::new();
        if let Some(rate) = self.rate {
            words.push(units::rate(rate as f64));
        }
        if let Some(rate) = self.read_rate {
            words.push(format!("{} when read", units::rate(rate as f64)));
        }
        if let Some(time) = self.latency {
            words.push(format!("answers after {}", units::duration(time)));
        }
        if let Some(pause) = self.pause {
            let random = if self.random_pauses { " or so" } else { "" };
            words.push(format!(
                "pauses {} every {}{random}",
                units::duration(pause.length),
                units::size(pause.every)
            ));
        }
        if let Some(times) = self.busy_times {
            let which = match self.busy_after {
                Some(after) => format!("{times} sessions away after {after}"),
                None => format!("the first {times} sessions away"),
            };
            words.push(format!("turns {which}"));
        }
        if let Some(most) = self.max_sessions {
            words.push(format!("has room for {most} sessions"));
        }
        if self.refuse_login {
            words.push("refuses logins".into());
        }
        for (what, at) in [
            ("disk full at", self.disk_full_at),
            ("drops transfers at", self.drop_at),
            ("falls silent at", self.silent_at),
            ("dies when it has sent", self.dies_at),
            ("truncates files at", self.truncate_at),
            ("corrupts the byte at", self.corrupt_at),
            ("sends a wrong byte at", self.corrupt_read_at),
            ("confirms uploads at", self.confirm_at),
            ("hangs up at", self.hang_up_at),
        ] {
            if let Some(at) = at {
                words.push(format!("{what} {}", units::size(at)));
            }
        }
        let drops = self.drop_at.is_some() || self.drop_somewhere;
        if self.drop_somewhere && self.drop_at.is_none() {
            words.push("drops transfers somewhere".into());
        }
        if let Some(times) = self.drop_times.filter(|_| drops) {
            words.push(format!("{times} times only"));
        }
        if let Some(time) = self.down_for.filter(|_| drops) {
            words.push(format!("is gone for {} then", units::duration(time)));
        }
        if let Some(time) = self.confirm_after {
            words.push(format!("confirms after {}", units::duration(time)));
        }
        if let Some(block) = self.size_block {
            words.push(format!("tells sizes in blocks of {}", units::size(block)));
        }
        if let Some(time) = self.size_after {
            words.push(format!("knows a size after {}", units::duration(time)));
        }
        match self.cut_names {
            Some(NameCut::At(most)) => words.push(format!("cuts names to {most} characters")),
            Some(NameCut::Dos) => words.push("cuts names to 8.3".into()),
            None => {}
        }
        if let Some(times) = self.busy_renames {
            words.push(format!("refuses the first {times} renames for a while"));
        }
        if let Some(time) = self.reboot_after_store {
            let time = units::duration(time);
            words.push(format!("reboots after an upload, for {time}"));
        }
        for (when, verb) in [("on", &self.hang_up_on), ("after", &self.hang_up_after)] {
            let Some(verb) = verb else { continue };
            let skip = match self.hang_up_skip {
                Some(skip) => format!(" after {skip} of them"),
                None => String::new(),
            };
            let times = match self.hang_up_times {
                Some(times) => format!(", {times} times"),
                None => String::new(),
            };
            words.push(format!("hangs up {when} {verb}{skip}{times}"));
        }
        if let Some(line) = &self.store_needs {
            words.push(format!("wants {line} before an upload"));
        }
        if let Some(line) = &self.confirm_reply {
            words.push(format!("answers uploads with {line}"));
        }
        if let Some(host) = self.pasv_host {
            words.push(format!("names {host} in PASV"));
        }
        for (verb, line) in &self.replies {
            words.push(format!("answers {verb} with {line}"));
        }
        for (verb, time) in &self.delays {
            words.push(format!("answers {verb} after {}", units::duration(*time)));
        }
        for (is_so, what) in [
            (self.no_read, "can't be read"),
            (self.no_size, "knows no sizes"),
            (self.no_confirm, "confirms nothing"),
            (self.fold_case, "knows no capitals"),
            (self.encode_names, "has another encoding of names"),
            (self.no_paths, "takes no paths"),
            (self.rnfr_any, "would rename any name"),
            (self.refuse_rename, "refuses renames"),
            (self.false_rename, "says that it has renamed, and has not"),
            (self.rename_elsewhere, "renames to another name"),
            (
                self.store_elsewhere,
                "stores elsewhere when a name is taken",
            ),
            (self.no_rest, "can't restart"),
            (self.no_rename, "can't rename"),
            (self.no_overwrite, "can't rename onto a file"),
            (self.no_rename_to.is_some(), "keeps a name to itself"),
            (self.no_replace, "can't store onto a file"),
            (self.no_delete, "can't delete"),
            (self.gone_after_store, "has no file after an upload"),
            (self.read_only, "read-only"),
        ] {
            if is_so {
                words.push(what.into());
            }
        }
        words.join(", ")
    }
}

fn size<'de, D: Deserializer<'de>>(from: D) -> Result<Option<u64>, D::Error> {
    let text = String::deserialize(from)?;
    units::parse_size(&text).map(Some).map_err(D::Error::custom)
}

fn some_size<'de, D: Deserializer<'de>>(from: D) -> Result<u64, D::Error> {
    match size(from)? {
        Some(size) if size > 0 => Ok(size),
        _ => Err(D::Error::custom("write a size above 0, like `1 MiB`")),
    }
}

fn block<'de, D: Deserializer<'de>>(from: D) -> Result<Option<u64>, D::Error> {
    some_size(from).map(Some)
}

fn rate<'de, D: Deserializer<'de>>(from: D) -> Result<Option<u64>, D::Error> {
    let text = String::deserialize(from)?;
    let number = text.trim();
    match number
        .strip_suffix("/s")
        .map(|number| units::parse_size(number.trim_end()))
    {
        Some(Ok(rate)) if rate > 0 => Ok(Some(rate)),
        _ => Err(D::Error::custom(format!(
            "`{text}` is not a rate; write a size a second, like `600 KiB/s`"
        ))),
    }
}

fn time<'de, D: Deserializer<'de>>(from: D) -> Result<Option<Duration>, D::Error> {
    some_time(from).map(Some)
}

fn some_time<'de, D: Deserializer<'de>>(from: D) -> Result<Duration, D::Error> {
    let text = String::deserialize(from)?;
    units::parse_duration(&text).map_err(D::Error::custom)
}

fn name_cut<'de, D: Deserializer<'de>>(from: D) -> Result<Option<NameCut>, D::Error> {
    let text = String::deserialize(from)?;
    match (text.as_str(), text.parse::<usize>()) {
        ("8.3", _) => Ok(Some(NameCut::Dos)),
        (_, Ok(most)) if most > 0 => Ok(Some(NameCut::At(most))),
        _ => Err(D::Error::custom(format!(
            "`{text}`: write `8.3`, or a number of characters above 0, like `14`"
        ))),
    }
}

fn verb<'de, D: Deserializer<'de>>(from: D) -> Result<Option<String>, D::Error> {
    let text = String::deserialize(from)?;
    verb_of(&text).map(Some).map_err(D::Error::custom)
}

fn verb_of(text: &str) -> Result<String, String> {
    let is_verb = (3..=7).contains(&text.len()) && text.bytes().all(|b| b.is_ascii_alphanumeric());
    match is_verb {
        true => Ok(text.to_ascii_uppercase()),
        false => Err(format!("`{text}`: write a command of FTP, like `RNTO`")),
    }
}

fn reply<'de, D: Deserializer<'de>>(from: D) -> Result<Option<String>, D::Error> {
    let text = String::deserialize(from)?;
    reply_of(text).map(Some).map_err(D::Error::custom)
}

/// One line with a code that ends a command: what goes on after it would never end.
fn reply_of(text: String) -> Result<String, String> {
    let code: Vec<u8> = text.bytes().take(4).collect();
    match code[..] {
        [b'2'..=b'5', b'0'..=b'5', b'0'..=b'9', b' '] if !text.contains(['\r', '\n']) => Ok(text),
        _ => Err(format!(
            "`{text}`: write a reply of FTP, like `553 not here`"
        )),
    }
}

fn replies<'de, D: Deserializer<'de>>(from: D) -> Result<BTreeMap<String, String>, D::Error> {
    let lines = BTreeMap::<String, String>::deserialize(from)?;
    (lines.into_iter())
        .map(|(verb, line)| Ok((verb_of(&verb)?, reply_of(line)?)))
        .collect::<Result<_, String>>()
        .map_err(D::Error::custom)
}

fn delays<'de, D: Deserializer<'de>>(from: D) -> Result<BTreeMap<String, Duration>, D::Error> {
    let times = BTreeMap::<String, String>::deserialize(from)?;
    (times.into_iter())
        .map(|(verb, time)| Ok((verb_of(&verb)?, units::parse_duration(&time)?)))
        .collect::<Result<_, String>>()
        .map_err(D::Error::custom)
}

fn login<'de, D: Deserializer<'de>>(from: D) -> Result<bool, D::Error> {
    match String::deserialize(from)?.as_str() {
        "refuse" => Ok(true),
        "accept" => Ok(false),
        other => Err(D::Error::custom(format!(
            "`{other}`: write `refuse` or `accept`"
        ))),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const TEXT: &str = r#"
memory: 8 MiB
entities:
  - { name: x, type: y }
x-lab:
  images: { adsl-2.4: { size: 8 MiB }, small: { size: 1000 } }
  file_servers: { hq: { rate: 4 MiB/s, truncate_at: 1 MiB } }
  entities:
    "*": { rate: 1 MiB/s, latency: 5ms }
    "shelf1-[01-08]": { rate: 600 KiB/s, no_delete: true }
    shelf1-07: { disk_full_at: 3 MiB, login: refuse, drop_at: 2 MiB, drop_times: 2 }
    shelf2-05: { pause: { every: 1 MiB, for: 400ms }, confirm_after: 2s }
    shelf3-01: { drop_somewhere: true, drop_times: 1, down_for: 2s, busy_times: 3, read_rate: 8 MiB/s }
    shelf3-02: { dies_at: 32 MiB, no_rest: true, pause: { every: 1 MiB, for: 1s }, random_pauses: true }
"#;

    #[test]
    fn settings_are_read_from_an_inventory_and_the_narrowest_key_goes_first() {
        let settings = LabSettings::from_inventory_text(TEXT).unwrap();
        assert_eq!(settings.images["adsl-2.4"].size, Some(8 << 20));
        assert_eq!(settings.images["small"].size, Some(1000));
        assert_eq!(settings.of_file_server("hq").rate, Some(4 << 20));
        assert_eq!(settings.of_file_server("other"), Behaviour::default());
        let seven = settings.of_entity("shelf1-07");
        assert_eq!(seven.rate, Some(600 << 10));
        assert_eq!(seven.latency, Some(Duration::from_millis(5)));
        assert_eq!(seven.disk_full_at, Some(3 << 20));
        assert_eq!(seven.drop_times, Some(2));
        assert!(seven.refuse_login && seven.no_delete && !seven.no_rename);
        let five = settings.of_entity("shelf2-05");
        assert_eq!(five.rate, Some(1 << 20));
        assert_eq!(five.pause.unwrap().length, Duration::from_millis(400));
        assert_eq!(
            five.words(),
            "1.0 MiB/s, answers after 5 ms, pauses 400 ms every 1.0 MiB, confirms after 2 s"
        );
    }

    #[test]
    fn settings_are_told_in_words() {
        let settings = LabSettings::from_inventory_text(TEXT).unwrap();
        let always = "answers after 5 ms";
        let reboots = settings.of_entity("shelf3-01");
        assert_eq!(
            reboots.words(),
            format!(
                "1.0 MiB/s, 8.0 MiB/s when read, {always}, turns the first 3 sessions away, drops transfers somewhere, \
                 1 times only, is gone for 2 s then"
            )
        );
        let settled = reboots.settled("shelf3-01", 1 << 20);
        assert!(settled.drop_at.is_some_and(|byte| byte < 1 << 20));
        assert!(settled.words().contains("drops transfers at"));
        let dies = settings.of_entity("shelf3-02");
        assert_eq!(
            dies.words(),
            format!(
                "1.0 MiB/s, {always}, pauses 1 s every 1.0 MiB or so, dies when it has sent 32.0 MiB, \
                 can't restart"
            )
        );
    }

    #[test]
    fn what_devices_do_to_names_and_renames_is_told_in_words() {
        let text = "entities: { a: { cut_names: 8.3, refuse_rename: true, no_read: true }, \
                    b: { cut_names: 14, fold_case: true, hang_up_on: rnto, hang_up_times: 1 } }";
        let settings = LabSettings::from_text(text).unwrap();
        assert_eq!(
            settings.of_entity("a").words(),
            "cuts names to 8.3, can't be read, refuses renames"
        );
        assert_eq!(
            settings.of_entity("b").words(),
            "cuts names to 14 characters, hangs up on RNTO, 1 times, knows no capitals"
        );
    }

    #[test]
    fn a_file_of_its_own_has_the_same_content_at_the_top() {
        let own: String = TEXT
            .split_once("x-lab:\n")
            .unwrap()
            .1
            .lines()
            .map(|line| format!("{}\n", &line[2..]))
            .collect();
        assert_eq!(
            LabSettings::from_text(&own).unwrap(),
            LabSettings::from_inventory_text(TEXT).unwrap()
        );
        assert_eq!(
            LabSettings::from_inventory_text("memory: 8 MiB").unwrap(),
            LabSettings::default()
        );
        assert_eq!(
            LabSettings::from_inventory_text("").unwrap(),
            LabSettings::default()
        );
    }

    #[test]
    fn what_makes_no_sense_is_refused_with_its_place() {
        for (wrong, says) in [
            ("entities: { a: { speed: 1 } }", "speed"),
            ("entities: { a: { rate: 1 MiB } }", "600 KiB/s"),
            ("entities: { a: { rate: 0 B/s } }", "600 KiB/s"),
            ("entities: { a: { confirm_after: 2 } }", "30s"),
            (
                "entities: { a: { pause: { every: 0, for: 1s } } }",
                "above 0",
            ),
            ("entities: { a: { login: no } }", "refuse"),
            ("entities: { a: { cut_names: 0 } }", "8.3"),
            ("entities: { a: { hang_up_on: the phone } }", "RNTO"),
        ] {
            let error = LabSettings::from_text(wrong).unwrap_err().to_string();
            assert!(error.contains(says), "{wrong}: {error}");
            assert!(error.contains("line 1"), "{wrong}: {error}");
        }
    }
}
