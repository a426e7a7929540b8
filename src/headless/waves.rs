//! What the summary says of a group that was gone through in waves, or at certain times: how far it came, what holds
//! it, and what to do next.

use jiff::Timestamp;
use jiff::tz::TimeZone;

use super::text::count;
use crate::model::text::shown;
use crate::protocol::{CampaignSummary, GroupSummary, HeldBy, PauseReason, Wait};

/// `None` where all entities began at once.
pub(super) fn in_words(group: &GroupSummary, now: Timestamp, zone: &TimeZone) -> Option<String> {
    let campaign = group.campaign.as_deref()?;
    let waves = campaign.waves.len();
    let mut text = match (campaign.wave, waves) {
        (_, ..=1) => String::new(),
        (0, waves) => format!("none of {waves} waves has begun; "),
        (wave, waves) => format!("came to wave {wave} of {waves}; "),
    };
    let is_done = campaign.untouched + campaign.offline == 0;
    if is_done && campaign.held.is_none() {
        return (waves > 1).then(|| format!("all {waves} waves have ended"));
    }
    if let Some(held) = &campaign.held {
        text += &format!("{}; ", held.in_words(now, zone));
    }
    text += &count(campaign.untouched, "entity");
    text += " untouched";
    if campaign.offline > 0 {
        text += &format!(", {} offline", campaign.offline);
    }
    if let Some(next) = next(campaign, &shown(&group.group)) {
        text += &format!(": {next}");
    }
    Some(text)
}

/// What to do.
fn next(campaign: &CampaignSummary, name: &str) -> Option<String> {
    Some(match &campaign.held.as_ref()?.by {
        HeldBy::Pause(PauseReason::Failures { .. } | PauseReason::WaveFailed { .. }) => format!(
            "see why they failed, then `subtend resume {name}` goes on, `subtend cancel {name}` ends it"
        ),
        HeldBy::Pause(_) => {
            format!("`subtend resume {name}` goes on, `subtend cancel {name}` ends it")
        }
        HeldBy::Wait(Wait::Window { until: None }) => {
            format!("`subtend cancel {name}` ends it; start it anew with another window")
        }
        HeldBy::Wait(Wait::Secrets { .. }) => "`subtend attach` asks for it".to_owned(),
        HeldBy::Wait(_) => "it goes on by itself where an engine runs (`subtend serve`)".to_owned(),
    })
}
