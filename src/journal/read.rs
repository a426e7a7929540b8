//! Rows into runs, groups and entities: what `history` and `recover` show.
//!
//! Text is as it was stored. Everything here is plain data that becomes JSON as it stands.

use std::collections::{BTreeMap, HashMap, HashSet};
use std::path::{Path, PathBuf};

use jiff::Timestamp;
use rusqlite::{Connection, OptionalExtension, Row, Transaction, TransactionBehavior, params};
use serde::Serialize;
use thiserror::Error;

use super::after_crash::{self, AfterCrash, LastTouch, Said, after_crash};
use super::alive;
use super::error::JournalError;
use super::found::{Found, StagingFile};
use super::locks::{EntityLock, NotLocked};
use super::origin::Origin;
use super::store;
use super::writer::{micros, next_number};
use crate::model::GroupSpec;
use crate::model::{EntityState, Holds, Name, Outcome, Standing, Verified};

/// The journal of a state directory, to look into.
#[derive(Debug)]
pub struct Journal {
    connection: Connection,
    state_dir: PathBuf,
}

/// How a run stands.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize)]
#[serde(rename_all = "kebab-case")]
pub enum RunStatus {
    Ended,
    /// Its process is there.
    Running,
    /// Its process is gone, and there are entities that it was not done with.
    CutOff,
}

/// One run in figures. An entity that was in several of its groups counts as it ended.
#[derive(Debug, Clone, PartialEq, Serialize)]
pub struct RunRow {
    pub run: String,
    pub started: Timestamp,
    pub ended: Option<Timestamp>,
    pub status: RunStatus,
    /// As the summary said; of a process that was killed after the last entity, from the states.
    pub outcome: Option<Outcome>,
    pub user: String,
    pub host: String,
    pub ssh_client: Option<String>,
    pub pid: u32,
    pub subtend: String,
    pub inventory_file: String,
    pub practice: bool,
    pub groups: Vec<String>,
    pub entities: usize,
    pub delivered: usize,
    /// Of those: by size alone, or without any check.
    pub delivered_unproven: usize,
    pub skipped: usize,
    pub failed: usize,
    pub cancelled: usize,
    /// Without a final state.
    pub unfinished: usize,
    pub memory: u64,
    pub peak_pool_bytes: Option<u64>,
    pub source_bytes: Option<u64>,
    pub delivered_bytes: Option<u64>,
    /// When a run that was cut off was dealt with.
    pub settled: Option<Timestamp>,
    /// Its process ended while the journal could not be written: records are missing.
    pub in_doubt: bool,
}

/// One run with all that is known about it.
#[derive(Debug, Clone, PartialEq)]
pub struct RunWhole {
    pub run: RunRow,
    pub groups: Vec<GroupRow>,
    pub inventory: serde_json::Value,
}

#[derive(Debug, Clone, PartialEq, Serialize)]
pub struct GroupRow {
    pub group: String,
    pub started: Timestamp,
    pub image: String,
    pub version: String,
    #[serde(rename = "type")]
    pub type_: String,
    pub file: String,
    pub size: Option<u64>,
    pub sha256: Option<String>,
    pub source: String,
    pub force: bool,
    /// From which it can be started again.
    #[serde(skip)]
    pub spec: Option<GroupSpec>,
    pub passes: Vec<PassRow>,
    pub notes: Vec<Note>,
    pub entities: Vec<EntityRow>,
}

#[derive(Debug, Clone, PartialEq, Serialize)]
pub struct PassRow {
    pub pass: u32,
    pub at: Timestamp,
    pub source: String,
    pub offset: u64,
    pub ended: Option<Timestamp>,
    pub read: Option<u64>,
}

/// A change of depth (`depth`), or of the source within a pass (`source`).
#[derive(Debug, Clone, PartialEq, Serialize)]
pub struct Note {
    pub at: Timestamp,
    pub kind: String,
    pub text: String,
}

#[derive(Debug, Clone, PartialEq, Serialize)]
pub struct EntityRow {
    pub entity: String,
    #[serde(rename = "type")]
    pub type_: String,
    pub address: String,
    pub path: String,
    pub state: EntityState,
    pub step: Option<String>,
    pub cause: Option<String>,
    pub attempts: u32,
    pub at: Timestamp,
    pub bytes: u64,
    pub verified: Option<String>,
    /// Of the pass that it was in last.
    pub source: Option<String>,
    /// A staging file that could not be removed.
    pub left: Option<String>,
    /// What stands under its final name; null where a later run says.
    pub holds: Option<Holds>,
    /// What that means for a run that was cut off.
    pub after_crash: AfterCrash,
    /// What was seen and done after the run.
    pub found: Option<Found>,
    pub changes: Vec<Change>,
}

#[derive(Debug, Clone, PartialEq, Serialize)]
pub struct Change {
    pub at: Timestamp,
    pub state: EntityState,
    pub step: Option<String>,
    pub cause: Option<String>,
    pub attempt: u32,
    pub holds: Option<Holds>,
}

/// One entity in one group of one run.
#[derive(Debug, Clone, PartialEq, Serialize)]
pub struct PastRow {
    pub run: String,
    pub user: String,
    pub group: String,
    pub image: String,
    pub version: String,
    pub sha256: Option<String>,
    #[serde(flatten)]
    pub entity: EntityRow,
}

/// The image that an entity got, as far as the journal knows.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct Known {
    pub entity: String,
    pub address: String,
    pub path: String,
    pub image: String,
    pub version: String,
    #[serde(rename = "type")]
    pub type_: String,
    pub size: u64,
    pub sha256: Option<String>,
    pub verified: Option<String>,
    pub at: Timestamp,
    pub run: String,
}

/// A run whose process is gone before it was done.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct CutOff {
    pub run: String,
    pub started: Timestamp,
    pub user: String,
    /// How many entities hold what.
    pub holds: BTreeMap<AfterCrash, usize>,
}

impl EntityRow {
    pub fn standing(&self) -> Standing {
        let verified = self.verified.as_deref().and_then(word);
        Standing::of(self.state, verified.unwrap_or(Verified::None))
    }
}

impl CutOff {
    /// What is said of it at the next start.
    pub fn sentence(&self) -> String {
        format!(
            "run {} was cut off: {}; `subtend recover {}` tells what each entity has, and takes it \
             up again",
            self.run,
            counted(&self.holds),
            self.run
        )
    }
}

/// `12 delivered, 3 staged`.
pub(super) fn counted(holds: &BTreeMap<AfterCrash, usize>) -> String {
    let parts: Vec<String> = (holds.iter())
        .map(|(holds, number)| format!("{number} {holds}"))
        .collect();
    parts.join(", ")
}

impl RunWhole {
    /// The run with its groups whole, where [`RunRow`] has their names.
    pub fn json(&self) -> serde_json::Result<serde_json::Value> {
        let mut run = serde_json::to_value(&self.run)?;
        run["groups"] = serde_json::to_value(&self.groups)?;
        run["inventory"] = self.inventory.clone();
        Ok(run)
    }
}

/// A run that was asked for and can't be meant.
#[derive(Debug, Clone, PartialEq, Eq, Error)]
pub enum NoRun {
    #[error("no run begins with `{0}`; `subtend history` lists them")]
    Unknown(String),
    #[error("`{prefix}` can be any of {}; write more of it", .runs.join(", "))]
    Several { prefix: String, runs: Vec<String> },
}

impl Journal {
    /// Opens the journal; `None` where nothing was recorded yet.
    ///
    /// # Errors
    /// It is damaged, of a newer format, or can't be read; each with what to do.
    pub fn open(state_dir: &Path) -> Result<Option<Self>, JournalError> {
        let opened = store::open_to_read(state_dir)?;
        Ok(opened.map(|connection| Self {
            connection,
            state_dir: state_dir.to_owned(),
        }))
    }

    fn named<T>(&self, result: rusqlite::Result<T>) -> Result<T, JournalError> {
        result.map_err(|error| JournalError::of(&store::file(&self.state_dir), &error))
    }

    /// The newest runs, the newest first.
    ///
    /// # Errors
    /// The file can't be read.
    pub fn runs(&self, limit: Option<usize>) -> Result<Vec<RunRow>, JournalError> {
        let limit = limit.and_then(|limit| i64::try_from(limit).ok());
        self.named(runs(
            &self.connection,
            &self.state_dir,
            "ORDER BY seq DESC LIMIT ?1",
            limit.unwrap_or(-1),
        ))
    }

    /// The run that an identifier, or the beginning of one, means.
    ///
    /// # Errors
    /// The file can't be read; within: no run, or more than one.
    pub fn find(&self, prefix: &str) -> Result<Result<String, NoRun>, JournalError> {
        let found = self.named(collect(
            &self.connection,
            "SELECT run FROM runs WHERE substr(run, 1, length(?1)) = ?1 ORDER BY run LIMIT 5",
            params![prefix],
            |row| row.get::<_, String>(0),
        ))?;
        Ok(match found.as_slice() {
            [one] => Ok(one.clone()),
            [] => Err(NoRun::Unknown(prefix.to_owned())),
            _ => match found.iter().find(|run| *run == prefix) {
                Some(exact) => Ok(exact.clone()),
                None => Err(NoRun::Several {
                    prefix: prefix.to_owned(),
                    runs: found,
                }),
            },
        })
    }

    /// One run whole.
    ///
    /// # Errors
    /// The file can't be read.
    pub fn run(&self, run: &str) -> Result<Option<RunWhole>, JournalError> {
        self.named(whole(&self.connection, &self.state_dir, run))
    }

    /// What became of one entity, the newest first.
    ///
    /// # Errors
    /// The file can't be read.
    pub fn past(&self, entity: &str) -> Result<Vec<PastRow>, JournalError> {
        self.named(past(&self.connection, &self.state_dir, entity))
    }

    /// Runs that were cut off and not dealt with, the newest first.
    ///
    /// # Errors
    /// The file can't be read.
    pub fn cut_off(&self) -> Result<Vec<CutOff>, JournalError> {
        self.named(cut_off(&self.connection, &self.state_dir))
    }

    /// The newest image that each entity got, by its name. An entity that was about to get another
    /// file since is left out. Whoever relies on it compares the address and the path: names are
    /// the operator's to give.
    ///
    /// # Errors
    /// The file can't be read.
    pub fn delivered(&self) -> Result<HashMap<Name, Known>, JournalError> {
        self.named(delivered(&self.connection))
    }

    /// Takes an entity of a run that has ended, to clean up after it: no other run writes it
    /// meanwhile.
    ///
    /// # Errors
    /// Another run has it, or there is no place for the lock.
    pub fn lock(&self, run: &str, address: &str, path: &str) -> Result<EntityLock, NotLocked> {
        EntityLock::acquire(&self.state_dir, address, path, Some(run))
    }

    /// Writes down what was found on an entity after a run, or done there. It counts for what the
    /// entity holds from then on.
    ///
    /// # Errors
    /// The file can't be written.
    pub fn found(&self, run: &str, entity: &str, found: Found) -> Result<(), JournalError> {
        self.named(write_found(&self.connection, run, entity, found))
    }

    /// Says no more of a run that was cut off: it was dealt with.
    ///
    /// # Errors
    /// The file can't be written.
    pub fn settle(&self, run: &str) -> Result<(), JournalError> {
        self.named(self.connection.execute(
            "UPDATE runs SET settled = ?2 WHERE run = ?1",
            params![run, Timestamp::now().as_microsecond()],
        ))?;
        alive::forget(&self.state_dir, run);
        Ok(())
    }
}

fn collect<T>(
    from: &Connection,
    sql: &str,
    with: impl rusqlite::Params,
    read: impl FnMut(&Row<'_>) -> rusqlite::Result<T>,
) -> rusqlite::Result<Vec<T>> {
    from.prepare_cached(sql)?.query_map(with, read)?.collect()
}

fn runs(
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
            user: row.get("who")?,
            host: row.get("host")?,
            ssh_client: row.get("ssh_client")?,
            pid: row.get("pid")?,
            subtend: row.get("subtend")?,
            inventory_file: row.get("inventory_file")?,
            practice: row.get("practice")?,
            groups: Vec::new(),
            entities: 0,
            delivered: 0,
            delivered_unproven: 0,
            skipped: 0,
            failed: 0,
            cancelled: 0,
            unfinished: 0,
            memory: bytes(row, "memory")?.unwrap_or(0),
            peak_pool_bytes: bytes(row, "peak_pool_bytes")?,
            source_bytes: bytes(row, "source_bytes")?,
            delivered_bytes: bytes(row, "delivered_bytes")?,
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
    run.entities = last.len();
    for (state, verified) in last.values() {
        if Standing::of(*state, *verified) == Standing::Unproven {
            run.delivered_unproven += 1;
        }
        *match state {
            EntityState::Delivered => &mut run.delivered,
            EntityState::Skipped => &mut run.skipped,
            EntityState::Failed => &mut run.failed,
            EntityState::Cancelled => &mut run.cancelled,
            _ => &mut run.unfinished,
        } += 1;
    }
    if run.ended.is_none() {
        run.status = if alive::is_alive(state_dir, &run.run) {
            RunStatus::Running
        } else if run.unfinished > 0 {
            RunStatus::CutOff
        } else {
            // Its process was killed when nothing was left to do.
            run.outcome = Some(outcome(run));
            RunStatus::Ended
        };
    }
    Ok(())
}

fn outcome(run: &RunRow) -> Outcome {
    match (run.cancelled, run.failed, run.delivered + run.skipped) {
        (0, 0, _) => Outcome::Delivered,
        (0, _, 0) => Outcome::Failed,
        (0, ..) => Outcome::Partial,
        _ => Outcome::Cancelled,
    }
}

fn whole(from: &Connection, state_dir: &Path, run: &str) -> rusqlite::Result<Option<RunWhole>> {
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
        |row| {
            let spec: String = row.get("spec")?;
            Ok((
                row.get::<_, i64>("place")?,
                GroupRow {
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
                },
            ))
        },
    )?;
    let touches = touches(from, run)?;
    let doubted = row.in_doubt;
    let later = match row.status {
        RunStatus::CutOff => later_touches(from, &row)?,
        RunStatus::Ended | RunStatus::Running => HashSet::new(),
    };
    for (place, group) in &mut groups {
        group.passes = collect(
            from,
            "SELECT pass, at, source, first_byte, ended, read FROM passes
             WHERE run = ?1 AND place = ?2 ORDER BY pass",
            params![run, *place],
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
            params![run, *place],
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
            params![run, *place],
            entity,
        )?;
        let mut changes: HashMap<String, Vec<Change>> = HashMap::new();
        for (entity, change) in collect(
            from,
            "SELECT entity, at, state, step, cause, attempt, holds FROM changes
             WHERE run = ?1 AND place = ?2 ORDER BY id",
            params![run, *place],
            |row| Ok((row.get::<_, String>("entity")?, change(row)?)),
        )? {
            changes.entry(entity).or_default().push(change);
        }
        for one in &mut group.entities {
            one.changes = changes.remove(&one.entity).unwrap_or_default();
        }
    }
    let mut found = found(from, run)?;
    for (place, group) in &mut groups {
        for one in &mut group.entities {
            one.found = found.remove(&(*place, one.entity.clone()));
            let file = (one.address.clone(), one.path.clone());
            judge(one, *place, &touches, later.contains(&file), doubted);
        }
    }
    Ok(Some(RunWhole {
        run: row,
        groups: groups.into_iter().map(|(_, group)| group).collect(),
        inventory: inventory
            .and_then(|text| serde_json::from_str(&text).ok())
            .unwrap_or_default(),
    }))
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
    Ok(touches.into_iter().collect())
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

fn write_found(to: &Connection, run: &str, entity: &str, found: Found) -> rusqlite::Result<()> {
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

/// What the entity holds, from all that is known. `later`: another run has written to it since.
/// `doubted`: records may be missing.
fn judge(one: &mut EntityRow, place: i64, touches: &Touches, later: bool, doubted: bool) {
    let file = (place, one.address.clone(), one.path.clone());
    let said = Said {
        state: one.state,
        touch: (touches.get(&file)).map_or(LastTouch::Nothing, |touch| *touch),
        left: one.left.is_some(),
        holds: one.holds,
        found: one.found,
    };
    one.after_crash = after_crash(said);
    if one.after_crash.lacks_image() {
        if later {
            one.after_crash = AfterCrash::Later;
        } else if doubted && one.found.is_none() {
            one.after_crash = AfterCrash::Unknown;
        }
    }
    one.holds = after_crash::holds(said, one.after_crash);
}

fn past(from: &Connection, state_dir: &Path, name: &str) -> rusqlite::Result<Vec<PastRow>> {
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
        let touches = touches(from, &row.run)?;
        row.entity.found = found(from, &row.run)?.remove(&(*place, name.to_owned()));
        let doubted = alive::is_doubted(state_dir, &row.run);
        judge(&mut row.entity, *place, &touches, false, doubted);
    }
    Ok(rows.into_iter().map(|(_, row)| row).collect())
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
        let mut holds = BTreeMap::new();
        // Later runs have dealt with all of it.
        if !last.values().any(|holds| holds.lacks_image()) {
            continue;
        }
        for one in last.into_values() {
            *holds.entry(one).or_default() += 1;
        }
        found.push(CutOff {
            run: run.run,
            started: run.started,
            user: run.user,
            holds,
        });
    }
    Ok(found)
}

fn delivered(from: &Connection) -> rusqlite::Result<HashMap<Name, Known>> {
    let rows = collect(
        from,
        "SELECT e.name, e.address, e.path, e.changed, e.run, e.bytes, e.verified,
             g.image, g.version, g.type, g.sha256
         FROM entities e JOIN groups g USING (run, place) JOIN runs r USING (run)
         WHERE e.state = 'delivered' AND r.practice = 0
             AND NOT EXISTS (
                 SELECT 1 FROM touches t
                 WHERE t.address = e.address AND t.path = e.path AND t.seq > e.seq
                     AND (t.what = 'rename' OR t.staged = 0))
             AND NOT EXISTS (
                 SELECT 1 FROM found f
                 WHERE f.run = e.run AND f.place = e.place AND f.entity = e.name AND f.seq > e.seq
                     AND f.holds <> 'new')
         ORDER BY e.seq",
        [],
        |row| {
            Ok(Known {
                entity: row.get("name")?,
                address: row.get("address")?,
                path: row.get("path")?,
                image: row.get("image")?,
                version: row.get("version")?,
                type_: row.get("type")?,
                size: bytes(row, "bytes")?.unwrap_or(0),
                sha256: row.get("sha256")?,
                verified: row.get("verified")?,
                at: time(row, "changed")?,
                run: row.get("run")?,
            })
        },
    )?;
    // The newest comes last and stays.
    Ok((rows.into_iter())
        .map(|known| (known.entity.as_str().into(), known))
        .collect())
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
        bytes: bytes(row, "bytes")?.unwrap_or(0),
        verified: row.get("verified")?,
        source: row.get("source")?,
        left: row.get("left_behind")?,
        holds: holds(row)?,
        after_crash: AfterCrash::Unknown,
        found: None,
        changes: Vec::new(),
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

fn holds(row: &Row<'_>) -> rusqlite::Result<Option<Holds>> {
    let word: Option<String> = row.get("holds")?;
    Ok(word.as_deref().and_then(Holds::of))
}

fn state(row: &Row<'_>, column: impl rusqlite::RowIndex) -> rusqlite::Result<EntityState> {
    let text: String = row.get(column)?;
    word(&text).ok_or_else(|| unreadable(format!("`{text}` is no state")))
}

/// How a copy was checked; where nothing says so, it was not.
fn checked(row: &Row<'_>) -> rusqlite::Result<Verified> {
    let text: Option<String> = row.get("verified")?;
    Ok((text.as_deref().and_then(word)).unwrap_or(Verified::None))
}

/// A word of the JSON lines.
fn word<T: serde::de::DeserializeOwned>(text: &str) -> Option<T> {
    serde_json::from_value(serde_json::Value::String(text.to_owned())).ok()
}

fn time(row: &Row<'_>, column: &str) -> rusqlite::Result<Timestamp> {
    at(row.get(column)?)
}

fn maybe_time(row: &Row<'_>, column: &str) -> rusqlite::Result<Option<Timestamp>> {
    row.get::<_, Option<i64>>(column)?.map(at).transpose()
}

fn at(micros: i64) -> rusqlite::Result<Timestamp> {
    Timestamp::from_microsecond(micros).map_err(|error| unreadable(error.to_string()))
}

fn bytes(row: &Row<'_>, column: &str) -> rusqlite::Result<Option<u64>> {
    let bytes: Option<i64> = row.get(column)?;
    Ok(bytes.map(|bytes| u64::try_from(bytes).unwrap_or(0)))
}

/// Something in the file that was not put there by this program.
fn unreadable(what: String) -> rusqlite::Error {
    let corrupt = rusqlite::ffi::Error::new(rusqlite::ffi::SQLITE_CORRUPT);
    rusqlite::Error::SqliteFailure(corrupt, Some(what))
}
