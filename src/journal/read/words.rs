//! What the rows of a run come to in words, one rule for all that show them. Text from outside is as it was stored
//! unless said otherwise.

use jiff::tz::TimeZone;

use super::rows::{Counts, EntityRow, Note, RunRow, RunStatus};
use crate::journal::writer::CAMPAIGN;
use crate::model::text::shown;
use crate::model::{EntityState, Outcome, Standing, Verified};
use crate::protocol::Change;

impl RunRow {
    /// One word for how it ended or stands.
    pub fn status_word(&self) -> &'static str {
        match self.status {
            // An engine that has nothing to do, and could be given more.
            RunStatus::Running if self.counts.entities > 0 && self.counts.unfinished == 0 => "idle",
            RunStatus::Running => "running",
            RunStatus::CutOff => "cut off",
            RunStatus::Ended => "ended",
        }
    }

    /// What it came to, or else how it stands.
    pub fn outcome_word(&self) -> String {
        match (self.status, self.outcome) {
            (RunStatus::Ended, Some(Outcome::Delivered))
                if self.counts.upgraded > 0 && self.counts.delivered == 0 =>
            {
                "upgraded".into()
            }
            (RunStatus::Ended, Some(outcome)) => outcome.to_string(),
            _ => self.status_word().into(),
        }
    }

    /// `craft@noc7 from 192.0.2.7`, escaped.
    pub fn who(&self) -> String {
        let origin = &self.origin;
        let mut who = format!("{}@{}", shown(&origin.user), shown(&origin.host));
        if let Some(client) = &origin.ssh_client {
            who += &format!(" from {}", shown(client));
        }
        who
    }
}

impl EntityRow {
    /// At which step it failed, unless the cause says so itself: of a procedure it names part and number.
    pub fn step_of_cause(&self) -> Option<&str> {
        let step = self.step.as_deref();
        step.filter(|step| !matches!(*step, "command" | "restart"))
    }
}

impl Note {
    /// For people, escaped.
    pub fn in_words(&self, zone: &TimeZone) -> String {
        let change = (self.kind == CAMPAIGN).then(|| serde_json::from_str::<Change>(&self.text));
        match change {
            Some(Ok(change)) => change.in_words(self.at, zone),
            _ => shown(&self.text),
        }
    }
}

impl Counts {
    /// One more entity.
    pub fn add(&mut self, state: EntityState, verified: Verified) {
        self.entities += 1;
        if Standing::of(state, verified) == Standing::Unproven {
            self.delivered_unproven += 1;
        }
        *match state {
            EntityState::Delivered => &mut self.delivered,
            EntityState::Upgraded => &mut self.upgraded,
            EntityState::RolledBack => &mut self.rolled_back,
            EntityState::Skipped => &mut self.skipped,
            EntityState::Failed => &mut self.failed,
            EntityState::Cancelled => &mut self.cancelled,
            _ => &mut self.unfinished,
        } += 1;
    }

    /// Those that have the image, and run it where that was asked for.
    pub fn good(&self) -> usize {
        self.delivered + self.upgraded + self.skipped
    }
}
