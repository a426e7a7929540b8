//! Who of a group begins when: decided here, carried out by the management agent.
//!
//! | file | what |
//! | --- | --- |
//! | `course` | the state machine: waves, pauses, waits; who is admitted (`decide`: what follows from what has happened; `shown`) |
//! | `waves` | which entities begin together |
//! | `terms` | what a group asks for |
//! | `standing` | where each entity is, as far as that matters here |
//! | `calendar` | when a window is open, by the clock on the wall of its zone |
//! | `clock` | the time of day, which tests set |
//! | `together` | which entities are never under way at one time |

mod calendar;
mod clock;
mod course;
#[cfg(test)]
mod histories;
mod standing;
mod terms;
mod together;
mod waves;

pub use calendar::{Calendar, Hours, UnknownZone};
pub use clock::{Clock, SystemClock};
pub use course::{Course, Gate, Terms};
pub use standing::Standing;
pub use terms::{ASSUMED_RATE, takes};
pub use together::{Answer, Lost, SharedTogether, Started, Together};
pub use waves::waves;
