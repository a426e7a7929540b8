//! The order in which a pass comes to its sources.

use std::collections::HashSet;

use crate::inspect::registry::{Server, Sessions, server};
use crate::model::PeerChoice;

use super::{Candidate, Chosen};

/// The sources of one group as they are known when a pass begins.
pub(super) struct Offer {
    /// Proven by this run, in the order in which they got the image.
    pub(super) holders: Vec<Chosen>,
    pub(super) asked_for: Vec<Candidate>,
    pub(super) file_servers: Vec<Chosen>,
}

impl Offer {
    /// The best first, each once. A device may take one session at a time, so a source on a server
    /// that is written to comes last, and one that nobody has asked for is not read there at all
    /// while there is another. Of those that this run has delivered, the one that is read least
    /// comes first.
    pub(super) fn order(
        mut self,
        later: bool,
        written: &HashSet<Server>,
        sessions: impl Fn(&Server) -> Sessions,
    ) -> Vec<Candidate> {
        let place = |chosen: &Chosen| server(&chosen.remote.endpoint.address);
        let takes = |place: &Server| written.contains(place) || sessions(place).writing > 0;
        let is_written = |candidate: &Candidate| match candidate {
            Candidate::Known(chosen) => takes(&place(chosen)),
            Candidate::Peers(PeerChoice::Named(peer)) => takes(&server(&peer.address)),
            Candidate::Peers(PeerChoice::Any(_)) | Candidate::Unfit(..) => false,
        };
        self.holders
            .sort_by_key(|holder| sessions(&place(holder)).reading);
        let known = |all: Vec<Chosen>| -> Vec<Candidate> {
            all.into_iter().map(Candidate::Known).collect()
        };
        let (in_the_way, holders): (Vec<_>, Vec<_>) = known(self.holders)
            .into_iter()
            .partition(|holder| is_written(holder));
        let file_servers = known(self.file_servers);
        let mut order = if later {
            [holders, self.asked_for, file_servers].concat()
        } else {
            [self.asked_for, holders, file_servers].concat()
        };
        let mut seen = HashSet::new();
        order.retain(|candidate| seen.insert(candidate.name()));
        order.sort_by_key(|candidate| is_written(candidate));
        if order.is_empty() { in_the_way } else { order }
    }
}
