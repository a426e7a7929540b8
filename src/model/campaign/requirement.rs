//! Versions that an image may be put on: `>=2.1, <3`.

use std::cmp::Ordering;

use super::super::complaint::Complaint;
use super::super::procedure::Versions;
use super::super::text::quoted;

const HELP: &str =
    "write comparisons like `>=2.1` or `>=2.1, <3`, with `>=`, `>`, `<=`, `<`, `=` or `!=`";

/// All of its comparisons must hold.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Requirement(Vec<Comparison>);

#[derive(Debug, Clone, PartialEq, Eq)]
struct Comparison {
    is: Is,
    version: String,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Is {
    AtLeast,
    Above,
    AtMost,
    Below,
    Same,
    Other,
}

/// The longer ones first.
const SIGNS: [(&str, Is); 7] = [
    (">=", Is::AtLeast),
    ("<=", Is::AtMost),
    ("!=", Is::Other),
    ("==", Is::Same),
    (">", Is::Above),
    ("<", Is::Below),
    ("=", Is::Same),
];

impl Is {
    fn admits(self, order: Ordering) -> bool {
        match self {
            Self::AtLeast => order.is_ge(),
            Self::Above => order.is_gt(),
            Self::AtMost => order.is_le(),
            Self::Below => order.is_lt(),
            Self::Same => order.is_eq(),
            Self::Other => order.is_ne(),
        }
    }
}

impl Requirement {
    /// Comparisons, separated by commas or spaces.
    ///
    /// # Errors
    /// What of it is none.
    pub fn read(text: &str) -> Result<Self, Complaint> {
        let mut comparisons = Vec::new();
        let mut open: Option<Is> = None;
        let is_gap = |c: char| c == ',' || c.is_whitespace();
        for word in text.split(is_gap).filter(|word| !word.is_empty()) {
            let wrong = |what: &str| Complaint::new(format!("{} {what}", quoted(word)), HELP);
            let sign = SIGNS
                .iter()
                .find_map(|(sign, is)| Some((*is, word.strip_prefix(sign)?)));
            let (is, version) = match (open.take(), sign) {
                (None, Some((is, ""))) => {
                    open = Some(is);
                    continue;
                }
                (None, Some((is, version))) => (is, version),
                (Some(is), None) => (is, word),
                (None, None) => return Err(wrong("does not say how it is to compare")),
                (Some(_), Some(_)) => return Err(wrong("stands behind another comparison")),
            };
            if !version.starts_with(char::is_alphanumeric) {
                return Err(wrong("compares with no version"));
            }
            comparisons.push(Comparison {
                is,
                version: version.to_owned(),
            });
        }
        if open.is_some() || comparisons.is_empty() {
            let message = format!("{} compares with no version", quoted(text));
            return Err(Complaint::new(message, HELP));
        }
        Ok(Self(comparisons))
    }

    /// # Errors
    /// Versions of this kind can't be compared so, or no version is all of it.
    pub fn check(&self, versions: Versions) -> Result<(), Complaint> {
        for Comparison { version, .. } in &self.0 {
            if !versions.reads(version) {
                let kind = versions.word();
                let message = format!("{} is no version that is `{kind}`", quoted(version));
                return Err(Complaint::new(
                    message,
                    "write versions as they are under `entities`",
                ));
            }
        }
        let lower = |is: Is| matches!(is, Is::AtLeast | Is::Above | Is::Same);
        let upper = |is: Is| matches!(is, Is::AtMost | Is::Below | Is::Same);
        for low in self.0.iter().filter(|one| lower(one.is)) {
            for high in self.0.iter().filter(|one| upper(one.is)) {
                let order = versions.compare(&low.version, &high.version);
                let open = low.is == Is::Above || high.is == Is::Below;
                if order.is_some_and(|order| order.is_gt() || (open && order.is_eq())) {
                    let message = format!("no version is both {} and {}", said(low), said(high));
                    return Err(Complaint::new(
                        message,
                        "leave one of them out, or correct it",
                    ));
                }
            }
        }
        Ok(())
    }

    /// Whether an image may be put on this version; `None` where the two can't be compared.
    pub fn admits(&self, versions: Versions, version: &str) -> Option<bool> {
        let mut admitted = true;
        for one in &self.0 {
            admitted &= one.is.admits(versions.compare(version, &one.version)?);
        }
        Some(admitted)
    }
}

fn said(one: &Comparison) -> String {
    let sign = SIGNS.iter().find(|(_, is)| *is == one.is);
    format!("`{}{}`", sign.map_or("", |(sign, _)| sign), one.version)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn versions_are_admitted_by_all_comparisons() {
        let admits = |text: &str, version: &str| {
            Requirement::read(text)
                .unwrap()
                .admits(Versions::Dotted, version)
        };
        for (text, admitted, refused) in [
            (">=2.1", &["2.1", "2.10", "3"][..], &["2.0", "2"][..]),
            (">= 2.1, <3", &["2.1", "2.99"], &["3", "1.9"]),
            (">2.1 <=3 !=2.5", &["2.2", "3"], &["2.1", "2.5", "3.1"]),
            ("=2.3", &["2.3", "v2.3"], &["2.4"]),
            ("==2.3", &["2.03"], &["2.4"]),
        ] {
            for version in admitted {
                assert_eq!(admits(text, version), Some(true), "{text} {version}");
            }
            for version in refused {
                assert_eq!(admits(text, version), Some(false), "{text} {version}");
            }
        }
        let semver = Requirement::read(">=1.0.0").unwrap();
        assert_eq!(semver.admits(Versions::Semver, "2.4"), None);
    }

    #[test]
    fn what_compares_nothing_is_refused() {
        for (text, words) in [
            ("2.1", "does not say how"),
            (">=", "no version"),
            ("", "no version"),
            (" , ", "no version"),
            (">= >2", "behind another"),
            (">==2", "no version"),
            ("=>2", "no version"),
            ("~2", "does not say how"),
        ] {
            let said = Requirement::read(text).unwrap_err().to_string();
            assert!(said.contains(words), "{text}: {said}");
        }
        let checked = |text: &str, versions| {
            let read = Requirement::read(text).unwrap();
            read.check(versions).map_err(|said| said.message)
        };
        assert_eq!(checked(">=2.1 <3", Versions::Dotted), Ok(()));
        assert_eq!(checked(">=2.1 <=2.1", Versions::Dotted), Ok(()));
        for text in [">=3 <2.1", ">2.1 <2.1", ">2.1 =2.1", "=2 =3"] {
            assert!(checked(text, Versions::Dotted).is_err(), "{text}");
        }
        let said = checked(">=2.1", Versions::Semver).unwrap_err();
        assert_eq!(said, "`2.1` is no version that is `semver`");
    }
}
