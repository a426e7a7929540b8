//! Logging in (RFC 4252, 4256): without anything, with a key, with the agent's keys, with a password, or with
//! a password that is asked for in a dialogue. Each of them is sent once: devices lock users out.

use std::time::Duration;

use russh::client::{AuthResult, Handle, KeyboardInteractiveAuthResponse as Dialogue, Prompt};
use russh::keys::{Algorithm, HashAlg, PrivateKeyWithHashAlg};
use russh::{MethodKind, MethodSet};
use secrecy::ExposeSecret;
use tokio::time::timeout;

use crate::model::text::{quoted, shown};
use crate::model::{Fault, Login};

use super::agent::{self, Tried};
use super::connect::Watch;
use super::key::Keys;
use super::{Ending, lost};

/// A dialogue that goes on for longer leads nowhere.
const MOST_QUESTIONS: usize = 8;

/// What a login is tried with.
pub(super) struct Attempt<'a> {
    pub(super) handle: &'a mut Handle<Watch>,
    pub(super) login: &'a Login,
    pub(super) legacy: bool,
    pub(super) keys: &'a Keys,
    /// Deadline of each answer.
    pub(super) reply: Duration,
    pub(super) ending: &'a Ending,
}

impl Attempt<'_> {
    pub(super) async fn run(mut self) -> Result<(), Fault> {
        let user = self.login.user.clone();
        let answer = timeout(self.reply, self.handle.authenticate_none(&user)).await;
        let (offered, _) = match self.answered(answer)? {
            None => return Ok(()),
            Some(refused) => refused,
        };
        let takes = |kind: MethodKind| offered.contains(&kind);
        let tried = match () {
            () if self.login.key.is_some() && takes(MethodKind::PublicKey) => self.by_key().await?,
            () if self.login.agent && takes(MethodKind::PublicKey) => self.by_agent().await?,
            () if self.login.key.is_some() || self.login.agent => {
                return Err(self.refused("", &offered, "it takes no keys"));
            }
            () if takes(MethodKind::Password) => self.by_password().await?,
            () if takes(MethodKind::KeyboardInteractive) => self.by_dialogue().await?,
            () => return Err(self.refused("", &offered, "it takes no password")),
        };
        let Some((with, (left, partial))) = tried else {
            return Ok(());
        };
        let why = match partial {
            true => {
                "that was right, and it wants something else beside it, which credentials can't give"
            }
            false => "",
        };
        Err(self.refused(&with, &left, why))
    }

    async fn by_key(&mut self) -> Result<Option<(String, Left)>, Fault> {
        let Some(file) = &self.login.key else {
            return Ok(None);
        };
        let key = self.keys.get(file).await?;
        let hash = rsa_hash(self.handle, &key.algorithm(), self.legacy).await;
        let key = PrivateKeyWithHashAlg::new(key, hash);
        let asked = self.handle.authenticate_publickey(&self.login.user, key);
        let answer = timeout(self.reply, asked).await;
        let with = format!("the key {}", shown(&file.path.display().to_string()));
        Ok(self.answered(answer)?.map(|left| (with, left)))
    }

    async fn by_agent(&mut self) -> Result<Option<(String, Left)>, Fault> {
        // Somebody may have to confirm each.
        let asked = agent::log_in(self.handle, &self.login.user, self.legacy);
        match timeout(self.reply.saturating_mul(2), asked).await {
            Ok(Ok(Tried::In)) => Ok(None),
            Ok(Ok(Tried::Refused(answer, tried))) => {
                let left = self.answered(Ok(Ok(answer)))?;
                Ok(left.map(|left| (format!("{tried} of the SSH agent's keys"), left)))
            }
            Ok(Err(fault)) => Err(fault),
            Err(_) => Err(self.silent()),
        }
    }

    async fn by_password(&mut self) -> Result<Option<(String, Left)>, Fault> {
        let password = self.login.password.expose_secret();
        let asked = (self.handle).authenticate_password(&self.login.user, password);
        let answer = timeout(self.reply, asked).await;
        Ok(self
            .answered(answer)?
            .map(|left| ("its password".into(), left)))
    }

    /// One hidden question gets the password. Others are not for a program to answer.
    async fn by_dialogue(&mut self) -> Result<Option<(String, Left)>, Fault> {
        let user = self.login.user.clone();
        let asked = (self.handle).authenticate_keyboard_interactive_start(user, None);
        let mut answer = timeout(self.reply, asked).await;
        let mut is_given = false;
        for _ in 0..MOST_QUESTIONS {
            let prompts = match answer.map_err(|_| self.silent())? {
                Ok(Dialogue::Success) => return Ok(None),
                Ok(Dialogue::Failure {
                    remaining_methods: left,
                    partial_success,
                }) => {
                    let left = (left, partial_success);
                    return Ok(Some(("its password, in a dialogue".into(), left)));
                }
                Ok(Dialogue::InfoRequest { prompts, .. }) => prompts,
                Err(error) => return Err(self.over(&error.to_string())),
            };
            let responses = match prompts.as_slice() {
                [] => Vec::new(),
                [one] if !one.echo && !is_given => {
                    is_given = true;
                    vec![self.login.password.expose_secret().to_owned()]
                }
                several => return Err(asks_more(several)),
            };
            let given = (self.handle).authenticate_keyboard_interactive_respond(responses);
            answer = timeout(self.reply, given).await;
        }
        Err(asks_more(&[]))
    }

    /// `None`: the user is in.
    fn answered(
        &self,
        answer: Result<Result<AuthResult, russh::Error>, tokio::time::error::Elapsed>,
    ) -> Result<Option<Left>, Fault> {
        match answer.map_err(|_| self.silent())? {
            Ok(AuthResult::Success) => Ok(None),
            // What a connection that is over is answered with.
            Ok(AuthResult::Failure { .. }) if self.handle.is_closed() => Err(self.over("")),
            Ok(AuthResult::Failure {
                remaining_methods,
                partial_success,
            }) => Ok(Some((remaining_methods, partial_success))),
            Err(error) => Err(self.over(&error.to_string())),
        }
    }

    fn silent(&self) -> Fault {
        Fault::NoReply {
            command: "the login".into(),
            after: self.reply,
        }
    }

    /// Servers end the connection after a number of attempts, and say why.
    fn over(&self, reason: &str) -> Fault {
        let cause = self.ending.cause();
        cause.unwrap_or_else(|| match reason {
            "" => lost("the server closed it during the login"),
            reason => lost(reason),
        })
    }

    fn refused(&self, with: &str, offers: &MethodSet, why: &str) -> Fault {
        let offers: Vec<&str> = offers.iter().map(<&str>::from).collect();
        Fault::LoginRefused {
            user: shown(&self.login.user),
            with: with.to_owned(),
            offers: offers.join(", "),
            why: why.to_owned(),
        }
    }
}

/// The ways that are left, and whether what was tried was right and not enough.
type Left = (MethodSet, bool);

fn asks_more(prompts: &[Prompt]) -> Fault {
    let prompts: Vec<String> = prompts.iter().map(|one| quoted(&one.prompt)).collect();
    Fault::Answer {
        said: format!(
            "at the login {}, which is more than a password",
            match prompts.as_slice() {
                [] => "more and more".to_owned(),
                prompts => prompts.join(", "),
            }
        ),
        may_pass: false,
    }
}

/// The hash that an RSA key signs with: the best one that the server says it takes. SHA-1 only where old
/// algorithms are let in, and the server names no other.
pub(super) async fn rsa_hash(
    handle: &Handle<Watch>,
    key: &Algorithm,
    legacy: bool,
) -> Option<HashAlg> {
    if !matches!(key, Algorithm::Rsa { .. }) {
        return None;
    }
    match handle.best_supported_rsa_hash().await {
        Ok(Some(Some(hash))) => Some(hash),
        // It says that it takes SHA-1 alone, or nothing at all.
        Ok(Some(None) | None) | Err(_) if legacy => None,
        _ => Some(HashAlg::Sha512),
    }
}
