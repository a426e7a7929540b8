//! Which of the three ways of showing a run fits where it is shown.

use std::fmt;

use crate::terminal::{Palette, Theme, ThemeName};

/// How a run is shown.
#[derive(Debug)]
pub enum Mode {
    /// One JSON object per line (`docs/scripting.md`).
    Json,
    /// Plain lines: pipes, files, terminals that can't move their cursor.
    Lines { utf8: bool },
    /// Redrawn in place.
    Screen(Look),
}

/// What the terminal can do.
pub struct Look {
    /// Columns and rows at this moment; asked again before each draw, so resizing needs no signal.
    pub size: Box<dyn Fn() -> (u16, u16) + Send>,
    pub colour: bool,
    pub utf8: bool,
}

impl fmt::Debug for Look {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Look")
            .field("colour", &self.colour)
            .field("utf8", &self.utf8)
            .finish_non_exhaustive()
    }
}

impl Mode {
    /// What fits standard output as it is, given the environment.
    pub fn choose(
        json: bool,
        is_terminal: bool,
        size: impl Fn() -> (u16, u16) + Send + 'static,
        env: impl Fn(&str) -> Option<String>,
    ) -> Self {
        let set = |name: &str| env(name).filter(|value| !value.is_empty());
        let theme = Theme::choose(ThemeName::Dark, None, &env);
        let utf8 = !theme.ascii;
        let term = set("TERM").unwrap_or_else(|| "dumb".into());
        if json {
            Self::Json
        } else if !is_terminal || term == "dumb" || term == "unknown" {
            Self::Lines { utf8 }
        } else {
            Self::Screen(Look {
                size: Box::new(size),
                colour: theme.palette != Palette::Mono,
                utf8,
            })
        }
    }

    /// Whether standard output is for lines of JSON alone.
    pub fn is_json(&self) -> bool {
        matches!(self, Self::Json)
    }

    /// Whether a screen is drawn, so that nothing else may write to the terminal.
    pub fn is_screen(&self) -> bool {
        matches!(self, Self::Screen(_))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn choose(json: bool, terminal: bool, env: &[(&str, &str)]) -> String {
        let get = |name: &str| {
            env.iter()
                .find(|(key, _)| *key == name)
                .map(|(_, value)| (*value).to_owned())
        };
        match Mode::choose(json, terminal, || (80, 24), get) {
            Mode::Json => "json".into(),
            Mode::Lines { utf8 } => format!("lines utf8={utf8}"),
            Mode::Screen(look) => format!("screen colour={} utf8={}", look.colour, look.utf8),
        }
    }

    #[test]
    fn the_terminal_and_the_environment_decide() {
        let utf8 = ("LANG", "en_US.UTF-8");
        let term = ("TERM", "xterm-256color");
        assert_eq!(choose(true, true, &[utf8, term]), "json");
        assert_eq!(
            choose(false, true, &[utf8, term]),
            "screen colour=true utf8=true"
        );
        assert_eq!(choose(false, false, &[utf8, term]), "lines utf8=true");
        assert_eq!(
            choose(false, true, &[utf8, ("TERM", "dumb")]),
            "lines utf8=true"
        );
        assert_eq!(choose(false, true, &[utf8]), "lines utf8=true");
        assert_eq!(
            choose(false, true, &[term, ("NO_COLOR", "1")]),
            "screen colour=false utf8=false"
        );
        assert_eq!(
            choose(
                false,
                true,
                &[utf8, term, ("LC_ALL", "C"), ("NO_COLOR", "")]
            ),
            "screen colour=true utf8=false"
        );
        assert_eq!(
            choose(false, true, &[("TERM", "vt220")]),
            "screen colour=false utf8=false"
        );
    }
}
