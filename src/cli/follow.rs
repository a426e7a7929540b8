//! A run in an engine of its own, watched from here: what other clients do there is left out, and the run has an end
//! of its own. It is over when its groups are, or when nothing but waiting is left.

use std::io;
use std::sync::Arc;
use std::time::Instant;

use tokio::sync::{mpsc, watch};
use tokio_util::task::AbortOnDropHandle;

use super::ask::Prompt;
use super::engine_commands::{Prepared, ResidentRun};
use super::services::Services;
use super::status::held_in_words;
use super::{CommandContext, Failed, print};
use crate::engine::{log_event, summary};
use crate::headless::{self, Ended, Options};
use crate::model::columns::count;
use crate::model::text::shown;
use crate::model::{EntityState, Name, Outcome};
use crate::protocol::{Command, Event, GroupSnapshot, Link, Snapshot, Summary, Target};
use crate::remote::Wants;

/// Orders that wait to be sent, as in one process.
const ORDERS: usize = 64;

/// Starts groups in an engine of its own, and watches them until nothing but waiting is left; until their end, if
/// `stays` says so.
///
/// # Errors
/// When nothing was started.
pub(super) async fn run_watched(
    run: ResidentRun<'_>,
    stays: bool,
    services: &impl Services,
    context: CommandContext<'_, impl Prompt>,
) -> Result<u8, Failed> {
    let CommandContext {
        stop,
        mut prompt,
        mode,
        board,
    } = context;
    let prepared = run.prepare(Wants::Orders, services, &mut prompt);
    let Prepared {
        connection,
        mut commands,
        groups,
    } = prepared.await?;
    let (remote, pump) = connection.link(log_event, None).await?;
    let (link, follower) = follow(remote, groups.clone(), stays);
    commands.push(Command::Finish);
    let is_json = mode.is_json();
    let options = Options {
        commands,
        notes: mode.is_screen().then(|| board.attach()),
        mode,
    };
    let ended = headless::run(link, options, stop, io::stdout(), io::stderr()).await?;
    // The engine goes on without this process.
    drop((follower, pump));
    if let Ended::Summary { summary, .. } = &ended
        && summary.outcome == Outcome::Waiting
    {
        tell(is_json, &ended_in_words(&groups));
    }
    Ok(ended.exit_code())
}

/// Standard output is for the lines of JSON alone.
fn tell(is_json: bool, text: &str) {
    match is_json {
        true => {
            // A reader that has gone away wants no more.
            let _ = io::Write::write_all(&mut io::stderr(), text.as_bytes());
        }
        false => print(text),
    }
}

fn ended_in_words(groups: &[String]) -> String {
    let groups: Vec<String> = groups.iter().map(|name| shown(name)).collect();
    format!(
        "{} waits in its engine: `subtend status` tells what for, `subtend attach` shows it, `subtend cancel {}` \
         cancels it\n",
        groups.join(", "),
        groups.join(" ")
    )
}

/// How the groups of a run stand.
#[derive(Debug, Clone, PartialEq, Eq)]
enum Stand {
    /// Something is under way, or about to begin.
    UnderWay,
    /// Nothing is; these are the reasons, a line per group.
    Waits(Vec<String>),
    Over,
}

/// `groups`: the newest of each that was started.
fn stand(groups: &[Arc<GroupSnapshot>]) -> Stand {
    let mut waits = Vec::new();
    for group in groups.iter().filter(|group| !group.phase.is_ended()) {
        let Some(why) = waiting(group) else {
            return Stand::UnderWay;
        };
        waits.push(format!("{}: {why}", shown(&group.group)));
    }
    match waits.is_empty() {
        true => Stand::Over,
        false => Stand::Waits(waits),
    }
}

/// What a group waits for. `None`: one of its entities is under way, or nothing keeps one from its beginning.
fn waiting(group: &GroupSnapshot) -> Option<String> {
    let campaign = group.campaign.as_ref()?;
    let held = campaign.held.as_ref();
    let mut offline = 0;
    for entity in group.unfinished() {
        match entity.state {
            EntityState::Offline => offline += 1,
            EntityState::Waiting if held.is_some() => {}
            _ => return None,
        }
    }
    Some(match held {
        Some(held) => held_in_words(&group.group, held),
        None if offline > 0 => format!("{} asked again", count(offline, "offline entity")),
        // All have come to an end, and the group is about to.
        None => return None,
    })
}

/// A link to these groups alone, which are to be started over it, and the task that carries it.
fn follow(remote: Link, groups: Vec<String>, stays: bool) -> (Link, AbortOnDropHandle<()>) {
    let (commands, orders) = mpsc::channel(ORDERS);
    let (events, heard) = mpsc::unbounded_channel();
    let first = remote.snapshots.borrow().clone();
    let before = first.groups.len();
    let (snapshots, newest) = watch::channel(Arc::new(Snapshot {
        groups: Vec::new(),
        ..(*first).clone()
    }));
    let follower = Follower {
        remote,
        orders,
        events,
        snapshots,
        groups,
        before,
        run: None,
        began: Instant::now(),
        stays,
    };
    let link = Link {
        commands,
        snapshots: newest,
        events: heard,
    };
    let task = AbortOnDropHandle::new(tokio::spawn(follower.run()));
    (link, task)
}

struct Follower {
    remote: Link,
    orders: mpsc::Receiver<Command>,
    events: mpsc::UnboundedSender<Event>,
    snapshots: watch::Sender<Arc<Snapshot>>,
    groups: Vec<String>,
    /// Groups that the engine had before.
    before: usize,
    /// Once it has begun.
    run: Option<String>,
    began: Instant,
    stays: bool,
}

impl Follower {
    async fn run(mut self) {
        loop {
            tokio::select! {
                biased;
                event = self.remote.events.recv() => match event {
                    Some(event) => if self.heard(event) {
                        return;
                    },
                    // Its end without a summary says the rest.
                    None => return,
                },
                Some(order) = self.orders.recv() => self.order(order).await,
                Ok(()) = self.remote.snapshots.changed() => if self.looked() {
                    return;
                },
            }
        }
    }

    /// To the engine, which has other work than this.
    async fn order(&self, order: Command) {
        let orders = match order {
            Command::Finish => Vec::new(),
            Command::Cancel {
                target: Target::All,
            } => {
                let groups = self.groups.iter().cloned();
                let cancel = |group| Command::Cancel {
                    target: Target::Group(group),
                };
                groups.map(cancel).collect()
            }
            order => vec![order],
        };
        for order in orders {
            // Its end comes over the events.
            let _ = self.remote.commands.send(order).await;
        }
    }

    /// Whether it was the last.
    fn heard(&mut self, event: Event) -> bool {
        let is_ours = |group: &Name| self.groups.iter().any(|name| **name == **group);
        let passes = match &event {
            Event::Run { run, groups, .. } => {
                let begins =
                    self.run.is_none() && groups.iter().map(|name| &**name).eq(&self.groups);
                if begins {
                    self.run = Some(run.clone());
                }
                begins
            }
            Event::State { group, .. }
            | Event::Campaign { group, .. }
            | Event::Depth { group, .. }
            | Event::Pass { group, .. }
            | Event::Source { group, .. } => self.run.is_some() && is_ours(group),
            Event::Refused { .. } if self.run.is_none() => {
                let _ = self.events.send(event);
                // What was refused is all that there was to do.
                return self.end(None);
            }
            Event::Notice { .. } => true,
            Event::Summary(_) => return self.looked() || self.end(None),
            _ => false,
        };
        if passes {
            // A watcher that has gone wants no more.
            let _ = self.events.send(event);
        }
        false
    }

    /// Takes the newest snapshot; whether it was the last.
    fn looked(&mut self) -> bool {
        let snapshot = self.remote.snapshots.borrow_and_update().clone();
        if self.run.is_none() {
            return false;
        }
        let Some(groups) = self.ours(&snapshot) else {
            return false;
        };
        let stand = stand(&groups);
        self.snapshots.send_replace(Arc::new(Snapshot {
            groups,
            ..(*snapshot).clone()
        }));
        match stand {
            Stand::Over => self.end(None),
            Stand::Waits(why) if !self.stays => self.end(Some(why)),
            Stand::Waits(_) | Stand::UnderWay => false,
        }
    }

    /// Once all of them are there.
    fn ours(&self, snapshot: &Snapshot) -> Option<Vec<Arc<GroupSnapshot>>> {
        let since = snapshot.groups.get(self.before..)?;
        let newest = |name: &String| {
            since
                .iter()
                .rev()
                .find(|group| *group.group == **name)
                .cloned()
        };
        self.groups.iter().map(newest).collect()
    }

    /// What the run has come to here. `waits`: why, where it goes on without this process.
    fn end(&mut self, waits: Option<Vec<String>>) -> bool {
        // What comes before the snapshot is shown before its end.
        while let Ok(event) = self.remote.events.try_recv() {
            if !matches!(event, Event::Summary(_) | Event::Refused { .. }) {
                self.heard(event);
            }
        }
        let snapshot = self.snapshots.borrow().clone();
        let seconds = self.began.elapsed().as_secs_f64();
        let summary = summary(&snapshot, seconds);
        let at_end = Summary {
            run: self.run.clone().unwrap_or_else(|| snapshot.run.clone()),
            outcome: match waits {
                Some(_) => Outcome::Waiting,
                None => summary.outcome,
            },
            ..summary
        };
        for why in waits.into_iter().flatten() {
            let _ = self.events.send(Event::Notice {
                at: at_end.at,
                text: why,
            });
        }
        let _ = self.events.send(Event::Summary(at_end));
        true
    }
}

#[cfg(test)]
mod tests;
