//! Log lines on their way to the screen.
//!
//! A layer of the log keeps the newest lines until the console's loop takes them; the log file has
//! all of them. tui-logger's widget can't hide the lines of other entities (a formatter that gives
//! no line back makes it count below zero), and its one global store can't be tested page by page.

use std::collections::VecDeque;
use std::fmt;
use std::sync::{Arc, LazyLock, Mutex, PoisonError};

use jiff::Timestamp;
use tracing::field::{Field, Visit};
use tracing::{Event, Level, Subscriber};
use tracing_subscriber::Layer;
use tracing_subscriber::layer::Context;

use crate::model::text::push_shown;

/// So many lines wait for the console at most; it takes them a few times a second.
const WAITING: usize = 2000;
/// One line is cut here: a reply of a broken server may be very long.
const LONGEST: usize = 2000;

/// One entry of the log. The text is escaped already.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct LogLine {
    pub at: Timestamp,
    pub level: Level,
    pub target: String,
    pub text: String,
}

/// Where the log leaves its lines for the console. Cheap to clone; one clone is a layer of the
/// `tracing` subscriber, another is with the console's loop.
#[derive(Debug, Clone, Default)]
pub struct LogLines(Arc<Mutex<Inbox>>);

#[derive(Debug, Default)]
struct Inbox {
    lines: VecDeque<LogLine>,
    lost: usize,
}

/// There is one log a process, and one console at most.
static OF_PROCESS: LazyLock<LogLines> = LazyLock::new(LogLines::default);

impl LogLines {
    /// Those of this process's log: for the subscriber, and for the console's loop.
    pub fn of_process() -> Self {
        OF_PROCESS.clone()
    }

    /// What came since the last time; a line tells how many were lost, if any were.
    pub fn take(&self) -> Vec<LogLine> {
        let mut inbox = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        let lost = std::mem::take(&mut inbox.lost);
        let mut lines = Vec::with_capacity(inbox.lines.len() + 1);
        if lost > 0 {
            lines.push(LogLine {
                at: inbox
                    .lines
                    .front()
                    .map_or_else(Timestamp::now, |line| line.at),
                level: Level::WARN,
                target: module_path!().into(),
                text: format!("{lost} lines came too fast to be shown; the log file has them"),
            });
        }
        lines.extend(inbox.lines.drain(..));
        lines
    }

    fn push(&self, line: LogLine) {
        let mut inbox = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        if inbox.lines.len() == WAITING {
            inbox.lines.pop_front();
            inbox.lost += 1;
        }
        inbox.lines.push_back(line);
    }
}

impl<S: Subscriber> Layer<S> for LogLines {
    fn on_event(&self, event: &Event<'_>, _context: Context<'_, S>) {
        let mut text = Text::default();
        event.record(&mut text);
        let metadata = event.metadata();
        self.push(LogLine {
            at: Timestamp::now(),
            level: *metadata.level(),
            target: std::mem::take(&mut text.target)
                .unwrap_or_else(|| metadata.target().to_owned()),
            text: text.finish(),
        });
    }
}

/// The message, and behind it the fields.
#[derive(Default)]
struct Text {
    message: String,
    fields: String,
    /// The true target of an event that came through the `log` crate, the FTP client's for one.
    target: Option<String>,
}

impl Text {
    fn finish(self) -> String {
        let mut out = String::new();
        let text = self.message.trim_end().chars().chain(self.fields.chars());
        for (count, c) in text.enumerate() {
            if count == LONGEST {
                out.push_str("...");
                break;
            }
            push_shown(&mut out, c);
        }
        out
    }
}

impl Visit for Text {
    fn record_debug(&mut self, field: &Field, value: &dyn fmt::Debug) {
        self.record_str(field, &format!("{value:?}"));
    }

    fn record_str(&mut self, field: &Field, value: &str) {
        match field.name() {
            "message" => self.message.push_str(value),
            "log.target" => self.target = Some(value.to_owned()),
            name if name.starts_with("log.") => {}
            name => {
                self.fields.push(' ');
                self.fields.push_str(name);
                self.fields.push('=');
                self.fields.push_str(value);
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use tracing_subscriber::layer::SubscriberExt;

    use super::*;

    #[test]
    fn lines_come_with_their_fields_escaped_and_only_once() {
        let lines = LogLines::default();
        let subscriber = tracing_subscriber::registry().with(lines.clone());
        tracing::subscriber::with_default(subscriber, || {
            tracing::warn!(target: "subtend::agent", entity = %"shelf1-01", "said \u{1b}[31m{}", 552);
            // As events of the `log` crate come.
            tracing::info!(target: "log", { log.target = "suppaftp", log.line = 7 }, "it informs");
        });
        let taken = lines.take();
        assert_eq!(taken.len(), 2);
        assert_eq!(
            (&*taken[1].target, &*taken[1].text),
            ("suppaftp", "it informs")
        );
        assert_eq!(
            (taken[0].level, &*taken[0].target),
            (Level::WARN, "subtend::agent")
        );
        assert_eq!(taken[0].text, "said \\u{1b}[31m552 entity=shelf1-01");
        assert!(lines.take().is_empty());
    }

    #[test]
    fn a_flood_is_cut_and_counted() {
        let lines = LogLines::default();
        let subscriber = tracing_subscriber::registry().with(lines.clone());
        tracing::subscriber::with_default(subscriber, || {
            for number in 0..WAITING + 7 {
                tracing::info!("{number}");
            }
        });
        let taken = lines.take();
        assert_eq!(taken.len(), WAITING + 1);
        assert!(taken[0].text.starts_with("7 lines"));
        assert_eq!(taken[WAITING].text, (WAITING + 6).to_string());
    }
}
