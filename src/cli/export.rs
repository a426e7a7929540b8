//! `subtend export`: a past run as a report, on standard output or in a file; and the same for the console.

use std::path::{Path, PathBuf};

use jiff::Timestamp;
use jiff::tz::TimeZone;

use super::args::ExportArgs;
use super::history::{find, whole};
use super::write_file::{Existing, WriteError, write_whole};
use super::{Failed, printed};
use crate::headless;
use crate::journal::{Journal, RunWhole};
use crate::model::text::shown;
use crate::model::{ReportFormat, units};
use crate::report::{Made, Report, written};

/// Writes it, or prints it: the exit code.
///
/// # Errors
/// There is no such run, the journal can't be read, or the file not written.
pub(super) fn export(args: &ExportArgs, state_dir: &Path) -> Result<u8, Failed> {
    let none = || {
        Failed::usage(format!(
            "no run was recorded in {} yet",
            state_dir.display()
        ))
    };
    let journal = Journal::open(state_dir)?.ok_or_else(none)?;
    let run = match &args.run {
        Some(prefix) => find(&journal, prefix)?,
        None => journal.runs(Some(1))?.pop().ok_or_else(none)?.run,
    };
    let text = report(whole(&journal, &run)?, args.format.format());
    match &args.output {
        None => printed(&text),
        Some(file) => {
            write_whole(file, &text, Existing::Replace)?;
            Ok(headless::OK)
        }
    }
}

fn report(run: RunWhole, format: ReportFormat) -> String {
    written(&Report::of(run, made()), format)
}

/// For the console: writes it to a file of this name, or of one with a number behind it where there is such a file, and
/// says where it is and how large.
///
/// # Errors
/// As [`export`].
pub(super) fn export_new(
    run: &str,
    format: ReportFormat,
    file: &Path,
    state_dir: &Path,
) -> Result<String, Failed> {
    let unknown = || {
        Failed::usage(format!(
            "the journal in {} does not know run {}: it is of another host, or could not be recorded",
            state_dir.display(),
            shown(run)
        ))
    };
    let journal = Journal::open(state_dir)?.ok_or_else(unknown)?;
    let text = report(journal.run(run)?.ok_or_else(unknown)?, format);
    let path = write_new(file, &text)?;
    let [name, folder] = [path.file_name().map(Path::new), path.parent()]
        .map(|part| shown(&part.unwrap_or(Path::new("")).display().to_string()));
    let size = units::size(text.len() as u64);
    // A long path would be cut at its end.
    Ok(format!("written: {name} ({size}) in {folder}"))
}

fn write_new(file: &Path, text: &str) -> Result<PathBuf, WriteError> {
    /// As many reports of one run are enough.
    const MOST: usize = 100;
    let mut written = write_whole(file, text, Existing::Keep);
    let mut number = 2;
    while matches!(written, Err(WriteError::Exists(_))) && number < MOST {
        written = write_whole(&numbered(file, number), text, Existing::Keep);
        number += 1;
    }
    written
}

/// `report-2.html`.
fn numbered(file: &Path, number: usize) -> PathBuf {
    let mut name = file.file_stem().unwrap_or_default().to_owned();
    name.push(format!("-{number}"));
    if let Some(end) = file.extension() {
        name.push(".");
        name.push(end);
    }
    file.with_file_name(name)
}

/// Now, in the time of this host.
pub(super) fn made() -> Made {
    Made {
        at: Timestamp::now(),
        zone: TimeZone::system(),
    }
}
