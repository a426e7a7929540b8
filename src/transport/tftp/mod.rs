//! TFTP (RFC 1350, 2347, 2348, 2349, 7440): files written to devices in their boot loader.
//!
//! - `machine` which blocks are sent when, without sockets and clocks

mod machine;
