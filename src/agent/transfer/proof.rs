//! Whether what a source gives is the image: what came before, its digest, and who is to blame.

use std::time::Instant;

use sha2::{Digest, Sha256};

use crate::agent::pace::Pace;
use crate::agent::trust::{Contradiction, Giver, Givers, Verdict, contradicted, judge};
use crate::inspect::Chosen;
use crate::model::{Failure, Fault, Name, Step};
use crate::transport::read_and_hash::read_and_hash;
use crate::transport::{ImageDigest, Source, Transport};

use super::{Stop, TransferAgent};

impl<T: Transport> TransferAgent<T> {
    pub(super) async fn prove_what_came_before(
        &self,
        chosen: &Chosen,
        pace: &mut Pace,
    ) -> Result<(), Stop> {
        let opened = self.open_at(chosen, 0).await;
        let mut source = opened.map_err(|failure| self.stopped(chosen, failure))?;
        let before = (self.origin, self.state.digest.clone());
        self.prove(chosen, &mut *source, before, &self.state.givers, pace)
            .await
    }

    /// Reads the beginning of a source's file, and compares it with what was read of the image.
    pub(super) async fn prove(
        &self,
        chosen: &Chosen,
        source: &mut dyn Source,
        (position, digest): (u64, Sha256),
        givers: &Givers,
        pace: &mut Pace,
    ) -> Result<(), Stop> {
        let mut asked = Instant::now();
        let proof = read_and_hash(source, Some(position), |count| {
            self.count(count);
            let brought = pace.brought(count, asked, Instant::now());
            asked = Instant::now();
            brought.map_err(|fault| Failure::new(Step::Open, fault))
        });
        let proof = (proof.await).map_err(|failure| self.stopped(chosen, failure))?;
        if proof.sha256[..] == digest.finalize()[..] {
            return Ok(());
        }
        let reason = format!(
            "the first {position} bytes of {} are not those that were read before",
            chosen.name
        );
        Err(match contradicted(&chosen.giver(), givers) {
            Contradiction::Newcomer => {
                self.leave(chosen, &reason);
                let fault = Fault::NotTheImage { reason };
                Stop::Failed(Failure::new(Step::Open, fault))
            }
            Contradiction::Givers(blamed) => self.deceived(&blamed, &reason),
            Contradiction::Changed => {
                let fault = Fault::SourceChanged { reason };
                self.stopped(chosen, Failure::new(Step::Open, fault))
            }
        })
    }

    /// What these give must come to this SHA-256, where that is known by now.
    pub(super) fn expected(&self, givers: &[Giver]) -> Option<[u8; 32]> {
        let known = self.digests.expected(self.image());
        known.or_else(|| {
            // A file server may have a newer file than the one that was delivered.
            let from_peers = givers.iter().any(|giver| giver.peer.is_some());
            self.proven.filter(|_| from_peers)
        })
    }

    /// The digest of all that was read, against what is known of the image.
    pub(super) fn check_digest(&self, digest: ImageDigest, givers: &Givers) -> Result<(), Stop> {
        let fits = match self.expected(givers) {
            Some(expected) if expected != digest.sha256 => {
                let (expected, actual) = (hex::encode(expected), hex::encode(digest.sha256));
                Some(format!("its SHA-256 is {actual}, and must be {expected}"))
            }
            _ => None,
        };
        if let Some(stop) = fits.and_then(|reason| self.blame(givers, &reason)) {
            return Err(stop);
        }
        // Where there is nothing else to be read, nothing can make it right.
        let unproven = |giver: &Giver| giver.peer.is_some() && !giver.proven;
        let is_proven = self.proven == Some(digest.sha256) || !givers.iter().any(unproven);
        (self.digests.whole(self.image(), digest, is_proven)).map_err(Stop::Fatal)
    }

    /// What these gave is not the image. Those who are to blame are left, or where that is not known
    /// each will be read by itself. `None`: it comes from a file server, and there is nothing else.
    pub(super) fn blame(&self, givers: &Givers, reason: &str) -> Option<Stop> {
        let names: Vec<Name> = givers.iter().map(|giver| giver.name.clone()).collect();
        let is_suspected = |giver: &Giver| self.sources.is_suspected(&giver.name);
        match judge(givers, self.sources.are_others(&names), is_suspected) {
            Verdict::Nobody => None,
            Verdict::Left(blamed) => Some(self.deceived(&blamed, reason)),
            Verdict::Suspected(suspected) => {
                for giver in &suspected {
                    self.sources.suspect(&giver.name);
                }
                Some(self.begins_anew(givers, reason))
            }
        }
    }

    /// Another pass may have found out meanwhile that one of them is not to be believed.
    pub(super) fn still_believed(&self, givers: &Givers) -> Result<(), Stop> {
        let is_left = |giver: &&Giver| (self.sources).was_left(&giver.name, giver.peer.as_ref());
        let left: Vec<Giver> = givers.iter().filter(is_left).cloned().collect();
        if left.is_empty() {
            return Ok(());
        }
        Err(self.deceived(&left, "another pass has found that out"))
    }

    /// These have sent something else than the image: nobody reads them any more.
    pub(super) fn deceived(&self, blamed: &[Giver], reason: &str) -> Stop {
        for giver in blamed {
            (self.sources).leave(&giver.name, giver.peer.as_ref(), reason);
        }
        self.begins_anew(blamed, reason)
    }

    fn begins_anew(&self, blamed: &[Giver], reason: &str) -> Stop {
        self.digests.forget();
        let names: Vec<&str> = blamed.iter().map(|giver| &*giver.name).collect();
        let name = names.join(", ");
        let reason = reason.to_owned();
        Stop::Deceived(Failure::new(Step::Read, Fault::Deceived { name, reason }))
    }
}
