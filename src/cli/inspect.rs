//! Asking the engine to look at hosts, and waiting for its last answer.

use std::io::{self, IsTerminal, Write};
use std::sync::Arc;

use super::Failed;
use super::ask::{Tty, ask};
use super::check::COLUMNS;
use super::services::{Engine, Services};
use crate::headless::text::labelled;
use crate::headless::{self, Stop};
use crate::model::{CredentialsRef, Group, Inventory, units};
use crate::protocol::inspect::{Answer, Findings, Weight, rows};
use crate::protocol::{Command, Event, GroupSpec};

/// Starts an engine, gives it a command, and waits for the last answer. The first Ctrl-C stops the
/// asking, a second one the waiting.
///
/// # Errors
/// When nothing was looked at.
pub(super) async fn inspect<A: Answer>(
    inventory: &Inventory,
    groups: &[Arc<Group>],
    credentials: Vec<CredentialsRef>,
    command: impl FnOnce(Vec<GroupSpec>) -> Command,
    services: &impl Services,
    stop: &mut Stop,
) -> Result<Findings<A>, Failed> {
    // A host without its password is a finding like others.
    let (mut logins, wrong) = services.look_up(&credentials, &inventory.credentials).await;
    for reason in wrong.values() {
        tracing::warn!("{reason}");
    }
    ask(&credentials, &mut logins, &mut Tty)?;
    let specs = groups
        .iter()
        .map(|group| GroupSpec::Named(group.name.to_string()));
    let command = command(specs.collect());
    let Engine { mut link, task } = services.engine(Arc::new(inventory.clone()), logins);
    let gone = || Failed::other("the engine broke down; SUBTEND_LOG=debug may tell why");
    link.commands.send(command).await.map_err(|_| gone())?;
    let mut waiting = Waiting::default();
    let mut stopped = false;
    let mut found = Findings::default();
    let result = loop {
        tokio::select! {
            event = link.events.recv() => match event {
                Some(event) if found.take(&event) => match found.ended {
                    true => break Ok(found),
                    false => waiting.say(&progress(&found)),
                },
                Some(Event::Refused { reason, .. }) => break Err(Failed::usage(reason)),
                Some(_) => {}
                None => break Err(gone()),
            },
            Some(()) = stop.recv() => {
                if stopped {
                    waiting.clear();
                    return Err(Failed::new(headless::CANCELLED, "stopped"));
                }
                stopped = true;
                // It has ended if it takes no more.
                let _ = link.commands.send(Command::CancelInspection).await;
            }
        }
    };
    waiting.clear();
    drop(link);
    if let Err(error) = task.await {
        tracing::error!("the engine broke down: {error}");
    }
    result
}

fn progress<A>(found: &Findings<A>) -> String {
    let done = found.checks.len();
    let mut text = format!("{done} of {} looked at", done + found.left);
    if found.read > 0 {
        text += &format!(", {} read", units::size(found.read));
    }
    text
}

pub(super) fn exit_code<A: Answer>(found: &Findings<A>) -> u8 {
    match found.problems() {
        _ if found.stopped => headless::CANCELLED,
        0 => headless::OK,
        _ => headless::NOT_DELIVERED,
    }
}

/// One line on a terminal, for an operator who waits there; nothing elsewhere.
#[derive(Default)]
pub(super) struct Waiting {
    shown: bool,
}

impl Waiting {
    pub(super) fn say(&mut self, text: &str) {
        if io::stderr().is_terminal() {
            self.shown = true;
            let _ = write!(io::stderr(), "\r{text}\x1b[K");
        }
    }

    fn clear(&mut self) {
        if std::mem::take(&mut self.shown) {
            let _ = write!(io::stderr(), "\r\x1b[K");
        }
    }
}

impl Drop for Waiting {
    fn drop(&mut self) {
        self.clear();
    }
}

/// What was found, as lines.
pub(super) fn findings<A: Answer>(checks: &[&A]) -> Vec<String> {
    let rows = rows(checks.iter().copied()).into_iter();
    rows.flat_map(|row| {
        let sign = match row.weight {
            Weight::Problem => "  X",
            Weight::Note => "  !",
            Weight::Fine => "  ok",
        };
        labelled(sign, &row.text, 5, COLUMNS)
    })
    .collect()
}
