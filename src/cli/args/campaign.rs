//! How a group is gone through, on the command line: the keys of a group in the inventory, in the same words.

use std::time::Duration;

use clap::Args;
use jiff::Zoned;

use crate::model::campaign::rules::check_takes;
use crate::model::campaign::start::read_start;
use crate::model::campaign::{
    Campaign, Downgrade, Offline, OrderBy, Proceed, StopAfter, Wave, Window,
};
use crate::model::{Complaint, units};

/// Whatever the group says; what is not given is as the group says.
#[derive(Debug, Default, Args)]
#[command(next_help_heading = "How groups are gone through, whatever they say")]
pub struct CampaignArgs {
    /// Sizes of the waves: numbers, parts of all, and `rest` at the end, like 1,10%,rest
    #[arg(long, value_name = "SIZES", value_delimiter = ',', value_parser = Wave::read)]
    pub waves: Vec<Wave>,
    /// Entities with equal values of this label are in one wave
    #[arg(long, value_name = "LABEL")]
    pub by: Option<String>,
    /// A label that the entities are sorted by, or one with the values that come first, like ring:lab,pilot; again
    /// for each further label
    #[arg(long, value_name = "LABEL", value_parser = OrderBy::read)]
    pub order: Vec<OrderBy>,
    /// What follows a wave that went well
    #[arg(long)]
    pub proceed: Option<ProceedArg>,
    /// Failures at which no other entity begins: a number, or a part of all, like 2%
    #[arg(long, value_name = "FAILURES", value_parser = StopAfter::read)]
    pub stop_after: Option<StopAfter>,
    /// None begins before, like 2026-12-01T01:00[Europe/Berlin]
    #[arg(long, value_name = "TIME", value_parser = read_start)]
    pub start: Option<Zoned>,
    /// None begins outside, like 'mon-fri 01:00-05:00 Europe/Berlin'
    #[arg(long, value_name = "WINDOW", value_parser = Window::read)]
    pub window: Option<Window>,
    /// How long one entity takes: none begins when less is left of the window
    #[arg(long, value_name = "TIME", value_parser = takes)]
    pub takes: Option<Duration>,
    /// What becomes of an entity that can't be reached: fail, or 'wait 14d', 'wait 14d, first 1m'
    #[arg(long, value_name = "WHAT", value_parser = Offline::read)]
    pub offline: Option<Offline>,
    /// Entities with equal values of this label are never under way at one time
    #[arg(long, value_name = "LABEL")]
    pub never_together: Option<String>,
    /// Whether entities may get an image older than what they run
    #[arg(long)]
    pub downgrade: Option<DowngradeArg>,
    /// Versions that the image may be put on, like '>=2.1, <3'
    #[arg(long, value_name = "VERSIONS")]
    pub from: Option<String>,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq, clap::ValueEnum)]
pub enum ProceedArg {
    /// The next one
    Auto,
    /// A pause, until somebody says to go on
    Ask,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq, clap::ValueEnum)]
pub enum DowngradeArg {
    /// Nothing is started
    Refuse,
    /// They may
    Allow,
}

impl CampaignArgs {
    /// A campaign with what is given here in place of what it says.
    pub fn over(&self, campaign: &Campaign) -> Campaign {
        let mut new = campaign.clone();
        if !self.waves.is_empty() {
            new.waves.clone_from(&self.waves);
        }
        if !self.order.is_empty() {
            new.order.clone_from(&self.order);
        }
        new.by = self.by.clone().or(new.by);
        new.stop_after = self.stop_after.or(new.stop_after);
        new.start = self.start.clone().or(new.start);
        new.window = self.window.clone().or(new.window);
        new.takes = self.takes.or(new.takes);
        new.offline = self.offline.unwrap_or(new.offline);
        new.never_together = self.never_together.clone().or(new.never_together);
        new.from = self.from.clone().or(new.from);
        new.proceed = match self.proceed {
            Some(ProceedArg::Auto) => Proceed::Auto,
            Some(ProceedArg::Ask) => Proceed::Ask,
            None => new.proceed,
        };
        new.downgrade = match self.downgrade {
            Some(DowngradeArg::Refuse) => Downgrade::Refuse,
            Some(DowngradeArg::Allow) => Downgrade::Allow,
            None => new.downgrade,
        };
        new
    }
}

fn takes(text: &str) -> Result<Duration, Complaint> {
    let wrong = |error: units::UnitError| Complaint::new(error.to_string(), "");
    let time = units::parse_duration(text).map_err(wrong)?;
    check_takes(time).map(|()| time)
}
