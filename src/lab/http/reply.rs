//! The status for each refusal, in the words of a server that says what it means; and what a line of FTP's
//! replies comes to, which settings have for all protocols.

use hyper::header::{CONTENT_TYPE, HeaderName, HeaderValue};
use hyper::{Response, StatusCode};

use super::body::Body;
use crate::lab::storage::Refusal;

/// An answer that is no file.
#[derive(Debug)]
pub(super) struct Answer {
    status: StatusCode,
    text: String,
    header: Option<(HeaderName, HeaderValue)>,
}

pub(super) type Result<T> = std::result::Result<T, Answer>;

impl Answer {
    pub(super) fn new(status: StatusCode, text: impl Into<String>) -> Self {
        Self {
            status,
            text: text.into(),
            header: None,
        }
    }

    /// A success about which there is nothing to say.
    pub(super) fn done() -> Self {
        Self::new(StatusCode::NO_CONTENT, "")
    }

    pub(super) fn with(self, name: HeaderName, value: HeaderValue) -> Self {
        Self {
            header: Some((name, value)),
            ..self
        }
    }
}

impl From<Answer> for Response<Body> {
    fn from(answer: Answer) -> Self {
        let line = match &*answer.text {
            "" => String::new(),
            text => format!("{text}\n"),
        };
        let is_empty = line.is_empty();
        let mut response = Self::new(Body::text(line));
        *response.status_mut() = answer.status;
        let headers = response.headers_mut();
        if !is_empty {
            headers.insert(CONTENT_TYPE, HeaderValue::from_static("text/plain"));
        }
        if answer.status == StatusCode::SERVICE_UNAVAILABLE {
            headers.insert("retry-after", HeaderValue::from_static("1"));
        }
        headers.extend(answer.header);
        response
    }
}

/// [`Refusal::Cut`] has no answer: its connection is closed.
pub(super) fn refused(refusal: &Refusal) -> Answer {
    let status = match refusal {
        Refusal::Name(_) => StatusCode::CONFLICT,
        Refusal::NotThere(_) => StatusCode::NOT_FOUND,
        Refusal::Denied(_) => StatusCode::FORBIDDEN,
        Refusal::Busy => StatusCode::SERVICE_UNAVAILABLE,
        Refusal::Full => StatusCode::INSUFFICIENT_STORAGE,
        Refusal::Cut(_) | Refusal::Io(_) => StatusCode::INTERNAL_SERVER_ERROR,
    };
    Answer::new(status, refusal.to_string())
}

/// What a line comes to. A code that FTP does not have is a status of HTTP.
pub(super) fn of_line(line: &str) -> Answer {
    let (code, text) = line.split_at_checked(3).unwrap_or((line, ""));
    let text = text.trim_start();
    let status = match code.parse().unwrap_or_default() {
        421 | 425 | 426 | 450 | 451 => StatusCode::SERVICE_UNAVAILABLE,
        452 | 552 => StatusCode::INSUFFICIENT_STORAGE,
        430 | 530 => StatusCode::UNAUTHORIZED,
        501 | 503 | 551 => StatusCode::BAD_REQUEST,
        500 | 502 | 504 => StatusCode::NOT_IMPLEMENTED,
        532 | 534 | 550 => StatusCode::FORBIDDEN,
        553 => StatusCode::CONFLICT,
        200..400 => StatusCode::OK,
        code => StatusCode::from_u16(code).unwrap_or(StatusCode::INTERNAL_SERVER_ERROR),
    };
    Answer::new(status, text)
}

/// The same, where it is no success.
pub(super) fn of_bad_line(line: Option<&String>) -> Option<Answer> {
    let answer = of_line(line?);
    (!answer.status.is_success()).then_some(answer)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_line_is_a_status() {
        for (line, status) in [
            ("226 stored", 200),
            ("350 go on", 200),
            ("421 too many users", 503),
            ("451 flash error", 503),
            ("552 disk full", 507),
            ("530 who?", 401),
            ("500 what?", 501),
            ("550 not for you", 403),
            ("553 no such name", 409),
            ("404 not here", 404),
            ("413 too large", 413),
        ] {
            let answer = of_line(line);
            assert_eq!(answer.status.as_u16(), status, "{line}");
            assert_eq!(answer.text, line[4..]);
        }
    }
}
