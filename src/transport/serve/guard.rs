//! How many connections are let in, and how often a refusal is logged: what a stranger does costs nobody else
//! anything.

use std::collections::HashMap;
use std::fmt::Display;
use std::net::{IpAddr, SocketAddr};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::{Duration, Instant};

use crate::model::serve::Over;

use super::Offers;

/// Connections of one entity at a time: one that is served, and some that are refused or looked at.
const PER_ENTITY: usize = 4;
/// Connections of all addresses together to which nothing is offered: they are answered, so that a device that asks
/// from another address is found, and no more of them are than that.
const STRANGERS: usize = 16;
/// Refusals that are logged in each [`STRETCH`].
const LINES: u32 = 10;
const STRETCH: Duration = Duration::from_secs(10);

/// Shared by all listeners of a run.
#[derive(Debug, Clone)]
pub struct Guard {
    offers: Offers,
    state: Arc<Mutex<State>>,
}

#[derive(Debug, Default)]
struct State {
    /// Connections that are open, by the address of an entity.
    open: HashMap<IpAddr, usize>,
    strangers: usize,
    lines: Lines,
}

/// A connection that was let in, for as long as it is open.
#[derive(Debug)]
pub struct Admitted {
    state: Arc<Mutex<State>>,
    /// `None`: of a stranger.
    address: Option<IpAddr>,
}

impl Guard {
    pub fn new(offers: Offers) -> Self {
        let state = Arc::default();
        Self { offers, state }
    }

    pub fn offers(&self) -> &Offers {
        &self.offers
    }

    /// Lets a connection in; `None`: there are too many from there, and it is closed without a word.
    pub fn admit(&self, address: IpAddr) -> Option<Admitted> {
        let address = address.to_canonical();
        let entities = self.offers.count(address);
        let mut state = lock(&self.state);
        let known = (entities > 0).then_some(address);
        let (open, most) = match known {
            Some(known) => (
                state.open.entry(known).or_default(),
                entities.saturating_mul(PER_ENTITY),
            ),
            None => (&mut state.strangers, STRANGERS),
        };
        if *open >= most {
            return None;
        }
        *open += 1;
        let state = Arc::clone(&self.state);
        Some(Admitted {
            state,
            address: known,
        })
    }

    /// Logs that a request was refused, unless there is too much of that.
    pub fn refused(&self, over: Over, by: SocketAddr, why: &dyn Display) {
        let line = lock(&self.state).lines.next(Instant::now());
        match line {
            Some(0) => tracing::warn!("a request over {over} from {by} was refused: {why}"),
            Some(more) => tracing::warn!(
                "a request over {over} from {by} was refused: {why}; {more} more were, and are not logged one by one"
            ),
            None => {}
        }
    }
}

impl Drop for Admitted {
    fn drop(&mut self) {
        let mut state = lock(&self.state);
        let Some(address) = self.address else {
            state.strangers = state.strangers.saturating_sub(1);
            return;
        };
        if let Some(open) = state.open.get_mut(&address) {
            *open = open.saturating_sub(1);
            if *open == 0 {
                state.open.remove(&address);
            }
        }
    }
}

fn lock(state: &Mutex<State>) -> MutexGuard<'_, State> {
    state.lock().unwrap_or_else(PoisonError::into_inner)
}

/// Which refusals are logged.
#[derive(Debug, Default)]
struct Lines {
    since: Option<Instant>,
    logged: u32,
    left_out: u64,
}

impl Lines {
    /// Whether this one is logged, and how many before it were not.
    fn next(&mut self, now: Instant) -> Option<u64> {
        let is_over = |since: Instant| now.saturating_duration_since(since) >= STRETCH;
        if self.since.is_none_or(is_over) {
            self.since = Some(now);
            self.logged = 0;
        }
        if self.logged == LINES {
            self.left_out += 1;
            return None;
        }
        self.logged += 1;
        Some(std::mem::take(&mut self.left_out))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn each_entity_has_room_and_strangers_share_a_little() {
        let offers = Offers::default();
        let guard = Guard::new(offers.clone());
        let (device, stranger) = (IpAddr::from([192, 0, 2, 7]), IpAddr::from([192, 0, 2, 99]));
        let offered = offers.offer(&"e1".into(), vec![device], "a.bin");
        let strangers: Vec<Admitted> = (0..1000).filter_map(|_| guard.admit(stranger)).collect();
        assert_eq!(strangers.len(), STRANGERS);
        let mut let_in: Vec<Admitted> = (0..10).filter_map(|_| guard.admit(device)).collect();
        assert_eq!(let_in.len(), PER_ENTITY, "whatever strangers do");
        let_in.pop();
        assert!(guard.admit(device).is_some(), "one of them is gone");
        let other = offers.offer(&"e2".into(), vec![device], "a.bin");
        let more: Vec<Admitted> = (0..10).filter_map(|_| guard.admit(device)).collect();
        assert_eq!(let_in.len() + more.len(), 2 * PER_ENTITY);
        drop((offered, other, let_in, more, strangers));
        assert!(guard.admit(stranger).is_some());
        assert!(lock(&guard.state).open.is_empty());
    }

    #[test]
    fn refusals_are_logged_at_a_bounded_rate_and_the_rest_counted() {
        let (start, mut lines) = (Instant::now(), Lines::default());
        let logged = (0..1000).filter(|_| lines.next(start).is_some()).count();
        assert_eq!(logged, 10);
        let later = start + STRETCH;
        assert_eq!(lines.next(later), Some(990));
        assert_eq!(lines.next(later), Some(0));
    }
}
