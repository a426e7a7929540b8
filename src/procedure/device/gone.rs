//! What shows that a device goes: a session that ends, and new connections that nobody answers.

use std::future::pending;
use std::time::Duration;

use tokio::time::sleep;

use crate::model::{Failure, Fault, Step};
use crate::transport::{Endpoint, Orders, knock};

use super::line::Line;

/// Between new connections to a device of which nothing is open; and before the first one beside a session.
const EACH: Duration = Duration::from_secs(1);
/// Between those beside a session: they are for a device that loses its power, which takes no leave, and some take
/// many of them for an attempt to break in.
const BESIDE: Duration = Duration::from_secs(5);

/// Whether an attempt to connect says that nobody is there.
pub(super) fn is_nobody(fault: &Fault) -> bool {
    matches!(
        fault,
        Fault::Refused { .. } | Fault::Unreachable { .. } | Fault::ConnectTimeout { .. }
    )
}

/// The same beside a session that is open. Many devices have room for one, and refuse others while they are well:
/// only one that `accepted` another shows by a refusal that it is gone.
fn is_gone(fault: &Fault, accepted: bool) -> bool {
    is_nobody(fault) && (accepted || !matches!(fault, Fault::Refused { .. }))
}

/// Waits until a device is seen to go.
///
/// # Errors
/// Nothing can show it.
pub(super) async fn goes(
    line: Option<&mut Line>,
    orders: Option<&mut Box<dyn Orders>>,
    door: &Endpoint,
) -> Result<(), Failure> {
    let is_watched = line.is_some() || orders.is_some();
    let line_ends = async {
        match line {
            Some(line) => line.gone().await,
            None => pending().await,
        }
    };
    let orders_end = async {
        match orders {
            Some(orders) => orders.gone().await,
            None => pending().await,
        }
    };
    let nobody = async {
        match is_watched {
            true => beside(door).await,
            false => return alone(door).await,
        }
        Ok(())
    };
    tokio::select! {
        biased;
        () = line_ends => Ok(()),
        () = orders_end => Ok(()),
        gone = nobody => gone,
    }
}

/// Waits until nobody answers at an address any more.
async fn alone(door: &Endpoint) -> Result<(), Failure> {
    loop {
        match knock(door).await {
            Err(failure) if is_nobody(&failure.fault) => return Ok(()),
            Err(failure) if matches!(failure.fault, Fault::Local(_)) => {
                return Err(Failure::new(Step::Restart, failure.fault));
            }
            _ => sleep(EACH).await,
        }
    }
}

/// The same beside a session that is open.
async fn beside(door: &Endpoint) {
    let (mut accepted, mut pause) = (false, EACH);
    loop {
        sleep(pause).await;
        pause = BESIDE;
        match knock(door).await {
            Ok(()) => accepted = true,
            Err(failure) if is_gone(&failure.fault, accepted) => return,
            Err(_) => {}
        }
    }
}

/// What comes of an order that makes the device at this address restart, if it is one; `None`: it went and took no
/// leave.
pub(super) async fn unless_gone<V>(
    order: impl Future<Output = V>,
    door: Option<&Endpoint>,
) -> Option<V> {
    let gone = async {
        match door {
            Some(door) => beside(door).await,
            None => pending().await,
        }
    };
    tokio::select! {
        biased;
        came = order => Some(came),
        () = gone => None,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_refusal_beside_a_session_may_be_for_want_of_room() {
        let address = || "192.0.2.1:23".to_owned();
        let refused = Fault::Refused {
            address: address(),
            server: "telnet",
        };
        assert!(is_nobody(&refused) && is_gone(&refused, true) && !is_gone(&refused, false));
        let silent = Fault::ConnectTimeout {
            address: address(),
            after: BESIDE,
        };
        assert!(is_gone(&silent, false));
        assert!(!is_gone(&Fault::Local("no more files".into()), true));
    }
}
