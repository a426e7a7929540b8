//! `subtend` and `subtend attach`: the console as a client of an engine in a process of its own.

use std::path::Path;
use std::sync::Arc;
use std::time::Duration;

use jiff::Timestamp;
use jiff::tz::TimeZone;
use secrecy::ExposeSecret;
use tokio::time::timeout;

use super::console::{ConsoleContext, Files, last_words, show, terminal, to_ask};
use super::engine::{self, Found, Start};
use super::saved_groups::SavedGroups;
use super::services::Services;
use super::state_dir::StateDir;
use super::{Failed, print};
use crate::console::{Options, Site};
use crate::engine::log_event;
use crate::headless;
use crate::inventory;
use crate::model::columns::count;
use crate::model::{CredentialsRef, Inventory, Logins, SecretSource};
use crate::protocol::{Command, Event, Secret, Snapshot};
use crate::remote::{Connection, Parted, Wants};

/// Said when what is shown is not what stands in the file.
const CHANGED: &str = "the inventory has changed since the engine read it; as soon as nothing runs, \
                       `subtend` reads it anew";

/// A link that was dropped ends within this time.
const PARTING: Duration = Duration::from_secs(2);

/// Opens the console on an inventory that has no fault: on the engine that runs already, or on a
/// new one.
///
/// # Errors
/// When it was not opened, or the terminal was lost.
pub(super) async fn console(
    file: &Path,
    services: &impl Services,
    context: ConsoleContext<'_>,
) -> Result<u8, Failed> {
    let endpoint = engine::endpoint(&context.state_dir)?;
    let state_dir = context.state_dir.clone()?;
    let file = engine::known_as(file);
    let text = inventory::read_text(&file)?;
    let parsed = inventory::parse(&text, &file)?;
    let start = Start {
        inventory: &file,
        text: &text,
        secret: secret_variables(&parsed),
        state_dir: &state_dir,
        verbose: context.verbose,
    };
    let Found {
        connection,
        running,
        changed,
    } = start.connect(&endpoint, Wants::Orders).await?;
    let greeting = if changed {
        Some(Event::Notice {
            at: Timestamp::now(),
            text: CHANGED.into(),
        })
    } else {
        running.then(|| attached(&connection, &context.options.settings.zone))
    };
    open(connection, (false, greeting), services, context).await
}

/// Opens the console on the engine that runs; `watch`: gives no orders.
///
/// # Errors
/// None runs; or as [`console`].
pub(super) async fn attach(
    watch: bool,
    services: &impl Services,
    context: ConsoleContext<'_>,
) -> Result<u8, Failed> {
    terminal()?;
    let wants = if watch { Wants::Watch } else { Wants::Orders };
    let Some(connection) = engine::connect(&context.state_dir, wants).await? else {
        return Err(no_engine(&context.state_dir));
    };
    let greeting = attached(&connection, &context.options.settings.zone);
    open(connection, (watch, Some(greeting)), services, context).await
}

/// Whether an engine runs on another inventory than this file, which the operator did not name.
///
/// # Errors
/// The engine is of another version, or does not answer.
pub(super) async fn runs_elsewhere(file: &Path, state_dir: &StateDir) -> Result<bool, Failed> {
    if state_dir.is_err() {
        return Ok(false);
    }
    let found = engine::connect(state_dir, Wants::Errand).await?;
    Ok(found.is_some_and(|found| found.welcome.inventory != engine::known_as(file)))
}

pub(super) fn no_engine(state_dir: &StateDir) -> Failed {
    let dir = state_dir.as_deref().unwrap_or(Path::new("?")).display();
    Failed::usage(format!(
        "no engine runs for the state directory {dir}; `subtend` and `subtend run --detach` start one"
    ))
}

/// Says where one is.
fn attached(connection: &Connection, zone: &TimeZone) -> Event {
    let welcome = &connection.welcome;
    let since = welcome.since.to_zoned(zone.clone());
    Event::Did {
        at: Timestamp::now(),
        who: "attached to the engine that runs already".into(),
        what: format!(
            "(process {}, since {})",
            welcome.process,
            since.strftime("%F %T")
        ),
    }
}

/// Variables in which passwords stand: the engine gets those over its socket.
pub(super) fn secret_variables(inventory: &Inventory) -> Vec<&str> {
    (inventory.credentials.iter())
        .filter_map(|one| one.secret.variable())
        .collect()
}

/// Credentials that the engine does not have yet.
pub(super) fn missing(inventory: &Inventory, connection: &Connection) -> Vec<CredentialsRef> {
    let known = &connection.welcome.logins;
    (inventory.credentials.iter())
        .filter(|one| one.secret != SecretSource::Empty)
        .filter(|one| !known.iter().any(|name| **name == *one.name))
        .cloned()
        .collect()
}

/// What gives secrets to an engine.
pub(super) fn login_commands(credentials: &[CredentialsRef], logins: &Logins) -> Vec<Command> {
    let known = |one: &CredentialsRef| match logins.contains(&one.name) {
        true => logins.get(Some(&one.name)),
        false => None,
    };
    (credentials.iter())
        .filter(|one| one.secret != SecretSource::Empty)
        .filter_map(|one| {
            known(one).map(|login| Command::Login {
                credentials: one.name.to_string(),
                secret: Secret::new(login.secret().expose_secret()),
            })
        })
        .collect()
}

async fn open(
    connection: Connection,
    (watch, greeting): (bool, Option<Event>),
    services: &impl Services,
    context: ConsoleContext<'_>,
) -> Result<u8, Failed> {
    let welcome = &connection.welcome;
    let process = welcome.process;
    let inventory = inventory::parse(&welcome.text, &welcome.inventory)
        .map_err(|errors| Failed::other(format!("the engine's inventory is wrong\n\n{errors}")))?;
    let kept = (context.state_dir.clone()).map(|dir| SavedGroups::of(&dir, &welcome.inventory));
    let groups = match &kept {
        Ok(kept) => kept.load()?,
        Err(_) => Vec::new(),
    };
    let missing = match watch {
        true => Vec::new(),
        false => missing(&inventory, &connection),
    };
    let all = inventory.credentials.clone();
    // From here on what the engine reports is taken, however long a password takes.
    let (link, pump) = connection.link(log_event, greeting).await?;
    let (logins, without_password) = tokio::select! {
        looked_up = services.look_up(&missing, &all) => looked_up,
        Some(()) = context.stop.recv() => return Ok(headless::CANCELLED),
    };
    let mut asked = to_ask(&inventory, &logins);
    asked.retain(|name| missing.iter().any(|one| one.name == *name));
    for command in login_commands(&missing, &logins) {
        // Where the engine has ended, the console says so.
        let _ = link.commands.send(command).await;
    }
    let site = Site {
        to_ask: asked,
        memories: services.memories(&inventory),
        inventory: Arc::new(inventory),
        kept: groups,
        without_password,
        log_file: (context.log_file.as_ref()).map(|file| file.display().to_string()),
    };
    let keeper = Files {
        kept,
        state_dir: context.state_dir.clone(),
        zone: context.options.settings.zone.clone(),
    };
    let options = Options {
        shared: true,
        watch_only: watch,
        ..context.options
    };
    let snapshots = link.snapshots.clone();
    let shown = show(link, site, options, keeper, context.stop).await;
    // The link went with the console.
    let parted = timeout(PARTING, pump).await;
    let lost = matches!(parted, Ok(Ok(Parted::Lost)));
    let snapshot = snapshots.borrow().clone();
    if lost {
        return Err(Failed::other(
            "the engine is gone; the next one tells what was cut off, and `subtend recover` what \
             each entity has",
        ));
    }
    let code = report(&snapshot, process);
    shown.map_err(|error| {
        Failed::new(
            code.max(headless::NOT_DELIVERED),
            format!("the console ended: {error}"),
        )
    })?;
    Ok(code)
}

/// Prints what became of what ran, or that it goes on: the exit code.
fn report(snapshot: &Snapshot, process: u32) -> u8 {
    if snapshot.is_busy() {
        let left = snapshot.running().map(|group| group.unfinished().count());
        print(&format!(
            "{} not finished: the engine (process {process}) goes on without this console. `subtend \
             attach` shows it, `subtend cancel --all` cancels it\n",
            count(left.sum(), "entity")
        ));
        return headless::OK;
    }
    let columns = crossterm::terminal::size().map_or(80, |(columns, _)| usize::from(columns));
    let seconds = snapshot.groups.iter().map(|group| group.seconds);
    let time = Duration::try_from_secs_f64(seconds.fold(0.0, f64::max)).unwrap_or_default();
    let (report, code) = last_words(snapshot, time, columns.clamp(40, 120));
    print(&report);
    code
}
