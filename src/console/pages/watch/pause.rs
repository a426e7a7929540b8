//! Pausing a group, and letting it go on: the first at once, the second after a question, for it begins work.

use crate::console::action::Action;
use crate::console::asked::{Asked, OfWatch};
use crate::console::dialogs::Dialog;
use crate::console::effect::Effect;
use crate::console::keymap::Hint;
use crate::console::page::Page;
use crate::console::state::{Request, Shared};
use crate::model::EntityState;
use crate::model::columns::{count, wrap};
use crate::model::text::{quoted, shown};
use crate::protocol::{Command, GroupSnapshot, Held, HeldBy, PauseReason, Snapshot, Wait};

/// What the key does to a group as it stands.
#[derive(Debug, PartialEq, Eq)]
pub(super) enum Key<'a> {
    /// It is held like this, until somebody says to go on.
    GoesOn(&'a Held),
    /// These credentials have no secret.
    Gives(&'a [String]),
    Pauses,
    /// All have begun, or it has ended.
    Nothing,
}

pub(super) fn key(group: &GroupSnapshot) -> Key<'_> {
    let campaign = group.campaign.as_deref();
    let held = campaign.and_then(|campaign| campaign.held.as_ref());
    let waits = |state| matches!(state, EntityState::Waiting | EntityState::Offline);
    let has_more = || {
        let waiting = group.entities.iter().any(|one| waits(one.state));
        campaign.map_or(waiting, |campaign| {
            campaign.untouched + campaign.offline > 0
        })
    };
    match held {
        _ if group.phase.is_ended() => Key::Nothing,
        Some(held) if matches!(held.by, HeldBy::Pause(_)) => Key::GoesOn(held),
        Some(Held {
            by: HeldBy::Wait(Wait::Secrets { credentials }),
            ..
        }) => Key::Gives(credentials),
        _ if has_more() => Key::Pauses,
        _ => Key::Nothing,
    }
}

/// What the key does, beside the reason that it is pressed for.
pub(super) fn hint(group: &GroupSnapshot) -> Option<Hint> {
    let does = |what| Some((Action::Pause, what));
    match key(group) {
        Key::GoesOn(_) => does("go on"),
        Key::Gives(_) => does("give it"),
        Key::Pauses => does("pause"),
        Key::Nothing => None,
    }
}

pub(super) fn press(shared: &mut Shared, group: &GroupSnapshot) -> Option<Effect> {
    if shared.engine.watch_only {
        shared.say("this console only watches: a plain `subtend attach` pauses and goes on");
        return None;
    }
    if shared.frozen.is_some() {
        let freeze = shared.key(Page::Watch, &Action::Freeze);
        shared.say(format!(
            "the display is frozen: {freeze} shows how it stands now"
        ));
        return None;
    }
    let name = shown(&group.group);
    match key(group) {
        Key::GoesOn(held) => {
            let intent = Asked::Watch(OfWatch::Resume {
                group: group.group.clone(),
                held: Box::new(held.clone()),
            });
            let title = format!("Go on with {name}?");
            let lines = question(shared, group, held);
            let keys = ["goes on", "leaves it paused"];
            (shared.dialogs).push(Dialog::sheet(title, lines, keys, intent));
        }
        Key::Gives(credentials) => shared.request(Request::Secret(credentials.to_vec())),
        Key::Pauses => {
            shared.say(format!(
                "{name} is being paused: who has begun goes on, no other begins"
            ));
            let group = group.group.to_string();
            return Some(Effect::Send(vec![Command::Pause { group }]));
        }
        Key::Nothing if group.phase.is_ended() => {
            shared.say(format!("{name} has ended: nothing is left to pause"));
        }
        Key::Nothing => {
            let cancel = shared.key(Page::Watch, &Action::Cancel);
            shared.say(format!(
                "all of {name} have begun, so nothing is left to pause; {cancel} cancels"
            ));
        }
    }
    None
}

/// What has held it, and who begins.
fn question(shared: &Shared, group: &GroupSnapshot, held: &Held) -> Vec<String> {
    let width = usize::from(shared.columns).saturating_sub(8).clamp(30, 70);
    let time = &shared.time;
    let mut said = vec![held.in_words(time.now, &time.zone)];
    if let Some(campaign) = group.campaign.as_deref() {
        match campaign.under_way() {
            0 => {}
            many => said.push(format!("{} still under way.", count(many, "entity"))),
        }
        let next = campaign.next_in_words();
        let next = next.unwrap_or_else(|| "nobody else".to_owned());
        said.push(format!("Begins now: {next}."));
        if let (HeldBy::Pause(PauseReason::Failures { .. }), Some(stops_at)) =
            (&held.by, campaign.stops_at)
        {
            said.push(format!(
                "Failures are counted anew from here: it stops again at {stops_at} more."
            ));
        }
    }
    said.iter().flat_map(|text| wrap(text, 0, width)).collect()
}

/// It was said to go on: with what was asked about, and nothing else.
pub(super) fn resumed(
    shared: &mut Shared,
    snapshot: &Snapshot,
    name: &str,
    asked: &Held,
) -> Option<Effect> {
    let mut groups = snapshot.groups.iter().rev();
    let group = groups.find(|group| *group.group == *name)?;
    match key(group) {
        Key::GoesOn(held) if held == asked => {
            shared.say(format!("{} goes on", shown(name)));
            let group = name.to_owned();
            let since = Some(held.since);
            Some(Effect::Send(vec![Command::Resume { group, since }]))
        }
        _ => {
            let name = quoted(name);
            shared.complain(format!(
                "{name} is not held by that any more: nothing was done"
            ));
            None
        }
    }
}
