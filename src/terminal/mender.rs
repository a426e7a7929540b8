//! Keys that a slow line has torn apart, put together again. Pure.
//!
//! crossterm takes an ESC that comes alone for the Esc key and the rest of an arrow key, when it comes later, for
//! letters: each would do something. So an Esc waits a moment for what belongs to it.

use std::time::Duration;

use crossterm::event::{Event, KeyCode, KeyEvent, KeyModifiers};

/// After this long an ESC with nothing behind it is the Esc key.
const ALONE: Duration = Duration::from_millis(150);
/// For this long what follows it can still turn out to be the rest of another key, and the rest of
/// a sequence is waited for.
const LATE: Duration = Duration::from_millis(1000);
/// No sequence of a terminal is longer; noise on a line can be.
const LONGEST: usize = 32;

#[derive(Debug, Default)]
pub(super) struct Mender {
    begun: Begun,
}

#[derive(Debug, Default)]
enum Begun {
    #[default]
    Nothing,
    /// An Esc; whether it was reported as the Esc key already.
    Esc { reported: bool },
    /// What has come behind it.
    Sequence(String),
}

impl Mender {
    pub(super) fn feed(&mut self, event: Event, events: &mut Vec<Event>) {
        let Event::Key(key) = event else {
            self.expire(events);
            events.push(event);
            return;
        };
        let typed = match key.code {
            KeyCode::Char(c) if !key.modifiers.contains(KeyModifiers::CONTROL) => Some(c),
            _ => None,
        };
        match (std::mem::take(&mut self.begun), typed) {
            (Begun::Esc { .. }, Some(c @ ('[' | 'O'))) => self.begun = Begun::Sequence(c.into()),
            (Begun::Sequence(mut sequence), Some(c)) => {
                sequence.push(c);
                if is_whole(&sequence) {
                    events.extend(meaning(&sequence).map(Event::Key));
                } else if sequence.len() < LONGEST {
                    self.begun = Begun::Sequence(sequence);
                }
            }
            (begun, _) => {
                if let Begun::Esc { reported: false } = begun {
                    events.push(pressed(KeyCode::Esc));
                }
                self.first(key, events);
            }
        }
    }

    fn first(&mut self, key: KeyEvent, events: &mut Vec<Event>) {
        let with = |modifier| key.modifiers.contains(modifier);
        match key.code {
            KeyCode::Esc => self.begun = Begun::Esc { reported: false },
            // In raw modes crossterm has Enter for a carriage return alone.
            KeyCode::Char('j') if with(KeyModifiers::CONTROL) => {
                events.push(pressed(KeyCode::Enter));
            }
            // Many terminals, serial ones above all, send it for the Backspace key.
            KeyCode::Char('h') if with(KeyModifiers::CONTROL) => {
                events.push(pressed(KeyCode::Backspace));
            }
            // An Esc and a key that came at once.
            code @ KeyCode::Char(_) if with(KeyModifiers::ALT) => {
                events.push(pressed(KeyCode::Esc));
                let modifiers = key.modifiers - KeyModifiers::ALT;
                events.push(Event::Key(KeyEvent::new(code, modifiers)));
            }
            _ => events.push(Event::Key(key)),
        }
    }

    /// How long to wait for more before [`Mender::expire`]; `None`: nothing has begun.
    pub(super) fn patience(&self) -> Option<Duration> {
        match self.begun {
            Begun::Nothing => None,
            Begun::Esc { reported: false } => Some(ALONE),
            _ => Some(LATE),
        }
    }

    /// Nothing more came in time.
    pub(super) fn expire(&mut self, events: &mut Vec<Event>) {
        self.begun = match self.begun {
            Begun::Esc { reported: false } => {
                events.push(pressed(KeyCode::Esc));
                Begun::Esc { reported: true }
            }
            _ => Begun::Nothing,
        };
    }
}

fn pressed(code: KeyCode) -> Event {
    Event::Key(code.into())
}

fn is_whole(sequence: &str) -> bool {
    match sequence.as_bytes() {
        [b'O', ..] => true,
        // The old report of a mouse: three bytes behind the final one.
        [b'[', b'M', rest @ ..] => rest.len() >= 3,
        // The function keys of a Linux console.
        [b'[', b'[', rest @ ..] => !rest.is_empty(),
        [.., last] => matches!(last, 0x40..=0x7e),
        [] => false,
    }
}

/// What the keys of this program send; everything else means nothing.
fn meaning(sequence: &str) -> Option<KeyEvent> {
    let code = match sequence.strip_prefix(['[', 'O'])? {
        "A" => KeyCode::Up,
        "B" => KeyCode::Down,
        "C" => KeyCode::Right,
        "D" => KeyCode::Left,
        "H" | "1~" | "7~" => KeyCode::Home,
        "F" | "4~" | "8~" => KeyCode::End,
        "Z" => KeyCode::BackTab,
        "2~" => KeyCode::Insert,
        "3~" => KeyCode::Delete,
        "5~" => KeyCode::PageUp,
        "6~" => KeyCode::PageDown,
        _ => return None,
    };
    Some(code.into())
}

#[cfg(test)]
mod tests {
    use super::*;

    /// As crossterm reports each byte when it comes alone; `.` is a pause.
    fn codes(typed: &str) -> Vec<KeyCode> {
        let (mut mender, mut events) = (Mender::default(), Vec::new());
        for c in typed.chars() {
            let code = match c {
                '.' => {
                    mender.expire(&mut events);
                    continue;
                }
                '\x1b' => KeyCode::Esc,
                c => KeyCode::Char(c),
            };
            mender.feed(pressed(code), &mut events);
        }
        while mender.patience().is_some() {
            mender.expire(&mut events);
        }
        let code = |event: Event| event.as_key_event().map(|key| key.code);
        events.into_iter().filter_map(code).collect()
    }

    #[test]
    fn a_key_torn_apart_is_the_key() {
        use KeyCode as K;
        for (typed, expected) in [
            ("\x1b[A", &[K::Up][..]),
            ("\x1bOB", &[K::Down]),
            ("\x1b[5~", &[K::PageUp]),
            ("\x1b[ZG", &[K::BackTab, K::Char('G')]),
            // The rest is late: the Esc was reported, and no letter is.
            ("\x1b.[B", &[K::Esc, K::Down]),
            ("\x1b..[B", &[K::Esc, K::Char('['), K::Char('B')]),
            ("\x1b", &[K::Esc]),
            ("\x1b\x1b", &[K::Esc, K::Esc]),
            ("\x1bq", &[K::Esc, K::Char('q')]),
            ("\x1b\x1b[A", &[K::Esc, K::Up]),
            // Nothing of what means nothing is typed.
            ("\x1b[<0;7;9Mx", &[K::Char('x')]),
            ("\x1b[M !!x", &[K::Char('x')]),
            ("\x1b[[Ax", &[K::Char('x')]),
            ("\x1b[200~", &[]),
            ("\x1b[1.q", &[K::Char('q')]),
        ] {
            assert_eq!(codes(typed), expected, "{typed:?}");
        }
    }

    #[test]
    fn noise_ends() {
        let noise = format!("\x1b[{}q", "1".repeat(LONGEST - 1));
        assert_eq!(codes(&noise), [KeyCode::Char('q')]);
    }

    #[test]
    fn keys_mean_the_same_however_they_came() {
        let keys = |code, modifiers| {
            let mut events = Vec::new();
            let key = KeyEvent::new(KeyCode::Char(code), modifiers);
            Mender::default().feed(Event::Key(key), &mut events);
            events
        };
        let enter = pressed(KeyCode::Enter);
        assert_eq!(keys('j', KeyModifiers::CONTROL), [enter]);
        let backspace = pressed(KeyCode::Backspace);
        assert_eq!(keys('h', KeyModifiers::CONTROL), [backspace]);
        let both = [KeyCode::Esc, KeyCode::Char('q')].map(pressed);
        assert_eq!(keys('q', KeyModifiers::ALT), both);
    }
}
