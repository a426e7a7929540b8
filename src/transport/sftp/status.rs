//! What a status means.

use crate::model::text::shown;
use crate::model::{Failure, Fault, Step};
use crate::transport::{Refusal, RefusalKind, Reply};

use super::wire;

/// An answer that is no success.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Status {
    pub(super) code: u32,
    /// Fit to be shown.
    pub(super) text: String,
}

impl Status {
    /// With its code, where its text is none or says no more than that.
    pub(super) fn said(&self) -> String {
        let meaning = match self.code {
            wire::EOF => "end of file",
            wire::NO_SUCH_FILE => "no such file",
            wire::PERMISSION_DENIED => "permission denied",
            wire::FAILURE => "failure",
            wire::BAD_MESSAGE => "bad message",
            wire::UNSUPPORTED => "operation unsupported",
            _ => "an error",
        };
        match shown(&self.text) {
            text if text.is_empty() || text.eq_ignore_ascii_case(meaning) => {
                format!("{meaning} (code {})", self.code)
            }
            text => format!("{text} (code {})", self.code),
        }
    }

    pub(super) fn is_unknown(&self) -> bool {
        self.code == wire::UNSUPPORTED
    }

    /// Only the words can show it.
    fn may_pass(&self) -> bool {
        let text = self.text.to_ascii_lowercase();
        let is_said = ["try again", "busy", "temporar", "too many", "in use"];
        self.code == wire::FAILURE && is_said.iter().any(|words| text.contains(words))
    }

    pub(super) fn fault(&self) -> Fault {
        Fault::Answer {
            said: self.said(),
            may_pass: self.may_pass(),
        }
    }

    /// What it means where a file was asked for.
    pub(super) fn fault_of_file(&self) -> Fault {
        let reply = format!("the server said {}", self.said());
        match self.code {
            wire::NO_SUCH_FILE => Fault::NoFile { reply },
            wire::PERMISSION_DENIED => Fault::NotReadable { reply },
            _ => self.fault(),
        }
    }

    /// What it means where a file was to be written in a directory.
    pub(super) fn fault_of_directory(&self, directory: &str) -> Fault {
        let reply = format!("the server said {}", self.said());
        let directory = directory.to_owned();
        match self.code {
            wire::NO_SUCH_FILE => Fault::NoDirectory { directory, reply },
            wire::PERMISSION_DENIED => Fault::NotWritable { directory, reply },
            _ => self.fault(),
        }
    }

    pub(super) fn refusal(&self, step: Step) -> Reply {
        let kind = match self.code {
            wire::UNSUPPORTED => RefusalKind::NotKnown,
            wire::NO_SUCH_FILE if step == Step::Rename => RefusalKind::NoSource,
            _ if self.may_pass() => RefusalKind::ForNow,
            _ => RefusalKind::ForGood,
        };
        let failure = Failure::new(step, self.fault());
        Reply::Refused(Refusal { failure, kind })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn codes_and_words_are_told_apart() {
        let status = |code, text: &str| Status {
            code,
            text: text.into(),
        };
        assert_eq!(status(4, "No space left").said(), "No space left (code 4)");
        assert_eq!(status(4, "").said(), "failure (code 4)");
        assert_eq!(status(2, "No such file").said(), "no such file (code 2)");
        assert_eq!(status(17, "").said(), "an error (code 17)");
        let kind = |code, text, step| match status(code, text).refusal(step) {
            Reply::Refused(refusal) => refusal.kind,
            Reply::Done => panic!("done"),
        };
        assert_eq!(kind(4, "Failure", Step::Rename), RefusalKind::ForGood);
        assert_eq!(kind(4, "device busy", Step::Rename), RefusalKind::ForNow);
        assert_eq!(kind(8, "", Step::Rename), RefusalKind::NotKnown);
        assert_eq!(kind(2, "", Step::Rename), RefusalKind::NoSource);
        assert_eq!(kind(2, "", Step::Discard), RefusalKind::ForGood);
        assert_eq!(kind(3, "busy", Step::Discard), RefusalKind::ForGood);
    }
}
