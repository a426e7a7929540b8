//! Which bytes of a file a request is for (RFC 9110 section 14).

use std::str::FromStr;

/// One range of bytes, as it is written.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Range {
    /// `a-`, and `a-b`, where `until` is the byte behind `b`.
    From { from: u64, until: Option<u64> },
    /// `-n`: so many at the end.
    Last(u64),
}

/// The one range of a header, or `None`: it asks for several, or for what is not understood, and is answered as if
/// it were not there (RFC 9110 section 14.2).
pub(super) fn parse(header: &str) -> Option<Range> {
    let (unit, set) = header.trim().split_once('=')?;
    if !unit.eq_ignore_ascii_case("bytes") {
        return None;
    }
    let (first, last) = set.trim().split_once('-')?;
    match (first, last) {
        ("", last) => number(last).map(Range::Last),
        (first, "") => number(first).map(|from| Range::From { from, until: None }),
        (first, last) => {
            let (from, last) = (number(first)?, number(last)?);
            let until = Some(last.saturating_add(1));
            (from <= last).then_some(Range::From { from, until })
        }
    }
}

/// Digits alone: no sign, no space.
fn number(text: &str) -> Option<u64> {
    let is_number = !text.is_empty() && text.bytes().all(|byte| byte.is_ascii_digit());
    is_number.then(|| u64::from_str(text).unwrap_or(u64::MAX))
}

impl Range {
    /// The first byte and the one behind the last, in a file of that size; `None`: it has no such byte.
    pub(super) fn within(self, size: u64) -> Option<(u64, u64)> {
        let (from, until) = match self {
            Self::From { from, until } => (from, until.map_or(size, |until| until.min(size))),
            Self::Last(count) => (size.saturating_sub(count), size),
        };
        (from < until).then_some((from, until))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn one_range_is_understood_and_all_else_is_as_if_it_were_not_there() {
        let from = |from, until| Some(Range::From { from, until });
        for (header, wanted) in [
            ("bytes=0-", from(0, None)),
            ("bytes=5-9", from(5, Some(10))),
            ("Bytes= 5-5 ", from(5, Some(6))),
            ("bytes=-7", Some(Range::Last(7))),
            ("bytes=0-18446744073709551615", from(0, Some(u64::MAX))),
            ("bytes=99999999999999999999999-", from(u64::MAX, None)),
            ("bytes=9-5", None),
            ("bytes=0-1,3-4", None),
            ("bytes=0-,5-", None),
            ("bytes=-", None),
            ("bytes=+1-", None),
            ("bytes=a-b", None),
            ("bytes=--1", None),
            ("lines=0-", None),
            ("bytes", None),
            ("", None),
        ] {
            assert_eq!(parse(header), wanted, "{header}");
        }
    }

    #[test]
    fn a_range_is_cut_to_the_file_and_one_without_a_byte_is_none() {
        for (header, wanted) in [
            ("bytes=0-", Some((0, 10))),
            ("bytes=9-", Some((9, 10))),
            ("bytes=10-", None),
            ("bytes=2-3", Some((2, 4))),
            ("bytes=2-99", Some((2, 10))),
            ("bytes=-3", Some((7, 10))),
            ("bytes=-99", Some((0, 10))),
            ("bytes=-0", None),
        ] {
            let range = parse(header).unwrap();
            assert_eq!(range.within(10), wanted, "{header}");
        }
        assert_eq!(Range::Last(1).within(0), None);
    }
}
