//! A server's reply (RFC 959 section 4.2), with its text made fit to be shown.

use std::fmt;

use suppaftp::types::Response;

use crate::model::{Fault, text};

#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Reply {
    pub(super) code: u16,
    /// Everything after the first line's code, as it came.
    pub(super) raw: String,
}

impl Reply {
    /// The code comes from the reply's own bytes: suppaftp calls codes that it does not know 0.
    pub(super) fn from_response(response: &Response) -> Option<Self> {
        let text = String::from_utf8_lossy(&response.body);
        let code = text.get(..3)?.parse().ok()?;
        let raw = text.get(3..).unwrap_or_default();
        Some(Self {
            code,
            // One separator alone: `213 -1` is not a size of 1.
            raw: raw
                .strip_prefix(['-', ' '])
                .unwrap_or(raw)
                .trim()
                .to_owned(),
        })
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
            text: text::shown(&self.raw),
        }
    }
}

impl fmt::Display for Reply {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{} {}", self.code, text::shown(&self.raw))
    }
}
