//! What a group asks for, out of its campaign and those of its entities that get the image.

use std::sync::Arc;
use std::time::Duration;

use super::calendar::Calendar;
use super::course::Terms;
use super::waves;
use crate::model::{Entity, Group};

/// Bytes a second that one entity is taken to take while nothing is measured and nothing is said.
pub const ASSUMED_RATE: u64 = 1 << 20;
/// Bytes that an image of unknown size is taken to have.
const ASSUMED_SIZE: u64 = 64 << 20;
/// How long a device is taken to need to start anew.
const ASSUMED_RESTART: Duration = Duration::from_secs(300);

impl Terms {
    /// `targets`: the places of those that get the image; the others have it already, and are in no wave.
    pub fn of(group: &Group, targets: &[usize]) -> Self {
        let campaign = &*group.campaign;
        let entities = targets
            .iter()
            .filter_map(|place| group.entities.get(*place));
        let entities: Vec<Arc<Entity>> = entities.cloned().collect();
        let waves = waves(campaign, &entities).into_iter();
        let placed = |wave: Vec<usize>| wave.into_iter().map(|at| targets[at]).collect();
        Self {
            waves: waves.map(placed).collect(),
            proceed: campaign.proceed,
            stops_at: campaign.stop_after.map(|stop| stop.at(entities.len())),
            start: campaign.start.as_ref().map(jiff::Zoned::timestamp),
            calendar: campaign.window.as_ref().map(Calendar::new),
            takes: takes(group),
            takes_at_least: campaign.takes.is_some(),
            of_activation: campaign.window_is_for_activation,
            rate: campaign.rate,
            is_shown: !campaign.is_default(),
        }
    }
}

/// How long one entity of a group is taken to take while nothing is measured: as the operator says, or by the size of
/// the image.
pub fn takes(group: &Group) -> Duration {
    let campaign = &group.campaign;
    if let Some(takes) = campaign.takes {
        return takes;
    }
    let size = match campaign.window_is_for_activation {
        true => 0,
        false => group.image.size.unwrap_or(ASSUMED_SIZE),
    };
    let rate = campaign
        .rate
        .map_or(ASSUMED_RATE, |rate| rate.min(ASSUMED_RATE));
    let sending = Duration::from_secs(size.div_ceil(rate.max(1)));
    match group.extent.activates() && group.procedure.is_some() {
        true => sending + ASSUMED_RESTART,
        false => sending,
    }
}
