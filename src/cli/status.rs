//! `subtend status`: how the engine stands, in lines or as JSON.

use std::collections::BTreeMap;
use std::time::Duration;

use jiff::Timestamp;
use jiff::tz::TimeZone;
use serde_json::{Value, json};
use tokio::time::timeout;

use super::engine::connect;
use super::state_dir::StateDir;
use super::{Failed, print};
use crate::headless;
use crate::journal::{CutOff, Journal, WaitingRun};
use crate::model::columns::count;
use crate::model::text::shown;
use crate::model::units;
use crate::protocol::{
    CampaignSnapshot, GroupPhase, GroupSnapshot, Held, HeldBy, Snapshot, Wait, WaveSnapshot,
};
use crate::remote::{RemoteError, Wants, Welcome};

/// An engine answers within this time.
const ANSWER: Duration = Duration::from_secs(20);

/// Prints how the engine stands.
///
/// # Errors
/// It does not answer, or is of another version.
pub(super) async fn status(json: bool, state_dir: &StateDir) -> Result<u8, Failed> {
    let Some(mut connection) = connect(state_dir, Wants::Errand).await? else {
        let (cut_off, waiting) = left(state_dir);
        print(&match json {
            true => {
                let waiting: Vec<&str> = waiting.iter().map(|run| run.run.as_str()).collect();
                format!(
                    "{}\n",
                    json!({ "engine": null, "cut_off": ids(&cut_off), "waiting": waiting })
                )
            }
            false => {
                let goes_on = |run: &&CutOff| !waiting.iter().any(|other| other.run == run.run);
                let cut_off = cut_off.iter().filter(goes_on).map(CutOff::sentence);
                let lines = std::iter::once("no engine runs".to_owned()).chain(cut_off);
                let lines = lines.chain(waiting.iter().map(waits));
                lines.map(|line| line + "\n").collect()
            }
        });
        return Ok(headless::OK);
    };
    let snapshot = timeout(ANSWER, connection.snapshot()).await;
    let snapshot = snapshot.map_err(|_| RemoteError::Silent)??;
    let welcome = &connection.welcome;
    print(&match json {
        true => format!("{}\n", as_json(welcome, &snapshot, &left(state_dir).0)),
        false => as_text(welcome, &snapshot),
    });
    Ok(headless::OK)
}

/// Runs that were cut off, and those that an engine goes on with; the journal may have none, or not be readable, which
/// others report.
fn left(state_dir: &StateDir) -> (Vec<CutOff>, Vec<WaitingRun>) {
    let journal = state_dir.as_ref().ok();
    let journal = journal.and_then(|state_dir| Journal::open(state_dir).ok().flatten());
    journal.map_or_else(Default::default, |journal| {
        let cut_off = journal.cut_off().unwrap_or_default();
        (cut_off, journal.waiting().unwrap_or_default())
    })
}

fn waits(run: &WaitingRun) -> String {
    let groups: Vec<String> = run
        .groups
        .iter()
        .map(|group| shown(group.spec.name()))
        .collect();
    format!(
        "run {} waits for an engine: {}; `subtend serve -i {}` goes on with it",
        run.run,
        groups.join(", "),
        shown(&run.inventory_file)
    )
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
                "entities": states(group), "campaign": group.campaign,
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
        if let Some(campaign) = &group.campaign
            && !ended
        {
            for line in campaign_lines(&group.group, campaign) {
                text.push_str(&format!("  {line}\n"));
            }
        }
    }
    text
}

/// How a group is gone through: where it is, and why nothing begins.
pub(super) fn campaign_lines(group: &str, campaign: &CampaignSnapshot) -> Vec<String> {
    let mut lines = Vec::new();
    let all = campaign.waves.len();
    match campaign
        .wave
        .checked_sub(1)
        .and_then(|wave| campaign.waves.get(wave))
    {
        Some(wave) if all > 1 => {
            let number = campaign.wave;
            lines.push(format!("wave {number} of {all}: {}", of_wave(wave)));
        }
        None if all > 1 => lines.push(format!("{all} waves, and none of them has begun")),
        _ => {}
    }
    if let Some(stops_at) = campaign.stops_at {
        lines.push(format!(
            "{} failed; it stops at {stops_at}",
            campaign.failed
        ));
    }
    if let Some(rate) = campaign.rate {
        lines.push(format!("held to {}/s", units::size(rate)));
    }
    if let Some(held) = &campaign.held {
        lines.push(held_in_words(group, held));
    } else if campaign.offline > 0 && campaign.untouched == 0 {
        lines.push(format!(
            "{} asked again",
            count(campaign.offline, "offline entity")
        ));
    }
    if campaign.untouched > 0 {
        lines.push(format!("{} not begun", count(campaign.untouched, "entity")));
    }
    lines
}

/// Why nothing begins, and what lets it go on.
pub(super) fn held_in_words(group: &str, held: &Held) -> String {
    let why = held.in_words(Timestamp::now(), &TimeZone::system());
    match &held.by {
        HeldBy::Pause(_) => {
            let group = shown(group);
            format!("{why}; `subtend resume {group}` lets it go on")
        }
        HeldBy::Wait(Wait::Secrets { credentials }) => {
            let names: Vec<String> = credentials.iter().map(|name| shown(name)).collect();
            format!("{why}; `subtend login {}` gives it", names.join(" "))
        }
        HeldBy::Wait(_) => why,
    }
}

fn of_wave(wave: &WaveSnapshot) -> String {
    let counts = [
        (wave.under_way, "under way"),
        (wave.good, "good"),
        (wave.unproven, "unproven"),
        (wave.failed, "failed"),
        (wave.offline, "offline"),
    ];
    let counts = counts.into_iter().filter(|(many, _)| *many > 0);
    let counts: Vec<String> = counts
        .map(|(many, what)| format!("{many} {what}"))
        .collect();
    let entities = count(wave.entities, "entity");
    match counts.is_empty() {
        true => entities,
        false => format!("{entities}, {}", counts.join(", ")),
    }
}
