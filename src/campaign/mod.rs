//! Who of a group begins when: decided here, carried out by the management agent.
//!
//! | file | what |
//! | --- | --- |
//! | `clock` | the time of day, which tests set |
//! | `calendar` | when a window is open, by the clock on the wall of its zone |

mod calendar;
mod clock;

pub use calendar::{Calendar, Hours, UnknownZone};
pub use clock::{Clock, SystemClock};
