//! A server's reply (RFC 959 section 4.2), with its text made fit to be shown.

use std::fmt;

use suppaftp::types::Response;

use crate::model::{Fault, text};

use super::redact::Redact;

#[derive(Debug, Clone)]
pub(super) struct Reply {
    pub(super) code: u16,
    /// Everything after the first line's code, as it came.
    pub(super) raw: String,
    /// The same for people, without the password of its session.
    pub(super) shown: String,
}

impl Reply {
    /// The code comes from the reply's own bytes: suppaftp calls codes that it does not know 0.
    pub(super) fn from_response(response: &Response, redact: &Redact) -> Option<Self> {
        let text = String::from_utf8_lossy(&response.body);
        let code = text.get(..3)?.parse().ok()?;
        let raw = text.get(3..).unwrap_or_default();
        // One separator alone: `213 -1` is not a size of 1.
        let raw = raw.strip_prefix(['-', ' ']).unwrap_or(raw).trim();
        Some(Self::new(code, raw, redact))
    }

    pub(super) fn new(code: u16, raw: &str, redact: &Redact) -> Self {
        Self {
            code,
            raw: raw.to_owned(),
            shown: text::shown(&redact.hide(raw)),
        }
    }

    /// 1yz: the transfer has begun, or more is to come.
    pub(super) fn is_preliminary(&self) -> bool {
        (100..200).contains(&self.code)
    }

    /// 2yz.
    pub(super) fn is_done(&self) -> bool {
        (200..300).contains(&self.code)
    }

    /// The command is not known or not implemented here, whatever its argument.
    pub(super) fn is_unknown_command(&self) -> bool {
        matches!(self.code, 500 | 502 | 504 | 202)
    }

    pub(super) fn fault(&self) -> Fault {
        Fault::Reply {
            code: self.code,
            text: self.shown.clone(),
        }
    }
}

impl fmt::Display for Reply {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{} {}", self.code, self.shown)
    }
}
