//! The messages between an engine and the clients that watch it, and how they are framed.
//!
//! A frame is its length (4 bytes, most significant first) and one JSON object. The first one each
//! way is [`Hello`] and [`Welcome`]; their fields `protocol` and `version` mean the same in all
//! versions, so that two that don't fit can say so.

use std::io;
use std::path::PathBuf;
use std::time::Duration;

use secrecy::zeroize::{Zeroize, Zeroizing};
use serde::de::DeserializeOwned;
use serde::{Deserialize, Serialize};
use thiserror::Error;
use tokio::io::{AsyncRead, AsyncReadExt, AsyncWrite, AsyncWriteExt};
use tokio_util::bytes::BytesMut;
use tokio_util::codec::{Decoder, LengthDelimitedCodec};

use super::delta::Delta;
use crate::protocol::{Command, Event};

/// Counts up whenever a message changes its meaning.
pub const PROTOCOL: u32 = 1;

/// The longest first frame of a client, its other frames, and frames of an engine: that one sends
/// the inventory, which may be long.
pub(super) const LONGEST_HELLO: usize = 64 << 10;
pub(super) const LONGEST_ASK: usize = 8 << 20;
pub(super) const LONGEST_TELL: usize = 128 << 20;

/// The first frames must be there within this time.
pub(super) const GREETING: Duration = Duration::from_secs(10);

/// Who a client is. Unknown fields are of a later version, which `protocol` says.
#[derive(Debug, Clone, Serialize, Deserialize)]
pub struct Hello {
    pub protocol: u32,
    pub version: String,
    pub wants: Wants,
    /// In words, for those who watch too.
    pub who: String,
}

/// What a client is there for.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum Wants {
    /// Snapshots and events, and to give orders.
    Orders,
    /// Snapshots and events alone.
    Watch,
    /// To ask once how it stands, or to give one order; not counted among those that watch.
    Errand,
}

/// What the engine says first, if it lets a client in.
#[derive(Debug, Clone, Serialize, Deserialize)]
pub struct Welcome {
    pub protocol: u32,
    pub version: String,
    pub process: u32,
    /// RFC 3339, UTC.
    pub since: jiff::Timestamp,
    pub inventory: PathBuf,
    /// The inventory as the engine has read it: the file may have changed since.
    pub text: String,
    /// Credentials whose password it has.
    pub logins: Vec<String>,
    /// How many watch it besides this one.
    pub others: usize,
    /// It stays when nothing runs, and is not ours to end.
    #[serde(default)]
    pub stays: bool,
}

/// The answer to a [`Hello`].
#[derive(Debug, Serialize, Deserialize)]
#[serde(tag = "answer", rename_all = "kebab-case")]
pub(super) enum Answer {
    Welcome(Box<Welcome>),
    Refuse { reason: String },
}

/// From a client.
#[derive(Debug, Serialize, Deserialize)]
#[serde(tag = "ask", rename_all = "kebab-case")]
pub(super) enum Ask {
    Order {
        order: Command,
    },
    /// The engine is to end when what runs has ended; which is cancelled, if `cancel` says so.
    Stop {
        cancel: bool,
    },
}

/// From the engine.
#[derive(Debug, Serialize, Deserialize)]
#[serde(tag = "tell", rename_all = "kebab-case")]
pub(super) enum Tell {
    Snapshot {
        delta: Box<Delta>,
    },
    Event {
        event: Box<Event>,
    },
    /// Cut off, and why. The engine goes on.
    Dropped {
        reason: String,
    },
}

#[derive(Debug, Error)]
pub(super) enum WireError {
    #[error(transparent)]
    Io(#[from] io::Error),
    #[error("a message can't be understood: {0}")]
    Malformed(serde_json::Error),
}

/// One frame. It may hold a password: it is wiped when it is dropped.
pub(super) fn frame(message: &impl Serialize) -> Result<Zeroizing<Vec<u8>>, WireError> {
    let mut bytes = Zeroizing::new(Vec::with_capacity(4096));
    bytes.extend_from_slice(&[0; 4]);
    serde_json::to_writer(&mut *bytes, message).map_err(WireError::Malformed)?;
    let length = u32::try_from(bytes.len() - 4).map_err(io::Error::other)?;
    bytes[..4].copy_from_slice(&length.to_be_bytes());
    Ok(bytes)
}

pub(super) async fn write(
    to: &mut (impl AsyncWrite + Unpin),
    message: &impl Serialize,
) -> Result<(), WireError> {
    Ok(to.write_all(&frame(message)?).await?)
}

/// Frames as they come in.
pub(super) struct Incoming<R> {
    from: R,
    codec: LengthDelimitedCodec,
    buffer: BytesMut,
}

impl<R: AsyncRead + Unpin> Incoming<R> {
    pub(super) fn new(from: R, longest: usize) -> Self {
        let mut codec = LengthDelimitedCodec::new();
        codec.set_max_frame_length(longest);
        Self {
            from,
            codec,
            buffer: BytesMut::new(),
        }
    }

    pub(super) fn set_longest(&mut self, longest: usize) {
        self.codec.set_max_frame_length(longest);
    }

    /// The next message; `None` at the end. Safe to give up and call again.
    pub(super) async fn next<T: DeserializeOwned>(&mut self) -> Result<Option<T>, WireError> {
        loop {
            if let Some(mut frame) = self.codec.decode(&mut self.buffer)? {
                let message = serde_json::from_slice(&frame).map_err(WireError::Malformed);
                frame.as_mut().zeroize();
                return message.map(Some);
            }
            if self.from.read_buf(&mut self.buffer).await? == 0 {
                return match self.buffer.is_empty() {
                    true => Ok(None),
                    false => Err(io::Error::from(io::ErrorKind::UnexpectedEof).into()),
                };
            }
        }
    }
}
