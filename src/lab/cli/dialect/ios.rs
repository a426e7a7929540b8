//! Like Cisco's IOS: `enable`, pages, `boot system` that is lost without `write memory`, a restart that is confirmed
//! with a key.

use super::{Command, Dialect, Does, Mode, Question};

const SAVED: &str = "Building configuration...\n[OK]\n";

const SAVE: Question = Question {
    asks: "System configuration has been modified. Save? [yes/no]: ",
    is_a_key: false,
    yes: &["yes", "y"],
    refused: "",
};

const CONFIRM: Question = Question {
    asks: "Proceed with reload? [confirm]",
    is_a_key: true,
    yes: &["", "y"],
    refused: "\n",
};

/// The name is taken as it was given.
const DESTINATION: Question = Question {
    asks: "Destination filename [{file}]? ",
    is_a_key: false,
    yes: &[""],
    refused: "",
};

const REPLACE: Question = Question {
    asks: "%Warning:There is a file already existing with this name\nDo you want to over write? [confirm]",
    is_a_key: true,
    yes: &["", "y"],
    refused: "\n",
};

pub(super) static DIALECT: Dialect = Dialect {
    banner: "\nUser Access Verification\n\n",
    user: "Username: ",
    password: "Password: ",
    denied: "% Login invalid\n\n",
    busy: "% All vty lines are in use, try again later\n",
    prompts: ["{name}>", "{name}#", "{name}(config)#"],
    page: 24,
    more: " --More-- ",
    wrong: "% Invalid input detected at '^' marker.\n\n",
    failed: "%Error: operation failed\n",
    status: "",
    abbreviates: true,
    two_banks: true,
    boots_file: false,
    commands: &[
        Command {
            words: "enable",
            mode: Mode::User,
            does: Does::Enable {
                asks: "Password: ",
                denied: "% Access denied\n\n",
            },
        },
        Command {
            words: "show version",
            mode: Mode::User,
            does: Does::Say(VERSION),
        },
        Command {
            words: "show boot",
            mode: Mode::Privileged,
            does: Does::Say(
                "BOOT path-list      : {boot}\nConfig file         : flash:/config.text\n",
            ),
        },
        Command {
            words: "terminal length 0",
            mode: Mode::User,
            does: Does::NoPages,
        },
        Command::say("terminal width 0", ""),
        Command {
            words: "show privilege",
            mode: Mode::Privileged,
            does: Does::Say("Current privilege level is 15\n"),
        },
        Command {
            words: "show startup-config | include ^boot system",
            mode: Mode::Privileged,
            does: Does::Say("{saved}"),
        },
        Command {
            words: "verify /md5 {file}",
            mode: Mode::Privileged,
            does: Does::About {
                found: "....Done!\nverify /md5 ({file}) = {md5}\n",
                missing: "%Error verifying {file} (No such file or directory)\n",
            },
        },
        Command {
            words: "copy {url} {file}",
            mode: Mode::Privileged,
            does: Does::Fetch {
                asks: Some(DESTINATION),
                replaces: Some(REPLACE),
                fetched: "\nAccessing {url}...\nLoading {url} !!!!!!!!\n[OK - {size} bytes]\n\n\
                          {size} bytes copied\n",
                failed: "\nAccessing {url}...\n%Error opening {url} ({cause})\n",
            },
        },
        Command {
            words: "configure terminal",
            mode: Mode::Privileged,
            does: Does::Enter(Mode::Configuration),
        },
        Command {
            words: "end",
            mode: Mode::Configuration,
            does: Does::Enter(Mode::Privileged),
        },
        Command {
            words: "exit",
            mode: Mode::Configuration,
            does: Does::Enter(Mode::Privileged),
        },
        // It looks at the file when it boots, and no sooner.
        Command {
            words: "boot system {file}",
            mode: Mode::Configuration,
            does: Does::AddFile { said: "" },
        },
        Command {
            words: "no boot system",
            mode: Mode::Configuration,
            does: Does::NoFiles { said: "" },
        },
        Command {
            words: "write memory",
            mode: Mode::Privileged,
            does: Does::Save(SAVED),
        },
        Command {
            words: "reload",
            mode: Mode::Privileged,
            does: Does::Restart {
                saves: Some(SAVE),
                asks: Some(CONFIRM),
                said: "\n%SYS-5-RELOAD: Reload requested\n",
            },
        },
        Command {
            words: "exit",
            mode: Mode::User,
            does: Does::Leave,
        },
    ],
};

/// Longer than a page.
const VERSION: &str = "\
Practice IOS Software, LAB Software, Version {version}, RELEASE SOFTWARE (fc1)
Technical Support: none
Compiled for practice

ROM: Bootstrap program is lab boot loader

{name} uptime is 1 week, 2 days, 3 hours, 4 minutes
System returned to ROM by power-on
System image file is \"{boot}\"

This product contains no cryptographic features
that anybody would have to be warned of.

lab (practice) processor with 262144K bytes of memory.
Processor board ID LAB0000
Last reset from power-on
1 Virtual Ethernet interface
8 FastEthernet interfaces
2 Gigabit Ethernet interfaces
The password-recovery mechanism is enabled.

512K bytes of flash-simulated non-volatile configuration memory.
Base ethernet MAC Address       : 02:00:00:00:00:01
Motherboard assembly number     : 73-0000-00
Power supply part number        : 341-0000-00
Model revision number           : A0
Model number                    : LAB-8
System serial number            : LAB0000
Top Assembly Part Number        : 800-00000-00
Hardware Board Revision Number  : 0x01

Configuration register is 0xF

";
