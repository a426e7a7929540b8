//! What is wrong with how a group is to be gone through: one place for the groups of an inventory, which say where
//! it stands, and for those made on the spot. Here are waves and what stops them; `labels` and `times` have the rest.

mod labels;
mod times;

use super::super::complaint::Complaint;
use super::super::procedure::Versions;
use super::super::{Entity, Image, columns};
use super::{Campaign, Proceed, StopAfter, Wave};

pub use times::check_takes;

/// Something that is wrong, and the key that it is wrong with.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("`{key}`: {complaint}")]
pub struct BadCampaign {
    /// As it is written in an inventory.
    pub key: &'static str,
    /// Of a list, from 0.
    pub item: Option<usize>,
    pub complaint: Complaint,
}

/// What a campaign is judged by.
#[derive(Clone, Copy)]
pub struct Judged<'a> {
    pub entities: &'a [&'a Entity],
    pub image: Option<&'a Image>,
    /// How versions of the image's type compare.
    pub versions: Versions,
}

type Found = Vec<BadCampaign>;

fn bad(
    key: &'static str,
    item: Option<usize>,
    message: impl Into<String>,
    help: impl Into<String>,
) -> BadCampaign {
    BadCampaign {
        key,
        item,
        complaint: Complaint::new(message, help),
    }
}

impl Campaign {
    /// All that is wrong with it for this group.
    pub fn flaws(&self, group: &Judged<'_>) -> Vec<BadCampaign> {
        let mut found = Found::new();
        // Where nobody is in it, that is said already.
        if !group.entities.is_empty() {
            self.check_waves(group, &mut found);
            self.check_labels(group, &mut found);
            self.check_stop(group, &mut found);
        }
        self.check_times(group, &mut found);
        self.check_versions(group, &mut found);
        found
    }

    /// How many entities each wave has where no label keeps some together; without those that nobody is left for.
    pub fn sizes(&self, entities: usize) -> Vec<usize> {
        let mut left = entities;
        let sizes = self.waves.iter().chain([&Wave::Rest]).map(|wave| {
            let size = match wave {
                Wave::Count(count) => *count,
                Wave::Percent(percent) => percent.of(entities),
                Wave::Rest => left,
            };
            let size = size.min(left);
            left -= size;
            size
        });
        sizes.filter(|size| *size > 0).collect()
    }

    fn check_waves(&self, group: &Judged<'_>, found: &mut Found) {
        let entities = group.entities.len();
        let all = columns::count(entities, "entity");
        let last = self.waves.len().saturating_sub(1);
        let (mut count, mut hundredths) = (0usize, 0u32);
        let mut too_many = false;
        for (at, wave) in self.waves.iter().enumerate() {
            let mut refuse = |message: String, help: String| {
                too_many = true;
                found.push(bad("waves", Some(at), message, help));
            };
            match wave {
                Wave::Rest if at < last => refuse(
                    format!(
                        "`rest` is wave {} of {}, and leaves nobody for those behind it",
                        at + 1,
                        last + 1
                    ),
                    "write `rest` last".into(),
                ),
                Wave::Rest => {}
                Wave::Count(0) => refuse(
                    "a wave of 0 has nobody in it".into(),
                    "write a number of entities from 1".into(),
                ),
                Wave::Count(more) => {
                    let before = count;
                    count = count.saturating_add(*more);
                    // Once is enough.
                    if count > entities && before <= entities {
                        let message = match before {
                            0 => format!("a wave of {more} is more than the group has: {all}"),
                            _ => format!(
                                "waves up to this one are {count} entities, and the group has {all}"
                            ),
                        };
                        refuse(
                            message,
                            "write smaller waves, or `rest` for all that are left".into(),
                        );
                    }
                }
                Wave::Percent(percent) => {
                    let before = hundredths;
                    hundredths += u32::from(u16::from(*percent));
                    if hundredths > 10_000 && before <= 10_000 {
                        let sum = f64::from(hundredths) / 100.0;
                        let message = format!("waves up to this one are {sum}% of the group");
                        refuse(
                            message,
                            "write smaller parts, or `rest` for all that are left".into(),
                        );
                    }
                }
            }
        }
        if !too_many {
            self.check_empty(group, found);
        }
        self.check_by(group, found);
        let waves = self.sizes(entities).len();
        if self.proceed == Proceed::Ask && (self.waves.is_empty() || (waves == 1 && entities > 1)) {
            let message =
                format!("there is one wave, with all {all}, and nothing to be asked behind it");
            found.push(bad(
                "proceed",
                None,
                message,
                "write `waves: [1, 10%, rest]`, or leave `proceed` out",
            ));
        }
    }

    /// Waves that nobody is left for. Of a group that has fewer entities than waves, that is no mistake: it may be
    /// what stands at all groups alike.
    fn check_empty(&self, group: &Judged<'_>, found: &mut Found) {
        let entities = group.entities.len();
        if entities < self.waves.len() || self.by.is_some() {
            return;
        }
        let taken = self.sizes(entities).len();
        if let Some(wave) = self.waves.get(taken) {
            let sizes: Vec<String> = self.waves[..taken]
                .iter()
                .map(ToString::to_string)
                .collect();
            let message = format!(
                "nobody is left for wave {}, `{wave}`: {} of {} are all",
                taken + 1,
                sizes.join(" + "),
                columns::count(entities, "entity"),
            );
            found.push(bad(
                "waves",
                Some(taken),
                message,
                "write smaller waves before it, or leave it out",
            ));
        }
    }

    fn check_stop(&self, group: &Judged<'_>, found: &mut Found) {
        let entities = group.entities.len();
        match self.stop_after {
            Some(StopAfter::Count(0)) => {
                let message = "with 0 it would stop before anything has failed";
                found.push(bad(
                    "stop_after",
                    None,
                    message,
                    "write a number of failures from 1, like `3`",
                ));
            }
            Some(StopAfter::Count(count)) if count > entities => {
                let message = format!(
                    "{count} failures can't be: the group has {}",
                    columns::count(entities, "entity")
                );
                let help =
                    format!("write a number from 1 to {entities}, or a part of all, like `5%`");
                found.push(bad("stop_after", None, message, help));
            }
            _ => {}
        }
    }
}
