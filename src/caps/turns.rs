//! Whose turn it is: that of the one that has got least since it joined. All that wait for more get equally much, and one
//! that wants less gets all that it wants.

use std::collections::BTreeMap;

/// A place in the line: what its owner has got by then, and when it joined.
pub(super) type Place = (u64, u64);

/// Those that wait.
#[derive(Debug)]
pub(super) struct Turns<T> {
    line: BTreeMap<Place, T>,
    /// The most that one had got that was served: one that is new is taken to have got as much.
    level: u64,
    tickets: u64,
}

impl<T> Default for Turns<T> {
    fn default() -> Self {
        Self {
            line: BTreeMap::new(),
            level: 0,
            tickets: 0,
        }
    }
}

impl<T> Turns<T> {
    /// Waits from now on; `got` is what it has got so far, `None` of a new one. One that was busy elsewhere is behind the
    /// others by `credit` at most.
    pub(super) fn enter(&mut self, got: Option<u64>, credit: u64, who: T) -> Place {
        self.tickets += 1;
        let least = self.level.saturating_sub(credit);
        let place = (got.map_or(self.level, |got| got.max(least)), self.tickets);
        self.line.insert(place, who);
        place
    }

    pub(super) fn is_first(&self, place: Place) -> bool {
        let first = self.line.first_key_value();
        first.is_some_and(|(first, _)| *first == place)
    }

    pub(super) fn first(&self) -> Option<&T> {
        self.line.first_key_value().map(|(_, who)| who)
    }

    /// It waits no more. Whether it was the first.
    pub(super) fn leave(&mut self, place: Place) -> bool {
        let was_first = self.is_first(place);
        self.line.remove(&place);
        was_first
    }

    /// The first has got this many bytes, and leaves: what it has got by now.
    pub(super) fn served(&mut self, place: Place, bytes: usize) -> u64 {
        self.leave(place);
        self.level = self.level.max(place.0);
        place.0.saturating_add(bytes as u64)
    }
}
