//! What is done on a device before and after its image.
//!
//! `course` decides which step is next, `hands` carries a step out, `ledger` writes it down before and after, and
//! `way` brings the three together for one device.

mod course;
mod device;
mod hands;
mod ledger;
mod means;
mod open_steps;
pub mod session;
mod values;
mod way;

pub use course::{PastStep, StepEnd, Verdict};
pub use device::{Device, Target};
pub use hands::{Carried, Hands};
pub use ledger::{Ledger, StepBegins, StepEnded, Unwritten};
pub use means::Means;
pub use open_steps::{AllOpenSteps, OpenSteps};
pub use values::values;
pub use way::{Arrived, Doing, StepFailure, Way};
