//! Telnet as a server speaks it (RFC 854, 855), pure: what of a client's bytes is typed, and what is answered.
//!
//! The server offers to echo (RFC 857) and to leave out go-aheads (RFC 858), and refuses everything else. It answers
//! only what changes something, so that no two sides answer each other for ever (RFC 854, page 2).

const SE: u8 = 240;
const BREAK: u8 = 243;
const INTERRUPT: u8 = 244;
const ARE_YOU_THERE: u8 = 246;
const ERASE_CHARACTER: u8 = 247;
const ERASE_LINE: u8 = 248;
const SB: u8 = 250;
const WILL: u8 = 251;
const WONT: u8 = 252;
const DO: u8 = 253;
const DONT: u8 = 254;
pub(super) const IAC: u8 = 255;

const ECHO: u8 = 1;
const NO_GO_AHEAD: u8 = 3;

#[derive(Debug, Clone, Copy, Default)]
enum State {
    #[default]
    Data,
    Command,
    Option(u8),
    /// What an option is about: read over.
    Inside,
    InsideCommand,
}

/// The server's side of one connection.
#[derive(Debug)]
pub(super) struct Telnet {
    state: State,
    echoes: bool,
    no_go_ahead: bool,
    /// The client has said that it leaves go-aheads out.
    client_no_go_ahead: bool,
}

impl Telnet {
    /// With what the server says first.
    pub(super) fn new() -> (Self, [u8; 6]) {
        let telnet = Self {
            state: State::Data,
            echoes: true,
            no_go_ahead: true,
            client_no_go_ahead: false,
        };
        (telnet, [IAC, WILL, ECHO, IAC, WILL, NO_GO_AHEAD])
    }

    /// Whether the client leaves it to the server to show what is typed.
    pub(super) fn echoes(&self) -> bool {
        self.echoes
    }

    /// The next byte of the client: what was typed with it; answers go to the end of `answer`.
    pub(super) fn take(&mut self, byte: u8, answer: &mut Vec<u8>) -> Option<u8> {
        let (state, typed) = match (self.state, byte) {
            (State::Data, IAC) => (State::Command, None),
            (State::Data, typed) => (State::Data, Some(typed)),
            (State::Command, IAC) => (State::Data, Some(IAC)),
            (State::Command, WILL | WONT | DO | DONT) => (State::Option(byte), None),
            (State::Command, SB) => (State::Inside, None),
            (State::Command, INTERRUPT | BREAK) => (State::Data, Some(0x03)),
            (State::Command, ERASE_CHARACTER) => (State::Data, Some(0x7f)),
            (State::Command, ERASE_LINE) => (State::Data, Some(0x15)),
            (State::Command, ARE_YOU_THERE) => {
                answer.extend_from_slice(b"\r\n[yes]\r\n");
                (State::Data, None)
            }
            (State::Command, _) => (State::Data, None),
            (State::Option(verb), option) => {
                self.answer(verb, option, answer);
                (State::Data, None)
            }
            (State::Inside, IAC) => (State::InsideCommand, None),
            (State::InsideCommand, SE) => (State::Data, None),
            (State::Inside | State::InsideCommand, _) => (State::Inside, None),
        };
        self.state = state;
        typed
    }

    fn answer(&mut self, verb: u8, option: u8, answer: &mut Vec<u8>) {
        let (now, wanted, yes, no) = match verb {
            DO | DONT => {
                let now = match option {
                    ECHO => Some(&mut self.echoes),
                    NO_GO_AHEAD => Some(&mut self.no_go_ahead),
                    _ => None,
                };
                (now, verb == DO, WILL, WONT)
            }
            _ => {
                let now = (option == NO_GO_AHEAD).then_some(&mut self.client_no_go_ahead);
                (now, verb == WILL, DO, DONT)
            }
        };
        let said = match now {
            Some(now) if *now != wanted => {
                *now = wanted;
                if wanted { yes } else { no }
            }
            // What it is asked to be is what it is.
            Some(_) => return,
            None if wanted => no,
            None => return,
        };
        answer.extend_from_slice(&[IAC, said, option]);
    }
}

/// As sent: a byte that begins a command is doubled.
pub(super) fn escaped(bytes: &[u8]) -> Vec<u8> {
    let mut out = Vec::with_capacity(bytes.len());
    for &byte in bytes {
        out.push(byte);
        if byte == IAC {
            out.push(IAC);
        }
    }
    out
}

#[cfg(test)]
mod tests {
    use super::*;

    fn taken(telnet: &mut Telnet, bytes: &[u8]) -> (Vec<u8>, Vec<u8>) {
        let mut answer = Vec::new();
        let typed = (bytes.iter()).filter_map(|byte| telnet.take(*byte, &mut answer));
        (typed.collect(), answer)
    }

    #[test]
    fn commands_are_not_typed_and_what_is_offered_is_not_answered_again() {
        let (mut telnet, said) = Telnet::new();
        assert_eq!(said, [255, 251, 1, 255, 251, 3]);
        // The client agrees, and offers to leave out go-aheads itself.
        let (typed, answer) = taken(&mut telnet, &[255, 253, 1, 255, 253, 3, 255, 251, 3, b'a']);
        assert_eq!(typed, b"a");
        assert_eq!(answer, [255, 253, 3]);
        // Once more: nothing changes, so nothing is said.
        let (_, answer) = taken(&mut telnet, &[255, 253, 1, 255, 251, 3]);
        assert_eq!(answer, b"");
        // What it does not know is refused: it may have been asked to, or offered.
        let (_, answer) = taken(&mut telnet, &[255, 253, 24, 255, 251, 31]);
        assert_eq!(answer, [255, 252, 24, 255, 254, 31]);
        let (_, answer) = taken(&mut telnet, &[255, 254, 24, 255, 252, 31]);
        assert_eq!(answer, b"");
    }

    #[test]
    fn a_client_that_echoes_itself_may_do_so() {
        let (mut telnet, _) = Telnet::new();
        let (_, answer) = taken(&mut telnet, &[255, 254, 1]);
        assert_eq!(answer, [255, 252, 1]);
        assert!(!telnet.echoes());
        let (_, answer) = taken(&mut telnet, &[255, 253, 1]);
        assert_eq!(answer, [255, 251, 1]);
        assert!(telnet.echoes());
    }

    #[test]
    fn doubled_bytes_keys_and_what_is_about_an_option() {
        let (mut telnet, _) = Telnet::new();
        let (typed, answer) = taken(&mut telnet, &[b'a', 255, 255, b'b', 255, 244, 255, 247]);
        assert_eq!(typed, [b'a', 255, b'b', 3, 0x7f]);
        assert_eq!(answer, b"");
        // A size of the window with a doubled byte in it, and one that says that it ends and does not.
        let about = [255, 250, 31, 0, 255, 255, 0, 24, 255, 240, b'x', 255, 246];
        let (typed, answer) = taken(&mut telnet, &about);
        assert_eq!(typed, b"x");
        assert_eq!(answer, b"\r\n[yes]\r\n");
        assert_eq!(escaped(&[1, 255, 2]), [1, 255, 255, 2]);
    }
}
