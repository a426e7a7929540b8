//! SSH (RFC 4251 to 4254) over russh: a connection to a server whose key was accepted, with a user who is
//! logged in. What is spoken inside of it is for `sftp` and `scp`; `shell` is the command line.
//!
//! The key of the host is judged before anything about the user is sent (`host_key`, `known_hosts`); old
//! algorithms are offered where the inventory lets them in (`algorithms`); the ways to log in follow one
//! another in `login`. russh runs a connection in a task of its own, which ends with the [`Connection`],
//! also where it waits for a socket that takes nothing (`stream`).

use std::sync::{Arc, Mutex, PoisonError};

use crate::model::{Fault, Side, text::shown};

mod agent;
mod algorithms;
mod command;
mod connect;
mod host_key;
mod key;
mod known_hosts;
mod login;
mod shell;
mod stream;

pub(super) use command::Command;
pub(super) use connect::Connection;
pub(super) use key::Keys;
pub(super) use shell::Shell;

/// What is known of a connection that ended, or that was refused from here.
#[derive(Debug, Clone, Default)]
struct Ending(Arc<Mutex<Option<Fault>>>);

impl Ending {
    /// The first cause is the true one: the others follow from it.
    fn because(&self, fault: Fault) {
        let mut cause = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        cause.get_or_insert(fault);
    }

    fn cause(&self) -> Option<Fault> {
        let cause = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        cause.clone()
    }
}

/// A connection that ended without a word, or whose words say nothing of a cause.
fn lost(reason: &str) -> Fault {
    Fault::Lost {
        side: Side::Ssh,
        reason: shown(reason),
    }
}
