//! The command line as it is typed. Exit code 2 on a wrong one is clap's.

use std::path::PathBuf;

use clap::{Args, CommandFactory, Parser, Subcommand, ValueHint};
use thiserror::Error;

use crate::config::{self, Zone};
use crate::terminal::ThemeName;

mod again;
mod campaign;
mod engine;
mod export;
mod look;
mod run;
mod try_procedure;

pub use again::AgainArgs;
pub use campaign::{CampaignArgs, DowngradeArg, ProceedArg};
pub use engine::{
    AttachArgs, CancelArgs, DETACH, LoginArgs, PauseArgs, RateArgs, ResumeArgs, ServeArgs,
    StatusArgs, StopArgs,
};
pub use export::{ExportArgs, FormatArgs};
pub use look::{CheckArgs, HistoryArgs, RecoverArgs, VerifyArgs};
pub use run::{ActivateArg, ActivateArgs, LaggardsArg, MadeArgs, RunArgs, SourceArg};
pub use try_procedure::{TryProcedureArgs, UntilArg};

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
                  nothing was started; 3 something waits; 130 stopped by the operator.\n\n\
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
    /// The settings of the console [default: $XDG_CONFIG_HOME/subtend/config.yaml, if it is there]
    #[arg(
        long,
        global = true,
        value_name = "FILE",
        env = "SUBTEND_CONFIG",
        value_hint = ValueHint::FilePath
    )]
    pub config: Option<PathBuf>,
    /// Log more, to standard error or the console's log file: -v, -vv, -vvv; SUBTEND_LOG filters finer
    #[arg(short, long, global = true, action = clap::ArgAction::Count)]
    pub verbose: u8,
}

/// How the console looks. Understood where a console is opened; more can be set in the file of settings.
#[derive(Debug, Clone, Default, PartialEq, Eq, Args)]
#[command(next_help_heading = "Console")]
pub struct ScreenArgs {
    /// Colours: auto, dark, light, high-contrast, mono [default: dark]
    #[arg(long, value_name = "THEME", value_parser = config::theme)]
    pub(crate) theme: Option<ThemeName>,
    /// Show times in this zone: local, utc, or a name like Europe/Berlin [default: local]
    #[arg(long, value_name = "ZONE", value_parser = config::zone)]
    pub(crate) time: Option<Zone>,
    /// Draw without colours [default: as NO_COLOR and TERM say]
    #[arg(long, conflicts_with = "theme")]
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
    /// No title, progress or bell of the terminal [default: where the terminal knows them]
    #[arg(long)]
    pub no_notices: bool,
}

impl ScreenArgs {
    /// Those that were given before a command and after it.
    pub fn and(self, other: Self) -> Self {
        Self {
            theme: self.theme.or(other.theme),
            time: self.time.or(other.time),
            mono: self.mono || other.mono,
            ascii: self.ascii || other.ascii,
            slow: self.slow || other.slow,
            mouse: self.mouse || other.mouse,
            no_notices: self.no_notices || other.no_notices,
        }
    }

    fn given(&self) -> Option<&'static str> {
        let all = [
            (self.theme.is_some(), "--theme"),
            (self.time.is_some(), "--time"),
            (self.mono, "--mono"),
            (self.ascii, "--ascii"),
            (self.slow, "--slow"),
            (self.mouse, "--mouse"),
            (self.no_notices, "--no-notices"),
        ];
        all.into_iter()
            .find(|(given, _)| *given)
            .map(|(_, name)| name)
    }
}

/// An option that the command has no use for.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Error)]
#[error("{0} is about the console, which this command does not open")]
pub struct NoConsole(&'static str);

impl Arguments {
    /// How the console is to look, if one is to be opened.
    ///
    /// # Errors
    /// That is said of a command without a console.
    pub fn console(&self) -> Result<Option<ScreenArgs>, NoConsole> {
        match &self.verb {
            None => Ok(Some(self.screen.clone())),
            Some(Verb::Attach(args)) => Ok(Some(self.screen.clone().and(args.screen.clone()))),
            #[cfg(feature = "lab")]
            Some(Verb::Demo(args)) if !args.headless => {
                Ok(Some(self.screen.clone().and(args.screen.clone())))
            }
            Some(Verb::Config(_)) => Ok(None),
            Some(_) => match self.screen.given() {
                Some(name) => Err(NoConsole(name)),
                None => Ok(None),
            },
        }
    }
}

#[derive(Debug, Subcommand)]
#[expect(clippy::large_enum_variant, reason = "there is one of them")]
pub enum Verb {
    /// Deliver images to groups of entities
    Run(RunArgs),
    /// Make the entities of groups run the image that was delivered to them
    Activate(ActivateArgs),
    /// Validate the inventory and print the plan
    Check(CheckArgs),
    /// Open the console on the engine that runs already
    Attach(AttachArgs),
    /// How the engine of this state directory stands
    Status(StatusArgs),
    /// Cancel groups that run; entities keep the file they have
    Cancel(CancelArgs),
    /// Change the rate that something is held to, while it runs
    Rate(RateArgs),
    /// Let no other entity of a group begin
    Pause(PauseArgs),
    /// Let a group go on that is paused
    Resume(ResumeArgs),
    /// Give the engine passwords that it asks for
    Login(LoginArgs),
    /// End the engine, when what runs has ended
    Stop(StopArgs),
    /// An engine that stays, in the foreground, for a service manager
    Serve(ServeArgs),
    /// What happens to a run when its terminal is lost, and how to keep the engine
    #[command(hide = true, long_about = DETACH, after_help = "Example: subtend help detach")]
    Detach,
    /// The engine as a process of its own: started by the others, never by hand
    #[command(hide = true, after_help = "Example: subtend run --all --detach")]
    Engine,
    /// Past runs, and what became of each entity
    History(HistoryArgs),
    /// A past run, or one that is going on, as a report: HTML with plots, JUnit's XML, CSV, text
    Export(ExportArgs),
    /// A run that was cut off: what each entity has, and taking it up again
    Recover(RecoverArgs),
    /// Start the groups of a past run again, with the entities that it did not bring to success
    Again(AgainArgs),
    /// Look what the entities of groups hold at their final path
    Verify(VerifyArgs),
    /// Carry out the procedure of a type on one entity, step by step
    TryProcedure(TryProcedureArgs),
    /// Print the settings of the console that are in force, as a file
    Config(ConfigArgs),
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
    /// Whether it reads or writes anything in the state directory.
    pub fn keeps_state(&self) -> bool {
        match self {
            Self::Check(args) => args.online,
            Self::Completions { .. } | Self::Man { .. } | Self::Detach | Self::Config(_) => false,
            #[cfg(feature = "lab")]
            Self::Lab(_) => false,
            _ => true,
        }
    }

    /// Whether the network that it is for is made of practice servers in its own process.
    pub fn is_practice(&self) -> bool {
        #[cfg(feature = "lab")]
        return matches!(self, Self::Demo(_));
        #[cfg(not(feature = "lab"))]
        return false;
    }
}

#[derive(Debug, Args)]
#[command(
    after_help = "Examples:\n  subtend config > ~/.config/subtend/config.yaml\n  subtend config --check --config new.yaml"
)]
pub struct ConfigArgs {
    /// Look for errors alone, and print nothing else
    #[arg(long, conflicts_with = "path")]
    pub check: bool,
    /// Print where the file is looked for
    #[arg(long)]
    pub path: bool,
    // Last: its heading would be that of what follows.
    #[command(flatten)]
    pub screen: ScreenArgs,
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
    #[arg(long, conflicts_with_all = ["theme", "time", "mono", "ascii", "slow", "mouse", "no_notices"])]
    pub headless: bool,
    /// Print events as JSON, one object a line, and nothing else on standard output
    #[arg(long, requires = "headless")]
    pub json: bool,
    // Last: its heading would be that of what follows.
    #[command(flatten)]
    pub screen: ScreenArgs,
}

/// The command as clap knows it, for completions and manual pages.
pub fn command() -> clap::Command {
    Arguments::command()
}

#[cfg(test)]
mod tests {
    use std::time::Duration;

    use clap::error::ErrorKind;

    use super::*;
    use crate::model::SourceSpec;

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
        let MadeArgs {
            image,
            source,
            entities,
            name,
            laggards,
            laggard_limit,
            retries,
            retry_for,
            parallel,
            rate,
        } = run_args(
            "run --image adsl-2.4 --source hq --source peer:any --entities shelf1-* shelf2-01 --entities olt \
             --name tonight --laggards drop --laggard-limit 500ms --retries 0 --retry-for 10m \
             --parallel 4 --rate 2MiB/s",
        )
        .made;
        assert_eq!(image.as_deref(), Some("adsl-2.4"));
        let order = [SourceSpec::FileServer("hq".into()), SourceSpec::AnyPeer];
        assert_eq!(source, order.map(SourceArg));
        assert_eq!(entities, ["shelf1-*", "shelf2-01", "olt"]);
        assert_eq!(name.as_deref(), Some("tonight"));
        assert_eq!(laggards, Some(LaggardsArg::Drop));
        assert_eq!(laggard_limit, Some(Duration::from_millis(500)));
        assert_eq!(retries, Some(0));
        assert_eq!(retry_for, Some(Duration::from_secs(600)));
        assert_eq!(parallel, Some(4));
        assert_eq!(rate, Some(2 << 20));
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
            ("export 2026", MissingRequiredArgument),
            ("export 2026 --html --csv", ArgumentConflict),
            ("try-procedure adsl", MissingRequiredArgument),
            ("try-procedure adsl --on e1 --until undo", InvalidValue),
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
        assert_eq!(console("--mono"), Ok(Some(mono.clone())));
        assert_eq!(console("run --all"), Ok(None));
        let refused = console("--slow run --all").unwrap_err().to_string();
        assert!(refused.contains("--slow"));
        assert!(parse("run --all --mono").is_err());
        #[cfg(feature = "lab")]
        {
            let both = ScreenArgs {
                slow: true,
                ..mono.clone()
            };
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
