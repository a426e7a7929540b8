//! `run --detach`, `cancel`, `pause`, `resume`, `login`, `rate`, `stop`: short connections to an engine in a process of its own.

use std::io::{self, Write};
use std::path::Path;
use std::time::Duration;

use tokio::time::{sleep, timeout};

use super::args::{CancelArgs, LoginArgs, RateArgs, RunArgs};
use super::ask::Prompt;
use super::attach::{login_commands, missing, no_engine, secret_variables};
use super::engine::{self, Start, connect};
use super::run::log_in;
use super::select::{Selection, again, select};
use super::services::Services;
use super::state_dir::StateDir;
use super::{CommandContext, Failed, print};
use crate::headless;
use crate::inventory;
use crate::model::rate::held_to;
use crate::model::text::{escaped, quoted, shown};
use crate::model::{CredentialsRef, Inventory};
use crate::protocol::{Command, Event, GroupSnapshot, GroupSpec, HeldBy, Snapshot, Target};
use crate::remote::{Connection, Remote, RemoteError, Wants, Welcome};

/// An engine answers within this time.
const ANSWER: Duration = Duration::from_secs(20);
/// Interval between two questions whether it has taken a secret.
const AGAIN: Duration = Duration::from_millis(50);
/// An engine that has said its last word gives its endpoint up within this time.
const GONE: Duration = Duration::from_secs(10);

/// What is started in an engine of its own.
#[derive(Debug)]
pub(super) struct ResidentRun<'a> {
    pub(super) wanted: Wanted<'a>,
    pub(super) file: &'a Path,
    pub(super) state_dir: &'a StateDir,
    pub(super) verbose: u8,
}

/// Which groups.
#[derive(Debug)]
pub(super) enum Wanted<'a> {
    Arguments(&'a RunArgs),
    /// Those of a run that is over.
    Again {
        specs: Vec<GroupSpec>,
        force: bool,
    },
}

impl Wanted<'_> {
    fn select(&self, inventory: &Inventory) -> Result<(Selection, bool), Failed> {
        Ok(match self {
            Self::Arguments(args) => (select(args, inventory)?, args.force),
            Self::Again { specs, force } => (again(specs.clone(), *force, inventory)?, *force),
        })
    }
}

/// A connection to the engine, and what it is to be given.
pub(super) struct Prepared {
    pub(super) connection: Connection,
    /// What it needs to know, and then the start of these groups.
    pub(super) commands: Vec<Command>,
    pub(super) groups: Vec<String>,
}

impl ResidentRun<'_> {
    /// Finds or starts the engine, with all that it needs for these groups.
    ///
    /// # Errors
    /// When nothing was started.
    pub(super) async fn prepare(
        self,
        wants: Wants,
        services: &impl Services,
        prompt: &mut impl Prompt,
    ) -> Result<Prepared, Failed> {
        let endpoint = engine::endpoint(self.state_dir)?;
        let state_dir = self.state_dir.clone()?;
        let file = engine::known_as(self.file);
        // Named as it was typed in what is wrong with it.
        let text = inventory::read_text(self.file)?;
        inventory::parse(&text, self.file)?;
        let inventory = inventory::parse(&text, &file)?;
        let (selection, force) = self.wanted.select(&inventory)?;
        let Selection {
            specs,
            mut credentials,
        } = selection;
        // An engine that runs may have looked them up itself.
        let running = connect(self.state_dir, Wants::Errand).await?;
        if let Some(running) = running.filter(|running| running.welcome.inventory == file) {
            let known = &running.welcome.logins;
            credentials.retain(|one| !known.iter().any(|name| **name == *one.name));
        }
        let logins = log_in(&credentials, &inventory, services, prompt).await?;
        let start = Start {
            inventory: &file,
            text: &text,
            secret: secret_variables(&inventory),
            state_dir: &state_dir,
            verbose: self.verbose,
        };
        let found = start.connect(&endpoint, wants).await?;
        let connection = found.connection;
        if found.changed {
            return Err(changed(&connection.welcome));
        }
        let mut commands = login_commands(&credentials, &logins);
        let groups = specs.iter().map(|spec| spec.name().to_owned()).collect();
        commands.push(Command::Start {
            groups: specs,
            force,
        });
        Ok(Prepared {
            connection,
            commands,
            groups,
        })
    }
}

fn changed(welcome: &Welcome) -> Failed {
    let process = welcome.process;
    let then = match welcome.stays {
        true => "restart `subtend serve`, which goes on with what runs".to_owned(),
        false => "wait until what runs has ended, or use another --state-dir".to_owned(),
    };
    Failed::usage(format!(
        "the inventory file has changed since the engine (process {process}) has read it; nothing was \
         started: {then}"
    ))
}

/// Starts a run in a process of its own, and returns once it is under way.
///
/// # Errors
/// When nothing was started.
pub(super) async fn run_detached(
    run: ResidentRun<'_>,
    services: &impl Services,
    mut context: CommandContext<'_, impl Prompt>,
) -> Result<u8, Failed> {
    let prepared = run.prepare(Wants::Errand, services, &mut context.prompt);
    let Prepared {
        mut connection,
        commands,
        groups,
    } = prepared.await?;
    let process = connection.welcome.process;
    for command in commands {
        connection.order(command).await?;
    }
    let started = timeout(ANSWER, started(&mut connection, &groups)).await;
    let run = started.map_err(|_| RemoteError::Silent)??;
    print(&format!(
        "run {}: {} started (process {process}); `subtend attach` shows it, `subtend status` tells how it \
         stands, `subtend cancel --all` cancels it\n",
        shown(&run),
        listed(&groups),
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

pub(super) fn listed(groups: &[String]) -> String {
    let names: Vec<String> = groups.iter().map(|name| shown(name)).collect();
    names.join(", ")
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

/// Pauses a group, or lets it go on, and returns once that is so.
///
/// # Errors
/// No engine runs, or it refuses.
pub(super) async fn pause(group: &str, does: bool, state_dir: &StateDir) -> Result<u8, Failed> {
    let Some(mut connection) = connect(state_dir, Wants::Errand).await? else {
        return Err(no_engine(state_dir));
    };
    let snapshot = connection.snapshot().await?;
    if !snapshot.running().any(|one| *one.group == *group) {
        let running: Vec<&str> = snapshot.running().map(|one| &*one.group).collect();
        return Err(Failed::usage(match running.as_slice() {
            [] => "nothing runs".to_owned(),
            some => format!(
                "no group {} runs; there is {}",
                quoted(group),
                some.join(", ")
            ),
        }));
    }
    let name = group.to_owned();
    connection
        .order(match does {
            true => Command::Pause { group: name },
            false => Command::Resume {
                group: name,
                since: None,
            },
        })
        .await?;
    let is_done = |snapshot: &Snapshot| {
        let one = snapshot.running().find(|one| *one.group == *group);
        one.is_none_or(|one| is_paused(one) == does)
    };
    let done = timeout(ANSWER, async {
        loop {
            match connection.next().await? {
                Remote::Snapshot(snapshot) if is_done(&snapshot) => return Ok(()),
                Remote::Event(event) => {
                    if let Event::Refused { reason, .. } = *event {
                        return Err(Failed::usage(format!("refused: {}", shown(&reason))));
                    }
                }
                Remote::Snapshot(_) => {}
            }
        }
    });
    done.await.map_err(|_| RemoteError::Silent)??;
    print(&match does {
        true => format!(
            "{} is paused; `subtend resume {group}` lets it go on\n",
            shown(group)
        ),
        false => format!("{} goes on\n", shown(group)),
    });
    Ok(headless::OK)
}

fn is_paused(group: &GroupSnapshot) -> bool {
    let held = group
        .campaign
        .as_ref()
        .and_then(|campaign| campaign.held.as_ref());
    held.is_some_and(|held| matches!(held.by, HeldBy::Pause(_)))
}

/// Gives the engine secrets of its inventory's credentials: those that are named, or all that it does not have.
///
/// # Errors
/// No engine runs, there are no such credentials, or a secret can't be had.
pub(super) async fn login(
    args: &LoginArgs,
    state_dir: &StateDir,
    services: &impl Services,
    prompt: &mut impl Prompt,
) -> Result<u8, Failed> {
    let Some(connection) = connect(state_dir, Wants::Errand).await? else {
        return Err(no_engine(state_dir));
    };
    let welcome = &connection.welcome;
    let inventory = inventory::parse(&welcome.text, &welcome.inventory)
        .map_err(|errors| Failed::other(format!("the engine's inventory is wrong\n\n{errors}")))?;
    let wanted = match args.credentials.as_slice() {
        [] => missing(&inventory, &connection),
        names => named(names, &inventory)?,
    };
    if wanted.is_empty() {
        print("the engine has all that it needs\n");
        return Ok(headless::OK);
    }
    let logins = log_in(&wanted, &inventory, services, prompt).await?;
    // A password may be typed for longer than an engine waits for one that reads nothing.
    drop(connection);
    let Some(mut connection) = connect(state_dir, Wants::Errand).await? else {
        return Err(no_engine(state_dir));
    };
    for command in login_commands(&wanted, &logins) {
        connection.order(command).await?;
    }
    let names: Vec<String> = wanted.iter().map(|one| one.name.to_string()).collect();
    let given = |welcome: &Welcome| names.iter().all(|name| welcome.logins.contains(name));
    // The engine has them when it says so.
    let taken = timeout(ANSWER, async {
        loop {
            match connect(state_dir, Wants::Errand).await? {
                Some(connection) if given(&connection.welcome) => return Ok(()),
                Some(_) => sleep(AGAIN).await,
                None => return Err(no_engine(state_dir)),
            }
        }
    });
    taken.await.map_err(|_| RemoteError::Silent)??;
    print(&format!("given: {}\n", listed(&names)));
    Ok(headless::OK)
}

fn named(names: &[String], inventory: &Inventory) -> Result<Vec<CredentialsRef>, Failed> {
    let known = |name: &String| {
        let one = inventory.credentials.iter().find(|one| *one.name == **name);
        one.cloned().ok_or_else(|| {
            Failed::usage(format!("the inventory has no credentials {}", quoted(name)))
        })
    };
    names.iter().map(known).collect()
}
