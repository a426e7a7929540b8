//! `attach`, `status`, `cancel`, `pause`, `resume`, `login`, `rate`, `stop`, `serve`, and what is said of the engine in a process of its own.

use clap::{ArgGroup, Args};

use super::ScreenArgs;
use crate::model::rate::read_rate;
use crate::model::{Capped, Complaint};

#[derive(Debug, Default, Args)]
#[command(
    after_help = "Examples:\n  subtend attach\n  subtend attach --watch --state-dir /var/lib/subtend\n\n\
                  Several consoles can watch one engine; each is told of what the others order."
)]
pub struct AttachArgs {
    /// Only look: the engine takes no orders from this console
    #[arg(long)]
    pub watch: bool,
    // Last: its heading would be that of what follows.
    #[command(flatten)]
    pub screen: ScreenArgs,
}

#[derive(Debug, Args)]
#[command(
    after_help = "Examples:\n  subtend status\n  subtend status --json\n\n\
                  Exit code 0, whether or not an engine runs; in JSON, `engine` is null without one."
)]
pub struct StatusArgs {
    /// Print one JSON object
    #[arg(long)]
    pub json: bool,
}

#[derive(Debug, Args)]
#[command(
    group = ArgGroup::new("which").required(true).args(["all", "groups"]),
    after_help = "Examples:\n  subtend cancel adsl\n  subtend cancel --all"
)]
pub struct CancelArgs {
    /// Groups that run
    #[arg(value_name = "GROUP")]
    pub groups: Vec<String>,
    /// All that runs
    #[arg(long)]
    pub all: bool,
}

#[derive(Debug, Args)]
#[command(
    after_help = "Examples:\n  subtend rate group:adsl 2MiB/s\n  subtend rate label:site=north 512KiB/s\n  \
                  subtend rate file-server:hq none\n\n\
                  It holds until the engine ends, that of a group for as long as the group runs; an engine\n\
                  that goes on with the run takes it over. The inventory stays as it is."
)]
pub struct RateArgs {
    /// group:NAME, entity:NAME, label:KEY=VALUE or file-server:NAME
    #[arg(value_name = "TARGET")]
    pub target: Capped,
    /// A size a second, like 2MiB/s, or none
    #[arg(value_name = "RATE", value_parser = rate_or_none)]
    pub rate: RateArg,
}

/// `None`: as fast as it goes.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct RateArg(pub Option<u64>);

fn rate_or_none(text: &str) -> Result<RateArg, Complaint> {
    match text {
        "none" => Ok(RateArg(None)),
        rate => read_rate(rate).map(|rate| RateArg(Some(rate))),
    }
}

#[derive(Debug, Args)]
#[command(after_help = "Example: subtend pause adsl\n\n\
                  No other entity begins; those that are under way go on to their end.")]
pub struct PauseArgs {
    /// A group that runs
    #[arg(value_name = "GROUP")]
    pub group: String,
}

#[derive(Debug, Args)]
#[command(after_help = "Example: subtend resume adsl\n\n\
                  Whoever or whatever has paused it. What has failed so far stops it no more.")]
pub struct ResumeArgs {
    /// A group that is paused
    #[arg(value_name = "GROUP")]
    pub group: String,
}

#[derive(Debug, Args)]
#[command(after_help = "Example: subtend login craft\n\n\
                  An engine keeps passwords in its memory alone: one that was started anew waits for those\n\
                  that have to be asked for.")]
pub struct LoginArgs {
    /// Credentials of the inventory [default: all that the engine does not have]
    #[arg(value_name = "CREDENTIALS")]
    pub credentials: Vec<String>,
}

#[derive(Debug, Args)]
#[command(
    after_help = "Examples:\n  subtend serve -i /etc/subtend/site.yaml\n  systemctl start subtend\n\n\
                  SIGTERM lets nothing else begin, cancels what can be cancelled, and waits for devices that\n\
                  are made to run an image; a second one ends it at once. The next `subtend serve` goes on\n\
                  with all of it."
)]
pub struct ServeArgs {}

#[derive(Debug, Args)]
#[command(after_help = "Examples:\n  subtend stop\n  subtend stop --cancel\n\n\
                  Returns when the engine has ended; Ctrl-C leaves the waiting, not the engine.\n\
                  An engine that nobody watches and that has nothing to do ends by itself.")]
pub struct StopArgs {
    /// Cancel what runs
    #[arg(long)]
    pub cancel: bool,
}

/// `subtend help detach`.
pub const DETACH: &str = "\
`subtend` and `subtend run --detach` start the engine as a process of its own: it has no terminal, \
and closing the console, a dropped SSH connection or a killed terminal cost nothing but the picture. \
It ends by itself when the last console has left and nothing runs. A plain `subtend run` works in the \
process that you see, and ends with it.

  subtend attach            opens the console on what runs; `subtend` alone does so too
  subtend attach --watch    only looks
  subtend status            tells how it stands, without a console
  subtend pause GROUP       lets no other entity begin; `subtend resume GROUP` lets it go on
  subtend cancel GROUP      cancels a group; --all cancels everything
  subtend stop              ends the engine when what runs has ended

There is one engine for each state directory (--state-dir). Its socket is in $XDG_RUNTIME_DIR/subtend, \
or in the folder `engine` of the state directory where that is not set. Only its own user is let in.

KillUserProcesses: where /etc/systemd/logind.conf says `KillUserProcesses=yes`, systemd ends all \
processes of a session when its user logs out, the engine too (and tmux, and nohup). Any of these \
keeps it:

  systemd-run --user --scope subtend run --all --detach
                            starts it outside of the session, in the user's own manager
  loginctl enable-linger    keeps the user's manager, and $XDG_RUNTIME_DIR, after the last logout;
                            needed with the line above when no other session stays open
  systemctl --user start subtend@GROUP
                            with the unit file that comes with subtend (assets/subtend@.service)

  subtend serve             an engine that stays, for a service manager (assets/subtend.service); after a
                            restart it goes on with groups that have waves, a start, a window, or that
                            it has begun

An engine that was ended in the middle of a run is reported at the next start, and `subtend recover` \
takes the run up again.";
