//! What a terminal can be asked to show besides pictures: its title, a bar of progress where it has one, and a bell or a
//! notice when somebody is needed who looks elsewhere. xterm's OSC 2 and window operations 22 and 23, ConEmu's OSC 9;4,
//! iTerm2's OSC 9; tmux passes on what is wrapped for it.

/// What a terminal understands of it.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Understands {
    /// It would show the letters, or do something else.
    Nothing,
    All,
    /// All, by way of tmux: the title is tmux's own.
    ThroughTmux,
}

impl Understands {
    /// A terminal as its environment describes it.
    pub(crate) fn choose(variable: impl Fn(&str) -> Option<String>) -> Self {
        let set = |name: &str| variable(name).filter(|value| !value.is_empty());
        let term = set("TERM").unwrap_or_default();
        let known = [
            "xterm",
            "tmux",
            "screen",
            "rxvt",
            "konsole",
            "alacritty",
            "foot",
            "wezterm",
            "kitty",
            "ghostty",
            "contour",
        ];
        match known.iter().any(|known| term.starts_with(known)) {
            true if set("TMUX").is_some() => Self::ThroughTmux,
            true => Self::All,
            false => Self::Nothing,
        }
    }

    /// Keeps the title that is there, to be put back by [`Understands::leave`].
    pub(super) fn enter(self) -> &'static str {
        match self {
            Self::Nothing => "",
            _ => "\x1b[22;2t",
        }
    }

    /// Takes away what was shown, and puts the title back.
    pub(super) fn leave(self) -> String {
        match self {
            Self::Nothing => String::new(),
            _ => format!("{}\x1b[23;2t", self.bar(Bar::None)),
        }
    }

    fn title(self, text: &str) -> String {
        match self {
            Self::Nothing => String::new(),
            _ => format!("\x1b]2;{text}\x1b\\"),
        }
    }

    fn bar(self, bar: Bar) -> String {
        let (state, percent) = match bar {
            Bar::None => (0, 0),
            Bar::Runs(percent) => (1, percent),
            Bar::Failed(percent) => (2, percent),
            Bar::Waits(percent) => (4, percent),
        };
        self.wrapped(&format!("\x1b]9;4;{state};{percent}\x1b\\"))
    }

    fn bell(self) -> &'static str {
        match self {
            Self::Nothing => "",
            _ => "\x07",
        }
    }

    /// Why somebody is called.
    fn message(self, why: &str) -> String {
        self.wrapped(&format!("\x1b]9;{why}\x1b\\"))
    }

    /// tmux passes on what stands between `ESC P tmux ;` and `ESC \`, with each ESC in it twice.
    pub(super) fn wrapped(self, sequence: &str) -> String {
        match self {
            Self::Nothing => String::new(),
            Self::All => sequence.to_owned(),
            Self::ThroughTmux => {
                format!("\x1bPtmux;{}\x1b\\", sequence.replace('\x1b', "\x1b\x1b"))
            }
        }
    }
}

/// What of it the operator wants.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Wanted {
    pub title: bool,
    /// The bar.
    pub progress: bool,
    /// When somebody is needed.
    pub bell: bool,
    /// Why, as the desktop shows it.
    pub message: bool,
}

impl Wanted {
    pub const ALL: Self = Self {
        title: true,
        progress: true,
        bell: true,
        message: true,
    };

    pub const NOTHING: Self = Self {
        title: false,
        progress: false,
        bell: false,
        message: false,
    };
}

/// A bar of progress, in percent.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub(crate) enum Bar {
    #[default]
    None,
    Runs(u8),
    Failed(u8),
    /// Nothing is done until somebody says so.
    Waits(u8),
}

/// What is to be shown.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub(crate) struct Notice {
    /// Without control characters.
    pub(crate) title: String,
    pub(crate) bar: Bar,
    /// Why somebody is called now.
    pub(crate) call: Option<String>,
}

/// A terminal, and what it shows.
#[derive(Debug)]
pub(crate) struct Notices {
    understands: Understands,
    wanted: Wanted,
    shown: Option<Notice>,
}

impl Notices {
    pub(crate) fn new(understands: Understands, wanted: Wanted) -> Self {
        Self {
            understands,
            wanted,
            shown: None,
        }
    }

    /// What the terminal shows is not known any more.
    pub(crate) fn forget(&mut self) {
        self.shown = None;
    }

    /// The bytes that bring the terminal from the last notice to this one; none where they are alike.
    pub(crate) fn show(&mut self, notice: Notice) -> Vec<u8> {
        let before = self.shown.as_ref();
        let mut out = String::new();
        let wanted = self.wanted;
        if wanted.title && before.is_none_or(|before| before.title != notice.title) {
            out += &self.understands.title(&plain(&notice.title));
        }
        if wanted.progress && before.map_or(Bar::None, |before| before.bar) != notice.bar {
            out += &self.understands.bar(notice.bar);
        }
        if let Some(why) = &notice.call {
            if wanted.bell {
                out += self.understands.bell();
            }
            if wanted.message {
                out += &self.understands.message(&plain(why));
            }
        }
        self.shown = Some(notice);
        out.into_bytes()
    }
}

/// A sequence ends at a control character.
fn plain(text: &str) -> String {
    text.chars().filter(|c| !c.is_control()).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    fn choose(term: &str, tmux: bool) -> Understands {
        Understands::choose(|name| match name {
            "TERM" => Some(term.into()),
            "TMUX" if tmux => Some("/tmp/tmux".into()),
            _ => None,
        })
    }

    #[test]
    fn old_terminals_are_sent_nothing_of_it() {
        for term in ["vt100", "vt220", "linux", "ansi", "dumb", ""] {
            let understands = choose(term, false);
            let mut notices = Notices::new(understands, Wanted::ALL);
            let notice = Notice {
                title: "50%".into(),
                bar: Bar::Runs(50),
                call: Some("failed".into()),
            };
            assert_eq!(notices.show(notice), b"", "{term}");
            assert_eq!(
                (understands.enter(), understands.leave()),
                ("", String::new())
            );
        }
        assert_eq!(choose("xterm-256color", false), Understands::All);
        assert_eq!(choose("tmux-256color", true), Understands::ThroughTmux);
    }

    #[test]
    fn what_is_shown_already_is_not_sent_again_and_nothing_ends_a_sequence_early() {
        let mut notices = Notices::new(Understands::All, Wanted::ALL);
        let notice = |call: Option<&str>| Notice {
            title: "50% \x1b]0;x\x07".into(),
            bar: Bar::Runs(50),
            call: call.map(str::to_owned),
        };
        let shown = b"\x1b]2;50% ]0;x\x1b\\\x1b]9;4;1;50\x1b\\";
        assert_eq!(notices.show(notice(None)), shown);
        assert_eq!(notices.show(notice(None)), b"");
        assert_eq!(
            notices.show(notice(Some("ended"))),
            b"\x07\x1b]9;ended\x1b\\"
        );
        let ended = Notice {
            bar: Bar::None,
            ..notice(None)
        };
        assert_eq!(notices.show(ended), b"\x1b]9;4;0;0\x1b\\");
        notices.forget();
        assert_eq!(notices.show(notice(None)), shown);
        let wrapped = Understands::ThroughTmux.message("a");
        assert_eq!(wrapped, "\x1bPtmux;\x1b\x1b]9;a\x1b\x1b\\\x1b\\");
    }

    #[test]
    fn only_what_is_wanted_is_sent() {
        let sent = |wanted: Wanted| {
            let notice = Notice {
                title: "50%".into(),
                bar: Bar::Runs(50),
                call: Some("ended".into()),
            };
            let bytes = Notices::new(Understands::All, wanted).show(notice);
            String::from_utf8(bytes).unwrap()
        };
        let none = Wanted::NOTHING;
        assert_eq!(sent(none), "");
        let title = Wanted {
            title: true,
            ..none
        };
        assert_eq!(sent(title), "\x1b]2;50%\x1b\\");
        let progress = Wanted {
            progress: true,
            ..none
        };
        assert_eq!(sent(progress), "\x1b]9;4;1;50\x1b\\");
        assert_eq!(sent(Wanted { bell: true, ..none }), "\x07");
        let message = Wanted {
            message: true,
            ..none
        };
        assert_eq!(sent(message), "\x1b]9;ended\x1b\\");
    }
}
