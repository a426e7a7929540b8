//! What replies mean, for the session and for the operator: which command one answers, and what
//! a refusal comes to at each moment.

use std::io;
use std::time::Duration;

use suppaftp::FtpError;
use suppaftp::types::Response;

use crate::model::{Failure, Fault, Login, Side, Step, text};

use super::advice;
use super::reply::{Kind, Reply};
use super::session::Session;
use crate::transport::redact::Redact;

impl Session {
    /// What a login that is refused means: a server may say the same for a wrong password and for
    /// one session too many.
    pub(super) fn login_fault(&self, reply: &Reply, login: &Login) -> Fault {
        let is_refused = matches!(reply.kind(), Kind::ForNow | Kind::ForGood | Kind::NotKnown);
        let worked = || self.quirks.has_let_in(&self.address, &login.user);
        if is_refused && reply.code != 421 && (reply.tells_limit() || worked()) {
            return busy(reply);
        }
        self.fault(reply, "the login")
    }

    pub(super) fn transfer_failure(&self, step: Step, reply: &Reply) -> Failure {
        Failure::new(step, self.transfer_fault(reply))
    }

    /// What a reply that ends a transfer badly says.
    pub(super) fn transfer_fault(&self, reply: &Reply) -> Fault {
        if reply.is_done() {
            return self.fault(reply, "the transfer");
        }
        if reply.code == 425 && self.data.went_extended && self.control.peer.is_ipv4() {
            // Something on the way may know the other command alone: the next one tries it.
            self.learn(|quirks| quirks.no_epsv = true);
        }
        match over_tls(reply).filter(|_| self.is_over_tls()) {
            Some(fault) => fault,
            None => self.fault(reply, "the transfer"),
        }
    }

    /// What a reply means that was not taken: in the server's own words, and with the setting that
    /// it waits for where they show one. What reads like a success makes no sense in its place.
    pub(super) fn fault(&self, reply: &Reply, to: &str) -> Fault {
        if matches!(reply.kind(), Kind::Begun | Kind::Done)
            || reply.kind() == Kind::GoOn && reply.code != 332
        {
            let reply = format!("{reply}, to {to}");
            return Fault::Malformed { reply };
        }
        match advice::about(reply, &self.dialect, self.is_over_tls()) {
            Some(advice) => Fault::Wants {
                code: reply.code,
                text: reply.shown.clone(),
                advice,
            },
            None => reply.fault(),
        }
    }

    /// What a refusal of the command that begins a transfer means: of the file, unless it says that
    /// it is about the data connection.
    pub(super) fn begin_fault(&self, reply: &Reply) -> Fault {
        match self.transfer_fault(reply) {
            Fault::Reply { code, .. } if code >= 500 && reply.tells_no_data_connection() => {
                busy(reply)
            }
            fault => fault,
        }
    }

    /// What a refusal means that came while a data connection was to be opened, after a good login:
    /// the server may have more ports a moment later.
    pub(super) fn data_fault(&self, reply: &Reply, to: &str) -> Fault {
        let known = self.known().opens_data;
        match reply.kind() {
            // Another protocol than that of this network (RFC 2428 section 2).
            Kind::ForGood if reply.code == 522 => self.fault(reply, to),
            Kind::ForGood => busy(reply),
            Kind::ForNow if reply.code == 500 => busy(reply),
            Kind::NotKnown if known || reply.tells_no_data_connection() || reply.tells_limit() => {
                busy(reply)
            }
            _ => self.fault(reply, to),
        }
    }
}

fn busy(reply: &Reply) -> Fault {
    Fault::Busy {
        code: reply.code,
        text: reply.shown.clone(),
    }
}

/// What a reply that ends a transfer badly says about TLS, in words of each server's own: `522` is a
/// protection that is not taken (RFC 2228), and proftpd's way to ask for the control connection's
/// session is a `425` with a system's error.
fn over_tls(reply: &Reply) -> Option<Fault> {
    let said = reply.raw.to_ascii_lowercase();
    let about_tls = ["tls", "ssl", "session reuse", "operation not permitted"];
    let is_tls = match reply.code {
        522 => true,
        425 => about_tls.iter().any(|words| said.contains(words)),
        _ => false,
    };
    is_tls.then(|| Fault::TlsSession {
        reply: reply.to_string(),
    })
}

/// What a reply that comes after a command is to it.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Meant {
    Answer,
    /// The answer, in other words than most servers': those of this code.
    As(u16),
    /// Something before it, or about what is over.
    ReadOn,
    /// A reply too many or too few has come.
    Stray,
}

/// Refusals can be meant for any command. Of the others, those that belong to another command show
/// that a reply too many has come; `echo` is the one that ended the last transfer.
pub(super) fn meant(verb: &str, code: u16, echo: Option<u16>) -> Meant {
    use Meant::{Answer, As, ReadOn, Stray};
    let is_transfer = matches!(verb, "STOR" | "RETR" | "MLSD" | "LIST" | "NLST");
    let is_login = matches!(verb, "USER" | "PASS" | "ACCT");
    // Commands whose answer is another one, however it is worded.
    let tells = matches!(
        verb,
        "SIZE" | "MDTM" | "FEAT" | "EPSV" | "PASV" | "REST" | "TYPE"
    );
    let answer = |is_answer: bool| if is_answer { Answer } else { Stray };
    match code {
        100..200 if is_transfer => Answer,
        // More is to come, also where most servers have nothing to say before the end.
        100..200 => ReadOn,
        // Some take their leave before they restart.
        221 => answer(matches!(verb, "QUIT" | "SITE")),
        227 => answer(verb == "PASV"),
        229 => answer(verb == "EPSV"),
        230 | 232 => answer(is_login),
        225 | 226 if echo.is_some() => ReadOn,
        226 => answer(is_transfer),
        250 if echo == Some(250) && tells => ReadOn,
        220 | 225 => Stray,
        200 | 250 if is_transfer => Answer,
        200 | 250 if verb == "RNFR" => As(350),
        200..300 => answer(!is_transfer),
        331 | 332 if is_login => Answer,
        350 => answer(matches!(verb, "RNFR" | "REST")),
        _ => answer((400..600).contains(&code)),
    }
}

pub(super) fn no_reply(command: &str, after: Duration) -> Fault {
    Fault::NoReply {
        command: command.into(),
        after,
    }
}

/// What an error of the control connection means.
pub(super) fn lost(error: &io::Error) -> Fault {
    let reason = match error.kind() {
        io::ErrorKind::UnexpectedEof => "the server closed it".into(),
        io::ErrorKind::InvalidData => {
            let reply = error.to_string();
            return Fault::Malformed { reply };
        }
        _ => error.to_string(),
    };
    Fault::Lost {
        side: Side::Control,
        reason,
    }
}

pub(super) fn malformed(response: &Response, redact: &Redact) -> Fault {
    Fault::Malformed {
        reply: text::shown(&redact.hide(&String::from_utf8_lossy(&response.body))),
    }
}

/// What suppaftp says, in our words.
pub(super) fn fault_of(error: FtpError, redact: &Redact) -> Fault {
    match error {
        // In place of a greeting, or of the agreement to TLS.
        FtpError::UnexpectedResponse(response) => match Reply::from_response(&response, redact) {
            Some(reply) if reply.code != 421 && reply.tells_limit() => busy(&reply),
            Some(reply) => reply.fault(),
            None => malformed(&response, redact),
        },
        FtpError::ConnectionError(error) if error.kind() == io::ErrorKind::InvalidInput => {
            Fault::Local(error.to_string())
        }
        FtpError::ConnectionError(error) => match lost(&error) {
            Fault::Malformed { reply } => Fault::Malformed {
                reply: redact.hide(&reply),
            },
            fault => fault,
        },
        FtpError::BadResponse => Fault::Malformed {
            reply: "it has no code".into(),
        },
        other => Fault::Local(other.to_string()),
    }
}
