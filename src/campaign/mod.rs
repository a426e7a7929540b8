//! Who of a group begins when: decided here, carried out by the management agent.
//!
//! | file | what |
//! | --- | --- |
//! | `clock` | the time of day, which tests set |

mod clock;

pub use clock::{Clock, SystemClock};
