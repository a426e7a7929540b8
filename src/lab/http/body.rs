//! What is sent and received, as hyper has it.

use std::convert::Infallible;
use std::future::poll_fn;
use std::pin::Pin;
use std::task::{Context, Poll};

use futures_util::stream::{BoxStream, Stream};
use hyper::body::{Frame, Incoming, SizeHint};
use tokio_util::bytes::Bytes;

/// The content of an answer.
pub(super) enum Body {
    /// Absent: it was sent, or there is none.
    Text(Option<Bytes>),
    /// Pieces of a file, as they come.
    Pieces(BoxStream<'static, Bytes>),
}

impl Body {
    pub(super) fn empty() -> Self {
        Self::Text(None)
    }

    pub(super) fn text(text: String) -> Self {
        Self::Text(Some(text.into()).filter(|text: &Bytes| !text.is_empty()))
    }
}

impl hyper::body::Body for Body {
    type Data = Bytes;
    type Error = Infallible;

    fn poll_frame(
        self: Pin<&mut Self>,
        cx: &mut Context<'_>,
    ) -> Poll<Option<Result<Frame<Bytes>, Infallible>>> {
        let next = match self.get_mut() {
            Self::Text(text) => Poll::Ready(text.take()),
            Self::Pieces(pieces) => Pin::new(pieces).poll_next(cx),
        };
        next.map(|next| next.map(|data| Ok(Frame::data(data))))
    }

    fn is_end_stream(&self) -> bool {
        matches!(self, Self::Text(None))
    }

    fn size_hint(&self) -> SizeHint {
        match self {
            Self::Text(text) => {
                SizeHint::with_exact(text.as_ref().map_or(0, |text| text.len() as u64))
            }
            Self::Pieces(_) => SizeHint::default(),
        }
    }
}

/// The next bytes of a request, or `None` at its end.
pub(super) async fn received(body: &mut Incoming) -> Option<Result<Vec<u8>, hyper::Error>> {
    let next = poll_fn(|cx| hyper::body::Body::poll_frame(Pin::new(&mut *body), cx));
    // Trailers have no bytes.
    let data = |frame: Frame<Bytes>| frame.into_data().map(Vec::from).unwrap_or_default();
    next.await.map(|frame| frame.map(data))
}
