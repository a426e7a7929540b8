//! The loop: presses, snapshots, events and signals in; pictures, commands and files out, each at
//! its own pace.
//!
//! A picture is drawn at once after a press, a few times a second while transfers run, and never
//! while the last one is still on its way or nothing has changed. Losing the terminal ends the
//! pictures only: the engine goes on until what runs has ended.

mod leaving;
mod pictures;

use std::io;
use std::sync::Arc;
use std::time::{Duration, Instant};

use crossterm::event as typed;
use crossterm::event::{KeyEventKind, MouseButton, MouseEventKind};
use nix::sys::signal::Signal as Posix;
use pictures::{Pictures, ready};
use tokio::signal::unix::{Signal, SignalKind, signal};
use tokio::sync::mpsc;
use tokio::time::{sleep_until, timeout};

use crate::model::{columns, units};
use crate::protocol::{Event, Link, Snapshot};
use crate::terminal::clipboard;
use crate::terminal::{
    Canvas, Device, Input, Notices, Output, Terminal, Theme, ThemeName, Understands, Wanted,
};

use super::action::Action;
use super::calls::Calls;
use super::clicks::Clicked;
use super::effect::Effect;
use super::guide::Guide;
use super::keymap::{Kind, Scope};
use super::message::Message;
use super::page::Page;
use super::pages::State;
use super::settings::Settings;
use super::state::Site;
use super::update::update;
use super::view;
use super::work::{Job, Storage, Work};

/// How the console behaves on this terminal.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Options {
    pub theme: ThemeName,
    /// ASCII alone, or not; without a word the locale decides.
    pub ascii: Option<bool>,
    /// At most one picture a second while nobody presses a key, for slow lines.
    pub slow: bool,
    /// Clicks and the wheel are reported.
    pub mouse: bool,
    /// What is shown besides pictures, where the terminal knows it.
    pub notices: Wanted,
    /// The engine is a process of its own: what runs goes on when the console ends.
    pub shared: bool,
    /// It takes no orders from this console.
    pub watch_only: bool,
    /// On a practice network: the console begins with guided steps.
    pub practice: bool,
    pub settings: Settings,
}

impl Default for Options {
    fn default() -> Self {
        Self {
            theme: ThemeName::default(),
            ascii: None,
            slow: false,
            mouse: false,
            notices: Wanted::ALL,
            shared: false,
            watch_only: false,
            practice: false,
            settings: Settings::default(),
        }
    }
}

/// Least time between pictures that no press has asked for.
const PACE: Duration = Duration::from_millis(250);
const SLOW_PACE: Duration = Duration::from_secs(1);
/// On the log page lines appear without anybody telling.
const LOG_PACE: Duration = Duration::from_secs(1);
/// An engine that is to end with nothing running ends within this time.
const ENDING: Duration = Duration::from_secs(5);
/// One whose work was cancelled: entities still have their staging files removed.
const CANCELLING: Duration = Duration::from_secs(60);
/// Time that the last picture has to arrive before the terminal is given back.
const LAST_PICTURE: Duration = Duration::from_millis(500);
/// Signals that come together with the loss of a terminal mean that loss.
const TOGETHER: Duration = Duration::from_millis(500);

/// Opens the console on the terminal of this process and returns when the operator has left and the
/// engine's work has ended in good order; or when the operator has asked twice to leave.
///
/// Each message of `stop` asks to cancel and leave; a second one leaves at once. One that came of
/// SIGHUP because the terminal is gone leaves the engine its work: it is waited for without a screen.
/// An engine in a process of its own ([`Options::shared`]) is left its work by every signal, and
/// waited for only when its work was cancelled from here.
///
/// # Errors
/// When there is no terminal, or the host has no threads, files or signals left.
pub async fn run(
    link: Link,
    site: Site,
    options: Options,
    keeper: impl Storage,
    stop: mpsc::Receiver<()>,
) -> io::Result<()> {
    let theme = Theme::choose(options.theme, options.ascii, |name| {
        std::env::var(name).ok()
    });
    let stops = Stops {
        stop,
        hangups: signal(SignalKind::hangup())?,
        last_hangup: None,
    };
    let resized = signal(SignalKind::window_change())?;
    let continued = signal(SignalKind::from_raw(Posix::SIGCONT as i32))?;
    let understands = match options.notices {
        Wanted::NOTHING => Understands::Nothing,
        _ => Understands::choose(|name| std::env::var(name).ok()),
    };
    let terminal = Terminal::take(options.mouse, understands)?;
    let mut input = Input::start()?;
    let presses = std::mem::replace(&mut input.events, mpsc::channel(1).1);
    let output = Output::start(terminal.writer()?)?;
    let mut screen = Screen::new(terminal, output, theme);
    screen.notices = Notices::new(understands, options.notices);
    // What is asked for is no notice.
    screen.clipboard = Understands::choose(|name| std::env::var(name).ok());
    // Who comes to work that runs already comes to watch it.
    let runs = link.snapshots.borrow().running().next().is_some();
    let mut state = State::with(site, options.settings);
    let page = state.shared.settings.start_page;
    state.shared.page = page.unwrap_or_else(|| Page::first(runs));
    state.shared.engine.shared = options.shared;
    state.shared.engine.watch_only = options.watch_only;
    state.shared.is_practice = options.practice;
    state.shared.guide = options.practice.then(Guide::new);
    let app = App {
        screen: Some(screen),
        work: Work::new(link.commands.clone(), keeper),
        state,
        link,
        presses,
        stops,
        resized,
        continued,
        resumed: None,
        pictures: Pictures::new(if options.slow { SLOW_PACE } else { PACE }),
        calls: Calls::new(if options.slow { 5 } else { 1 }),
        leaving: None,
        engine: Engine::Runs,
    };
    app.run().await;
    drop(input);
    Ok(())
}

/// What is drawn on.
struct Screen<D> {
    output: Output,
    canvas: Canvas,
    theme: Theme,
    notices: Notices,
    clipboard: Understands,
    /// For the clipboard, with the next picture.
    copied: String,
    /// The terminal has just been taken over and must be set up.
    enter: bool,
    device: D,
}

impl<D: Device> Screen<D> {
    fn new(device: D, output: Output, theme: Theme) -> Self {
        let (columns, rows) = device.size();
        Self {
            output,
            canvas: Canvas::new(columns, rows, theme.ascii),
            theme,
            notices: Notices::new(Understands::Nothing, Wanted::NOTHING),
            clipboard: Understands::Nothing,
            copied: String::new(),
            enter: true,
            device,
        }
    }

    /// The next picture is a whole one, at the size that the terminal has now.
    fn afresh(&mut self) -> Action {
        let (columns, rows) = self.device.size();
        self.canvas = Canvas::new(columns, rows, self.theme.ascii);
        Action::Resize { columns, rows }
    }
}

/// Why `stop` sent a message.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Stop {
    Terminate,
    Hangup,
}

struct Stops {
    stop: mpsc::Receiver<()>,
    /// Each SIGHUP once more: the messages do not tell which signal they are for.
    hangups: Signal,
    last_hangup: Option<Instant>,
}

impl Stops {
    async fn next(&mut self) -> Stop {
        if self.stop.recv().await.is_none() {
            return std::future::pending().await;
        }
        // A signal reaches all that wait for it before any of them can pass it on.
        let hangup = tokio::select! {
            biased;
            Some(()) = self.hangups.recv() => true,
            () = std::future::ready(()) => false,
        };
        let now = Instant::now();
        // Host and shell both tell that a terminal is gone, and two at once can look like one.
        let again = self.last_hangup.is_some_and(|at| now - at < TOGETHER);
        if hangup {
            self.last_hangup = Some(now);
        }
        if hangup || again {
            Stop::Hangup
        } else {
            Stop::Terminate
        }
    }
}

/// On the way out.
#[derive(Debug, Clone, Copy)]
struct Leaving {
    cancelled: bool,
    /// After this the engine is not waited for any more.
    until: Option<Instant>,
    at_once: bool,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Engine {
    Runs,
    Ended,
}

struct App<D: Device, K: Storage> {
    /// None once the terminal is gone.
    screen: Option<Screen<D>>,
    work: Work<K>,
    state: State,
    link: Link,
    presses: mpsc::Receiver<typed::Event>,
    stops: Stops,
    resized: Signal,
    continued: Signal,
    /// When the terminal was last taken over again by ourselves.
    resumed: Option<Instant>,
    pictures: Pictures,
    calls: Calls,
    leaving: Option<Leaving>,
    engine: Engine,
}

impl<D: Device, K: Storage> App<D, K> {
    async fn run(mut self) {
        if let Some(screen) = &mut self.screen {
            let size = screen.afresh();
            self.act(size).await;
        }
        // Snapshots end with the engine, a little before its events do.
        let mut snapshots_end = false;
        while !self.is_over() {
            self.draw();
            let output = self.screen.as_ref().map(|screen| &screen.output);
            // Looked at once: what is decided here and there must not differ.
            let busy = output.is_some_and(|output| !output.is_idle() || output.is_lost());
            let wake = self.wake(busy);
            tokio::select! {
                stop = self.stops.next() => self.stop(stop),
                press = self.presses.recv(), if output.is_some() => match press {
                    Some(press) => self.press(press).await,
                    None => self.lose("its input has ended"),
                },
                Some(()) = self.resized.recv(), if output.is_some() => self.redraw(),
                Some(()) = self.continued.recv(), if output.is_some() => self.resume(),
                event = self.link.events.recv(), if self.engine == Engine::Runs => {
                    self.event(event);
                }
                changed = self.link.snapshots.changed(), if !snapshots_end => {
                    snapshots_end = changed.is_err();
                    self.soon();
                }
                said = self.work.next() => if let Some(said) = said {
                    self.act(said).await;
                },
                () = ready(output), if self.pictures.due.is_some() && busy => {}
                () = sleep_until(wake.unwrap_or_else(Instant::now).into()), if wake.is_some() => {}
            }
        }
        if let Some(screen) = &self.screen {
            let _ = timeout(LAST_PICTURE, screen.output.idle()).await;
        }
    }

    fn is_over(&self) -> bool {
        let Some(leaving) = self.leaving else {
            return false;
        };
        let ended = self.engine == Engine::Ended && self.work.is_done();
        leaving.at_once || ended || leaving.until.is_some_and(|until| until <= Instant::now())
    }

    async fn press(&mut self, press: typed::Event) {
        let (keys, scope) = (self.state.shared.keys(), self.state.scope());
        let key = |event| keys.action(&event, scope);
        let action = match &press {
            typed::Event::Key(event) if event.kind == KeyEventKind::Press => key(*event),
            typed::Event::Mouse(event) => match event.kind {
                MouseEventKind::Down(MouseButton::Left) => self
                    .clicked(event.column, event.row)
                    .or(Some(Action::Click {
                        row: event.row,
                        column: event.column,
                    })),
                MouseEventKind::ScrollUp => keys.wheel(&Action::Up, scope),
                MouseEventKind::ScrollDown => keys.wheel(&Action::Down, scope),
                _ => None,
            },
            // A change of size comes as a signal, also while nothing is typed.
            _ => None,
        };
        let Some(action) = action else {
            if let typed::Event::Key(event) = press
                && event.kind == KeyEventKind::Press
                && let Some(said) = keys.means_nothing(&event, scope)
            {
                self.act(Action::Said(Message::new(said))).await;
            }
            return;
        };
        if self.is_typed_ahead(&action) {
            return self.say_typed_ahead();
        }
        if let (Action::Quit, Some(leaving)) = (&action, &mut self.leaving) {
            leaving.at_once = leaving.cancelled || self.state.shared.engine.shared;
            return self.leave(!self.state.shared.engine.shared);
        }
        self.act(action).await;
    }

    /// What a click in the title or the status line means. The picture is made once more to see what is there.
    fn clicked(&self, column: u16, row: u16) -> Option<Action> {
        let shared = &self.state.shared;
        let (columns, rows) = (shared.columns, shared.rows);
        let (is_title, is_status) = (row == 0, row + 1 == rows);
        if !is_title && !is_status || column >= columns {
            return None;
        }
        let theme = &self.screen.as_ref()?.theme;
        let snapshot = self.snapshot();
        let cells = Canvas::cells(columns, rows, |frame| {
            view::draw(&self.state, &snapshot, theme, frame);
        });
        let symbol = |column: u16| cells.cell((column, row)).map_or(" ", |cell| cell.symbol());
        let text: String = (0..columns).map(symbol).collect();
        let at = (0..column).map(|column| symbol(column).len()).sum();
        let clicked = Clicked { row: &text, at };
        match self.state.scope() {
            Scope::Page(page) if is_title => clicked.page(shared.keys(), page),
            scope if is_status => clicked.hint(shared.keys(), scope),
            _ => None,
        }
    }

    fn event(&mut self, event: Option<Event>) {
        let Some(event) = event else {
            self.engine = Engine::Ended;
            self.state.shared.engine.is_gone = true;
            self.state.shared.engine.others = 0;
            if self.leaving.is_none() {
                if self.state.shared.engine.shared {
                    // Somebody else may have reported it to; or it was killed, which was said already.
                    tracing::warn!("the engine has ended");
                    if !self
                        .state
                        .shared
                        .message
                        .as_ref()
                        .is_some_and(|said| said.is_error)
                    {
                        let quit = self.key(&Action::Quit);
                        let said = format!("the engine has ended; {quit} leaves");
                        self.state.shared.complain(said);
                    }
                } else {
                    tracing::error!("the engine has ended without being told to");
                    let quit = self.key(&Action::Quit);
                    self.state.shared.complain(format!(
                        "the engine has broken down; the log may say why; {quit} leaves"
                    ));
                }
                self.now();
            }
            return;
        };
        // Answers are waited for; what happens by itself may be a lot.
        let answer = matches!(
            event,
            Event::Refused { .. }
                | Event::Notice { .. }
                | Event::Did { .. }
                | Event::Peers { .. }
                | Event::Directory { .. }
        );
        let snapshot = self.snapshot();
        // The engine's events ask for nothing.
        let _ = update(&mut self.state, &snapshot, Action::Engine(event));
        if answer { self.now() } else { self.soon() }
    }

    /// The key of an action, to be named in what is said.
    fn key(&self, action: &Action) -> String {
        let shared = &self.state.shared;
        shared.key(shared.page, action)
    }

    fn snapshot(&self) -> Arc<Snapshot> {
        self.link.snapshots.borrow().clone()
    }

    /// Whether the terminal takes it nobody can know.
    fn copy(&mut self, text: &str) {
        let Some(screen) = &mut self.screen else {
            return;
        };
        let shared = &mut self.state.shared;
        if text.len() > clipboard::MOST {
            let size = units::size(text.len() as u64);
            let reading = Scope::Dialog(Kind::Reading);
            let key = shared.keys().key(reading, &Action::Submit);
            return shared.complain(format!(
                "{size} are too much for a clipboard: {key} writes a file"
            ));
        }
        let Some(sequence) = screen.clipboard.copy(text) else {
            return shared.complain("this terminal is not known to take text for a clipboard");
        };
        screen.copied = sequence;
        let lines = columns::count(text.lines().count(), "line");
        shared.say(format!("copied {lines}, if the terminal allows that"));
    }

    async fn act(&mut self, action: Action) {
        let snapshot = self.snapshot();
        let effect = update(&mut self.state, &snapshot, action);
        self.now();
        match effect {
            None => {}
            Some(Effect::Redraw) => self.redraw(),
            Some(Effect::Suspend) => self.suspend().await,
            Some(Effect::Keep(groups)) => self.work.add(Job::Keep(groups)),
            Some(Effect::ReadHistory) => self.work.add(Job::ReadHistory),
            Some(Effect::OpenRun { run, columns }) => {
                self.work.add(Job::OpenRun { run, columns });
            }
            Some(Effect::Copy(text)) => self.copy(&text),
            Some(Effect::Report { run, format, file }) => {
                self.work.add(Job::Report { run, format, file });
            }
            Some(Effect::Write { file, text }) => self.work.add(Job::Write { file, text }),
            // Nothing is begun on the way out.
            Some(Effect::Send(_) | Effect::Quit { .. }) if self.leaving.is_some() => {}
            Some(Effect::Send(commands)) => self.work.send(commands),
            Some(Effect::Quit { cancel }) => self.leave(cancel),
        }
    }
}

#[cfg(test)]
mod tests;
