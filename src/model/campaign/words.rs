//! A campaign as it was set, in words for people: what about it, and what it says.

use std::time::Duration;

use jiff::civil::Weekday;

use super::{Campaign, Days, Downgrade, Offline, Proceed, Wave, Window};
use crate::model::units;

impl Campaign {
    /// What is set, and nothing that is the default; a word of at most nine columns, and the text about it.
    pub fn in_words(&self) -> Vec<(&'static str, String)> {
        let facts = [
            ("waves", self.waves_in_words()),
            (
                "stops",
                self.stop_after.map(|at| format!("when {at} have failed")),
            ),
            (
                "start",
                self.start
                    .as_ref()
                    .map(|start| start.strftime("%a %-d %b %Y %H:%M %Z").to_string()),
            ),
            ("window", self.window_in_words()),
            (
                "takes",
                self.takes
                    .map(|takes| format!("{} for one entity, as was said", units::limit(takes))),
            ),
            (
                "rate",
                self.rate
                    .map(|rate| format!("{}/s for the whole group", units::size(rate))),
            ),
            ("offline", self.offline_in_words()),
            (
                "together",
                self.never_together
                    .as_ref()
                    .map(|label| format!("never two entities of the same `{label}`")),
            ),
            (
                "from",
                self.from
                    .as_ref()
                    .map(|from| format!("only onto versions {from}")),
            ),
            (
                "downgrade",
                (self.downgrade == Downgrade::Allow).then(|| "allowed".to_owned()),
            ),
        ];
        let set = facts
            .into_iter()
            .filter_map(|(name, text)| Some((name, text?)));
        set.collect()
    }

    fn waves_in_words(&self) -> Option<String> {
        let mut parts = Vec::new();
        if !self.waves.is_empty() {
            let waves: Vec<String> = self.waves.iter().map(Wave::to_string).collect();
            parts.push(waves.join(" + "));
            parts.push(match self.proceed {
                Proceed::Auto => "each follows by itself when the one before went well".into(),
                Proceed::Ask => "asks before each next one".into(),
            });
        }
        if let Some(by) = &self.by {
            parts.push(format!("entities of the same `{by}` in one wave"));
        }
        if !self.order.is_empty() {
            let order: Vec<String> = self
                .order
                .iter()
                .map(|by| match by.values.as_slice() {
                    [] => format!("`{}`", by.label),
                    values => format!("`{}` ({} first)", by.label, values.join(", ")),
                })
                .collect();
            parts.push(format!("in the order of {}", order.join(", ")));
        }
        (!parts.is_empty()).then(|| parts.join("; "))
    }

    fn window_in_words(&self) -> Option<String> {
        let Window {
            days: on,
            from,
            to,
            zone,
        } = self.window.as_ref()?;
        let ends = if to <= from { " of the next day" } else { "" };
        let mut text = format!("{} {from} to {to}{ends}, {zone}", days(*on));
        if self.window_is_for_activation {
            text += "; for making devices run the image, which is brought at any time";
        }
        Some(text)
    }

    fn offline_in_words(&self) -> Option<String> {
        match self.offline {
            Offline::Fail => None,
            Offline::Wait { at_most, first } => Some(format!(
                "waited for {}; asked again after {}, then after twice as long each time",
                days_or_less(at_most),
                units::limit(first)
            )),
        }
    }
}

/// `14 days`, where it is whole days.
fn days_or_less(time: Duration) -> String {
    const DAY: u64 = 24 * 3600;
    match time.as_secs() {
        seconds if seconds >= 2 * DAY && seconds.is_multiple_of(DAY) => {
            format!("{} days", seconds / DAY)
        }
        _ => units::limit(time),
    }
}

/// `mon-fri`, `sat, sun`, `every day`.
fn days(days: Days) -> String {
    const NAMES: [&str; 7] = ["mon", "tue", "wed", "thu", "fri", "sat", "sun"];
    if days == Days::ALL {
        return "every day".into();
    }
    let has = |at: usize| {
        let offset = i8::try_from(at).unwrap_or_default();
        Weekday::from_monday_zero_offset(offset).is_ok_and(|day| days.has(day))
    };
    let mut parts = Vec::new();
    let mut at = 0;
    while at < NAMES.len() {
        let end = (at..NAMES.len()).take_while(|day| has(*day)).count() + at;
        match end - at {
            0 => at += 1,
            1 | 2 => {
                parts.extend(NAMES[at..end].iter().map(|name| (*name).to_owned()));
                at = end;
            }
            _ => {
                parts.push(format!("{}-{}", NAMES[at], NAMES[end - 1]));
                at = end;
            }
        }
    }
    parts.join(", ")
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::model::campaign::{OrderBy, Percent, StopAfter, TimeOfDay};

    #[test]
    fn what_is_set_is_said_and_nothing_else() {
        assert_eq!(Campaign::default().in_words(), []);
        let time = |hours| TimeOfDay::new(hours, 0).unwrap();
        let percent = |hundredths| Percent::new(hundredths).unwrap();
        let campaign = Campaign {
            waves: vec![Wave::Count(1), Wave::Percent(percent(1000)), Wave::Rest],
            order: vec![OrderBy {
                label: "site".into(),
                values: vec!["lab".into()],
            }],
            proceed: Proceed::Ask,
            stop_after: Some(StopAfter::Percent(percent(200))),
            window: Some(Window {
                days: Days::new([
                    Weekday::Monday,
                    Weekday::Tuesday,
                    Weekday::Wednesday,
                    Weekday::Sunday,
                ]),
                from: time(23),
                to: time(5),
                zone: "Europe/Berlin".into(),
            }),
            rate: Some(2 << 20),
            ..Campaign::default()
        };
        let said = campaign.in_words();
        assert_eq!(
            said,
            [
                (
                    "waves",
                    "1 + 10% + rest; asks before each next one; in the order of `site` (lab first)"
                        .to_owned()
                ),
                ("stops", "when 2% have failed".to_owned()),
                (
                    "window",
                    "mon-wed, sun 23:00 to 05:00 of the next day, Europe/Berlin".to_owned()
                ),
                ("rate", "2.0 MiB/s for the whole group".to_owned()),
            ]
        );
        let week = Days::new([Weekday::Saturday, Weekday::Sunday]);
        assert_eq!(
            (days(Days::ALL), days(week)),
            ("every day".into(), "sat, sun".into())
        );
    }
}
