//! A run as plain lines, for pipes, files and terminals that can't move their cursor: what matters
//! as it happens, and every ten seconds how far each group is.

use std::collections::HashMap;
use std::time::Duration;

use jiff::Timestamp;
use jiff::tz::TimeZone;

use super::report::report;
use super::text::count;
use super::watch::View;
use super::words::{done, left, limited, percent, tally, verified};
use crate::model::text::{escaped, shown};
use crate::model::{EntityState, Name, units};
use crate::protocol::{Event, GroupPhase, GroupSnapshot, Snapshot, Summary};
use crate::terminal::Output;

pub(super) struct Lines {
    out: Output,
    utf8: bool,
    /// The newest progress line of each group, to leave out what says nothing new.
    last: HashMap<Name, String>,
    zone: TimeZone,
}

impl Lines {
    pub(super) fn new(out: Output, utf8: bool) -> Self {
        Self {
            out,
            utf8,
            last: HashMap::new(),
            zone: TimeZone::system(),
        }
    }

    fn print(&self, at: Timestamp, line: &str) {
        let line = if self.utf8 {
            line.to_owned()
        } else {
            line.replace('…', "...")
        };
        self.out.line(&format!("{at:.0} {line}"));
    }
}

impl View for Lines {
    fn period(&self) -> Duration {
        Duration::from_secs(10)
    }

    fn event(&mut self, event: &Event) {
        if let Some((at, line)) = line(event, &self.zone) {
            self.print(at, &line);
        }
    }

    fn tick(&mut self, snapshot: &Snapshot) {
        if !self.out.is_idle() {
            return;
        }
        for group in &snapshot.groups {
            if matches!(group.phase, GroupPhase::Ended(_)) {
                continue;
            }
            let line = progress(group);
            if self.last.get(&group.group) != Some(&line) {
                self.print(snapshot.at, &line);
                self.last.insert(group.group.clone(), line);
            }
        }
    }

    fn say(&mut self, text: &str) {
        self.print(Timestamp::now(), text);
    }

    fn end(&mut self, _snapshot: &Snapshot, summary: &Summary) {
        self.out.line("");
        self.out.write(report(summary, 80).into_bytes());
    }

    fn out(&mut self) -> &mut Output {
        &mut self.out
    }
}

/// An event that people want to see, in words.
fn line(event: &Event, zone: &TimeZone) -> Option<(Timestamp, String)> {
    Some(match event {
        Event::Run {
            at,
            run,
            groups,
            memory,
        } => {
            let groups: Vec<String> = groups.iter().map(|group| shown(group)).collect();
            let (run, groups, memory) = (shown(run), groups.join(", "), units::size(*memory));
            (*at, format!("run {run}: {groups} in {memory}"))
        }
        Event::State { at, .. } => (*at, state(event)?),
        Event::Campaign { at, group, change } => {
            let change = change.in_words(*at, zone);
            (*at, format!("{} {change}", shown(group)))
        }
        Event::Pass { at, .. } => (*at, pass(event)?),
        Event::Source {
            at,
            group,
            pass,
            source,
            offset,
            cause,
        } => {
            let [group, source, cause] = [&**group, source, cause].map(shown);
            let line =
                format!("{group} pass {pass}: goes on from {source} at byte {offset}: {cause}");
            (*at, line)
        }
        Event::Depth {
            at,
            group,
            from,
            to,
            reason,
        } => {
            let [group, reason] = [&**group, reason].map(shown);
            (
                *at,
                format!("{group} pool: {from} -> {to} buffers, {reason}"),
            )
        }
        Event::Refused { at, reason } => (*at, format!("refused: {}", shown(reason))),
        Event::Notice { at, text } => (*at, shown_notice(text)),
        Event::Did { at, who, what } => (*at, format!("{} {}", shown(who), shown(what))),
        // Sampled here, shown by the summary at the end, or not meant for watchers.
        Event::Progress { .. }
        | Event::Summary(_)
        | Event::Group { .. }
        | Event::Rate { .. }
        | Event::Ended { .. }
        | Event::Image { .. }
        | Event::Stored { .. }
        | Event::Left { .. }
        | Event::Advice { .. }
        | Event::Series { .. }
        | Event::Viewers { .. }
        | Event::Peers { .. }
        | Event::Directory { .. }
        | Event::Probed { .. }
        | Event::Held { .. } => return None,
    })
}

fn state(event: &Event) -> Option<String> {
    let Event::State {
        group,
        entity,
        state,
        step,
        cause,
        attempt,
        holds,
        verified: checked,
        runs,
        ..
    } = event
    else {
        return None;
    };
    let mut line = format!("{} {} {state}", shown(group), shown(entity));
    if let Some(how) = checked.filter(|how| !how.is_proof()) {
        line += &format!(", unproven ({})", verified(how));
    }
    match state {
        EntityState::Failed | EntityState::Retrying => {
            if let Some(step) = step {
                line += &format!(" at {step}");
            }
            line += &format!(" (attempt {attempt})");
        }
        EntityState::Offline => {}
        EntityState::CatchingUp => line += ": goes on in a later pass",
        EntityState::Upgraded if runs.is_some() => line += ":",
        EntityState::Delivered
        | EntityState::Upgraded
        | EntityState::Activating
        | EntityState::Restarting
        | EntityState::RolledBack
        | EntityState::Cancelled
        | EntityState::Skipped => {}
        _ => return None,
    }
    if let Some(runs) = runs.as_deref().filter(|_| state.is_final()) {
        let comma = if *state == EntityState::Upgraded {
            ""
        } else {
            ","
        };
        line += &format!("{comma} runs {}", shown(runs));
    }
    if let Some(cause) = cause {
        line += &format!(": {}", shown(cause));
    }
    if let (EntityState::Failed | EntityState::RolledBack | EntityState::Cancelled, Some(holds)) =
        (state, holds)
    {
        line += &format!("; {}", holds.words());
    }
    Some(line)
}

fn pass(event: &Event) -> Option<String> {
    let Event::Pass {
        group,
        pass,
        source,
        offset,
        entities,
        read,
        ..
    } = event
    else {
        return None;
    };
    let (group, source) = (shown(group), shown(source));
    if let Some(read) = read {
        let read = units::size(*read);
        return Some(format!("{group} pass {pass}: read {read} from {source}"));
    }
    let entities = count(entities.len(), "entity");
    let from = match offset {
        0 => String::new(),
        offset => format!(", from byte {offset} on"),
    };
    Some(format!(
        "{group} pass {pass}: reading {source} for {entities}{from}"
    ))
}

/// A notice may be long: it is ours, and it says what to do.
pub(super) fn shown_notice(text: &str) -> String {
    format!("note: {}", escaped(text))
}

fn progress(group: &GroupSnapshot) -> String {
    let states = group
        .entities
        .iter()
        .map(|entity| entity.standing().as_str());
    let states = tally(&states.collect::<Vec<_>>());
    let (name, read) = (shown(&group.group), units::size(group.read));
    let part = percent(done(group));
    let after = |sign: &str, text: Option<String>| {
        text.map_or_else(String::new, |text| format!("{sign}{text}"))
    };
    let size = after(" of ", group.size.map(units::size));
    let left = after(", ", left(group));
    let limit = after(", ", limited(group));
    let why = (group.depth_reason.as_deref()).map(|reason| format!("({})", shown(reason)));
    let why = after(" ", why);
    let (rate, used, depth) = (units::rate(group.rate), group.used, group.depth);
    format!(
        "{name} {}: read {read}{size} at {rate}{left}, pool {used}/{depth}{why}{limit}; {states}",
        part.trim_start(),
    )
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::model::{Holds, Step};

    #[test]
    fn laggards_retries_and_other_sources_are_told() {
        let at = Timestamp::UNIX_EPOCH;
        let state = |state, step, cause: Option<&str>| Event::State {
            runs: None,
            at,
            group: "adsl".into(),
            entity: "shelf1-03".into(),
            state,
            step,
            cause: cause.map(Into::into),
            attempt: 1,
            holds: None,
            verified: None,
        };
        let said = |event: &Event| line(event, &TimeZone::UTC).map(|(_, line)| line);
        assert_eq!(
            said(&state(EntityState::CatchingUp, Some(Step::Send), None)).as_deref(),
            Some("adsl shelf1-03 catching-up: goes on in a later pass")
        );
        let reset = state(EntityState::Retrying, Some(Step::Send), Some("reset"));
        assert_eq!(
            said(&reset).as_deref(),
            Some("adsl shelf1-03 retrying at send (attempt 1): reset")
        );
        assert_eq!(said(&state(EntityState::Sending, None, None)), None);
        let mut failed = state(EntityState::Failed, Some(Step::Send), Some("552 full"));
        if let Event::State { holds, .. } = &mut failed {
            *holds = Some(Holds::Old);
        }
        assert_eq!(
            said(&failed).as_deref(),
            Some(
                "adsl shelf1-03 failed at send (attempt 1): 552 full; it holds what it held before"
            )
        );
        let runs = |state_, version: &str, cause| {
            let mut event = state(state_, None, cause);
            if let Event::State { runs, .. } = &mut event {
                *runs = Some(version.into());
            }
            said(&event)
        };
        assert_eq!(
            runs(EntityState::Upgraded, "2.4", None).as_deref(),
            Some("adsl shelf1-03 upgraded: runs 2.4")
        );
        assert_eq!(
            runs(EntityState::RolledBack, "2.3", Some("check: no")).as_deref(),
            Some("adsl shelf1-03 rolled-back, runs 2.3: check: no")
        );
        let source = Event::Source {
            at,
            group: "adsl".into(),
            pass: 2,
            source: "hq".into(),
            offset: 4096,
            cause: "peer:shelf1-09 is gone".into(),
        };
        assert_eq!(
            said(&source).as_deref(),
            Some("adsl pass 2: goes on from hq at byte 4096: peer:shelf1-09 is gone")
        );
    }
}
