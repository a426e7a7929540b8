//! What others are shown of a course: what has changed, and how it stands.

use jiff::Timestamp;

use super::{Course, Entity};
use crate::campaign::standing::Standing;
use crate::protocol::{CampaignSnapshot, Change, Held, HeldBy};

impl Course {
    /// What has changed since it was asked last.
    pub fn changes(&mut self) -> Vec<(Timestamp, Change)> {
        match self.terms.is_shown {
            true => std::mem::take(&mut self.changes),
            // A group without a campaign can be paused all the same.
            false => {
                let mut changes = std::mem::take(&mut self.changes);
                changes.retain(|(_, change)| {
                    matches!(change, Change::Paused(_) | Change::Resumed { .. })
                });
                changes
            }
        }
    }

    /// Which wave an entity belongs to, from 1; `None` where there are no waves.
    pub fn wave_of(&self, place: usize) -> Option<usize> {
        let wave = self.entities.get(place)?.wave?;
        (self.terms.waves.len() > 1).then_some(wave + 1)
    }

    /// How it stands, where there is anything to show.
    pub fn snapshot(&self) -> Option<CampaignSnapshot> {
        let is_plain = self.paused.is_none() && self.needs.is_empty();
        if !self.terms.is_shown && is_plain && self.terms.rate.is_none() {
            return None;
        }
        let waves = (0..self.terms.waves.len()).map(|wave| self.counted(wave));
        let held = |(since, by)| Held { since, by };
        let pause = self.paused.clone();
        let pause = pause.map(|(since, reason)| (since, HeldBy::Pause(reason)));
        let wait = self.waits.clone();
        let wait = wait.map(|(since, wait)| (since, HeldBy::Wait(wait)));
        let untouched = |entity: &&Entity| entity.standing.is_untouched();
        let offline = |entity: &&Entity| entity.standing == Standing::Offline;
        Some(CampaignSnapshot {
            waves: waves.collect(),
            wave: self.wave.map_or(0, |wave| wave + 1),
            held: pause.or(wait).map(held),
            untouched: self.all().filter(untouched).count(),
            offline: self.all().filter(offline).count(),
            failed: self.failed() - self.forgiven.min(self.failed()),
            stops_at: self.terms.stops_at,
            rate: self.terms.rate,
        })
    }
}
