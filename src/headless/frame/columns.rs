//! The lines of one group's entities, and their columns.

use super::super::text::{cut, fit, width};
use super::super::words::{percent, seconds, verified};
use super::{Line, Room, Tone};
use crate::model::text::shown;
use crate::model::{EntityState, Standing, Step, units};
use crate::protocol::{EntitySnapshot, GroupSnapshot};

/// The columns of one group's entities.
pub(super) struct Columns {
    name: usize,
    gauge: usize,
    rate: bool,
    lag: bool,
    /// What is left for the cause of a failure.
    detail: usize,
    utf8: bool,
}

/// `catching-up` is the longest.
const STATE: usize = 11;
/// `1023.9 KiB/s` is the longest.
const RATE: usize = 12;

impl Columns {
    pub(super) fn new(group: &GroupSnapshot, room: Room<'_>) -> Self {
        let longest = group
            .entities
            .iter()
            .map(|entity| width(&shown(&entity.entity)))
            .max();
        let name = longest.unwrap_or(0).min((room.columns / 3).max(8));
        // Two blanks, the name, percent, state, and two blanks between each.
        let taken = 2 + name + 2 + 5 + 2 + STATE + 2;
        let detail = room.columns.saturating_sub(taken);
        Self {
            name,
            gauge: detail.saturating_sub(RATE + 2 + 10).min(24) / 4 * 4,
            rate: detail >= RATE,
            lag: detail >= RATE + 2 + 7,
            detail,
            utf8: room.utf8,
        }
    }

    pub(super) fn line(&self, group: &GroupSnapshot, entity: &EntitySnapshot) -> Line {
        let size = group.size.filter(|size| *size > 0);
        let part = match entity.state {
            state if state.has_image() => Some(1.0),
            EntityState::Skipped | EntityState::Waiting => None,
            _ => size.map(|size| (entity.sent as f64 / size as f64).min(1.0)),
        };
        let name = fit(&shown(&entity.entity), self.name, self.utf8);
        let state = fit(entity.standing().as_str(), STATE, self.utf8);
        let detail = cut(&self.detail(group, entity, part), self.detail, self.utf8);
        Line {
            text: format!("  {name}  {}  {state}  {detail}", percent(part)),
            tone: match entity.standing() {
                Standing::In(
                    EntityState::Failed | EntityState::RolledBack | EntityState::Cancelled,
                ) => Tone::Bad,
                Standing::In(
                    EntityState::Retrying | EntityState::Offline | EntityState::CatchingUp,
                ) => Tone::Watch,
                Standing::Unproven => Tone::Watch,
                Standing::In(EntityState::Delivered | EntityState::Upgraded) => Tone::Good,
                Standing::In(_) => Tone::Plain,
            },
        }
    }

    fn detail(&self, group: &GroupSnapshot, entity: &EntitySnapshot, part: Option<f64>) -> String {
        match entity.state {
            EntityState::Sending | EntityState::Fetching | EntityState::CatchingUp => {
                let mut parts = Vec::new();
                if self.gauge > 0 {
                    parts.push(gauge(part.unwrap_or(0.0), self.gauge, self.utf8));
                }
                if self.rate {
                    parts.push(format!("{:>RATE$}", units::rate(entity.rate)));
                }
                if self.lag {
                    parts.push(format!("lag {}", entity.lag));
                }
                parts.join("  ")
            }
            EntityState::Connecting => entity.step.map_or_else(String::new, |s| s.to_string()),
            EntityState::Failed
            | EntityState::RolledBack
            | EntityState::Retrying
            | EntityState::Offline
            | EntityState::Cancelled => why(entity),
            EntityState::Delivered | EntityState::Upgraded => {
                let mut time = units::duration(seconds(entity.seconds));
                if let Some(runs) = &entity.runs {
                    time = format!("runs {}, {time}", shown(runs));
                }
                match entity.standing() {
                    Standing::Unproven => {
                        format!("{time}, delivered, {}", verified(entity.verified))
                    }
                    Standing::In(_) => format!("{time}, {}", verified(entity.verified)),
                }
            }
            EntityState::Skipped => match &entity.cause {
                Some(cause) => shown(cause),
                None => format!("already has {}", shown(&group.version)),
            },
            EntityState::Waiting
            | EntityState::Preparing
            | EntityState::Confirming
            | EntityState::Verifying
            | EntityState::Activating
            | EntityState::Restarting
            | EntityState::Checking => entity.cause.as_deref().map(shown).unwrap_or_default(),
        }
    }
}

fn why(entity: &EntitySnapshot) -> String {
    let Some(cause) = &entity.cause else {
        return String::new();
    };
    let mut text = match entity.step {
        // Of a procedure the cause names part and number.
        None | Some(Step::Command | Step::Restart) => shown(cause),
        Some(step) => format!("{step}: {}", shown(cause)),
    };
    if let Some(runs) = &entity.runs {
        text = format!("runs {}: {text}", shown(runs));
    }
    if entity.attempt > 1 {
        text = format!("attempt {}, {text}", entity.attempt);
    }
    text
}

fn gauge(part: f64, cells: usize, utf8: bool) -> String {
    let full = ((part * cells as f64) as usize).min(cells);
    let (on, off) = if utf8 { ("━", "·") } else { ("=", ".") };
    format!("{}{}", on.repeat(full), off.repeat(cells - full))
}
