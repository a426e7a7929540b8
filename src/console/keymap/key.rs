//! A key: as it is written, as it is shown, as it is pressed.

use std::fmt;

use crossterm::event::{KeyCode, KeyEvent, KeyModifiers};

use crate::model::complaint::Complaint;
use crate::model::text::quoted;

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Key {
    Char(char),
    Ctrl(char),
    Code(KeyCode),
}

/// Keys with a name, as it is shown.
const NAMES: [(&str, Key); 16] = [
    ("Space", Key::Char(' ')),
    ("Enter", Key::Code(KeyCode::Enter)),
    ("Esc", Key::Code(KeyCode::Esc)),
    ("Tab", Key::Code(KeyCode::Tab)),
    ("Shift-Tab", Key::Code(KeyCode::BackTab)),
    ("Insert", Key::Code(KeyCode::Insert)),
    ("Delete", Key::Code(KeyCode::Delete)),
    ("Backspace", Key::Code(KeyCode::Backspace)),
    ("Up", Key::Code(KeyCode::Up)),
    ("Down", Key::Code(KeyCode::Down)),
    ("Left", Key::Code(KeyCode::Left)),
    ("Right", Key::Code(KeyCode::Right)),
    ("PgUp", Key::Code(KeyCode::PageUp)),
    ("PgDn", Key::Code(KeyCode::PageDown)),
    ("Home", Key::Code(KeyCode::Home)),
    ("End", Key::Code(KeyCode::End)),
];

/// Function keys that keyboards have.
const FUNCTIONS: std::ops::RangeInclusive<u8> = 1..=12;
/// What terminals send for these is another key: Backspace, Tab and Enter.
const NOT_THEIR_OWN: [char; 4] = ['h', 'i', 'j', 'm'];

impl Key {
    pub(crate) const CANCEL: Self = Self::Ctrl('c');
    pub(crate) const ESCAPE: Self = Self::Code(KeyCode::Esc);

    /// As the table has it, or an operator writes it: of names case does not matter, of characters it does.
    ///
    /// # Errors
    /// It is no key that every terminal sends.
    pub(crate) fn written(name: &str) -> Result<Self, Complaint> {
        const HELP: &str =
            "write a character, or a name like `ctrl-u`, `F5`, `shift-tab`, `space`, `enter`";
        let mut characters = name.chars();
        if let (Some(one), None) = (characters.next(), characters.next()) {
            return match one.is_control() || one.is_whitespace() {
                false => Ok(Self::Char(one)),
                true => Err(Complaint::new(format!("{} is no key", quoted(name)), HELP)),
            };
        }
        let known = NAMES
            .iter()
            .find(|(known, _)| known.eq_ignore_ascii_case(name));
        if let Some((_, key)) = known {
            return Ok(*key);
        }
        let lower = name.to_ascii_lowercase();
        let function = lower
            .strip_prefix('f')
            .and_then(|digits| digits.parse().ok());
        if let Some(number) = function.filter(|number| FUNCTIONS.contains(number)) {
            return Ok(Self::Code(KeyCode::F(number)));
        }
        let letter = lower
            .strip_prefix("ctrl-")
            .and_then(|rest| rest.parse::<char>().ok());
        match letter.filter(char::is_ascii_lowercase) {
            Some(letter) if NOT_THEIR_OWN.contains(&letter) => Err(Complaint::new(
                format!("{} can't be told from another key", quoted(name)),
                "terminals send it as Backspace, Tab or Enter: choose another letter",
            )),
            Some(letter) => Ok(Self::Ctrl(letter)),
            None => Err(Complaint::new(format!("{} is no key", quoted(name)), HELP)),
        }
    }

    /// The key that was pressed; `None` for what is no key on its own.
    pub(super) fn of(event: &KeyEvent) -> Option<Self> {
        let control = event.modifiers.contains(KeyModifiers::CONTROL);
        Some(match event.code {
            KeyCode::Modifier(_) | KeyCode::Null => return None,
            KeyCode::Char(c) if control => Self::Ctrl(c.to_ascii_lowercase()),
            KeyCode::Char(c) => Self::Char(c),
            code => Self::Code(code),
        })
    }

    /// As it comes from a terminal.
    pub(crate) fn event(self) -> KeyEvent {
        match self {
            Self::Char(c) => KeyEvent::new(KeyCode::Char(c), KeyModifiers::NONE),
            Self::Ctrl(c) => KeyEvent::new(KeyCode::Char(c), KeyModifiers::CONTROL),
            Self::Code(code) => KeyEvent::new(code, KeyModifiers::NONE),
        }
    }
}

impl fmt::Display for Key {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        if let Some((name, _)) = NAMES.iter().find(|(_, key)| key == self) {
            return f.write_str(name);
        }
        match self {
            Self::Char(c) => write!(f, "{c}"),
            Self::Ctrl(c) => write!(f, "Ctrl-{}", c.to_ascii_uppercase()),
            Self::Code(KeyCode::F(number)) => write!(f, "F{number}"),
            Self::Code(code) => write!(f, "{code}"),
        }
    }
}
