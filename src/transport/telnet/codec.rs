//! RFC 854 as a state machine: what is data, what is negotiation, and what is to be answered to it.

use std::fmt;

const IAC: u8 = 255;
const DONT: u8 = 254;
const DO: u8 = 253;
const WONT: u8 = 252;
const WILL: u8 = 251;
const SB: u8 = 250;
const SE: u8 = 240;

/// The server echoes what is typed (RFC 857).
const ECHO: u8 = 1;
/// It sends without being given turns (RFC 858).
const SUPPRESS_GO_AHEAD: u8 = 3;

/// Bytes of one subnegotiation. Nothing was agreed to that has any.
const LONGEST: usize = 4096;
/// Answers on one connection: each of the options refused both ways, and room to change one's mind. A server that
/// goes on asking gets no more.
const MOST_ANSWERS: u16 = 1024;

/// A subnegotiation that does not end.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) struct Endless;

#[derive(Debug, Clone, Copy, Default)]
enum State {
    #[default]
    Data,
    /// Behind a CR.
    Return,
    Command,
    /// The option of this command follows.
    Option(u8),
    /// So many bytes of a subnegotiation were skipped.
    Subnegotiation(usize),
    SubnegotiationCommand(usize),
}

/// One end of a connection, the one of who types.
pub(super) struct Codec {
    state: State,
    /// Options of the server that are on.
    on: [bool; 256],
    /// Offers, and requests, that were refused: each is answered once (RFC 1143).
    refused_offer: [bool; 256],
    refused_request: [bool; 256],
    answers_left: u16,
}

impl Default for Codec {
    fn default() -> Self {
        Self {
            state: State::default(),
            on: [false; 256],
            refused_offer: [false; 256],
            refused_request: [false; 256],
            answers_left: MOST_ANSWERS,
        }
    }
}

impl fmt::Debug for Codec {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "Codec({:?})", self.state)
    }
}

impl Codec {
    /// Adds what was shown to `data`, and what is to be answered to `answers`.
    ///
    /// # Errors
    /// A subnegotiation of more than 4 KiB.
    pub(super) fn decode(
        &mut self,
        input: &[u8],
        data: &mut Vec<u8>,
        answers: &mut Vec<u8>,
    ) -> Result<(), Endless> {
        for &byte in input {
            self.state = match (self.state, byte) {
                (State::Data | State::Return, IAC) => State::Command,
                // What a bare CR is sent as.
                (State::Return, 0) => State::Data,
                (State::Data | State::Return, byte) => {
                    data.push(byte);
                    match byte {
                        b'\r' => State::Return,
                        _ => State::Data,
                    }
                }
                (State::Command, IAC) => {
                    data.push(IAC);
                    State::Data
                }
                (State::Command, WILL | WONT | DO | DONT) => State::Option(byte),
                (State::Command, SB) => State::Subnegotiation(0),
                (State::Command, _) => State::Data,
                (State::Option(command), option) => {
                    self.negotiate(command, option, answers);
                    State::Data
                }
                (State::Subnegotiation(LONGEST..), _) => return Err(Endless),
                (State::Subnegotiation(count), IAC) => State::SubnegotiationCommand(count + 1),
                (State::Subnegotiation(count), _) => State::Subnegotiation(count + 1),
                (State::SubnegotiationCommand(_), SE) => State::Data,
                (State::SubnegotiationCommand(count), _) => State::Subnegotiation(count + 1),
            };
        }
        Ok(())
    }

    /// Answers changes of state alone, so that two that answer each other come to an end (RFC 1143).
    fn negotiate(&mut self, command: u8, option: u8, answers: &mut Vec<u8>) {
        let at = usize::from(option);
        let answer = match command {
            WILL if matches!(option, ECHO | SUPPRESS_GO_AHEAD) => {
                (!std::mem::replace(&mut self.on[at], true)).then_some(DO)
            }
            WILL => (!std::mem::replace(&mut self.refused_offer[at], true)).then_some(DONT),
            WONT => std::mem::replace(&mut self.on[at], false).then_some(DONT),
            DO => (!std::mem::replace(&mut self.refused_request[at], true)).then_some(WONT),
            // Nothing of ours is on.
            _ => None,
        };
        if let Some(answer) = answer
            && self.answers_left > 0
        {
            self.answers_left -= 1;
            answers.extend([IAC, answer, option]);
        }
    }

    /// What was typed, as it is sent: a CR alone is the key that ends a line.
    pub(super) fn encode(data: &[u8]) -> Vec<u8> {
        let mut out = Vec::with_capacity(data.len() + 2);
        for (at, &byte) in data.iter().enumerate() {
            out.push(byte);
            match byte {
                IAC => out.push(IAC),
                b'\r' if data.get(at + 1) != Some(&b'\n') => out.push(0),
                _ => {}
            }
        }
        out
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn decoded(pieces: &[&[u8]]) -> (Vec<u8>, Vec<u8>) {
        let mut codec = Codec::default();
        let (mut data, mut answers) = (Vec::new(), Vec::new());
        for piece in pieces {
            codec.decode(piece, &mut data, &mut answers).unwrap();
        }
        (data, answers)
    }

    #[test]
    fn a_cut_anywhere_changes_nothing() {
        let mut sent = b"a\xff\xffb\r\0c\r\nd\r\xff\xf1e".to_vec();
        sent.extend([IAC, WILL, ECHO, IAC, DO, 24, IAC, WILL, 34, IAC, WILL, 3]);
        sent.extend([IAC, SB, 24, IAC, IAC, SE, 1, IAC, SE, b'f']);
        let whole = decoded(&[&sent]);
        assert_eq!(whole.0, b"a\xffb\rc\r\nd\ref");
        let answers = [
            [IAC, DO, ECHO],
            [IAC, WONT, 24],
            [IAC, DONT, 34],
            [IAC, DO, 3],
        ];
        assert_eq!(whole.1, answers.concat());
        for first in 0..=sent.len() {
            for second in first..=sent.len() {
                let pieces = [&sent[..first], &sent[first..second], &sent[second..]];
                assert_eq!(decoded(&pieces), whole, "{first} {second}");
            }
        }
    }

    #[test]
    fn only_changes_of_state_are_answered() {
        let again = [IAC, WILL, ECHO].repeat(3);
        assert_eq!(decoded(&[&again]).1, [IAC, DO, ECHO]);
        assert!(decoded(&[&[IAC, WONT, ECHO, IAC, DONT, ECHO]]).1.is_empty());
        let changes = [[IAC, WILL, ECHO], [IAC, WONT, ECHO], [IAC, WILL, ECHO]].concat();
        let answers = [[IAC, DO, ECHO], [IAC, DONT, ECHO], [IAC, DO, ECHO]].concat();
        assert_eq!(decoded(&[&changes]).1, answers);
        let asked = [IAC, DO, 24].repeat(1000);
        assert_eq!(decoded(&[&asked]).1, [IAC, WONT, 24]);
    }

    #[test]
    fn a_server_that_never_stops_asking_gets_a_bounded_number_of_answers() {
        let storm = [[IAC, WILL, ECHO], [IAC, WONT, ECHO]].concat();
        let answers = decoded(&[&storm.repeat(100_000)]).1;
        assert_eq!(answers.len(), usize::from(MOST_ANSWERS) * 3);
    }

    #[test]
    fn a_subnegotiation_without_an_end_is_an_error() {
        let mut codec = Codec::default();
        let (mut data, mut answers) = (Vec::new(), Vec::new());
        codec
            .decode(&[IAC, SB, 1], &mut data, &mut answers)
            .unwrap();
        let endless = codec.decode(&[0; LONGEST + 1], &mut data, &mut answers);
        assert_eq!(endless, Err(Endless));
        assert!(data.is_empty() && answers.is_empty());
    }

    #[test]
    fn what_is_typed_is_escaped() {
        assert_eq!(Codec::encode(b"a\xff\r"), b"a\xff\xff\r\0");
        assert_eq!(Codec::encode(b"a\r\nb"), b"a\r\nb");
    }
}
