//! Text with placeholders, which are filled in for one entity of one run.

use std::collections::BTreeMap;
use std::fmt;

use super::super::Complaint;
use super::super::complaint::did_you_mean;
use super::super::text::quoted;

/// What stands for a value that differs between entities or runs.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord)]
pub enum Placeholder {
    Entity,
    /// The host of the entity's address, without its port.
    Address,
    Path,
    /// The image's name in the inventory.
    Image,
    /// The image's version.
    Version,
    /// The version that the entity had before.
    Previous,
    Run,
    /// Where a device fetches the image from.
    Url,
    /// The host of the url.
    Server,
    /// The port of the url.
    Port,
    /// What follows them in the url, without a slash before it.
    File,
    /// Bytes of the image.
    Size,
    /// A digest of the image, in small hexadecimal digits.
    Sum(Sum),
    Label(String),
}

/// The digests that devices compute of their files.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum Sum {
    Md5,
    Sha1,
    Sha256,
    Sha512,
}

impl Placeholder {
    /// Whether it has a value only where a device fetches its image.
    pub fn is_of_fetch(&self) -> bool {
        matches!(
            self,
            Self::Url | Self::Server | Self::Port | Self::File | Self::Size | Self::Sum(_)
        )
    }
}

/// Their words, but for labels.
const WORDS: [(&str, Placeholder); 16] = [
    ("entity", Placeholder::Entity),
    ("address", Placeholder::Address),
    ("path", Placeholder::Path),
    ("image", Placeholder::Image),
    ("version", Placeholder::Version),
    ("previous", Placeholder::Previous),
    ("run", Placeholder::Run),
    ("url", Placeholder::Url),
    ("server", Placeholder::Server),
    ("port", Placeholder::Port),
    ("file", Placeholder::File),
    ("size", Placeholder::Size),
    ("md5", Placeholder::Sum(Sum::Md5)),
    ("sha1", Placeholder::Sum(Sum::Sha1)),
    ("sha256", Placeholder::Sum(Sum::Sha256)),
    ("sha512", Placeholder::Sum(Sum::Sha512)),
];
const LABEL: &str = "label.";

impl fmt::Display for Placeholder {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        if let Self::Label(label) = self {
            return write!(f, "{{{LABEL}{label}}}");
        }
        let word = WORDS.iter().find(|(_, placeholder)| placeholder == self);
        write!(f, "{{{}}}", word.map_or("", |(word, _)| word))
    }
}

#[derive(Debug, Clone, PartialEq, Eq)]
enum Piece {
    Text(String),
    Placeholder(Placeholder),
}

/// Text with placeholders: `boot system {path}`. `{{` and `}}` are braces.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Template {
    written: String,
    pieces: Vec<Piece>,
}

/// The value of each placeholder, for one entity of one run.
pub type Values = BTreeMap<Placeholder, String>;

/// Why a template can't be filled in.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum Unfilled {
    #[error("there is no value for {0} here")]
    NoValue(Placeholder),
    /// A line end in a value would begin another command on the device.
    #[error("the value of {0} holds a control character")]
    Control(Placeholder),
    #[error("the value of {0} is no number, and stands outside of quotes in JSON: write `\"{0}\"`")]
    NoNumber(Placeholder),
    #[error("a path with `.` or `..` in it leads elsewhere")]
    Dots,
}

impl Template {
    /// # Errors
    /// An unknown placeholder, or a brace that is alone.
    pub fn parse(text: &str) -> Result<Self, Complaint> {
        let mut pieces = Vec::new();
        let mut plain = String::new();
        let mut rest = text;
        while let Some(at) = rest.find(['{', '}']) {
            plain.push_str(&rest[..at]);
            let brace = &rest[at..=at];
            let behind = &rest[at + 1..];
            if let Some(after) = behind.strip_prefix(brace) {
                plain.push_str(brace);
                rest = after;
                continue;
            }
            let named = behind.split_once('}').filter(|_| brace == "{");
            let Some((word, after)) = named else {
                return Err(Complaint::new(
                    format!("a `{brace}` alone in {}", quoted(text)),
                    format!("write `{brace}{brace}` for the character itself"),
                ));
            };
            if !plain.is_empty() {
                pieces.push(Piece::Text(std::mem::take(&mut plain)));
            }
            pieces.push(Piece::Placeholder(placeholder(word)?));
            rest = after;
        }
        plain.push_str(rest);
        if !plain.is_empty() {
            pieces.push(Piece::Text(plain));
        }
        let written = text.to_owned();
        Ok(Self { written, pieces })
    }

    /// Text that has braces of its own, as JSON has: only a word between two is a placeholder, and none is written twice.
    ///
    /// # Errors
    /// An unknown placeholder.
    pub fn among_braces(text: &str) -> Result<Self, Complaint> {
        let is_word = |c: char| c.is_ascii_alphanumeric() || matches!(c, '.' | '_' | '-');
        let mut pieces = Vec::new();
        let mut plain = String::new();
        let mut rest = text;
        while let Some(at) = rest.find('{') {
            let (before, behind) = (&rest[..at], &rest[at + 1..]);
            plain.push_str(before);
            let named = behind.split_once('}');
            let begins = |word: &str| word.starts_with(|c: char| c.is_ascii_alphabetic());
            match named.filter(|(word, _)| begins(word) && word.chars().all(is_word)) {
                Some((word, after)) => {
                    if !plain.is_empty() {
                        pieces.push(Piece::Text(std::mem::take(&mut plain)));
                    }
                    pieces.push(Piece::Placeholder(placeholder(word)?));
                    rest = after;
                }
                None => {
                    plain.push('{');
                    rest = behind;
                }
            }
        }
        plain.push_str(rest);
        if !plain.is_empty() {
            pieces.push(Piece::Text(plain));
        }
        let written = text.to_owned();
        Ok(Self { written, pieces })
    }

    /// As it stands in the inventory.
    pub fn as_str(&self) -> &str {
        &self.written
    }

    pub fn placeholders(&self) -> impl Iterator<Item = &Placeholder> {
        self.pieces.iter().filter_map(|piece| match piece {
            Piece::Placeholder(placeholder) => Some(placeholder),
            Piece::Text(_) => None,
        })
    }

    /// # Errors
    /// A value that is missing, or could not be sent as part of one line.
    pub fn fill(&self, values: &Values) -> Result<String, Unfilled> {
        self.fill_with(values, |_, _, value| Ok(value.to_owned()))
    }

    /// As [`Self::fill`], each value as `put` gives it, which knows the text before it.
    ///
    /// # Errors
    /// Also those of `put`.
    pub fn fill_with(
        &self,
        values: &Values,
        put: impl Fn(&str, &Placeholder, &str) -> Result<String, Unfilled>,
    ) -> Result<String, Unfilled> {
        let mut filled = String::new();
        for piece in &self.pieces {
            match piece {
                Piece::Text(text) => filled.push_str(text),
                Piece::Placeholder(placeholder) => {
                    let value = values.get(placeholder);
                    let value = value.ok_or_else(|| Unfilled::NoValue(placeholder.clone()))?;
                    if value.chars().any(char::is_control) {
                        return Err(Unfilled::Control(placeholder.clone()));
                    }
                    let value = put(&filled, placeholder, value)?;
                    filled.push_str(&value);
                }
            }
        }
        Ok(filled)
    }

    /// With the same in the place of each placeholder.
    pub(super) fn with_each(&self, value: &str) -> String {
        let pieces = self.pieces.iter().map(|piece| match piece {
            Piece::Text(text) => text,
            Piece::Placeholder(_) => value,
        });
        pieces.collect()
    }
}

fn placeholder(word: &str) -> Result<Placeholder, Complaint> {
    if let Some(label) = word.strip_prefix(LABEL).filter(|label| !label.is_empty()) {
        return Ok(Placeholder::Label(label.to_owned()));
    }
    let known = WORDS.iter().find(|(known, _)| *known == word);
    known
        .map(|(_, placeholder)| placeholder.clone())
        .ok_or_else(|| {
            let help = did_you_mean(word, WORDS.map(|(word, _)| word), || {
                let all: Vec<String> = WORDS
                    .iter()
                    .map(|(word, _)| format!("`{{{word}}}`"))
                    .collect();
                format!(
                    "known are {} and `{{label.NAME}}`; a brace itself is written twice",
                    all.join(", ")
                )
            });
            Complaint::new(
                format!("unknown placeholder {}", quoted(&format!("{{{word}}}"))),
                help,
            )
        })
}

#[cfg(test)]
mod tests {
    use super::*;

    fn values() -> Values {
        let label = Placeholder::Label("site".into());
        Values::from([
            (Placeholder::Path, "/flash/a.bin".into()),
            (Placeholder::Previous, "2.3\nreload".into()),
            (label, "north".into()),
        ])
    }

    #[test]
    fn placeholders_are_filled_in_and_braces_doubled() {
        for (text, filled) in [
            ("boot system {path}", "boot system /flash/a.bin"),
            ("{label.site}{path}", "north/flash/a.bin"),
            ("a {{b}} {{{path}}}", "a {b} {/flash/a.bin}"),
            ("", ""),
        ] {
            let template = Template::parse(text).unwrap();
            assert_eq!(template.fill(&values()).unwrap(), filled, "{text}");
            assert_eq!(template.as_str(), text);
        }
    }

    #[test]
    fn what_is_no_template_is_refused_with_what_to_write() {
        for (text, message, help) in [
            (
                "{pth}",
                "unknown placeholder `{pth}`",
                "did you mean `path`?",
            ),
            ("{label.}", "unknown placeholder", "known are `{entity}`"),
            ("a{", "a `{` alone", "write `{{`"),
            ("a}b", "a `}` alone", "write `}}`"),
            ("{path", "a `{` alone", "write `{{`"),
        ] {
            let complaint = Template::parse(text).unwrap_err();
            assert!(complaint.message.contains(message), "{complaint}");
            assert!(complaint.help.contains(help), "{complaint}");
        }
    }

    #[test]
    fn a_value_that_would_be_a_second_command_is_not_sent() {
        let filled = |text: &str| Template::parse(text).unwrap().fill(&values());
        assert_eq!(
            filled("{previous}"),
            Err(Unfilled::Control(Placeholder::Previous))
        );
        assert_eq!(filled("{run}"), Err(Unfilled::NoValue(Placeholder::Run)));
    }
}
