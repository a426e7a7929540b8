//! Names and destination files that two entries can't both have.

use std::collections::HashMap;

use crate::model::{Address, RemotePath};

use super::error::{Problems, Span, quoted, some_of};

/// The names and destination files that earlier entries have, and the lines of those entries.
#[derive(Default)]
pub(super) struct Taken {
    names: HashMap<String, usize>,
    /// By host, port and path.
    files: HashMap<(String, u16, RemotePath), (String, usize)>,
}

impl Taken {
    pub(super) fn claim_names(&mut self, problems: &mut Problems, at: &Span, names: &[String]) {
        let mut again = Vec::new();
        let mut first = 0;
        for name in names {
            match self.names.get(name) {
                Some(line) => {
                    first = if again.is_empty() { *line } else { first };
                    again.push(name.as_str());
                }
                None => {
                    self.names.insert(name.clone(), at.line);
                }
            }
        }
        if !again.is_empty() {
            problems.report(
                at,
                format!("duplicate name: {}", some_of(again)),
                format!(
                    "the entry in line {first} makes it already: every entity has its own name"
                ),
            );
        }
    }

    pub(super) fn claim_files(
        &mut self,
        problems: &mut Problems,
        at: &Span,
        names: &[String],
        files: &[(&Address, &RemotePath)],
    ) {
        let mut reported = false;
        for (name, (address, path)) in names.iter().zip(files) {
            let file = (
                address.host.to_ascii_lowercase(),
                address.port,
                RemotePath::clone(path),
            );
            match self.files.get(&file) {
                // The same name twice is reported as such.
                Some((other, _)) if other == name || reported => {}
                Some((other, line)) => {
                    problems.report(
                        at,
                        format!(
                            "{} would write the same file as {} (line {line}): {} on {address}",
                            quoted(name),
                            quoted(other),
                            quoted(path.as_str()),
                        ),
                        "give one of them another `address` or `path`",
                    );
                    reported = true;
                }
                None => {
                    self.files.insert(file, (name.clone(), at.line));
                }
            }
        }
    }
}
