//! What has to fit into what: windows, times, versions.

use std::time::Duration;

use crate::model::campaign::start::zone;
use crate::model::campaign::{Campaign, Requirement};
use crate::model::complaint::Complaint;
use crate::model::procedure::Versions;
use crate::model::text::quoted;
use crate::model::units;

use super::{BadCampaign, Found, Judged, bad};

/// Devices that take longer are done in no window.
const LONGEST_TAKES: Duration = Duration::from_secs(24 * 3600);

impl Campaign {
    pub(super) fn check_times(&self, group: &Judged<'_>, found: &mut Found) {
        let mut refuse = |key, complaint| {
            found.push(BadCampaign {
                key,
                item: None,
                complaint,
            });
        };
        if let Err(complaint) = self.offline.check() {
            refuse("offline", complaint);
        }
        if let Some(takes) = self.takes {
            if let Err(complaint) = check_takes(takes) {
                refuse("takes", complaint);
            } else if self.window.is_none() {
                let message = "`takes` without `window`: nothing asks how long an entity takes";
                refuse(
                    "takes",
                    Complaint::new(message, "write a `window`, or leave `takes` out"),
                );
            }
        }
        if self.window_is_for_activation && self.window.is_none() {
            let message = "`activate: window` without `window`: nothing says when that is";
            let help = "write `window: { days: mon-fri, from: \"01:00\", to: \"05:00\", zone: Europe/Berlin }`";
            refuse("activate", Complaint::new(message, help));
        }
        let Some(window) = &self.window else { return };
        let checked = window.check().and_then(|()| zone(&window.zone).map(drop));
        if let Err(complaint) = checked {
            return refuse("window", complaint);
        }
        let open = Duration::from_secs(u64::from(window.minutes()) * 60);
        let Some((takes, why)) = self.one_takes(group) else {
            return;
        };
        if takes > open {
            let [takes, open] = [takes, open].map(units::limit);
            let message = format!("a window of {open} is too short: one entity takes {takes}{why}");
            refuse(
                "window",
                Complaint::new(message, format!("write a window of at least {takes}")),
            );
        }
    }

    /// How long one entity takes by what the operator wrote, and what that was.
    fn one_takes(&self, group: &Judged<'_>) -> Option<(Duration, String)> {
        if let Some(takes) = self.takes {
            return Some((takes, " (`takes`)".into()));
        }
        if self.window_is_for_activation {
            return None;
        }
        let (size, rate) = (group.image?.size?, self.rate.filter(|rate| *rate > 0)?);
        let why = format!(" ({} at {})", units::size(size), units::rate(rate as f64));
        Some((Duration::from_secs(size.div_ceil(rate)), why))
    }

    pub(super) fn check_versions(&self, group: &Judged<'_>, found: &mut Found) {
        let Some(from) = &self.from else { return };
        let requirement = match Requirement::read(from) {
            Ok(requirement) => requirement,
            Err(complaint) => {
                return found.push(BadCampaign {
                    key: "from",
                    item: None,
                    complaint,
                });
            }
        };
        let Some(image) = group.image else { return };
        if group.versions == Versions::None {
            let message = format!(
                "how versions of type {} compare is not known",
                quoted(&image.type_)
            );
            let help = format!(
                "write `types: {{ {}: {{ versions: dotted }} }}`, or `semver` or `date`",
                image.type_
            );
            found.push(bad("from", None, message, help));
        } else if let Err(complaint) = requirement.check(group.versions) {
            found.push(BadCampaign {
                key: "from",
                item: None,
                complaint,
            });
        }
    }
}

/// # Errors
/// A time that no device takes.
pub fn check_takes(takes: Duration) -> Result<(), Complaint> {
    const HELP: &str = "write how long one entity takes, like `20m`";
    if takes.is_zero() {
        Err(Complaint::new("no entity takes 0", HELP))
    } else if takes > LONGEST_TAKES {
        let takes = units::written_days(takes);
        let message =
            format!("an entity that takes {takes} is done in no window: a day is the longest");
        Err(Complaint::new(message, HELP))
    } else {
        Ok(())
    }
}
