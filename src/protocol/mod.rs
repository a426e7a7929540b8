//! Between the engine and what watches it: commands in, snapshots and events out.
//!
//! All of it is plain serialisable data, so the same link works in one process and, later, over a
//! socket. State changes come as [`Event`]s and are never lost; progress is sampled from the newest
//! [`Snapshot`], and figures in between may be skipped.

mod campaign;
mod campaign_words;
mod command;
mod continued;
mod event;
pub mod inspect;
mod snapshot;

pub use crate::model::GroupSpec;
pub use campaign::{
    CampaignSnapshot, CampaignSummary, Change, Held, HeldBy, PauseReason, Wait, WaveSnapshot,
};
pub use campaign_words::{Mark, STEP_GAP, Step};
pub use command::{Command, Secret, Target};
pub use continued::{ChangedBefore, Continued, DELIVERED_BY_RUN, EndedBefore, OfflineBefore};
pub use event::{
    EntityProgress, EntitySummary, Entry, Event, GroupSummary, Installed, Listing, PeerCheck,
    ProbeCheck, ProcedureCheck, Summary,
};
pub use snapshot::{EntitySnapshot, GroupPhase, GroupSnapshot, Hint, Snapshot};

use std::sync::Arc;

use tokio::sync::{mpsc, watch};

/// A watcher's end of the link.
#[derive(Debug)]
pub struct Link {
    pub commands: mpsc::Sender<Command>,
    /// Newest wins.
    pub snapshots: watch::Receiver<Arc<Snapshot>>,
    /// Every event in order; ends when the engine has.
    pub events: mpsc::UnboundedReceiver<Event>,
}
