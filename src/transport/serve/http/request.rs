//! What a request asks for: which file, and which part of it.

use hyper::header::{HeaderMap, HeaderName, IF_MATCH, IF_RANGE, RANGE};

use super::range::{self, Range};

/// The one part that is asked for of the file with this tag; `None`: the whole of it.
pub(super) fn part(headers: &HeaderMap, tag: &str) -> Option<Range> {
    // A date can't be the file's: it has none.
    if text(headers, &IF_RANGE).is_some_and(|wanted| wanted.trim() != tag) {
        return None;
    }
    let mut ranges = headers.get_all(RANGE).iter();
    match (ranges.next(), ranges.next()) {
        (Some(range), None) => range::parse(range.to_str().ok()?),
        _ => None,
    }
}

/// Whether it is asked for only where the file is another one (RFC 9110 section 13.1.1).
pub(super) fn is_of_another(headers: &HeaderMap, tag: &str) -> bool {
    text(headers, &IF_MATCH).is_some_and(|wanted| {
        !wanted
            .split(',')
            .any(|one| matches!(one.trim(), "*") || one.trim() == tag)
    })
}

/// `""` for what is no text.
fn text<'a>(headers: &'a HeaderMap, name: &HeaderName) -> Option<&'a str> {
    Some(headers.get(name)?.to_str().unwrap_or_default())
}

/// A path as it is meant (RFC 3986 section 2.1); what is no text becomes a name that nothing has.
pub(super) fn decoded(path: &str) -> String {
    let mut bytes = Vec::with_capacity(path.len());
    let mut rest = path.bytes();
    while let Some(byte) = rest.next() {
        let mut two = rest.clone();
        let digit = |byte: Option<u8>| char::from(byte?).to_digit(16);
        let escaped = (byte == b'%')
            .then(|| Some(digit(two.next())? << 4 | digit(two.next())?))
            .flatten()
            .and_then(|byte| u8::try_from(byte).ok());
        if escaped.is_some() {
            rest = two;
        }
        bytes.push(escaped.unwrap_or(byte));
    }
    String::from_utf8_lossy(&bytes).into_owned()
}

#[cfg(test)]
mod tests {
    use hyper::header::HeaderValue;

    use super::*;

    const TAG: &str = "\"abc\"";

    fn headers(all: &[(HeaderName, &'static str)]) -> HeaderMap {
        let mut headers = HeaderMap::new();
        for (name, value) in all {
            headers.append(name, HeaderValue::from_static(value));
        }
        headers
    }

    #[test]
    fn a_part_is_asked_for_by_one_range_of_this_very_file() {
        let whole = "bytes=5-";
        let part_of = |all: &[(HeaderName, &'static str)]| part(&headers(all), TAG);
        let from = Some(Range::From {
            from: 5,
            until: None,
        });
        assert_eq!(part_of(&[(RANGE, whole)]), from);
        assert_eq!(part_of(&[(RANGE, whole), (IF_RANGE, TAG)]), from);
        for not in [
            "\"other\"",
            "W/\"abc\"",
            "Sat, 28 Nov 2026 05:44:17 GMT",
            "",
        ] {
            assert_eq!(part_of(&[(RANGE, whole), (IF_RANGE, not)]), None, "{not}");
        }
        assert_eq!(part_of(&[(RANGE, whole), (RANGE, whole)]), None);
        assert_eq!(part_of(&[(RANGE, "bytes=0-1,5-")]), None);
        assert_eq!(part_of(&[]), None);
    }

    #[test]
    fn what_may_only_be_another_file_is_not_this_one() {
        let another = |value| is_of_another(&headers(&[(IF_MATCH, value)]), TAG);
        assert!(another("\"other\""));
        assert!(another("W/\"abc\""));
        assert!(!another("\"other\", \"abc\""));
        assert!(!another("*"));
        assert!(!is_of_another(&HeaderMap::new(), TAG));
    }

    #[test]
    fn a_path_is_decoded_once_and_what_is_no_escape_stays() {
        for (path, meant) in [
            ("/abc/a.bin", "/abc/a.bin"),
            ("/%61bc/a%2Ebin", "/abc/a.bin"),
            ("/%2561", "/%61"),
            ("/a%", "/a%"),
            ("/a%4", "/a%4"),
            ("/a%zz%+1", "/a%zz%+1"),
            ("/%2e%2e/x", "/../x"),
            ("/%ff", "/\u{fffd}"),
        ] {
            assert_eq!(decoded(path), meant);
        }
    }
}
