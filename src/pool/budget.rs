//! The memory for software download, in bytes, which all pools together never exceed (promise 2).
//!
//! A pool that wants a buffer while others hold the memory waits in line. The one at the head gets
//! its bytes as soon as they are there, even before it looks, so a large buffer is not starved by
//! small ones, and one release wakes only those whose bytes it provides.

use std::collections::VecDeque;
use std::task::{Context, Poll, Waker};

use super::shared::lock;
use super::sync::{Arc, Mutex};

/// Bytes that all pools together may hold (\[0021\]). Cheap to clone; clones share the same bytes.
#[derive(Clone)]
pub struct Budget {
    ledger: Arc<Mutex<Ledger>>,
    limit: u64,
}

struct Ledger {
    /// Bytes charged, those granted to a waiting pool included.
    held: u64,
    peak: u64,
    next_ticket: u64,
    line: VecDeque<InLine>,
}

struct InLine {
    ticket: u64,
    bytes: u64,
    granted: bool,
    waker: Waker,
}

impl Budget {
    /// A budget of this number of bytes, at least one.
    pub fn new(bytes: u64) -> Self {
        Self {
            ledger: Arc::new(Mutex::new(Ledger {
                held: 0,
                peak: 0,
                next_ticket: 0,
                line: VecDeque::new(),
            })),
            limit: bytes.max(1),
        }
    }

    /// Bytes that are held now.
    pub fn held(&self) -> u64 {
        lock(&self.ledger).held
    }

    /// The most bytes that were ever held at once.
    pub fn peak(&self) -> u64 {
        lock(&self.ledger).peak
    }

    /// From now on the peak is that of what comes.
    pub fn forget_peak(&self) {
        let mut ledger = lock(&self.ledger);
        ledger.peak = ledger.held;
    }

    /// Bytes that may be held.
    pub fn limit(&self) -> u64 {
        self.limit
    }

    /// Changes the ledger, then grants what has become possible.
    fn settle<R>(&self, change: impl FnOnce(&mut Ledger) -> R) -> R {
        let mut ledger = lock(&self.ledger);
        let result = change(&mut ledger);
        let woken = ledger.grant(self.limit);
        drop(ledger);
        for waker in woken {
            waker.wake();
        }
        result
    }
}

impl std::fmt::Debug for Budget {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Budget")
            .field("limit", &self.limit)
            .finish_non_exhaustive()
    }
}

impl Ledger {
    fn take(&mut self, bytes: u64, limit: u64) -> bool {
        let fits = bytes <= limit.saturating_sub(self.held);
        if fits {
            self.held += bytes;
            self.peak = self.peak.max(self.held);
        }
        fits
    }

    /// Gives those at the head of the line their bytes, as far as there are any.
    fn grant(&mut self, limit: u64) -> Vec<Waker> {
        let mut woken = Vec::new();
        for at in 0..self.line.len() {
            let (bytes, granted) = (self.line[at].bytes, self.line[at].granted);
            if granted {
                continue;
            }
            if !self.take(bytes, limit) {
                break;
            }
            self.line[at].granted = true;
            woken.push(self.line[at].waker.clone());
        }
        woken
    }

    fn place_of(&self, ticket: u64) -> Option<usize> {
        self.line.iter().position(|place| place.ticket == ticket)
    }
}

/// One wish for bytes. Dropping it leaves the line, and gives back what was granted meanwhile.
pub(super) struct Claim<'a> {
    budget: &'a Budget,
    bytes: u64,
    ticket: Option<u64>,
}

impl<'a> Claim<'a> {
    pub(super) fn new(budget: &'a Budget, bytes: u64) -> Self {
        Self {
            budget,
            bytes,
            ticket: None,
        }
    }

    /// The bytes, or a place in the line for them.
    pub(super) fn poll_take(&mut self, cx: &mut Context<'_>) -> Poll<Charge> {
        let limit = self.budget.limit;
        let mut ledger = lock(&self.budget.ledger);
        let mut old = None;
        let taken = match self.ticket.and_then(|ticket| ledger.place_of(ticket)) {
            Some(at) if ledger.line[at].granted => {
                old = ledger.line.remove(at).map(|place| place.waker);
                true
            }
            Some(at) => {
                if !ledger.line[at].waker.will_wake(cx.waker()) {
                    let waker = cx.waker().clone();
                    old = Some(std::mem::replace(&mut ledger.line[at].waker, waker));
                }
                false
            }
            None if ledger.line.iter().all(|place| place.granted)
                && ledger.take(self.bytes, limit) =>
            {
                true
            }
            None => {
                let ticket = ledger.next_ticket;
                ledger.next_ticket += 1;
                ledger.line.push_back(InLine {
                    ticket,
                    bytes: self.bytes,
                    granted: false,
                    waker: cx.waker().clone(),
                });
                self.ticket = Some(ticket);
                false
            }
        };
        drop(ledger);
        // A waker's drop is foreign code: never under the lock.
        drop(old);
        if !taken {
            return Poll::Pending;
        }
        self.ticket = None;
        Poll::Ready(Charge {
            budget: self.budget.clone(),
            bytes: self.bytes,
        })
    }

    /// Leaves the line.
    pub(super) fn withdraw(&mut self) {
        let Some(ticket) = self.ticket.take() else {
            return;
        };
        let place = self.budget.settle(|ledger| {
            let place = ledger.line.remove(ledger.place_of(ticket)?)?;
            if place.granted {
                ledger.held -= place.bytes;
            }
            Some(place)
        });
        drop(place);
    }
}

impl Drop for Claim<'_> {
    fn drop(&mut self) {
        self.withdraw();
    }
}

/// Bytes taken from a budget, given back on drop.
pub(super) struct Charge {
    budget: Budget,
    bytes: u64,
}

impl Drop for Charge {
    fn drop(&mut self) {
        self.budget.settle(|ledger| ledger.held -= self.bytes);
    }
}
