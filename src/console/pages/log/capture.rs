//! From `tracing` to tui-logger: a layer that makes a `log::Record` of each event.
//!
//! The target of a record is the entity or the group that it is about (`adsl/shelf1-07`, `adsl`), as
//! the spans say that the event happened in, or its own fields; else the module. tui-logger keeps the
//! newest records for the log page: a view. The log file has all of them.

use std::collections::VecDeque;
use std::fmt;
use std::sync::{Mutex, MutexGuard, PoisonError};

use log::{Level, LevelFilter, Record};
use tracing::field::{Field, Visit};
use tracing::span::{Attributes, Id};
use tracing::{Event, Subscriber};
use tracing_subscriber::Layer;
use tracing_subscriber::layer::Context;
use tracing_subscriber::registry::LookupSpan;

use crate::model::text::push_shown;

/// Maximum number of records that tui-logger keeps and that can be paged through.
pub(super) const KEPT: usize = 5000;
/// Maximum number of records that wait for the console, which takes them once a second or sooner.
/// tui-logger's own default: of more, it keeps the newest and says how many were lost.
const WAITING: usize = 1000;
/// One text is cut here: a reply of a broken server may be very long.
const LONGEST: usize = 2000;
/// The target under which tui-logger 0.18 says how many were lost.
const LOSSES: &str = "TuiLogger";

/// The layer. tui-logger has one store for the process, and so there is one of these.
#[derive(Debug, Clone, Copy)]
pub struct LogCapture(());

/// What came since it was last asked, oldest first.
#[derive(Debug, PartialEq, Eq)]
pub(crate) struct News {
    pub(super) records: VecDeque<(String, Level)>,
    /// The number of the last record, counted from the beginning.
    pub(super) newest: u32,
    are_lost: bool,
}

static NEWS: Mutex<News> = Mutex::new(News {
    records: VecDeque::new(),
    newest: 0,
    are_lost: false,
});

fn news() -> MutexGuard<'static, News> {
    NEWS.lock().unwrap_or_else(PoisonError::into_inner)
}

impl LogCapture {
    /// Begins with an empty store. Its levels are those of the page: what comes here is kept.
    pub fn start() -> Self {
        tui_logger::set_buffer_depth(KEPT);
        tui_logger::set_default_level(LevelFilter::Trace);
        Self(())
    }

    /// Lets tui-logger's widgets see what came. Nothing else moves records, so that what the page
    /// knows and what is drawn is the same.
    pub(crate) fn take() -> News {
        let mut news = news();
        tui_logger::move_events();
        let are_lost = std::mem::take(&mut news.are_lost);
        if are_lost {
            news.newest = news.newest.saturating_add(1);
            news.records.push_front((LOSSES.to_owned(), Level::Warn));
            #[cfg(test)]
            tests::know(LOSSES);
        }
        News {
            records: std::mem::take(&mut news.records),
            newest: news.newest,
            are_lost,
        }
    }
}

/// Numbered under the lock, so that the order of the numbers is the order of the records. The number
/// goes where tui-logger has the line of the source file, which nobody is shown.
pub(super) fn push(target: &str, level: Level, text: &str) {
    let mut news = news();
    if news.records.len() == WAITING {
        news.records.pop_front();
        news.are_lost = true;
    }
    #[cfg(test)]
    tests::know(target);
    news.newest = news.newest.saturating_add(1);
    news.records.push_back((target.to_owned(), level));
    tui_logger::Drain::new().log(
        &Record::builder()
            .args(format_args!("{text}"))
            .level(level)
            .target(target)
            .line(Some(news.newest))
            .build(),
    );
}

/// What a span or an event is about.
#[derive(Debug, Clone, Default)]
struct Who {
    group: Option<String>,
    entity: Option<String>,
    /// The target says nothing of it, so the text does.
    pass: Option<String>,
}

impl Who {
    fn or(self, outer: &Self) -> Self {
        Self {
            group: self.group.or_else(|| outer.group.clone()),
            entity: self.entity.or_else(|| outer.entity.clone()),
            pass: self.pass.or_else(|| outer.pass.clone()),
        }
    }

    fn target(self) -> Option<String> {
        match (self.group, self.entity) {
            (Some(group), Some(entity)) => Some(format!("{group}/{entity}")),
            (one, other) => one.or(other),
        }
    }
}

impl<S: Subscriber + for<'a> LookupSpan<'a>> Layer<S> for LogCapture {
    fn on_new_span(&self, attributes: &Attributes<'_>, id: &Id, context: Context<'_, S>) {
        let kind = attributes.metadata().name();
        if !["group", "entity", "pass"].contains(&kind) {
            return;
        }
        let mut fields = Fields::default();
        attributes.record(&mut fields);
        let name = fields.name.map(|name| cut(&name));
        let mut who = Who::default();
        match kind {
            "group" => who.group = name,
            "entity" => who.entity = name,
            _ => who.pass = name,
        }
        if let Some(span) = context.span(id) {
            span.extensions_mut().insert(who);
        }
    }

    fn on_event(&self, event: &Event<'_>, context: Context<'_, S>) {
        let mut fields = Fields::default();
        event.record(&mut fields);
        let mut who = std::mem::take(&mut fields.who);
        for span in context.event_scope(event).into_iter().flatten() {
            if let Some(outer) = span.extensions().get::<Who>() {
                who = who.or(outer);
            }
        }
        let text = match who.pass.take() {
            Some(pass) => format!("pass {pass}: {}", fields.text()),
            None => fields.text(),
        };
        let metadata = event.metadata();
        let target = (who.target())
            .or(fields.target)
            .unwrap_or_else(|| metadata.target().to_owned());
        let level = match *metadata.level() {
            tracing::Level::ERROR => Level::Error,
            tracing::Level::WARN => Level::Warn,
            tracing::Level::INFO => Level::Info,
            tracing::Level::DEBUG => Level::Debug,
            tracing::Level::TRACE => Level::Trace,
        };
        push(&target, level, &text);
    }
}

/// The message of an event, and behind it the fields; or the name or number that a span has.
#[derive(Default)]
struct Fields {
    message: String,
    others: String,
    name: Option<String>,
    who: Who,
    /// The true target of an event that came through the `log` crate, the FTP client's for one.
    target: Option<String>,
}

impl Fields {
    fn text(&self) -> String {
        cut(&format!("{}{}", self.message.trim_end(), self.others))
    }
}

/// Escaped, and cut.
fn cut(text: &str) -> String {
    let mut out = String::new();
    for (count, c) in text.chars().enumerate() {
        if count == LONGEST {
            out.push_str("...");
            break;
        }
        push_shown(&mut out, c);
    }
    out
}

impl Visit for Fields {
    fn record_debug(&mut self, field: &Field, value: &dyn fmt::Debug) {
        self.record_str(field, &format!("{value:?}"));
    }

    fn record_str(&mut self, field: &Field, value: &str) {
        match field.name() {
            "message" => self.message.push_str(value),
            "group" => self.who.group = Some(cut(value)),
            "entity" => self.who.entity = Some(cut(value)),
            "log.target" => self.target = Some(value.to_owned()),
            name if name.starts_with("log.") => {}
            name => {
                if ["name", "number"].contains(&name) {
                    self.name = Some(value.to_owned());
                }
                for part in [" ", name, "=", value] {
                    self.others.push_str(part);
                }
            }
        }
    }
}

#[cfg(test)]
static ALONE: Mutex<()> = Mutex::new(());

/// Keeps a test of something else from taking the records of one that logs; `None` while there is one.
#[cfg(test)]
pub(crate) fn nobody_logs() -> Option<MutexGuard<'static, ()>> {
    ALONE.try_lock().ok()
}

/// Tests that log to tui-logger's one store come one after the other, each with an empty one.
#[cfg(test)]
pub(crate) fn alone() -> MutexGuard<'static, ()> {
    let guard = ALONE.lock().unwrap_or_else(PoisonError::into_inner);
    LogCapture::take();
    LogCapture::start();
    guard
}

#[cfg(test)]
pub(super) mod tests {
    use std::collections::BTreeSet;

    use tracing_subscriber::layer::SubscriberExt;

    use super::super::lines;
    use super::*;

    /// What tui-logger's selector lists: it forgets no target of this process, whichever test it was of.
    pub(crate) static KNOWN: Mutex<BTreeSet<String>> = Mutex::new(BTreeSet::new());

    pub(super) fn know(target: &str) {
        let mut known = KNOWN.lock().unwrap_or_else(PoisonError::into_inner);
        known.insert(target.to_owned());
    }

    fn captured(log: impl FnOnce()) -> (Vec<(String, Level)>, String) {
        let _alone = alone();
        let subscriber = tracing_subscriber::registry().with(LogCapture::start());
        tracing::subscriber::with_default(subscriber, log);
        let news = LogCapture::take();
        assert!(LogCapture::take().records.is_empty());
        (news.records.into(), lines::tests::all())
    }

    fn pair(target: &str, level: Level) -> (String, Level) {
        (target.to_owned(), level)
    }

    #[test]
    fn records_have_their_fields_escaped_and_come_only_once() {
        let (records, shown) = captured(|| {
            tracing::warn!(target: "subtend::agent", name = "a", number = 7, "said \u{1b}[31m{}", 552);
            // As events of the `log` crate come.
            tracing::info!(target: "log", { log.target = "suppaftp", log.line = 7 }, "it informs");
            tracing::error!("{}", "x".repeat(LONGEST + 7));
        });
        assert_eq!(records[0], pair("subtend::agent", Level::Warn));
        assert_eq!(records[1], pair("suppaftp", Level::Info));
        let warning = "WARN agent: said \\u{1b}[31m552 name=a number=7\n";
        assert!(shown.contains(warning), "{shown}");
        assert!(shown.contains("INFO suppaftp: it informs\n"), "{shown}");
        let rest = &shown[shown.find("ERROR").unwrap()..];
        assert!(
            rest.ends_with("x...\n") && rest.matches('x').count() == LONGEST,
            "{rest}"
        );
    }

    #[test]
    fn the_target_is_the_entity_or_the_group_that_spans_or_fields_name() {
        let (records, shown) = captured(|| {
            let group = tracing::error_span!("group", name = "adsl");
            group.in_scope(|| {
                tracing::info!("of the group");
                tracing::error_span!("entity", name = %"shelf1-07").in_scope(|| {
                    tracing::error_span!("pass", number = 2).in_scope(|| {
                        tracing::info!(target: "suppaftp", "of the entity");
                    });
                });
                tracing::info!(entity = "shelf1-\u{7}", "by a field");
            });
            tracing::info!(target: "subtend", "of nobody");
        });
        let targets: Vec<&str> = records.iter().map(|(target, _)| &**target).collect();
        assert_eq!(
            targets,
            ["adsl", "adsl/shelf1-07", "adsl/shelf1-\\u{7}", "subtend"]
        );
        let line = "INFO adsl/shelf1-07: pass 2: of the entity\n";
        assert!(shown.contains(line), "{shown}");
    }

    #[test]
    fn of_a_flood_the_newest_are_kept_and_the_loss_is_said() {
        let (records, shown) = captured(|| {
            for number in 0..WAITING + 7 {
                tracing::info!("number {number}.");
            }
        });
        assert_eq!(records.len(), WAITING + 1);
        assert_eq!(records[0], pair(LOSSES, Level::Warn));
        assert!(shown.contains("7 events lost"), "{shown}");
        assert!(
            !shown.contains("number 6.") && shown.contains("number 7."),
            "{shown}"
        );
        let last = format!("number {}.\n", WAITING + 6);
        assert!(shown.ends_with(&last), "{shown}");
    }
}
