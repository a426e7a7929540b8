//! A server's reply (RFC 959 section 4.2), with its text made fit to be shown, and what it means.

use std::fmt;

use suppaftp::types::Response;

use crate::model::{Fault, text};

use crate::transport::redact::Redact;

#[derive(Debug, Clone)]
pub(super) struct Reply {
    pub(super) code: u16,
    /// Everything after the first line's code, as it came.
    pub(super) raw: String,
    /// The same for people, without the password of its session.
    pub(super) shown: String,
    /// The code of its last line. Another one than the first line's shows that a line in the middle
    /// was taken for the end (`200 MB free`).
    pub(super) ends_with: u16,
}

/// What a reply means, whatever command it answers (RFC 959 section 4.2.1).
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Kind {
    /// 1yz: more is to come.
    Begun,
    /// 2yz.
    Done,
    /// 3yz: the command is the first of several.
    GoOn,
    /// 4yz: the same may be taken a moment later.
    ForNow,
    /// 5yz: the same is refused again.
    ForGood,
    /// The command itself is not known, or not with this kind of argument (500, 502, 504). Some
    /// servers answer so about a name that is not there: see [`knows`].
    NotKnown,
}

impl Reply {
    /// The code comes from the reply's own bytes: suppaftp calls codes that it does not know 0.
    pub(super) fn from_response(response: &Response, redact: &Redact) -> Option<Self> {
        Self::from_bytes(&response.body, redact)
    }

    pub(super) fn from_bytes(bytes: &[u8], redact: &Redact) -> Option<Self> {
        let text = String::from_utf8_lossy(bytes);
        let code = text.get(..3)?.parse().ok()?;
        let raw = text.get(3..).unwrap_or_default();
        // One separator alone: `213 -1` is not a size of 1.
        let raw = raw.strip_prefix(['-', ' ']).unwrap_or(raw).trim();
        let last = text.trim_end().lines().next_back().unwrap_or_default();
        let ends_with = last.get(..3).and_then(|code| code.parse().ok());
        Some(Self {
            ends_with: ends_with.unwrap_or(code),
            ..Self::new(code, raw, redact)
        })
    }

    pub(super) fn new(code: u16, raw: &str, redact: &Redact) -> Self {
        Self {
            code,
            raw: raw.to_owned(),
            shown: text::shown(&redact.hide(raw)),
            ends_with: code,
        }
    }

    pub(super) fn kind(&self) -> Kind {
        match self.code {
            100..200 => Kind::Begun,
            200..300 => Kind::Done,
            300..400 => Kind::GoOn,
            400..500 => Kind::ForNow,
            // vsftpd's way to say that something went wrong on its side.
            500 if says(&self.raw, &["oops"]) => Kind::ForNow,
            500 | 502 | 504 => Kind::NotKnown,
            _ => Kind::ForGood,
        }
    }

    /// 1yz: the transfer has begun, or more is to come.
    pub(super) fn is_preliminary(&self) -> bool {
        self.kind() == Kind::Begun
    }

    /// 2yz.
    pub(super) fn is_done(&self) -> bool {
        self.kind() == Kind::Done
    }

    /// The command is not known or not implemented here, whatever its argument.
    pub(super) fn is_unknown_command(&self) -> bool {
        matches!(self.code, 500 | 502 | 504 | 202)
    }

    /// There are as many sessions as the server has room for, or as this user may have.
    pub(super) fn tells_limit(&self) -> bool {
        // A limit of wrong passwords is not one of sessions.
        let about_passwords = ["attempt", "incorrect", "invalid", "wrong"];
        let about_room = [
            "too many",
            "too much",
            "maximum",
            "max.",
            "max ",
            "limit",
            "already logged",
            "already connected",
            "already in use",
            "session in use",
            "only one",
            "no more",
            "no free",
            "no available",
            "busy",
            "overload",
            "full",
            "later",
        ];
        says(&self.raw, &about_room) && !says(&self.raw, &about_passwords)
    }

    /// The server could not do its part of opening a data connection.
    pub(super) fn tells_no_data_connection(&self) -> bool {
        let words = [
            "bind",
            "listen",
            "socket",
            "data connection",
            "data channel",
            "data port",
            "address already in use",
            "no port",
            "no free port",
            "ports",
        ];
        self.kind() == Kind::ForNow && self.code == 500 || says(&self.raw, &words)
    }

    /// There is something of that name, and it may not be read.
    pub(super) fn tells_denied(&self) -> bool {
        let is_there = [
            "denied",
            "permission",
            "not permitted",
            "not allowed",
            "forbidden",
            "no access",
            "not a regular file",
            "not a plain file",
            "is a directory",
        ];
        says(&self.raw, &is_there) && !says(&self.raw, &MISSING)
    }

    pub(super) fn fault(&self) -> Fault {
        Fault::Reply {
            code: self.code,
            text: self.shown.clone(),
        }
    }

    /// What a `550` about a file that was to be read means: that there is none, unless it says that
    /// it is something else.
    pub(super) fn fault_of_file(&self) -> Fault {
        let reply = self.to_string();
        match self.tells_denied() {
            true => Fault::NotReadable { reply },
            false => Fault::NoFile { reply },
        }
    }
}

/// The word of a command that says what is to be done.
pub(super) fn verb(command: &str) -> &str {
    command.split(' ').next().unwrap_or(command)
}

const MISSING: [&str; 5] = [
    "no such",
    "not found",
    "not exist",
    "cannot find",
    "can't find",
];

/// Whether a text has one of some words, in whatever case.
fn says(text: &str, words: &[&str]) -> bool {
    let text = text.to_ascii_lowercase();
    words.iter().any(|word| text.contains(word))
}

/// Whether the server knows a command, from its answer about a name that is not there, and from that
/// about one that is: several answer a missing name with 500. `None`: only a name that is there can
/// tell.
pub(super) fn knows(about_missing: &Reply, about_existing: Option<&Reply>) -> Option<bool> {
    match about_existing {
        Some(reply) => Some(!reply.is_unknown_command()),
        None if about_missing.code == 500 => None,
        None => Some(!about_missing.is_unknown_command()),
    }
}

impl fmt::Display for Reply {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{} {}", self.code, self.shown)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn reply(line: &str) -> Reply {
        Reply::from_bytes(format!("{line}\r\n").as_bytes(), &Redact::default()).unwrap()
    }

    #[test]
    fn the_kind_follows_from_the_code() {
        for (line, kind) in [
            ("120 soon", Kind::Begun),
            ("150 go on", Kind::Begun),
            ("200 fine", Kind::Done),
            ("202 superfluous", Kind::Done),
            ("226 stored", Kind::Done),
            ("299 what", Kind::Done),
            ("331 password", Kind::GoOn),
            ("350 to what", Kind::GoOn),
            ("421 bye", Kind::ForNow),
            ("450 busy", Kind::ForNow),
            ("452 full", Kind::ForNow),
            ("499 what", Kind::ForNow),
            ("500 what?", Kind::NotKnown),
            ("500 OOPS: vsf_sysutil_bind", Kind::ForNow),
            ("501 no number", Kind::ForGood),
            ("502 not here", Kind::NotKnown),
            ("503 not now", Kind::ForGood),
            ("504 not this", Kind::NotKnown),
            ("530 no", Kind::ForGood),
            ("532 account", Kind::ForGood),
            ("550 no such file", Kind::ForGood),
            ("552 full", Kind::ForGood),
            ("553 no", Kind::ForGood),
            ("631 secret", Kind::ForGood),
        ] {
            assert_eq!(reply(line).kind(), kind, "{line}");
        }
    }

    #[test]
    fn a_command_is_unknown_when_a_name_that_is_there_does_not_help() {
        let (unknown, missing, there) = (reply("500 what?"), reply("550 no"), reply("350 to?"));
        assert_eq!(knows(&missing, None), Some(true));
        assert_eq!(knows(&unknown, None), None);
        assert_eq!(knows(&reply("502 not implemented"), None), Some(false));
        assert_eq!(knows(&unknown, Some(&there)), Some(true));
        assert_eq!(knows(&unknown, Some(&reply("502 no"))), Some(false));
        assert_eq!(knows(&missing, Some(&reply("550 busy"))), Some(true));
    }

    #[test]
    fn limits_are_told_from_wrong_passwords() {
        for limit in [
            "530 Too many users",
            "530 Sorry, the maximum number of clients (2) from your host are already connected.",
            "421 User limit reached",
            "530 User craft is already logged in",
            "530 server busy, try later",
        ] {
            assert!(reply(limit).tells_limit(), "{limit}");
        }
        for other in [
            "530 Login incorrect.",
            "530 Maximum login attempts exceeded",
            "530 who are you?",
            "530 User cannot log in.",
        ] {
            assert!(!reply(other).tells_limit(), "{other}");
        }
    }

    #[test]
    fn not_permitted_is_not_missing() {
        for denied in [
            "550 a.bin: Permission denied",
            "550 Access denied",
            "550 Operation not permitted",
            "550 /images: Not a regular file",
        ] {
            assert!(reply(denied).tells_denied(), "{denied}");
        }
        for missing in [
            "550 a.bin: No such file or directory",
            "550 Could not get file size.",
            "550 Permission denied or file not found",
        ] {
            assert!(!reply(missing).tells_denied(), "{missing}");
        }
    }

    #[test]
    fn the_last_line_is_looked_at_for_its_code() {
        assert_eq!(reply("230-hello\r\n200 MB free").ends_with, 200);
        assert_eq!(reply("230-hello\r\n230 in").ends_with, 230);
        assert_eq!(reply("230 in").ends_with, 230);
    }
}
