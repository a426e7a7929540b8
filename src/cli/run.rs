//! `subtend run`: groups of the inventory, or one made on the spot, without a screen.

use std::io::{self, Write};
use std::path::Path;
use std::sync::Arc;

use super::args::{ActivateArgs, RunArgs};
use super::ask::{Prompt, ask};
use super::select::{self, Selection, activation, select};
use super::services::{Engine, Services};
use super::{CommandContext, Failed};
use crate::headless::{self, Ended, Mode, Options, Stop};
use crate::model::{CredentialsRef, Inventory, Logins};
use crate::protocol::{Command, GroupSpec};

/// What is asked for, and the inventory that it was looked up in.
pub(super) struct Asked {
    inventory: Inventory,
    selection: Selection,
    force: bool,
}

impl Asked {
    /// # Errors
    /// The inventory is wrong, or does not have what is named.
    pub(super) fn to_run(
        args: &RunArgs,
        file: &Path,
        services: &impl Services,
    ) -> Result<Self, Failed> {
        let inventory = services.load(file)?;
        Ok(Self {
            selection: select(args, &inventory)?,
            force: args.force,
            inventory,
        })
    }

    /// Entities are to run the image that they hold.
    ///
    /// # Errors
    /// As [`Self::to_run`].
    pub(super) fn to_activate(
        args: &ActivateArgs,
        file: &Path,
        services: &impl Services,
    ) -> Result<Self, Failed> {
        let inventory = services.load(file)?;
        Ok(Self {
            selection: activation(args, &inventory)?,
            force: false,
            inventory,
        })
    }

    /// Whether it is gone through in a way that waits, so that it is to survive this process.
    pub(super) fn waits(&self) -> bool {
        select::waits(&self.selection.specs, &self.inventory)
    }

    pub(super) fn into_specs(self) -> Vec<GroupSpec> {
        self.selection.specs
    }

    /// Runs to the end and says how: the exit code.
    ///
    /// # Errors
    /// When nothing was started.
    pub(super) async fn run(
        self,
        services: &impl Services,
        context: CommandContext<'_, impl Prompt>,
    ) -> Result<u8, Failed> {
        let Self {
            inventory,
            selection,
            force,
        } = self;
        let ended = start_selected(selection, force, inventory, services, context).await?;
        Ok(ended.exit_code())
    }
}

/// Runs what the arguments select from an inventory that was already read.
#[cfg(feature = "lab")]
pub(super) async fn start(
    args: &RunArgs,
    inventory: Inventory,
    services: &impl Services,
    context: CommandContext<'_, impl Prompt>,
) -> Result<Ended, Failed> {
    let selection = select(args, &inventory)?;
    start_selected(selection, args.force, inventory, services, context).await
}

/// Runs what was selected already.
pub(super) async fn start_selected(
    selection: Selection,
    force: bool,
    inventory: Inventory,
    services: &impl Services,
    context: CommandContext<'_, impl Prompt>,
) -> Result<Ended, Failed> {
    let CommandContext {
        stop,
        mut prompt,
        mode,
        board,
    } = context;
    let Selection { specs, credentials } = selection;
    let logins = log_in(&credentials, &inventory, services, &mut prompt).await?;
    if prints_nowhere() {
        let _ = writeln!(
            io::stderr(),
            "subtend: note: standard output is closed, or leads nowhere: what the run tells is lost"
        );
    }
    let Engine { link, task } = services.engine(Arc::new(inventory), logins);
    let options = Options {
        commands: vec![
            Command::Start {
                groups: specs,
                force,
            },
            Command::Finish,
        ],
        notes: mode.is_screen().then(|| board.attach()),
        mode,
    };
    let ended = headless::run(link, options, stop, io::stdout(), io::stderr()).await?;
    // An operator who left at once waits for nothing: the engine goes with the process.
    if !matches!(ended, Ended::Left) {
        wind_up(task, stop).await;
    }
    Ok(ended)
}

/// The passwords of these credentials: looked up where they are kept, or asked for.
pub(super) async fn log_in(
    credentials: &[CredentialsRef],
    inventory: &Inventory,
    services: &impl Services,
    prompt: &mut impl Prompt,
) -> Result<Logins, Failed> {
    let mut logins = services.logins(credentials, &inventory.credentials).await?;
    ask(credentials, &mut logins, prompt)?;
    Ok(logins)
}

/// The engine has said its last word; its task ends by itself unless the operator is faster.
async fn wind_up(task: tokio::task::JoinHandle<()>, stop: &mut Stop) {
    tokio::select! {
        result = task => if let Err(error) = result {
            tracing::error!("the engine broke down: {error}");
        },
        Some(()) = stop.recv() => {}
    }
}

/// Whether standard output was closed when the process began. Rust's runtime opens such a descriptor
/// as /dev/null, for reading and writing; redirect it for writing alone to silence it.
fn prints_nowhere() -> bool {
    use nix::fcntl::{FcntlArg, OFlag, fcntl};
    use nix::sys::stat::{fstat, stat};
    let out = io::stdout();
    let (Ok(this), Ok(null)) = (fstat(&out), stat("/dev/null")) else {
        return false;
    };
    let flags = fcntl(&out, FcntlArg::F_GETFL).map(OFlag::from_bits_truncate);
    this.st_rdev == null.st_rdev
        && this.st_ino == null.st_ino
        && flags.is_ok_and(|flags| flags & OFlag::O_ACCMODE == OFlag::O_RDWR)
}

/// How the run is shown on this terminal.
pub fn mode(json: bool) -> Mode {
    use std::io::IsTerminal;
    let size = || crossterm::terminal::size().unwrap_or((80, 24));
    Mode::choose(json, io::stdout().is_terminal(), size, |name| {
        std::env::var(name).ok()
    })
}
