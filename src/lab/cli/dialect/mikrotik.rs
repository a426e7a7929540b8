//! Like MikroTik's RouterOS: what lies at the device's path is installed by the restart, which is confirmed with a
//! key.

use super::{Command, Dialect, Does, Mode, Question};

pub(super) static DIALECT: Dialect = Dialect {
    banner: "\nMikroTik practice device\n",
    user: "Login: ",
    password: "Password: ",
    denied: "Login failed, incorrect username or password\n\n",
    busy: "too many sessions\n",
    prompts: ["[{user}@{name}] > "; 3],
    page: 0,
    more: "-- [Q quit|D dump|down]",
    wrong: "bad command name (line 1 column 1)\n",
    failed: "failure: operation failed\n",
    status: "",
    abbreviates: false,
    two_banks: false,
    boots_file: true,
    commands: &[
        Command {
            words: "/system resource print",
            mode: Mode::User,
            does: Does::Say(
                "                   uptime: 1w2d3h4m5s\n                  version: {version} (stable)\n\
                 \x20            free-memory: 224.0MiB\n        architecture-name: lab\n\
                 \x20              board-name: LAB8\n                 platform: MikroTik\n",
            ),
        },
        Command {
            words: "/system routerboard print",
            mode: Mode::User,
            does: Does::Say(
                "       routerboard: yes\n             model: LAB8\n     serial-number: LAB0000\n\
                 \x20 current-firmware: {version}\n  upgrade-firmware: {version}\n",
            ),
        },
        Command {
            words: "/file print where name~\".npk\"",
            mode: Mode::User,
            does: Does::Say(" # NAME    TYPE\n 0 {boot}  package\n"),
        },
        Command {
            words: "/tool fetch url={url} dst-path={file}",
            mode: Mode::User,
            does: Does::Fetch {
                asks: None,
                replaces: None,
                fetched: "      status: finished\n  downloaded: {size}\n       total: {size}\n",
                failed: "  status: failed\n\nfailure: {cause}\n",
            },
        },
        // It knows no digests.
        Command {
            words: ":put [/file get {file} size]",
            mode: Mode::User,
            does: Does::About {
                found: "{size}\n",
                missing: "no such item\n",
            },
        },
        Command {
            words: "/system reboot",
            mode: Mode::User,
            does: Does::Restart {
                saves: None,
                asks: Some(Question {
                    asks: "Reboot, yes? [y/N]: ",
                    is_a_key: true,
                    yes: &["y"],
                    refused: "\naction cancelled\n",
                }),
                said: "\nsystem will reboot shortly\n",
            },
        },
        Command {
            words: "/quit",
            mode: Mode::User,
            does: Does::Leave,
        },
    ],
};
