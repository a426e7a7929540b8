//! The log, never with a secret in it: on standard error, or under the console, whose screen that
//! would tear, to a file and to the log page.

use std::io::{self, IsTerminal, Write};
use std::path::PathBuf;

use tracing::{Level, Metadata, Subscriber};
use tracing_subscriber::filter::{EnvFilter, FilterFn, filter_fn};
use tracing_subscriber::fmt::MakeWriter;
use tracing_subscriber::layer::SubscriberExt;
use tracing_subscriber::registry::LookupSpan;
use tracing_subscriber::util::{SubscriberInitExt, TryInitError};
use tracing_subscriber::{Layer, Registry};

use super::log_file::{LogFile, LogFileError};
use super::state_dir::StateDir;
use crate::console::LogCapture;
use crate::headless::Board;

/// Filters finer than `-v`, in the syntax of `tracing_subscriber::EnvFilter`.
pub const VARIABLE: &str = "SUBTEND_LOG";

/// Starts the log.
///
/// # Errors
/// When a log was started before.
pub fn start(verbose: u8, filter: Option<&str>, board: Board) -> Result<(), TryInitError> {
    let colour = io::stderr().is_terminal() && std::env::var_os("NO_COLOR").is_none();
    subscriber(verbose, filter, Stderr { board }, colour).try_init()
}

fn subscriber<W>(verbose: u8, filter: Option<&str>, writer: W, colour: bool) -> impl Subscriber
where
    W: for<'a> MakeWriter<'a> + Send + Sync + 'static,
{
    // What becomes of entities and groups is printed by the run itself. A lab's library of SFTP warns of each client
    // that leaves while it is answered.
    let level = match verbose {
        0 => "warn,russh_sftp=off,subtend::entity=off,subtend::group=off",
        1 => "subtend=info,warn,russh_sftp=off,subtend::entity=off,subtend::group=off",
        2 => "subtend=debug,info",
        _ => "trace",
    };
    let filter = chosen(filter, level);
    let lines = tracing_subscriber::fmt::layer()
        .with_ansi(colour)
        .with_writer(writer);
    // The cap is a layer of its own: no filter can let through what it stops.
    tracing_subscriber::registry()
        .with(no_secrets())
        .with(filter)
        .with(lines)
}

/// A filter that can't be read must not silence the log.
fn chosen(filter: Option<&str>, otherwise: &str) -> EnvFilter {
    filter
        .filter(|text| !text.trim().is_empty())
        .and_then(|text| EnvFilter::try_new(text).ok())
        .unwrap_or_else(|| EnvFilter::new(otherwise))
}

/// Starts the log of a console: to the log page, and to a file in the state directory. Returns that
/// file; why there is none is shown on the log page.
///
/// # Errors
/// When a log was started before.
pub fn start_for_console(
    verbose: u8,
    filter: Option<&str>,
    state_dir: StateDir,
) -> Result<Option<PathBuf>, TryInitError> {
    let (file, path, failed) = match log_file(state_dir) {
        Ok((file, path)) => (Some(file), Some(path), None),
        Err(error) => (None, None, Some(error)),
    };
    console_subscriber(verbose, filter, file).try_init()?;
    if let Some(error) = failed {
        tracing::warn!("{error}");
    }
    Ok(path)
}

fn log_file(state_dir: StateDir) -> Result<(LogFile, PathBuf), LogFileError> {
    LogFile::open(&state_dir?)
}

/// Starts the log of an engine in a process of its own: to the file alone.
///
/// # Errors
/// When a log was started before.
pub fn start_for_engine(
    verbose: u8,
    filter: Option<&str>,
    state_dir: StateDir,
) -> Result<(), TryInitError> {
    let file = log_file(state_dir).ok();
    let file = file.map(|(writer, _)| lines(writer).with_filter(chosen(filter, in_file(verbose))));
    Registry::default().with(no_secrets()).with(file).try_init()
}

/// Starts the log of an engine in the foreground: to standard error, which its service manager keeps.
///
/// # Errors
/// When a log was started before.
pub fn start_for_service(verbose: u8, filter: Option<&str>) -> Result<(), TryInitError> {
    let written = lines(io::stderr).with_filter(chosen(filter, in_file(verbose)));
    Registry::default()
        .with(no_secrets())
        .with(written)
        .try_init()
}

/// Starts the log of a console whose engine is a process of its own, and has the file: to the log
/// page alone. Returns that file.
///
/// # Errors
/// When a log was started before.
pub fn start_for_client(
    verbose: u8,
    filter: Option<&str>,
    state_dir: StateDir,
) -> Result<Option<PathBuf>, TryInitError> {
    console_subscriber::<LogFile>(verbose, filter, None).try_init()?;
    Ok(state_dir.ok().map(|folder| LogFile::path(&folder)))
}

fn in_file(verbose: u8) -> &'static str {
    match verbose {
        0 => "subtend=info,warn,russh_sftp=off",
        1 => "subtend=debug,info",
        _ => "trace",
    }
}

/// The page gets more than the file: what is shown there is chosen while the console runs.
fn console_subscriber<W>(verbose: u8, filter: Option<&str>, file: Option<W>) -> impl Subscriber
where
    W: for<'a> MakeWriter<'a> + Send + Sync + 'static,
{
    let written = in_file(verbose);
    let shown = match verbose {
        0 | 1 => "subtend=debug,info",
        _ => "trace",
    };
    let page = LogCapture::start().with_filter(chosen(filter, shown));
    let file = file.map(|writer| lines(writer).with_filter(chosen(filter, written)));
    Registry::default().with(no_secrets()).with(page).with(file)
}

fn lines<S, W>(writer: W) -> impl Layer<S>
where
    S: Subscriber + for<'a> LookupSpan<'a>,
    W: for<'a> MakeWriter<'a> + Send + Sync + 'static,
{
    tracing_subscriber::fmt::layer()
        .with_ansi(false)
        .with_writer(writer)
}

/// At TRACE the FTP client logs each command as it is sent, the password of `PASS` included; at
/// DEBUG the replies to it. Neither is ever written, whatever the operator asks for.
fn no_secrets() -> FilterFn<impl Fn(&Metadata<'_>) -> bool> {
    filter_fn(|event| !event.target().starts_with("suppaftp") || *event.level() <= Level::INFO)
}

/// Standard error, or the screen that is drawn there.
#[derive(Debug, Clone)]
struct Stderr {
    board: Board,
}

impl<'a> MakeWriter<'a> for Stderr {
    type Writer = Entry;

    fn make_writer(&'a self) -> Entry {
        Entry {
            board: self.board.clone(),
            text: Vec::new(),
        }
    }
}

/// One entry of the log, written when it is complete.
struct Entry {
    board: Board,
    text: Vec<u8>,
}

impl Write for Entry {
    fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
        self.text.extend_from_slice(bytes);
        Ok(bytes.len())
    }

    fn flush(&mut self) -> io::Result<()> {
        Ok(())
    }
}

impl Drop for Entry {
    fn drop(&mut self) {
        if self.text.is_empty() {
            return;
        }
        if !self.board.say(&String::from_utf8_lossy(&self.text)) {
            // There is nobody left to report to that the log is gone.
            let _ = io::stderr().lock().write_all(&self.text);
        }
    }
}

#[cfg(test)]
mod tests {
    use std::sync::{Arc, Mutex};

    use super::*;
    use crate::agent::spans;

    #[derive(Clone, Default)]
    struct Captured(Arc<Mutex<Vec<u8>>>);

    impl Write for Captured {
        fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
            self.0.lock().unwrap().extend_from_slice(bytes);
            Ok(bytes.len())
        }

        fn flush(&mut self) -> io::Result<()> {
            Ok(())
        }
    }

    fn logged(verbose: u8, filter: Option<&str>) -> String {
        let captured = Captured::default();
        let writer = captured.clone();
        let subscriber = subscriber(verbose, filter, move || writer.clone(), false);
        written(subscriber, &captured)
    }

    /// What the console writes to its file.
    fn logged_by_console(verbose: u8, filter: Option<&str>) -> String {
        let captured = Captured::default();
        let writer = captured.clone();
        let subscriber = console_subscriber(verbose, filter, Some(move || writer.clone()));
        written(subscriber, &captured)
    }

    fn written(subscriber: impl Subscriber + Send + Sync, captured: &Captured) -> String {
        let _alone = crate::console::alone();
        tracing::subscriber::with_default(subscriber, || {
            tracing::trace!(target: "suppaftp::tokio_ftp", "PASS secret at trace");
            tracing::debug!(target: "suppaftp", "PASS secret at debug");
            tracing::info!(target: "suppaftp", "ftp informs");
            tracing::trace!(target: "subtend::agent", "agent traces");
            tracing::info!(target: "subtend::agent", "agent informs");
            tracing::warn!(target: "subtend::agent", "agent warns");
            let _group = spans::group("adsl").entered();
            let _entity = spans::entity("shelf1-01").entered();
            tracing::info!(target: "subtend::entity", "delivered");
            tracing::error!(target: "suppaftp", "ftp fails");
        });
        let bytes = captured.0.lock().unwrap().clone();
        String::from_utf8(bytes).unwrap()
    }

    #[test]
    fn no_filter_lets_a_password_through() {
        for filter in [
            None,
            Some("trace"),
            Some("suppaftp=trace"),
            Some("suppaftp::tokio_ftp=trace"),
        ] {
            for log in [logged(3, filter), logged_by_console(3, filter)] {
                assert!(!log.contains("secret"), "{filter:?}: {log}");
            }
        }
        let log = logged(0, Some("trace"));
        assert!(
            log.contains("ftp informs") && log.contains("agent traces"),
            "{log}"
        );
    }

    fn line(text: &str) -> String {
        format!("INFO group{{name=adsl}}:entity{{name=shelf1-01}}: subtend::entity: {text}\n")
    }

    #[test]
    fn entities_are_told_where_nothing_else_tells_them() {
        for (verbose, told) in [(0, false), (1, false), (2, true)] {
            let log = logged(verbose, None);
            assert_eq!(log.contains(&line("delivered")), told, "{log}");
            // What an entity's session says is about the entity, at any verbosity.
            let fails = "group{name=adsl}:entity{name=shelf1-01}: suppaftp: ftp fails\n";
            assert!(log.contains(fails), "{log}");
        }
        let log = logged_by_console(0, None);
        assert!(log.contains(&line("delivered")), "{log}");
        assert!(
            log.contains("agent informs") && !log.contains("agent traces"),
            "{log}"
        );
        assert!(!log.contains('\u{1b}'), "{log}");
        assert!(!logged_by_console(3, Some("error")).contains("agent warns"));
    }

    #[test]
    fn verbosity_and_the_variable_choose_what_is_logged() {
        let quiet = logged(0, None);
        assert!(
            quiet.contains("agent warns") && !quiet.contains("agent informs"),
            "{quiet}"
        );
        assert!(logged(1, None).contains("agent informs"));
        assert!(!logged(3, Some("error")).contains("agent warns"));
        assert!(logged(0, Some("not==a==filter")).contains("agent warns"));
    }
}
