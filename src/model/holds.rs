//! What an entity holds when a run is done with it.

use std::fmt;

use serde::{Deserialize, Serialize};

/// What stands under the entity's final name, as far as is known.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum Holds {
    /// What stood there before this run; also where nothing did.
    Old,
    /// The image of this run, proven or confirmed as strongly as the mode asks.
    New,
    /// Nothing, or nothing that is known; a whole and checked copy of the image stands under the
    /// staging name.
    NewStaged,
    /// Nothing: neither the old file nor the image.
    Nothing,
    Unknown,
}

impl Holds {
    pub const ALL: [Self; 5] = [
        Self::Old,
        Self::New,
        Self::NewStaged,
        Self::Nothing,
        Self::Unknown,
    ];

    pub fn as_str(self) -> &'static str {
        match self {
            Self::Old => "old",
            Self::New => "new",
            Self::NewStaged => "new-staged",
            Self::Nothing => "nothing",
            Self::Unknown => "unknown",
        }
    }

    /// Of a word as it stands in JSON and in the journal.
    pub fn of(word: &str) -> Option<Self> {
        Self::ALL.into_iter().find(|one| one.as_str() == word)
    }

    /// A sentence's end, of an entity.
    pub fn words(self) -> &'static str {
        match self {
            Self::Old => "it holds what it held before",
            Self::New => "it holds the image",
            Self::NewStaged => {
                "the whole image is on it, under the staging name; the next run puts it in place"
            }
            Self::Nothing => "it holds no image",
            Self::Unknown => "what it holds is not known",
        }
    }
}

impl fmt::Display for Holds {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.pad(self.as_str())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_words_are_those_of_json() {
        for holds in Holds::ALL {
            let json = serde_json::to_string(&holds).unwrap();
            assert_eq!(json, format!("\"{holds}\""));
            assert_eq!(Holds::of(holds.as_str()), Some(holds));
        }
        assert_eq!(Holds::of("odd"), None);
    }
}
