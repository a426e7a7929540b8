//! What devices speak on their command lines, as tables: one file per family. `shell` carries them out.
//!
//! Texts have `{name}`, `{user}`, `{version}` (what runs), `{bank}` (that it runs from, from 1), `{boot}` (what boots
//! next), `{saved}` (a line for each file that a restart would find to boot), `{previous}` (what is in the other bank),
//! `{banks}` (a line for each), `{file}` (what was named), `{size}`, `{md5}`, `{sha256}` of it.

mod banks;
mod ios;
mod junos;
mod mikrotik;
mod openwrt;

use crate::lab::behaviour::DialectName;

/// One family's command line.
#[derive(Debug)]
pub(super) struct Dialect {
    /// Before the login, over telnet.
    pub(super) banner: &'static str,
    pub(super) user: &'static str,
    pub(super) password: &'static str,
    pub(super) denied: &'static str,
    pub(super) busy: &'static str,
    /// By mode: user, privileged, configuration. A family with one mode has it three times.
    pub(super) prompts: [&'static str; 3],
    /// Lines of a page; 0: no pages.
    pub(super) page: usize,
    pub(super) more: &'static str,
    /// For what is no command.
    pub(super) wrong: &'static str,
    /// For a command that fails on purpose.
    pub(super) failed: &'static str,
    /// What is written behind a command to be told whether it failed; empty: nothing is.
    pub(super) status: &'static str,
    /// Whether words can be cut short.
    pub(super) abbreviates: bool,
    pub(super) two_banks: bool,
    /// Whether a restart boots the file at the device's path.
    pub(super) boots_file: bool,
    pub(super) commands: &'static [Command],
}

/// One command: words, of which `{file}`, `{bank}` stand for any.
#[derive(Debug)]
pub(super) struct Command {
    pub(super) words: &'static str,
    pub(super) mode: Mode,
    pub(super) does: Does,
}

/// Where a command is known, and what a session is in.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub(super) enum Mode {
    User,
    Privileged,
    Configuration,
}

/// What a command does.
#[derive(Debug)]
pub(super) enum Does {
    Say(&'static str),
    /// Asks for a password.
    Enable {
        asks: &'static str,
        denied: &'static str,
    },
    Enter(Mode),
    /// To the next mode down, or out.
    Leave,
    NoPages,
    /// About a file: one answer where it is there, another where it is not.
    About {
        found: &'static str,
        missing: &'static str,
    },
    /// Proves a file: one answer where it boots here, another where it does not.
    Test {
        good: &'static str,
        bad: &'static str,
    },
    /// What boots next; `missing`: a file that is not there is refused.
    SetFile {
        said: &'static str,
        missing: Option<&'static str>,
        saves: bool,
    },
    /// One more file to boot, where those before it don't.
    AddFile {
        said: &'static str,
    },
    /// No file is set to boot.
    NoFiles {
        said: &'static str,
    },
    /// Keeps the number of the bank that runs.
    Keep,
    /// The bank that was kept boots next.
    SetKept {
        empty: &'static str,
    },
    SetBank {
        said: &'static str,
        empty: &'static str,
    },
    Save(&'static str),
    /// Writes a file's image to the other bank. Without `bad`, also what does not boot.
    Install {
        good: &'static str,
        bad: Option<&'static str>,
        restarts: bool,
    },
    /// What is in the other bank boots next.
    Back {
        said: &'static str,
        empty: &'static str,
    },
    Restart {
        /// Asked before where what is set is not saved: yes saves it.
        saves: Option<Question>,
        asks: Option<Question>,
        said: &'static str,
    },
}

/// What is asked before a restart.
#[derive(Debug)]
pub(super) struct Question {
    pub(super) asks: &'static str,
    /// A key is enough, without the end of a line.
    pub(super) is_a_key: bool,
    /// In small letters; empty: the end of a line alone.
    pub(super) yes: &'static [&'static str],
    pub(super) refused: &'static str,
}

pub(super) fn of(name: Option<DialectName>) -> &'static Dialect {
    match name {
        Some(DialectName::Ios) => &ios::DIALECT,
        Some(DialectName::Junos) => &junos::DIALECT,
        Some(DialectName::Mikrotik) => &mikrotik::DIALECT,
        Some(DialectName::Openwrt) => &openwrt::DIALECT,
        Some(DialectName::Banks) | None => &banks::DIALECT,
    }
}

impl Dialect {
    /// The command that a line is, with the word that stands for what it is about.
    pub(super) fn find<'a>(
        &self,
        line: &'a str,
        mode: Mode,
    ) -> Option<(&'static Command, Option<&'a str>)> {
        let said: Vec<_> = line.split_whitespace().collect();
        // Where a device is configured, nothing else is known.
        let is_known = |known: &&Command| match mode {
            Mode::Configuration => known.mode == mode,
            mode => known.mode <= mode,
        };
        let known = self.commands.iter().filter(is_known);
        let mut matching = known.filter_map(|known| {
            let words: Vec<_> = known.words.split(' ').collect();
            if words.len() != said.len() {
                return None;
            }
            let mut about = None;
            for (word, said) in words.iter().zip(&said) {
                match *word {
                    "{file}" | "{bank}" => about = Some(*said),
                    word if word == *said || (self.abbreviates && word.starts_with(said)) => {}
                    _ => return None,
                }
            }
            Some((known, about))
        });
        matching.next()
    }

    pub(super) fn prompt(&self, mode: Mode) -> &'static str {
        self.prompts[mode as usize]
    }
}

impl Command {
    pub(super) const fn say(words: &'static str, said: &'static str) -> Self {
        Self {
            words,
            mode: Mode::User,
            does: Does::Say(said),
        }
    }

    /// As it is counted: whole words, and what it is about.
    pub(super) fn named(&self, about: Option<&str>) -> String {
        let about = about.unwrap_or_default();
        (self.words)
            .replace("{file}", about)
            .replace("{bank}", about)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const ALL: [DialectName; 5] = [
        DialectName::Ios,
        DialectName::Junos,
        DialectName::Mikrotik,
        DialectName::Openwrt,
        DialectName::Banks,
    ];

    #[test]
    fn each_command_of_a_table_is_found_by_its_words() {
        for name in ALL {
            let dialect = of(Some(name));
            for command in dialect.commands {
                let line = command.named(Some("x1"));
                let (found, about) = dialect.find(&line, command.mode).unwrap();
                assert_eq!(found.words, command.words, "{name:?}");
                let takes = command.words.contains('{');
                assert_eq!(about, takes.then_some("x1"), "{line}");
            }
            assert!(
                dialect
                    .find("no such command", Mode::Configuration)
                    .is_none()
            );
        }
    }

    #[test]
    fn words_can_be_cut_short_where_the_family_does_and_modes_hide_commands() {
        let ios = of(Some(DialectName::Ios));
        let found = |line, mode| ios.find(line, mode).map(|(command, _)| command.words);
        assert_eq!(found("sh ver", Mode::User), Some("show version"));
        assert_eq!(found("reload", Mode::User), None);
        assert_eq!(found("reload", Mode::Privileged), Some("reload"));
        assert_eq!(found("reload", Mode::Configuration), None);
        assert_eq!(found("boot system a", Mode::Privileged), None);
        let openwrt = of(Some(DialectName::Openwrt));
        assert!(openwrt.find("reb", Mode::User).is_none());
    }
}
