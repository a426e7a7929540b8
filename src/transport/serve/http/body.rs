//! What is sent behind the head of an answer, as hyper takes it.

use std::io;
use std::pin::Pin;
use std::sync::Arc;
use std::task::{Context, Poll, ready};

use hyper::body::{Bytes, Frame, SizeHint};

use super::super::{Next, Pieces};
use super::line::Line;

pub(super) enum Body {
    /// `None`: it was sent, or there is none.
    Text(Option<Bytes>),
    Image(Image),
}

/// The pieces of an image on their way.
pub(super) struct Image {
    /// `None`: all of them were handed on.
    pieces: Option<Pieces>,
    /// Bytes that are still to come, where the length was announced.
    left: Option<u64>,
    /// The piece that would make an announced length full. It waits for the end of what is given: a device must not
    /// have the whole of something that is then broken off.
    last: Option<Bytes>,
    line: Arc<Line>,
}

impl Image {
    /// `length`: what is announced.
    pub(super) fn new(pieces: Pieces, length: Option<u64>, line: Arc<Line>) -> Self {
        line.begin(&pieces);
        Self {
            pieces: Some(pieces),
            left: length,
            last: None,
            line,
        }
    }

    fn poll_next(&mut self, cx: &mut Context<'_>) -> Poll<Option<io::Result<Bytes>>> {
        while let Some(pieces) = &mut self.pieces {
            match ready!(pieces.poll_next(cx)) {
                Next::Bytes(bytes) if bytes.is_empty() => {}
                Next::Bytes(bytes) => {
                    let Some(left) = &mut self.left else {
                        return Poll::Ready(Some(Ok(bytes)));
                    };
                    let rest = left.checked_sub(bytes.len() as u64);
                    let Some(rest) = rest else {
                        return broken("more was given than is announced");
                    };
                    *left = rest;
                    if rest > 0 {
                        return Poll::Ready(Some(Ok(bytes)));
                    }
                    self.last = Some(bytes);
                }
                Next::End if self.left.is_some_and(|left| left > 0) => {
                    return broken("less was given than is announced");
                }
                Next::End => {
                    if let Some(pieces) = self.pieces.take() {
                        self.line.handed_on(pieces);
                    }
                    return Poll::Ready(self.last.take().map(Ok));
                }
                Next::Broken => return broken("it was broken off"),
            }
        }
        Poll::Ready(None)
    }
}

fn broken(why: &'static str) -> Poll<Option<io::Result<Bytes>>> {
    Poll::Ready(Some(Err(io::Error::other(why))))
}

impl hyper::body::Body for Body {
    type Data = Bytes;
    type Error = io::Error;

    fn poll_frame(
        self: Pin<&mut Self>,
        cx: &mut Context<'_>,
    ) -> Poll<Option<io::Result<Frame<Bytes>>>> {
        let next = match self.get_mut() {
            Self::Text(text) => text.take().map(Ok),
            Self::Image(image) => ready!(image.poll_next(cx)),
        };
        Poll::Ready(next.map(|next| next.map(Frame::data)))
    }

    fn is_end_stream(&self) -> bool {
        match self {
            Self::Text(text) => text.is_none(),
            Self::Image(image) => image.pieces.is_none(),
        }
    }

    fn size_hint(&self) -> SizeHint {
        match self {
            Self::Text(text) => {
                SizeHint::with_exact(text.as_ref().map_or(0, |text| text.len() as u64))
            }
            Self::Image(image) => image
                .left
                .map_or_else(SizeHint::default, SizeHint::with_exact),
        }
    }
}
