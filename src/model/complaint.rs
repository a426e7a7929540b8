//! What is wrong with something that somebody wrote, and what to write instead.

use std::fmt;

use super::suggest::nearest;
use super::text::quoted;

/// One thing that is wrong. Where it was written is known where it was read.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Complaint {
    pub message: String,
    /// What to write instead; may be empty.
    pub help: String,
}

impl Complaint {
    pub fn new(message: impl Into<String>, help: impl Into<String>) -> Self {
        Self {
            message: message.into(),
            help: help.into(),
        }
    }
}

impl fmt::Display for Complaint {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.message)?;
        if !self.help.is_empty() {
            write!(f, " ({})", self.help)?;
        }
        Ok(())
    }
}

impl std::error::Error for Complaint {}

/// `did you mean …?`, or else what is possible.
pub(crate) fn did_you_mean<'a>(
    wanted: &str,
    candidates: impl IntoIterator<Item = &'a str> + Clone,
    otherwise: impl FnOnce() -> String,
) -> String {
    match nearest(wanted, candidates) {
        Some(found) => format!("did you mean {}?", quoted(found)),
        None => otherwise(),
    }
}

/// Some names of many, for a sentence: `` `a`, `b` and 3 more ``.
pub(crate) fn some_of<'a>(names: impl IntoIterator<Item = &'a str>) -> String {
    const FEW: usize = 3;
    let names: Vec<&str> = names.into_iter().collect();
    let few: Vec<String> = names.iter().take(FEW).map(|name| quoted(name)).collect();
    match (names.len() - few.len(), few.as_slice()) {
        (0, [first @ .., last]) if !first.is_empty() => format!("{} and {last}", first.join(", ")),
        (0, _) => few.join(", "),
        (more, _) => format!("{} and {more} more", few.join(", ")),
    }
}

#[cfg(test)]
mod tests {
    use super::some_of;

    #[test]
    fn some_of_many_names_make_a_sentence() {
        assert_eq!(some_of(["a"]), "`a`");
        assert_eq!(some_of(["a", "b"]), "`a` and `b`");
        assert_eq!(some_of(["a", "b", "c"]), "`a`, `b` and `c`");
        assert_eq!(
            some_of(["a", "b", "c", "d", "e"]),
            "`a`, `b`, `c` and 2 more"
        );
    }
}
