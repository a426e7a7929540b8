//! A device with two banks that belongs to no family: every answer is `OK` or begins with `ERROR`.

use super::{Command, Dialect, Does, Mode, Question};

pub(super) static DIALECT: Dialect = Dialect {
    banner: "{name}\n",
    user: "login: ",
    password: "Password: ",
    denied: "Login incorrect\n",
    busy: "ERROR: too many sessions\n",
    prompts: ["{name}> "; 3],
    page: 0,
    more: "--More--",
    wrong: "ERROR: unknown command\n",
    failed: "ERROR: failed\n",
    status: "",
    abbreviates: true,
    two_banks: true,
    boots_file: false,
    commands: &[
        Command::say(
            "show version",
            "Version {version}\nRunning from bank {bank}\n",
        ),
        Command::say("show banks", "{banks}Next boot: {boot}\n"),
        Command {
            words: "verify {file}",
            mode: Mode::User,
            does: Does::Test {
                good: "OK\n",
                bad: "ERROR: {file} is no image of this device\n",
            },
        },
        Command {
            words: "fetch {url} {file}",
            mode: Mode::User,
            does: Does::Fetch {
                asks: None,
                replaces: None,
                fetched: "OK {size} bytes\n",
                failed: "ERROR: {cause}\n",
            },
        },
        Command {
            words: "checksum md5 {file}",
            mode: Mode::User,
            does: Does::About {
                found: "{md5} {size}\n",
                missing: "ERROR: no such file\n",
            },
        },
        Command {
            words: "checksum {file}",
            mode: Mode::User,
            does: Does::About {
                found: "{sha256} {size}\n",
                missing: "ERROR: no such file\n",
            },
        },
        Command {
            words: "set boot {file}",
            mode: Mode::User,
            does: Does::SetFile {
                said: "OK\n",
                missing: Some("ERROR: no such file\n"),
                saves: true,
            },
        },
        Command {
            words: "boot bank {bank}",
            mode: Mode::User,
            does: Does::SetBank {
                said: "OK\n",
                empty: "ERROR: nothing boots from bank {file}\n",
            },
        },
        Command {
            words: "restart",
            mode: Mode::User,
            does: Does::Restart {
                saves: None,
                asks: Some(Question {
                    asks: "Restart now? (y/n) ",
                    is_a_key: false,
                    yes: &["y", "yes"],
                    refused: "ERROR: not confirmed\n",
                }),
                said: "OK\n",
            },
        },
        Command {
            words: "exit",
            mode: Mode::User,
            does: Does::Leave,
        },
    ],
};
