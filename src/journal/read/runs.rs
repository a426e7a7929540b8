//! Runs in figures, and those that were cut off.

use std::collections::{BTreeMap, HashMap};
use std::path::Path;

use rusqlite::Connection;

use super::columns::{bytes, checked, collect, maybe_time, state, time, word};
use super::entities::whole;
use super::rows::{Amounts, Counts, CutOff, Process, RunRow, RunStatus};
use crate::journal::after_crash::AfterCrash;
use crate::journal::alive;
use crate::journal::origin::Origin;
use crate::model::{EntityState, Outcome, Verified};

pub(super) fn runs(
    from: &Connection,
    state_dir: &Path,
    which: &str,
    with: impl rusqlite::ToSql,
) -> rusqlite::Result<Vec<RunRow>> {
    let sql = format!(
        "SELECT run, started, ended, outcome, who, host, ssh_client, pid, subtend, inventory_file,
             practice, memory, peak_pool_bytes, source_bytes, delivered_bytes, settled
         FROM runs {which}"
    );
    let mut runs = collect(from, &sql, [with], |row| {
        Ok(RunRow {
            run: row.get("run")?,
            started: time(row, "started")?,
            ended: maybe_time(row, "ended")?,
            status: RunStatus::Ended,
            outcome: row
                .get::<_, Option<String>>("outcome")?
                .and_then(|text| word(&text)),
            origin: Origin {
                user: row.get("who")?,
                host: row.get("host")?,
                ssh_client: row.get("ssh_client")?,
            },
            process: Process {
                pid: row.get("pid")?,
                subtend: row.get("subtend")?,
            },
            inventory_file: row.get("inventory_file")?,
            practice: row.get("practice")?,
            groups: Vec::new(),
            counts: Counts::default(),
            amounts: Amounts {
                memory: bytes(row, "memory")?.unwrap_or(0),
                peak_pool_bytes: bytes(row, "peak_pool_bytes")?,
                source_bytes: bytes(row, "source_bytes")?,
                delivered_bytes: bytes(row, "delivered_bytes")?,
            },
            settled: maybe_time(row, "settled")?,
            in_doubt: false,
        })
    })?;
    for run in &mut runs {
        count(from, state_dir, run)?;
    }
    Ok(runs)
}

fn count(from: &Connection, state_dir: &Path, run: &mut RunRow) -> rusqlite::Result<()> {
    run.in_doubt = alive::is_doubted(state_dir, &run.run);
    run.groups = collect(
        from,
        "SELECT name FROM groups WHERE run = ?1 GROUP BY name ORDER BY min(place)",
        [&run.run],
        |row| row.get(0),
    )?;
    // By name and then by place: the last row of a name is how it ended.
    let states = collect(
        from,
        "SELECT name, state, verified FROM entities WHERE run = ?1 ORDER BY place",
        [&run.run],
        |row| Ok((row.get::<_, String>(0)?, (state(row, 1)?, checked(row)?))),
    )?;
    let last: HashMap<String, (EntityState, Verified)> = states.into_iter().collect();
    for (state, verified) in last.into_values() {
        run.counts.add(state, verified);
    }
    let counts = &run.counts;
    if run.ended.is_none() {
        run.status = if alive::is_alive(state_dir, &run.run) {
            RunStatus::Running
        } else if counts.unfinished > 0 {
            RunStatus::CutOff
        } else {
            // Its process was killed when nothing was left to do.
            run.outcome = Some(outcome(counts));
            RunStatus::Ended
        };
    }
    Ok(())
}

fn outcome(of: &Counts) -> Outcome {
    let failed = of.failed + of.rolled_back;
    match (of.cancelled, failed, of.good()) {
        (0, 0, _) => Outcome::Delivered,
        (0, _, 0) => Outcome::Failed,
        (0, ..) => Outcome::Partial,
        // Whether all of it was stopped is not known any more: most often it was.
        _ => Outcome::Cancelled,
    }
}

/// Runs that were cut off and not dealt with, the newest first.
pub(super) fn cut_off(from: &Connection, state_dir: &Path) -> rusqlite::Result<Vec<CutOff>> {
    let open = runs(
        from,
        state_dir,
        "WHERE ended IS NULL AND settled IS NULL AND practice = ?1 ORDER BY seq DESC",
        false,
    )?;
    let mut found = Vec::new();
    for run in open {
        if run.status != RunStatus::CutOff {
            continue;
        }
        let Some(whole) = whole(from, state_dir, &run.run)? else {
            continue;
        };
        let mut last: HashMap<&str, AfterCrash> = HashMap::new();
        for one in whole.groups.iter().flat_map(|group| &group.entities) {
            last.insert(&one.entity, one.after_crash);
        }
        // Later runs have dealt with all of it.
        if !last.values().any(|holds| holds.is_open()) {
            continue;
        }
        let mut holds = BTreeMap::new();
        for one in last.into_values() {
            *holds.entry(one).or_default() += 1;
        }
        found.push(CutOff {
            run: run.run,
            started: run.started,
            user: run.origin.user,
            holds,
        });
    }
    Ok(found)
}
