//! A regular expression of the inventory, which is held against what a device sends.

use std::fmt;
use std::str::FromStr;

use regex::{Regex, RegexBuilder};

/// Bytes of a compiled pattern: `\w{1000}{1000}` in an inventory must not take the memory of the host.
const LARGEST: usize = 1 << 20;

/// A regular expression. Searching takes time linear in the text, so that no device can make it slow.
#[derive(Clone)]
pub struct Pattern(Regex);

impl Pattern {
    pub fn regex(&self) -> &Regex {
        &self.0
    }

    pub fn as_str(&self) -> &str {
        self.0.as_str()
    }

    /// The names of its groups, in order.
    pub fn groups(&self) -> impl Iterator<Item = &str> {
        self.0.capture_names().flatten()
    }
}

impl FromStr for Pattern {
    type Err = regex::Error;

    fn from_str(text: &str) -> Result<Self, regex::Error> {
        let mut builder = RegexBuilder::new(text);
        builder.size_limit(LARGEST).dfa_size_limit(LARGEST);
        builder.build().map(Self)
    }
}

impl PartialEq for Pattern {
    fn eq(&self, other: &Self) -> bool {
        self.as_str() == other.as_str()
    }
}

impl Eq for Pattern {}

impl fmt::Debug for Pattern {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "Pattern({:?})", self.as_str())
    }
}

#[cfg(test)]
mod tests {
    use super::Pattern;

    #[test]
    fn a_pattern_that_would_be_huge_is_refused() {
        assert!(r"\w{1000}{1000}".parse::<Pattern>().is_err());
        assert!("(".parse::<Pattern>().is_err());
    }

    #[test]
    fn groups_have_their_names() {
        let pattern: Pattern = r"(\d+) (?<version>\S+) (?P<bank>[AB])".parse().unwrap();
        assert_eq!(pattern.groups().collect::<Vec<_>>(), ["version", "bank"]);
    }
}
