//! `check`, `verify`, `history`, `recover`: what would be, what is, and what was.

use clap::Args;

#[derive(Debug, Args)]
#[command(
    after_help = "Examples:\n  subtend check -i site.yaml\n  subtend check --online adsl\n  \
                  subtend check --online --json > found.json\n\n\
                  With --online, each entity is logged in to, and one byte is stored under the\n\
                  staging name and deleted again; a file that lies there is left alone, and the\n\
                  image that the entity has is never touched. Exit codes: 0 no problem, 1 some\n\
                  entity or source would fail, 2 the inventory is wrong, 130 stopped."
)]
pub struct CheckArgs {
    /// Only these groups, as if they ran together [default: all]
    #[arg(value_name = "GROUP")]
    pub groups: Vec<String>,
    /// Look at each entity and source too: reachable, login, directory, room, what it can do
    #[arg(long)]
    pub online: bool,
    /// Print the plan as one JSON object
    #[arg(long)]
    pub json: bool,
}

#[derive(Debug, Default, Args)]
#[command(
    after_help = "Examples:\n  subtend history\n  subtend history 20261122T2050 --csv > run.csv\n  \
                  subtend history --entity shelf1-01 --transcript\n\n\
                  What is told comes from the journal in the state directory; nothing is connected to."
)]
pub struct HistoryArgs {
    /// One run whole: its identifier, or the beginning of it
    #[arg(value_name = "RUN")]
    pub run: Option<String>,
    /// What became of one entity; with a run, each of its states there
    #[arg(long, value_name = "NAME")]
    pub entity: Option<String>,
    /// Every step of procedures, with what devices said
    #[arg(long)]
    pub transcript: bool,
    /// Maximum number of runs, the newest; 0: all
    #[arg(short = 'n', long, value_name = "NUMBER", default_value_t = 20)]
    pub limit: usize,
    /// Print one JSON object
    #[arg(long)]
    pub json: bool,
    /// Print comma-separated values, names on the first line
    #[arg(long, conflicts_with = "json")]
    pub csv: bool,
}

#[derive(Debug, Default, Args)]
#[command(
    after_help = "Examples:\n  subtend recover\n  subtend recover --check --clean\n  \
                  subtend recover 20261122T2050 --resume\n\n\
                  Without --check, --clean or --resume nothing is connected to: the journal was written\n\
                  before an entity was changed, and knows. Exit code 1: some entity lacks the image."
)]
pub struct RecoverArgs {
    /// The run: its identifier, or the beginning of it [default: the newest that was cut off]
    #[arg(value_name = "RUN")]
    pub run: Option<String>,
    /// Look at the entities that may have a staging file or the image
    #[arg(long)]
    pub check: bool,
    /// Look at them, read their file back, and compare its SHA-256
    #[arg(long)]
    pub readback: bool,
    /// Look at them, and remove staging files; a file that may be the only copy is kept
    #[arg(long)]
    pub clean: bool,
    /// Look at them, and send the image to those that lack it, as the run would have
    #[arg(long)]
    pub resume: bool,
    /// Say no more of this run
    #[arg(long, conflicts_with_all = ["check", "readback", "clean", "resume"])]
    pub forget: bool,
    /// Print one JSON object; with --resume, the JSON lines of the run
    #[arg(long)]
    pub json: bool,
}

#[derive(Debug, Args)]
#[command(
    after_help = "Examples:\n  subtend verify adsl\n  subtend verify adsl vdsl --size\n  \
                  subtend verify adsl --json > held.json\n\n\
                  The SHA-256 comes from the inventory, or else from the source, which is read\n\
                  once. An entity that computes a SHA-256 is asked for it; from others the file is\n\
                  read. A size proves no content: with --size, all are called unproven.\n\
                  Nothing is written. Exit codes: 0 all have the image, 1 some have not, or\n\
                  can't be reached, 2 the inventory is wrong, 130 stopped."
)]
pub struct VerifyArgs {
    /// Groups of the inventory
    #[arg(value_name = "GROUP", required = true)]
    pub groups: Vec<String>,
    /// Compare sizes alone, and read nothing
    #[arg(long)]
    pub size: bool,
    /// Print what was found as one JSON object
    #[arg(long)]
    pub json: bool,
}
