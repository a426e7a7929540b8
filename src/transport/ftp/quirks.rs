//! What is learned about servers and remembered for their next sessions.

use std::collections::{HashMap, HashSet};
use std::sync::{Arc, Mutex, PoisonError};

use crate::model::{Address, Failure, Fault};
use crate::transport::tls::Authorities;

/// What was learned about a server and is remembered for its next session.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub(super) struct Quirks {
    /// `EPSV` is refused or leads nowhere.
    pub(super) no_epsv: bool,
    /// `FEAT` is never answered.
    pub(super) no_feat: bool,
    /// `REST` is refused or never answered: a file can only be read from its beginning.
    pub(super) no_rest: bool,
    /// `MDTM` is not known, or never answered.
    pub(super) no_mdtm: bool,
    /// Nor `MLST`.
    pub(super) no_mlst: bool,
    /// `PBSZ` and `PROT` are taken after the login, and not before.
    pub(super) protects_late: bool,
    /// Transfers begin without a word: the first reply is the one that ends them.
    pub(super) no_preliminary: bool,
    /// A data connection was opened before.
    pub(super) opens_data: bool,
}

/// The quirks of every server met so far, and the authorities that vouch for servers.
#[derive(Debug, Clone, Default)]
pub(super) struct ServerQuirks {
    quirks: Arc<Mutex<HashMap<Address, Quirks>>>,
    /// Who was let in, and where: a refusal later is about something else than the password.
    logins: Arc<Mutex<HashSet<(Address, String)>>>,
    pub(super) authorities: Authorities,
}

impl ServerQuirks {
    pub(super) fn of(&self, address: &Address) -> Quirks {
        let known = self.quirks.lock().unwrap_or_else(PoisonError::into_inner);
        known.get(address).copied().unwrap_or_default()
    }

    pub(super) fn learn(&self, address: &Address, lesson: impl FnOnce(&mut Quirks)) {
        let mut known = self.quirks.lock().unwrap_or_else(PoisonError::into_inner);
        lesson(known.entry(address.clone()).or_default());
    }

    pub(super) fn let_in(&self, address: &Address, user: &str) {
        let mut logins = self.logins.lock().unwrap_or_else(PoisonError::into_inner);
        logins.insert((address.clone(), user.to_owned()));
    }

    pub(super) fn has_let_in(&self, address: &Address, user: &str) -> bool {
        let logins = self.logins.lock().unwrap_or_else(PoisonError::into_inner);
        logins.contains(&(address.clone(), user.to_owned()))
    }

    /// Whether something is known now that makes another try go otherwise.
    pub(super) fn has_learned(&self, address: &Address, known: Quirks) -> bool {
        let now = self.of(address);
        // A data connection that came is no reason to ask for another.
        let opens_data = known.opens_data;
        Quirks { opens_data, ..now } != known
    }

    /// Opens, and again as long as an attempt that was lost has taught something: a command that
    /// is never answered costs a session, and the next one does without it.
    pub(super) async fn while_learning<T, F>(
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
