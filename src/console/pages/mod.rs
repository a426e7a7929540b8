//! The pages. Each has a `View` (where one is on it), `update` (what an action does there) and
//! `draw`; those that ask something have `Asked` and `answered` too.

pub(crate) mod groups;
pub(crate) mod history;
pub(crate) mod inventory;
pub(crate) mod log;
pub(crate) mod review;
pub(crate) mod watch;
