//! What is done on a device before and after its image.

pub mod session;
