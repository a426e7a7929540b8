//! One stream of bytes under all caps that it comes under.

use std::sync::Arc;
use std::sync::atomic::Ordering;

use tokio::sync::watch;

use crate::model::{Entity, Name};

use super::cap::{Claim, Clock};
use super::held::HeldMeter;
use super::known::GroupCaps;

/// What a stream comes under.
#[derive(Debug)]
pub(super) enum Under {
    Nothing,
    Entity(Arc<Entity>),
    FileServer(Name),
}

/// Says how many bytes of a stream may go. Where there is no cap, all of them, and it costs next to nothing.
#[derive(Debug)]
pub(crate) struct Pacer {
    caps: Arc<GroupCaps>,
    under: Under,
    changes: watch::Receiver<u64>,
    claims: Vec<Claim>,
    /// While there are any.
    counted: Option<Counted>,
    /// Bytes that were granted and are not sent yet.
    kept: usize,
    held: Arc<HeldMeter>,
}

impl Pacer {
    pub(super) fn new(caps: Arc<GroupCaps>, under: Under) -> Self {
        let mut changes = caps.changes();
        changes.mark_unchanged();
        let claims = caps.claims(&under);
        let counted = Counted::of(&claims, &caps);
        Self {
            counted,
            caps,
            under,
            changes,
            claims,
            kept: 0,
            held: Arc::default(),
        }
    }

    /// Its waits are counted there.
    pub(crate) fn counted_by(mut self, held: Arc<HeldMeter>) -> Self {
        self.held = held;
        self
    }

    /// Waits until some of the next `most` bytes may go: how many. Cancel safe: what was granted and is not
    /// [sent](Self::sent) counts for the next.
    pub(crate) async fn grant(&mut self, most: usize) -> usize {
        self.look_anew();
        if self.claims.is_empty() || most == 0 {
            return most;
        }
        if self.kept == 0 {
            let mut taking = Taking {
                claims: &mut self.claims,
                asked: 0,
                granted: most,
            };
            taking.take(&self.held).await;
            self.kept = std::mem::take(&mut taking.granted);
        }
        self.kept.min(most)
    }

    /// This many of the bytes that were granted have gone.
    pub(crate) fn sent(&mut self, bytes: usize) {
        self.kept = self.kept.saturating_sub(bytes);
    }

    /// When any cap has changed: what waits under the old ones is to ask anew.
    pub(crate) fn changes(&self) -> Changes {
        Changes(self.changes.clone())
    }

    fn look_anew(&mut self) {
        if !self.changes.has_changed().unwrap_or(false) {
            return;
        }
        self.changes.mark_unchanged();
        self.give_back();
        self.claims = self.caps.claims(&self.under);
        self.counted = Counted::of(&self.claims, &self.caps);
    }

    fn give_back(&mut self) {
        let kept = std::mem::take(&mut self.kept);
        if kept > 0 {
            for claim in &mut self.claims {
                claim.give_back(kept);
            }
        }
    }
}

impl Drop for Pacer {
    fn drop(&mut self) {
        self.give_back();
    }
}

/// One of the crowd that is under caps.
#[derive(Debug)]
struct Counted(Arc<Clock>);

impl Counted {
    fn of(claims: &[Claim], caps: &GroupCaps) -> Option<Self> {
        if claims.is_empty() {
            return None;
        }
        let clock = caps.clock().clone();
        clock.crowd.fetch_add(1, Ordering::Relaxed);
        Some(Self(clock))
    }
}

impl Drop for Counted {
    fn drop(&mut self) {
        self.0.crowd.fetch_sub(1, Ordering::Relaxed);
    }
}

/// See [`Pacer::changes`].
pub(crate) struct Changes(watch::Receiver<u64>);

impl Changes {
    /// The next one; never where there will be none.
    pub(crate) async fn next(&mut self) {
        if self.0.changed().await.is_err() {
            std::future::pending::<()>().await;
        }
    }
}

/// The claims of one stream while they are asked one after the other. What some have granted goes back where another
/// grants less, or is waited for no more.
struct Taking<'a> {
    claims: &'a mut [Claim],
    /// Those that have granted.
    asked: usize,
    granted: usize,
}

impl Taking<'_> {
    async fn take(&mut self, held: &HeldMeter) {
        while let Some(claim) = self.claims.get_mut(self.asked) {
            let granted = claim.take(self.granted, held).await;
            let less = self.granted - granted.min(self.granted);
            if less > 0 {
                for before in &mut self.claims[..self.asked] {
                    before.give_back(less);
                }
            }
            self.granted -= less;
            self.asked += 1;
        }
    }
}

impl Drop for Taking<'_> {
    fn drop(&mut self) {
        if self.granted > 0 {
            for claim in &mut self.claims[..self.asked] {
                claim.give_back(self.granted);
            }
        }
    }
}
