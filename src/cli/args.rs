//! The command line as it is typed. Exit code 2 on a wrong one is clap's.

use std::path::PathBuf;
use std::str::FromStr;
use std::time::Duration;

use clap::{ArgGroup, Args, CommandFactory, Parser, Subcommand, ValueHint};

use crate::model::{Limits, SourceSpec};

/// The inventory when none is named.
pub const INVENTORY: &str = "inventory.yaml";

#[derive(Debug, Parser)]
#[command(
    name = "subtend",
    version,
    about,
    max_term_width = 100,
    after_help = "Exit codes: 0 every entity delivered, or skipped because it already has the image;\n\
                  1 some entity was not delivered; 2 the command line or the inventory is wrong, and\n\
                  nothing was started; 130 stopped by the operator.\n\n\
                  Without a command, the console opens on the inventory.\n\n\
                  Examples:\n  subtend -i site.yaml\n  subtend run --all -i site.yaml"
)]
pub struct Arguments {
    #[command(flatten)]
    pub common: Common,
    #[command(flatten)]
    pub screen: ScreenArgs,
    #[command(subcommand)]
    pub verb: Option<Verb>,
}

/// What every command understands.
#[derive(Debug, Clone, Args)]
pub struct Common {
    /// The inventory: entities, images, file servers and groups [default: inventory.yaml]
    // An option, because `demo` brings its own where none is named.
    #[arg(
        short,
        long,
        global = true,
        value_name = "FILE",
        env = "SUBTEND_INVENTORY",
        value_hint = ValueHint::FilePath
    )]
    pub inventory: Option<PathBuf>,
    /// Where the journal, groups made in the console and its log are kept [default: $XDG_STATE_HOME/subtend]
    #[arg(long, global = true, value_name = "DIR", value_hint = ValueHint::DirPath)]
    pub state_dir: Option<PathBuf>,
    /// Log more, to standard error or the console's log file: -v, -vv, -vvv; SUBTEND_LOG filters finer
    #[arg(short, long, global = true, action = clap::ArgAction::Count)]
    pub verbose: u8,
}

/// How the console looks. Understood where a console is opened.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Args)]
#[command(next_help_heading = "Console")]
pub struct ScreenArgs {
    /// Draw without colours [default: as NO_COLOR and TERM say]
    #[arg(long)]
    pub mono: bool,
    /// Draw with ASCII characters alone [default: where the locale is not UTF-8]
    #[arg(long)]
    pub ascii: bool,
    /// Redraw once a second at most, for slow lines [default: 4 times]
    #[arg(long)]
    pub slow: bool,
    /// Take clicks of a mouse [default: leave the mouse to the terminal]
    #[arg(long)]
    pub mouse: bool,
}

impl ScreenArgs {
    /// Those that were given before a command and after it.
    pub fn and(self, other: Self) -> Self {
        Self {
            mono: self.mono || other.mono,
            ascii: self.ascii || other.ascii,
            slow: self.slow || other.slow,
            mouse: self.mouse || other.mouse,
        }
    }

    fn given(self) -> Option<&'static str> {
        let all = [
            (self.mono, "--mono"),
            (self.ascii, "--ascii"),
            (self.slow, "--slow"),
            (self.mouse, "--mouse"),
        ];
        all.into_iter()
            .find(|(given, _)| *given)
            .map(|(_, name)| name)
    }
}

impl Arguments {
    /// How the console is to look, if one is to be opened.
    ///
    /// # Errors
    /// A sentence, when that is said of a command without a console.
    pub fn console(&self) -> Result<Option<ScreenArgs>, String> {
        match &self.verb {
            None => Ok(Some(self.screen)),
            Some(Verb::Attach(args)) => Ok(Some(self.screen.and(args.screen))),
            #[cfg(feature = "lab")]
            Some(Verb::Demo(args)) if !args.headless => Ok(Some(self.screen.and(args.screen))),
            Some(_) => match self.screen.given() {
                Some(name) => Err(format!(
                    "{name} is about the console, which this command does not open"
                )),
                None => Ok(None),
            },
        }
    }
}

#[derive(Debug, Subcommand)]
pub enum Verb {
    /// Deliver images to groups of entities
    Run(RunArgs),
    /// Validate the inventory and print the plan
    Check(CheckArgs),
    /// Open the console on the engine that runs already
    Attach(AttachArgs),
    /// How the engine of this state directory stands
    Status(StatusArgs),
    /// Cancel groups that run; entities keep the file they have
    Cancel(CancelArgs),
    /// End the engine, when what runs has ended
    Stop(StopArgs),
    /// What happens to a run when its terminal is lost, and how to keep the engine
    #[command(hide = true, long_about = DETACH, after_help = "Example: subtend help detach")]
    Detach,
    /// The engine as a process of its own: started by the others, never by hand
    #[command(hide = true, after_help = "Example: subtend run --all --detach")]
    Engine,
    /// Past runs, and what became of each entity
    History(HistoryArgs),
    /// A run that was cut off: what each entity has, and taking it up again
    Recover(RecoverArgs),
    /// Look what the entities of groups hold at their final path
    Verify(VerifyArgs),
    /// Serve the practice network of an inventory on loopback until stopped
    #[cfg(feature = "lab")]
    Lab(LabArgs),
    /// Practice network and console in one process, without any set-up
    #[cfg(feature = "lab")]
    Demo(DemoArgs),
    /// Print a completion script for a shell
    #[command(after_help = "Example: subtend completions bash > /etc/bash_completion.d/subtend")]
    Completions { shell: clap_complete::Shell },
    /// Print the manual page, or write all of them to a folder
    #[command(after_help = "Example: subtend man | man -l -")]
    Man {
        /// Write one page for each command to this folder instead of printing the first
        #[arg(long, value_name = "DIR", value_hint = ValueHint::DirPath)]
        dir: Option<PathBuf>,
    },
}

impl Verb {
    /// Whether the network that it is for is made of practice servers in its own process.
    /// Whether it reads or writes anything in the state directory.
    pub fn keeps_state(&self) -> bool {
        match self {
            Self::Check(args) => args.online,
            Self::Completions { .. } | Self::Man { .. } | Self::Detach => false,
            #[cfg(feature = "lab")]
            Self::Lab(_) => false,
            _ => true,
        }
    }

    pub fn is_practice(&self) -> bool {
        #[cfg(feature = "lab")]
        return matches!(self, Self::Demo(_));
        #[cfg(not(feature = "lab"))]
        return false;
    }
}

#[derive(Debug, Default, Args)]
#[command(
    group = ArgGroup::new("what").required(true).args(["all", "groups", "image"]),
    after_help = "Examples:\n  subtend run --all\n  subtend run adsl vdsl --json > run.jsonl\n  \
                  subtend run --image adsl-2.4 --source hq --entities 'shelf1-[01-20]'\n  \
                  subtend run --image adsl-2.4 --source hq --entities 'shelf1-*' --retries 3\n\n\
                  A failure that may pass (a reset, a timeout, a refused connection, 421, 425,\n\
                  426, 451) is tried again after delays that grow; 530, 552 and 553 are not.\n\
                  Ctrl-C cancels in good order, a second one leaves at once."
)]
pub struct RunArgs {
    /// Groups of the inventory
    #[arg(value_name = "GROUP")]
    pub groups: Vec<String>,
    /// All groups of the inventory
    #[arg(long)]
    pub all: bool,
    /// A group made on the spot: the image that it gets
    #[arg(long, value_name = "IMAGE", requires_all = ["source", "entities"], help_heading = MADE)]
    pub image: Option<String>,
    /// Where the image is read: NAME or file-server:NAME, peer:NAME, or peer:any
    #[arg(long, requires = "image", help_heading = MADE)]
    pub source: Option<SourceArg>,
    /// Which entities: names, with ranges like shelf1-[01-20] and with * and ?
    #[arg(
        long,
        value_name = "PATTERN",
        num_args = 1..,
        requires = "image",
        help_heading = MADE
    )]
    pub entities: Vec<String>,
    /// What the group is called [default: the image's name]
    #[arg(long, requires = "image", help_heading = MADE)]
    pub name: Option<String>,
    /// What to do with an entity that holds up the others for longer than the limit [default: catch-up]
    #[arg(long, requires = "image", help_heading = MADE)]
    pub laggards: Option<LaggardsArg>,
    /// How long an entity may hold up the others before it catches up alone or is dropped [default: 2s]
    #[arg(
        long,
        value_name = "TIME",
        value_parser = Limits::read_laggard,
        requires = "image",
        help_heading = MADE
    )]
    pub laggard_limit: Option<Duration>,
    /// How many times an entity is tried again after a failure that may pass; 0 is never [default: 8]
    #[arg(
        long,
        value_name = "NUMBER",
        value_parser = Limits::read_retries,
        requires = "image",
        help_heading = MADE
    )]
    pub retries: Option<u32>,
    /// How long after its first failure an entity may be tried again [default: 5m]
    #[arg(
        long,
        value_name = "TIME",
        value_parser = Limits::read_retry_for,
        requires = "image",
        help_heading = MADE
    )]
    pub retry_for: Option<Duration>,
    /// Maximum number of entities served at one time [default: all]
    #[arg(
        long,
        value_name = "NUMBER",
        value_parser = parallel,
        requires = "image",
        help_heading = MADE
    )]
    pub parallel: Option<usize>,
    /// Send to entities that have the image already, too
    #[arg(long)]
    pub force: bool,
    /// Print events as JSON, one object a line, and nothing else on standard output
    #[arg(long)]
    pub json: bool,
    /// Start it in a process of its own and return; `subtend help detach` says more
    #[arg(long, conflicts_with = "json")]
    pub detach: bool,
}

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

An engine that was ended in the middle of a run is reported at the next start, and `subtend recover` \
takes the run up again.";

const MADE: &str = "A group made on the spot";

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
                  subtend history --entity shelf1-01\n\n\
                  What is told comes from the journal in the state directory; nothing is connected to."
)]
pub struct HistoryArgs {
    /// One run whole: its identifier, or the beginning of it
    #[arg(value_name = "RUN")]
    pub run: Option<String>,
    /// What became of one entity; with a run, each of its states there
    #[arg(long, value_name = "NAME")]
    pub entity: Option<String>,
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

#[cfg(feature = "lab")]
#[derive(Debug, Args)]
#[command(after_help = "Example: subtend lab -i inventory.yaml --settings lab.yaml")]
pub struct LabArgs {
    /// How the practice network behaves: rates, pauses, faults
    #[arg(long, value_name = "FILE", value_hint = ValueHint::FilePath)]
    pub settings: Option<PathBuf>,
}

#[cfg(feature = "lab")]
#[derive(Debug, Args)]
#[command(after_help = "Examples:\n  subtend demo\n  subtend demo --headless")]
pub struct DemoArgs {
    /// Deliver to all groups without the console, and print lines
    #[arg(long, conflicts_with_all = ["mono", "ascii", "slow", "mouse"])]
    pub headless: bool,
    /// Print events as JSON, one object a line, and nothing else on standard output
    #[arg(long, requires = "headless")]
    pub json: bool,
    // Last: its heading would be that of what follows.
    #[command(flatten)]
    pub screen: ScreenArgs,
}

/// `hq` or `file-server:hq`, `peer:NAME`, `peer:any`.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct SourceArg(pub SourceSpec);

impl FromStr for SourceArg {
    type Err = String;

    fn from_str(text: &str) -> Result<Self, String> {
        let named = |name: &str, make: fn(String) -> SourceSpec| match name {
            "" => Err("a name is missing after the colon".to_owned()),
            name => Ok(Self(make(name.to_owned()))),
        };
        match text.split_once(':') {
            Some(("peer", "any")) => Ok(Self(SourceSpec::AnyPeer)),
            Some(("peer", name)) => named(name, SourceSpec::Peer),
            Some(("file-server", name)) => named(name, SourceSpec::FileServer),
            None if !text.is_empty() => Ok(Self(SourceSpec::FileServer(text.to_owned()))),
            _ => Err("write a file server's name, `peer:NAME` or `peer:any`".into()),
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

impl From<LaggardsArg> for crate::model::Laggards {
    fn from(arg: LaggardsArg) -> Self {
        match arg {
            LaggardsArg::CatchUp => Self::CatchUp,
            LaggardsArg::Wait => Self::Wait,
            LaggardsArg::Drop => Self::Drop,
        }
    }
}

fn parallel(text: &str) -> Result<usize, String> {
    match text.parse() {
        Ok(0) | Err(_) => Err("write a number of entities, at least 1".into()),
        Ok(number) => Ok(number),
    }
}

/// The command as clap knows it, for completions and manual pages.
pub fn command() -> clap::Command {
    Arguments::command()
}

#[cfg(test)]
mod tests {
    use clap::error::ErrorKind;

    use super::*;

    fn parse(line: &str) -> Result<Arguments, clap::Error> {
        Arguments::try_parse_from(std::iter::once("subtend").chain(line.split_whitespace()))
    }

    fn run_args(line: &str) -> RunArgs {
        match parse(line).unwrap().verb {
            Some(Verb::Run(args)) => args,
            other => panic!("{line}: {other:?}"),
        }
    }

    #[test]
    fn the_definition_holds_together() {
        command().debug_assert();
    }

    #[test]
    fn what_is_run_is_named_in_one_of_three_ways() {
        assert!(run_args("run --all --json").all);
        assert_eq!(run_args("run adsl vdsl --force").groups, ["adsl", "vdsl"]);
        let made = run_args(
            "run --image adsl-2.4 --source peer:any --entities shelf1-* shelf2-01 --entities olt \
             --name tonight --laggards drop --laggard-limit 500ms --retries 0 --retry-for 10m \
             --parallel 4",
        );
        assert_eq!(made.image.as_deref(), Some("adsl-2.4"));
        assert_eq!(made.source, Some(SourceArg(SourceSpec::AnyPeer)));
        assert_eq!(made.entities, ["shelf1-*", "shelf2-01", "olt"]);
        assert_eq!(made.name.as_deref(), Some("tonight"));
        assert_eq!(made.laggards, Some(LaggardsArg::Drop));
        assert_eq!(made.laggard_limit, Some(Duration::from_millis(500)));
        assert_eq!(made.retries, Some(0));
        assert_eq!(made.retry_for, Some(Duration::from_secs(600)));
        assert_eq!(made.parallel, Some(4));
    }

    #[test]
    fn wrong_command_lines_are_refused_with_exit_code_2() {
        use ErrorKind::{ArgumentConflict, InvalidValue, MissingRequiredArgument, ValueValidation};
        for (line, kind) in [
            ("run", MissingRequiredArgument),
            ("run --json", MissingRequiredArgument),
            ("run --all adsl", ArgumentConflict),
            (
                "run adsl --image i --source hq --entities e",
                ArgumentConflict,
            ),
            (
                "run --all --image i --source hq --entities e",
                ArgumentConflict,
            ),
            ("run --image i", MissingRequiredArgument),
            ("run --image i --source hq", MissingRequiredArgument),
            ("run adsl --source hq", MissingRequiredArgument),
            ("run --all --laggards drop", MissingRequiredArgument),
            ("run --all --laggard-limit 2s", MissingRequiredArgument),
            ("run --all --retries 3", MissingRequiredArgument),
            ("run adsl --retry-for 5m", MissingRequiredArgument),
            (
                "run --image i --source hq --entities e --laggard-limit 0s",
                ValueValidation,
            ),
            (
                "run --image i --source hq --entities e --retries -1",
                ErrorKind::UnknownArgument,
            ),
            (
                "run --image i --source hq --entities e --retries 1001",
                ValueValidation,
            ),
            (
                "run --image i --source hq --entities e --retry-for 25h",
                ValueValidation,
            ),
            ("run --image i --source peer: --entities e", ValueValidation),
            (
                "run --image i --source http://x --entities e",
                ValueValidation,
            ),
            (
                "run --image i --source hq --entities e --parallel 0",
                ValueValidation,
            ),
            (
                "run --image i --source hq --entities e --laggards eject",
                InvalidValue,
            ),
            ("histroy", ErrorKind::InvalidSubcommand),
            ("history --json --csv", ArgumentConflict),
            ("run --all --frobnicate", ErrorKind::UnknownArgument),
            ("demo --json", MissingRequiredArgument),
        ] {
            let error = parse(line).unwrap_err();
            assert_eq!(error.kind(), kind, "{line}: {error}");
            assert_eq!(error.exit_code(), 2, "{line}");
        }
    }

    #[test]
    fn sources_are_read_as_documented() {
        let source = |text: &str| text.parse::<SourceArg>().map(|source| source.0);
        assert_eq!(source("hq"), Ok(SourceSpec::FileServer("hq".into())));
        assert_eq!(
            source("file-server:any"),
            Ok(SourceSpec::FileServer("any".into()))
        );
        assert_eq!(
            source("peer:shelf1-09"),
            Ok(SourceSpec::Peer("shelf1-09".into()))
        );
        assert_eq!(source("peer:any"), Ok(SourceSpec::AnyPeer));
        assert!(source("").is_err());
        assert!(source("file-server:").is_err());
    }

    #[test]
    fn the_inventory_may_be_named_before_or_after_the_command() {
        for line in [
            "-i site.yaml check",
            "check -i site.yaml",
            "check --inventory site.yaml",
        ] {
            assert_eq!(
                parse(line).unwrap().common.inventory,
                Some(PathBuf::from("site.yaml")),
                "{line}"
            );
        }
        assert_eq!(parse("run --all -vv").unwrap().common.verbose, 2);
        assert!(parse("").unwrap().verb.is_none());
    }

    #[test]
    fn the_look_of_the_console_is_said_where_there_is_one() {
        let console = |line: &str| parse(line).unwrap().console();
        let mono = ScreenArgs {
            mono: true,
            ..ScreenArgs::default()
        };
        assert_eq!(console(""), Ok(Some(ScreenArgs::default())));
        assert_eq!(console("--mono"), Ok(Some(mono)));
        assert_eq!(console("run --all"), Ok(None));
        assert!(console("--slow run --all").unwrap_err().contains("--slow"));
        assert!(parse("run --all --mono").is_err());
        #[cfg(feature = "lab")]
        {
            let both = ScreenArgs { slow: true, ..mono };
            assert_eq!(console("--mono demo --slow"), Ok(Some(both)));
            assert_eq!(console("demo --headless"), Ok(None));
            assert!(parse("demo --headless --ascii").is_err());
        }
    }

    #[test]
    fn each_help_gives_an_example_and_hides_what_does_nothing() {
        let mut root = command();
        root.build();
        let help = root.render_long_help().to_string();
        assert!(help.contains("Example"), "{help}");
        assert!(help.contains("[default: inventory.yaml]"), "{help}");
        assert!(help.contains("SUBTEND_INVENTORY"), "{help}");
        assert!(
            help.contains("--state-dir") && help.contains("--mono"),
            "{help}"
        );
        assert!(
            help.contains("attach") && !help.contains("engine as a process"),
            "{help}"
        );
        for sub in root
            .get_subcommands_mut()
            .filter(|sub| sub.get_name() != "help")
        {
            let help = sub.render_long_help().to_string();
            assert!(help.contains("Example"), "{help}");
        }
    }
}
