//! The engine as a process of its own, and how it is started and found by the others.

use std::collections::BTreeSet;
use std::fs::{File, OpenOptions};
use std::io::{self, Read, Write};
use std::path::{Path, PathBuf};
use std::process::{Child, Command as Process, Stdio};
use std::sync::Arc;
use std::time::Duration;

use nix::unistd::{User, dup2_stdout, getuid, setsid, ttyname};
use tokio::time::sleep;

use super::log_file::LogFile;
use super::services::{Engine, Services};
use super::signals::without_terminal;
use super::state_dir::StateDir;
use super::take_up::{Then, take_up};
use super::{Failed, state_dir};
use crate::headless;
use crate::inventory;
use crate::model::{Login, Logins, SecretSource};
use crate::remote::{self, About, Claimed, Connection, Place, RemoteError, Wants};

/// What a new engine says on its standard output, which it gives up then.
const READY: &str = "ready\n";
/// An engine may be ending just when one comes; then another one is started.
const TRIES: usize = 5;

/// Where the engine of a state directory is reached.
///
/// # Errors
/// There is no place for it.
pub(super) fn endpoint(state_dir: &StateDir) -> Result<Place, Failed> {
    let state_dir = state_dir.as_ref().map_err(|no_home| *no_home)?;
    let runtime = std::env::var_os("XDG_RUNTIME_DIR").map(PathBuf::from);
    Ok(Place::of(state_dir, runtime.as_deref())?)
}

/// A connection to the engine of a state directory; `None` where none runs.
///
/// # Errors
/// It does not answer, or is of another version.
pub(super) async fn connect(
    state_dir: &StateDir,
    wants: Wants,
) -> Result<Option<Connection>, Failed> {
    let endpoint = endpoint(state_dir)?;
    Ok(Connection::open(&endpoint, wants, &who()).await?)
}

/// The user, for operators who watch the same engine.
fn who() -> String {
    let uid = getuid();
    let mut who = match User::from_uid(uid) {
        Ok(Some(user)) => user.name,
        _ => format!("user {uid}"),
    };
    if let Ok(tty) = ttyname(io::stdin()) {
        let tty = tty.strip_prefix("/dev").unwrap_or(&tty);
        who.push_str(&format!(" on {}", tty.display()));
    } else {
        who.push_str(&format!(" (process {})", std::process::id()));
    }
    let ssh = std::env::var("SSH_CONNECTION").unwrap_or_default();
    if let Some(from) = ssh.split_whitespace().next() {
        who.push_str(&format!(" from {from}"));
    }
    who
}

/// The same file under one name, from whichever folder it was named.
pub(super) fn known_as(file: &Path) -> PathBuf {
    std::fs::canonicalize(file)
        .or_else(|_| std::path::absolute(file))
        .unwrap_or_else(|_| file.to_owned())
}

/// What an engine is started with.
#[derive(Debug)]
pub(super) struct Start<'a> {
    /// As [`known_as`] names it.
    pub(super) inventory: &'a Path,
    /// What stands in it.
    pub(super) text: &'a str,
    /// Variables that hold passwords, which the engine gets over its socket.
    pub(super) secret: Vec<&'a str>,
    pub(super) state_dir: &'a Path,
    pub(super) verbose: u8,
}

/// A connection to the engine on an inventory.
#[derive(Debug)]
pub(super) struct Found {
    pub(super) connection: Connection,
    /// It was running already.
    pub(super) running: bool,
    /// The inventory file is not what the engine has read.
    pub(super) changed: bool,
}

impl Start<'_> {
    /// Connects to the engine, which is started if there is none. One that has read something
    /// else, and has nothing to do, makes room for a new one.
    ///
    /// # Errors
    /// It runs on another inventory, or can't be started.
    pub(super) async fn connect(&self, endpoint: &Place, wants: Wants) -> Result<Found, Failed> {
        let mut running = true;
        for _ in 0..TRIES {
            let Some(mut connection) = Connection::open(endpoint, wants, &who()).await? else {
                running = false;
                self.spawn().await?;
                continue;
            };
            let welcome = &connection.welcome;
            let same_file = welcome.inventory == self.inventory;
            let changed = welcome.text != self.text;
            if same_file && !changed {
                return Ok(Found {
                    connection,
                    running,
                    changed,
                });
            }
            let (alone, stays) = (welcome.others == 0, welcome.stays);
            let busy = match connection.snapshot().await {
                Ok(snapshot) => snapshot.is_busy(),
                Err(RemoteError::Ended) => continue,
                Err(error) => return Err(error.into()),
            };
            if alone && !busy && !stays {
                end(&mut connection, false).await?;
                continue;
            }
            if same_file {
                // What was read of the connection is returned again to the next one.
                if let Some(connection) = Connection::open(endpoint, wants, &who()).await? {
                    return Ok(Found {
                        connection,
                        running,
                        changed,
                    });
                }
                continue;
            }
            return Err(Failed::usage(format!(
                "an engine (process {}) runs for this state directory on another inventory, {}; \
                 `subtend attach` shows it, `subtend stop` ends it, and --state-dir gives this \
                 inventory an engine of its own",
                connection.welcome.process,
                connection.welcome.inventory.display()
            )));
        }
        Err(Failed::other(
            "the engine ends again and again as soon as it was started; its log may say why",
        ))
    }

    /// Starts an engine, and waits until it listens.
    async fn spawn(&self) -> Result<(), Failed> {
        let program = std::env::current_exe()?;
        let mut command = Process::new(program);
        command
            .arg("engine")
            .arg("--inventory")
            .arg(self.inventory)
            .arg("--state-dir")
            .arg(std::path::absolute(self.state_dir)?)
            .args((0..self.verbose).map(|_| "-v"))
            .stdin(Stdio::null())
            .stdout(Stdio::piped())
            .stderr(log_or_nothing(self.state_dir)?)
            .current_dir("/");
        for variable in &self.secret {
            command.env_remove(variable);
        }
        let child = command
            .spawn()
            .map_err(|error| Failed::other(format!("the engine can't be started: {error}")))?;
        let said = tokio::task::spawn_blocking(move || listen(child)).await??;
        match said.trim() {
            _ if said == READY => Ok(()),
            "" => Err(Failed::other(format!(
                "the engine did not start; see {}",
                LogFile::path(self.state_dir).display()
            ))),
            reason => Err(Failed::other(format!("the engine did not start: {reason}"))),
        }
    }
}

/// What it says until it gives its standard output up.
fn listen(mut child: Child) -> io::Result<String> {
    let mut said = String::new();
    if let Some(mut stdout) = child.stdout.take() {
        stdout.read_to_string(&mut said)?;
    }
    if said != READY {
        // It ends; the process that started it takes note.
        let _ = child.wait();
    }
    Ok(said)
}

fn log_or_nothing(state_dir: &Path) -> io::Result<Stdio> {
    Ok(match log(state_dir) {
        Ok(file) => file.into(),
        Err(_) => Stdio::null(),
    })
}

fn log(state_dir: &Path) -> io::Result<File> {
    let mut options = OpenOptions::new();
    state_dir::create(state_dir)?;
    state_dir::open(options.append(true).create(true), &LogFile::path(state_dir))
}

/// Ends an engine and waits for that.
///
/// # Errors
/// It has not ended.
pub(super) async fn end(connection: &mut Connection, cancel: bool) -> Result<(), RemoteError> {
    connection.stop(cancel).await?;
    loop {
        match connection.next().await {
            Ok(_) => {}
            Err(RemoteError::Ended) => return Ok(()),
            Err(error) => return Err(error),
        }
    }
}

/// `subtend engine`: the process itself. Says on standard output when it listens, or why it does
/// not, and ends when nobody needs it any more.
///
/// # Errors
/// When it did not start.
pub(super) async fn engine(
    file: &Path,
    state_dir: StateDir,
    services: &impl Services,
) -> Result<u8, Failed> {
    // It is the leader already when it is started by hand; then it stays in that session.
    let _ = setsid();
    let begun = begin(file, &state_dir, services, Stays::No).await;
    let mut out = io::stdout();
    let said = match &begun {
        Ok(_) => READY.to_owned(),
        Err(failed) => format!("{failed}\n"),
    };
    let _ = out.write_all(said.as_bytes()).and_then(|()| out.flush());
    let (Engine { mut link, task }, mut claimed, about) = begun?;
    // The process that waits for the first words sees their end.
    let instead = match &state_dir {
        Ok(state_dir) => log(state_dir),
        Err(no_home) => Err(io::Error::other(*no_home)),
    };
    let instead = instead.or_else(|_| OpenOptions::new().write(true).open("/dev/null"));
    if let Ok(instead) = instead {
        let _ = dup2_stdout(instead);
    }
    tracing::info!(
        "subtend {}: the engine runs on {}",
        env!("CARGO_PKG_VERSION"),
        about.inventory.display()
    );
    let mut signals = without_terminal()?;
    if let Ok(state_dir) = &state_dir {
        take_up(&mut link, state_dir, &about.inventory, Then::Pauses).await;
    }
    if !remote::serve(link, &mut claimed, about, &mut signals.stop).await {
        tracing::warn!("a second signal: ends at once");
        return Ok(headless::CANCELLED);
    }
    if let Err(error) = task.await {
        tracing::error!("the engine broke down: {error}");
    }
    tracing::info!("the engine has ended");
    Ok(headless::OK)
}

/// Whether an engine ends when nobody is there and nothing runs.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Stays {
    No,
    /// And looks up secrets itself: no client need come.
    Yes,
}

/// Starts an engine, and takes its place.
///
/// # Errors
/// The inventory is wrong, or there is an engine already.
pub(super) async fn begin(
    file: &Path,
    state_dir: &StateDir,
    services: &impl Services,
    stays: Stays,
) -> Result<(Engine, Claimed, About), Failed> {
    let file = known_as(file);
    let endpoint = endpoint(state_dir)?;
    let text = inventory::read_text(&file)?;
    let inventory = inventory::parse(&text, &file)?;
    let claimed = endpoint.claim()?;
    let mut logins = Logins::default();
    let mut known = BTreeSet::new();
    let all = &inventory.credentials;
    if stays == Stays::Yes {
        let wrong;
        (logins, wrong) = services.look_up(all, all).await;
        for why in wrong.values() {
            // A client may bring it.
            tracing::warn!("{why}");
        }
        let has = all.iter().filter(|one| logins.contains(&one.name));
        known.extend(has.map(|one| one.name.to_string()));
    }
    // The others come from clients that connect, and know them. Nothing is read for these.
    for empty in all.iter().filter(|one| one.secret == SecretSource::Empty) {
        logins.insert(empty.name.clone(), Login::of(empty, "".into()));
    }
    let about = About {
        inventory: file,
        text,
        logins: known,
        stays: stays == Stays::Yes,
    };
    Ok((services.engine(Arc::new(inventory), logins), claimed, about))
}

/// Waits until an engine has given its endpoint up.
pub(super) async fn gone(endpoint: &Place) {
    while endpoint.lock.exists() {
        sleep(Duration::from_millis(20)).await;
    }
}
