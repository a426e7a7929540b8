//! Records into rows. What can't be written is kept and tried again; nothing waits for it.

mod rows;
mod runs;

use std::collections::{HashMap, VecDeque};
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::time::{Duration, Instant};

use jiff::Timestamp;
use rusqlite::{Connection, TransactionBehavior};

use crate::model::Inventory;
use crate::procedure::{StepBegins, StepEnded};
use crate::protocol::Event;

use super::alive::Alive;
use super::error::JournalError;
use super::gate::Touch;
use super::store;

pub(super) use rows::{CAMPAIGN, OF_RUN, RATE};
pub(super) use runs::file_in_full;

/// Interval between two attempts after a failure.
pub(super) const RETRY: Duration = Duration::from_secs(1);
/// Maximum number of records that wait for a journal that can't be written. Beyond it states that are not final
/// are left out; final ones are always kept, and there are only as many as entities.
const WAITING: usize = 100_000;

#[derive(Debug, Clone)]
pub(super) enum Record {
    Event(Event),
    Touch(Touch),
    StepBegins(StepBegins),
    StepEnded(StepEnded),
}

impl Record {
    /// What may be missing without a wrong answer to what an entity holds.
    fn is_spare(&self) -> bool {
        match self {
            Self::Event(Event::State { state, .. }) => !state.is_final(),
            Self::Event(
                Event::Depth { .. }
                | Event::Source { .. }
                | Event::Advice { .. }
                | Event::Series { .. },
            ) => true,
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
                resident: false,
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

    /// What it writes is begun by an engine that goes on with what it finds.
    pub(super) fn is_resident(&mut self, resident: bool) {
        self.rows.resident = resident;
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
    resident: bool,
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
                Record::StepBegins(step) => self.step_begins(&transaction, step),
                Record::StepEnded(step) => self.step_ended(&transaction, step),
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
