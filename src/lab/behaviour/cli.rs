//! The words for a command line, and for how the device behind it boots.

use std::time::Duration;

use serde::Deserialize;

use super::{Setting, parse};

/// Before a device that restarts is there again, where nothing is said.
const BOOT_TIME: Duration = Duration::from_millis(100);

settings! {
    /// What an entity has beside its files: a command line, and a machine behind it that boots them. Commands of
    /// faults are compared by their beginning (`show ver`), whatever the spaces between their words.
    #[derive(Debug, Clone, Default, PartialEq, Eq, Deserialize)]
    #[serde(deny_unknown_fields, default)]
    pub struct CommandLine {
        /// The port of telnet; 0: a free one.
        pub telnet: Option<u16>,
        /// The port of SSH; 0: a free one.
        pub ssh: Option<u16>,
        /// The port of HTTP: `POST /cli` with a command, and `GET /version`; 0: a free one.
        pub http: Option<u16>,
        /// FTP: this word after `SITE` restarts the device, and `SITE BOOT FILE` sets what it boots.
        pub site: Option<String>,
        /// What it speaks. Absent: `banks`.
        pub dialect: Option<DialectName>,
        /// Banks for images, 1 or 2. Absent: what the dialect has.
        #[serde(deserialize_with = "parse::banks")]
        pub banks: Option<u8>,
        /// The file that it runs at first. Absent: the one at its path.
        pub runs_file: Option<String>,
        /// From the end of all its connections until it is there again. Absent: 100 ms.
        #[serde(deserialize_with = "parse::time")]
        pub boot_time: Option<Duration>,
        /// The only password that lets in. Absent: any.
        pub password: Option<String>,
        /// The only password for `enable`. Absent: any.
        pub enable_password: Option<String>,
        /// What is new does not boot: the old version comes back.
        pub boot_fails: bool,
        /// The device says that all is well, and boots the old version.
        pub boots_old: bool,
        /// What does not boot is written over what did: the device stays away.
        pub no_fallback: bool,
        /// It never comes back from a restart.
        pub never_back: bool,
        /// Nothing is said after the login.
        pub no_prompt: bool,
        /// This command is never answered.
        pub silent_on: Option<String>,
        /// The output of this command never ends.
        pub endless_on: Option<String>,
        /// This command is answered with an error, and not acted on.
        pub error_on: Option<String>,
        /// The device restarts in the middle of the output of this command.
        pub reboot_on: Option<String>,
        /// Lines of a page, after which it waits for a key; 0: it never does. Absent: what the dialect has.
        pub page: Option<usize>,
        /// The maximum number of sessions at the same time; what comes beyond it is turned away with words.
        pub max_sessions: Option<u32>,
        /// Those words.
        pub busy_reply: Option<String>,
        /// Passwords are shown as they are typed.
        pub echo_password: bool,
        /// Logins over telnet that it ends without a word after each restart, as one that is still on its way down.
        pub ends_logins: Option<u32>,
        /// Its output has colours and moves of the cursor in it.
        pub escapes: bool,
        /// A fetch that is cut goes on from where it was. Its cuts are those of `drop_at`.
        pub fetch_resumes: bool,
        /// What there is of a file stays where a fetch of it fails.
        pub fetch_keeps: bool,
        /// It says that it has fetched a file, and has asked for nothing.
        pub fetches_nothing: bool,
        /// Asked before a restart, in place of what the dialect has.
        pub confirm: Option<String>,
    }
}

/// What is spoken on a command line.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum DialectName {
    Ios,
    Junos,
    Mikrotik,
    Openwrt,
    Banks,
}

impl Setting for CommandLine {
    fn or_said(self, other: &Self) -> Self {
        self.or(other)
    }
}

impl CommandLine {
    /// Whether there is a machine that can be restarted at all.
    pub(in crate::lab) fn is_there(&self) -> bool {
        self.has_door() || self.site.is_some()
    }

    pub(in crate::lab) fn has_door(&self) -> bool {
        self.telnet.is_some() || self.ssh.is_some() || self.http.is_some()
    }

    pub(in crate::lab) fn boot_time(&self) -> Duration {
        self.boot_time.unwrap_or(BOOT_TIME)
    }

    /// The first of these words that means nothing without what it is about: its fault would be waited for in vain.
    pub(super) fn meaningless(&self) -> Option<&'static str> {
        let of_machines = [
            ("cli.banks", self.banks.is_some()),
            ("cli.runs_file", self.runs_file.is_some()),
            ("cli.boot_time", self.boot_time.is_some()),
            ("cli.boot_fails", self.boot_fails),
            ("cli.boots_old", self.boots_old),
            ("cli.no_fallback", self.no_fallback),
            ("cli.never_back", self.never_back),
        ];
        let of_doors = [
            ("cli.dialect", self.dialect.is_some()),
            ("cli.password", self.password.is_some()),
            ("cli.enable_password", self.enable_password.is_some()),
            ("cli.no_prompt", self.no_prompt),
            ("cli.silent_on", self.silent_on.is_some()),
            ("cli.endless_on", self.endless_on.is_some()),
            ("cli.error_on", self.error_on.is_some()),
            ("cli.reboot_on", self.reboot_on.is_some()),
            ("cli.page", self.page.is_some()),
            ("cli.max_sessions", self.max_sessions.is_some()),
            ("cli.busy_reply", self.busy_reply.is_some()),
            ("cli.echo_password", self.echo_password),
            ("cli.ends_logins", self.ends_logins.is_some()),
            ("cli.escapes", self.escapes),
            ("cli.fetch_resumes", self.fetch_resumes),
            ("cli.fetch_keeps", self.fetch_keeps),
            ("cli.fetches_nothing", self.fetches_nothing),
            ("cli.confirm", self.confirm.is_some()),
        ];
        let machines = of_machines.iter().filter(|_| !self.is_there());
        let doors = of_doors.iter().filter(|_| !self.has_door());
        let mut words = machines.chain(doors);
        words.find(|(_, said)| *said).map(|(key, _)| *key)
    }

    /// In words, for people.
    pub(super) fn words(&self, words: &mut Vec<String>) {
        for (what, on) in [
            ("does not answer", &self.silent_on),
            ("never ends the output of", &self.endless_on),
            ("says error to", &self.error_on),
            ("restarts within", &self.reboot_on),
        ] {
            if let Some(on) = on {
                words.push(format!("{what} {on}"));
            }
        }
        if let Some(most) = self.max_sessions {
            words.push(format!("has {most} command lines"));
        }
        if let Some(logins) = self.ends_logins {
            words.push(format!("ends {logins} logins after a restart"));
        }
        for (is_so, what) in [
            (self.boot_fails, "boots nothing new"),
            (self.boots_old, "says that it boots, and stays old"),
            (self.no_fallback, "has no way back from a bad image"),
            (self.never_back, "never comes back from a restart"),
            (self.no_prompt, "has no prompt"),
            (self.echo_password, "shows passwords"),
            (self.escapes, "colours its output"),
            (self.fetch_resumes, "goes on with a fetch that is cut"),
            (self.fetch_keeps, "keeps what it has of a fetch that fails"),
            (
                self.fetches_nothing,
                "says that it has fetched, and asks for nothing",
            ),
        ] {
            if is_so {
                words.push(what.into());
            }
        }
    }
}
