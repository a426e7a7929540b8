//! Like OpenWrt: a shell whose `sysupgrade` proves an image, writes it over what runs, and restarts. With `-F` it
//! writes whatever there is.

use super::{Command, Dialect, Does, Mode};

const STARTS: &str = "Commencing upgrade. Closing all shell sessions.\n";
const CHECKED: &str = "Image metadata not present\nImage check failed.\n";

const fn upgrade(words: &'static str, bad: Option<&'static str>) -> Command {
    Command {
        words,
        mode: Mode::User,
        does: Does::Install {
            good: STARTS,
            bad,
            restarts: true,
        },
    }
}

const fn sum(words: &'static str, found: &'static str) -> Command {
    Command {
        words,
        mode: Mode::User,
        does: Does::About {
            found,
            missing: "{file}: No such file or directory\n",
        },
    }
}

pub(super) static DIALECT: Dialect = Dialect {
    banner: "\n",
    user: "{name} login: ",
    password: "Password: ",
    denied: "Login incorrect\n",
    busy: "Too many sessions\n",
    prompts: ["{user}@{name}:~# "; 3],
    page: 0,
    more: "--More--",
    wrong: "-ash: not found\n",
    failed: "Command failed\n",
    status: "; echo result=$?",
    abbreviates: false,
    two_banks: false,
    boots_file: false,
    commands: &[
        Command::say(
            "cat /etc/openwrt_release",
            "DISTRIB_ID='OpenWrt'\nDISTRIB_RELEASE='{version}'\nDISTRIB_TARGET='lab/generic'\n\
             DISTRIB_DESCRIPTION='OpenWrt {version}'\n",
        ),
        Command::say("uname -n", "{name}\n"),
        sum("md5sum {file}", "{md5}  {file}\n"),
        sum("sha256sum {file}", "{sha256}  {file}\n"),
        Command {
            words: "wget -O {file} {url}",
            mode: Mode::User,
            does: Does::Fetch {
                asks: None,
                replaces: None,
                fetched: "Downloading '{url}'\nWriting to '{file}'\nDownload completed ({size} bytes)\n",
                failed: "Downloading '{url}'\n{cause}\n",
            },
        },
        Command {
            words: "sysupgrade -T {file}",
            mode: Mode::User,
            does: Does::Test {
                good: "",
                bad: CHECKED,
            },
        },
        Command {
            words: "fw_setenv subtend_back $(fw_printenv -n boot_part)",
            mode: Mode::User,
            does: Does::Keep,
        },
        Command {
            words: "fw_setenv boot_part $(fw_printenv -n subtend_back)",
            mode: Mode::User,
            does: Does::SetKept {
                empty: "## Error: \"subtend_back\" not defined\n",
            },
        },
        upgrade("sysupgrade {file}", Some(CHECKED)),
        upgrade("sysupgrade -n {file}", Some(CHECKED)),
        upgrade("sysupgrade -c {file}", Some(CHECKED)),
        upgrade("sysupgrade -F {file}", None),
        Command {
            words: "reboot",
            mode: Mode::User,
            does: Does::Restart {
                saves: None,
                asks: None,
                said: "",
            },
        },
        Command {
            words: "exit",
            mode: Mode::User,
            does: Does::Leave,
        },
    ],
};
