//! The themes by their names, and which palette of one a terminal can show.

use super::palette::Palette;

/// How the console is to look.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub enum ThemeName {
    /// Light where the terminal says that its background is, else dark.
    Auto,
    #[default]
    Dark,
    Light,
    HighContrast,
    Mono,
}

impl ThemeName {
    /// All, by the words that are written for them.
    pub const WORDS: [(&'static str, Self); 5] = [
        ("auto", Self::Auto),
        ("dark", Self::Dark),
        ("light", Self::Light),
        ("high-contrast", Self::HighContrast),
        ("mono", Self::Mono),
    ];

    pub fn word(self) -> &'static str {
        let found = Self::WORDS.iter().find(|(_, name)| *name == self);
        found.map_or("dark", |(word, _)| word)
    }
}

impl Palette {
    pub(super) fn choose(name: ThemeName, variable: impl Fn(&str) -> Option<String>) -> Self {
        let set = |name: &str| variable(name).filter(|value| !value.is_empty());
        let term = set("TERM").unwrap_or_default();
        let indexed = term.contains("256color") || set("COLORTERM").is_some();
        let sixteen = [
            "xterm", "screen", "tmux", "rxvt", "linux", "ansi", "konsole", "putty", "cygwin",
        ];
        if set("NO_COLOR").is_some() || !(indexed || sixteen.iter().any(|it| term.starts_with(it)))
        {
            return Self::Mono;
        }
        let name = match name {
            ThemeName::Auto if is_bright(set("COLORFGBG").as_deref()) => ThemeName::Light,
            name => name,
        };
        match (name, indexed) {
            (ThemeName::Mono, _) => Self::Mono,
            (ThemeName::Auto | ThemeName::Dark, false) => Self::Sixteen,
            (ThemeName::Auto | ThemeName::Dark, true) => Self::Indexed,
            (ThemeName::Light, false) => Self::LightSixteen,
            (ThemeName::Light, true) => Self::LightIndexed,
            (ThemeName::HighContrast, false) => Self::VividSixteen,
            (ThemeName::HighContrast, true) => Self::VividIndexed,
        }
    }

    pub(super) fn is_indexed(self) -> bool {
        matches!(
            self,
            Self::Indexed | Self::LightIndexed | Self::VividIndexed
        )
    }
}

/// rxvt and Konsole say `foreground;background` of 16 colours; 7 and 15 are the bright ones that a background has.
fn is_bright(colours: Option<&str>) -> bool {
    let background = colours.and_then(|colours| colours.rsplit(';').next());
    matches!(background, Some("7" | "15"))
}

pub(super) fn knows_utf8(variable: impl Fn(&str) -> Option<String>) -> bool {
    let locale = ["LC_ALL", "LC_CTYPE", "LANG"]
        .iter()
        .find_map(|name| variable(name).filter(|value| !value.is_empty()));
    locale.is_some_and(|locale| {
        let locale = locale.to_ascii_lowercase();
        locale.contains("utf-8") || locale.contains("utf8")
    })
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::terminal::Theme;

    fn theme_of(name: ThemeName, pairs: &[(&str, &str)]) -> Theme {
        Theme::choose(name, None, |name| {
            pairs
                .iter()
                .find(|(key, _)| *key == name)
                .map(|(_, value)| (*value).to_owned())
        })
    }

    #[test]
    fn terminals_get_what_they_can_show() {
        let theme = |pairs: &[(&str, &str)]| theme_of(ThemeName::Dark, pairs);
        let palette = |pairs: &[(&str, &str)]| theme(pairs).palette;
        assert_eq!(palette(&[("TERM", "xterm-256color")]), Palette::Indexed);
        assert_eq!(palette(&[("TERM", "xterm")]), Palette::Sixteen);
        for mono in ["vt100", "vt220", "", "weird"] {
            assert_eq!(palette(&[("TERM", mono)]), Palette::Mono, "{mono}");
        }
        assert!(theme(&[("LANG", "C")]).ascii && theme(&[]).ascii);
        assert!(!theme(&[("LANG", "de_CH.UTF-8")]).ascii);
        assert!(theme(&[("LANG", "de_CH.UTF-8"), ("LC_ALL", "C")]).ascii);
        let said = |ascii| Theme::choose(ThemeName::Dark, Some(ascii), |_| None).ascii;
        assert!(said(true) && !said(false));
    }

    #[test]
    fn a_terminal_without_colours_gets_none_whatever_theme_was_asked_for() {
        for (_, name) in ThemeName::WORDS {
            let no_color = [("TERM", "xterm-256color"), ("NO_COLOR", "1")];
            assert_eq!(theme_of(name, &no_color).palette, Palette::Mono);
            assert_eq!(theme_of(name, &[("TERM", "vt100")]).palette, Palette::Mono);
        }
    }

    #[test]
    fn auto_is_light_where_the_terminal_says_that_its_background_is() {
        for (colours, wanted) in [
            ("0;15", Palette::LightIndexed),
            ("0;default;15", Palette::LightIndexed),
            ("0;7", Palette::LightIndexed),
            ("15;0", Palette::Indexed),
            ("", Palette::Indexed),
            ("x", Palette::Indexed),
        ] {
            let pairs = [("TERM", "xterm-256color"), ("COLORFGBG", colours)];
            assert_eq!(
                theme_of(ThemeName::Auto, &pairs).palette,
                wanted,
                "{colours}"
            );
            let dark = theme_of(ThemeName::Dark, &pairs).palette;
            assert_eq!(dark, Palette::Indexed);
        }
    }
}
