//! `run --detach`, `status`, `cancel`, `rate`, `stop`: short connections to an engine in a process of its own.

use std::collections::BTreeMap;
use std::io::{self, Write};
use std::path::Path;
use std::time::Duration;

use jiff::tz::TimeZone;
use serde_json::{Value, json};
use tokio::time::timeout;

use super::args::{CancelArgs, RateArgs, RunArgs};
use super::ask::Prompt;
use super::attach::{login_commands, no_engine, secret_variables};
use super::engine::{self, Start, connect};
use super::run::log_in;
use super::select::{Selection, select};
use super::services::Services;
use super::state_dir::StateDir;
use super::{CommandContext, Failed, print};
use crate::headless;
use crate::inventory;
use crate::journal::{CutOff, Journal};
use crate::model::rate::held_to;
use crate::model::text::{escaped, quoted, shown};
use crate::protocol::{Command, Event, GroupPhase, GroupSnapshot, Snapshot, Target};
use crate::remote::{Connection, Remote, RemoteError, Wants, Welcome};

/// An engine answers within this time.
const ANSWER: Duration = Duration::from_secs(20);
/// An engine that has said its last word gives its endpoint up within this time.
const GONE: Duration = Duration::from_secs(10);

/// What `run --detach` is to start.
#[derive(Debug)]
pub(super) struct DetachedRun<'a> {
    pub(super) args: &'a RunArgs,
    pub(super) file: &'a Path,
    pub(super) state_dir: &'a StateDir,
    pub(super) verbose: u8,
}

/// Starts a run in a process of its own, and returns once it is under way.
///
/// # Errors
/// When nothing was started.
pub(super) async fn run_detached(
    run: DetachedRun<'_>,
    services: &impl Services,
    mut context: CommandContext<'_, impl Prompt>,
) -> Result<u8, Failed> {
    let endpoint = engine::endpoint(run.state_dir)?;
    let state_dir = run.state_dir.clone()?;
    let file = engine::known_as(run.file);
    // Named as it was typed in what is wrong with it.
    let text = inventory::read_text(run.file)?;
    inventory::parse(&text, run.file)?;
    let inventory = inventory::parse(&text, &file)?;
    let Selection { specs, credentials } = select(run.args, &inventory)?;
    let logins = log_in(&credentials, &inventory, services, &mut context.prompt).await?;
    let start = Start {
        inventory: &file,
        text: &text,
        secret: secret_variables(&inventory),
        state_dir: &state_dir,
        verbose: run.verbose,
    };
    let found = start.connect(&endpoint, Wants::Errand).await?;
    let mut connection = found.connection;
    let process = connection.welcome.process;
    if found.changed {
        return Err(Failed::usage(format!(
            "the inventory file has changed since the engine (process {process}) has read it; nothing was \
             started: wait until what runs has ended, or use another --state-dir"
        )));
    }
    for command in login_commands(&credentials, &logins) {
        connection.order(command).await?;
    }
    let wanted: Vec<String> = specs.iter().map(|spec| spec.name().to_owned()).collect();
    let order = Command::Start {
        groups: specs,
        force: run.args.force,
    };
    connection.order(order).await?;
    let started = timeout(ANSWER, started(&mut connection, &wanted)).await;
    let run = started.map_err(|_| RemoteError::Silent)??;
    print(&format!(
        "run {}: {} started (process {process}); `subtend attach` shows it, `subtend status` tells how it \
         stands, `subtend cancel --all` cancels it\n",
        shown(&run),
        listed(&wanted),
    ));
    Ok(headless::OK)
}

/// The run of these groups, once the engine has begun it.
async fn started(connection: &mut Connection, groups: &[String]) -> Result<String, Failed> {
    loop {
        let Remote::Event(event) = connection.next().await? else {
            continue;
        };
        match *event {
            Event::Run {
                run, groups: begun, ..
            } if begun.iter().map(|name| &**name).eq(groups) => return Ok(run),
            Event::Refused { reason, .. } => {
                return Err(Failed::usage(format!("refused: {}", shown(&reason))));
            }
            // Said before the run begins: that it is not recorded, among others.
            Event::Notice { text, .. } => {
                let _ = writeln!(io::stderr(), "subtend: note: {}", escaped(&text));
            }
            _ => {}
        }
    }
}

fn listed(groups: &[String]) -> String {
    let names: Vec<String> = groups.iter().map(|name| shown(name)).collect();
    names.join(", ")
}

/// Prints how the engine stands.
///
/// # Errors
/// It does not answer, or is of another version.
pub(super) async fn status(json: bool, state_dir: &StateDir) -> Result<u8, Failed> {
    let Some(mut connection) = connect(state_dir, Wants::Errand).await? else {
        let cut_off = cut_off(state_dir);
        print(&match json {
            true => format!("{}\n", json!({ "engine": null, "cut_off": ids(&cut_off) })),
            false => {
                let cut_off = cut_off.iter().map(CutOff::sentence);
                let lines = std::iter::once("no engine runs".to_owned()).chain(cut_off);
                lines.map(|line| line + "\n").collect()
            }
        });
        return Ok(headless::OK);
    };
    let snapshot = timeout(ANSWER, connection.snapshot()).await;
    let snapshot = snapshot.map_err(|_| RemoteError::Silent)??;
    let welcome = &connection.welcome;
    print(&match json {
        true => format!("{}\n", as_json(welcome, &snapshot, &cut_off(state_dir))),
        false => as_text(welcome, &snapshot),
    });
    Ok(headless::OK)
}

/// Runs that were cut off; the journal may have none, or not be readable, which others report.
fn cut_off(state_dir: &StateDir) -> Vec<CutOff> {
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
pub(super) async fn cancel(args: &CancelArgs, state_dir: &StateDir) -> Result<u8, Failed> {
    let Some(mut connection) = connect(state_dir, Wants::Errand).await? else {
        return Err(no_engine(state_dir));
    };
    let snapshot = connection.snapshot().await?;
    let running: Vec<String> = snapshot
        .running()
        .map(|group| group.group.to_string())
        .collect();
    if running.is_empty() {
        return Err(Failed::usage("nothing runs"));
    }
    if let Some(unknown) = args.groups.iter().find(|name| !running.contains(name)) {
        return Err(Failed::usage(format!(
            "no group {} runs; there is {}",
            quoted(unknown),
            running.join(", ")
        )));
    }
    let (wanted, targets) = match args.all {
        true => (running, vec![Target::All]),
        false => {
            let targets = args.groups.iter().cloned().map(Target::Group);
            (args.groups.clone(), targets.collect())
        }
    };
    for target in targets {
        let order = Command::Cancel { target };
        connection.order(order).await?;
    }
    loop {
        let snapshot = match connection.snapshot().await {
            Ok(snapshot) => snapshot,
            Err(RemoteError::Ended) => break,
            Err(error) => return Err(error.into()),
        };
        let runs = |name: &String| snapshot.running().any(|group| *group.group == **name);
        if !wanted.iter().any(runs) {
            break;
        }
    }
    print(&format!("cancelled: {}\n", listed(&wanted)));
    Ok(headless::OK)
}

/// Changes what something is held to, and returns when it is.
///
/// # Errors
/// No engine runs, or it refuses.
pub(super) async fn rate(args: &RateArgs, state_dir: &StateDir) -> Result<u8, Failed> {
    let Some(mut connection) = connect(state_dir, Wants::Errand).await? else {
        return Err(no_engine(state_dir));
    };
    let (on, rate) = (args.target.clone(), args.rate.0);
    let said = held_to(&on, rate);
    connection.order(Command::Rate { on, rate }).await?;
    let answered = timeout(ANSWER, async {
        loop {
            let Remote::Event(event) = connection.next().await? else {
                continue;
            };
            match *event {
                Event::Notice { text, .. } if text == said => return Ok(()),
                Event::Refused { reason, .. } => {
                    return Err(Failed::usage(format!("refused: {}", shown(&reason))));
                }
                _ => {}
            }
        }
    });
    answered.await.map_err(|_| RemoteError::Silent)??;
    print(&format!("{}\n", shown(&said)));
    Ok(headless::OK)
}

/// Ends the engine, and returns when it has ended.
///
/// # Errors
/// It does not answer.
pub(super) async fn stop(cancel: bool, state_dir: &StateDir) -> Result<u8, Failed> {
    let Some(mut connection) = connect(state_dir, Wants::Errand).await? else {
        print("no engine runs\n");
        return Ok(headless::OK);
    };
    if connection.snapshot().await?.is_busy() && !cancel {
        print("work runs: the engine ends when that has ended; --cancel cancels it\n");
    }
    engine::end(&mut connection, cancel).await?;
    let _ = timeout(GONE, engine::gone(&engine::endpoint(state_dir)?)).await;
    print("the engine has ended\n");
    Ok(headless::OK)
}
