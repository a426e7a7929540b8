//! A schedule in words: for `check` and for the review of the console.

use jiff::Timestamp;
use jiff::tz::TimeZone;

use crate::model::campaign::{Downgrade, Offline, OrderBy, Proceed, start};
use crate::model::columns::count;
use crate::model::text::{quoted, shown};
use crate::model::{names, units};

use super::{PlannedWave, Schedule};

/// Names, or ranges of them, that stand for a wave.
const FIRST_NAMES: usize = 3;

/// One thing that is to be said, and the word that it stands behind.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Row {
    /// At most ten characters.
    pub label: String,
    pub text: String,
}

impl Schedule {
    /// Nothing where the group is gone through as any other.
    pub fn in_words(&self) -> Vec<Row> {
        if self.group.campaign.is_default() {
            return Vec::new();
        }
        let mut rows = Vec::new();
        let mut say = |label: &str, text: Option<String>| {
            rows.extend(text.map(|text| Row {
                label: label.into(),
                text,
            }));
        };
        say("waves", self.waves_in_words());
        let many = self.waves.len() > 1;
        for (number, wave) in self.waves.iter().enumerate() {
            let label = match many {
                true => format!("wave {}", number + 1),
                false => "begins".into(),
            };
            say(&label, Some(self.wave_in_words(number, wave)));
        }
        say("order", self.order_in_words());
        say("window", self.window_in_words());
        let rate = self.group.campaign.rate;
        say(
            "rate",
            rate.map(|rate| format!("{} to all of them together", units::rate(rate as f64))),
        );
        say("stops", self.stop_in_words());
        say("offline", self.offline_in_words());
        let label = self.group.campaign.never_together.as_deref();
        say(
            "together",
            label.map(|label| format!("never two with the same {}", quoted(label))),
        );
        say("versions", self.versions_in_words());
        rows
    }

    /// `1 + 20 + 179`.
    fn waves_in_words(&self) -> Option<String> {
        if self.waves.len() < 2 {
            return None;
        }
        let sizes: Vec<String> = self
            .waves
            .iter()
            .map(|wave| wave.entities.len().to_string())
            .collect();
        let mut text = sizes.join(" + ");
        if let Some(label) = &self.group.campaign.by {
            text += &format!(", those with the same {} in one wave", quoted(label));
        }
        text += match self.group.campaign.proceed {
            Proceed::Auto => "; each begins when the one before has proven itself",
            Proceed::Ask => "; somebody is asked before each but the first",
        };
        Some(text)
    }

    fn wave_in_words(&self, number: usize, wave: &PlannedWave) -> String {
        let all: Vec<String> = wave.entities.iter().map(|one| shown(&one.name)).collect();
        let folded = names::compress(&all);
        let first = folded
            .iter()
            .take(FIRST_NAMES)
            .cloned()
            .collect::<Vec<_>>()
            .join(", ");
        let more = if folded.len() > FIRST_NAMES {
            ", ..."
        } else {
            ""
        };
        let takes = units::duration(self.pace.all(wave.entities.len()));
        let rate = match self.pace.assumed {
            Some(rate) => format!(" at an assumed {}", units::rate(rate as f64)),
            None => String::new(),
        };
        let when = match wave.begins {
            None => "never begins".into(),
            Some(at) if number == 0 => self.first_in_words(at),
            Some(at) => match self.group.campaign.proceed {
                Proceed::Auto => format!("not before {}", self.time(at)),
                Proceed::Ask => format!("not before {}, and when it is let go", self.time(at)),
            },
        };
        format!(
            "{}, {first}{more}; {when}; takes about {takes}{rate}",
            count(all.len(), "entity")
        )
    }

    fn first_in_words(&self, at: Timestamp) -> String {
        let campaign = &self.group.campaign;
        let waits = campaign.start.is_some() || campaign.window.is_some();
        match waits {
            true => format!("not before {}", self.time(at)),
            false => "begins at once".into(),
        }
    }

    /// In the zone that the operator has written.
    fn time(&self, at: Timestamp) -> String {
        let campaign = &self.group.campaign;
        let window = campaign.window.as_ref();
        let zone = window.and_then(|window| TimeZone::get(&window.zone).ok());
        let start = campaign
            .start
            .as_ref()
            .map(|start| start.time_zone().clone());
        let zone = zone.or(start).unwrap_or(TimeZone::UTC);
        start::in_words(&at.to_zoned(zone))
    }

    fn order_in_words(&self) -> Option<String> {
        let order = &self.group.campaign.order;
        let said = |by: &OrderBy| match by.values.as_slice() {
            [] => quoted(&by.label),
            values => {
                let values: Vec<String> = values.iter().map(|value| shown(value)).collect();
                format!("{} ({} first)", quoted(&by.label), values.join(", "))
            }
        };
        let said: Vec<String> = order.iter().map(said).collect();
        (!said.is_empty()).then(|| format!("by {}", said.join(", then ")))
    }

    fn window_in_words(&self) -> Option<String> {
        let campaign = &self.group.campaign;
        let window = campaign.window.as_ref()?;
        let mut text = window.to_string();
        if campaign.window_is_for_activation {
            text += "; the image is brought at any time, and devices are made to run it then";
        }
        let one = units::duration(self.pace.one);
        if let Some(fits) = self.fits {
            let all: usize = self.waves.iter().map(|wave| wave.entities.len()).sum();
            text += &match (fits, self.windows) {
                (0, _) => format!("; none fits: one takes {one}"),
                (_, Some(1)) => "; all fit into one".into(),
                (fits, Some(windows)) if fits < all => {
                    format!("; {fits} of {all} fit into one, and all take {windows} of them")
                }
                (_, Some(windows)) => format!("; they take {windows} of them"),
                (fits, None) => {
                    format!("; {fits} of {all} fit into one, and not all are ever done")
                }
            };
        }
        Some(text)
    }

    fn stop_in_words(&self) -> Option<String> {
        let all: usize = self.waves.iter().map(|wave| wave.entities.len()).sum();
        let stop = self.group.campaign.stop_after?;
        let at = stop.at(all);
        let failures = count(at, "failure");
        let written = stop.to_string();
        let of = match written.ends_with('%') {
            true => format!(" ({written} of {all})"),
            false => String::new(),
        };
        Some(format!(
            "after {failures}{of}: no other begins until somebody says so"
        ))
    }

    fn offline_in_words(&self) -> Option<String> {
        match self.group.campaign.offline {
            Offline::Fail => None,
            Offline::Wait { at_most, first } => {
                let [at_most, first] = [at_most, first].map(units::written_days);
                Some(format!(
                    "what can't be reached is asked again for {at_most}, first after {first}, then ever more rarely"
                ))
            }
        }
    }

    fn versions_in_words(&self) -> Option<String> {
        let campaign = &self.group.campaign;
        let from = campaign
            .from
            .as_deref()
            .map(|from| format!("only on {}", shown(from)));
        let allow = campaign.downgrade == Downgrade::Allow;
        let allow = allow.then(|| "also on newer ones (`downgrade: allow`)".to_owned());
        let said: Vec<String> = from.into_iter().chain(allow).collect();
        (!said.is_empty()).then(|| said.join("; "))
    }
}
