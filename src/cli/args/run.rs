//! `subtend run`: groups of the inventory, or one made on the spot.

use std::str::FromStr;
use std::time::Duration;

use clap::{ArgGroup, Args};
use thiserror::Error;

use super::CampaignArgs;
use crate::model::rate::read_rate;
use crate::model::{Extent, Laggards, Limits, SourceSpec};

#[derive(Debug, Default, Args)]
#[command(
    group = ArgGroup::new("what").required(true).args(["all", "groups", "image"]),
    after_help = "Examples:\n  subtend run --all\n  subtend run adsl vdsl --json > run.jsonl\n  \
                  subtend run --image adsl-2.4 --source hq --entities 'shelf1-[01-20]'\n  \
                  subtend run --image adsl-2.4 --source hq --entities 'shelf1-*' --retries 3\n  \
                  subtend run adsl --activate now\n  \
                  subtend run adsl --waves 1,10%,rest --stop-after 2% --offline 'wait 14d'\n\n\
                  A failure that may pass (a reset, a timeout, a refused connection, 421, 425,\n\
                  426, 451) is tried again after delays that grow; 530, 552 and 553 are not.\n\
                  Ctrl-C cancels in good order, a second one leaves at once.\n\
                  A group with waves, a start, a window, or devices that are waited for runs in a process\n\
                  of its own: exit code 3 says that nothing is under way there, and something waits."
)]
pub struct RunArgs {
    /// Groups of the inventory
    #[arg(value_name = "GROUP")]
    pub groups: Vec<String>,
    /// All groups of the inventory
    #[arg(long)]
    pub all: bool,
    #[command(flatten)]
    pub made: MadeArgs,
    // Else these would stand under the heading of a group made on the spot.
    /// Send to entities that have the image already, too
    #[arg(long, help_heading = None::<&str>)]
    pub force: bool,
    /// Whether devices are made to run the image, whatever the group says [default: as the group says, else later]
    #[arg(long, help_heading = None::<&str>)]
    pub activate: Option<ActivateArg>,
    #[command(flatten)]
    pub campaign: CampaignArgs,
    /// Print events as JSON, one object a line, and nothing else on standard output
    #[arg(long, help_heading = None::<&str>)]
    pub json: bool,
    /// Stay until nothing waits any more, too: a pause, a window, devices that are off
    #[arg(long, conflicts_with = "detach", help_heading = None::<&str>)]
    pub wait: bool,
    /// Start it in a process of its own and return; `subtend help detach` says more
    #[arg(long, conflicts_with = "json", help_heading = None::<&str>)]
    pub detach: bool,
}

#[derive(Debug, Default, Args)]
#[command(
    group = ArgGroup::new("which").required(true).args(["all", "groups"]),
    after_help = "Examples:\n  subtend activate adsl\n  subtend activate --all --json > activated.jsonl\n\n\
                  Nothing is sent. An entity is asked first, where it may run the image already, or where\n\
                  something ended an earlier activation. One that no run is known to have delivered the\n\
                  image to fails. `undo` of its procedure is for one that does not say that it runs the\n\
                  image. Exit codes: 0 all say that they run it, 1 some do not, 2 the inventory is wrong,\n\
                  130 stopped."
)]
pub struct ActivateArgs {
    /// Groups of the inventory
    #[arg(value_name = "GROUP")]
    pub groups: Vec<String>,
    /// All groups whose type has a procedure that activates
    #[arg(long)]
    pub all: bool,
    /// Print events as JSON, one object a line, and nothing else on standard output
    #[arg(long)]
    pub json: bool,
}

/// A group made on the spot.
#[derive(Debug, Default, Args)]
#[command(next_help_heading = "A group made on the spot")]
pub struct MadeArgs {
    /// A group made on the spot: the image that it gets
    #[arg(long, value_name = "IMAGE", requires_all = ["source", "entities"])]
    pub image: Option<String>,
    /// Where the image is read: NAME or file-server:NAME, file:PATH, peer:NAME, or peer:any; the preferred one
    /// first, and again for each that goes on where it fails
    #[arg(long, requires = "image")]
    pub source: Vec<SourceArg>,
    /// Which entities: names, with ranges like shelf1-[01-20] and with * and ?
    #[arg(long, value_name = "PATTERN", num_args = 1.., requires = "image")]
    pub entities: Vec<String>,
    /// What the group is called [default: the image's name]
    #[arg(long, requires = "image")]
    pub name: Option<String>,
    /// What to do with an entity that holds up the others for longer than the limit [default: catch-up]
    #[arg(long, requires = "image")]
    pub laggards: Option<LaggardsArg>,
    /// How long an entity may hold up the others before it catches up alone or is dropped [default: 2s]
    #[arg(long, value_name = "TIME", value_parser = Limits::read_laggard, requires = "image")]
    pub laggard_limit: Option<Duration>,
    /// How many times an entity is tried again after a failure that may pass; 0 is never [default: 8]
    #[arg(long, value_name = "NUMBER", value_parser = Limits::read_retries, requires = "image")]
    pub retries: Option<u32>,
    /// How long after its first failure an entity may be tried again [default: 5m]
    #[arg(long, value_name = "TIME", value_parser = Limits::read_retry_for, requires = "image")]
    pub retry_for: Option<Duration>,
    /// Maximum number of entities served at one time [default: all]
    #[arg(long, value_name = "NUMBER", value_parser = parallel, requires = "image")]
    pub parallel: Option<usize>,
    /// Bytes a second to all its entities together, like `2 MiB/s` [default: as fast as it goes]
    #[arg(long, value_name = "RATE", value_parser = read_rate, requires = "image")]
    pub rate: Option<u64>,
}

/// `hq` or `file-server:hq`, `file:PATH`, `peer:NAME`, `peer:any`.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct SourceArg(pub SourceSpec);

#[derive(Debug, Clone, Copy, PartialEq, Eq, Error)]
pub enum SourceArgError {
    #[error("a name is missing after the colon")]
    NoName,
    #[error("write a file server's name, `file:PATH`, `peer:NAME` or `peer:any`")]
    Kind,
}

impl FromStr for SourceArg {
    type Err = SourceArgError;

    fn from_str(text: &str) -> Result<Self, SourceArgError> {
        let named = |name: &str, make: fn(String) -> SourceSpec| match name {
            "" => Err(SourceArgError::NoName),
            name => Ok(Self(make(name.to_owned()))),
        };
        match text.split_once(':') {
            Some(("peer", "any")) => Ok(Self(SourceSpec::AnyPeer)),
            // The engine may work in another folder.
            Some(("file", path)) => std::path::absolute(path)
                .ok()
                .and_then(|path| Some(Self(SourceSpec::File(path.to_str()?.to_owned()))))
                .ok_or(SourceArgError::NoName),
            Some(("peer", name)) => named(name, SourceSpec::Peer),
            Some(("file-server", name)) => named(name, SourceSpec::FileServer),
            None if !text.is_empty() => Ok(Self(SourceSpec::FileServer(text.to_owned()))),
            _ => Err(SourceArgError::Kind),
        }
    }
}

#[derive(Debug, Clone, Copy, PartialEq, Eq, clap::ValueEnum)]
pub enum LaggardsArg {
    /// It goes on from the same byte in a second pass, without the others
    CatchUp,
    /// All go at its pace
    Wait,
    /// It fails with that cause, and the others go on
    Drop,
}

impl From<LaggardsArg> for Laggards {
    fn from(arg: LaggardsArg) -> Self {
        match arg {
            LaggardsArg::CatchUp => Self::CatchUp,
            LaggardsArg::Wait => Self::Wait,
            LaggardsArg::Drop => Self::Drop,
        }
    }
}

#[derive(Debug, Clone, Copy, PartialEq, Eq, clap::ValueEnum)]
pub enum ActivateArg {
    /// As soon as they have it, by the procedure of their type
    Now,
    /// They get it, and go on with the one that they run
    Later,
    /// They get it at any time, and are made to run it in the window
    Window,
}

impl ActivateArg {
    /// Whether the window is for that alone.
    pub fn is_in_window(self) -> bool {
        self == Self::Window
    }
}

impl From<ActivateArg> for Extent {
    fn from(arg: ActivateArg) -> Self {
        match arg {
            ActivateArg::Now | ActivateArg::Window => Self::Upgrade,
            ActivateArg::Later => Self::Deliver,
        }
    }
}

fn parallel(text: &str) -> Result<usize, &'static str> {
    let number = text.parse().ok().filter(|number| *number > 0);
    number.ok_or("write a number of entities, at least 1")
}
