//! `subtend again`: the groups of a past run once more.

use clap::Args;

#[derive(Debug, Args)]
#[command(
    after_help = "Examples:\n  subtend again 20261122T205000Z-1a2b\n  subtend again 20261122 --failed --detach\n\n\
                  Image, sources and waves are those of then. Entities that failed, were rolled back or\n\
                  cancelled, or never began are sent to; those that it brought to success are left alone."
)]
pub struct AgainArgs {
    /// The run, or how its identifier begins; `subtend history` lists them
    #[arg(value_name = "RUN")]
    pub run: String,
    /// Only those that failed or were rolled back
    #[arg(long)]
    pub failed: bool,
    /// Print events as JSON, one object a line, and nothing else on standard output
    #[arg(long)]
    pub json: bool,
    /// Stay until nothing waits any more, too
    #[arg(long, conflicts_with = "detach")]
    pub wait: bool,
    /// Start it in a process of its own and return
    #[arg(long, conflicts_with = "json")]
    pub detach: bool,
}
