//! Why a command ended before it did what it is for, in words, and the exit code that says so.

use std::fmt::Display;
use std::io;

use thiserror::Error;
use tokio::task::JoinError;

use super::args::NoConsole;
use super::ask::AskError;
use super::console::NoScreen;
use super::saved_groups::KeepError;
use super::state_dir::NoHome;
use super::write_file::WriteError;
use crate::headless;
use crate::inventory::InventoryErrors;
use crate::journal::{JournalError, NoRun};
use crate::remote::{PlaceError, RemoteError};

#[derive(Debug, Error)]
#[error("{message}")]
pub struct Failed {
    pub code: u8,
    message: String,
}

impl Failed {
    pub(super) fn new(code: u8, error: impl Display) -> Self {
        let message = error.to_string();
        Self { code, message }
    }

    /// The command line or the inventory is wrong.
    pub(super) fn usage(error: impl Display) -> Self {
        Self::new(headless::USAGE, error)
    }

    /// Something else is.
    pub(super) fn other(error: impl Display) -> Self {
        Self::new(headless::NOT_DELIVERED, error)
    }
}

impl From<InventoryErrors> for Failed {
    fn from(errors: InventoryErrors) -> Self {
        Self::usage(format!("the inventory is wrong\n\n{errors}"))
    }
}

impl From<AskError> for Failed {
    fn from(error: AskError) -> Self {
        match error {
            AskError::Interrupted { .. } => Self::new(headless::CANCELLED, error),
            _ => Self::usage(error),
        }
    }
}

/// Errors that have one exit code wherever they come from.
macro_rules! ends_with {
    ($code:ident: $($error:ty),+) => {
        $(impl From<$error> for Failed {
            fn from(error: $error) -> Self {
                Self::new(headless::$code, error)
            }
        })+
    };
}

ends_with!(USAGE: KeepError, NoConsole, NoHome, NoRun, NoScreen);
ends_with!(NOT_DELIVERED: io::Error, serde_json::Error, JoinError, JournalError, PlaceError, RemoteError, WriteError);
