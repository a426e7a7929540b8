//! What fuzzing reaches of TFTP: packets as a server may send them. What must hold of what comes out is checked
//! by the caller.

use std::time::Duration;

use super::fault::fault;
use super::machine::{Machine, Numbers};
use super::options::{Asked, PLAIN};
use super::packet::{Answer, LONGEST, parse};

/// What was made of a packet.
#[derive(Debug, Default)]
pub(crate) struct Made {
    /// What of it would be shown.
    pub(crate) shown: Option<String>,
    /// The bytes of a block and the blocks of a window that were granted.
    pub(crate) agreed: Option<(usize, u64)>,
}

/// Everything that is ever made of a packet that answers a request.
pub(crate) fn packet(bytes: &[u8]) -> Made {
    let asked = Asked::new(Some(70_000), Duration::from_secs(60));
    match parse(&bytes[..bytes.len().min(LONGEST)]) {
        Answer::Options(Some(options)) => match asked.granted(&options) {
            Ok(agreed) => Made {
                agreed: Some((agreed.block_size, agreed.window)),
                ..Made::default()
            },
            Err(wrong) => Made {
                shown: Some(wrong),
                ..Made::default()
            },
        },
        Answer::Error { code, text } => Made {
            shown: Some(fault(code, &text).to_string()),
            ..Made::default()
        },
        Answer::Acknowledged(_) => Made {
            agreed: Some((PLAIN.block_size, PLAIN.window)),
            ..Made::default()
        },
        Answer::Options(None) | Answer::Other => Made::default(),
    }
}

/// A file without an end is sent to a server that acknowledges these numbers; the blocks that were sent, and
/// those that count as acknowledged, after each of them. Numbers begin again soon.
pub(crate) fn acknowledgements(numbers: &[u8]) -> Vec<(u64, u64)> {
    let mut machine = Machine::new(1, 3, Numbers { last: 15, after: 0 });
    let mut sent = 0;
    let step = |number: &u8| {
        while machine.push(b"x") > 0 {}
        while let Some(block) = machine.next() {
            sent = sent.max(block.place);
            machine.sent();
        }
        match number {
            255 => machine.time_out(),
            number => drop(machine.acknowledge(u16::from(*number))),
        }
        (sent, machine.acknowledged())
    };
    numbers.iter().map(step).collect()
}
