//! The link over a Unix socket: an engine in a process of its own, and the clients that watch it.
//!
//! What a console gets is the same [`Link`](crate::protocol::Link) as in one process. The engine never
//! waits for clients: snapshots that are not taken are skipped, and one that lets events back up
//! is cut off. Only processes of the same user are let in.
//!
//! - `wire`: the messages, and how they are framed
//! - `delta`: of a snapshot, what changed since the last one that this watcher was sent
//! - `place`: where the socket and the lock are; one engine for each state directory
//! - `server`: the engine's side, one task; `clients`: all that are connected, as it sees them; `viewer`:
//!   the task of one of them
//! - `client`: the other side

mod client;
mod clients;
mod delta;
mod place;
mod server;
#[cfg(test)]
mod tests;
mod viewer;
mod wire;

pub use client::{Connection, Parted, Remote, RemoteError};
pub use place::{Claimed, Place, PlaceError};
pub use server::{About, serve};
pub use wire::{Hello, PROTOCOL, Wants, Welcome};
