//! `subtend try-procedure`: the steps of a procedure on one device.

use clap::Args;

#[derive(Debug, Args)]
#[command(
    after_help = "Examples:\n  subtend try-procedure adsl --on shelf1-01\n  \
                  subtend try-procedure adsl --on shelf1-01 --until before\n  \
                  subtend try-procedure adsl --on shelf1-01 --until activate --image adsl-2.4\n\n\
                  Each step is shown as it is carried out: what was sent, what came back, how long it\n\
                  took, and what its pattern has found. The first that fails ends it. No image is sent.\n\
                  With --until activate the device may restart, and runs what it holds afterwards.\n\
                  Exit codes: 0 every step passed, 1 one failed, or another run has the entity,\n\
                  2 the command line or the inventory is wrong, 130 stopped."
)]
pub struct TryProcedureArgs {
    /// A type of the inventory that has a procedure
    #[arg(value_name = "TYPE")]
    pub type_: String,
    /// The entity of that type on which it is tried
    #[arg(long, value_name = "ENTITY")]
    pub on: String,
    /// How far it goes
    #[arg(long, value_name = "PART", default_value = "check")]
    pub until: UntilArg,
    /// The image that {image} and {version} are of [default: that of the entity's group]
    #[arg(long)]
    pub image: Option<String>,
    /// What {version} stands for [default: the image's]
    #[arg(long)]
    pub version: Option<String>,
    /// With --until activate: don't ask before the device is changed
    #[arg(long)]
    pub yes: bool,
    /// Print what was done as JSON, one object a line
    #[arg(long)]
    pub json: bool,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq, clap::ValueEnum)]
pub enum UntilArg {
    /// The steps of `before` that are marked `safe: true`
    Before,
    /// Those, and the ones of `check` that are marked so: nothing is changed
    Check,
    /// Everything: `before`, `activate`, `check`, and `undo` where `check` fails
    Activate,
}

impl UntilArg {
    /// As it is typed.
    pub fn word(self) -> &'static str {
        match self {
            Self::Before => "before",
            Self::Check => "check",
            Self::Activate => "activate",
        }
    }
}
