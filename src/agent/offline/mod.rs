//! Entities that can't be reached, of a group that waits for them: they are asked again and again, and cost nothing
//! between that.
//!
//! | file | what |
//! | --- | --- |
//! | here | which failures show that an entity can't be reached |
//! | `roll` | when each is asked, and when that is over: pure |
//! | `absent` | the same carried out: connections that are closed again at once, until somebody answers |

mod absent;
mod roll;

pub(super) use absent::{Absent, Away, Door, Turn};

/// Of one that an earlier engine could not reach.
pub(crate) const OFFLINE_BEFORE: &str = "it was offline when the engine that ran before ended";

use crate::model::{Failure, Fault, Scheme, Step};

/// Whether nobody has answered. A server that has said anything at all is there: what it refuses (a login, room on
/// its disk, one session more) does not come with time alone, or is for the usual retries.
///
/// - The connection itself: refused, no way there, no answer in time, a name that has no address for now.
/// - A connection that ended, or stayed silent, before the server's greeting: what forwards it, or a device that
///   starts, took it.
/// - TFTP has no connection. There the first request is what nobody answers.
///
/// What failed later does not count, even where it is a connection that is refused: data connections are opened by
/// a device that is there.
pub(super) fn is_unreachable(failure: &Failure, scheme: Scheme) -> bool {
    match (&failure.fault, failure.step) {
        (
            Fault::Refused { .. }
            | Fault::Unreachable { .. }
            | Fault::Unresolved { .. }
            | Fault::ConnectTimeout { .. }
            | Fault::Lost { .. }
            | Fault::NoReply { .. }
            // A step of a procedure that has come no further.
            | Fault::Overdue { .. }
            // It had not connected when the others were to wait for it no longer.
            | Fault::HeldUp { .. },
            Step::Connect,
        ) => true,
        (Fault::Unreachable { .. } | Fault::NoReply { .. }, Step::Open) => scheme == Scheme::Tftp,
        _ => false,
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::model::Side;
    use std::time::Duration;

    #[test]
    fn only_silence_is_offline() {
        let (address, after) = ("192.0.2.7:21".to_owned(), Duration::from_secs(10));
        let refused = Fault::Refused {
            address: address.clone(),
            server: "FTP",
        };
        let unreachable = Fault::Unreachable {
            address: address.clone(),
            reason: "no route to host".into(),
        };
        let lost = |side| Fault::Lost {
            side,
            reason: "the server closed it".into(),
        };
        let silent = Fault::NoReply {
            command: "the greeting".into(),
            after,
        };
        let said = |code| {
            let text = "no".into();
            Fault::Reply { code, text }
        };
        let source = Fault::Source {
            name: "hq".into(),
            failure: Box::new(Failure::new(Step::Connect, refused.clone())),
        };
        for (step, fault, offline, over_tftp) in [
            (Step::Connect, refused.clone(), true, true),
            (Step::Connect, unreachable.clone(), true, true),
            (
                Step::Connect,
                Fault::ConnectTimeout { address, after },
                true,
                true,
            ),
            (
                Step::Connect,
                Fault::Unresolved {
                    name: "shelf1-01".into(),
                    reason: "try again".into(),
                },
                true,
                true,
            ),
            (Step::Connect, lost(Side::Control), true, true),
            (Step::Connect, lost(Side::Ssh), true, true),
            (Step::Connect, silent.clone(), true, true),
            (
                Step::Connect,
                Fault::Overdue {
                    what: "opening a session".into(),
                    after,
                },
                true,
                true,
            ),
            (Step::Connect, Fault::HeldUp { after }, true, true),
            (Step::Send, Fault::HeldUp { after }, false, false),
            // Somebody has answered.
            (Step::Connect, said(421), false, false),
            (Step::Login, said(530), false, false),
            (Step::Login, silent.clone(), false, false),
            (Step::Login, lost(Side::Control), false, false),
            // Data connections, while the control connection is well.
            (Step::Open, refused, false, false),
            (Step::Open, unreachable, false, true),
            (Step::Open, silent, false, true),
            (Step::Send, lost(Side::Data), false, false),
            (Step::Send, Fault::Stalled { after }, false, false),
            (Step::Send, said(552), false, false),
            // Not of the entity.
            (Step::Connect, source, false, false),
            (Step::Connect, Fault::Cancelled, false, false),
            (
                Step::Connect,
                Fault::Taken { by: "r2".into() },
                false,
                false,
            ),
            (
                Step::Connect,
                Fault::Local("the password was not looked up".into()),
                false,
                false,
            ),
            // It was made to start anew: that has deadlines of its own.
            (
                Step::Restart,
                Fault::StaysDown {
                    after,
                    why: "no connection".into(),
                },
                false,
                false,
            ),
        ] {
            let failure = Failure::new(step, fault);
            let found = [Scheme::Ftp, Scheme::Sftp, Scheme::Tftp]
                .map(|scheme| is_unreachable(&failure, scheme));
            assert_eq!(found, [offline, offline, over_tftp], "{failure}");
        }
    }
}
