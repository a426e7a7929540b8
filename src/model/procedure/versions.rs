//! How the versions of a type of devices compare.

use std::cmp::Ordering;

/// How versions are compared.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub enum Versions {
    /// Numbers between dots, with whatever letters: `2.10` is newer than `2.9`, `2.4a` than `2.4`.
    Dotted,
    /// Semantic Versioning 2.0.0, section 11.
    Semver,
    /// A date, its greater units first, with or without separators.
    Date,
    /// Only whether they are the same.
    #[default]
    None,
}

impl Versions {
    pub const ALL: [(&'static str, Self); 4] = [
        ("dotted", Self::Dotted),
        ("semver", Self::Semver),
        ("date", Self::Date),
        ("none", Self::None),
    ];

    /// As it is written in an inventory.
    pub fn word(self) -> &'static str {
        let found = Self::ALL.iter().find(|(_, one)| *one == self);
        found.map_or("none", |(word, _)| word)
    }

    /// Whether a version is of this kind, so that it can be compared.
    pub fn reads(self, version: &str) -> bool {
        match self {
            Self::Dotted => true,
            Self::Semver => semver(version).is_some(),
            Self::Date => date(version).is_some(),
            Self::None => false,
        }
    }

    /// `None` where the two can't be compared.
    pub fn compare(self, a: &str, b: &str) -> Option<Ordering> {
        match self {
            _ if a == b => Some(Ordering::Equal),
            Self::Dotted => Some(runs(a).cmp(&runs(b))),
            Self::Semver => Some(semver(a)?.cmp(&semver(b)?)),
            Self::Date => Some(date(a)?.cmp(&date(b)?)),
            Self::None => None,
        }
    }
}

/// A run of digits or of other characters. A number sorts behind text, as `2.4.1` is newer than `2.4-rc`.
#[derive(Debug, PartialEq, Eq, PartialOrd, Ord)]
enum Run {
    Text(String),
    /// Without leading zeros; the length comes first.
    Number(usize, String),
}

fn runs(version: &str) -> Vec<Run> {
    let mut runs = Vec::new();
    let mut rest = version.trim_start_matches(['v', 'V']);
    while let Some(first) = rest.chars().next() {
        let digits = first.is_ascii_digit();
        let end = rest.find(|c: char| c.is_ascii_digit() != digits);
        let (run, behind) = rest.split_at(end.unwrap_or(rest.len()));
        match digits {
            true => {
                let number = run.trim_start_matches('0');
                runs.push(Run::Number(number.len(), number.to_owned()));
            }
            // What only separates says nothing.
            false => {
                let text = run.trim_matches(|c: char| !c.is_alphanumeric());
                if !text.is_empty() {
                    runs.push(Run::Text(text.to_owned()));
                }
            }
        }
        rest = behind;
    }
    runs
}

/// An identifier of a pre-release: numbers sort before text.
#[derive(Debug, PartialEq, Eq, PartialOrd, Ord)]
enum Identifier {
    Number(u64),
    Text(String),
}

/// A release sorts behind its pre-releases.
#[derive(Debug, PartialEq, Eq, PartialOrd, Ord)]
enum Release {
    Before(Vec<Identifier>),
    Itself,
}

fn semver(version: &str) -> Option<([u64; 3], Release)> {
    let version = version
        .split_once('+')
        .map_or(version, |(version, _)| version);
    let (core, before) = match version.split_once('-') {
        Some((core, before)) => (core, Some(before)),
        None => (version, None),
    };
    let mut numbers = core.split('.').map(number);
    let core = [numbers.next()??, numbers.next()??, numbers.next()??];
    if numbers.next().is_some() {
        return None;
    }
    let release = match before {
        None => Release::Itself,
        Some(before) => {
            let identifiers = before
                .split('.')
                .map(|identifier| match number(identifier) {
                    Some(number) => Some(Identifier::Number(number)),
                    None if identifier.is_empty() => None,
                    None => Some(Identifier::Text(identifier.to_owned())),
                });
            Release::Before(identifiers.collect::<Option<_>>()?)
        }
    };
    Some((core, release))
}

fn number(text: &str) -> Option<u64> {
    let is_number = !text.is_empty() && text.bytes().all(|byte| byte.is_ascii_digit());
    text.parse().ok().filter(|_| is_number)
}

/// The digits of a date, which sort as it does.
fn date(version: &str) -> Option<String> {
    let separates = |c: char| matches!(c, '-' | '.' | '/' | ' ' | ':' | 'T');
    let mut parts = version.split(separates).filter(|part| !part.is_empty());
    let padded = parts.try_fold(String::new(), |all, part| {
        number(part)?;
        // `2026-1-2` and `2026-01-02` are the same day.
        Some(format!("{all}{part:0>2}"))
    })?;
    (padded.len() >= 8).then_some(padded)
}

#[cfg(test)]
mod tests {
    use super::*;

    /// Each list in ascending order: every pair is compared both ways.
    fn ascends(how: Versions, list: &[&str]) {
        for (i, a) in list.iter().enumerate() {
            for (j, b) in list.iter().enumerate() {
                assert_eq!(how.compare(a, b), Some(i.cmp(&j)), "{a} {b}");
            }
        }
    }

    #[test]
    fn versions_sort_as_their_makers_mean_them() {
        ascends(
            Versions::Dotted,
            &["2.3", "2.4", "2.4a", "2.4.1", "2.9", "2.10", "2.10.0", "10"],
        );
        // Section 11 of Semantic Versioning 2.0.0 has this list.
        ascends(
            Versions::Semver,
            &[
                "1.0.0-alpha",
                "1.0.0-alpha.1",
                "1.0.0-alpha.beta",
                "1.0.0-beta",
                "1.0.0-beta.2",
                "1.0.0-beta.11",
                "1.0.0-rc.1",
                "1.0.0",
                "2.0.0",
                "2.1.0",
                "2.1.1",
            ],
        );
        ascends(
            Versions::Date,
            &["2025-12-31", "2026-01-02", "20260103", "2026-1-4"],
        );
    }

    #[test]
    fn what_is_no_such_version_is_not_compared() {
        for (how, version) in [
            (Versions::Semver, "2.4"),
            (Versions::Semver, "1.0.0-"),
            (Versions::Date, "spring"),
            (Versions::Date, "2026"),
            (Versions::None, "2.4"),
        ] {
            assert_eq!(how.compare(version, "1.0.0"), None, "{how:?} {version}");
            assert_eq!(how.compare(version, version), Some(Ordering::Equal));
        }
        assert_eq!(
            Versions::Semver.compare("1.0.0+a", "1.0.0+b"),
            Some(Ordering::Equal)
        );
        assert_eq!(
            Versions::Dotted.compare("v2.04", "2.4"),
            Some(Ordering::Equal)
        );
    }
}
