//! What a start would do, as the rulebook has it ([`crate::plan`]), and the passwords that it needs.
//!
//! The engine checks again and has the last word; here the operator sees it before anything is
//! sent.

use jiff::Timestamp;

use crate::console::state::{Site, running};
use crate::model::{CredentialsRef, Name};
use crate::plan::{Footprint, Plan, plan};
use crate::protocol::{GroupSpec, Snapshot};

/// A start, and what is to be asked before it.
#[derive(Debug)]
pub(super) struct Start {
    pub(super) plan: Plan,
    /// As the engine has it.
    pub(super) now: Timestamp,
    pub(super) passwords: Vec<Password>,
}

/// Credentials whose password is not known yet.
#[derive(Debug, PartialEq, Eq)]
pub(super) struct Password {
    pub(super) credentials: Name,
    pub(super) user: String,
    /// What it is: a password, a passphrase, a token.
    pub(super) secret: &'static str,
    /// Why it could not be looked up, where it should have been.
    pub(super) missing: Option<String>,
}

impl Password {
    pub(super) fn of(one: &CredentialsRef, site: &Site) -> Self {
        Self {
            credentials: one.name.clone(),
            user: one.user.clone(),
            secret: one.by.secret(),
            missing: site.without_password.get(&one.name).cloned(),
        }
    }
}

/// Looks at a start of these groups beside what runs.
pub(super) fn start(site: &Site, snapshot: &Snapshot, specs: &[GroupSpec], force: bool) -> Start {
    let running: Vec<Footprint> = running(snapshot).collect();
    let plan = plan(&site.inventory, &running, specs, force);
    let needed = plan.credentials.iter();
    let unknown = needed.filter(|one| {
        site.without_password.contains_key(&one.name) || site.to_ask.contains(&one.name)
    });
    let passwords = unknown.map(|one| Password::of(one, site));
    Start {
        passwords: passwords.collect(),
        plan,
        now: snapshot.at,
    }
}
