//! What was done on entities beside their images.

use std::collections::HashMap;

use rusqlite::{Connection, Row, params};

use super::columns::{collect, maybe_time, state, time};
use super::rows::StepRow;
use crate::model::procedure::Part;
use crate::model::{EntityState, Name};
use crate::procedure::{OpenSteps, PastStep, StepEnd};

/// By the entity's name.
pub(super) fn of_group(
    from: &Connection,
    run: &str,
    place: i64,
) -> rusqlite::Result<HashMap<String, Vec<StepRow>>> {
    let rows = collect(
        from,
        "SELECT entity, at, part, number, what, ended, outcome, said FROM steps
         WHERE run = ?1 AND place = ?2 ORDER BY seq",
        params![run, place],
        |row| {
            let step = StepRow {
                at: time(row, "at")?,
                part: row.get("part")?,
                number: number(row)?,
                what: row.get("what")?,
                ended: maybe_time(row, "ended")?,
                outcome: row.get("outcome")?,
                said: row.get("said")?,
            };
            Ok((row.get::<_, String>("entity")?, step))
        },
    )?;
    let mut steps: HashMap<String, Vec<StepRow>> = HashMap::new();
    for (entity, step) in rows {
        steps.entry(entity).or_default().push(step);
    }
    Ok(steps)
}

/// Of runs against real entities. What was said of an entity in the end (it runs the image, or its previous one)
/// closes what came before, and so does another image.
pub(super) fn open(from: &Connection) -> rusqlite::Result<HashMap<Name, OpenSteps>> {
    let mut steps = steps(from)?;
    let entities = collect(
        from,
        "SELECT e.run, e.place, e.name, e.state, e.address, e.path, g.version
         FROM entities e JOIN groups g USING (run, place) JOIN runs r USING (run)
         WHERE r.practice = 0 AND e.name IN (SELECT DISTINCT entity FROM steps) ORDER BY g.seq",
        [],
        |row| {
            let of = OpenSteps {
                address: row.get("address")?,
                path: row.get("path")?,
                version: row.get("version")?,
                steps: Vec::new(),
            };
            let key: Key = (row.get("run")?, row.get("place")?, row.get("name")?);
            Ok((key, state(row, "state")?, of))
        },
    )?;
    let mut open: HashMap<Name, OpenSteps> = HashMap::new();
    for (key, state, of) in entities {
        let name: Name = key.2.as_str().into();
        let steps = steps.remove(&key).unwrap_or_default();
        let known = open.remove(&name).filter(|known| is_same(known, &of));
        let next = after(
            known.map_or_else(Vec::new, |known| known.steps),
            state,
            steps,
        );
        if !next.is_empty() {
            open.insert(name, OpenSteps { steps: next, ..of });
        }
    }
    Ok(open)
}

/// What is open after one more run, in which an entity came to this state by these steps.
fn after(mut open: Vec<PastStep>, state: EntityState, steps: Vec<PastStep>) -> Vec<PastStep> {
    open.extend(steps);
    let last = open.iter().rev().find(|step| step.is_of_activation());
    let is_known = last.is_none_or(|last| {
        matches!(
            last.end,
            Some(StepEnd::Done | StepEnd::Refused | StepEnd::Undone)
        )
    });
    match state {
        EntityState::Upgraded | EntityState::RolledBack | EntityState::Skipped => Vec::new(),
        // It failed in a way that leaves no step in doubt: whatever is done next is done anew.
        EntityState::Failed if is_known => Vec::new(),
        // The steps before the image are for one run.
        state if state.is_final() => {
            open.retain(PastStep::is_of_activation);
            open
        }
        _ => open,
    }
}

fn is_same(one: &OpenSteps, other: &OpenSteps) -> bool {
    (&one.address, &one.path, &one.version) == (&other.address, &other.path, &other.version)
}

/// A run, the place of a group in it, and an entity's name.
type Key = (String, i64, String);

fn steps(from: &Connection) -> rusqlite::Result<HashMap<Key, Vec<PastStep>>> {
    let rows = collect(
        from,
        "SELECT run, place, entity, part, number, outcome FROM steps ORDER BY seq",
        [],
        |row| {
            let (part, outcome): (String, Option<String>) = (row.get("part")?, row.get("outcome")?);
            let number = number(row)?;
            let step = Part::of(&part).map(|part| PastStep {
                part,
                number,
                end: outcome.as_deref().and_then(StepEnd::of),
            });
            let key: Key = (row.get("run")?, row.get("place")?, row.get("entity")?);
            Ok((key, step))
        },
    )?;
    let mut steps: HashMap<Key, Vec<PastStep>> = HashMap::new();
    for (key, step) in rows {
        steps.entry(key).or_default().extend(step);
    }
    Ok(steps)
}

/// No procedure has that many steps.
fn number(row: &Row<'_>) -> rusqlite::Result<usize> {
    let number: i64 = row.get("number")?;
    Ok(usize::try_from(number).unwrap_or(usize::MAX))
}
