//! What is done on a device before and after its image.
//!
//! `course` decides which step is next, `hands` carries a step out, `ledger` writes it down before and after, and
//! `way` brings the three together for one device, and `rehearse` carries out only what changes nothing; `look` does
//! that on many devices that are looked at before a run.

mod course;
mod device;
mod hands;
mod ledger;
mod look;
mod means;
mod open_steps;
mod rehearse;
pub mod session;
mod values;
mod way;

pub use course::{PastStep, StepEnd, Verdict};
pub use device::{Device, Target};
pub use hands::{Carried, Hands};
pub use ledger::{Ledger, StepBegins, StepEnded, Unwritten};
pub(crate) use look::Looks;
pub use means::{Means, kept};
pub use open_steps::{AllOpenSteps, OpenSteps};
pub use rehearse::{Rehearsed, safe_steps};
pub use values::{values, values_without_image};
pub use way::{Arrived, Doing, StepFailure, Way};
