//! Watches a run to its end: events in order, snapshots at the view's own pace, signals at once.

use std::collections::VecDeque;
use std::io::{self, Write};
use std::sync::Arc;
use std::time::Duration;

use tokio::sync::mpsc;
use tokio::time::{Instant, MissedTickBehavior, timeout};

use super::board::Notes;
use super::json::Json;
use super::lines::Lines;
use super::mode::Mode;
use super::screen::Screen;
use crate::protocol::{Command, Event, Link, Snapshot, Summary, Target};
use crate::terminal::Output;

/// One message per signal (Ctrl-C, SIGTERM, SIGHUP). The first cancels in good order, the second leaves.
pub type Stop = mpsc::Receiver<()>;

/// Said when the first signal has come.
pub(super) const CANCELLING: &str = "cancelling… press Ctrl-C again to leave at once";
/// Time that what is already printed has to reach its reader, on leaving at once.
const PARTING: Duration = Duration::from_millis(200);

/// What is watched and how.
#[derive(Debug)]
pub struct Options {
    pub mode: Mode,
    /// Sent to the engine at the beginning: what to start, and that nothing else comes.
    pub commands: Vec<Command>,
    /// Log lines to show above a screen.
    pub notes: Option<Notes>,
}

/// How it ended.
#[derive(Debug)]
pub enum Ended {
    /// The engine has ended. `refused` holds the reasons for commands that it did not obey.
    Summary {
        summary: Box<Summary>,
        refused: Vec<String>,
    },
    /// The operator left at once: nothing was waited for, and the process must end now.
    Left,
    /// The engine has ended without a word.
    Lost,
}

/// One way of showing a run. Nothing here may wait.
pub(super) trait View: Send {
    /// The time between two ticks, and the least time between two samples.
    fn period(&self) -> Duration;
    /// Something happened. Never the summary.
    fn event(&mut self, event: &Event);
    /// Shows how it stands, if that is new and there is room for it.
    fn tick(&mut self, snapshot: &Snapshot);
    /// Says something else.
    fn say(&mut self, text: &str);
    fn cancelling(&mut self, _snapshot: &Snapshot) {
        self.say(CANCELLING);
    }
    /// The last thing shown.
    fn end(&mut self, snapshot: &Snapshot, summary: &Summary);
    fn out(&mut self) -> &mut Output;
    /// Where people are spoken to, if not there.
    fn notes(&mut self) -> Option<&mut Output> {
        None
    }
}

/// Watches the run behind a link until it ends or the operator leaves, and prints it on `out`.
/// `notes` gets what is said to people while `out` is for JSON, and that `out` could not be written.
///
/// Returns once everything is printed or its reader is gone; a reader that has merely stopped is
/// waited for at the end, until a signal comes. The run itself never waits for a reader.
///
/// # Errors
/// When the host has no thread left to print from. Nothing was started then.
pub async fn run(
    link: Link,
    options: Options,
    stop: &mut Stop,
    out: impl Write + Send + 'static,
    notes: impl Write + Send + 'static,
) -> io::Result<Ended> {
    let (out, notes) = (Output::start(out)?, Output::start(notes)?);
    let (view, aside): (Box<dyn View>, _) = match options.mode {
        Mode::Json => (Box::new(Json::new(out, notes)), None),
        Mode::Lines { utf8 } => (Box::new(Lines::new(out, utf8)), Some(notes)),
        Mode::Screen(look) => (Box::new(Screen::new(out, look)), Some(notes)),
    };
    let watch = Watch {
        link,
        view,
        aside,
        failure_reported: false,
        outbox: options.commands.into(),
        notes: options.notes,
        refused: Vec::new(),
        stopping: false,
    };
    Ok(watch.run(stop).await)
}

struct Watch {
    link: Link,
    view: Box<dyn View>,
    /// Where people are spoken to when the view can't, and it has no such place of its own.
    aside: Option<Output>,
    failure_reported: bool,
    /// Commands on their way: the engine may be too busy to take one at once.
    outbox: VecDeque<Command>,
    notes: Option<Notes>,
    refused: Vec<String>,
    stopping: bool,
}

impl Watch {
    async fn run(mut self, stop: &mut Stop) -> Ended {
        let commands = self.link.commands.clone();
        let period = self.view.period();
        let mut ticks = tokio::time::interval_at(Instant::now() + period, period);
        ticks.set_missed_tick_behavior(MissedTickBehavior::Delay);
        let mut open = true;
        let summary = loop {
            // Signals before all else, events before the figures that they explain.
            tokio::select! {
                biased;
                signal = stop.recv(), if open => match signal {
                    Some(()) if self.stopping => return self.leave().await,
                    Some(()) => self.cancel(),
                    None => open = false,
                },
                event = self.link.events.recv() => match event {
                    Some(Event::Summary(summary)) => break Some(summary),
                    Some(event) => self.event(event),
                    None => break None,
                },
                permit = commands.reserve(), if !self.outbox.is_empty() => {
                    match (permit, self.outbox.pop_front()) {
                        (Ok(permit), Some(command)) => permit.send(command),
                        // The engine takes no more commands: its end comes over the events.
                        _ => self.outbox.clear(),
                    }
                },
                text = next(&mut self.notes) => self.view.say(&text),
                _ = ticks.tick() => self.tick(),
            }
        };
        let snapshot = self.snapshot();
        let Self {
            link,
            mut view,
            mut aside,
            mut failure_reported,
            mut notes,
            refused,
            ..
        } = self;
        // The engine is let go before anything is waited for.
        drop((link, commands));
        for text in notes.as_mut().map(Notes::rest).unwrap_or_default() {
            view.say(&text);
        }
        // From here on the log writes past the view again, which has nothing left to redraw.
        drop(notes);
        let ended = match summary {
            Some(summary) => {
                view.end(&snapshot, &summary);
                let summary = Box::new(summary);
                Ended::Summary { summary, refused }
            }
            None => {
                view.say("the engine ended without a summary; the log may say why");
                Ended::Lost
            }
        };
        finish(view.out(), stop).await;
        report_failure(&mut *view, aside.as_mut(), &mut failure_reported);
        if let Some(notes) = view.notes().or(aside.as_mut()) {
            // A reader of standard error that has stopped does not hold up the end.
            let _ = timeout(PARTING, notes.finish()).await;
        }
        ended
    }

    fn snapshot(&self) -> Arc<Snapshot> {
        self.link.snapshots.borrow().clone()
    }

    fn event(&mut self, event: Event) {
        self.view.event(&event);
        if let Event::Refused { reason, .. } = event {
            self.refused.push(reason);
        }
    }

    fn tick(&mut self) {
        // Views compare with what they showed before: an unchanged snapshot costs no byte.
        let snapshot = self.snapshot();
        self.view.tick(&snapshot);
        report_failure(
            &mut *self.view,
            self.aside.as_mut(),
            &mut self.failure_reported,
        );
    }

    fn cancel(&mut self) {
        self.stopping = true;
        // What was not yet sent is not started any more.
        self.outbox.clear();
        self.outbox.push_back(Command::Cancel {
            target: Target::All,
        });
        self.outbox.push_back(Command::Finish);
        let snapshot = self.snapshot();
        self.view.cancelling(&snapshot);
    }

    /// The second signal. The terminal is in order between any two frames, so all that is left is to
    /// let the newest one out, if its reader takes it.
    async fn leave(mut self) -> Ended {
        self.notes = None;
        // Time is up: the process ends whether or not everything was printed.
        let _ = timeout(PARTING, self.view.out().finish()).await;
        Ended::Left
    }
}

/// Says once that what is printed gets nowhere any more: the run goes on.
fn report_failure(view: &mut dyn View, aside: Option<&mut Output>, reported: &mut bool) {
    if *reported {
        return;
    }
    if let Some(error) = view.out().failure() {
        *reported = true;
        let why = match error.kind() {
            io::ErrorKind::BrokenPipe => "whoever read standard output has closed it".into(),
            _ => format!("standard output can't be written: {error}"),
        };
        if let Some(notes) = view.notes().or(aside) {
            notes.line(&format!("note: {why}; the run goes on"));
        }
    }
}

/// Waits for the reader, until a signal comes.
async fn finish(out: &mut Output, stop: &mut Stop) {
    let signal = async {
        if stop.recv().await.is_none() {
            std::future::pending::<()>().await;
        }
    };
    tokio::select! {
        () = out.finish() => {}
        () = signal => {}
    }
}

async fn next(notes: &mut Option<Notes>) -> String {
    match notes {
        Some(notes) => notes.next().await,
        None => std::future::pending().await,
    }
}
