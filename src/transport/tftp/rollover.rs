//! How servers number blocks beyond 65,535, which no RFC says: most go on with 0, some with 1. It is found out
//! by the first file that is so long, and kept for the other ones of this process.

use std::collections::HashSet;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use crate::model::Address;

use super::machine::Numbers;

#[derive(Debug, Clone, Default)]
pub(super) struct Rollover {
    /// Those that go on with 1.
    with_one: Arc<Mutex<HashSet<Address>>>,
}

impl Rollover {
    pub(super) fn numbers(&self, address: &Address) -> Numbers {
        Numbers {
            last: u16::MAX,
            after: u16::from(self.lock().contains(address)),
        }
    }

    /// The server does not go on in this way: the next file is numbered in the other one.
    pub(super) fn other_than(&self, numbers: Numbers, address: &Address) {
        let mut with_one = self.lock();
        match numbers.after {
            0 => drop(with_one.insert(address.clone())),
            _ => drop(with_one.remove(address)),
        }
    }

    fn lock(&self) -> MutexGuard<'_, HashSet<Address>> {
        self.with_one.lock().unwrap_or_else(PoisonError::into_inner)
    }
}
