//! What a request carries: a file as it comes, alone or as the one field of a form (RFC 7578).

use std::hash::{BuildHasher, Hasher, RandomState};
use std::io;
use std::mem::take;
use std::pin::Pin;
use std::task::{Context, Poll, ready};

use hyper::body::{Frame, SizeHint};
use tokio::sync::mpsc;
use tokio_util::bytes::Bytes;

pub(super) enum Piece {
    Data(Bytes),
    /// The file is whole. Without it the request is given up, whatever was announced.
    End,
}

/// The body of a request; by default there is none.
#[derive(Default)]
pub(super) struct Body {
    before: Bytes,
    file: Option<mpsc::Receiver<Piece>>,
    after: Bytes,
    /// Bytes of all of it; without them it comes in chunks.
    length: Option<u64>,
}

impl Body {
    pub(super) fn file(file: mpsc::Receiver<Piece>, size: Option<u64>) -> Self {
        Self {
            file: Some(file),
            length: size,
            ..Self::default()
        }
    }

    pub(super) fn text(text: &str) -> Self {
        Self {
            before: Bytes::copy_from_slice(text.as_bytes()),
            length: Some(text.len() as u64),
            ..Self::default()
        }
    }

    /// A form with one field, which is a file of `size` bytes; and the type that its boundary is in.
    pub(super) fn form(
        file: mpsc::Receiver<Piece>,
        size: u64,
        field: &str,
        name: &str,
    ) -> (Self, String) {
        let boundary = boundary();
        let before = format!(
            "--{boundary}\r\nContent-Disposition: form-data; name=\"{}\"; filename=\"{}\"\r\n\
             Content-Type: application/octet-stream\r\n\r\n",
            in_quotes(field),
            in_quotes(name)
        );
        let after = format!("\r\n--{boundary}--\r\n");
        let around = before.len() as u64 + after.len() as u64;
        let body = Self {
            before: before.into(),
            file: Some(file),
            after: after.into(),
            length: Some(size.saturating_add(around)),
        };
        (body, format!("multipart/form-data; boundary={boundary}"))
    }
}

/// What no file has in it by chance: 128 bits that differ from form to form.
fn boundary() -> String {
    let random = || RandomState::new().build_hasher().finish();
    format!("----------------{:016x}{:016x}", random(), random())
}

/// As browsers write a name (WHATWG HTML, "multipart/form-data encoding algorithm").
fn in_quotes(name: &str) -> String {
    let name = name.replace('"', "%22");
    name.replace('\r', "%0D").replace('\n', "%0A")
}

impl hyper::body::Body for Body {
    type Data = Bytes;
    type Error = io::Error;

    fn poll_frame(
        mut self: Pin<&mut Self>,
        context: &mut Context<'_>,
    ) -> Poll<Option<io::Result<Frame<Bytes>>>> {
        if !self.before.is_empty() {
            return Poll::Ready(Some(Ok(Frame::data(take(&mut self.before)))));
        }
        if let Some(file) = &mut self.file {
            match ready!(file.poll_recv(context)) {
                Some(Piece::Data(data)) => return Poll::Ready(Some(Ok(Frame::data(data)))),
                Some(Piece::End) => self.file = None,
                None => {
                    let given_up = io::Error::other("the file was given up");
                    return Poll::Ready(Some(Err(given_up)));
                }
            }
        }
        let after = take(&mut self.after);
        Poll::Ready((!after.is_empty()).then(|| Ok(Frame::data(after))))
    }

    fn is_end_stream(&self) -> bool {
        self.before.is_empty() && self.file.is_none() && self.after.is_empty()
    }

    fn size_hint(&self) -> SizeHint {
        match (self.length, self.is_end_stream()) {
            (Some(length), _) => SizeHint::with_exact(length),
            (None, true) => SizeHint::with_exact(0),
            (None, false) => SizeHint::default(),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_name_can_not_end_its_quotes() {
        assert_eq!(in_quotes("a\"; x=\r\nü"), "a%22; x=%0D%0Aü");
    }

    #[test]
    fn boundaries_differ() {
        let boundary = boundary();
        assert_ne!(boundary, super::boundary());
        // RFC 2046 section 5.1.1.
        assert!(boundary.len() <= 70);
    }
}
