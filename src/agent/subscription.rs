//! A download agent's place at a pass, and how it asks for another one.

use tokio::sync::oneshot;
use tokio_util::sync::CancellationToken;

use crate::model::Failure;

use super::Reader;

/// A place at a pass. Dropping it leaves the pass.
pub(super) struct Subscription {
    pub(super) pass: u32,
    pub(super) reader: Reader,
    /// Offset in the image of the block that the reader gets next.
    pub(super) next: u64,
    /// Cancelled when the pass has failed, after its pool knows why: an agent that is busy with
    /// something else than reading the pool learns it too.
    pub(super) broken: CancellationToken,
    /// Cancelled when the entity holds up the others and must leave.
    pub(super) leave: CancellationToken,
}

/// A wish for a place at a pass that brings the byte at `position`, of an agent whose session is
/// open and waits.
pub(super) struct Request {
    pub(super) entity: usize,
    pub(super) position: u64,
    /// Passes that it had to leave: it would hold them up again.
    pub(super) left: Vec<u32>,
    pub(super) grant: oneshot::Sender<Result<Subscription, Failure>>,
}
