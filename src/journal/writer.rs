//! Records into rows. What can't be written is kept and tried again; nothing waits for it.

use std::collections::{HashMap, VecDeque};
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::time::{Duration, Instant};

use jiff::Timestamp;
use rusqlite::{Connection, TransactionBehavior, params};
use sha2::{Digest, Sha256};

use super::alive::Alive;
use super::error::JournalError;
use super::gate::Touch;
use super::origin::Origin;
use super::{site, store};
use crate::model::{GroupSpec, Holds, ImageSpec, Inventory, MadeGroup};
use crate::protocol::{Event, Summary};

/// Interval between two attempts after a failure.
pub(super) const RETRY: Duration = Duration::from_secs(1);
/// Maximum number of records that wait for a journal that can't be written. Beyond it states that are not final
/// are left out; final ones are always kept, and there are only as many as entities.
const WAITING: usize = 100_000;

#[derive(Debug, Clone)]
pub(super) enum Record {
    Event(Event),
    Touch(Touch),
}

impl Record {
    /// What may be missing without a wrong answer to what an entity holds.
    fn is_spare(&self) -> bool {
        match self {
            Self::Event(Event::State { state, .. }) => !state.is_final(),
            Self::Event(Event::Depth { .. } | Event::Source { .. }) => true,
            _ => false,
        }
    }
}

pub(super) struct Writer {
    connection: Connection,
    file: PathBuf,
    rows: Rows,
    waiting: VecDeque<Record>,
    left_out: u64,
    failing: Option<Instant>,
}

/// How an attempt to write went.
#[derive(Debug)]
pub(super) enum Written {
    All,
    /// It could not be written before, and now is; the number of records that are missing.
    Again {
        missing: u64,
    },
    /// This is the first failure in a row.
    Failed(JournalError),
    StillFailing,
}

impl Writer {
    pub(super) fn open(
        state_dir: &Path,
        run: String,
        inventory: Arc<Inventory>,
        practice: bool,
    ) -> Result<Self, JournalError> {
        Ok(Self {
            connection: store::open(state_dir)?,
            file: store::file(state_dir),
            rows: Rows {
                state_dir: state_dir.to_owned(),
                run,
                inventory,
                practice,
                groups: HashMap::new(),
                places: 0,
                seq: 0,
                alive: Vec::new(),
                over: Vec::new(),
            },
            waiting: VecDeque::new(),
            left_out: 0,
            failing: None,
        })
    }

    pub(super) fn connection(&mut self) -> &mut Connection {
        &mut self.connection
    }

    pub(super) fn is_behind(&self) -> bool {
        !self.waiting.is_empty()
    }

    /// Records that nobody will see in the journal, should it end now.
    pub(super) fn missing(&self) -> u64 {
        self.waiting.len() as u64 + self.left_out
    }

    pub(super) fn add(&mut self, record: Record) {
        if self.waiting.len() >= WAITING && record.is_spare() {
            self.left_out += 1;
        } else {
            self.waiting.push_back(record);
        }
    }

    /// Writes all that waits in one transaction, unless that failed a moment ago.
    pub(super) fn write(&mut self) -> Written {
        if self.failing.is_some_and(|since| since.elapsed() < RETRY) {
            return Written::StillFailing;
        }
        self.write_now()
    }

    pub(super) fn write_now(&mut self) -> Written {
        if self.waiting.is_empty() {
            return Written::All;
        }
        let result = self.rows.write(&mut self.connection, &self.waiting);
        let failed_before = self.failing.take().is_some();
        match result {
            Ok(()) => {
                self.waiting.clear();
                match failed_before {
                    false => Written::All,
                    true => Written::Again {
                        missing: std::mem::take(&mut self.left_out),
                    },
                }
            }
            Err(error) => {
                self.failing = Some(Instant::now());
                self.rows.doubt(true);
                match failed_before {
                    true => Written::StillFailing,
                    false => Written::Failed(JournalError::of(&self.file, &error)),
                }
            }
        }
    }
}

struct Rows {
    state_dir: PathBuf,
    run: String,
    inventory: Arc<Inventory>,
    practice: bool,
    /// The newest group of each name.
    groups: HashMap<Arc<str>, i64>,
    places: i64,
    /// The number of the record that is being written.
    seq: i64,
    /// Held from the first group of a run on until its end is written: a console that starts
    /// nothing is no run.
    alive: Vec<(String, Alive)>,
    /// Runs whose ends are being written.
    over: Vec<String>,
}

impl Rows {
    fn doubt(&mut self, doubted: bool) {
        for (_, alive) in &mut self.alive {
            alive.doubt(doubted);
        }
    }

    /// All or nothing: after a failure the same records come again.
    fn write(
        &mut self,
        connection: &mut Connection,
        records: &VecDeque<Record>,
    ) -> rusqlite::Result<()> {
        let before = (self.run.clone(), self.groups.clone(), self.places);
        let written = self.write_all(connection, records);
        let over = std::mem::take(&mut self.over);
        match written {
            Ok(()) => {
                self.doubt(false);
                self.alive.retain(|(run, _)| !over.contains(run));
            }
            Err(_) => (self.run, self.groups, self.places) = before,
        }
        written
    }

    fn write_all(
        &mut self,
        connection: &mut Connection,
        records: &VecDeque<Record>,
    ) -> rusqlite::Result<()> {
        // Immediate: a transaction that becomes a writing one half way can't wait for others.
        let transaction = connection.transaction_with_behavior(TransactionBehavior::Immediate)?;
        for record in records {
            self.seq = next_number(&transaction)?;
            let result = match record {
                Record::Event(event) => self.event(&transaction, event),
                Record::Touch(touch) => self.touch(&transaction, touch),
            };
            match result {
                Err(error) if JournalError::is_environment(&error) => return Err(error),
                // A fault of ours in one record must not keep all others out.
                Err(error) => tracing::error!("a record does not fit the journal: {error}"),
                Ok(()) => {}
            }
        }
        transaction.commit()
    }

    fn event(&mut self, to: &Connection, event: &Event) -> rusqlite::Result<()> {
        match event {
            Event::Run {
                at, run, memory, ..
            } => self.begin(to, *at, run, *memory),
            event if !event.is_for_watchers() => self.unseen(to, event),
            Event::State {
                at,
                group,
                entity,
                state,
                step,
                cause,
                attempt,
                holds,
                ..
            } => {
                let place = self.place(group);
                let (at, state) = (micros(*at), state.as_str());
                let step = step.map(|step| step.to_string());
                let holds = holds.map(Holds::as_str);
                to.prepare_cached(
                    "INSERT INTO changes (run, place, entity, at, state, step, cause, attempt, holds)
                     VALUES (?1, ?2, ?3, ?4, ?5, ?6, ?7, ?8, ?9)",
                )?
                .execute(params![
                    self.run, place, entity, at, state, step, cause, attempt, holds
                ])?;
                to.prepare_cached(
                    "UPDATE entities SET changed = ?4, state = ?5, step = ?6, cause = ?7,
                         attempt = ?8, holds = ?9, seq = ?10
                     WHERE run = ?1 AND place = ?2 AND name = ?3",
                )?
                .execute(params![
                    self.run, place, entity, at, state, step, cause, attempt, holds, self.seq
                ])?;
                Ok(())
            }
            Event::Pass {
                at,
                group,
                pass,
                source,
                offset,
                entities,
                read,
            } => {
                let (place, at) = (self.place(group), micros(*at));
                if let Some(read) = read {
                    to.execute(
                        "UPDATE passes SET ended = ?4, read = ?5
                         WHERE run = ?1 AND place = ?2 AND pass = ?3",
                        params![self.run, place, pass, at, signed(*read)],
                    )?;
                    return Ok(());
                }
                to.execute(
                    "INSERT OR IGNORE INTO passes
                         (run, place, pass, at, source, first_byte, entities)
                     VALUES (?1, ?2, ?3, ?4, ?5, ?6, ?7)",
                    params![
                        self.run,
                        place,
                        pass,
                        at,
                        source,
                        signed(*offset),
                        list(entities)
                    ],
                )?;
                for entity in entities {
                    self.source(to, place, entity, source)?;
                }
                Ok(())
            }
            Event::Source {
                at,
                group,
                pass,
                source,
                offset,
                cause,
            } => {
                let place = self.place(group);
                let text = format!("pass {pass} goes on from {source} at byte {offset}: {cause}");
                self.note(to, place, *at, "source", &text)?;
                let entities: Option<String> = to
                    .query_row(
                        "SELECT entities FROM passes WHERE run = ?1 AND place = ?2 AND pass = ?3",
                        params![self.run, place, pass],
                        |row| row.get(0),
                    )
                    .ok();
                let entities: Vec<String> = entities
                    .and_then(|text| serde_json::from_str(&text).ok())
                    .unwrap_or_default();
                for entity in &entities {
                    self.source(to, place, entity, source)?;
                }
                Ok(())
            }
            Event::Depth {
                at,
                group,
                from,
                to: buffers,
                reason,
            } => {
                let text = format!("{from} buffers become {buffers}: {reason}");
                self.note(to, self.place(group), *at, "depth", &text)
            }
            Event::Summary(summary) => self.end(to, summary),
            // Figures, and what was asked and answered, are no part of what became of a run.
            _ => Ok(()),
        }
    }

    fn begin(
        &mut self,
        to: &Connection,
        at: Timestamp,
        run: &str,
        memory: u64,
    ) -> rusqlite::Result<()> {
        if self.run != run {
            // What this engine had to do before was another run, which has ended.
            run.clone_into(&mut self.run);
            self.groups.clear();
            self.places = 0;
        }
        if !self.alive.iter().any(|(of, _)| of == run) {
            match Alive::new(&self.state_dir, run) {
                Ok(alive) => self.alive.push((run.to_owned(), alive)),
                // The run would be taken for one that was cut off: better not to record it yet.
                Err(error) => {
                    return Err(rusqlite::Error::SqliteFailure(
                        rusqlite::ffi::Error::new(rusqlite::ffi::SQLITE_IOERR),
                        Some(format!("the lock of the run can't be had: {error}")),
                    ));
                }
            }
        }
        let content = site::content(&self.inventory);
        let digest = hex::encode(Sha256::digest(&content));
        to.execute(
            "INSERT OR IGNORE INTO inventories (digest, content) VALUES (?1, ?2)",
            params![digest, content],
        )?;
        let origin = Origin::of_process();
        let file = &self.inventory.file;
        let file = match self.practice {
            // It may be the one that every binary carries.
            true => file.clone(),
            false => std::path::absolute(file).unwrap_or_else(|_| file.clone()),
        };
        // A group that joins reports the run again.
        to.execute(
            "INSERT OR IGNORE INTO runs (run, started, who, host, ssh_client, pid, subtend,
                 inventory_file, inventory, practice, memory, seq)
             VALUES (?1, ?2, ?3, ?4, ?5, ?6, ?7, ?8, ?9, ?10, ?11, ?12)",
            params![
                self.run,
                micros(at),
                origin.user,
                origin.host,
                origin.ssh_client,
                std::process::id(),
                env!("CARGO_PKG_VERSION"),
                file.display().to_string(),
                digest,
                self.practice,
                signed(memory),
                self.seq,
            ],
        )?;
        Ok(())
    }

    /// What watchers don't get.
    fn unseen(&mut self, to: &Connection, event: &Event) -> rusqlite::Result<()> {
        match event {
            Event::Group { at, spec, force } => self.group(to, *at, spec, *force),
            Event::Ended { summary } => self.end(to, summary),
            Event::Image {
                group,
                size,
                sha256,
                ..
            } => {
                to.execute(
                    "UPDATE groups SET size = ifnull(?3, size), sha256 = ?4
                     WHERE run = ?1 AND place = ?2",
                    params![self.run, self.place(group), size.map(signed), sha256],
                )?;
                Ok(())
            }
            Event::Stored {
                group,
                entity,
                bytes,
                verified,
                ..
            } => {
                to.execute(
                    "UPDATE entities SET bytes = ?4, verified = ?5
                     WHERE run = ?1 AND place = ?2 AND name = ?3",
                    params![
                        self.run,
                        self.place(group),
                        entity,
                        signed(*bytes),
                        verified.to_string()
                    ],
                )?;
                Ok(())
            }
            Event::Left {
                group,
                entity,
                path,
                ..
            } => {
                to.execute(
                    "UPDATE entities SET left_behind = ?4
                     WHERE run = ?1 AND place = ?2 AND name = ?3",
                    params![self.run, self.place(group), entity, path],
                )?;
                Ok(())
            }
            _ => Ok(()),
        }
    }

    fn group(
        &mut self,
        to: &Connection,
        at: Timestamp,
        spec: &GroupSpec,
        force: bool,
    ) -> rusqlite::Result<()> {
        let GroupSpec::Made(MadeGroup {
            name,
            image,
            source,
            entities,
            ..
        }) = spec
        else {
            return Ok(());
        };
        let described = image.name();
        let (file, type_, version, size) = match image {
            ImageSpec::Described {
                file,
                type_,
                version,
                size,
                ..
            } => (file.as_str(), type_.as_str(), version.as_str(), *size),
            ImageSpec::Named(_) => ("", "", "", None),
        };
        let source = source.label();
        let text = serde_json::to_string(spec).unwrap_or_default();
        self.places += 1;
        let place = self.places;
        to.execute(
            "INSERT INTO groups (run, place, name, started, image, version, type, file, size,
                 source, spec, force, seq)
             VALUES (?1, ?2, ?3, ?4, ?5, ?6, ?7, ?8, ?9, ?10, ?11, ?12, ?13)",
            params![
                self.run,
                place,
                name,
                micros(at),
                described,
                version,
                type_,
                file,
                size.map(signed),
                source,
                text,
                force,
                self.seq
            ],
        )?;
        self.groups.insert(name.as_str().into(), place);
        let mut insert = to.prepare_cached(
            "INSERT INTO entities (run, place, name, number, type, address, path, state, attempt,
                 changed, seq)
             VALUES (?1, ?2, ?3, ?4, ?5, ?6, ?7, 'waiting', 0, ?8, ?9)",
        )?;
        for (number, name) in (0_i64..).zip(entities) {
            let Some(entity) = self.inventory.entity(name) else {
                continue;
            };
            insert.execute(params![
                self.run,
                place,
                name,
                number,
                entity.type_,
                entity.address.to_string(),
                entity.path.as_str(),
                micros(at),
                self.seq
            ])?;
        }
        Ok(())
    }

    fn end(&mut self, to: &Connection, summary: &Summary) -> rusqlite::Result<()> {
        to.execute(
            "UPDATE runs SET ended = ?2, outcome = ?3, peak_pool_bytes = ?4, source_bytes = ?5,
                 delivered_bytes = ?6
             WHERE run = ?1 AND ended IS NULL",
            params![
                self.run,
                micros(summary.at),
                summary.outcome.to_string(),
                signed(summary.peak_pool_bytes),
                signed(summary.source_bytes),
                signed(summary.delivered_bytes)
            ],
        )?;
        self.over.push(self.run.clone());
        // The source of a group that never reported its size, by reading it to the end.
        for group in &summary.groups {
            to.execute(
                "UPDATE groups SET size = ifnull(size, ?3) WHERE run = ?1 AND place = ?2",
                params![self.run, self.place(&group.group), group.size.map(signed)],
            )?;
        }
        Ok(())
    }

    fn touch(&mut self, to: &Connection, touch: &Touch) -> rusqlite::Result<()> {
        to.prepare_cached(
            "INSERT INTO touches (run, at, address, path, what, staged, seq, place)
             VALUES (?1, ?2, ?3, ?4, ?5, ?6, ?7, ifnull(
                 (SELECT max(place) FROM entities WHERE run = ?1 AND address = ?3 AND path = ?4),
                 0))",
        )?
        .execute(params![
            self.run,
            micros(touch.at),
            touch.address,
            touch.path,
            touch.what.word(),
            touch.staged,
            self.seq
        ])?;
        Ok(())
    }

    fn note(
        &self,
        to: &Connection,
        place: i64,
        at: Timestamp,
        kind: &str,
        text: &str,
    ) -> rusqlite::Result<()> {
        to.execute(
            "INSERT INTO notes (run, place, at, kind, text) VALUES (?1, ?2, ?3, ?4, ?5)",
            params![self.run, place, micros(at), kind, text],
        )?;
        Ok(())
    }

    fn source(
        &self,
        to: &Connection,
        place: i64,
        entity: &str,
        source: &str,
    ) -> rusqlite::Result<()> {
        to.prepare_cached(
            "UPDATE entities SET source = ?4
             WHERE run = ?1 AND place = ?2 AND name = ?3
                 AND state NOT IN ('delivered', 'skipped', 'failed', 'cancelled')",
        )?
        .execute(params![self.run, place, entity, source])?;
        Ok(())
    }

    /// 0 is no group: rows that name it are found by nobody.
    fn place(&self, group: &str) -> i64 {
        self.groups.get(group).copied().unwrap_or(0)
    }
}

/// The next number of the order in which things happened. Within a transaction that writes.
pub(super) fn next_number(to: &Connection) -> rusqlite::Result<i64> {
    to.prepare_cached("UPDATE counter SET value = value + 1 RETURNING value")?
        .query_row([], |row| row.get(0))
}

pub(super) fn micros(at: Timestamp) -> i64 {
    at.as_microsecond()
}

/// SQLite's integers have a sign. No file is that large.
fn signed(bytes: u64) -> i64 {
    i64::try_from(bytes).unwrap_or(i64::MAX)
}

fn list(names: &[Arc<str>]) -> String {
    serde_json::to_string(names).unwrap_or_default()
}
