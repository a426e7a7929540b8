//! What the loop has under way: commands that the engine has not taken yet, and files that are
//! written. Neither may hold up a key.

use std::collections::VecDeque;
use std::fmt::Display;

use tokio::sync::mpsc;
use tokio::task::{JoinHandle, spawn_blocking};

use crate::model::ReportFormat;
use crate::protocol::{Command, GroupSpec};

use super::action::Action;
use super::message::Message;
use super::past_run::PastRun;

/// What outlives the console: groups made in it, files written from it, and what ran before. Called one at a time,
/// on a thread that may block.
pub trait Storage: Send + 'static {
    /// Shown to the operator as it says itself.
    type Error: std::error::Error;

    /// Keeps the groups made in the console, all of them, for the next time.
    ///
    /// # Errors
    /// They can't be kept.
    fn keep(&self, groups: &[GroupSpec]) -> Result<(), Self::Error>;

    /// Writes a file that does not exist yet, and says where it is.
    ///
    /// # Errors
    /// It exists, or can't be written.
    fn write(&self, file: &str, text: &str) -> Result<String, Self::Error>;

    /// Past runs, the newest first.
    ///
    /// # Errors
    /// They can't be read.
    fn history(&self) -> Result<Vec<PastRun>, Self::Error>;

    /// Writes a report of a run to a file of this name, or like it where that is taken, and says where that is.
    ///
    /// # Errors
    /// There is no such run, or it can't be read; or the file can't be written.
    fn report(&self, run: &str, format: ReportFormat, file: &str) -> Result<String, Self::Error>;

    /// One of them whole, as lines of at most this number of columns.
    ///
    /// # Errors
    /// There is no such run, or it can't be read.
    fn past_run(&self, run: &str, columns: usize) -> Result<String, Self::Error>;
}

/// What the keeper is to do.
#[derive(Debug)]
pub(super) enum Job {
    Keep(Vec<GroupSpec>),
    Write {
        file: String,
        text: String,
    },
    Report {
        run: String,
        format: ReportFormat,
        file: String,
    },
    ReadHistory,
    OpenRun {
        run: String,
        columns: usize,
    },
}

pub(super) struct Work<K> {
    commands: mpsc::Sender<Command>,
    waiting: VecDeque<Command>,
    jobs: VecDeque<Job>,
    /// With its job while it has one: one after the other, so that the newest groups are kept.
    keeper: Option<K>,
    job: Option<JoinHandle<(K, Option<Action>)>>,
}

impl<K: Storage> Work<K> {
    pub(super) fn new(commands: mpsc::Sender<Command>, keeper: K) -> Self {
        Self {
            commands,
            waiting: VecDeque::new(),
            jobs: VecDeque::new(),
            keeper: Some(keeper),
            job: None,
        }
    }

    /// In order, as soon as the engine takes them.
    pub(super) fn send(&mut self, commands: impl IntoIterator<Item = Command>) {
        self.waiting.extend(commands);
    }

    pub(super) fn add(&mut self, job: Job) {
        self.jobs.push_back(job);
    }

    pub(super) fn is_done(&self) -> bool {
        self.waiting.is_empty() && self.job.is_none() && self.jobs.is_empty()
    }

    /// Goes on with all of it until there is something to tell; waits for ever when there is
    /// nothing to do. Safe to give up and call again.
    pub(super) async fn next(&mut self) -> Option<Action> {
        self.begin_job();
        tokio::select! {
            permit = self.commands.reserve(), if !self.waiting.is_empty() => match permit {
                Ok(permit) => {
                    if let Some(command) = self.waiting.pop_front() {
                        permit.send(command);
                    }
                    None
                }
                Err(_) => {
                    self.waiting.clear();
                    Some(failed("the engine has ended: it takes no orders any more"))
                }
            },
            done = joined(&mut self.job) => {
                self.job = None;
                match done {
                    Ok((keeper, said)) => {
                        self.keeper = Some(keeper);
                        said
                    }
                    Err(error) => {
                        self.jobs.clear();
                        Some(failed(format!("nothing can be kept any more: {error}")))
                    }
                }
            }
        }
    }

    fn begin_job(&mut self) {
        if self.job.is_some() || self.jobs.is_empty() {
            return;
        }
        let Some(keeper) = self.keeper.take() else {
            self.jobs.clear();
            return;
        };
        self.job = self.jobs.pop_front().map(|job| {
            spawn_blocking(move || {
                let action = done(&keeper, job).unwrap_or_else(|error| Some(failed(error)));
                (keeper, action)
            })
        });
    }
}

fn done<K: Storage>(keeper: &K, job: Job) -> Result<Option<Action>, K::Error> {
    Ok(match job {
        Job::Keep(groups) => {
            keeper.keep(&groups)?;
            None
        }
        Job::Write { file, text } => {
            let text = keeper.write(&file, &text)?;
            Some(Action::Said(Message::new(text)))
        }
        Job::Report { run, format, file } => {
            let text = keeper.report(&run, format, &file)?;
            Some(Action::Said(Message::new(text)))
        }
        Job::ReadHistory => Some(Action::Past(keeper.history()?)),
        Job::OpenRun { run, columns } => {
            let text = keeper.past_run(&run, columns)?;
            Some(Action::OpenedRun { run, text })
        }
    })
}

fn failed(cause: impl Display) -> Action {
    Action::Said(Message::complaint(cause))
}

async fn joined<T>(job: &mut Option<JoinHandle<T>>) -> Result<T, tokio::task::JoinError> {
    match job {
        Some(job) => job.await,
        None => std::future::pending().await,
    }
}
