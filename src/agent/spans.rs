//! What lines of the log are about: spans `group`, `entity` and `pass`, one for a group's run, one for
//! an attempt, one for a pass, never one for a block. The log page knows them by these names.
//!
//! They are errors so that a filter which lets any line through keeps what the line is about.

use std::fmt::Display;

use tracing::{Span, error_span};

const TARGET: &str = "subtend";

pub(crate) fn group(name: impl Display) -> Span {
    error_span!(target: TARGET, "group", %name)
}

pub(crate) fn entity(name: impl Display) -> Span {
    error_span!(target: TARGET, "entity", %name)
}

pub(crate) fn pass(number: u32) -> Span {
    error_span!(target: TARGET, "pass", number)
}
