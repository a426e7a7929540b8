//! What the console says under the page.

use std::fmt::Display;

/// One line under the page, until the next key.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Message {
    pub(crate) text: String,
    pub(crate) is_error: bool,
}

impl Message {
    pub(crate) fn new(text: impl Into<String>) -> Self {
        Self {
            text: text.into(),
            is_error: false,
        }
    }

    /// What can't be done, or went wrong.
    pub(crate) fn complaint(cause: impl Display) -> Self {
        Self {
            text: cause.to_string(),
            is_error: true,
        }
    }
}
