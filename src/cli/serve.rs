//! `subtend serve`: an engine that stays, in the foreground, for a service manager. What it finds at its start it goes on
//! with; what it leaves at its end the next one does.

use std::collections::HashSet;
use std::convert::Infallible;
use std::path::Path;
use std::sync::Arc;

use tokio::sync::{mpsc, watch};
use tokio::task::spawn_blocking;

use super::Failed;
use super::engine::{Stays, begin};
use super::notify::ServiceManager;
use super::services::{Engine, Services};
use super::signals::without_terminal;
use super::state_dir::StateDir;
use super::take_up::{Then, take_up};
use crate::headless::{self, Stop};
use crate::journal::Journal;
use crate::protocol::{Command, Snapshot, Target};
use crate::remote;

/// Runs until a signal, or `subtend stop`, has ended it.
///
/// # Errors
/// When it did not start.
pub(super) async fn serve(
    file: &Path,
    state_dir: &StateDir,
    services: &impl Services,
) -> Result<u8, Failed> {
    let manager = ServiceManager::of_process();
    let mut signals = without_terminal()?;
    let begun = begin(file, state_dir, services, Stays::Yes).await?;
    let (Engine { mut link, task }, mut claimed, about) = begun;
    let state_dir = state_dir.as_ref().map_err(|no_home| *no_home)?;
    let on = about.inventory.display().to_string();
    tracing::info!("subtend {}: serves {on}", env!("CARGO_PKG_VERSION"));
    take_up(&mut link, state_dir, &about.inventory, Then::GoesOn).await;
    manager.ready(&format!("on {on}"));
    let (stop, mut stopped) = mpsc::channel(4);
    let parking = Parking {
        state_dir,
        snapshots: link.snapshots.clone(),
        commands: link.commands.clone(),
        manager,
    };
    let ended = tokio::select! {
        ended = remote::serve(link, &mut claimed, about, &mut stopped) => ended,
        never = parking.watch(&mut signals.stop, stop) => match never {},
    };
    if !ended {
        tracing::warn!("a second signal: ends at once");
        return Ok(headless::CANCELLED);
    }
    if let Err(error) = task.await {
        tracing::error!("the engine broke down: {error}");
    }
    tracing::info!("the engine has ended");
    Ok(headless::OK)
}

/// What a signal means to an engine that stays: it is to be gone, and its work is to go on.
struct Parking<'a> {
    state_dir: &'a Path,
    snapshots: watch::Receiver<Arc<Snapshot>>,
    commands: mpsc::Sender<Command>,
    manager: ServiceManager,
}

impl Parking<'_> {
    /// Passes signals on: before the first, the journal says that what is cancelled from here on is to be taken up again.
    async fn watch(mut self, signals: &mut Stop, stop: mpsc::Sender<()>) -> Infallible {
        let mut parked = false;
        while let Some(()) = signals.recv().await {
            if !std::mem::replace(&mut parked, true) {
                self.manager.stopping("what runs is parked");
                let at_once = match self.park().await {
                    true => tokio::select! {
                        () = self.spare_devices() => false,
                        Some(()) = signals.recv() => true,
                    },
                    // To be cancelled would be its end. Ended at once, it is cut off, and goes on all the same.
                    false => true,
                };
                if at_once {
                    let _ = stop.try_send(());
                }
            }
            // Full: what was sent before already says all.
            let _ = stop.try_send(());
        }
        std::future::pending().await
    }

    /// Cancels all but the devices that are being made to run an image, and waits for those: cut off in the middle of a
    /// step, one of them could only be led back.
    async fn spare_devices(&mut self) {
        let mut cancelled = HashSet::new();
        loop {
            let snapshot = self.snapshots.borrow_and_update().clone();
            let groups = snapshot.groups.iter();
            let running = groups.filter(|group| !group.phase.is_ended());
            let entities = running.flat_map(|group| {
                let entities = group.entities.iter();
                entities.map(|one| (group.group.clone(), one.entity.clone(), one.state))
            });
            let (spared, others): (Vec<_>, Vec<_>) = entities
                .filter(|(_, _, state)| !state.is_final())
                .partition(|(_, _, state)| state.is_activating());
            if spared.is_empty() {
                return;
            }
            for (group, entity, _) in others {
                if cancelled.insert((group.clone(), entity.clone())) {
                    let (group, entity) = (group.to_string(), entity.to_string());
                    let target = Target::Entity { group, entity };
                    let sent = self.commands.send(Command::Cancel { target }).await;
                    if sent.is_err() {
                        return;
                    }
                }
            }
            if self.snapshots.changed().await.is_err() {
                return;
            }
        }
    }

    /// Whether the journal says so.
    async fn park(&self) -> bool {
        let snapshot = self.snapshots.borrow().clone();
        if !snapshot.is_busy() {
            return true;
        }
        let state_dir = self.state_dir.to_owned();
        let run = snapshot.run.clone();
        let parked = spawn_blocking(move || match Journal::open(&state_dir) {
            Ok(Some(journal)) => journal.park(&run),
            Ok(None) => Ok(()),
            Err(error) => Err(error),
        });
        let why = match parked.await {
            Ok(Ok(())) => {
                tracing::info!("run {} is parked", snapshot.run);
                return true;
            }
            Ok(Err(error)) => error.to_string(),
            Err(error) => error.to_string(),
        };
        tracing::error!("run {} is not parked: {why}", snapshot.run);
        false
    }
}
