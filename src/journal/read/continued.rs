//! What another engine goes on with: runs that were cut off, or parked, from their rows.
//!
//! What has come to an end stays as it is. All else begins anew, whatever it was doing: the engine looks at an entity
//! before it writes there, and asks a device before it goes on with its steps.

use std::collections::BTreeMap;

use jiff::Timestamp;
use rusqlite::{Connection, Transaction, TransactionBehavior, params};

use super::columns::{bytes, checked, collect, holds, state, time, word};
use crate::journal::alive;
use crate::journal::writer::{CAMPAIGN, OF_RUN, RATE, next_number};
use crate::model::campaign::Absence;
use crate::model::{Capped, EntityState, GroupSpec, MadeGroup};
use crate::protocol::{ChangedBefore, Continued, EndedBefore, OfflineBefore};

/// A run that waits for another engine.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct WaitingRun {
    pub run: String,
    pub inventory_file: String,
    /// Those with something left to do.
    pub groups: Vec<Continued>,
    /// Nothing else of it is left.
    pub is_whole: bool,
    /// What entities, labels and file servers were held to last, where that was changed.
    pub rates: BTreeMap<Capped, Option<u64>>,
}

/// As its row has it.
struct Left {
    run: String,
    seq: i64,
    inventory_file: String,
    parked: Option<i64>,
    resident: bool,
}

/// A group of it.
struct Past {
    place: i64,
    spec: MadeGroup,
    force: bool,
}

/// An entity of a group, as it was written down last.
#[derive(Debug, Clone, PartialEq)]
struct Member {
    /// As far as it has come to an end there.
    last: EndedBefore,
    /// The number of its last change.
    seq: i64,
    /// Its states, in order.
    changes: Vec<(Timestamp, EntityState)>,
}

pub(super) fn waiting(
    from: &Connection,
    state_dir: &std::path::Path,
) -> rusqlite::Result<Vec<WaitingRun>> {
    let left = collect(
        from,
        "SELECT run, seq, inventory_file, parked, resident FROM runs
         WHERE settled IS NULL AND practice = 0 AND (ended IS NULL OR parked IS NOT NULL)
         ORDER BY seq",
        [],
        |row| {
            Ok(Left {
                run: row.get("run")?,
                seq: row.get("seq")?,
                inventory_file: row.get("inventory_file")?,
                parked: row.get("parked")?,
                resident: row.get("resident")?,
            })
        },
    )?;
    let mut waiting = Vec::new();
    for run in left {
        if alive::is_alive(state_dir, &run.run) {
            continue;
        }
        if alive::is_doubted(state_dir, &run.run) {
            // A pause may be among what is missing.
            tracing::warn!(
                "run {} is not gone on with: the journal could not be written when it ended",
                run.run
            );
            continue;
        }
        let (groups, is_whole) = groups(from, &run)?;
        if !groups.is_empty() {
            waiting.push(WaitingRun {
                rates: rates(from, &run)?,
                run: run.run,
                inventory_file: run.inventory_file,
                groups,
                is_whole,
            });
        }
    }
    Ok(waiting)
}

/// Those that go on, and whether there are no others with something left.
fn groups(from: &Connection, run: &Left) -> rusqlite::Result<(Vec<Continued>, bool)> {
    let groups = collect(
        from,
        "SELECT place, spec, force FROM groups WHERE run = ?1 ORDER BY place",
        [&run.run],
        |row| {
            let spec = row.get::<_, String>("spec")?;
            let Ok(GroupSpec::Made(spec)) = serde_json::from_str(&spec) else {
                return Ok(None);
            };
            Ok(Some(Past {
                place: row.get("place")?,
                spec,
                force: row.get("force")?,
            }))
        },
    )?;
    let (mut left, mut is_whole) = (Vec::new(), true);
    for group in groups.into_iter().flatten() {
        if is_dealt_with(from, run, &group.spec)? {
            continue;
        }
        let members = members(from, &run.run, group.place)?;
        let (ended, offline) = sorted(members, run.parked);
        let Some(ended) = ended else { continue };
        if !run.resident && group.spec.campaign.is_default() {
            is_whole = false;
            continue;
        }
        left.push(Continued {
            spec: GroupSpec::Made(group.spec),
            force: group.force,
            run: run.run.clone(),
            ended,
            offline,
            changes: changes(from, run, group.place)?,
        });
    }
    Ok((left, is_whole))
}

/// Whether a later run has the same group: it has gone on with it, or somebody has started it again.
fn is_dealt_with(from: &Connection, run: &Left, spec: &MadeGroup) -> rusqlite::Result<bool> {
    let later = collect(
        from,
        "SELECT spec FROM groups JOIN runs USING (run)
         WHERE runs.seq > ?1 AND practice = 0 AND name = ?2",
        params![run.seq, spec.name],
        |row| row.get::<_, String>(0),
    )?;
    let same = |later: &MadeGroup| {
        (later.image.name(), &later.entities) == (spec.image.name(), &spec.entities)
    };
    let mut later = later
        .iter()
        .filter_map(|text| serde_json::from_str(text).ok());
    Ok(later.any(|later| matches!(later, GroupSpec::Made(later) if same(&later))))
}

fn members(from: &Connection, run: &str, place: i64) -> rusqlite::Result<Vec<Member>> {
    let mut members = collect(
        from,
        "SELECT * FROM entities WHERE run = ?1 AND place = ?2 ORDER BY number",
        params![run, place],
        |row| {
            let name: String = row.get("name")?;
            let step: Option<String> = row.get("step")?;
            Ok(Member {
                last: EndedBefore {
                    entity: name.as_str().into(),
                    state: state(row, "state")?,
                    step: step.as_deref().and_then(word),
                    cause: row.get("cause")?,
                    attempts: row.get("attempt")?,
                    holds: holds(row)?,
                    runs: row.get("runs")?,
                    verified: checked(row)?,
                    bytes: bytes(row, "bytes")?.unwrap_or(0),
                },
                seq: row.get("seq")?,
                changes: Vec::new(),
            })
        },
    )?;
    let changes = collect(
        from,
        "SELECT entity, at, state FROM changes WHERE run = ?1 AND place = ?2 ORDER BY id",
        params![run, place],
        |row| {
            let entity: String = row.get("entity")?;
            Ok((entity, (time(row, "at")?, state(row, "state")?)))
        },
    )?;
    let places = members.iter().enumerate();
    let places: std::collections::HashMap<String, usize> = places
        .map(|(place, one)| (one.last.entity.to_string(), place))
        .collect();
    for (entity, change) in changes {
        if let Some(one) = places
            .get(&entity)
            .and_then(|place| members.get_mut(*place))
        {
            one.changes.push(change);
        }
    }
    Ok(members)
}

/// Those that have come to an end, and since when others have been offline. `None`: nothing is left to do.
fn sorted(
    members: Vec<Member>,
    parked: Option<i64>,
) -> (Option<Vec<EndedBefore>>, Vec<OfflineBefore>) {
    let all = members.len();
    let (ended, left): (Vec<_>, Vec<_>) = members
        .into_iter()
        .partition(|one| has_ended(one.last.state, one.seq, parked));
    let offline = left.iter().filter_map(|one| {
        Some(OfflineBefore {
            entity: one.last.entity.clone(),
            since: offline_since(&one.changes)?,
        })
    });
    let offline = offline.collect();
    let is_over = ended.len() == all;
    let ended = ended.into_iter().map(|one| one.last).collect();
    ((!is_over).then_some(ended), offline)
}

/// What was cancelled because the engine was asked to end has not.
fn has_ended(state: EntityState, seq: i64, parked: Option<i64>) -> bool {
    let is_parked = parked.is_some_and(|parked| seq > parked);
    state.is_final() && !(state == EntityState::Cancelled && is_parked)
}

/// Since when it was not reached, however often it was asked.
fn offline_since(changes: &[(Timestamp, EntityState)]) -> Option<Timestamp> {
    let mut absence = Absence::default();
    for (at, state) in changes {
        absence.saw(*at, *state);
    }
    absence.since()
}

/// What happened to the group, up to the moment at which it was parked.
fn changes(from: &Connection, run: &Left, place: i64) -> rusqlite::Result<Vec<ChangedBefore>> {
    let notes = notes(from, run, (place, CAMPAIGN))?;
    Ok(notes
        .into_iter()
        .filter_map(|(at, text)| match serde_json::from_str(&text) {
            Ok(change) => Some(ChangedBefore { at, change }),
            Err(error) => {
                tracing::warn!(
                    "run {}: a change of a group is not understood: {error}",
                    run.run
                );
                None
            }
        })
        .collect())
}

fn rates(from: &Connection, run: &Left) -> rusqlite::Result<BTreeMap<Capped, Option<u64>>> {
    let notes = notes(from, run, (OF_RUN, RATE))?;
    let rates = notes.iter().map(|(_, text)| serde_json::from_str(text));
    // One that a newer version has written is no reason to leave the run where it is.
    Ok(rates.filter_map(Result::ok).collect())
}

/// Those of one kind, in order, up to the moment at which the run was parked.
fn notes(
    from: &Connection,
    run: &Left,
    (place, kind): (i64, &str),
) -> rusqlite::Result<Vec<(Timestamp, String)>> {
    collect(
        from,
        "SELECT at, text FROM notes
         WHERE run = ?1 AND place = ?2 AND kind = ?3 AND seq <= ifnull(?4, seq) ORDER BY id",
        params![run.run, place, kind, run.parked],
        |row| Ok((time(row, "at")?, row.get::<_, String>("text")?)),
    )
}

pub(super) fn park(to: &Connection, run: &str) -> rusqlite::Result<()> {
    let transaction = Transaction::new_unchecked(to, TransactionBehavior::Immediate)?;
    let seq = next_number(&transaction)?;
    transaction.execute(
        "UPDATE runs SET parked = ?2 WHERE run = ?1 AND ended IS NULL AND parked IS NULL",
        params![run, seq],
    )?;
    transaction.commit()
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::model::Verified;

    fn at(second: i64) -> Timestamp {
        Timestamp::from_second(second).unwrap()
    }

    fn member(name: &str, states: &[EntityState], seq: i64) -> Member {
        let times = (1..).map(at);
        Member {
            last: EndedBefore {
                entity: name.into(),
                state: *states.last().unwrap(),
                step: None,
                cause: None,
                attempts: 1,
                holds: None,
                runs: None,
                verified: Verified::None,
                bytes: 0,
            },
            seq,
            changes: times.zip(states.iter().copied()).collect(),
        }
    }

    #[test]
    fn what_has_ended_stays_so_and_all_else_begins_anew() {
        for state in EntityState::ALL {
            for (seq, parked) in [(5, None), (5, Some(4)), (5, Some(6))] {
                let (ended, _) = sorted(
                    vec![
                        member("e1", &[state], seq),
                        member("e2", &[EntityState::Waiting], 1),
                    ],
                    parked,
                );
                let ended = ended.expect("e2 is left");
                // Cancelled by an operator, before: it stays cancelled.
                let again =
                    !state.is_final() || (state == EntityState::Cancelled && parked == Some(4));
                assert_eq!(ended.is_empty(), again, "{state} {parked:?}");
                // Alone, it is the whole group.
                let (alone, _) = sorted(vec![member("e1", &[state], seq)], parked);
                assert_eq!(alone.is_some(), again, "{state} {parked:?}");
            }
        }
        assert_eq!(sorted(Vec::new(), None), (None, Vec::new()));
    }

    #[test]
    fn only_those_that_have_not_come_to_an_end_are_offline_still() {
        use EntityState::{Cancelled, Connecting, Offline, Sending};
        for (states, parked, since) in [
            (vec![Offline, Connecting], None, Some(1)),
            (vec![Offline, Cancelled], Some(1), Some(1)),
            (vec![Offline, Cancelled], None, None),
            (vec![Offline, Connecting, Sending], None, None),
        ] {
            let (_, offline) = sorted(vec![member("e1", &states, 9)], parked);
            let found = offline.first().map(|one| one.since);
            assert_eq!(found, since.map(at), "{states:?}");
        }
    }
}
