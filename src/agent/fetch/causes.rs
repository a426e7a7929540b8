//! Why a device does not have its image, in words.

use crate::agent::download::cancelled;
use crate::model::text::shown;
use crate::model::{Failure, Fault, units};
use crate::procedure::StepFailure;

/// A step's failure, with the step.
pub(super) fn within(failed: &StepFailure) -> Failure {
    let failure = failed.failure.clone();
    if failure.is_cancelled() {
        return cancelled(failure.step);
    }
    let (part, number, of) = (failed.part.word(), failed.number + 1, failed.of);
    let what = format!("{part}, step {number} of {of} ({})", shown(&failed.what));
    let fault = Box::new(failure.fault);
    Failure::new(failure.step, Fault::Within { what, fault })
}

/// Nothing can be served any more to a device that was sent some of it.
pub(super) fn served_in_vain(failure: Failure, total: u64) -> Failure {
    let is_plain = failure.is_cancelled() || matches!(failure.fault, Fault::Deceived { .. });
    if is_plain || total == 0 {
        return failure;
    }
    let what = format!("{} of it were served to the device", units::size(total));
    let fault = Box::new(failure.fault);
    Failure::new(failure.step, Fault::Within { what, fault })
}

pub(super) fn never_asked(total: u64, size: Option<u64>) -> Fault {
    let of = size.map_or(String::new(), |size| format!(" of {}", units::size(size)));
    let got = match total {
        0 => "has asked for nothing".to_owned(),
        total => format!("has asked for {}{of}", units::size(total)),
    };
    Fault::Local(format!(
        "the step is done, and the device {got}; a step behind it that proves what it has (`proves: digest`) would \
         show whether that is enough"
    ))
}
