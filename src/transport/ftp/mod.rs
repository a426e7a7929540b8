//! FTP (RFC 959, 2428, 3659) over suppaftp, kept behind [`Transport`].
//!
//! suppaftp keeps the control connection: it sends command lines and reads bounded replies. Data
//! connections are our own (`data`), because every trap of the library lies where it owns both:
//! a transfer given up must end in a reset, a write must be watched together with the control
//! connection, and the reply that says the outcome must never be swallowed.

use std::collections::{HashMap, HashSet};
use std::sync::{Arc, Mutex, PoisonError};

use tokio_util::sync::CancellationToken;

use crate::model::{Address, Failure, Fault, Probe};

use super::{Compared, Destination, Directory, Listed, Remote, Transport};

mod advice;
mod connect;
mod control;
mod data;
mod features;
#[doc(hidden)]
pub mod fuzzing;
mod list;
mod passive;
mod probe;
mod redact;
mod reply;
mod session;
mod sink;
mod source;
mod space;
mod stream;
mod tls;
mod verify;

pub use sink::FtpSink;
pub use source::FtpSource;

/// What was learned about a server and is remembered for its next session.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
struct Quirks {
    /// `EPSV` is refused or leads nowhere.
    no_epsv: bool,
    /// `FEAT` is never answered.
    no_feat: bool,
    /// `REST` is refused or never answered: a file can only be read from its beginning.
    no_rest: bool,
    /// `MDTM` is not known, or never answered.
    no_mdtm: bool,
    /// Nor `MLST`.
    no_mlst: bool,
    /// `PBSZ` and `PROT` are taken after the login, and not before.
    protects_late: bool,
    /// Transfers begin without a word: the first reply is the one that ends them.
    no_preliminary: bool,
    /// A data connection was opened before.
    opens_data: bool,
}

/// The quirks of every server met so far, and the authorities that vouch for servers.
#[derive(Debug, Clone, Default)]
struct ServerQuirks {
    quirks: Arc<Mutex<HashMap<Address, Quirks>>>,
    /// Who was let in, and where: a refusal later is about something else than the password.
    logins: Arc<Mutex<HashSet<(Address, String)>>>,
    authorities: tls::Authorities,
}

impl ServerQuirks {
    fn of(&self, address: &Address) -> Quirks {
        let known = self.quirks.lock().unwrap_or_else(PoisonError::into_inner);
        known.get(address).copied().unwrap_or_default()
    }

    fn learn(&self, address: &Address, lesson: impl FnOnce(&mut Quirks)) {
        let mut known = self.quirks.lock().unwrap_or_else(PoisonError::into_inner);
        lesson(known.entry(address.clone()).or_default());
    }

    fn let_in(&self, address: &Address, user: &str) {
        let mut logins = self.logins.lock().unwrap_or_else(PoisonError::into_inner);
        logins.insert((address.clone(), user.to_owned()));
    }

    fn has_let_in(&self, address: &Address, user: &str) -> bool {
        let logins = self.logins.lock().unwrap_or_else(PoisonError::into_inner);
        logins.contains(&(address.clone(), user.to_owned()))
    }

    /// Whether something is known now that makes another try go otherwise.
    fn has_learned(&self, address: &Address, known: Quirks) -> bool {
        let now = self.of(address);
        // A data connection that came is no reason to ask for another.
        let opens_data = known.opens_data;
        Quirks { opens_data, ..now } != known
    }

    /// Opens, and again as long as an attempt that was lost has taught something: a command that
    /// is never answered costs a session, and the next one does without it.
    async fn while_learning<T, F>(
        &self,
        address: &Address,
        open: impl Fn() -> F,
    ) -> Result<T, Failure>
    where
        F: Future<Output = Result<T, Failure>>,
    {
        loop {
            let known = self.of(address);
            match open().await {
                Err(failure)
                    if !matches!(failure.fault, Fault::Reply { .. } | Fault::Leftover { .. })
                        && self.has_learned(address, known) => {}
                result => return result,
            }
        }
    }
}

/// FTP, with what it has learned about the servers of this run.
#[derive(Debug, Clone, Default)]
pub struct FtpTransport {
    quirks: ServerQuirks,
    owner: Arc<str>,
}

impl FtpTransport {
    pub fn new() -> Self {
        Self::default()
    }

    /// As [`Transport::owner`] says.
    pub fn of(owner: &str) -> Self {
        Self {
            owner: owner.into(),
            ..Self::default()
        }
    }
}

impl Transport for FtpTransport {
    type Source = FtpSource;
    type Sink = FtpSink;

    fn owner(&self) -> &str {
        &self.owner
    }

    async fn open_source(&self, remote: &Remote, offset: u64) -> Result<FtpSource, Failure> {
        FtpSource::open(&self.quirks, remote, offset).await
    }

    async fn open_sink(&self, destination: &Destination) -> Result<FtpSink, Failure> {
        FtpSink::open(&self.quirks, destination).await
    }

    async fn size_of(&self, remote: &Remote) -> Result<Option<u64>, Failure> {
        source::size_of(&self.quirks, remote).await
    }

    async fn probe(
        &self,
        destination: &Destination,
        cancel: &CancellationToken,
    ) -> Result<Probe, Failure> {
        probe::probe(&self.quirks, destination, cancel).await
    }

    async fn compare(&self, remote: &Remote, sha256: [u8; 32]) -> Result<Compared, Failure> {
        probe::compare(&self.quirks, remote, sha256).await
    }

    async fn list(&self, directory: &Directory) -> Result<Vec<Listed>, Failure> {
        list::list(&self.quirks, directory).await
    }
}
