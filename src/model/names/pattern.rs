//! Ranges and patterns: `shelf1-[02-20]`, `192.0.2.[1,3,5-7]`, `shelf?-*`.
//!
//! Brackets are a range only around digits, `-` and `,`: those of an IPv6 address stay what they
//! are. A pattern is matched without being expanded, in time bounded by its length times that of
//! the name, so no pattern is slow.

use std::borrow::Cow;

use thiserror::Error;

use super::Complaint;
use crate::model::text::quoted;

/// Maximum number of values made by the ranges in one text.
pub const MOST_EXPANDED: usize = 10_000;
/// Digits of a number in a range at most.
pub(super) const MOST_DIGITS: usize = 18;

/// A text with ranges and, where they are allowed, wildcards.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Pattern {
    parts: Vec<Part>,
}

#[derive(Debug, Clone, PartialEq, Eq)]
enum Part {
    Text(String),
    Range(Vec<Span>),
    /// `?`: any one character.
    Single,
    /// `*`: any characters, or none.
    Any,
}

/// The numbers from `first` to `last`.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
struct Span {
    first: u64,
    last: u64,
    /// Digits with leading zeros; 0 for numbers without.
    width: usize,
}

impl Span {
    fn count(self) -> u64 {
        self.last - self.first + 1
    }

    fn holds(self, digits: &str) -> bool {
        let written_so = match self.width {
            0 => digits.len() == 1 || !digits.starts_with('0'),
            width => digits.len() == width,
        };
        written_so
            && digits
                .parse()
                .is_ok_and(|number: u64| (self.first..=self.last).contains(&number))
    }
}

impl Pattern {
    /// A value in which only ranges mean something.
    ///
    /// # Errors
    /// When a range can't be read, or the ranges make more than [`MOST_EXPANDED`] values.
    pub fn ranges(text: &str) -> Result<Self, Complaint> {
        Self::parse(text, false)
    }

    /// A value in which `*` and `?` stand for other characters too.
    ///
    /// # Errors
    /// As [`Pattern::ranges`].
    pub fn wildcards(text: &str) -> Result<Self, Complaint> {
        Self::parse(text, true)
    }

    fn parse(text: &str, wildcards: bool) -> Result<Self, Complaint> {
        let mut parts: Vec<Part> = Vec::new();
        let mut rest = text;
        while let Some(c) = rest.chars().next() {
            let inside = rest.strip_prefix('[').and_then(|after| {
                let (inside, _) = after.split_once(']')?;
                let range = |c: char| c.is_ascii_digit() || c == '-' || c == ',' || c == ' ';
                (!inside.is_empty() && inside.chars().all(range)).then_some(inside)
            });
            if let Some(inside) = inside {
                parts.push(Part::Range(spans(inside)?));
                rest = &rest[inside.len() + 2..];
                continue;
            }
            rest = &rest[c.len_utf8()..];
            match (c, wildcards, parts.last_mut()) {
                ('*', true, Some(Part::Any)) => {}
                ('*', true, _) => parts.push(Part::Any),
                ('?', true, _) => parts.push(Part::Single),
                (c, _, Some(Part::Text(text))) => text.push(c),
                (c, _, _) => parts.push(Part::Text(c.into())),
            }
        }
        let pattern = Self { parts };
        match pattern.count() {
            Some(_) => Ok(pattern),
            None => Err(Complaint::new(
                format!("{} makes more than {MOST_EXPANDED} values", quoted(text)),
                "write a shorter range, or several entries",
            )),
        }
    }

    /// Whether brackets are left that are no range.
    pub(super) fn has_bracket(&self) -> bool {
        let bracket = |part: &Part| matches!(part, Part::Text(text) if text.contains(['[', ']']));
        self.parts.iter().any(bracket)
    }

    pub fn has_range(&self) -> bool {
        self.parts.iter().any(|part| matches!(part, Part::Range(_)))
    }

    pub fn has_wildcard(&self) -> bool {
        let wildcard = |part: &Part| matches!(part, Part::Single | Part::Any);
        self.parts.iter().any(wildcard)
    }

    /// How many values the ranges make; `None` when they are too many.
    fn count(&self) -> Option<usize> {
        let mut count: u64 = 1;
        for part in &self.parts {
            if let Part::Range(spans) = part {
                let mut values: u64 = 0;
                for span in spans {
                    values = values.checked_add(span.count())?;
                }
                count = count.checked_mul(values)?;
                if count > MOST_EXPANDED as u64 {
                    return None;
                }
            }
        }
        usize::try_from(count).ok()
    }

    /// All values, the last range running fastest. Wildcards stand for themselves.
    pub fn expand(&self) -> Vec<String> {
        let mut values = vec![String::new()];
        for part in &self.parts {
            let choices: Vec<Cow<'_, str>> = match part {
                Part::Text(text) => vec![Cow::Borrowed(text)],
                Part::Single => vec![Cow::Borrowed("?")],
                Part::Any => vec![Cow::Borrowed("*")],
                Part::Range(spans) => spans
                    .iter()
                    .flat_map(|span| (span.first..=span.last).map(|n| (n, span.width)))
                    .map(|(number, width)| Cow::Owned(format!("{number:0width$}")))
                    .collect(),
            };
            values = values
                .iter()
                .flat_map(|value| choices.iter().map(move |choice| format!("{value}{choice}")))
                .collect();
        }
        values
    }

    /// Whether the pattern describes the whole of a name.
    pub fn matches(&self, name: &str) -> bool {
        // The offsets in the name that the parts so far can have led to.
        let mut reached = vec![false; name.len() + 1];
        reached[0] = true;
        for part in &self.parts {
            let mut next = vec![false; name.len() + 1];
            for at in (0..=name.len()).filter(|at| reached[*at]) {
                let rest = &name[at..];
                match part {
                    Part::Text(text) if rest.starts_with(text.as_str()) => {
                        next[at + text.len()] = true;
                    }
                    Part::Text(_) => {}
                    Part::Single => {
                        if let Some(c) = rest.chars().next() {
                            next[at + c.len_utf8()] = true;
                        }
                    }
                    Part::Any => {
                        rest.char_indices()
                            .for_each(|(more, _)| next[at + more] = true);
                        next[name.len()] = true;
                        // What is reached from a later offset is reached from here too.
                        break;
                    }
                    Part::Range(spans) => {
                        let digits = rest.bytes().take(MOST_DIGITS + 1);
                        let digits = digits.take_while(u8::is_ascii_digit).count();
                        for more in 1..=digits {
                            if spans.iter().any(|span| span.holds(&rest[..more])) {
                                next[at + more] = true;
                            }
                        }
                    }
                }
            }
            reached = next;
        }
        reached[name.len()]
    }
}

/// What stands between the brackets.
fn spans(inside: &str) -> Result<Vec<Span>, Complaint> {
    let spans = inside.split(',').map(|item| span(item.trim()));
    spans.collect::<Result<_, _>>().map_err(|why| {
        Complaint::new(
            format!("{} is not a range: {why}", quoted(&format!("[{inside}]"))),
            "write numbers in ascending order, like `[02-20]` or `[1,3,5-7]`",
        )
    })
}

#[derive(Debug, Error)]
enum SpanError<'a> {
    #[error("a number is missing")]
    Missing,
    #[error("a number is too long")]
    TooLong,
    #[error("{} is not a number", quoted(.0))]
    NoNumber(&'a str),
    #[error("{} and {} have different numbers of digits", quoted(.0), quoted(.1))]
    Widths(&'a str, &'a str),
    #[error("{} is more than {}", quoted(.0), quoted(.1))]
    Descending(&'a str, &'a str),
}

fn number(digits: &str) -> Result<u64, SpanError<'_>> {
    match digits {
        "" => Err(SpanError::Missing),
        _ if digits.len() > MOST_DIGITS => Err(SpanError::TooLong),
        _ => digits.parse().map_err(|_| SpanError::NoNumber(digits)),
    }
}

fn span(item: &str) -> Result<Span, SpanError<'_>> {
    let (first, last) = item.split_once('-').unwrap_or((item, item));
    let (low, high) = (number(first)?, number(last)?);
    let padded = |digits: &str| digits.len() > 1 && digits.starts_with('0');
    let width = match padded(first) || padded(last) {
        true if first.len() != last.len() => return Err(SpanError::Widths(first, last)),
        true => first.len(),
        false => 0,
    };
    if low > high {
        return Err(SpanError::Descending(first, last));
    }
    Ok(Span {
        first: low,
        last: high,
        width,
    })
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    fn expand(text: &str) -> Vec<String> {
        Pattern::ranges(text).unwrap().expand()
    }

    #[test]
    fn ranges_keep_their_zeros_and_lists_their_order() {
        assert_eq!(expand("a[08-11]"), ["a08", "a09", "a10", "a11"]);
        assert_eq!(expand("a[8-11]"), ["a8", "a9", "a10", "a11"]);
        assert_eq!(expand("[1,3,5-7]x"), ["1x", "3x", "5x", "6x", "7x"]);
        assert_eq!(expand("plain"), ["plain"]);
        assert_eq!(expand("[5]"), ["5"]);
    }

    #[test]
    fn several_ranges_are_nested_loops() {
        assert_eq!(
            expand("s[1-2]c[01-02]"),
            ["s1c01", "s1c02", "s2c01", "s2c02"]
        );
    }

    #[test]
    fn brackets_of_an_ipv6_address_are_no_range() {
        assert_eq!(expand("[2001:db8::1]"), ["[2001:db8::1]"]);
        assert_eq!(
            expand("[2001:db8::[1-2]]:2121"),
            ["[2001:db8::1]:2121", "[2001:db8::2]:2121"]
        );
        assert_eq!(expand("[::1]:[21-22]"), ["[::1]:21", "[::1]:22"]);
    }

    #[test]
    fn malformed_and_huge_ranges_say_why() {
        for (text, why) in [
            ("[20-02]", "`20` is more than `02`"),
            ("[1-]", "a number is missing"),
            ("[1,,2]", "a number is missing"),
            ("[1-2-3]", "`2-3` is not a number"),
            ("[02-100]", "different numbers of digits"),
            ("[1-10001]", "more than 10000"),
            ("[1-999999999999999999]", "more than 10000"),
            ("[1-9999999999999999999]", "too long"),
            ("[1-101][1-100]", "more than 10000"),
        ] {
            let complaint = Pattern::ranges(text).unwrap_err();
            assert!(complaint.message.contains(why), "{text}: {complaint}");
        }
        assert_eq!(expand("[1-10000]").len(), MOST_EXPANDED);
    }

    #[test]
    fn patterns_match_whole_names() {
        let matches =
            |pattern: &str, name: &str| Pattern::wildcards(pattern).unwrap().matches(name);
        assert!(matches("shelf1-*", "shelf1-01"));
        assert!(matches("*", ""));
        assert!(matches("s?elf*-[01-20]", "shelf1-07"));
        assert!(!matches("shelf1-[01-20]", "shelf1-21"));
        assert!(!matches("shelf1-[01-20]", "shelf1-7"));
        assert!(!matches("shelf1-?", "shelf1-01"));
        assert!(!matches("shelf1", "shelf1-01"));
        assert!(matches("?", "ä"));
        assert!(matches("[1-20]*", "123"));
    }

    #[test]
    fn no_pattern_is_slow() {
        let pattern = Pattern::wildcards(&"*[1-9]?".repeat(50).replace("[1-9]", "a")).unwrap();
        assert!(!pattern.matches(&"a".repeat(99)));
    }

    proptest! {
        #[test]
        fn a_range_makes_all_its_numbers_in_order(
            first in 0u64..5_000, more in 0u64..500, width in 0usize..8,
            before in "[a-z:.-]{0,5}", after in "[a-z:.-]{0,5}",
        ) {
            let last = first + more;
            let width = if width > last.to_string().len() { width } else { 0 };
            let text = format!("{before}[{first:0width$}-{last:0width$}]{after}");
            let expected: Vec<String> =
                (first..=last).map(|n| format!("{before}{n:0width$}{after}")).collect();
            prop_assert_eq!(expand(&text), expected);
        }

        #[test]
        fn a_pattern_matches_exactly_what_it_expands_to(
            text in "[ab]{0,2}\\[[0-9]{1,2}-[0-9]{1,2}\\][ab0-9]{0,2}", name in "[ab]{0,2}[0-9]{1,4}[ab]{0,1}",
        ) {
            if let Ok(pattern) = Pattern::ranges(&text) {
                let values = pattern.expand();
                for value in &values {
                    prop_assert!(pattern.matches(value));
                }
                prop_assert_eq!(pattern.matches(&name), values.contains(&name));
            }
        }

        #[test]
        fn any_text_is_expanded_or_refused(text in "\\PC{0,12}[\\[\\]0-9,*-]{0,12}") {
            if let Ok(pattern) = Pattern::ranges(&text) {
                let count = pattern.expand().len();
                prop_assert!((1..=MOST_EXPANDED).contains(&count));
            }
            if let Ok(pattern) = Pattern::wildcards(&text) {
                pattern.matches(&text);
            }
        }
    }
}
