//! Who may log in to a server of the lab.

use async_trait::async_trait;
use unftp_core::auth::{AuthenticationError, Authenticator, Credentials, Principal};

/// Any user, or the one whom the inventory names; the password is not looked at, for the lab must
/// work without secrets.
#[derive(Debug)]
pub(super) struct Logins {
    pub(super) user: Option<String>,
    pub(super) refuse: bool,
}

#[async_trait]
impl Authenticator for Logins {
    async fn authenticate(
        &self,
        username: &str,
        _: &Credentials,
    ) -> Result<Principal, AuthenticationError> {
        if self.refuse {
            return Err(AuthenticationError::BadPassword);
        }
        if self.user.as_deref().is_some_and(|user| user != username) {
            return Err(AuthenticationError::BadUser);
        }
        Ok(Principal {
            username: username.into(),
        })
    }
}
