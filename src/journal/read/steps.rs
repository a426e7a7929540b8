//! What was done on entities beside their images.

use std::collections::HashMap;

use rusqlite::{Connection, Row, params};

use super::columns::{collect, maybe_time, time};
use super::rows::StepRow;
use crate::model::Name;
use crate::model::procedure::Part;
use crate::procedure::{OpenSteps, PastStep, StepEnd};

/// What is known so far of the steps of one entity.
#[derive(Clone)]
struct Known {
    open: OpenSteps,
    /// The last run in which there were any, and the place of its group.
    last: (String, i64),
    /// That run came to an end which leaves nothing open: whatever is done next is done anew.
    is_settled: bool,
}

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

/// One entity in one group of one run, in order.
struct Stated {
    entity: String,
    state: String,
    of: Known,
    step: Option<PastStep>,
}

/// Of runs against real entities. What was said of an entity in the end (it runs the image, or its previous one)
/// closes what came before, and so does another image.
pub(super) fn open(from: &Connection) -> rusqlite::Result<HashMap<Name, OpenSteps>> {
    let rows = collect(
        from,
        "SELECT e.run, e.place, e.name, e.state, e.address, e.path, g.version, s.part, s.number, s.outcome
         FROM entities e JOIN groups g USING (run, place) JOIN runs r USING (run)
             JOIN steps s ON s.run = e.run AND s.place = e.place AND s.entity = e.name
         WHERE r.practice = 0 ORDER BY s.seq",
        [],
        one,
    )?;
    let mut open: HashMap<Name, Known> = HashMap::new();
    for row in rows {
        let name: Name = row.entity.as_str().into();
        if matches!(row.state.as_str(), "upgraded" | "rolled-back") {
            open.remove(&name);
            continue;
        }
        let Some(step) = row.step else { continue };
        let entry = open.entry(name).or_insert_with(|| row.of.clone());
        let is_same = same_but_steps(&entry.open, &row.of.open);
        if !is_same || entry.is_settled && entry.last != row.of.last {
            *entry = row.of.clone();
        }
        entry.last = row.of.last;
        let is_known = matches!(
            step.end,
            Some(StepEnd::Done | StepEnd::Refused | StepEnd::Undone)
        );
        entry.is_settled = row.state == "failed" && is_known;
        entry.open.steps.push(step);
    }
    let changes = |step: &PastStep| matches!(step.part, Part::Activate | Part::Undo);
    open.retain(|_, one| !one.is_settled && one.open.steps.iter().any(changes));
    Ok(open
        .into_iter()
        .map(|(name, one)| (name, one.open))
        .collect())
}

fn same_but_steps(one: &OpenSteps, other: &OpenSteps) -> bool {
    (&one.address, &one.path, &one.version) == (&other.address, &other.path, &other.version)
}

/// No procedure has that many steps.
fn number(row: &Row<'_>) -> rusqlite::Result<usize> {
    let number: i64 = row.get("number")?;
    Ok(usize::try_from(number).unwrap_or(usize::MAX))
}

fn one(row: &Row<'_>) -> rusqlite::Result<Stated> {
    let part: String = row.get("part")?;
    let outcome: Option<String> = row.get("outcome")?;
    let number = number(row)?;
    let step = Part::of(&part).map(|part| PastStep {
        part,
        number,
        end: outcome.as_deref().and_then(StepEnd::of),
    });
    Ok(Stated {
        entity: row.get("name")?,
        state: row.get("state")?,
        of: Known {
            open: OpenSteps {
                address: row.get("address")?,
                path: row.get("path")?,
                version: row.get("version")?,
                steps: Vec::new(),
            },
            last: (row.get("run")?, row.get("place")?),
            is_settled: false,
        },
        step,
    })
}
