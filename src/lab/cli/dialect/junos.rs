//! Like Junos: an image is installed at once and boots next, a restart is confirmed with a word, and there is a way
//! back.

use super::{Command, Dialect, Does, Mode, Question};

const ADDED: &str = "Verified {file} signed by the lab\nInstalling package '{file}' ...\n\
    Saving state for rollback ...\nA reboot is required to install the software\n";
const REFUSED: &str = "error: Package {file} is not valid for this platform\n";

const fn add(words: &'static str) -> Command {
    Command {
        words,
        mode: Mode::User,
        does: Does::Install {
            good: ADDED,
            bad: Some(REFUSED),
            restarts: false,
        },
    }
}

pub(super) static DIALECT: Dialect = Dialect {
    banner: "\n{name} (ttyp0)\n\n",
    user: "login: ",
    password: "Password:",
    denied: "Login incorrect\n",
    busy: "error: maximum number of sessions reached\n",
    prompts: ["{user}@{name}> "; 3],
    page: 24,
    more: "---(more)---",
    wrong: "                   ^\nunknown command.\n",
    failed: "error: command failed\n",
    status: "",
    abbreviates: true,
    two_banks: true,
    boots_file: false,
    commands: &[
        Command {
            words: "show version",
            mode: Mode::User,
            does: Does::Say(
                "Hostname: {name}\nModel: lab8\nJunos: {version}\n\
                 JUNOS Base OS boot [{version}]\nJUNOS Base OS Software Suite [{version}]\n",
            ),
        },
        Command {
            words: "set cli screen-length 0",
            mode: Mode::User,
            does: Does::NoPages,
        },
        Command {
            words: "file checksum md5 {file}",
            mode: Mode::User,
            does: Does::About {
                found: "MD5 ({file}) = {md5}\n",
                missing: "error: could not find file {file}\n",
            },
        },
        Command {
            words: "file checksum sha-256 {file}",
            mode: Mode::User,
            does: Does::About {
                found: "SHA256 ({file}) = {sha256}\n",
                missing: "error: could not find file {file}\n",
            },
        },
        // It says nothing where all is well.
        Command {
            words: "file copy {url} {file}",
            mode: Mode::User,
            does: Does::Fetch {
                asks: None,
                replaces: None,
                fetched: "",
                failed: "fetch: {url}: {cause}\nerror: file-fetch failed\nerror: could not fetch local copy of file\n",
            },
        },
        Command::say("set cli screen-width 0", "Screen width set to 0\n"),
        Command {
            words: "request system software validate {file}",
            mode: Mode::User,
            does: Does::Test {
                good: "Checking compatibility with configuration\nValidation succeeded\n",
                bad: REFUSED,
            },
        },
        add("request system software add {file}"),
        add("request system software add {file} no-copy"),
        add("request system software add {file} no-validate"),
        add("request system software add {file} no-copy no-validate"),
        Command {
            words: "request system software rollback",
            mode: Mode::User,
            does: Does::Back {
                said: "Junos version '{previous}' will become active at next reboot\n",
                empty: "error: No previous software to roll back to\n",
            },
        },
        Command {
            words: "request system reboot",
            mode: Mode::User,
            does: Does::Restart {
                saves: None,
                asks: Some(Question {
                    asks: "Reboot the system ? [yes,no] (no) ",
                    is_a_key: false,
                    yes: &["yes", "y"],
                    refused: "",
                }),
                said: "\nShutdown NOW!\n[pid 2017]\n",
            },
        },
        Command {
            words: "exit",
            mode: Mode::User,
            does: Does::Leave,
        },
    ],
};
