//! Who started a run, as far as this host knows.

use std::net::IpAddr;

use nix::unistd::{User, getuid};
use serde::Serialize;

#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct Origin {
    pub user: String,
    pub host: String,
    /// The address that the operator's SSH session came from.
    pub ssh_client: Option<String>,
}

impl Origin {
    pub(super) fn of_process() -> Self {
        let uid = getuid();
        let user = match User::from_uid(uid) {
            Ok(Some(user)) => user.name,
            _ => format!("uid {uid}"),
        };
        let host = nix::unistd::gethostname().map(|name| name.to_string_lossy().into_owned());
        Self {
            user: match std::env::var("SUDO_USER") {
                Ok(by) if !by.is_empty() && by != user => format!("{user} (sudo by {by})"),
                _ => user,
            },
            host: host.unwrap_or_else(|_| "?".into()),
            ssh_client: std::env::var("SSH_CONNECTION")
                .ok()
                .and_then(|text| ssh_client(&text)),
        }
    }
}

/// `SSH_CONNECTION` is the client's address and port, then the server's (sshd(8)).
fn ssh_client(connection: &str) -> Option<String> {
    let address: IpAddr = connection.split_whitespace().next()?.parse().ok()?;
    Some(address.to_string())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_client_of_an_ssh_session_is_known() {
        let client = |text| ssh_client(text);
        assert_eq!(
            client("192.0.2.7 50022 192.0.2.1 22"),
            Some("192.0.2.7".into())
        );
        assert_eq!(
            client("2001:db8::7 5 2001:db8::1 22"),
            Some("2001:db8::7".into())
        );
        assert_eq!(client(""), None);
        assert_eq!(client("\u{1b}[31m 1 2 3"), None);
    }
}
