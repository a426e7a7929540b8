//! Figures that are not in a snapshot but follow from it, and how pages show them.

use jiff::Timestamp;
use ratatui::style::Style;

use crate::console::activation;
use crate::console::state::Time;
use crate::model::columns::count;
use crate::model::{Bottleneck, Entity, EntityState, Holds, Inventory, Standing, Step, Verified};
use crate::protocol::{EntitySnapshot, GroupPhase, GroupSnapshot, Snapshot};
use crate::terminal::{Theme, Tone};

/// What a group comes to.
#[derive(Debug, Default, PartialEq)]
pub(super) struct Totals {
    /// Entities by state, in [`STATES`]' order.
    pub(super) states: [usize; STATES.len()],
    /// Bytes sent in the attempts that count, of all the bytes to be sent; the size may be unknown.
    pub(super) sent: u64,
    pub(super) to_send: u64,
    /// Bytes that entities have confirmed.
    pub(super) confirmed: u64,
}

/// What needs a look first comes first.
pub(super) const STATES: [Standing; 20] = [
    Standing::In(EntityState::Failed),
    Standing::In(EntityState::RolledBack),
    Standing::In(EntityState::Retrying),
    Standing::In(EntityState::Offline),
    Standing::In(EntityState::CatchingUp),
    Standing::In(EntityState::Cancelled),
    Standing::Unproven,
    Standing::In(EntityState::Sending),
    Standing::In(EntityState::Fetching),
    Standing::In(EntityState::Confirming),
    Standing::In(EntityState::Verifying),
    Standing::In(EntityState::Activating),
    Standing::In(EntityState::Restarting),
    Standing::In(EntityState::Checking),
    Standing::In(EntityState::Connecting),
    Standing::In(EntityState::Preparing),
    Standing::In(EntityState::Waiting),
    Standing::In(EntityState::Delivered),
    Standing::In(EntityState::Upgraded),
    Standing::In(EntityState::Skipped),
];

pub(super) fn rank(standing: impl Into<Standing>) -> usize {
    let standing = standing.into();
    STATES
        .iter()
        .position(|one| *one == standing)
        .unwrap_or(STATES.len())
}

/// A state in a short word.
pub(super) fn short(standing: impl Into<Standing>) -> &'static str {
    let state = match standing.into() {
        Standing::In(state) => state,
        Standing::Unproven => return "unproven",
    };
    match state {
        EntityState::Waiting => "wait",
        EntityState::Connecting => "connect",
        EntityState::Preparing => "prepare",
        EntityState::Sending => "send",
        EntityState::Fetching => "fetch",
        EntityState::CatchingUp => "behind",
        EntityState::Confirming => "confirm",
        EntityState::Verifying => "verify",
        EntityState::Retrying => "retry",
        EntityState::Offline => "offline",
        EntityState::Activating => "activate",
        EntityState::Restarting => "restart",
        EntityState::Checking => "check",
        EntityState::Delivered => "done",
        EntityState::Upgraded => "upgraded",
        EntityState::Skipped => "skip",
        EntityState::Failed => "failed",
        EntityState::RolledBack => "rolled-back",
        EntityState::Cancelled => "cancel",
    }
}

pub(super) fn totals(group: &GroupSnapshot) -> Totals {
    let mut totals = Totals::default();
    for entity in &group.entities {
        if let Some(count) = totals.states.get_mut(rank(entity.standing())) {
            *count += 1;
        }
        totals.confirmed += entity.confirmed;
        if entity.state == EntityState::Skipped {
            continue;
        }
        // Where nothing is read, nobody knows the size: entities that have the image count alike.
        let size = group.size.unwrap_or(u64::from(is_on(entity)));
        let sent = if is_on(entity) { size } else { entity.sent };
        totals.to_send += size;
        totals.sent += sent.min(size);
    }
    totals
}

/// `-` when it can't be known.
pub(super) fn time_left(seconds: Option<f64>) -> String {
    match seconds {
        // A figure that changes with every look says nothing and costs bytes on a slow line.
        Some(seconds) if seconds < 1.0 => "1 s".into(),
        Some(seconds) if seconds < 60.0 => format!("{} s", seconds.ceil()),
        Some(seconds) if seconds < 3600.0 => {
            let seconds = seconds.ceil() as u64;
            format!("{}m {:02}s", seconds / 60, seconds % 60)
        }
        Some(seconds) if seconds < 360_000.0 => {
            let minutes = (seconds / 60.0).ceil() as u64;
            format!("{}h {:02}m", minutes / 60, minutes % 60)
        }
        _ => "-".into(),
    }
}

/// The lag from which on an entity holds up the pool, or is about to: half of the pool, where
/// others are not as far behind. Nobody holds anybody up when all are equally slow, or when nothing
/// is read any more.
pub(super) fn lag_limit(group: &GroupSnapshot) -> u64 {
    let sending = group.entities.iter().filter(|one| is_sending(one));
    let front = sending.map(|one| one.lag).min();
    match front.filter(|_| group.phase == GroupPhase::Transferring && group.depth > 0) {
        Some(front) => (group.depth as u64).div_ceil(2).max(2 * front + 1),
        None => u64::MAX,
    }
}

/// Whether it is at the group's [`lag_limit`] or beyond.
pub(super) fn lags(entity: &EntitySnapshot, limit: u64) -> bool {
    is_sending(entity) && entity.lag >= limit
}

fn is_sending(entity: &EntitySnapshot) -> bool {
    entity.state.is_sending()
}

/// Whether the image is in place on it, whatever it runs.
pub(super) fn is_on(entity: &EntitySnapshot) -> bool {
    let ended = matches!(entity.state, EntityState::Failed | EntityState::Cancelled);
    entity.state.has_image()
        || entity.state == EntityState::RolledBack
        || ended && entity.holds == Some(Holds::New)
}

/// Whether it is being made to run the image, or its previous one again.
pub(super) fn is_made_to_run(entity: &EntitySnapshot) -> bool {
    matches!(
        entity.state,
        EntityState::Activating | EntityState::Restarting | EntityState::Checking
    )
}

/// Whether devices of the group say what they run.
pub(super) fn upgrades(group: &GroupSnapshot) -> bool {
    let says = |one: &EntitySnapshot| {
        let is_end = matches!(one.state, EntityState::Upgraded | EntityState::RolledBack);
        one.runs.is_some() || is_end || is_made_to_run(one)
    };
    group.entities.iter().any(says)
}

/// Whether nobody gets the image any more, and devices are still made to run it.
pub(super) fn activates(group: &GroupSnapshot) -> bool {
    let mut left = group.entities.iter().filter(|one| !one.state.is_final());
    !group.phase.is_ended() && left.clone().count() > 0 && left.all(is_made_to_run)
}

/// How many say that they run the image, of those that are to.
pub(super) fn upgraded(group: &GroupSnapshot) -> (usize, usize) {
    let count = |state| {
        group
            .entities
            .iter()
            .filter(|one| one.state == state)
            .count()
    };
    let all = group.entities.len() - count(EntityState::Skipped);
    (count(EntityState::Upgraded), all)
}

/// `paused`, `waits 01:00`: how a group stands in which nothing is done.
pub(super) fn rests(group: &GroupSnapshot, time: &Time) -> Option<String> {
    let campaign = group.campaign.as_deref().filter(|_| group.is_at_rest())?;
    campaign.word(time.now, &time.zone)
}

/// Whether somebody has to say that it goes on.
fn is_paused(group: &GroupSnapshot) -> bool {
    let campaign = group.campaign.as_deref();
    campaign.is_some_and(|campaign| campaign.pause().is_some())
}

/// How many of an ended group hold the image, and can be made to run it.
pub(super) fn holders(inventory: &Inventory, snapshot: &Snapshot, group: &GroupSnapshot) -> usize {
    let image = inventory
        .image(&group.image)
        .filter(|_| group.phase.is_ended());
    let can = image.is_some_and(|image| activation::can_activate(inventory, &image.type_).is_ok());
    let delivered = |one: &&EntitySnapshot| one.state == EntityState::Delivered;
    let names = group.entities.iter().filter(|one| can && delivered(one));
    match names.clone().next() {
        None => 0,
        Some(_) => activation::holders(snapshot, &group.image, names.map(|one| &*one.entity)).len(),
    }
}

/// Nothing was to be sent to any.
pub(crate) fn all_had_it(group: &GroupSnapshot) -> bool {
    let had_it = |one: &EntitySnapshot| one.state == EntityState::Skipped;
    !group.entities.is_empty() && group.entities.iter().all(had_it)
}

pub(super) fn phase(group: &GroupSnapshot, time: &Time) -> String {
    use crate::model::Outcome;
    let some = upgraded(group).0 > 0;
    let is_no_mere_delivery = |one: &EntitySnapshot| some && one.state != EntityState::Delivered;
    let prepares = |one: &EntitySnapshot| one.state == EntityState::Preparing;
    if let Some(word) = rests(group, time) {
        return word;
    }
    match group.phase {
        phase if !phase.is_ended() && is_paused(group) => "paused, some still under way".into(),
        _ if activates(group) => "activating".into(),
        GroupPhase::Starting if group.entities.iter().any(prepares) => "preparing".into(),
        GroupPhase::Starting => "starting".into(),
        GroupPhase::Transferring => "transferring".into(),
        GroupPhase::Draining => "emptying the pool".into(),
        GroupPhase::Ended(Outcome::Delivered) if group.entities.iter().all(is_no_mere_delivery) => {
            "ended: upgraded".into()
        }
        GroupPhase::Ended(Outcome::Delivered) if all_had_it(group) => {
            "ended: all had it already".into()
        }
        GroupPhase::Ended(outcome) => format!("ended: {outcome}"),
    }
}

/// One cell for how a group stands.
pub(super) fn sign(group: &GroupSnapshot, theme: &Theme) -> &'static str {
    use crate::model::Outcome;
    if matches!(group.phase, GroupPhase::Ended(Outcome::Delivered)) && group.unproven() > 0 {
        return theme.sign(Standing::Unproven);
    }
    if group.is_at_rest() {
        return match is_paused(group) {
            true => "=",
            false => theme.sign(EntityState::Waiting),
        };
    }
    theme.sign(match group.phase {
        _ if activates(group) => EntityState::Activating,
        GroupPhase::Ended(Outcome::Delivered) if upgraded(group).0 > 0 => EntityState::Upgraded,
        GroupPhase::Starting => EntityState::Connecting,
        GroupPhase::Transferring | GroupPhase::Draining => EntityState::Sending,
        GroupPhase::Ended(Outcome::Delivered) => EntityState::Delivered,
        GroupPhase::Ended(Outcome::Waiting) => EntityState::Waiting,
        GroupPhase::Ended(Outcome::Cancelled) => EntityState::Cancelled,
        GroupPhase::Ended(Outcome::Partial | Outcome::Failed) => EntityState::Failed,
    })
}

/// The style of that sign.
pub(super) fn tone(group: &GroupSnapshot, theme: &Theme) -> Style {
    use crate::model::Outcome;
    theme.tone(match group.phase {
        _ if group.is_at_rest() => Tone::Look,
        GroupPhase::Ended(Outcome::Delivered) if group.unproven() > 0 => Tone::Look,
        GroupPhase::Ended(Outcome::Delivered) => Tone::Good,
        GroupPhase::Ended(Outcome::Cancelled | Outcome::Waiting) => Tone::Look,
        GroupPhase::Ended(Outcome::Partial | Outcome::Failed) => Tone::Bad,
        _ => Tone::Busy,
    })
}

/// Bytes a second that its entities take, all together.
pub(super) fn delivered_rate(group: &GroupSnapshot) -> f64 {
    group.entities.iter().map(|one| one.rate).sum()
}

/// `waits for shelf1-07, silent 34 s of 60 s`: what it waits for, if for anything.
pub(super) fn waits(group: &GroupSnapshot, inventory: &Inventory, now: Timestamp) -> String {
    if group.phase.is_ended() || group.is_at_rest() {
        return String::new();
    }
    if activates(group) {
        let many = group.entities.iter().filter(|one| !one.state.is_final());
        return format!("waits for {}", count(many.count(), "device"));
    }
    let what = bottleneck(&group.bottleneck);
    match &group.bottleneck {
        Bottleneck::None => String::new(),
        Bottleneck::Cap(_) => format!("held by {what}"),
        Bottleneck::Entity(name) => {
            let entity = group.entities.iter().find(|one| one.entity == *name);
            let known = inventory.entity(name).map(|known| &**known);
            match entity.and_then(|entity| silence(entity, now, known)) {
                Some(silence) => format!("waits for {what}, silent {silence}"),
                None => format!("waits for {what}"),
            }
        }
        Bottleneck::Source | Bottleneck::Memory => format!("waits for {what}"),
    }
}

/// In a word, and by name where it is an entity.
pub(super) fn bottleneck(bottleneck: &Bottleneck) -> String {
    match bottleneck {
        Bottleneck::Source => "source".into(),
        Bottleneck::Entity(name) => name.to_string(),
        Bottleneck::Memory => "memory".into(),
        Bottleneck::Cap(on) => format!("cap on {}", on.in_words()),
        Bottleneck::None => "none".into(),
    }
}

/// From which version to which, where a group upgrades: `2.3 -> 2.4`.
pub(super) fn versions(group: &GroupSnapshot, before: Option<&str>, theme: &Theme) -> String {
    let arrow = if theme.ascii { "->" } else { "→" };
    let version = &group.version;
    match before.filter(|before| !before.is_empty() && *before != &**version) {
        Some(before) => format!("{before} {arrow} {version}"),
        None => version.clone(),
    }
}

/// What a device that is, or was, made to run the image says, and what was known of it before: `None` for all others.
/// `versions` is from [`versions`].
pub(super) fn running(entity: &EntitySnapshot, versions: &str) -> Option<String> {
    let runs = entity.runs.as_deref();
    let says = runs.map_or_else(|| "says nothing".into(), |runs| format!("runs {runs}"));
    Some(match entity.state {
        EntityState::Upgraded => format!("{versions}, {says}"),
        EntityState::Failed | EntityState::Cancelled if runs.is_none() => return None,
        EntityState::RolledBack | EntityState::Failed | EntityState::Cancelled => {
            let cause = why(entity);
            let says = runs.map(|_| says);
            let parts = says.into_iter().chain((!cause.is_empty()).then_some(cause));
            parts.collect::<Vec<_>>().join(": ")
        }
        EntityState::Activating | EntityState::Restarting | EntityState::Checking => {
            versions.to_owned()
        }
        _ => return None,
    })
}

/// `34 s of 60 s`: how long an entity has taken nothing, of the time after which it is given up.
pub(super) fn silence(
    entity: &EntitySnapshot,
    now: Timestamp,
    known: Option<&Entity>,
) -> Option<String> {
    let lasts = now.duration_since(entity.silent_since?).as_secs().max(0);
    Some(match known.map(|known| known.timeouts.progress.as_secs()) {
        Some(most) => format!("{lasts} s of {most} s"),
        None => format!("{lasts} s"),
    })
}

/// What there is to say about an entity besides its figures, given the group's [`lag_limit`], the time, and what the
/// inventory knows of it.
pub(super) fn note(
    entity: &EntitySnapshot,
    limit: u64,
    now: Timestamp,
    known: Option<&Entity>,
) -> String {
    if let Some(silence) = silence(entity, now, known) {
        return format!("silent {silence}");
    }
    match entity.state {
        EntityState::Retrying if let Some(at) = entity.again_at => {
            let left = at.duration_since(now).as_secs();
            let when = match left {
                1.. => format!("again in {left} s"),
                _ => "again as soon as there is room".into(),
            };
            let why = why(entity);
            format!("{when} (try {}): {why}", entity.attempt + 1)
        }
        EntityState::Failed | EntityState::RolledBack => why(entity),
        EntityState::Retrying => match why(entity) {
            why if why.is_empty() => format!("after try {}", entity.attempt),
            why => format!("after try {}: {why}", entity.attempt),
        },
        EntityState::CatchingUp => "in a later pass".into(),
        EntityState::Delivered if entity.standing() == Standing::Unproven => {
            format!("delivered, {}", verified(entity))
        }
        EntityState::Delivered => format!("confirmed, {}", verified(entity)),
        EntityState::Confirming => "sent, not confirmed yet".into(),
        EntityState::Verifying => "sent, being checked".into(),
        EntityState::Skipped => (entity.cause.clone()).unwrap_or_else(|| "has it already".into()),
        EntityState::Waiting if entity.step == Some(Step::Verify) => {
            "asked whether it has it still".into()
        }
        EntityState::Cancelled => entity.cause.clone().unwrap_or_default(),
        // When it is asked next is a part of it.
        EntityState::Offline => why(entity),
        _ if lags(entity, limit) => "falls behind".into(),
        _ if entity.attempt > 1 => format!("try {}", entity.attempt),
        _ => String::new(),
    }
}

/// The step and the cause of a failure, where the cause does not name the step itself.
fn why(entity: &EntitySnapshot) -> String {
    match (entity.step, &entity.cause) {
        // Of a procedure the cause names part and number.
        (Some(Step::Command | Step::Restart), Some(cause)) => cause.clone(),
        (Some(step), Some(cause)) if !cause.starts_with(&step.to_string()) => {
            format!("{step}: {cause}")
        }
        (_, Some(cause)) => cause.clone(),
        (Some(step), None) => format!("at step {step}"),
        (None, None) => String::new(),
    }
}

pub(super) fn verified(entity: &EntitySnapshot) -> String {
    match entity.verified {
        Verified::None => "not checked".into(),
        Verified::Size => "by size alone".into(),
        how => format!("by {how}"),
    }
}

/// A rate in at most 10 columns and two or three digits: more of them would change with every look,
/// which says nothing and costs bytes on a slow line. An entity that sends nothing shows none.
pub(super) fn rate(bytes_per_second: f64) -> String {
    if bytes_per_second < 1.0 {
        return "-".into();
    }
    let (mut value, mut unit) = (bytes_per_second, "B/s");
    for larger in ["KiB/s", "MiB/s", "GiB/s"] {
        if value < 1000.0 {
            break;
        }
        (value, unit) = (value / 1024.0, larger);
    }
    if value < 9.95 && unit != "B/s" {
        format!("{value:.1} {unit}")
    } else {
        format!("{value:.0} {unit}")
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn rates_and_times_are_short() {
        assert_eq!(rate(0.2), "-");
        assert_eq!(rate(900.0), "900 B/s");
        assert_eq!(rate(1500.0), "1.5 KiB/s");
        assert_eq!(rate(150_000.0), "146 KiB/s");
        assert_eq!(rate(1_500_000.0), "1.4 MiB/s");
        for shift in 0..40 {
            assert!(rate((1_u64 << shift) as f64 * 1.3).len() <= 10, "{shift}");
        }
        assert_eq!(time_left(None), "-");
        assert_eq!(time_left(Some(0.1)), "1 s");
        assert_eq!(time_left(Some(59.5)), "60 s");
        assert_eq!(time_left(Some(125.0)), "2m 05s");
        assert_eq!(time_left(Some(7300.0)), "2h 02m");
    }
}
