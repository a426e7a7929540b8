//! One run whole, one entity over all runs, and what each entity holds.

use std::collections::{HashMap, HashSet};
use std::path::Path;

use jiff::Timestamp;
use rusqlite::{Connection, OptionalExtension, Row, Transaction, TransactionBehavior, params};

use super::columns::{bytes, collect, holds, maybe_time, state, time};
use super::rows::{
    Change, Copied, EntityRow, GroupRow, Known, Note, PassRow, PastRow, RunRow, RunStatus, RunWhole,
};
use super::runs::runs;
use super::steps;
use crate::journal::after_crash::{self, AfterCrash, LastTouch, Said, after_crash};
use crate::journal::alive;
use crate::journal::found::{Found, StagingFile};
use crate::journal::origin::Origin;
use crate::journal::writer::{OF_RUN, micros, next_number};
use crate::model::{Holds, Name, Series};

pub(super) fn whole(
    from: &Connection,
    state_dir: &Path,
    run: &str,
) -> rusqlite::Result<Option<RunWhole>> {
    let Some(row) = runs(from, state_dir, "WHERE run = ?1", run)?.pop() else {
        return Ok(None);
    };
    let inventory: Option<String> = from
        .query_row(
            "SELECT content FROM inventories
             JOIN runs ON runs.inventory = inventories.digest WHERE run = ?1",
            [run],
            |row| row.get(0),
        )
        .optional()?;
    let mut groups = collect(
        from,
        "SELECT place, name, started, image, version, type, file, size, sha256, source, force, spec
         FROM groups WHERE run = ?1 ORDER BY place",
        [run],
        |row| Ok((row.get::<_, i64>("place")?, group(row)?)),
    )?;
    let mut series = series(from, run)?;
    let touches = touches(from, run)?;
    let mut found = found(from, run)?;
    let later = match row.status {
        RunStatus::CutOff => later_touches(from, &row)?,
        RunStatus::Ended | RunStatus::Running => HashSet::new(),
    };
    let activated_later = match row.status {
        RunStatus::CutOff => later_activations(from, &row)?,
        RunStatus::Ended | RunStatus::Running => HashSet::new(),
    };
    for (place, group) in &mut groups {
        fill(from, run, *place, group)?;
        group.series = series.remove(place);
        let activates = group.activates();
        for one in &mut group.entities {
            one.found = found.remove(&(*place, one.entity.clone()));
            let file = (one.address.clone(), one.path.clone());
            let is_later = later.contains(&file) || activated_later.contains(&file);
            let of_run = OfRun {
                activates,
                is_later,
                is_doubted: row.in_doubt,
            };
            judge(one, *place, &touches, of_run);
        }
    }
    Ok(Some(RunWhole {
        run: row,
        groups: groups.into_iter().map(|(_, group)| group).collect(),
        inventory: inventory
            .and_then(|text| serde_json::from_str(&text).ok())
            .unwrap_or_default(),
        series: series.remove(&OF_RUN),
    }))
}

/// A group without what is in it.
fn group(row: &Row<'_>) -> rusqlite::Result<GroupRow> {
    let spec: String = row.get("spec")?;
    Ok(GroupRow {
        group: row.get("name")?,
        started: time(row, "started")?,
        image: row.get("image")?,
        version: row.get("version")?,
        type_: row.get("type")?,
        file: row.get("file")?,
        size: bytes(row, "size")?,
        sha256: row.get("sha256")?,
        source: row.get("source")?,
        force: row.get("force")?,
        spec: serde_json::from_str(&spec).ok(),
        passes: Vec::new(),
        notes: Vec::new(),
        entities: Vec::new(),
        series: None,
    })
}

/// By the place of the group. One that can't be read is none.
fn series(from: &Connection, run: &str) -> rusqlite::Result<HashMap<i64, Series>> {
    let rows = collect(
        from,
        "SELECT place, content FROM series WHERE run = ?1",
        [run],
        |row| Ok((row.get(0)?, row.get::<_, String>(1)?)),
    )?;
    let read = |(place, text): (i64, String)| {
        let whole = serde_json::from_str(&text).ok()?;
        Some((place, Series::of(whole)?))
    };
    Ok(rows.into_iter().filter_map(read).collect())
}

/// The passes, notes and entities of a group.
fn fill(from: &Connection, run: &str, place: i64, group: &mut GroupRow) -> rusqlite::Result<()> {
    let of_group = params![run, place];
    group.passes = collect(
        from,
        "SELECT pass, at, source, first_byte, ended, read FROM passes
         WHERE run = ?1 AND place = ?2 ORDER BY pass",
        of_group,
        |row| {
            Ok(PassRow {
                pass: row.get("pass")?,
                at: time(row, "at")?,
                source: row.get("source")?,
                offset: bytes(row, "first_byte")?.unwrap_or(0),
                ended: maybe_time(row, "ended")?,
                read: bytes(row, "read")?,
            })
        },
    )?;
    group.notes = collect(
        from,
        "SELECT at, kind, text FROM notes WHERE run = ?1 AND place = ?2 ORDER BY id",
        of_group,
        |row| {
            Ok(Note {
                at: time(row, "at")?,
                kind: row.get("kind")?,
                text: row.get("text")?,
            })
        },
    )?;
    group.entities = collect(
        from,
        "SELECT * FROM entities WHERE run = ?1 AND place = ?2 ORDER BY number",
        of_group,
        entity,
    )?;
    let mut changes: HashMap<String, Vec<Change>> = HashMap::new();
    for (entity, change) in collect(
        from,
        "SELECT entity, at, state, step, cause, attempt, holds FROM changes
         WHERE run = ?1 AND place = ?2 ORDER BY id",
        of_group,
        |row| Ok((row.get::<_, String>("entity")?, change(row)?)),
    )? {
        changes.entry(entity).or_default().push(change);
    }
    let mut steps = steps::of_group(from, run, place)?;
    for one in &mut group.entities {
        one.steps = steps.remove(&one.entity).unwrap_or_default();
        one.changes = changes.remove(&one.entity).unwrap_or_default();
    }
    Ok(())
}

/// The files that other runs wrote since, by address and path.
fn later_touches(from: &Connection, run: &RunRow) -> rusqlite::Result<HashSet<(String, String)>> {
    let files = collect(
        from,
        "SELECT DISTINCT address, path FROM touches JOIN runs USING (run)
         WHERE touches.seq > (SELECT seq FROM runs WHERE run = ?1) AND run <> ?1 AND practice = ?2",
        params![run.run, run.practice],
        |row| Ok((row.get(0)?, row.get(1)?)),
    )?;
    Ok(files.into_iter().collect())
}

/// Those whose entities other runs have since begun to make run an image, by address and path.
fn later_activations(
    from: &Connection,
    run: &RunRow,
) -> rusqlite::Result<HashSet<(String, String)>> {
    let files = collect(
        from,
        "SELECT DISTINCT e.address, e.path FROM entities e JOIN runs r USING (run)
         WHERE r.seq > (SELECT seq FROM runs WHERE run = ?1) AND r.practice = ?2
             AND EXISTS (SELECT 1 FROM steps s
                 WHERE s.run = e.run AND s.place = e.place AND s.entity = e.name
                     AND s.part <> 'before')",
        params![run.run, run.practice],
        |row| Ok((row.get(0)?, row.get(1)?)),
    )?;
    Ok(files.into_iter().collect())
}

/// The last one of each, by place of the group, address and path.
type Touches = HashMap<(i64, String, String), LastTouch>;

fn touches(from: &Connection, run: &str) -> rusqlite::Result<Touches> {
    let touches = collect(
        from,
        "SELECT place, address, path, what, staged FROM touches WHERE run = ?1 ORDER BY seq",
        [run],
        |row| {
            let what: String = row.get("what")?;
            let last = match what.as_str() {
                "open" if row.get("staged")? => LastTouch::Staging,
                _ => LastTouch::Final,
            };
            Ok((
                (row.get("place")?, row.get("address")?, row.get("path")?),
                last,
            ))
        },
    )?;
    // A device that was made to fetch writes its file as it likes. Without an answer, it may have begun.
    let fetched = collect(
        from,
        "SELECT s.place, e.address, e.path FROM steps s
         JOIN entities e ON e.run = s.run AND e.place = s.place AND e.name = s.entity
         WHERE s.run = ?1 AND s.part = 'fetch'
             AND (s.outcome IS NULL OR s.outcome NOT IN ('undone', 'refused'))",
        [run],
        |row| {
            let file = (row.get("place")?, row.get("address")?, row.get("path")?);
            Ok((file, LastTouch::Final))
        },
    )?;
    Ok(touches.into_iter().chain(fetched).collect())
}

/// The newest of each entity, by place of the group and name.
fn found(from: &Connection, run: &str) -> rusqlite::Result<HashMap<(i64, String), Found>> {
    let found = collect(
        from,
        "SELECT place, entity, holds, staging FROM found WHERE run = ?1 ORDER BY seq",
        [run],
        |row| {
            let staging: String = row.get("staging")?;
            let found = Found {
                holds: holds(row)?.unwrap_or(Holds::Unknown),
                staging: StagingFile::of(&staging).unwrap_or(StagingFile::Unknown),
            };
            Ok(((row.get("place")?, row.get("entity")?), found))
        },
    )?;
    Ok(found.into_iter().collect())
}

pub(super) fn write_found(
    to: &Connection,
    run: &str,
    entity: &str,
    found: Found,
) -> rusqlite::Result<()> {
    let transaction = Transaction::new_unchecked(to, TransactionBehavior::Immediate)?;
    let seq = next_number(&transaction)?;
    transaction.execute(
        "INSERT INTO found (seq, run, place, entity, at, who, holds, staging)
         SELECT ?1, run, max(place), name, ?4, ?5, ?6, ?7 FROM entities
         WHERE run = ?2 AND name = ?3 HAVING max(place) IS NOT NULL",
        params![
            seq,
            run,
            entity,
            micros(Timestamp::now()),
            Origin::of_process().user,
            found.holds.as_str(),
            found.staging.as_str()
        ],
    )?;
    transaction.commit()
}

/// What is known of a run, for one of its entities.
#[derive(Default)]
struct OfRun {
    /// It was also to make the entity run the image.
    activates: bool,
    /// Another run has written to the entity since, or made it run something.
    is_later: bool,
    /// Records may be missing.
    is_doubted: bool,
}

/// What the entity holds, from all that is known.
fn judge(one: &mut EntityRow, place: i64, touches: &Touches, of_run: OfRun) {
    let file = (place, one.address.clone(), one.path.clone());
    let said = Said {
        state: one.state,
        touch: (touches.get(&file)).map_or(LastTouch::Nothing, |touch| *touch),
        left: one.copied.left.is_some(),
        holds: one.holds,
        found: one.found,
    };
    one.after_crash = after_crash(said).of_a_run(one.state, of_run.activates);
    if one.after_crash.is_open() {
        if of_run.is_later {
            one.after_crash = AfterCrash::Later;
        } else if of_run.is_doubted && one.after_crash.lacks_image() && one.found.is_none() {
            one.after_crash = AfterCrash::Unknown;
        }
    }
    one.holds = after_crash::holds(said, one.after_crash);
}

pub(super) fn past(
    from: &Connection,
    state_dir: &Path,
    name: &str,
) -> rusqlite::Result<Vec<PastRow>> {
    let mut rows = collect(
        from,
        "SELECT e.*, g.name AS in_group, g.image, g.version, g.sha256, r.who
         FROM entities e JOIN groups g USING (run, place) JOIN runs r USING (run)
         WHERE e.name = ?1 ORDER BY g.seq DESC",
        [name],
        |row| {
            Ok((
                row.get::<_, i64>("place")?,
                PastRow {
                    run: row.get("run")?,
                    user: row.get("who")?,
                    group: row.get("in_group")?,
                    image: row.get("image")?,
                    version: row.get("version")?,
                    sha256: row.get("sha256")?,
                    entity: entity(row)?,
                },
            ))
        },
    )?;
    for (place, row) in &mut rows {
        row.entity.changes = collect(
            from,
            "SELECT at, state, step, cause, attempt, holds FROM changes
             WHERE run = ?1 AND place = ?2 AND entity = ?3 ORDER BY id",
            params![row.run, *place, name],
            change,
        )?;
        let mut steps = steps::of_group(from, &row.run, *place)?;
        row.entity.steps = steps.remove(name).unwrap_or_default();
        let touches = touches(from, &row.run)?;
        row.entity.found = found(from, &row.run)?.remove(&(*place, name.to_owned()));
        let of_run = OfRun {
            is_doubted: alive::is_doubted(state_dir, &row.run),
            ..OfRun::default()
        };
        judge(&mut row.entity, *place, &touches, of_run);
    }
    Ok(rows.into_iter().map(|(_, row)| row).collect())
}

pub(super) fn delivered(from: &Connection) -> rusqlite::Result<HashMap<Name, Known>> {
    let rows = collect(
        from,
        "WITH known AS (
             SELECT e.*, max(e.seq, ifnull((
                 SELECT max(f.seq) FROM found f
                 WHERE f.run = e.run AND f.place = e.place AND f.entity = e.name
                     AND f.holds = 'new'), 0)) AS since
             FROM entities e)
         SELECT e.name, e.address, e.path, e.changed, e.run, e.verified,
             ifnull(nullif(e.bytes, 0), g.size) AS bytes,
             g.image, g.version, g.type, g.sha256
         FROM known e JOIN groups g USING (run, place) JOIN runs r USING (run)
         WHERE (e.state IN ('delivered', 'upgraded', 'rolled-back', 'activating', 'restarting', 'checking')
                 OR e.state IN ('failed', 'cancelled') AND e.holds = 'new' AND e.verified IS NOT NULL
                 -- What was looked at after its run was cut off, and found in place.
                 OR e.since > e.seq)
             AND r.practice = 0
             AND NOT EXISTS (
                 SELECT 1 FROM touches t
                 WHERE t.address = e.address AND t.path = e.path AND t.seq > e.since
                     AND (t.what = 'rename' OR t.staged = 0))
             AND NOT EXISTS (
                 SELECT 1 FROM found f
                 WHERE f.run = e.run AND f.place = e.place AND f.entity = e.name AND f.seq > e.since
                     AND f.holds <> 'new')
         ORDER BY e.since",
        [],
        |row| {
            Ok(Known {
                entity: row.get("name")?,
                address: row.get("address")?,
                path: row.get("path")?,
                image: row.get("image")?,
                version: row.get("version")?,
                type_: row.get("type")?,
                size: bytes(row, "bytes")?,
                sha256: row.get("sha256")?,
                verified: row.get("verified")?,
                at: time(row, "changed")?,
                run: row.get("run")?,
            })
        },
    )?;
    let mut newest: HashMap<Name, Known> = HashMap::new();
    for known in rows {
        let name = Name::from(known.entity.as_str());
        let stays = newest
            .get(&name)
            .is_some_and(|older| older.is_still_so_after(&known));
        if !stays {
            newest.insert(name, known);
        }
    }
    Ok(newest)
}

fn entity(row: &Row<'_>) -> rusqlite::Result<EntityRow> {
    Ok(EntityRow {
        entity: row.get("name")?,
        type_: row.get("type")?,
        address: row.get("address")?,
        path: row.get("path")?,
        state: state(row, "state")?,
        step: row.get("step")?,
        cause: row.get("cause")?,
        attempts: row.get("attempt")?,
        at: time(row, "changed")?,
        copied: Copied {
            bytes: bytes(row, "bytes")?.unwrap_or(0),
            verified: row.get("verified")?,
            source: row.get("source")?,
            left: row.get("left_behind")?,
        },
        holds: holds(row)?,
        after_crash: AfterCrash::Unknown,
        found: None,
        runs: row.get("runs")?,
        advice: row.get("advice")?,
        changes: Vec::new(),
        steps: Vec::new(),
    })
}

fn change(row: &Row<'_>) -> rusqlite::Result<Change> {
    Ok(Change {
        at: time(row, "at")?,
        state: state(row, "state")?,
        step: row.get("step")?,
        cause: row.get("cause")?,
        attempt: row.get("attempt")?,
        holds: holds(row)?,
    })
}
