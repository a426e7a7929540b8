//! What an update asks of the world outside; carried out by the loop, never by the update itself.

use crate::model::ReportFormat;
use crate::protocol::{Command, GroupSpec};

#[derive(Debug, Clone, PartialEq)]
pub(crate) enum Effect {
    /// To the engine, in this order.
    Send(Vec<Command>),
    /// The groups made here, all of them, are to be there when the console is opened again.
    Keep(Vec<GroupSpec>),
    /// Write this text to a file of this name, which must not exist yet.
    Write {
        file: String,
        text: String,
    },
    /// To the clipboard of the terminal.
    Copy(String),
    /// Write a report of this run to a file of this name, or like it where that is taken.
    Report {
        run: String,
        format: ReportFormat,
        file: String,
    },
    /// Past runs are to be read.
    ReadHistory,
    /// One of them whole, in lines of this number of columns.
    OpenRun {
        run: String,
        columns: usize,
    },
    Suspend,
    Redraw,
    /// Leave; what runs is cancelled first if `cancel`.
    Quit {
        cancel: bool,
    },
}
