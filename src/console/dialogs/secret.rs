//! A password while it is typed: not in tui-input, which leaves copies of it behind as it grows,
//! keeps what was deleted, and shows all of it in its `Debug`.

use std::fmt;

use secrecy::zeroize::Zeroizing;
use tui_input::InputRequest;

use crate::protocol::Secret;

/// Bytes at most. All of them are there from the start: a text that moves leaves copies behind.
const ROOM: usize = 1024;

/// Wiped when it is dropped. What is typed goes to its end: nobody sees where else it would go.
pub(crate) struct Typed(Zeroizing<String>);

impl Default for Typed {
    fn default() -> Self {
        Self(Zeroizing::new(String::with_capacity(ROOM)))
    }
}

impl Typed {
    pub(super) fn handle(&mut self, request: InputRequest) {
        match request {
            InputRequest::InsertChar(c) if self.0.len() + c.len_utf8() <= ROOM => {
                self.0.push(c);
            }
            InputRequest::DeletePrevChar => {
                self.0.pop();
            }
            InputRequest::DeletePrevWord
            | InputRequest::DeleteLine
            | InputRequest::DeleteFromStart => self.0.clear(),
            _ => {}
        }
    }

    pub(super) fn secret(&self) -> Secret {
        Secret::new(self.0.as_str())
    }
}

impl Clone for Typed {
    fn clone(&self) -> Self {
        let mut copy = Self::default();
        copy.0.push_str(&self.0);
        copy
    }
}

impl fmt::Debug for Typed {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("Typed(…)")
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn it_is_edited_at_its_end_never_moves_and_is_not_shown() {
        let mut typed = Typed::default();
        let place = typed.0.as_ptr();
        for c in "größe".chars() {
            typed.handle(InputRequest::InsertChar(c));
        }
        typed.handle(InputRequest::GoToStart);
        typed.handle(InputRequest::DeletePrevChar);
        typed.handle(InputRequest::InsertChar('!'));
        assert_eq!(typed.secret().expose(), "größ!");
        assert_eq!(typed.clone().secret(), typed.secret());
        assert!(!format!("{typed:?}").contains("gr"));
        typed.handle(InputRequest::DeleteLine);
        typed.handle(InputRequest::Yank);
        assert_eq!(typed.secret().expose(), "");
        for _ in 0..ROOM {
            typed.handle(InputRequest::InsertChar('ö'));
        }
        assert_eq!(typed.secret().expose().len(), ROOM);
        assert_eq!(typed.0.as_ptr(), place);
    }
}
