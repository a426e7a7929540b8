//! From the log to the console's log page: events become tui-logger's lines.
//!
//! tui-logger's own layer shows events that came through the `log` crate, the FTP client's, under
//! the target `log` with their true one among the fields, and shows control characters as they are.

use std::fmt::{Debug, Write};

use tracing::field::{Field, Visit};
use tracing::{Event, Level, Subscriber};
use tracing_subscriber::Layer;
use tracing_subscriber::layer::Context;

use crate::model::text::push_shown;

pub(super) struct Page;

impl<S: Subscriber> Layer<S> for Page {
    fn on_event(&self, event: &Event<'_>, _: Context<'_, S>) {
        let mut line = Line::default();
        event.record(&mut line);
        let mut text = String::new();
        for c in line.message.trim_end().chars().chain(line.fields.chars()) {
            push_shown(&mut text, c);
        }
        let level = match *event.metadata().level() {
            Level::ERROR => log::Level::Error,
            Level::WARN => log::Level::Warn,
            Level::INFO => log::Level::Info,
            Level::DEBUG => log::Level::Debug,
            Level::TRACE => log::Level::Trace,
        };
        let target = line.target.as_deref();
        // Past tui-logger's own filter: what gets here was chosen already.
        tui_logger::Drain.log(
            &log::Record::builder()
                .args(format_args!("{text}"))
                .level(level)
                .target(target.unwrap_or(event.metadata().target()))
                .build(),
        );
    }
}

/// The parts of an event.
#[derive(Debug, Default)]
struct Line {
    message: String,
    /// ` name=value` each.
    fields: String,
    /// Of an event that came through the `log` crate.
    target: Option<String>,
}

impl Visit for Line {
    fn record_str(&mut self, field: &Field, value: &str) {
        match field.name() {
            "log.target" => self.target = Some(value.to_owned()),
            "message" => self.message.push_str(value),
            name if name.starts_with("log.") => {}
            // A string can be written to without end.
            name => drop(write!(self.fields, " {name}={value}")),
        }
    }

    fn record_debug(&mut self, field: &Field, value: &dyn Debug) {
        self.record_str(field, &format!("{value:?}"));
    }
}
