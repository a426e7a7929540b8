//! Who of a group begins when: decided here, carried out by the management agent.
//!
//! | file | what |
//! | --- | --- |
//! | `clock` | the time of day, which tests set |
//! | `together` | which entities are never under way at one time |

mod clock;
mod together;

pub use clock::{Clock, SystemClock};
pub use together::{Answer, Lost, SharedTogether, Started, Together};
