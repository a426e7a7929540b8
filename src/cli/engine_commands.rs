//! `run --detach`, `status`, `cancel`, `stop`: short visits to an engine in a process of its own.

use std::collections::BTreeMap;
use std::io::{self, Write};
use std::path::{Path, PathBuf};
use std::time::Duration;

use jiff::tz::TimeZone;
use serde_json::{Value, json};
use tokio::time::timeout;

use super::args::{CancelArgs, RunArgs};
use super::ask::{AskError, Prompt, ask};
use super::attach::{login_commands, no_engine, secret_variables};
use super::engine::{self, Start};
use super::select::{Selection, select};
use super::services::Services;
use super::{CommandContext, Failed, print};
use crate::headless;
use crate::inventory;
use crate::journal::{CutOff, Journal};
use crate::model::text::{quoted, shown};
use crate::protocol::{Command, Event, GroupPhase, GroupSnapshot, Snapshot, Target};
use crate::remote::{Connection, Remote, RemoteError, Wants, Welcome};

/// An engine answers within this time.
const ANSWER: Duration = Duration::from_secs(20);
/// An engine that has said its last word gives its place up within this time.
const GONE: Duration = Duration::from_secs(10);

/// What `run --detach` is to start.
#[derive(Debug)]
pub(super) struct DetachedRun<'a> {
    pub(super) args: &'a RunArgs,
    pub(super) file: &'a Path,
    pub(super) state_dir: &'a Result<PathBuf, String>,
    pub(super) verbose: u8,
}

/// Starts a run in a process of its own, and returns once it is under way.
///
/// # Errors
/// When nothing was started.
pub(super) async fn run_detached(
    wish: DetachedRun<'_>,
    services: &impl Services,
    stage: CommandContext<'_, impl Prompt>,
) -> Result<u8, Failed> {
    let place = engine::place(wish.state_dir)?;
    let state_dir = wish.state_dir.as_ref().map_err(Failed::usage)?;
    let file = engine::known_as(wish.file);
    let wrong = |errors| Failed::usage(format!("the inventory is wrong\n\n{errors}"));
    // Named as it was typed in what is wrong with it.
    let text = inventory::read_text(wish.file).map_err(wrong)?;
    inventory::parse(&text, wish.file).map_err(wrong)?;
    let inventory = inventory::parse(&text, &file).map_err(wrong)?;
    let Selection { specs, credentials } = select(wish.args, &inventory).map_err(Failed::usage)?;
    let looked_up = services.logins(&credentials, &inventory.credentials).await;
    let mut logins = looked_up.map_err(Failed::usage)?;
    ask(&credentials, &mut logins, stage.prompt).map_err(|error| match error {
        AskError::Interrupted { .. } => Failed::new(headless::CANCELLED, error),
        _ => Failed::usage(error),
    })?;
    let start = Start {
        inventory: &file,
        text: &text,
        secret: secret_variables(&inventory),
        state_dir,
        verbose: wish.verbose,
    };
    let found = start.connect(&place, Wants::Errand).await?;
    let mut connection = found.connection;
    if found.changed {
        return Err(Failed::usage(format!(
            "the inventory file has changed since the engine (process {}) has read it; nothing was \
             started: wait until what runs has ended, or use another --state-dir",
            connection.welcome.process
        )));
    }
    for command in login_commands(&credentials, &logins) {
        connection.order(command).await.map_err(Failed::other)?;
    }
    let wanted: Vec<String> = specs.iter().map(|spec| spec.name().to_owned()).collect();
    let order = Command::Start {
        groups: specs,
        force: wish.args.force,
    };
    connection.order(order).await.map_err(Failed::other)?;
    let started = async {
        loop {
            match connection.next().await? {
                Remote::Event(event) => match *event {
                    Event::Run { run, groups, .. }
                        if groups.iter().map(|name| &**name).eq(&wanted) =>
                    {
                        return Ok(Ok(run));
                    }
                    Event::Refused { reason, .. } => return Ok(Err(reason)),
                    // Told before the run begins: that it is not recorded, among others.
                    Event::Notice { text, .. } => {
                        let _ = writeln!(
                            io::stderr(),
                            "subtend: note: {}",
                            headless::shown_whole(&text)
                        );
                    }
                    _ => {}
                },
                Remote::Snapshot(_) => {}
            }
        }
    };
    let started: Result<Result<String, String>, RemoteError> = timeout(ANSWER, started)
        .await
        .map_err(|_| Failed::other(RemoteError::Silent))?;
    let run = match started.map_err(Failed::other)? {
        Ok(run) => run,
        Err(reason) => return Err(Failed::usage(format!("refused: {}", shown(&reason)))),
    };
    let names: Vec<String> = wanted.iter().map(|name| shown(name)).collect();
    print(&format!(
        "run {}: {} started (process {}); `subtend attach` shows it, `subtend status` tells how it \
         stands, `subtend cancel --all` cancels it\n",
        shown(&run),
        names.join(", "),
        connection.welcome.process
    ));
    Ok(headless::OK)
}

/// A connect_once; `None` where no engine runs.
async fn connect_once(state_dir: &Result<PathBuf, String>) -> Result<Option<Connection>, Failed> {
    let place = engine::place(state_dir)?;
    let opened = Connection::open(&place, Wants::Errand, &engine::who()).await;
    opened.map_err(Failed::other)
}

/// Tells how the engine stands.
///
/// # Errors
/// It does not answer, or is of another version.
pub(super) async fn status(json: bool, state_dir: &Result<PathBuf, String>) -> Result<u8, Failed> {
    let Some(mut connection) = connect_once(state_dir).await? else {
        let cut_off = cut_off(state_dir);
        print(&match json {
            true => format!("{}\n", json!({ "engine": null, "cut_off": ids(&cut_off) })),
            false => {
                let mut text = "no engine runs\n".to_owned();
                for run in &cut_off {
                    text.push_str(&format!("{}\n", run.sentence()));
                }
                text
            }
        });
        return Ok(headless::OK);
    };
    let snapshot = timeout(ANSWER, connection.snapshot()).await;
    let snapshot = snapshot
        .map_err(|_| Failed::other(RemoteError::Silent))?
        .map_err(Failed::other)?;
    let welcome = &connection.welcome;
    print(&match json {
        true => format!("{}\n", as_json(welcome, &snapshot, &cut_off(state_dir))),
        false => as_text(welcome, &snapshot),
    });
    Ok(headless::OK)
}

/// Runs that were cut off; the journal may have none, or not be readable, which others report.
fn cut_off(state_dir: &Result<PathBuf, String>) -> Vec<CutOff> {
    let Ok(state_dir) = state_dir else {
        return Vec::new();
    };
    let journal = Journal::open(state_dir).ok().flatten();
    journal.map_or_else(Vec::new, |journal| journal.cut_off().unwrap_or_default())
}

fn ids(cut_off: &[CutOff]) -> Vec<&str> {
    cut_off.iter().map(|run| run.run.as_str()).collect()
}

fn phase(group: &GroupSnapshot) -> (&'static str, Option<String>) {
    match group.phase {
        GroupPhase::Starting => ("starting", None),
        GroupPhase::Transferring => ("transferring", None),
        GroupPhase::Draining => ("draining", None),
        GroupPhase::Ended(outcome) => ("ended", Some(outcome.to_string())),
    }
}

fn states(group: &GroupSnapshot) -> BTreeMap<&'static str, usize> {
    let mut states = BTreeMap::new();
    for entity in &group.entities {
        *states.entry(entity.state.as_str()).or_insert(0) += 1;
    }
    states
}

fn as_json(welcome: &Welcome, snapshot: &Snapshot, cut_off: &[CutOff]) -> Value {
    let groups: Vec<Value> = (snapshot.groups.iter())
        .map(|group| {
            let (phase, outcome) = phase(group);
            json!({
                "group": group.group, "image": group.image, "source": group.source,
                "phase": phase, "outcome": outcome, "read": group.read, "size": group.size,
                "seconds": group.seconds, "time_left": group.time_left,
                "entities": states(group),
            })
        })
        .collect();
    json!({
        "engine": {
            "process": welcome.process, "version": welcome.version, "since": welcome.since,
            "inventory": welcome.inventory, "viewers": welcome.others, "run": snapshot.run,
            "busy": snapshot.is_busy(), "groups": groups,
        },
        "cut_off": ids(cut_off),
    })
}

fn as_text(welcome: &Welcome, snapshot: &Snapshot) -> String {
    let since = welcome.since.to_zoned(TimeZone::system());
    let consoles = match welcome.others {
        0 => "no console".to_owned(),
        1 => "1 console".to_owned(),
        many => format!("{many} consoles"),
    };
    let mut text = format!(
        "engine: process {}, since {}, on {}, {consoles}\n",
        welcome.process,
        since.strftime("%F %T"),
        shown(&welcome.inventory.display().to_string())
    );
    if snapshot.groups.is_empty() {
        text.push_str("nothing was started\n");
    }
    for group in &snapshot.groups {
        let (phase, outcome) = phase(group);
        let ended = outcome.is_some();
        let phase = outcome.map_or_else(|| phase.to_owned(), |how| format!("{phase}: {how}"));
        let read = match group.size {
            Some(size) if size > 0 && !ended => {
                format!(", {} % read", group.read.min(size) * 100 / size)
            }
            _ => String::new(),
        };
        let states: Vec<String> = states(group)
            .into_iter()
            .map(|(state, number)| format!("{number} {state}"))
            .collect();
        text.push_str(&format!(
            "{}: {} from {}, {phase}{read}; {}\n",
            shown(&group.group),
            shown(&group.image),
            shown(&group.source),
            states.join(", ")
        ));
    }
    text
}

/// Cancels groups, and returns when they have ended.
///
/// # Errors
/// No engine runs, or no such group in it.
pub(super) async fn cancel(
    args: &CancelArgs,
    state_dir: &Result<PathBuf, String>,
) -> Result<u8, Failed> {
    let Some(mut connection) = connect_once(state_dir).await? else {
        return Err(no_engine(state_dir));
    };
    let snapshot = connection.snapshot().await.map_err(Failed::other)?;
    let running: Vec<String> = snapshot
        .running()
        .map(|group| group.group.to_string())
        .collect();
    if running.is_empty() {
        return Err(Failed::usage("nothing runs"));
    }
    let wanted = match args.all {
        true => running,
        false => {
            let unknown = args.groups.iter().find(|name| !running.contains(name));
            if let Some(unknown) = unknown {
                return Err(Failed::usage(format!(
                    "no group {} runs; there is {}",
                    quoted(unknown),
                    running.join(", ")
                )));
            }
            args.groups.clone()
        }
    };
    let targets: Vec<Target> = match args.all {
        true => vec![Target::All],
        false => wanted.iter().cloned().map(Target::Group).collect(),
    };
    for target in targets {
        let order = Command::Cancel { target };
        connection.order(order).await.map_err(Failed::other)?;
    }
    loop {
        let snapshot = match connection.snapshot().await {
            Ok(snapshot) => snapshot,
            Err(RemoteError::Ended) => break,
            Err(error) => return Err(Failed::other(error)),
        };
        let runs = |name: &String| snapshot.running().any(|group| *group.group == **name);
        if !wanted.iter().any(runs) {
            break;
        }
    }
    let names: Vec<String> = wanted.iter().map(|name| shown(name)).collect();
    print(&format!("cancelled: {}\n", names.join(", ")));
    Ok(headless::OK)
}

/// Ends the engine, and returns when it has ended.
///
/// # Errors
/// It does not answer.
pub(super) async fn stop(cancel: bool, state_dir: &Result<PathBuf, String>) -> Result<u8, Failed> {
    let Some(mut connection) = connect_once(state_dir).await? else {
        print("no engine runs\n");
        return Ok(headless::OK);
    };
    let busy = connection
        .snapshot()
        .await
        .map_err(Failed::other)?
        .is_busy();
    if busy && !cancel {
        print("work runs: the engine ends when that has ended; --cancel cancels it\n");
    }
    engine::end(&mut connection, cancel)
        .await
        .map_err(Failed::other)?;
    let place = engine::place(state_dir)?;
    let _ = timeout(GONE, engine::gone(&place)).await;
    print("the engine has ended\n");
    Ok(headless::OK)
}
