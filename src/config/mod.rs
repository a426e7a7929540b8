//! The operator's settings: a YAML file, variables and options, of which the later ones win; and the file that says what
//! is in force.
//!
//! - `settings`: what there is to be set, and where each value comes from
//! - `place`: which file is read
//! - `written`, `keys`: the file, every error at once; `words`: what single values mean, wherever they are written
//! - `given`: variables and options
//! - `print`: the settings as a file
//!
//! All is optional, and nothing of it changes what is delivered to whom: it is about the console alone.

mod given;
mod keys;
mod place;
mod print;
mod settings;
#[cfg(test)]
mod tests;
mod words;
mod written;

use std::path::Path;

use thiserror::Error;

use crate::inventory;
use crate::model::complaint::Complaint;
use crate::yaml::{self, Errors, Kind};

pub(crate) use given::Given;
pub(crate) use place::Place;
pub(crate) use print::print;
pub(crate) use settings::{Config, Zone};
pub(crate) use words::{theme, zone};

use written::Written;

const KIND: Kind = Kind {
    what: "file of settings",
    largest: 64 << 10,
    most_nodes: 10_000,
    shorter: "settings are few; do not nest aliases",
    missing: "name the file of settings with `--config FILE` or in SUBTEND_CONFIG, or leave both out",
    folder: "name the file in it",
};

/// What is wrong with the settings.
#[derive(Debug, Error)]
pub(crate) enum ConfigError {
    #[error("the settings are wrong\n\n{0}")]
    File(#[from] Errors),
    #[error("{name} is wrong: {complaint}")]
    Variable {
        name: &'static str,
        complaint: Complaint,
    },
}

/// The settings that are in force.
///
/// # Errors
/// All that is wrong with the file, or a variable; a file that was named is not there.
pub(crate) fn load(
    place: &Place,
    given: &Given,
    variable: impl Fn(&str) -> Option<String>,
) -> Result<Config, ConfigError> {
    let written = match place.to_read() {
        Some(file) => parse(&yaml::read_text(file, &KIND)?, file)?,
        None => Written::default(),
    };
    Config::new(written, given, variable)
}

/// Reads the text of a file; `file` is named in errors.
///
/// # Errors
/// All that is wrong, sorted by position.
fn parse(text: &str, file: &Path) -> Result<Written, Errors> {
    let mut problems = yaml::error::Problems::default();
    let written = yaml::tree::parse(text, &KIND, &mut problems)
        .map(|root| written::read(&root, &mut problems));
    match written {
        Some(written) if problems.is_empty() => Ok(written),
        // Another file may have been named by mistake.
        _ => Err(problems.into_errors(file, text, &|start, line| {
            inventory::may_be_secret(text, start, line)
        })),
    }
}
