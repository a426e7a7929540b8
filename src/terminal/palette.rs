//! Colours and signs. Every state is shown by a word and a sign; colour only helps.
//!
//! Each theme has two palettes, of 16 colours (the terminal's own) and of 256; mono uses no colour at
//! all: crossterm drops bold and reverse too when `NO_COLOR` is set, so mono asks for modifiers
//! only. The colours avoid telling red from green: blue is good, orange or yellow needs a look,
//! red with a sign of its own has failed. How well they stand out is computed in `contrast`.

use ratatui::style::{Color, Modifier, Style};

use crate::model::series::Class;
use crate::model::{EntityState, Standing};

use super::themes::{ThemeName, knows_utf8};

/// The colours that a theme has on a terminal.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Palette {
    Mono,
    Sixteen,
    Indexed,
    /// On a bright background.
    LightSixteen,
    LightIndexed,
    /// On a dark background, each colour as bright as it can be.
    VividSixteen,
    VividIndexed,
}

/// How things look on this terminal.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct Theme {
    pub(crate) palette: Palette,
    /// Draw with ASCII alone.
    pub(crate) ascii: bool,
}

/// What a colour is to show.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Tone {
    Plain,
    Faint,
    Good,
    Busy,
    Look,
    Bad,
}

impl Theme {
    /// For a terminal as its environment describes it: `NO_COLOR`, `TERM`, `COLORTERM`, `COLORFGBG`, the locale. Without a
    /// word for or against ASCII the locale decides.
    pub(crate) fn choose(
        name: ThemeName,
        ascii: Option<bool>,
        variable: impl Fn(&str) -> Option<String>,
    ) -> Self {
        Self {
            palette: Palette::choose(name, &variable),
            ascii: ascii.unwrap_or_else(|| !knows_utf8(&variable)),
        }
    }

    pub(crate) fn tone(&self, tone: Tone) -> Style {
        let style = Style::new();
        let bold = |style: Style| style.add_modifier(Modifier::BOLD);
        let fg = |number| style.fg(Color::Indexed(number));
        match (self.palette, tone) {
            (_, Tone::Plain) => style,
            (Palette::Mono, Tone::Faint) => style.add_modifier(Modifier::DIM),
            (Palette::Mono, Tone::Good | Tone::Busy) => style,
            (Palette::Mono, Tone::Look) => bold(style),
            (Palette::Mono, Tone::Bad) => style.add_modifier(Modifier::BOLD | Modifier::REVERSED),
            (Palette::Sixteen, Tone::Faint) => style.fg(Color::DarkGray),
            (Palette::Sixteen, Tone::Good) => style.fg(Color::Cyan),
            (Palette::Sixteen, Tone::Busy) => style.fg(Color::Blue),
            (Palette::Sixteen, Tone::Look) => style.fg(Color::Yellow),
            (Palette::Sixteen, Tone::Bad) => bold(style.fg(Color::LightRed)),
            // Okabe and Ito's palette, as near as 256 colours come.
            (Palette::Indexed, Tone::Faint) => fg(245),
            (Palette::Indexed, Tone::Good) => fg(36),
            (Palette::Indexed, Tone::Busy) => fg(74),
            (Palette::Indexed, Tone::Look) => fg(214),
            (Palette::Indexed, Tone::Bad) => bold(fg(202)),
            // Cyan, yellow and green of 16 can't be read on white: what is left is little.
            (Palette::LightSixteen, Tone::Faint) => style.fg(Color::DarkGray),
            (Palette::LightSixteen, Tone::Good) => style.fg(Color::Blue),
            (Palette::LightSixteen, Tone::Busy) => style,
            (Palette::LightSixteen, Tone::Look) => style.fg(Color::Magenta),
            (Palette::LightSixteen, Tone::Bad) => bold(style.fg(Color::Red)),
            // The same hues, as dark as paper wants them.
            (Palette::LightIndexed, Tone::Faint) => fg(241),
            (Palette::LightIndexed, Tone::Good) => fg(23),
            (Palette::LightIndexed, Tone::Busy) => fg(26),
            (Palette::LightIndexed, Tone::Look) => fg(94),
            (Palette::LightIndexed, Tone::Bad) => bold(fg(160)),
            (Palette::VividSixteen, Tone::Faint) => style,
            (Palette::VividSixteen, Tone::Good) => style.fg(Color::LightCyan),
            (Palette::VividSixteen, Tone::Busy) => bold(style),
            (Palette::VividSixteen, Tone::Look) => bold(style.fg(Color::LightYellow)),
            (Palette::VividSixteen, Tone::Bad) => {
                bold(style.fg(Color::LightRed)).add_modifier(Modifier::REVERSED)
            }
            (Palette::VividIndexed, Tone::Faint) => fg(252),
            (Palette::VividIndexed, Tone::Good) => fg(117),
            (Palette::VividIndexed, Tone::Busy) => fg(231),
            (Palette::VividIndexed, Tone::Look) => bold(fg(226)),
            (Palette::VividIndexed, Tone::Bad) => bold(fg(215)).add_modifier(Modifier::REVERSED),
        }
    }

    pub(crate) fn of_state(&self, standing: impl Into<Standing>) -> Style {
        use EntityState as S;
        self.tone(match standing.into() {
            Standing::In(S::Waiting | S::Skipped) => Tone::Faint,
            Standing::In(S::Connecting | S::Preparing | S::Sending | S::Fetching) => Tone::Busy,
            Standing::In(S::Confirming | S::Verifying) => Tone::Busy,
            Standing::In(S::Activating | S::Restarting | S::Checking) => Tone::Busy,
            Standing::In(S::CatchingUp | S::Retrying | S::Offline | S::Cancelled) => Tone::Look,
            Standing::In(S::Delivered | S::Upgraded) => Tone::Good,
            Standing::Unproven => Tone::Look,
            Standing::In(S::Failed | S::RolledBack) => Tone::Bad,
        })
    }

    /// One cell for a state, different for each also without colour.
    pub(crate) fn sign(&self, standing: impl Into<Standing>) -> &'static str {
        use EntityState as S;
        let state = match standing.into() {
            Standing::In(state) => state,
            Standing::Unproven => return "u",
        };
        match (state, self.ascii) {
            (S::Waiting, _) => ".",
            (S::Connecting, _) => "c",
            (S::Preparing, _) => "p",
            (S::Sending, false) => "▸",
            (S::Sending, true) => ">",
            (S::Fetching, _) => "f",
            (S::CatchingUp, _) => "L",
            (S::Confirming, _) => "~",
            (S::Verifying, _) => "?",
            (S::Retrying, _) => "r",
            (S::Offline, _) => "z",
            (S::Activating, _) => "a",
            (S::Restarting, _) => "R",
            (S::Checking, _) => "v",
            (S::Upgraded, false) => "▲",
            (S::Upgraded, true) => "^",
            (S::RolledBack, _) => "B",
            (S::Delivered, false) => "✓",
            (S::Delivered, true) => "#",
            (S::Skipped, _) => "-",
            (S::Failed, _) => "X",
            (S::Cancelled, _) => "o",
        }
    }

    /// One cell for a class of entities in a plot, different for each also without colour, and its style.
    pub(crate) fn of_class(&self, class: Class) -> (&'static str, Style) {
        let (unicode, ascii, tone) = match class {
            Class::Waiting => ("·", ".", Tone::Faint),
            Class::UnderWay => ("▒", ">", Tone::Busy),
            Class::Failed => ("X", "X", Tone::Bad),
            Class::Unproven => ("u", "u", Tone::Look),
            Class::Proven => ("█", "#", Tone::Good),
            Class::Skipped => ("-", "-", Tone::Faint),
        };
        (if self.ascii { ascii } else { unicode }, self.tone(tone))
    }

    pub(crate) fn title(&self) -> Style {
        Style::new().add_modifier(Modifier::BOLD)
    }

    pub(crate) fn tab(&self) -> Style {
        self.tone(Tone::Faint)
    }

    pub(crate) fn selected_tab(&self) -> Style {
        Style::new().add_modifier(Modifier::REVERSED)
    }

    /// The head of a table.
    pub(crate) fn head(&self) -> Style {
        Style::new().add_modifier(Modifier::BOLD)
    }

    /// What stands before the row that the cursor is on, and before the others.
    pub(crate) fn accent(&self) -> (&'static str, &'static str) {
        match self.ascii {
            true => (">", " "),
            false => ("▌", " "),
        }
    }

    /// The row that the cursor is on, where an accent stands before it: a gauge in it stays as it is.
    pub(crate) fn here(&self) -> Style {
        let style = Style::new().add_modifier(Modifier::BOLD);
        match self.palette {
            Palette::Mono => style,
            Palette::Sixteen => style.fg(Color::Cyan),
            Palette::Indexed => style.fg(Color::Indexed(80)),
            Palette::LightSixteen => style.fg(Color::Blue),
            Palette::LightIndexed => style.fg(Color::Indexed(25)),
            Palette::VividSixteen => style.fg(Color::LightCyan),
            Palette::VividIndexed => style.fg(Color::Indexed(51)),
        }
    }

    /// A field that is typed in, a tab that one is on, a choice in a dialog.
    pub(crate) fn cursor(&self) -> Style {
        Style::new().add_modifier(Modifier::REVERSED)
    }

    /// What was looked for, where it was found.
    pub(crate) fn found(&self) -> Style {
        self.tone(Tone::Look).add_modifier(Modifier::UNDERLINED)
    }

    pub(crate) fn hint(&self) -> Style {
        self.tone(Tone::Faint)
    }

    pub(crate) fn error(&self) -> Style {
        self.tone(Tone::Bad)
    }

    pub(crate) fn notice(&self) -> Style {
        self.tone(Tone::Look)
    }

    /// Filled, half filled and empty cells of a gauge. Thin lines only where fonts can be trusted to tell them apart.
    pub(crate) fn gauge(&self) -> (&'static str, Option<&'static str>, &'static str) {
        match (self.ascii, self.palette) {
            (true, _) => ("#", None, "."),
            (false, palette) if palette.is_indexed() => ("━", Some("╸"), "─"),
            (false, _) => ("█", Some("▌"), "░"),
        }
    }

    /// How far something is that is under way, in tenths from 0 to 9: the further the more it stands out. Where there are few colours
    /// the figure says it alone.
    pub(crate) fn heat(&self, tenths: u8) -> Style {
        const BRIGHTER: [u8; 10] = [17, 18, 24, 25, 31, 32, 38, 39, 45, 51];
        const DARKER: [u8; 10] = [195, 159, 153, 117, 111, 75, 69, 33, 26, 18];
        let at = usize::from(tenths.min(9));
        let (ramp, on_dark) = match self.palette {
            Palette::Indexed | Palette::VividIndexed => (BRIGHTER, at < 4),
            Palette::LightIndexed => (DARKER, at > 7),
            _ => return self.tone(Tone::Busy),
        };
        let text = if on_dark { 255 } else { 16 };
        Style::new()
            .bg(Color::Indexed(ramp[at]))
            .fg(Color::Indexed(text))
    }

    /// A buffer that holds a block, and one that is free.
    pub(crate) fn buffers(&self) -> (&'static str, &'static str) {
        match self.ascii {
            true => ("#", "."),
            false => ("■", "□"),
        }
    }

    /// Eight heights for a short history, lowest first.
    pub(crate) fn heights(&self) -> [&'static str; 8] {
        if self.ascii {
            [".", ".", ":", ":", "+", "+", "#", "#"]
        } else {
            ["▁", "▂", "▃", "▄", "▅", "▆", "▇", "█"]
        }
    }

    /// Before a marked row, and before an unmarked one.
    pub(crate) fn mark(&self) -> (&'static str, &'static str) {
        ("*", " ")
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn mono_uses_no_colour_and_every_state_has_a_sign_of_its_own() {
        use EntityState as S;
        let states = [
            S::Waiting,
            S::Connecting,
            S::Sending,
            S::Fetching,
            S::CatchingUp,
            S::Confirming,
            S::Verifying,
            S::Retrying,
            S::Delivered,
            S::Skipped,
            S::Failed,
            S::Cancelled,
        ];
        let states = states.map(Standing::In).into_iter();
        let states: Vec<Standing> = states.chain([Standing::Unproven]).collect();
        for ascii in [false, true] {
            let theme = Theme {
                palette: Palette::Mono,
                ascii,
            };
            let signs: std::collections::BTreeSet<_> =
                states.iter().map(|state| theme.sign(*state)).collect();
            assert_eq!(signs.len(), states.len());
            for &state in &states {
                let style = theme.of_state(state);
                assert_eq!((style.fg, style.bg), (None, None));
                assert!(!ascii || theme.sign(state).is_ascii());
            }
        }
    }
}
