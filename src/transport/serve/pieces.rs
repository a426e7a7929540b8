//! The bytes of one request on their way from what has them to the connection that sends them.
//!
//! One piece at a time is under way, and none is copied: a connection that takes nothing holds what it has, and
//! nothing more is given to it.

use std::task::{Context, Poll, ready};

use hyper::body::Bytes;
use tokio::sync::{mpsc, oneshot};
use tokio_util::sync::{CancellationToken, DropGuard};

/// The connection is gone, with this many bytes of the request given to it.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Gone;

enum Piece {
    Bytes(Bytes),
    /// That was all. Answered when the connection has sent it.
    End(oneshot::Sender<()>),
}

/// The giving end. Dropped before [`Giver::end`], it breaks the connection off, so that the device does not take
/// what it has for whole.
#[derive(Debug)]
pub struct Giver {
    pieces: mpsc::Sender<Piece>,
    _over: DropGuard,
}

/// The taking end, of a connection. Dropped, it says that the connection is gone.
#[derive(Debug)]
pub struct Pieces {
    pieces: mpsc::Receiver<Piece>,
    sent: Option<oneshot::Sender<()>>,
    over: CancellationToken,
}

/// What comes next on a connection.
#[derive(Debug)]
pub enum Next {
    Bytes(Bytes),
    End,
    /// It is to be broken off.
    Broken,
}

pub fn pieces() -> (Giver, Pieces) {
    let (sender, pieces) = mpsc::channel(1);
    let over = CancellationToken::new();
    let giver = Giver {
        pieces: sender,
        _over: over.clone().drop_guard(),
    };
    let sent = None;
    (giver, Pieces { pieces, sent, over })
}

impl Giver {
    /// Waits until the connection takes more, without giving it any.
    ///
    /// # Errors
    /// It is gone.
    pub async fn ready(&self) -> Result<(), Gone> {
        self.pieces.reserve().await.map(drop).map_err(|_| Gone)
    }

    /// Waits until the connection takes these bytes. Cancelled, it has not taken them.
    ///
    /// # Errors
    /// It is gone.
    pub async fn give(&self, bytes: Bytes) -> Result<(), Gone> {
        let room = self.pieces.reserve().await.map_err(|_| Gone)?;
        room.send(Piece::Bytes(bytes));
        Ok(())
    }

    /// Waits until the connection has sent everything.
    ///
    /// # Errors
    /// It was gone before that.
    pub async fn end(self) -> Result<(), Gone> {
        let (sent, is_sent) = oneshot::channel();
        self.pieces.send(Piece::End(sent)).await.map_err(|_| Gone)?;
        is_sent.await.map_err(|_| Gone)
    }

    /// Returns when the connection is gone.
    pub async fn gone(&self) {
        self.pieces.closed().await;
    }
}

impl Pieces {
    pub async fn next(&mut self) -> Next {
        std::future::poll_fn(|cx| self.poll_next(cx)).await
    }

    pub fn poll_next(&mut self, cx: &mut Context<'_>) -> Poll<Next> {
        if self.sent.is_some() {
            return Poll::Ready(Next::End);
        }
        Poll::Ready(match ready!(self.pieces.poll_recv(cx)) {
            Some(Piece::Bytes(bytes)) => Next::Bytes(bytes),
            Some(Piece::End(sent)) => {
                self.sent = Some(sent);
                Next::End
            }
            None => Next::Broken,
        })
    }

    /// Returns when nobody gives or waits any more: before [`Pieces::sent`], the connection is to be broken off. A
    /// connection that takes nothing learns of it by this alone, as it asks for no more.
    pub fn over(&self) -> impl Future<Output = ()> + Send + use<> {
        self.over.clone().cancelled_owned()
    }

    /// Everything that was given, and its end, has been sent to the device.
    pub fn sent(mut self) {
        if let Some(sent) = self.sent.take() {
            let _ = sent.send(());
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[tokio::test]
    async fn pieces_come_in_order_and_the_end_is_answered_when_all_is_sent() {
        let (giver, mut pieces) = pieces();
        let giving = async {
            giver.give(Bytes::from_static(b"ab")).await.unwrap();
            giver.give(Bytes::from_static(b"c")).await.unwrap();
            giver.end().await
        };
        let taking = async {
            let mut taken = Vec::new();
            loop {
                match pieces.next().await {
                    Next::Bytes(bytes) => taken.extend_from_slice(&bytes),
                    Next::End => break,
                    Next::Broken => panic!("broken off"),
                }
            }
            assert!(
                matches!(pieces.next().await, Next::End),
                "as often as asked"
            );
            pieces.sent();
            taken
        };
        let (given, taken) = tokio::join!(giving, taking);
        assert_eq!((given, taken.as_slice()), (Ok(()), &b"abc"[..]));
    }

    #[tokio::test]
    async fn either_side_learns_that_the_other_is_gone() {
        let (giver, mut taken) = pieces();
        drop(giver);
        assert!(matches!(taken.next().await, Next::Broken));

        let (giver, taken) = pieces();
        giver.give(Bytes::from_static(b"a")).await.unwrap();
        drop(taken);
        giver.gone().await;
        assert_eq!(giver.ready().await, Err(Gone));

        let (giver, mut taken) = pieces();
        let ending = async { giver.end().await };
        let going = async {
            assert!(matches!(taken.next().await, Next::End));
            drop(taken);
        };
        assert_eq!(tokio::join!(ending, going).0, Err(Gone), "it was not sent");
    }
}
