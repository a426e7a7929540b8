//! The filter of the inventory page: words that an entity must match, all of them.
//!
//! | word | matches |
//! | --- | --- |
//! | `shelf1` | name, type or the value of a label that holds it |
//! | `2.3` | the same, or the version that is this one: 12.3 and 2.31 are others |
//! | `shelf1-[01-05]`, `*-07` | the whole of one of these, as a pattern |
//! | `type:adsl` `version:2.3` `group:` `state:` | the field: exactly where there is such a value, else its beginning |
//! | `name:` `address:` | the field that holds it |
//! | `site=north` | a label |
//! | `!word` | what the word does not match |
//!
//! A field whose value is not typed yet excludes nothing, and case never matters.

use crate::model::Entity;
use crate::model::names::Pattern;

/// What a filter looks at.
#[derive(Debug, Clone, Copy)]
pub(super) struct Facts<'a> {
    pub(super) entity: &'a Entity,
    /// The one that is there now, as far as is known.
    pub(super) version: &'a str,
    pub(super) address: &'a str,
    /// The groups that the entity is in.
    pub(super) groups: &'a [&'a str],
    /// `none` if it was in no run.
    pub(super) state: &'a str,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Field {
    Name,
    Type,
    Version,
    Address,
    Group,
    State,
}

const FIELDS: [(&str, Field); 6] = [
    ("name", Field::Name),
    ("type", Field::Type),
    ("version", Field::Version),
    ("address", Field::Address),
    ("group", Field::Group),
    ("state", Field::State),
];

#[derive(Debug)]
struct Word {
    excludes: bool,
    place: Place,
    value: Value,
}

#[derive(Debug)]
enum Place {
    Anywhere,
    Field(Field),
    Label(String),
}

/// In lower case.
#[derive(Debug)]
enum Value {
    Holds(String),
    Begins(String),
    Exactly(String),
    Pattern(Pattern),
}

#[derive(Debug)]
pub(super) struct Filter(Vec<Word>);

impl Filter {
    /// Reads a filter; `all` are the entities it will be asked about.
    pub(super) fn new<'a>(text: &str, all: impl Iterator<Item = Facts<'a>> + Clone) -> Self {
        let text = text.to_lowercase();
        let words = text.split_whitespace();
        Self(
            words
                .filter_map(|word| Word::new(word, all.clone()))
                .collect(),
        )
    }

    /// The words that were looked for wherever they stand, in lower case.
    pub(super) fn words(&self) -> Vec<String> {
        let words = self.0.iter().filter(|word| !word.excludes);
        let words =
            words.filter(|word| matches!(word.place, Place::Anywhere | Place::Field(Field::Name)));
        words
            .filter_map(|word| match &word.value {
                Value::Holds(text) => Some(text.clone()),
                _ => None,
            })
            .collect()
    }

    pub(super) fn matches(&self, facts: &Facts<'_>) -> bool {
        self.0
            .iter()
            .all(|word| word.matches(facts) != word.excludes)
    }
}

impl Word {
    fn new<'a>(written: &str, mut all: impl Iterator<Item = Facts<'a>>) -> Option<Self> {
        let (excludes, written) = match written.strip_prefix('!') {
            Some(rest) => (true, rest),
            None => (false, written),
        };
        let (place, value) = place_of(written);
        if value.is_empty() && !matches!(place, Place::Label(_)) {
            return None;
        }
        let pattern = value
            .contains(['*', '?', '['])
            .then(|| Pattern::wildcards(value).ok())
            .flatten()
            .filter(|pattern| pattern.has_range() || pattern.has_wildcard());
        let holds = matches!(
            place,
            Place::Anywhere | Place::Field(Field::Name | Field::Address)
        );
        let value = match pattern {
            Some(pattern) => Value::Pattern(pattern),
            None if holds => Value::Holds(value.into()),
            None => {
                let exactly = Value::Exactly(value.into());
                if all.any(|facts| place.any(&facts, |found| exactly.fits(found))) {
                    exactly
                } else {
                    Value::Begins(value.into())
                }
            }
        };
        Some(Self {
            excludes,
            place,
            value,
        })
    }

    fn matches(&self, facts: &Facts<'_>) -> bool {
        // A part of a version is another version: 10.2.3.7 is not 2.3.
        let is_version = matches!(self.place, Place::Anywhere) && self.value.is_all(facts.version);
        is_version || self.place.any(facts, |found| self.value.fits(found))
    }
}

/// `type:adsl` is about a field, `site=north` about a label, and everything else is a word: an IPv6
/// address has colons too.
fn place_of(written: &str) -> (Place, &str) {
    if let Some((key, value)) = written.split_once(':')
        && let Some((_, field)) = FIELDS.iter().find(|(name, _)| *name == key)
    {
        return (Place::Field(*field), value);
    }
    match written.split_once('=') {
        Some((key, value)) if !key.is_empty() => (Place::Label(key.into()), value),
        _ => (Place::Anywhere, written),
    }
}

impl Place {
    /// Whether one of the texts there fits.
    fn any(&self, facts: &Facts<'_>, fits: impl Fn(&str) -> bool) -> bool {
        let entity = facts.entity;
        match self {
            Self::Anywhere => {
                fits(&entity.name)
                    || fits(&entity.type_)
                    || entity.labels.values().any(|value| fits(value))
            }
            Self::Field(Field::Name) => fits(&entity.name),
            Self::Field(Field::Type) => fits(&entity.type_),
            Self::Field(Field::Version) => fits(facts.version),
            Self::Field(Field::Address) => fits(facts.address),
            Self::Field(Field::Group) => match facts.groups {
                [] => fits("none"),
                some => some.iter().any(|group| fits(group)),
            },
            Self::Field(Field::State) => fits(facts.state),
            Self::Label(key) => entity
                .labels
                .iter()
                .any(|(label, value)| label.to_lowercase() == *key && fits(value)),
        }
    }
}

impl Value {
    /// Whether it is this text from end to end.
    fn is_all(&self, text: &str) -> bool {
        match self {
            Self::Holds(value) | Self::Begins(value) | Self::Exactly(value) => {
                text.to_lowercase() == *value
            }
            Self::Pattern(pattern) => pattern.matches(&text.to_lowercase()),
        }
    }

    fn fits(&self, found: &str) -> bool {
        let found = found.to_lowercase();
        match self {
            Self::Holds(value) => found.contains(value.as_str()),
            Self::Begins(value) => found.starts_with(value.as_str()),
            Self::Exactly(value) => found == *value,
            Self::Pattern(pattern) => pattern.matches(&found),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::console::testing;
    use crate::model::names::compress;

    /// The names that a filter leaves; all are in group `adsl` or in none, `shelf1-05` has failed.
    fn left(filter: &str) -> Vec<String> {
        let inventory = testing::inventory(testing::SITE);
        let addresses: Vec<String> = inventory
            .entities
            .iter()
            .map(|entity| entity.address.to_string())
            .collect();
        let facts = |at: usize| {
            let entity = &*inventory.entities[at];
            Facts {
                entity,
                version: &entity.version,
                address: &addresses[at],
                groups: if entity.type_ == "adsl" {
                    &["adsl", "north"]
                } else {
                    &[]
                },
                state: if &*entity.name == "shelf1-05" {
                    "failed"
                } else {
                    "none"
                },
            }
        };
        let all = (0..inventory.entities.len()).map(facts);
        let filter = Filter::new(filter, all.clone());
        let names: Vec<_> = all
            .filter(|facts| filter.matches(facts))
            .map(|facts| facts.entity.name.clone())
            .collect();
        compress(&names)
    }

    #[test]
    fn words_match_what_they_say_and_all_of_them_must() {
        for (filter, names) in [
            ("", "shelf1-[01-08] shelf2-[01-05]"),
            ("SHELF2", "shelf2-[01-05]"),
            ("south", "shelf2-[01-05]"),
            // Parts of addresses and of versions are asked for as such.
            ("192.0.2.21", ""),
            (":2304", ""),
            ("address::2304", "shelf2-04"),
            ("adsl 2.3", "shelf1-[01-07]"),
            ("adsl .3", ""),
            ("2.*", "shelf1-[01-08]"),
            ("type:vdsl version:1.8", "shelf2-[03-05]"),
            ("type:vdsl !version:1.8", "shelf2-[01-02]"),
            ("!type:adsl", "shelf2-[01-05]"),
            ("type:a", "shelf1-[01-08]"),
            ("type:dsl", ""),
            ("name:1-0 !name:07", "shelf1-[01-06] shelf1-08"),
            ("address:.61", "shelf2-[01-05]"),
            ("shelf1-[02-04]", "shelf1-[02-04]"),
            ("*-05", "shelf1-05 shelf2-05"),
            ("group:adsl", "shelf1-[01-08]"),
            ("group:none", "shelf2-[01-05]"),
            ("state:failed", "shelf1-05"),
            ("state:f", "shelf1-05"),
            ("group:adsl state:none", "shelf1-[01-04] shelf1-[06-08]"),
            ("site=north", "shelf1-[01-08]"),
            ("site=s", "shelf2-[01-05]"),
            ("site=", "shelf1-[01-08] shelf2-[01-05]"),
            ("colour=", ""),
            ("!", "shelf1-[01-08] shelf2-[01-05]"),
            ("type:", "shelf1-[01-08] shelf2-[01-05]"),
            ("nothing", ""),
        ] {
            assert_eq!(left(filter).join(" "), names, "{filter}");
        }
    }

    /// A group made from `version:2` must not get those of 2.3 when there are some of 2.
    #[test]
    fn a_value_that_is_there_is_not_taken_for_a_beginning() {
        let entity = |version: &str| crate::model::testing::entity("a", version);
        let (short, long) = (entity("2"), entity("2.3"));
        let facts = |entity| Facts {
            entity,
            version: &entity.version,
            address: "",
            groups: &[],
            state: "none",
        };
        let both = [facts(&short), facts(&long)];
        let filter = Filter::new("version:2", both.iter().copied());
        assert!(filter.matches(&both[0]) && !filter.matches(&both[1]));
        let filter = Filter::new("version:2.", both.iter().copied());
        assert!(!filter.matches(&both[0]) && filter.matches(&both[1]));
    }
}
