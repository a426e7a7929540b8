//! What a server wants said or done that others do not ask for.

use std::fmt;
use std::net::Ipv4Addr;
use std::ops::RangeInclusive;
use std::sync::Arc;

/// How one server is to be spoken to, where that differs from what nearly all take.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct Dialect {
    /// The directory is entered first (`CWD`), and files in it are named without it.
    pub cwd: bool,
    /// What `ACCT` (RFC 959 section 4.1.1) says where the server asks for an account.
    pub account: Option<Account>,
    /// Commands that are sent before each `STOR`.
    pub before_store: Arc<[String]>,
    pub data: DataMode,
    pub data_address: DataAddress,
}

/// Which side opens data connections.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub enum DataMode {
    /// This host does, to a port that the server names (`EPSV`, `PASV`).
    #[default]
    Passive,
    /// The server does, to a port of this host (`PORT`, `EPRT`).
    Active(Active),
}

/// Where data connections are waited for.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct Active {
    /// What the server is to connect to; absent: the address that this host has towards it.
    pub address: Option<Ipv4Addr>,
    /// Absent: any port that is free.
    pub ports: Option<RangeInclusive<u16>>,
}

/// Where data connections go to in passive mode.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub enum DataAddress {
    /// To the address of the control connection, whatever a reply names.
    #[default]
    SameHost,
    /// To the address that the reply to `PASV` names.
    AsTold,
}

/// An account, which some servers use like a second password: never shown.
#[derive(Clone, PartialEq, Eq)]
pub struct Account(Arc<str>);

impl Account {
    pub fn new(account: &str) -> Self {
        Self(account.into())
    }

    /// To be sent, and to be taken out of what the server repeats.
    pub fn expose(&self) -> &str {
        &self.0
    }
}

impl fmt::Debug for Account {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("Account(…)")
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_account_is_not_shown() {
        let dialect = Dialect {
            account: Some(Account::new("4711")),
            ..Dialect::default()
        };
        assert!(!format!("{dialect:?}").contains("4711"));
    }
}
