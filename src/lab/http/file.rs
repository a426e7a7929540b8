//! A file, or a part of it (RFC 9110 sections 8.8 and 14).

use std::sync::Arc;
use std::time::UNIX_EPOCH;

use futures_util::stream;
use hyper::header::{
    ACCEPT_RANGES, CONTENT_LENGTH, CONTENT_RANGE, CONTENT_TYPE, ETAG, HeaderMap, HeaderValue,
    IF_RANGE, LAST_MODIFIED, RANGE,
};
use hyper::http::request::Parts;
use hyper::{Response, StatusCode};
use jiff::fmt::rfc2822::DateTimePrinter;
use tokio_util::bytes::Bytes;

use super::Line;
use super::body::Body;
use super::reply::{Answer, Result};
use super::requests::Requests;
use crate::lab::device::File;
use crate::lab::download::Download;
use crate::lab::server::OpenSession;
use crate::lab::storage::PIECE;

/// What of a file is asked for.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Part {
    Whole,
    /// The first byte, and the last.
    Bytes(u64, u64),
    /// None that is there.
    Nothing,
}

pub(super) async fn head(requests: &Requests, path: &str) -> Result<Response<Body>> {
    let server = &requests.storage.server;
    let file = requests.done(requests.storage.find(path)).await?;
    let mut response = Response::new(Body::empty());
    *response.headers_mut() = facts(&file, server.behaviour.no_rest);
    if !server.behaviour.no_size {
        let size = server.size_shown(file.size());
        response.headers_mut().insert(CONTENT_LENGTH, size.into());
    }
    Ok(response)
}

/// `open`: the session, until the last byte is handed over.
pub(super) async fn get(
    requests: &Requests,
    head: &Parts,
    path: &str,
    open: OpenSession,
) -> Result<Response<Body>> {
    let behaviour = &requests.storage.server.behaviour;
    let file = requests.done(requests.storage.find(path)).await?;
    let (size, mut headers) = (file.size(), facts(&file, behaviour.no_rest));
    let part = match behaviour.no_rest {
        true => Part::Whole,
        false => part(&head.headers, &headers, size),
    };
    let total = match behaviour.no_size {
        true => "*".to_owned(),
        false => size.to_string(),
    };
    let (status, first, count) = match part {
        Part::Whole => (StatusCode::OK, 0, size),
        Part::Bytes(first, last) => {
            let range = value(format!("bytes {first}-{last}/{total}"));
            headers.extend(range.map(|range| (CONTENT_RANGE, range)));
            (StatusCode::PARTIAL_CONTENT, first, last - first + 1)
        }
        Part::Nothing => {
            let refused = Answer::new(StatusCode::RANGE_NOT_SATISFIABLE, "behind its end");
            let range = value(format!("bytes */{size}")).filter(|_| !behaviour.no_size);
            return Err(match range {
                Some(range) => refused.with(CONTENT_RANGE, range),
                None => refused,
            });
        }
    };
    let download = Download::begin(&requests.storage, path, first);
    let download = requests.done(download).await?;
    if !behaviour.no_size {
        headers.insert(CONTENT_LENGTH, count.into());
    }
    let body = match count {
        0 => Body::empty(),
        left => sent(Sending {
            download,
            left,
            line: Arc::clone(&requests.line),
            open: Some(open),
        }),
    };
    let mut response = Response::new(body);
    *response.status_mut() = status;
    *response.headers_mut() = headers;
    Ok(response)
}

/// A file on its way.
struct Sending {
    download: Download,
    left: u64,
    line: Arc<Line>,
    open: Option<OpenSession>,
}

fn sent(sending: Sending) -> Body {
    let pieces = stream::unfold(sending, async |mut sending| {
        let most = usize::try_from(sending.left).map_or(PIECE, |left| left.min(PIECE));
        if most == 0 {
            return None;
        }
        let mut piece = vec![0; most];
        let count = match sending.download.read(&mut piece).await {
            Ok(count) if count > 0 => count,
            // Cut, or shorter than was announced: what is there goes out, and no more.
            _ => {
                sending.line.end_when_sent();
                std::future::pending().await
            }
        };
        sending.download.sent(count).await;
        sending.left -= count as u64;
        if sending.left == 0 {
            // Its client may begin the next one as soon as it has the last byte.
            sending.open = None;
        }
        piece.truncate(count);
        Some((Bytes::from(piece), sending))
    });
    Body::Pieces(Box::pin(pieces))
}

/// What is said of a file. Each version of it has a tag of its own.
fn facts(file: &File, no_rest: bool) -> HeaderMap {
    let modified = file.modified();
    let since = modified.duration_since(UNIX_EPOCH).unwrap_or_default();
    let tag = value(format!("\"{:x}-{:x}\"", since.as_nanos(), file.size()));
    let time = jiff::Timestamp::try_from(modified).ok();
    let time = time.and_then(|time| {
        DateTimePrinter::new()
            .timestamp_to_rfc9110_string(&time)
            .ok()
    });
    let ranges = HeaderValue::from_static(if no_rest { "none" } else { "bytes" });
    let kind = HeaderValue::from_static("application/octet-stream");
    let mut headers = HeaderMap::from_iter([(ACCEPT_RANGES, ranges), (CONTENT_TYPE, kind)]);
    headers.extend(tag.map(|tag| (ETAG, tag)));
    headers.extend(time.and_then(value).map(|time| (LAST_MODIFIED, time)));
    headers
}

fn value(text: String) -> Option<HeaderValue> {
    HeaderValue::try_from(text).ok()
}

/// What is asked for. A range that can't be read, or is about another version of the file, is ignored.
fn part(asked: &HeaderMap, facts: &HeaderMap, size: u64) -> Part {
    let known = |name| facts.get(&name);
    let is_current = asked.get(IF_RANGE).is_none_or(|validator| {
        known(ETAG) == Some(validator) || known(LAST_MODIFIED) == Some(validator)
    });
    let range = asked.get(RANGE).filter(|_| is_current);
    let range = range.and_then(|range| range.to_str().ok()?.strip_prefix("bytes="));
    let Some((first, last)) = range.and_then(|range| range.split_once('-')) else {
        return Part::Whole;
    };
    let end = size.saturating_sub(1);
    let part = match (first.parse::<u64>(), last.parse::<u64>()) {
        (Ok(first), Ok(last)) if first <= last => (first, last.min(end)),
        (Ok(first), Err(_)) if last.is_empty() => (first, end),
        // The last bytes.
        (Err(_), Ok(0)) if first.is_empty() => return Part::Nothing,
        (Err(_), Ok(count)) if first.is_empty() => (size.saturating_sub(count), end),
        _ => return Part::Whole,
    };
    match part {
        (first, last) if first < size => Part::Bytes(first, last),
        _ => Part::Nothing,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn parts_are_those_of_the_file() {
        let facts = HeaderMap::from_iter([
            (ETAG, HeaderValue::from_static("\"a\"")),
            (LAST_MODIFIED, HeaderValue::from_static("Tue")),
        ]);
        let of = |range, validator: Option<&'static str>, size| {
            let mut asked = HeaderMap::from_iter([(RANGE, HeaderValue::from_static(range))]);
            asked.extend(validator.map(|said| (IF_RANGE, HeaderValue::from_static(said))));
            part(&asked, &facts, size)
        };
        for (range, expected) in [
            ("bytes=0-", Part::Bytes(0, 9)),
            ("bytes=3-5", Part::Bytes(3, 5)),
            ("bytes=9-99", Part::Bytes(9, 9)),
            ("bytes=-4", Part::Bytes(6, 9)),
            ("bytes=-99", Part::Bytes(0, 9)),
            ("bytes=10-", Part::Nothing),
            ("bytes=-0", Part::Nothing),
            ("bytes=5-3", Part::Whole),
            ("bytes=0-1,3-4", Part::Whole),
            ("items=1-2", Part::Whole),
            ("bytes=-", Part::Whole),
        ] {
            assert_eq!(of(range, None, 10), expected, "{range}");
        }
        assert_eq!(of("bytes=0-", None, 0), Part::Nothing);
        assert_eq!(of("bytes=-5", None, 0), Part::Nothing);
        for (validator, is_current) in [
            ("\"a\"", true),
            ("Tue", true),
            ("\"b\"", false),
            ("W/\"a\"", false),
        ] {
            let expected = if is_current {
                Part::Bytes(3, 9)
            } else {
                Part::Whole
            };
            assert_eq!(of("bytes=3-", Some(validator), 10), expected, "{validator}");
        }
    }
}
