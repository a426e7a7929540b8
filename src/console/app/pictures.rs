//! When a picture is drawn, and its way to the terminal.

use std::time::{Duration, Instant};

use crate::console::action::Action;
use crate::console::asked::Asked;
use crate::console::dialogs::Dialog;
use crate::console::update::update;
use crate::console::view;
use crate::console::work::Storage;
use crate::terminal::{Device, Output};

use super::{App, LOG_PACE};

pub(super) async fn ready(output: Option<&Output>) {
    match output {
        Some(output) => output.idle().await,
        None => std::future::pending().await,
    }
}

/// When the last one was drawn, and the next one is to be.
pub(super) struct Pictures {
    /// Minimum interval between two of them, where no key was pressed.
    pace: Duration,
    /// None: there is no need for one.
    pub(super) due: Option<Instant>,
    /// Something besides the log and the figures of the output.
    changed: bool,
    drawn: Instant,
    /// What is asked, since when it is on its way to the screen, and how many pictures have followed.
    asked: Option<(Question, Instant, u32)>,
}

/// What begins work when it is answered, and has to be on the screen for that.
#[derive(Debug, Clone, PartialEq)]
enum Question {
    /// A dialog, by what it asks: another one may have taken its place before a picture was drawn.
    Dialog(Asked),
    /// The review, by its edition.
    Review(u64),
}

/// Nobody has read a question and decided sooner: what is typed before was typed before it was there.
const READ: Duration = Duration::from_millis(400);
/// Minimum interval between two pictures of a time that counts down.
const SECOND: Duration = Duration::from_secs(1);

impl Pictures {
    /// The first one is due at once.
    pub(super) fn new(pace: Duration) -> Self {
        let now = Instant::now();
        Self {
            pace,
            due: Some(now),
            changed: true,
            drawn: now,
            asked: None,
        }
    }
}

impl<D: Device, K: Storage> App<D, K> {
    /// When there will be something to do that nobody tells.
    pub(super) fn wake(&self, busy: bool) -> Option<Instant> {
        // While the last picture is on its way, the next one waits for that, not for a time.
        let picture = self.pictures.due.filter(|_| !busy);
        let log =
            (self.pictures.due.is_none() && self.watches_log()).then(|| Instant::now() + LOG_PACE);
        let counts = self.pictures.due.is_none() && self.counts_down();
        let clock = counts.then(|| self.pictures.drawn + SECOND);
        let end = self.leaving.and_then(|leaving| leaving.until);
        [picture, log, clock, end].into_iter().flatten().min()
    }

    /// It shows what time alone changes.
    fn counts_down(&self) -> bool {
        let shared = &self.state.shared;
        let is_live = self.screen.is_some() && shared.frozen.is_none();
        is_live
            && self
                .state
                .screen()
                .counts_down(&self.link.snapshots.borrow())
    }

    /// What is asked now that begins work.
    fn question(&self) -> Option<Question> {
        let shared = &self.state.shared;
        match shared.dialog() {
            Some(Dialog::Sheet { intent, .. }) => Some(Question::Dialog(intent.clone())),
            Some(
                Dialog::Confirm { intent, .. }
                | Dialog::List {
                    intent,
                    ticks: Some(_),
                    ..
                },
            ) if intent.begins_work() => Some(Question::Dialog(intent.clone())),
            // A command, and a key that is chosen in the help, can start what is reviewed below them.
            None
            | Some(
                Dialog::Command { .. }
                | Dialog::List {
                    intent: Asked::Key, ..
                },
            ) => self.state.reviewed().map(Question::Review),
            Some(_) => None,
        }
    }

    /// Whether it answers a question that can't have been read yet.
    pub(super) fn is_typed_ahead(&self, action: &Action) -> bool {
        let Some(question) = self.question() else {
            return false;
        };
        let answers = match question {
            Question::Dialog(_) => matches!(action, Action::Yes | Action::Submit),
            Question::Review(_) => matches!(action, Action::Begin | Action::Submit),
        };
        let output = self.screen.as_ref().map(|screen| &screen.output);
        let is_idle = output.is_some_and(Output::is_idle);
        // A picture is begun when the one before it has arrived.
        let was_read = self
            .pictures
            .asked
            .as_ref()
            .is_some_and(|(asked, at, followed)| {
                *asked == question && (is_idle || *followed > 0) && at.elapsed() >= READ
            });
        answers && !was_read
    }

    pub(super) fn say_typed_ahead(&mut self) {
        let (keys, scope) = (self.state.shared.keys(), self.state.scope());
        let (action, does) = match self.state.shared.dialog() {
            Some(Dialog::List { .. } | Dialog::Command { .. }) => (Action::Submit, "goes on"),
            Some(_) => (Action::Yes, "goes on"),
            None => (Action::Begin, "starts"),
        };
        let key = keys.key(scope, &action);
        let text = format!("that was typed before the question could be read: {key} again {does}");
        self.state.shared.say(text);
        self.now();
    }

    pub(super) fn watches_log(&self) -> bool {
        self.screen.is_some() && self.state.watches_log()
    }

    /// A press is answered at once.
    pub(super) fn now(&mut self) {
        self.pictures.due = Some(Instant::now());
        self.pictures.changed = true;
    }

    /// Everything else is shown at the pace of this terminal.
    pub(super) fn soon(&mut self) {
        let due = self.pictures.drawn + self.pictures.pace;
        self.pictures.due = Some(self.pictures.due.map_or(due, |sooner| sooner.min(due)));
        self.pictures.changed = true;
    }

    pub(super) fn draw(&mut self) {
        let now = Instant::now();
        #[cfg(test)]
        let quiet = crate::console::pages::nobody_logs();
        #[cfg(test)]
        let seen = quiet.is_some() && self.state.take_log();
        #[cfg(not(test))]
        let seen = self.state.take_log();
        if seen && self.pictures.due.is_none() {
            self.pictures.due = Some(now.max(self.pictures.drawn + LOG_PACE));
        }
        if self.pictures.due.is_none() && self.pictures.drawn + SECOND <= now && self.counts_down()
        {
            self.pictures.due = Some(now);
        }
        let Some(screen) = &mut self.screen else {
            self.pictures.due = None;
            return;
        };
        if screen.output.is_lost() {
            let cause = screen.output.failure();
            let cause = cause.map_or_else(|| "it is gone".to_owned(), |error| error.to_string());
            return self.lose(&cause);
        }
        if self.pictures.due.is_none_or(|due| due > now) || !screen.output.is_idle() {
            return;
        }
        if !screen.device.is_ours() {
            // The report of a panic was printed; it is there to be read after the console.
            if let Err(error) = screen.device.resume() {
                return self.lose(&error.to_string());
            }
            screen.enter = true;
            let _ = screen.afresh();
        }
        let figures = screen.output.figures(now);
        // The picture of the figures changes them: they follow other changes only, and silence.
        if self.pictures.changed
            || figures.per_second == 0 && self.state.shared.output.per_second > 0
        {
            self.state.shared.output = figures;
        }
        if let Some(leaving) = self.leaving {
            let shared = &mut self.state.shared;
            let quit = shared.key(shared.page, &Action::Quit);
            shared.say(match (leaving.cancelled, shared.engine.shared) {
                (true, true) => format!("cancelling...; {quit} leaves at once"),
                (true, false) => format!(
                    "cancelling...; {quit} leaves at once, and may leave staging files on entities"
                ),
                (false, true) => "leaving; what runs goes on".into(),
                (false, false) => {
                    format!("leaving when what runs has ended; {quit} cancels it")
                }
            });
        }
        let snapshot = self.link.snapshots.borrow().clone();
        self.state.shared.time.now = jiff::Timestamp::now().max(snapshot.at);
        self.state.observe(&snapshot);
        let (state, theme) = (&self.state, &screen.theme);
        let picture = screen
            .canvas
            .draw(|frame| view::draw(state, &snapshot, theme, frame));
        let live = self.link.snapshots.borrow().clone();
        if screen.enter {
            // The program that had the terminal meanwhile may have set its title.
            screen.notices.forget();
        }
        let name = &self.state.shared.site_name;
        let notice = screen.notices.show(self.calls.look(&live, name));
        let copied = std::mem::take(&mut screen.copied).into_bytes();
        let entry = match screen.enter {
            true => screen.device.entry(),
            false => Vec::new(),
        };
        let bytes = [entry, picture, notice, copied].concat();
        screen.enter = false;
        screen.output.send(bytes, now);
        self.pictures.drawn = now;
        let before = self.pictures.asked.take();
        self.pictures.asked =
            self.question().map(
                |question| match before.filter(|(asked, ..)| *asked == question) {
                    Some((_, at, followed)) => (question, at, followed.saturating_add(1)),
                    None => (question, now, 0),
                },
            );
        self.pictures.due = None;
        self.pictures.changed = false;
    }

    pub(super) fn redraw(&mut self) {
        if let Some(screen) = &mut self.screen {
            let Action::Resize { columns, rows } = screen.afresh() else {
                return;
            };
            let snapshot = self.snapshot();
            let _ = update(&mut self.state, &snapshot, Action::Resize { columns, rows });
            self.now();
        }
    }
}
