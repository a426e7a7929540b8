//! Rows into runs, groups and entities: what `history` and `recover` show. Text is as it was stored.
//!
//! - `rows`: the plain data
//! - `runs`: runs in figures; `entities`: one run whole, and what each entity holds
//! - `steps`: what was done on entities beside their images
//! - `continued`: what another engine goes on with
//! - `words`: what rows come to in words
//! - `columns`: columns into values

mod columns;
mod continued;
mod entities;
mod rows;
mod runs;
mod steps;
mod words;

use std::collections::HashMap;
use std::path::{Path, PathBuf};

use jiff::Timestamp;
use rusqlite::{Connection, params};

pub use continued::WaitingRun;
pub use rows::{
    Amounts, Change, Copied, Counts, CutOff, EntityRow, GroupRow, Known, NoRun, Note, PassRow,
    PastRow, Process, RunRow, RunStatus, RunWhole, StepRow,
};

use self::columns::collect;
use self::entities::{delivered, past, whole, write_found};
use self::runs::{cut_off, runs};
use super::error::JournalError;
use super::found::Found;
use super::locks::{EntityLock, NotLocked};
use super::{alive, store};
use crate::model::Name;
use crate::procedure::OpenSteps;

/// Runs that were cut off and not dealt with, the newest first; without those that the engine goes on with that asks,
/// where it is one on this inventory that does.
pub(super) fn cut_off_but_for(
    from: &Connection,
    state_dir: &Path,
    goes_on: Option<&str>,
) -> rusqlite::Result<Vec<CutOff>> {
    let mut cut_off = cut_off(from, state_dir)?;
    if let Some(file) = goes_on {
        let waiting = continued::waiting(from, state_dir)?;
        cut_off.retain(|run| {
            let mut waiting = waiting.iter();
            !waiting.any(|one| one.run == run.run && one.inventory_file == file && one.is_whole)
        });
    }
    Ok(cut_off)
}

/// The journal of a state directory, to look into. Its methods fail where the file can't be read, or written.
#[derive(Debug)]
pub struct Journal {
    connection: Connection,
    state_dir: PathBuf,
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
    pub fn run(&self, run: &str) -> Result<Option<RunWhole>, JournalError> {
        self.named(whole(&self.connection, &self.state_dir, run))
    }

    /// What became of one entity, the newest first.
    pub fn past(&self, entity: &str) -> Result<Vec<PastRow>, JournalError> {
        self.named(past(&self.connection, &self.state_dir, entity))
    }

    /// Runs that were cut off and not dealt with, the newest first.
    pub fn cut_off(&self) -> Result<Vec<CutOff>, JournalError> {
        self.named(cut_off(&self.connection, &self.state_dir))
    }

    /// Runs that another engine is to go on with, the oldest first: they were cut off, or parked, and have a group that
    /// is gone through in waves or at certain times, or were begun by a resident engine.
    pub fn waiting(&self) -> Result<Vec<WaitingRun>, JournalError> {
        self.named(continued::waiting(&self.connection, &self.state_dir))
    }

    /// What is cancelled in this run from here on is to be taken up again.
    pub fn park(&self, run: &str) -> Result<(), JournalError> {
        self.named(continued::park(&self.connection, run))
    }

    /// The newest image that each entity got, by its name. An entity that was about to get another
    /// file since is left out. What relies on it compares the address and the path: names are
    /// the operator's to give.
    pub fn delivered(&self) -> Result<HashMap<Name, Known>, JournalError> {
        self.named(delivered(&self.connection))
    }

    /// The steps that make entities run an image and of which it is not known what they came to, by the entity's
    /// name: in order, over all runs since the entity was last said to run one.
    pub fn open_steps(&self) -> Result<HashMap<Name, OpenSteps>, JournalError> {
        self.named(steps::open(&self.connection))
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
    pub fn found(&self, run: &str, entity: &str, found: Found) -> Result<(), JournalError> {
        self.named(write_found(&self.connection, run, entity, found))
    }

    /// Says no more of a run that was cut off: it was dealt with.
    pub fn settle(&self, run: &str) -> Result<(), JournalError> {
        self.named(self.connection.execute(
            "UPDATE runs SET settled = ?2 WHERE run = ?1",
            params![run, Timestamp::now().as_microsecond()],
        ))?;
        alive::forget(&self.state_dir, run);
        Ok(())
    }
}
