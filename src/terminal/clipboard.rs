//! Text for the clipboard of the terminal that somebody sits at: xterm's OSC 52, which works through SSH. Nothing is ever read
//! from there, and no terminal says whether it took what was sent.

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;

use super::notices::Understands;

/// Bytes of a text: terminals drop longer sequences without a word.
pub(crate) const MOST: usize = 48 * 1024;

impl Understands {
    /// The bytes that bring a text to the clipboard; `None` where none are understood.
    pub(crate) fn copy(self, text: &str) -> Option<String> {
        let sequence = format!("\x1b]52;c;{}\x1b\\", STANDARD.encode(text));
        match self {
            Self::Nothing => None,
            Self::All => Some(sequence),
            // tmux takes it for its own buffers where that is allowed, and passes on the wrapped one where that is.
            Self::ThroughTmux => Some(format!("{sequence}{}", self.wrapped(&sequence))),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn nothing_in_a_text_can_end_the_sequence() {
        let copied = Understands::All.copy("a\x1b\\\x07\u{9c}").unwrap();
        assert_eq!(copied, "\x1b]52;c;YRtcB8Kc\x1b\\");
        assert_eq!(Understands::Nothing.copy("a"), None);
        let both = Understands::ThroughTmux.copy("a").unwrap();
        let plain = "\x1b]52;c;YQ==\x1b\\";
        assert_eq!(
            both,
            format!("{plain}\x1bPtmux;\x1b\x1b]52;c;YQ==\x1b\x1b\\\x1b\\")
        );
    }
}
