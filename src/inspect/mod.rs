//! Questions to hosts without a run: what a run would meet ([`probe`](Inspector::probe)), what entities
//! hold ([`verify`](Inspector::verify)), which of them have an image ([`peers`](Inspector::peers)), what is
//! in a directory ([`listing`](Inspector::listing)), and what a run left behind ([`leftovers`]).
//!
//! A host is asked because somebody wants to know, never by itself. All go through one [`FanOut`]: a
//! limited number at a time, answers as they come, and an end at once when it is cancelled, with no
//! task left. What is tried of procedures meanwhile is done by those who can, behind [`Procedures`]. Agents choose their sources by the same answers.

mod fan_out;
mod installed;
pub(crate) mod leftovers;
mod listing;
mod peers;
mod probe;
mod procedures;
mod registry;
mod sources;

pub(crate) use fan_out::FanOut;
pub(crate) use installed::{Expected, installed};
pub(crate) use procedures::{Looked, Procedures};
pub(crate) use registry::{PeerRegistry, Server, server};
#[cfg(test)]
pub(crate) use sources::Peer;
pub(crate) use sources::{Candidate, Chosen, SENT_ANOTHER, Sources};

use std::sync::Arc;

use tokio::sync::mpsc;
use tokio_util::sync::CancellationToken;

use crate::model::{Inventory, Logins};
use crate::protocol::Event;

/// Maximum number of hosts that one question is put to at one time.
const AT_ONCE: usize = 32;

/// What asking needs. What was found so far goes out as events; each question ends with the last one.
pub(crate) struct Inspector<T> {
    pub(crate) transport: Arc<T>,
    pub(crate) inventory: Arc<Inventory>,
    pub(crate) logins: Arc<Logins>,
    pub(crate) registry: PeerRegistry,
    pub(crate) events: mpsc::UnboundedSender<Event>,
    pub(crate) cancel: CancellationToken,
}

impl<T> Inspector<T> {
    /// Nobody may be listening.
    fn tell(&self, event: Event) {
        let _ = self.events.send(event);
    }
}
