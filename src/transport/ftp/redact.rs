//! Some servers repeat what they refuse, the password included, at once or in a later reply.

use std::fmt;

use secrecy::{ExposeSecret, SecretString};

use crate::model::{Account, Login};

/// In place of a password.
const HIDDEN: &str = "********";
/// A shorter password is hidden where it stands alone: to star it out of other words would spell it.
const SHORT: usize = 4;

/// Takes the password and the account of a session out of what its server says.
#[derive(Clone, Default)]
pub(super) struct Redact {
    password: SecretString,
    account: SecretString,
}

impl Redact {
    pub(super) fn of(login: &Login, account: Option<&Account>) -> Self {
        let account = account.map(|account| SecretString::from(account.expose()));
        Self {
            password: login.password.clone(),
            account: account.unwrap_or_default(),
        }
    }

    /// For texts as they came, before they are escaped or cut.
    pub(super) fn hide(&self, said: &str) -> String {
        let said = Self::without(said, self.password.expose_secret());
        Self::without(&said, self.account.expose_secret())
    }

    fn without(said: &str, secret: &str) -> String {
        if secret.is_empty() {
            return said.to_owned();
        }
        let is_short = secret.chars().count() < SHORT;
        let mut out = String::with_capacity(said.len());
        let mut rest = said;
        while let Some(at) = rest.find(secret) {
            let (before, after) = (&rest[..at], &rest[at + secret.len()..]);
            out.push_str(before);
            let joins = |c: Option<char>| c.is_some_and(char::is_alphanumeric);
            if is_short && (joins(out.chars().next_back()) || joins(after.chars().next())) {
                out.push_str(secret);
            } else {
                out.push_str(HIDDEN);
            }
            rest = after;
        }
        out.push_str(rest);
        out
    }
}

impl fmt::Debug for Redact {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("Redact(…)")
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn hidden(password: &str, said: &str) -> String {
        let login = Login {
            user: "craft".into(),
            password: password.into(),
        };
        Redact::of(&login, None).hide(said)
    }

    #[test]
    fn a_password_is_hidden_wherever_it_stands() {
        assert_eq!(
            hidden("sesame", "PASS sesame, /sesame/sesamesesame"),
            "PASS ********, /********/****************"
        );
        assert_eq!(hidden("größe\u{1b}", "no größe\u{1b}!"), "no ********!");
        assert_eq!(hidden("", "nothing to hide"), "nothing to hide");
    }

    #[test]
    fn a_short_one_is_not_spelled_by_what_is_missing_from_words() {
        assert_eq!(hidden("a", "bad password: a"), "bad password: ********");
        assert_eq!(hidden("cat", "concatenate cat"), "concatenate ********");
    }
}
