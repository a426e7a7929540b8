//! Who of a group begins when: decided here, carried out by the management agent.
//!
//! | file | what |
//! | --- | --- |
//! | `clock` | the time of day, which tests set |
//! | `waves` | in which order, and in which wave, each entity begins |

mod clock;
mod waves;

pub use clock::{Clock, SystemClock};
pub use waves::waves;
