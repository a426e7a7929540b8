//! Patterns and templates as they are written in steps.

use crate::model::procedure::{Pattern, Placeholder, Template};

use super::super::error::{Complaint, Problems, quoted};
use super::super::fields::list;
use super::super::tree::Node;
use super::super::values;

const PATTERN_HELP: &str = "write a regular expression in single quotes, like 'Version (?<version>\\S+)'; a \
                            backslash before a sign like `(`, `[`, `+`, `?` or `.` means the sign itself";

/// A regular expression.
pub(super) fn pattern(problems: &mut Problems, node: &Node, key: &str) -> Option<Pattern> {
    let written = values::text(problems, node, key)?;
    problems.ok(&node.span, read_pattern(written))
}

/// One that is to be recognised in what a device shows at the end of a line.
pub(super) fn shown(problems: &mut Problems, node: &Node, key: &str) -> Option<Pattern> {
    let pattern = pattern(problems, node, key)?;
    if !pattern.regex().is_match("") {
        return Some(pattern);
    }
    let message = format!(
        "the pattern {} fits where nothing is shown",
        quoted(pattern.as_str())
    );
    let help = "write at least one character that has to be there, like '[#>] ?$'";
    problems.refuse(&node.span, message, help)
}

fn read_pattern(text: &str) -> Result<Pattern, Complaint> {
    text.parse().map_err(|error: regex::Error| {
        let message = format!("{} is not a pattern: {}", quoted(text), in_short(&error));
        Complaint::new(message, PATTERN_HELP)
    })
}

/// The library's words take lines, and show the pattern again.
fn in_short(error: &regex::Error) -> String {
    match error {
        regex::Error::CompiledTooBig(_) => "what it stands for is too large".into(),
        error => {
            let said = error.to_string();
            let last = said.lines().next_back().unwrap_or("");
            last.trim_start_matches("error: ").to_owned()
        }
    }
}

/// Text with placeholders, on one line.
pub(super) fn template(problems: &mut Problems, node: &Node, key: &str) -> Option<Template> {
    let written = values::label(problems, node, key)?;
    problems.ok(&node.span, Template::parse(&written))
}

/// The named group of a pattern that is compared.
pub(super) fn compared(pattern: &Pattern) -> Result<&str, Complaint> {
    let groups: Vec<&str> = pattern.groups().collect();
    match groups[..] {
        [one] => Ok(one),
        [] => Err(Complaint::new(
            "`is` without a named group in `expect`: there is nothing to compare",
            "write `(?<version>…)` around what is to be compared, like 'Version (?<version>\\S+)'",
        )),
        _ if groups.contains(&"version") => Ok("version"),
        _ => Err(Complaint::new(
            format!(
                "`expect` has the named groups {}, and `is` is compared with one",
                list(&groups)
            ),
            "call the one that is to be compared `version`: `(?<version>…)`",
        )),
    }
}

/// Whether a file may be kept under this name, below the state directory.
pub(super) fn check_kept(name: &Template) -> Result<(), Complaint> {
    let text = name.as_str();
    let like = "write a path below the state directory, like `backup/{entity}-{run}.cfg`";
    let wrong = |why: &str| Err(Complaint::new(format!("{} {why}", quoted(text)), like));
    if text.starts_with(['/', '~']) || name.placeholders().any(|one| *one == Placeholder::Path) {
        return wrong("is not below the state directory");
    }
    if text.split(['/', '\\']).any(|part| part == "..") {
        return wrong("leaves the state directory with `..`");
    }
    if text.ends_with('/') || text.split('/').any(|part| part.is_empty() || part == ".") {
        return wrong("does not name a file");
    }
    if !name.placeholders().any(|one| *one == Placeholder::Entity) {
        return wrong("is the same file for every entity: each would write over the one before");
    }
    Ok(())
}
