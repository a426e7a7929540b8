//! What is done on a device before and after its image.

mod hands;
pub mod session;

pub use hands::{Carried, Hands};
