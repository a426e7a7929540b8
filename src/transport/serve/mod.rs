//! Serving the image to devices that fetch it, where it is offered to them, and only while it is.
//!
//! - here: what a device asks for, and how that is answered
//! - `offers` what is offered, and who may have it; `pieces` the bytes of one request on their way
//! - `desk` the listeners of a run, opened together and closed together; `shared` by all groups of a process
//! - `guard` how many connections are let in, and how often a refusal is logged
//! - `right` the right to low ports
//! - `http`, `ftp`, `tftp` the protocols: each finds the offer, asks, and sends what it is given

mod desk;
pub mod ftp;
mod guard;
mod http;
mod offers;
mod pieces;
mod right;
mod shared;
pub mod tftp;

use std::net::{IpAddr, SocketAddr};

use tokio::sync::oneshot;

use crate::model::serve::Over;

pub use desk::Desk;
pub use guard::{Admitted, Guard};
pub use hyper::body::Bytes;
pub use offers::{Denied, Offered, Offers};
pub use pieces::{Giver, Gone, Next, Pieces, pieces};
pub use right::{missing_right, needs_right};
pub use shared::SharedDesk;

/// What comes to an entity's offer.
#[derive(Debug)]
pub enum Visit {
    Asked(Asked),
    /// The file was asked for by its whole name, from an address that is not the entity's.
    FromElsewhere(IpAddr),
}

/// A request of a device.
#[derive(Debug)]
pub struct Asked {
    pub over: Over,
    pub by: SocketAddr,
    pub wanted: Wanted,
    /// Dropped, it is refused: nobody has it any more.
    pub answer: oneshot::Sender<Result<Answer, Refusal>>,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Wanted {
    /// The size alone: `HEAD` (RFC 9110 section 9.3.2), `SIZE` (RFC 3659 section 4).
    Size,
    /// From the byte at `from` on, up to but not with the one at `until`, else to the end.
    Bytes { from: u64, until: Option<u64> },
}

/// What it gets. It waits for this as long as it takes: the image's source may have to be opened first.
#[derive(Debug)]
pub struct Answer {
    /// Bytes of the whole image, where they are known.
    pub size: Option<u64>,
    /// What was asked for, and not more than that; `None` where only the size was.
    pub pieces: Option<Pieces>,
}

/// Why it gets nothing now.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum Refusal {
    /// Another request of the same device is being served: one that asks for several parts at once is to ask again.
    #[error("one request at a time: another one of this device is being served")]
    Busy,
    /// There is no such byte.
    #[error("the image has {size} bytes")]
    BeyondEnd { size: u64 },
    /// Why the image can't be had, for the log and for the device.
    #[error("{0}")]
    NotNow(String),
}
