//! What answers mean (RFC 9110 section 15): their status, and what their headers say of a file.

use std::time::Duration;

use http::header::{CONTENT_ENCODING, CONTENT_LENGTH, CONTENT_RANGE, ETAG};
use http::header::{LAST_MODIFIED, LOCATION, RETRY_AFTER};
use http::{HeaderMap, HeaderName, StatusCode};
use tokio::time::timeout;

use crate::model::text::shown;
use crate::model::{Failure, Fault, Step};
use crate::transport::RefusalKind;
use crate::transport::redact::Redact;

use super::exchange::Response;

/// How long the text of a refusal is waited for.
const REASON: Duration = Duration::from_secs(2);
/// Bytes of it that are read, and characters that are shown.
const REASON_BYTES: usize = 4096;
const REASON_SHOWN: usize = 200;

/// What an answer that is no success means.
pub(super) async fn refusal(step: Step, response: Response, redact: &Redact) -> Failure {
    let status = response.status();
    let said = said(response, redact).await;
    of_status(step, status, said)
}

fn of_status(step: Step, status: StatusCode, said: String) -> Failure {
    let fault = match status {
        StatusCode::NOT_FOUND | StatusCode::GONE => Fault::NoFile {
            reply: format!("the server said {said}"),
        },
        StatusCode::FORBIDDEN if matches!(step, Step::Open | Step::Read | Step::Verify) => {
            Fault::NotReadable {
                reply: format!("the server said {said}"),
            }
        }
        status => Fault::Answer {
            said,
            may_pass: may_pass(status),
        },
    };
    let step = match status {
        StatusCode::UNAUTHORIZED | StatusCode::PROXY_AUTHENTICATION_REQUIRED => Step::Login,
        _ => step,
    };
    Failure::new(step, fault)
}

/// Whether the same may be granted a moment later. 507 is as the 452 of FTP: until somebody makes room. 500 says
/// nothing of its cause (nginx gives it for a full disk, for a folder that it may not write, and for what passes),
/// so it is tried again, within `retries` and `retry_for`.
fn may_pass(status: StatusCode) -> bool {
    match status.as_u16() {
        408 | 423 | 425 | 429 => true,
        501 | 505 | 507 | 508 | 510 | 511 => false,
        500..=599 => true,
        _ => false,
    }
}

/// What kind of refusal an answer is, to a deletion or a rename.
pub(super) fn kind_of(status: StatusCode) -> RefusalKind {
    match status {
        StatusCode::NOT_FOUND => RefusalKind::NoSource,
        StatusCode::METHOD_NOT_ALLOWED | StatusCode::NOT_IMPLEMENTED => RefusalKind::NotKnown,
        status if may_pass(status) => RefusalKind::ForNow,
        _ => RefusalKind::ForGood,
    }
}

/// The status and the beginning of the text of an answer, on one line.
pub(super) async fn said(response: Response, redact: &Redact) -> String {
    let mut said = status(&response, redact);
    let (bytes, _) = beginning(response, REASON_BYTES, REASON).await;
    let text = plain(&redact.hide(&String::from_utf8_lossy(&bytes)));
    if !text.is_empty() {
        said.push_str(": ");
        said.push_str(&text);
    }
    shown(&said)
}

/// The status of an answer, where it would lead, and when to ask again.
pub(super) fn status(response: &Response, redact: &Redact) -> String {
    let status = response.status();
    let wait = text_of(response.headers(), RETRY_AFTER);
    let mut said = status.to_string();
    if status.canonical_reason().is_none() {
        said = status.as_u16().to_string();
    }
    said.extend(redirected(response.headers()).map(|to| format!(", to {to}")));
    if let Some(wait) = wait {
        said.push_str(&format!(" (Retry-After: {})", shown(&redact.hide(wait))));
    }
    said
}

/// Where an answer leads, without what may be a secret in it.
fn redirected(headers: &HeaderMap) -> Option<String> {
    let location = text_of(headers, LOCATION)?;
    let (scheme, rest) = location.split_once("://").unwrap_or(("", location));
    let host = rest.split(['/', '?', '#']).next().unwrap_or_default();
    let host = host.rsplit('@').next().unwrap_or_default();
    Some(match scheme {
        "" => "another path".into(),
        scheme => shown(&format!("{scheme}://{host}")),
    })
}

/// The beginning of an answer's text, and whether that was all; what does not come in time is left out.
pub(super) async fn beginning(
    mut response: Response,
    most: usize,
    deadline: Duration,
) -> (Vec<u8>, bool) {
    let mut bytes = Vec::new();
    let read = async {
        while let Ok(Some(chunk)) = response.chunk().await {
            let room = most - bytes.len();
            bytes.extend_from_slice(&chunk[..chunk.len().min(room)]);
            if chunk.len() > room {
                return false;
            }
        }
        true
    };
    let whole = timeout(deadline, read).await.unwrap_or(false);
    (bytes, whole)
}

/// A page without its tags, blanks drawn together, cut to what is shown.
pub(crate) fn plain(page: &str) -> String {
    let mut text = String::new();
    let mut in_tag = false;
    let mut rest = page.chars().peekable();
    while let Some(c) = rest.next() {
        let begins = |c: &char| c.is_ascii_alphabetic() || matches!(c, '/' | '!' | '?');
        match c {
            '<' if rest.peek().is_some_and(begins) => in_tag = true,
            '>' if in_tag => {
                in_tag = false;
                text.push(' ');
            }
            _ if in_tag => {}
            c => text.push(c),
        }
    }
    let words: Vec<&str> = text.split_whitespace().collect();
    let all = words.join(" ");
    let mut cut: String = all.chars().take(REASON_SHOWN).collect();
    if cut.len() < all.len() {
        cut.push('…');
    }
    cut
}

/// A header, where it is there once and readable.
pub(super) fn text_of(headers: &HeaderMap, name: HeaderName) -> Option<&str> {
    headers.get(name)?.to_str().ok().map(str::trim)
}

/// Bytes of the body, as the answer announces them.
pub(super) fn length(headers: &HeaderMap) -> Option<u64> {
    text_of(headers, CONTENT_LENGTH)?.parse().ok()
}

/// By what two versions of a file can be told apart: an entity tag that is not weak, else the time.
pub(super) fn validator(headers: &HeaderMap) -> Option<&str> {
    strong_tag(headers).or_else(|| text_of(headers, LAST_MODIFIED))
}

/// An entity tag that differs for each byte that differs (RFC 9110 section 8.8.1).
pub(super) fn strong_tag(headers: &HeaderMap) -> Option<&str> {
    text_of(headers, ETAG).filter(|tag| is_tag(tag))
}

pub(super) fn is_tag(validator: &str) -> bool {
    validator.len() >= 2 && validator.starts_with('"') && validator.ends_with('"')
}

/// # Errors
/// The bytes that come are not those of the file.
pub(super) fn check_encoding(headers: &HeaderMap) -> Result<(), Fault> {
    match text_of(headers, CONTENT_ENCODING) {
        None | Some("" | "identity") => Ok(()),
        Some(encoding) => Err(Fault::Answer {
            said: format!(
                "that it sends the file in another form ({}), which it was not asked for",
                shown(encoding)
            ),
            may_pass: false,
        }),
    }
}

/// What part of a file an answer holds (RFC 9110 section 14.4).
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Part {
    /// First and last byte; bytes of the whole file, where that is said.
    Bytes(u64, u64, Option<u64>),
    /// None: the file has this many bytes.
    None(u64),
}

pub(super) fn part(headers: &HeaderMap) -> Option<Part> {
    let text = text_of(headers, CONTENT_RANGE)?;
    let (range, total) = text.strip_prefix("bytes")?.trim_start().split_once('/')?;
    let total = match total {
        "*" => None,
        total => Some(total.parse().ok()?),
    };
    if range == "*" {
        return total.map(Part::None);
    }
    let (first, last) = range.split_once('-')?;
    let (first, last) = (first.parse().ok()?, last.parse().ok()?);
    let fits = first <= last && total.is_none_or(|total| last < total);
    fits.then_some(Part::Bytes(first, last, total))
}

#[cfg(test)]
mod tests {
    use http::HeaderValue;

    use super::*;

    #[test]
    fn parts_of_files_are_read_or_refused() {
        let read = |text: &'static str| {
            let mut headers = HeaderMap::new();
            headers.insert(CONTENT_RANGE, HeaderValue::from_static(text));
            part(&headers)
        };
        assert_eq!(read("bytes 5-9/10"), Some(Part::Bytes(5, 9, Some(10))));
        assert_eq!(read("bytes 5-9/*"), Some(Part::Bytes(5, 9, None)));
        assert_eq!(read("bytes */10"), Some(Part::None(10)));
        for wrong in [
            "bytes */*",
            "bytes 9-5/10",
            "bytes 5-10/10",
            "items 1-2/3",
            "bytes 5-",
            "",
            "bytes -5/9",
        ] {
            assert_eq!(read(wrong), None, "{wrong}");
        }
    }

    #[test]
    fn a_weak_tag_proves_nothing() {
        let of = |tag: &'static str| {
            let mut headers = HeaderMap::new();
            headers.insert(ETAG, HeaderValue::from_static(tag));
            headers.insert(LAST_MODIFIED, HeaderValue::from_static("Tue"));
            validator(&headers).map(str::to_owned)
        };
        assert_eq!(of("\"a\"").as_deref(), Some("\"a\""));
        for weak in ["W/\"a\"", "a", "\""] {
            assert_eq!(of(weak).as_deref(), Some("Tue"), "{weak}");
        }
    }

    #[test]
    fn an_answer_is_about_the_file_the_login_or_the_moment() {
        let failure = |step, code| {
            let status = StatusCode::from_u16(code).unwrap();
            of_status(step, status, format!("{code}"))
        };
        for code in [404, 410] {
            assert!(matches!(
                failure(Step::Open, code).fault,
                Fault::NoFile { .. }
            ));
        }
        assert_eq!(failure(Step::Send, 401).step, Step::Login);
        assert!(!failure(Step::Send, 401).is_transient());
        assert!(matches!(
            failure(Step::Open, 403).fault,
            Fault::NotReadable { .. }
        ));
        for code in [408, 423, 425, 429, 500, 502, 503, 504] {
            assert!(failure(Step::Open, code).is_transient(), "{code}");
        }
        for code in [300, 400, 401, 403, 405, 409, 411, 413, 415, 501, 505, 507] {
            assert!(!failure(Step::Open, code).is_transient(), "{code}");
        }
    }

    #[test]
    fn a_page_is_shown_as_its_text() {
        let page = "<html><head><title>413 Too\nLarge</title></head>\r\n<body>a < b</body>";
        assert_eq!(plain(page), "413 Too Large a < b");
        assert_eq!(plain(&"x".repeat(1000)).chars().count(), REASON_SHOWN + 1);
    }
}
