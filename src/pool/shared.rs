//! The ring under its lock, and the tasks that wait for it.
//!
//! The lock is held for a few steps at a time. Buffers are dropped and wakers woken or dropped only
//! after it is released: all three can run foreign code, which may come back here.

use std::sync::PoisonError;
use std::task::Waker;

use super::budget::Budget;
use super::buffer::Buffer;
use super::figures::PoolFigures;
use super::ring::Ring;
use super::sync::{Arc, Mutex, MutexGuard, Plain};

/// Nothing here panics half-way through a change, so a poisoned lock guards a sound state.
pub(super) fn lock<T>(mutex: &Mutex<T>) -> MutexGuard<'_, T> {
    mutex.lock().unwrap_or_else(PoisonError::into_inner)
}

pub(super) struct Shared {
    state: Mutex<State>,
    pub(super) budget: Budget,
    pub(super) buffer_size: usize,
    pub(super) figures: Plain<PoolFigures>,
}

pub(super) struct State {
    pub(super) ring: Ring<Arc<Buffer>>,
    pub(super) writer: Option<Waker>,
    pub(super) readers: Waiting,
}

impl Shared {
    pub(super) fn new(budget: &Budget, buffer_size: usize, depth: usize) -> Self {
        let most = usize::try_from(budget.limit()).unwrap_or(usize::MAX);
        Self {
            state: Mutex::new(State {
                ring: Ring::new(depth),
                writer: None,
                readers: Waiting::default(),
            }),
            budget: budget.clone(),
            // One larger than the whole budget could never be had.
            buffer_size: buffer_size.clamp(1, most),
            figures: Plain::new(PoolFigures::new()),
        }
    }

    pub(super) fn lock(&self) -> MutexGuard<'_, State> {
        lock(&self.state)
    }

    /// Changes the ring, then wakes a waiting writer if that concerns it.
    pub(super) fn change<R>(&self, change: impl FnOnce(&mut Ring<Arc<Buffer>>) -> R) -> R {
        self.change_state(|state| change(&mut state.ring))
    }

    /// As [`Shared::change`], with the wakers at hand.
    pub(super) fn change_state<R>(&self, change: impl FnOnce(&mut State) -> R) -> R {
        let mut state = self.lock();
        let result = change(&mut state);
        let surplus = state.ring.take_surplus();
        let writer = match state.ring.take_news() {
            true => state.writer.take(),
            false => None,
        };
        drop(state);
        drop(surplus);
        if let Some(waker) = writer {
            waker.wake();
        }
        result
    }
}

impl State {
    /// Keeps the writer's waker; the one that it replaces is to be dropped without the lock.
    pub(super) fn register_writer(&mut self, waker: &Waker) -> Option<Waker> {
        match &self.writer {
            Some(old) if old.will_wake(waker) => None,
            _ => self.writer.replace(waker.clone()),
        }
    }
}

/// The readers that wait for a block. All of them are woken together, because the next block
/// concerns them all; readers that are busy are not in here.
#[derive(Default)]
pub(super) struct Waiting {
    wakers: Vec<Option<Waker>>,
    /// Grows whenever all are taken out: a seat from before is void.
    round: u64,
}

/// A reader's place among those that wait.
#[derive(Clone, Copy)]
pub(super) struct Seat {
    round: u64,
    at: usize,
}

impl Waiting {
    /// Seats a reader, or puts its newest waker into its seat. The waker that is replaced is to be
    /// dropped without the lock.
    pub(super) fn register(&mut self, seat: &mut Option<Seat>, waker: &Waker) -> Option<Waker> {
        match seat.and_then(|seat| self.of(seat)) {
            Some(Some(old)) if old.will_wake(waker) => None,
            Some(place) => place.replace(waker.clone()),
            None => {
                *seat = Some(Seat {
                    round: self.round,
                    at: self.wakers.len(),
                });
                self.wakers.push(Some(waker.clone()));
                None
            }
        }
    }

    /// Empties a reader's seat, if it still has one.
    pub(super) fn vacate(&mut self, seat: Option<Seat>) -> Option<Waker> {
        self.of(seat?)?.take()
    }

    /// Exchanges all wakers for an empty list, so that neither is ever allocated anew.
    pub(super) fn swap(&mut self, empty: &mut Vec<Option<Waker>>) {
        debug_assert!(empty.is_empty());
        std::mem::swap(&mut self.wakers, empty);
        self.round += 1;
    }

    fn of(&mut self, seat: Seat) -> Option<&mut Option<Waker>> {
        if seat.round == self.round {
            self.wakers.get_mut(seat.at)
        } else {
            None
        }
    }
}
