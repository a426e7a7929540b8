//! `subtend try-procedure`: the procedure of a type, step by step on one device, for those who write it.
//!
//! - `chosen`: what is tried, on which device, with which values; pure
//! - `trial`: carrying it out, with the entity held against other runs
//! - `text`, `json`: what is shown of each step

mod chosen;
mod json;
mod text;
mod trial;

use std::path::Path;
use std::sync::Arc;

use jiff::Timestamp;
use tokio::sync::{Semaphore, mpsc};
use tokio_util::sync::CancellationToken;
use tokio_util::task::AbortOnDropHandle;

use super::args::{TryProcedureArgs, UntilArg};
use super::ask::{self, Prompt};
use super::run::log_in;
use super::select::of_procedure;
use super::services::Services;
use super::state_dir::{self, StateDir};
use super::{CommandContext, Failed, print};
use crate::headless::{self, Stop};
use crate::journal::{EntityLock, Journal, NotLocked};
use crate::model::text::{quoted, shown};
use crate::model::{CredentialsRef, Fault, Inventory, Logins};
use crate::procedure::{AllOpenSteps, Target, kept};
use crate::transport::AnyTransport;
use chosen::Chosen;
use trial::{Told, Trial, Tried};

/// Carries the steps out and shows each: the exit code.
///
/// # Errors
/// When nothing was done.
pub(super) async fn try_procedure(
    args: &TryProcedureArgs,
    file: &Path,
    state_dir: &StateDir,
    services: &impl Services,
    context: CommandContext<'_, impl Prompt>,
) -> Result<u8, Failed> {
    let CommandContext {
        stop, mut prompt, ..
    } = context;
    let inventory = services.load(file)?;
    let run = Timestamp::now().strftime("try-%Y%m%dT%H%M%SZ").to_string();
    let chosen = Chosen::new(args, &inventory, &run)?;
    let asks = args.until == UntilArg::Activate && !args.yes;
    if asks && !confirmed(&chosen, prompt.is_there(), stop).await? {
        return Ok(headless::CANCELLED);
    }
    let credentials = credentials(&chosen, &inventory);
    let logins = log_in(&credentials, &inventory, services, &mut prompt).await?;
    let state_dir = state_dir.as_deref().ok();
    let lock = hold(&chosen, state_dir, &run)?;
    let trial = trial(&chosen, &inventory, logins, state_dir);
    let code = shown_while_tried(args.json, &chosen, trial, stop).await?;
    drop(lock);
    Ok(code)
}

/// Whether the operator says by the entity's name that it may be changed; `false`: gave it up.
///
/// # Errors
/// Another answer, or nobody who could give one.
async fn confirmed(chosen: &Chosen, is_terminal: bool, stop: &mut Stop) -> Result<bool, Failed> {
    if !is_terminal {
        return Err(Failed::usage(
            "there is no terminal to ask whether the device may be changed; `--yes` says so",
        ));
    }
    let question = text::question(chosen);
    // It waits for a key press, and goes with the process when nobody waits for it.
    let answer = tokio::task::spawn_blocking(move || ask::line(&question));
    let answer = tokio::select! {
        answer = answer => answer??,
        Some(()) = stop.recv() => return Ok(false),
    };
    match answer.trim() == &*chosen.entity.name {
        true => Ok(true),
        false => Err(Failed::usage(format!(
            "nothing was done: that is not {}",
            quoted(&chosen.entity.name)
        ))),
    }
}

fn credentials(chosen: &Chosen, inventory: &Inventory) -> Vec<CredentialsRef> {
    let own = chosen.entity.credentials.iter();
    let needed: Vec<_> = own.chain(of_procedure(&chosen.procedure)).collect();
    let known = inventory.credentials.iter();
    let known = known.filter(|one| needed.contains(&&one.name));
    known.cloned().collect()
}

/// Keeps other runs off the entity while the lock lives.
///
/// # Errors
/// Another run has it.
fn hold(
    chosen: &Chosen,
    state_dir: Option<&Path>,
    run: &str,
) -> Result<Option<EntityLock>, Failed> {
    let Some(state_dir) = state_dir else {
        return Ok(None);
    };
    let entity = &chosen.entity;
    let address = entity.address.to_string();
    match EntityLock::acquire(state_dir, &address, entity.path.as_str(), Some(run)) {
        Ok(lock) => Ok(Some(lock)),
        Err(NotLocked::Busy { by }) => {
            let (name, fault) = (shown(&entity.name), Fault::Taken { by });
            Err(Failed::other(format!("{name}: {fault}")))
        }
        Err(error) => {
            tracing::warn!("{error}; other runs are not kept off {}", entity.name);
            Ok(None)
        }
    }
}

fn trial(
    chosen: &Chosen,
    inventory: &Inventory,
    logins: Logins,
    state_dir: Option<&Path>,
) -> Trial<AnyTransport> {
    let folder = inventory.file.parent().map(Path::to_owned);
    let folder = folder.unwrap_or_default();
    let (entity, image) = (&chosen.entity, chosen.image.as_ref());
    Trial {
        transport: Arc::new(AnyTransport::of(state_dir::owner(state_dir))),
        target: Target {
            entity: entity.clone(),
            procedure: chosen.procedure.clone(),
            logins: Arc::new(logins),
            keep: kept(state_dir, &folder),
            folder,
            sessions: Arc::new(Semaphore::new(1)),
        },
        values: chosen.values.clone(),
        safe: chosen.safe_parts(),
        past: image.map_or_else(Vec::new, |image| open_steps(state_dir).of(entity, image)),
        cancel: CancellationToken::new(),
    }
}

/// What runs have begun on devices and not ended.
fn open_steps(state_dir: Option<&Path>) -> AllOpenSteps {
    let journal = state_dir.map(Journal::open).transpose();
    let open = journal.and_then(|journal| match journal.flatten() {
        Some(journal) => journal.open_steps(),
        None => Ok(Default::default()),
    });
    AllOpenSteps::new(open.unwrap_or_else(|error| {
        tracing::warn!("what earlier runs have begun on devices is not known: {error}");
        Default::default()
    }))
}

/// Shows each step when it begins and when it has ended. The first Ctrl-C gives the step up that is under way, a
/// second one leaves at once.
async fn shown_while_tried(
    is_json: bool,
    chosen: &Chosen,
    trial: Trial<AnyTransport>,
    stop: &mut Stop,
) -> Result<u8, Failed> {
    let cancel = trial.cancel.clone();
    let (tell, mut told) = mpsc::unbounded_channel();
    let mut shown = Shown::new(is_json, chosen);
    print(&shown.begins()?);
    let mut work = AbortOnDropHandle::new(tokio::spawn(trial.carry_out(tell)));
    let mut stopped = false;
    let tried = loop {
        tokio::select! {
            biased;
            Some(told) = told.recv() => print(&shown.told(&told)?),
            tried = &mut work => break tried?,
            Some(()) = stop.recv() => {
                if stopped {
                    return Ok(headless::CANCELLED);
                }
                stopped = true;
                cancel.cancel();
            }
        }
    };
    while let Ok(told) = told.try_recv() {
        print(&shown.told(&told)?);
    }
    print(&shown.ended(&tried)?);
    Ok(tried.outcome.exit_code())
}

/// For people, or for programs.
enum Shown<'a> {
    Text(text::Text<'a>),
    Json(json::Json<'a>),
}

impl<'a> Shown<'a> {
    fn new(is_json: bool, chosen: &'a Chosen) -> Self {
        match is_json {
            true => Self::Json(json::Json::new(chosen)),
            false => Self::Text(text::Text::new(chosen)),
        }
    }

    fn begins(&self) -> Result<String, Failed> {
        match self {
            Self::Text(text) => Ok(text.begins()),
            Self::Json(json) => json.begins(),
        }
    }

    fn told(&mut self, told: &Told) -> Result<String, Failed> {
        match self {
            Self::Text(text) => Ok(text.told(told)),
            Self::Json(json) => json.told(told),
        }
    }

    fn ended(&self, tried: &Tried) -> Result<String, Failed> {
        match self {
            Self::Text(text) => Ok(text.ended(tried)),
            Self::Json(json) => json.ended(tried),
        }
    }
}
