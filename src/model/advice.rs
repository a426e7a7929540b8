//! What an operator can do about a failure, in one line: for those whose message does not say so itself.

use super::{Failure, Fault, Step};

/// `None` where the message says it already, or nothing can be said.
pub fn advice(failure: &Failure) -> Option<&'static str> {
    of(failure.step, &failure.fault)
}

fn of(step: Step, fault: &Fault) -> Option<&'static str> {
    Some(match fault {
        Fault::LoginRefused { .. }
        | Fault::Reply {
            code: 430 | 530 | 331 | 332,
            ..
        } => "compare its user and password with `credentials` in the inventory",
        Fault::Reply {
            code: 452 | 552, ..
        } => {
            "make room on it: remove old images, or let it be overwritten in place (`staging: direct`)"
        }
        Fault::Reply { .. } if step == Step::Rename => {
            "it does not rename onto a file: try `staging: direct`, after a look at what it needs to boot"
        }
        Fault::Reply {
            code: 550 | 553, ..
        } => "compare its `path`, and what its user may write",
        Fault::Refused { .. } | Fault::Unreachable { .. } | Fault::ConnectTimeout { .. } => {
            "is it powered, and is it restarting? an online check (o on the review) shows when it is back"
        }
        Fault::Stalled { .. } | Fault::NoReply { .. } | Fault::Lost { .. } => {
            "is it restarting, or busy with its flash? longer `timeouts` wait for it"
        }
        Fault::NotConfirmed { .. } => {
            "it may still be writing its flash: a longer `confirm` in `timeouts` waits for that"
        }
        Fault::HeldUp { .. } | Fault::TooSlow { .. } => {
            "it is slower than its group waits for: try it alone, or let the group wait (`laggards: wait`)"
        }
        Fault::WrongSize { .. } | Fault::WrongDigest { .. } => {
            "its copy is not what was sent: try again; where it stays so, look at its flash and the line to it"
        }
        Fault::HostKeyChanged { .. } => {
            "was it replaced? compare its key with its console before the inventory is changed"
        }
        Fault::Within { fault, .. } | Fault::DataWay { fault, .. } => return of(step, fault),
        _ => return None,
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_classes_that_operators_meet_have_a_line_each() {
        let reply = |code| Fault::Reply {
            code,
            text: String::new(),
        };
        for (step, fault, part) in [
            (Step::Connect, reply(530), "password"),
            (Step::Send, reply(552), "room"),
            (Step::Rename, reply(550), "staging"),
            (Step::Open, reply(553), "path"),
            (
                Step::Send,
                Fault::Stalled {
                    after: std::time::Duration::from_secs(60),
                },
                "restarting",
            ),
        ] {
            let said = of(step, &fault).unwrap_or_default();
            assert!(said.contains(part), "{fault:?}: {said}");
        }
        assert_eq!(of(Step::Send, &Fault::Cancelled), None);
    }
}
