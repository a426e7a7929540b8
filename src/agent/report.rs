//! What agents tell: state changes as messages, progress as counters that are read when wanted.
//!
//! A message is never lost; a counter costs nothing to raise, however many blocks pass.

use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{Arc, Mutex, PoisonError};

use tokio::sync::mpsc;

use crate::model::{EntityState, Name, Step, Verified};
use crate::pool::ReaderMeter;

use super::Pool;

/// A message about one group.
#[derive(Debug)]
pub(crate) struct Report {
    pub(crate) group: usize,
    pub(crate) kind: ReportKind,
}

/// Entities are meant by their place in the group.
#[derive(Debug)]
pub(crate) enum ReportKind {
    State {
        entity: usize,
        state: EntityState,
        step: Option<Step>,
        cause: Option<String>,
        attempt: u32,
    },
    /// A file is open on the entity: under its staging name, or directly under its final one.
    Opened {
        entity: usize,
        staged: bool,
    },
    /// The entity holds the whole image under its final name. Followed by its state.
    Held {
        entity: usize,
        bytes: u64,
        verified: Verified,
    },
    /// A staging file could not be removed.
    Left {
        entity: usize,
        path: String,
    },
    /// A pass began; with `read`, its source was read to its end and closed.
    Pass {
        pass: u32,
        source: String,
        offset: u64,
        entities: Vec<usize>,
        read: Option<u64>,
    },
    /// The source has told how large the image is.
    Size(u64),
    Digest([u8; 32]),
    Depth {
        from: usize,
        to: usize,
        reason: String,
    },
    /// No task of this group runs any more.
    Ended,
}

/// The way of one group's reports.
#[derive(Debug, Clone)]
pub(crate) struct Reporter {
    pub(crate) group: usize,
    pub(crate) reports: mpsc::UnboundedSender<Report>,
}

impl Reporter {
    /// A manager that is gone has no use for reports.
    pub(crate) fn send(&self, kind: ReportKind) {
        let _ = self.reports.send(Report {
            group: self.group,
            kind,
        });
    }

    pub(crate) fn state(&self, entity: usize, state: EntityState, step: Step, attempt: u32) {
        self.send(ReportKind::State {
            entity,
            state,
            step: Some(step),
            cause: None,
            attempt,
        });
    }
}

/// The counters of one entity.
#[derive(Debug, Default)]
pub(crate) struct EntityMeter {
    sent: AtomicU64,
    /// While it reads from a pool.
    reader: Mutex<Option<ReaderMeter>>,
}

impl EntityMeter {
    pub(crate) fn begin(&self, reader: ReaderMeter) {
        self.sent.store(0, Ordering::Relaxed);
        *self.reader.lock().unwrap_or_else(PoisonError::into_inner) = Some(reader);
    }

    pub(crate) fn end(&self) {
        *self.reader.lock().unwrap_or_else(PoisonError::into_inner) = None;
    }

    pub(crate) fn add_sent(&self, bytes: usize) {
        self.sent.fetch_add(bytes as u64, Ordering::Relaxed);
    }

    /// Bytes sent in this attempt.
    pub(crate) fn sent(&self) -> u64 {
        self.sent.load(Ordering::Relaxed)
    }

    /// Blocks behind the newest one; 0 while it reads from no pool.
    pub(crate) fn lag(&self) -> u64 {
        let reader = self.reader.lock().unwrap_or_else(PoisonError::into_inner);
        reader.as_ref().map_or(0, ReaderMeter::lag)
    }
}

/// The counters of one group.
#[derive(Debug)]
pub(crate) struct GroupMeters {
    /// Bytes read by the newest pass, and by all passes.
    pub(crate) read: AtomicU64,
    pub(crate) source_bytes: AtomicU64,
    pub(crate) entities: Vec<EntityMeter>,
    /// The pool of the newest pass.
    pool: Mutex<Option<Pool>>,
}

impl GroupMeters {
    pub(crate) fn new(entities: &[Name]) -> Arc<Self> {
        Arc::new(Self {
            read: AtomicU64::new(0),
            source_bytes: AtomicU64::new(0),
            entities: entities.iter().map(|_| EntityMeter::default()).collect(),
            pool: Mutex::new(None),
        })
    }

    pub(crate) fn set_pool(&self, pool: Option<Pool>) {
        *self.pool.lock().unwrap_or_else(PoisonError::into_inner) = pool;
    }

    pub(crate) fn pool(&self) -> Option<Pool> {
        self.pool
            .lock()
            .unwrap_or_else(PoisonError::into_inner)
            .clone()
    }

    pub(crate) fn add_read(&self, bytes: usize) {
        self.read.fetch_add(bytes as u64, Ordering::Relaxed);
        self.source_bytes.fetch_add(bytes as u64, Ordering::Relaxed);
    }
}
