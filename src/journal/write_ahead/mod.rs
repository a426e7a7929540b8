//! The stage between the manager and its watchers: events and snapshots pass through it, and an
//! event is passed on once it is on the disk.
//!
//! A task takes what the manager reports and what agents ask, and puts it in one order: all events that
//! a snapshot knows of come before it, and those that an agent was begun with before what it asks. A thread writes what has come meanwhile in one transaction, and then passes
//! it on; so nothing is shown before it is written, snapshots included, and neither the manager nor
//! an agent waits for it (an agent waits at its [gate](super::gate), where it must). When the
//! journal can't be written, that is reported once, and everything is passed on all the same.

mod one_writer;
mod pump;

use std::collections::HashMap;
use std::path::PathBuf;
use std::sync::{Arc, mpsc};
use std::thread;
use std::time::{Duration, Instant};

use jiff::Timestamp;
use tokio::sync::{Notify, mpsc as channel, oneshot, watch};
use tokio::task::JoinHandle;

use crate::model::Inventory;
use crate::procedure::{StepBegins, StepEnded};
use crate::protocol::{Event, Link, Snapshot};

use super::error::JournalError;
use super::gate::{Gate, Touch};
use super::locks::EntityLock;
use super::read;
use super::writer::{RETRY, Record, Writer, Written, file_in_full};

/// Maximum number of messages that share one transaction.
const BATCH: usize = 512;
/// How long, at the end, what could not be written is tried again.
const LAST_TRIES: Duration = Duration::from_secs(3);

#[derive(Debug)]
pub(super) enum Message {
    Event(Event),
    Snapshot(Arc<Snapshot>),
    Touch {
        touch: Touch,
        done: oneshot::Sender<()>,
    },
    StepBegins {
        step: StepBegins,
        done: oneshot::Sender<()>,
    },
    StepEnded(StepEnded),
    End,
}

/// From the agents' [`Gate`].
#[derive(Debug)]
pub(super) enum Ask {
    Touch {
        touch: Touch,
        done: oneshot::Sender<()>,
    },
    StepBegins {
        step: StepBegins,
        done: oneshot::Sender<()>,
    },
    StepEnded(StepEnded),
    /// For this run alone to write; else the run that has it.
    Hold {
        address: String,
        path: String,
        /// Until the entity has a final state, and not as long as the lock lives.
        for_run: bool,
        done: oneshot::Sender<Result<Option<EntityLock>, String>>,
    },
}

/// Which journal, and what for.
#[derive(Debug, Clone)]
pub struct Settings {
    /// Where it is; or why there is no place for one.
    pub state_dir: Result<PathBuf, String>,
    /// The practice network of this process: its entities are gone when it ends, so what they hold
    /// is remembered by nobody.
    pub practice: bool,
    /// Whether this engine stays, and goes on with what it finds.
    pub resident: bool,
    pub tell_cut_off: TellCutOff,
}

/// Which earlier runs that were cut off are reported when an engine begins.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum TellCutOff {
    None,
    All,
    /// Not those that it goes on with itself.
    Others,
}

/// A journal that nothing was written to yet. Its [`Gate`] is for the transport of the run.
#[derive(Debug)]
pub struct Recorder {
    setting: Settings,
    asked: channel::UnboundedReceiver<Ask>,
}

impl Recorder {
    pub fn new(setting: Settings) -> (Self, Gate) {
        let (inbox, asked) = channel::unbounded_channel();
        (Self { setting, asked }, Gate { inbox })
    }

    /// Puts the journal between an engine and its watchers: what comes out of the link that is
    /// returned was written before. The task ends when the engine's has and all is written.
    pub fn record(
        self,
        link: Link,
        engine: JoinHandle<()>,
        inventory: Arc<Inventory>,
    ) -> (Link, JoinHandle<()>) {
        let first = link.snapshots.borrow().clone();
        let run = first.run.clone();
        let (events, events_out) = channel::unbounded_channel();
        let (snapshots, snapshots_out) = watch::channel(first);
        let shown = Arc::new(Notify::new());
        let (way_in, inbox) = mpsc::channel();
        let locks = Locks {
            state_dir: self.setting.state_dir.clone().ok(),
            run: run.clone(),
            inventory: inventory.clone(),
            held: HashMap::new(),
        };
        let stage = WriteAhead {
            setting: self.setting,
            run,
            inventory,
            inbox,
            events,
            snapshots,
            shown: shown.clone(),
        };
        let started = thread::Builder::new()
            .name("journal".into())
            .spawn(move || stage.run());
        let thread = match started {
            Ok(thread) => thread,
            Err(error) => {
                // Gates find nobody, and let everything pass.
                tracing::warn!("this run is not recorded: no thread for the journal: {error}");
                return (link, engine);
            }
        };
        let Link {
            commands,
            snapshots,
            events,
        } = link;
        let pump = Pump {
            events,
            snapshots,
            shown,
            asked: self.asked,
            locks,
            way_in,
        };
        let task = tokio::spawn(async move {
            pump.run().await;
            let ended = engine.await;
            let joined = tokio::task::spawn_blocking(move || thread.join()).await;
            if !matches!(joined, Ok(Ok(()))) {
                tracing::error!("the journal's thread broke down");
            }
            // What waits for the engine learns how it ended.
            if let Err(error) = ended
                && error.is_panic()
            {
                std::panic::resume_unwind(error.into_panic());
            }
        });
        let link = Link {
            commands,
            snapshots: snapshots_out,
            events: events_out,
        };
        (link, task)
    }
}

/// Puts events and snapshots in one order.
struct Pump {
    events: channel::UnboundedReceiver<Event>,
    snapshots: watch::Receiver<Arc<Snapshot>>,
    /// The last snapshot was passed on: another one may come.
    shown: Arc<Notify>,
    asked: channel::UnboundedReceiver<Ask>,
    locks: Locks,
    way_in: mpsc::Sender<Message>,
}

impl Pump {
    async fn run(mut self) {
        // One snapshot is on its way at a time: however slow the disk is, they don't pile up.
        let mut free = true;
        let (mut publishing, mut asking) = (true, true);
        loop {
            tokio::select! {
                event = self.events.recv() => match event {
                    Some(event) => self.event(event),
                    None => break,
                },
                ask = self.asked.recv(), if asking => match ask {
                    Some(ask) => self.answer(ask),
                    None => asking = false,
                },
                changed = self.snapshots.changed(), if free && publishing => match changed {
                    Ok(()) => {
                        self.snapshot();
                        free = false;
                    }
                    Err(_) => publishing = false,
                },
                () = self.shown.notified(), if !free => free = true,
            }
        }
        self.snapshot();
        self.send(Message::End);
    }
}

/// The entities that the run writes.
struct Locks {
    state_dir: Option<PathBuf>,
    run: String,
    inventory: Arc<Inventory>,
    /// By address and path.
    held: HashMap<(String, String), EntityLock>,
}

impl Locks {}

/// The thread.
struct WriteAhead {
    setting: Settings,
    run: String,
    inventory: Arc<Inventory>,
    inbox: mpsc::Receiver<Message>,
    events: channel::UnboundedSender<Event>,
    snapshots: watch::Sender<Arc<Snapshot>>,
    shown: Arc<Notify>,
}

impl WriteAhead {
    fn run(self) {
        let mut writer = match self.open() {
            Ok(writer) => Some(writer),
            Err(error) => {
                self.notice(format!("this run is not recorded: {error}"));
                None
            }
        };
        let mut ended = false;
        while !ended {
            let behind = writer.as_ref().is_some_and(Writer::is_behind);
            let first = match behind {
                false => self.inbox.recv().ok(),
                true => match self.inbox.recv_timeout(RETRY) {
                    Err(mpsc::RecvTimeoutError::Timeout) => {
                        self.write(writer.as_mut());
                        continue;
                    }
                    other => other.ok(),
                },
            };
            let Some(first) = first else { break };
            let mut batch = vec![first];
            while batch.len() < BATCH
                && let Ok(next) = self.inbox.try_recv()
            {
                batch.push(next);
            }
            if let Some(writer) = &mut writer {
                for message in &batch {
                    match message {
                        Message::Event(event) => writer.add(Record::Event(event.clone())),
                        Message::Touch { touch, .. } => writer.add(Record::Touch(touch.clone())),
                        Message::StepBegins { step, .. } => {
                            writer.add(Record::StepBegins(step.clone()));
                        }
                        Message::StepEnded(step) => writer.add(Record::StepEnded(step.clone())),
                        Message::Snapshot(_) | Message::End => {}
                    }
                }
            }
            self.write(writer.as_mut());
            ended = self.pass_on(batch);
        }
        if let Some(writer) = &mut writer {
            self.finish(writer);
        }
    }

    fn open(&self) -> Result<Writer, JournalError> {
        let state_dir = self.setting.state_dir.clone();
        let state_dir = state_dir.map_err(JournalError::NoPlace)?;
        super::check_folder(&state_dir).map_err(|why| JournalError::NoPlace(why.to_string()))?;
        let began = Instant::now();
        let mut writer = loop {
            let (run, inventory) = (self.run.clone(), self.inventory.clone());
            match Writer::open(&state_dir, run, inventory, self.setting.practice) {
                // Another process makes it, or brings it to a newer format.
                Err(JournalError::Busy { .. }) if began.elapsed() < LAST_TRIES => {
                    thread::sleep(Duration::from_millis(20));
                }
                opened => break opened?,
            }
        };
        writer.is_resident(self.setting.resident);
        let tell = self.setting.tell_cut_off;
        if tell == TellCutOff::None {
            return Ok(writer);
        }
        let file = file_in_full(&self.inventory.file);
        let file = (tell == TellCutOff::Others).then_some(&*file);
        match read::cut_off_but_for(writer.connection(), &state_dir, file) {
            Ok(runs) => {
                for run in &runs {
                    self.notice(run.sentence());
                }
            }
            Err(error) => tracing::warn!("runs that were cut off can't be told: {error}"),
        }
        Ok(writer)
    }

    fn write(&self, writer: Option<&mut Writer>) {
        let Some(writer) = writer else { return };
        match writer.write() {
            Written::All | Written::StillFailing => {}
            Written::Failed(error) => self.notice(format!(
                "{error}; transfers go on, and what happens is kept and written as soon as it can be"
            )),
            Written::Again { missing: 0 } => {
                self.notice("the journal is written again, and nothing is missing in it".into());
            }
            Written::Again { missing } => self.notice(format!(
                "the journal is written again; {missing} states that were not final are missing in it"
            )),
        }
    }

    /// Whether this was the end.
    fn pass_on(&self, batch: Vec<Message>) -> bool {
        let mut ended = false;
        // A receiver that is gone wants no more.
        for message in batch {
            match message {
                Message::Event(event) if !event.is_for_watchers() => {}
                Message::Event(event) => {
                    let _ = self.events.send(event);
                }
                Message::Snapshot(snapshot) => {
                    self.snapshots.send_replace(snapshot);
                    self.shown.notify_one();
                }
                Message::Touch { done, .. } | Message::StepBegins { done, .. } => {
                    let _ = done.send(());
                }
                Message::StepEnded(_) => {}
                Message::End => ended = true,
            }
        }
        ended
    }

    fn finish(&self, writer: &mut Writer) {
        let began = Instant::now();
        while writer.is_behind() {
            if matches!(writer.write_now(), Written::All | Written::Again { .. }) {
                return;
            }
            if began.elapsed() > LAST_TRIES {
                tracing::warn!(
                    "{} records of this run are missing in the journal",
                    writer.missing()
                );
                return;
            }
            thread::sleep(Duration::from_millis(100));
        }
    }

    fn notice(&self, text: String) {
        // Above the level that is printed: it is printed as what it is.
        tracing::info!("{text}");
        let _ = self.events.send(Event::Notice {
            at: Timestamp::now(),
            text,
        });
    }
}
