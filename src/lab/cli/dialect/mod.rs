//! What devices speak on their command lines, as tables: one file per family. `shell` carries them out.
//!
//! Texts have `{name}`, `{user}`, `{version}` (what runs), `{bank}` (that it runs from, from 1), `{boot}` (what boots
//! next), `{saved}` (a line for each file that a restart would find to boot), `{previous}` (what is in the other bank),
//! `{banks}` (a line for each), `{file}` (what was named), `{size}`, `{md5}`, `{sha256}` of it; where it was fetched
//! `{url}` (from there), and where it was not, `{cause}`.

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

/// One command: words, of which `{file}`, `{bank}`, `{url}` stand for any, also behind others (`url={url}`).
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
    /// Fetches a file over HTTP.
    Fetch {
        asks: Option<Question>,
        /// Asked where there is a file of that name.
        replaces: Option<Question>,
        fetched: &'static str,
        failed: &'static str,
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

/// What is asked before something is done.
#[derive(Debug)]
pub(super) struct Question {
    pub(super) asks: &'static str,
    /// A key is enough, without the end of a line.
    pub(super) is_a_key: bool,
    /// In small letters; empty: the end of a line alone.
    pub(super) yes: &'static [&'static str],
    pub(super) refused: &'static str,
}

/// A command that a line is.
#[derive(Debug, Clone, Copy)]
pub(super) struct Found<'a> {
    pub(super) command: &'static Command,
    /// The file or the bank.
    pub(super) about: Option<&'a str>,
    pub(super) url: Option<&'a str>,
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
    /// The command that a line is, with the words that stand for what it is about.
    pub(super) fn find<'a>(&self, line: &'a str, mode: Mode) -> Option<Found<'a>> {
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
            let mut found = Found {
                command: known,
                about: None,
                url: None,
            };
            for (word, said) in words.iter().zip(&said) {
                match word.split_once('{') {
                    Some((before, "url}")) => {
                        let url = said.strip_prefix(before)?;
                        found.url = Some(url).filter(|url| url.contains("://"));
                        found.url?;
                    }
                    Some((before, _)) => found.about = Some(said.strip_prefix(before)?),
                    None if word == said || (self.abbreviates && word.starts_with(said)) => {}
                    None => return None,
                }
            }
            Some(found)
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

    /// As it is counted: whole words, and what it is about. A url is left out: no two are the same.
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
                let line = command.named(Some("x1")).replace("{url}", "http://h/x2");
                let found = dialect.find(&line, command.mode).unwrap();
                assert_eq!(found.command.words, command.words, "{name:?}");
                let takes = |what| command.words.contains(what);
                let takes_word = takes("{file}") || takes("{bank}");
                assert_eq!(found.about, takes_word.then_some("x1"), "{line}");
                assert_eq!(found.url, takes("{url}").then_some("http://h/x2"), "{line}");
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
        let found = |line, mode| ios.find(line, mode).map(|found| found.command.words);
        assert_eq!(found("sh ver", Mode::User), Some("show version"));
        assert_eq!(found("reload", Mode::User), None);
        assert_eq!(found("reload", Mode::Privileged), Some("reload"));
        assert_eq!(found("reload", Mode::Configuration), None);
        assert_eq!(found("boot system a", Mode::Privileged), None);
        // What is no url is another command, which it does not know.
        assert_eq!(found("copy run start", Mode::Privileged), None);
        let openwrt = of(Some(DialectName::Openwrt));
        assert!(openwrt.find("reb", Mode::User).is_none());
    }
}
