//! What is done on a device before and after its image.

mod device;
mod hands;
pub mod session;

pub use device::{Device, Target};
pub use hands::{Carried, Hands};
