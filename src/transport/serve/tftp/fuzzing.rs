//! What fuzzing reaches of requests over TFTP: packets as a device may send them. What must hold of what comes out is
//! checked by the caller.

use std::net::{IpAddr, SocketAddr};

use crate::transport::serve::{Guard, Offers};
use crate::transport::tftp::packet;

use super::{found, options};

/// As a device knows what it is offered, whose name has a token in it that no packet could have.
const OFFERED: &str = "a.bin";

/// What was made of a request.
#[derive(Debug)]
pub(crate) enum Made {
    Granted {
        block_size: usize,
        window: u64,
        options: Vec<(&'static str, u64)>,
        packet: Vec<u8>,
    },
    Refused {
        /// What is logged of it.
        shown: String,
        packet: Vec<u8>,
    },
}

/// Everything that is made of a packet from the address of a device; `None`: it is no request.
pub(crate) fn request(bytes: &[u8]) -> Option<Made> {
    let bytes = bytes.get(..packet::REQUEST).unwrap_or(bytes);
    let mut request = packet::asked(bytes)?;
    let address = IpAddr::from([192, 0, 2, 7]);
    let offers = Offers::default();
    let offered = offers.offer(&"e1".into(), vec![address], OFFERED);
    if request.path == OFFERED {
        request.path = offered.name();
    }
    let device = SocketAddr::new(address, 2000);
    Some(match found(&Guard::new(offers.clone()), device, &request) {
        Ok(_) => {
            let granted = options::grant(&request.options, Some(70_000));
            Made::Granted {
                block_size: granted.agreed.block_size,
                window: granted.agreed.window,
                packet: packet::granted(&granted.options),
                options: granted.options,
            }
        }
        Err(refused) => Made::Refused {
            shown: refused.to_string(),
            packet: refused.packet(),
        },
    })
}
