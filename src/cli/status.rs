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
use crate::model::moments::of_today;
use crate::model::text::shown;
use crate::model::units;
use crate::protocol::{
    CampaignSnapshot, GroupPhase, GroupSnapshot, Held, HeldBy, Snapshot, Wait, WaveSnapshot,
};
use crate::remote::{RemoteError, Wants, Welcome};

/// An engine answers within this time.
const ANSWER: Duration = Duration::from_secs(20);
/// Maximum number of entities that are named in a line; JSON has them all.
const MOST_NAMES: usize = 8;

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
                let goes_on = |run: &CutOff| {
                    let mut waiting = waiting.iter();
                    waiting.any(|other| other.run == run.run && other.is_whole)
                };
                let cut_off = cut_off.iter().filter(|run| !goes_on(run));
                let cut_off = cut_off.map(CutOff::sentence);
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
            let away: Vec<Value> = offline(group)
                .into_iter()
                .map(|(entity, since)| json!({ "entity": entity, "since": since }))
                .collect();
            json!({
                "group": group.group, "image": group.image, "source": group.source,
                "phase": phase, "outcome": outcome, "read": group.read, "size": group.size,
                "seconds": group.seconds, "time_left": group.time_left,
                "entities": states(group), "campaign": group.campaign,
                "offline": away,
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
    let (now, zone) = (Timestamp::now(), TimeZone::system());
    for group in &snapshot.groups {
        for line in group_lines(group, now, &zone) {
            text.push_str(&format!("{line}\n"));
        }
    }
    text
}

/// What it does, or what it waits for.
fn doing(group: &GroupSnapshot, now: Timestamp, zone: &TimeZone) -> String {
    let (phase, outcome) = phase(group);
    if let Some(how) = outcome {
        return format!("{phase}: {how}");
    }
    let campaign = group.campaign.as_ref().filter(|_| group.is_at_rest());
    if let Some(word) = campaign.and_then(|campaign| campaign.word(now, zone)) {
        return word;
    }
    match group.size {
        Some(size) if size > 0 && group.phase == GroupPhase::Transferring => {
            format!("{phase}, {} % read", group.read.min(size) * 100 / size)
        }
        _ => phase.to_owned(),
    }
}

fn group_lines(group: &GroupSnapshot, now: Timestamp, zone: &TimeZone) -> Vec<String> {
    let states: Vec<String> = states(group)
        .into_iter()
        .map(|(state, number)| format!("{number} {state}"))
        .collect();
    let mut lines = vec![format!(
        "{}: {} from {}, {}; {}",
        shown(&group.group),
        shown(&group.image),
        shown(&group.source),
        doing(group, now, zone),
        states.join(", ")
    )];
    if group.phase.is_ended() {
        return lines;
    }
    let more = group.campaign.iter();
    let more = more.flat_map(|campaign| campaign_lines(&group.group, campaign));
    let more = more.chain(offline_line(group, now, zone));
    lines.extend(more.map(|line| format!("  {line}")));
    lines
}

/// Those that can't be reached, and since when.
fn offline(group: &GroupSnapshot) -> Vec<(&str, Timestamp)> {
    let offline = group.entities.iter();
    offline
        .filter_map(|one| Some((&*one.entity, one.offline_since?)))
        .collect()
}

fn offline_line(group: &GroupSnapshot, now: Timestamp, zone: &TimeZone) -> Option<String> {
    let mut offline = offline(group);
    // Those that have been away for longest are what somebody may have to look at.
    offline.sort_by_key(|(_, since)| *since);
    let shown_ones = offline.iter().take(MOST_NAMES);
    let mut names: Vec<String> = shown_ones
        .map(|(name, since)| format!("{} since {}", shown(name), of_today(*since, now, zone)))
        .collect();
    match offline.len() {
        0 => return None,
        all if all > MOST_NAMES => names.push(format!("and {} more", all - MOST_NAMES)),
        _ => {}
    }
    Some(format!("offline: {}", names.join(", ")))
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

#[cfg(test)]
mod tests {
    use super::*;
    use crate::console::testing::{entity, group};
    use crate::model::EntityState;
    use crate::protocol::PauseReason;

    fn campaign(under_way: usize, by: Option<HeldBy>) -> Box<CampaignSnapshot> {
        let wave = WaveSnapshot {
            entities: 3,
            under_way,
            good: 1,
            ..WaveSnapshot::default()
        };
        let since = Timestamp::UNIX_EPOCH;
        Box::new(CampaignSnapshot {
            waves: vec![wave],
            wave: 1,
            held: by.map(|by| Held { since, by }),
            untouched: 0,
            offline: 0,
            failed: 0,
            stops_at: None,
            rate: None,
        })
    }

    fn drained(campaign: Box<CampaignSnapshot>) -> GroupSnapshot {
        let entities = vec![entity("e1", EntityState::Delivered, 0)];
        GroupSnapshot {
            phase: GroupPhase::Draining,
            size: Some(1000),
            read: 0,
            campaign: Some(campaign),
            ..group("adsl", entities)
        }
    }

    fn lines(group: &GroupSnapshot) -> Vec<String> {
        group_lines(group, Timestamp::UNIX_EPOCH, &TimeZone::UTC)
    }

    #[test]
    fn a_group_at_rest_says_what_it_waits_for_and_not_what_it_has_read() {
        let pause = || HeldBy::Pause(PauseReason::Asks { wave: 1 });
        let window = HeldBy::Wait(Wait::Window { until: None });
        let credentials = vec!["craft".into()];
        let secrets = HeldBy::Wait(Wait::Secrets { credentials });
        for (under_way, by, doing) in [
            (0, Some(pause()), ", paused; 1 delivered"),
            (0, Some(window), ", waits; 1 delivered"),
            (0, Some(secrets), ", asks secret; 1 delivered"),
            // Something is done.
            (1, Some(pause()), ", draining; 1 delivered"),
            (1, None, ", draining; 1 delivered"),
        ] {
            let lines = lines(&drained(campaign(under_way, by)));
            assert!(lines[0].ends_with(doing), "{lines:?}");
        }
        let mut reads = drained(campaign(1, None));
        (reads.phase, reads.read) = (GroupPhase::Transferring, 250);
        let said = lines(&reads);
        assert!(said[0].contains(", transferring, 25 % read; "), "{said:?}");
    }

    #[test]
    fn those_that_are_offline_are_named_with_since_when_the_longest_first() {
        let away = |number: i64| {
            let mut one = entity(&format!("e{number}"), EntityState::Offline, 0);
            one.offline_since = Timestamp::from_second(600 - 60 * number).ok();
            one
        };
        let mut group = drained(campaign(0, None));
        group.entities = vec![away(1), entity("e2", EntityState::Waiting, 0), away(3)];
        let said = lines(&group);
        let last = said.last().unwrap();
        assert_eq!(last, "  offline: e3 since 00:07, e1 since 00:09");
        group.entities = (1..=10).map(away).collect();
        let said = lines(&group);
        let last = said.last().unwrap();
        assert!(last.starts_with("  offline: e10 since 00:00, "), "{last}");
        assert!(last.ends_with("e3 since 00:07, and 2 more"), "{last}");
    }
}
