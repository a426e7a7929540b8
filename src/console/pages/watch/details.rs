//! Everything that is known about an entity, or a group, to read at one's leisure.

use std::collections::BTreeMap;

use crate::console::dialogs::Dialog;
use crate::console::state::{Shared, Site};
use crate::console::widgets::plot::clock;
use crate::model::columns::wrap;
use crate::model::text::shown;
use crate::model::timeline::Stretch;
use crate::model::{
    Entity, EntityState, MadeGroup, Standing, UNPROVEN_HINT, Verified, names, units,
};
use crate::protocol::{EntitySnapshot, GroupSnapshot};

use super::figures;

const LABEL: usize = 12;

pub(super) fn of_entity(
    site: &Site,
    group: &GroupSnapshot,
    entity: &EntitySnapshot,
    width: usize,
) -> Dialog {
    let mut page = Page::new(width);
    page.entry("group", &group.group);
    page.entry(
        "image",
        &format!("{} version {}", group.image, group.version),
    );
    let known = site.inventory.entity(&entity.entity);
    if let (Some(wave), Some(campaign)) = (entity.wave, group.campaign.as_deref()) {
        page.entry("wave", &format!("{wave} of {}", campaign.waves.len()));
    }
    if let Some(known) = known {
        page.entry("versions", &before_and_after(&known.version, group, entity));
        page.entry("address", &known.address.to_string());
        page.entry("file", known.path.as_str());
    }
    page.entry(
        "state",
        &state_in_words(entity, known.map(|known| &**known)),
    );
    if let Some(step) = entity.step {
        page.entry("step", &step.to_string());
    }
    if let Some(cause) = &entity.cause {
        page.entry("cause", cause);
    }
    if let Some(hint) = &entity.hint {
        let again = match hint.may_pass {
            true => "trying again may help",
            false => "trying again does not help by itself",
        };
        let advice = hint.advice.as_deref().map(|advice| format!("{advice}; "));
        page.entry("advice", &format!("{}{again}", advice.unwrap_or_default()));
    }
    if let Some(runs) = &entity.runs {
        page.entry("runs", &format!("version {runs}, as it said itself"));
    }
    if let Some(holds) = entity.holds {
        page.entry("holds", &format!("{holds}: {}", holds.words()));
    }
    page.entry("try", &entity.attempt.to_string());
    let size = group.size.map_or("?".into(), bytes);
    page.entry("sent", &format!("{} of {size}", bytes(entity.sent)));
    page.entry("confirmed", &bytes(entity.confirmed));
    let verified = match entity.verified {
        Verified::Digest => "by a digest that the entity computed of its copy",
        Verified::Readback => "the copy was read back and its SHA-256 compared",
        Verified::Size => "by the size alone that the entity reported",
        Verified::None => "not yet, or not at all",
    };
    page.entry("checked", verified);
    let staged = if entity.staged {
        "to a staging name first, renamed at the end"
    } else {
        "not to a staging name (yet)"
    };
    page.entry("written", staged);
    if let Some(left) = &entity.left {
        page.entry(
            "left behind",
            &format!("{left}, which could not be removed"),
        );
    }
    page.entry("lag", &format!("{} blocks", entity.lag));
    page.entry("rate", &figures::rate(entity.rate));
    page.entry("time", &seconds(entity.seconds));
    for (at, line) in timeline(entity).iter().enumerate() {
        page.entry(if at == 0 { "history" } else { "" }, line);
    }
    Dialog::reading(shown(&entity.entity), page.lines)
}

/// The states that it was in, since when in its group's time, and what it took in them.
fn timeline(entity: &EntitySnapshot) -> Vec<String> {
    let line = |one: Stretch<'_>| {
        let standing = Standing::of(one.mark.state, entity.verified);
        let mut line = format!("{} {standing}", clock(one.from.as_secs()));
        if one.mark.attempt > 1 {
            line += &format!(", try {}", one.mark.attempt);
        }
        if let Some(until) = one.until {
            line += &format!(", {}", units::duration(until.saturating_sub(one.from)));
        }
        if let Some(took) = one
            .took
            .filter(|took| *took > 0 && one.mark.state.takes_bytes())
        {
            line += &format!(", took {}", units::size(took));
        }
        if let Some(cause) = &one.mark.cause {
            line += &format!(": {cause}");
        }
        match one.left_out {
            0 => vec![line],
            more => vec![line, format!("{more} more, which are not kept")],
        }
    };
    entity.past.stretches().flat_map(line).collect()
}

/// The word for its state, and what that means.
fn state_in_words(entity: &EntitySnapshot, known: Option<&Entity>) -> String {
    let can_be_asked = known.is_none_or(|known| known.evidence().can_be_asked());
    let looks = match can_be_asked {
        true => UNPROVEN_HINT,
        false => "its protocol has no way to",
    };
    let unproven =
        format!("delivered, unproven: nobody has looked at the content of its copy; {looks}");
    match entity.state {
        EntityState::CatchingUp => {
            "catching-up: it held up the others, so it left their pass with its file open and goes \
             on from the same byte in a later one"
        }
        EntityState::Offline => "offline: it can't be reached, and is asked again by itself",
        EntityState::Retrying => "retrying: it waits for its next try, from byte 0",
        EntityState::Preparing => "preparing: the steps of its procedure before the image",
        EntityState::Activating => "activating: the steps that make it run an image",
        EntityState::Restarting => "restarting: it goes, and is waited for until it is back",
        EntityState::Checking => "checking: it is asked what it runs",
        EntityState::Upgraded => "upgraded: it said itself that it runs the image",
        EntityState::RolledBack => {
            "rolled-back: it was made to run its previous image again, and said itself that it does"
        }
        EntityState::Delivered if entity.standing() == Standing::Unproven => &unproven,
        state => state.as_str(),
    }
    .to_owned()
}

/// `2.3 -> 2.4, runs 2.4`: what it had before, what it gets, and what it says that it runs.
fn before_and_after(before: &str, group: &GroupSnapshot, entity: &EntitySnapshot) -> String {
    let runs = entity.runs.as_deref();
    let runs = runs.map_or_else(String::new, |runs| format!(", runs {runs}"));
    match before {
        "" => format!("not known -> {}{runs}", group.version),
        before => format!("{before} -> {}{runs}", group.version),
    }
}

pub(super) fn of_group(
    shared: &Shared,
    group: &GroupSnapshot,
    origin: Option<&MadeGroup>,
    width: usize,
) -> Dialog {
    let totals = figures::totals(group);
    let mut page = Page::new(width);
    page.entry(
        "image",
        &format!("{} version {}", group.image, group.version),
    );
    page.entry("state", &figures::phase(group, &shared.time));
    let why = group.source_reason.as_deref();
    let why = why.map_or_else(String::new, |reason| format!("; {reason}"));
    page.entry("source", &format!("{}{why}", group.source));
    page.entry("size", &group.size.map_or("not known yet".into(), bytes));
    page.entry(
        "sha256",
        group.sha256.as_deref().unwrap_or("not read to the end yet"),
    );
    page.entry(
        "read",
        &format!(
            "{} from all sources, passes: {}",
            bytes(group.source_bytes),
            group.passes
        ),
    );
    page.entry(
        "confirmed",
        &format!("{} by entities", bytes(totals.confirmed)),
    );
    page.entry(
        "pool",
        &format!(
            "{} buffers of {}, {} hold a block",
            group.depth,
            units::size(group.buffer_size),
            group.used
        ),
    );
    if let Some(origin) = origin {
        let policy = origin.policy;
        page.entry("laggards", &policy.laggards_in_words());
        page.entry("retries", &policy.limits.retries_in_words());
        page.entry("parallel", &policy.parallel_in_words());
        for (name, text) in origin.campaign.in_words() {
            page.entry(name, &text);
        }
    }
    if let Some(campaign) = group.campaign.as_deref() {
        let time = &shared.time;
        if let Some(held) = campaign.held_in_words(time.now, &time.zone) {
            page.entry("now", &held);
        }
    }
    let inventory = &shared.site.inventory;
    let image = inventory.image(&group.image);
    if let Some(procedure) = image.and_then(|image| inventory.procedure(&image.type_)) {
        page.entry("procedure", &procedure.in_words());
    }
    if let Some(reason) = &group.depth_reason {
        page.entry("depth", &format!("last changed: {reason}"));
    }
    page.entry("waits for", &figures::bottleneck(&group.bottleneck));
    page.entry("time", &seconds(group.seconds));
    page.entry("left", &figures::time_left(group.time_left));
    for (state, count) in figures::STATES.iter().zip(totals.states) {
        if count > 0 {
            page.entry(state.as_str(), &count.to_string());
        }
    }
    versions(&mut page, shared, group);
    Dialog::reading(format!("Group {}", shown(&group.group)), page.lines)
}

/// The versions of all entities, with those that have them.
fn versions(page: &mut Page, shared: &Shared, group: &GroupSnapshot) {
    let mut found: BTreeMap<String, Vec<&str>> = BTreeMap::new();
    for entity in &group.entities {
        let known = shared.site.inventory.entity(&entity.entity);
        let before = known.map_or("", |known| &*known.version);
        let text = before_and_after(before, group, entity);
        let text = format!("{text}, {}", entity.standing().as_str());
        found.entry(text).or_default().push(&entity.entity);
    }
    for (at, (versions, names)) in found.iter().enumerate() {
        let label = if at == 0 { "versions" } else { "" };
        page.entry(label, &format!("{versions}:"));
        page.entry("", &names::compress(names).join(", "));
    }
}

fn bytes(bytes: u64) -> String {
    format!("{} ({bytes} bytes)", units::size(bytes))
}

fn seconds(seconds: f64) -> String {
    units::duration(std::time::Duration::try_from_secs_f64(seconds).unwrap_or_default())
}

struct Page {
    width: usize,
    lines: Vec<String>,
}

impl Page {
    fn new(columns: usize) -> Self {
        Self {
            // The dialog's border and padding.
            width: columns.saturating_sub(6 + LABEL).clamp(20, 80),
            lines: Vec::new(),
        }
    }

    fn entry(&mut self, label: &str, text: &str) {
        // Lists of names are longer than one text from outside may be: word by word.
        let words: Vec<String> = text.split_whitespace().map(shown).collect();
        let lines = wrap(&words.join(" "), 0, self.width);
        for (at, line) in lines.into_iter().enumerate() {
            let label = if at == 0 { label } else { "" };
            // A continued line keeps its place: leading blanks are kept by the dialog.
            self.lines.push(format!("{label:<LABEL$}{line}"));
        }
    }
}
