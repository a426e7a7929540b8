//! Which entities of a group can't be reached, and since when they are waited for.

use std::collections::BTreeMap;

use jiff::Timestamp;
use rusqlite::{Connection, params};

use super::columns::{collect, state, time};
use crate::model::{EntityState, Name};

pub(super) fn of_group(
    from: &Connection,
    run: &str,
    place: i64,
) -> rusqlite::Result<Vec<(Name, Timestamp)>> {
    // In the order in which they were written: clocks may jump.
    let changes = collect(
        from,
        "SELECT entity, state, at FROM changes WHERE run = ?1 AND place = ?2 ORDER BY id",
        params![run, place],
        |row| {
            let entity: String = row.get(0)?;
            Ok((entity, state(row, 1)?, time(row, "at")?))
        },
    )?;
    let mut all: BTreeMap<String, Since> = BTreeMap::new();
    for (entity, state, at) in changes {
        all.entry(entity).or_default().then(state, at);
    }
    let offline = all.into_iter().filter_map(|(entity, since)| {
        let at = since.first.filter(|_| since.is_waited_for)?;
        Some((entity.into(), at))
    });
    Ok(offline.collect())
}

/// What the changes of one entity say, one after the other.
#[derive(Debug, Default, Clone, Copy)]
struct Since {
    /// When it was first found to be offline, since it was really reached.
    first: Option<Timestamp>,
    /// It is offline, or was tried and has not answered yet.
    is_waited_for: bool,
}

impl Since {
    fn then(&mut self, state: EntityState, at: Timestamp) {
        match state {
            EntityState::Offline => {
                self.first.get_or_insert(at);
                self.is_waited_for = true;
            }
            // Whether somebody is there is not known yet.
            EntityState::Waiting | EntityState::Connecting | EntityState::Retrying => {}
            _ => *self = Self::default(),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn one_is_offline_since_it_was_last_reached() {
        use EntityState::{
            Cancelled, Connecting, Delivered, Failed, Offline, Preparing, Retrying, Sending,
            Waiting,
        };
        let at = |second: usize| Timestamp::from_second(i64::try_from(second).unwrap()).unwrap();
        for (states, expected) in [
            (&[][..], None),
            (&[Waiting, Connecting, Retrying, Connecting], None),
            (&[Waiting, Connecting, Offline], Some(2)),
            // It was asked, and asked again.
            (&[Waiting, Connecting, Offline, Offline, Offline], Some(2)),
            // It has answered a knock, and was lost again before it said anything.
            (
                &[Waiting, Connecting, Offline, Connecting, Offline],
                Some(2),
            ),
            // The engine was killed while it was tried.
            (&[Waiting, Connecting, Offline, Connecting], Some(2)),
            (
                &[Connecting, Offline, Connecting, Sending, Retrying, Offline],
                Some(5),
            ),
            (&[Preparing, Offline, Preparing, Offline], Some(3)),
            (&[Connecting, Offline, Connecting, Sending], None),
            (&[Connecting, Offline, Connecting, Sending, Delivered], None),
            (&[Connecting, Offline, Failed], None),
            (&[Connecting, Offline, Cancelled], None),
        ] {
            let mut since = Since::default();
            for (second, state) in states.iter().enumerate() {
                since.then(*state, at(second));
            }
            let found = since.first.filter(|_| since.is_waited_for);
            assert_eq!(found, expected.map(at), "{states:?}");
        }
    }
}
