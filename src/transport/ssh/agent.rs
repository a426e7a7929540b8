//! The keys of the SSH agent of this host, which signs and gives no key away.

use russh::client::{AuthResult, Handle};
use russh::keys::agent::AgentIdentity;
use russh::keys::agent::client::{AgentClient, AgentStream};

use crate::model::Fault;

use super::connect::Watch;
use super::login::rsa_hash;

type Agent = AgentClient<Box<dyn AgentStream + Send + Unpin>>;

/// sshd lets 6 attempts pass by default, and the connection is over with the last.
const MOST_TRIED: usize = 5;

/// How trying the agent's keys ended.
pub(super) enum Tried {
    In,
    /// The answer to the last one, and how many were tried.
    Refused(AuthResult, usize),
}

/// # Errors
/// There is no agent, it has no keys, or it signs nothing.
pub(super) async fn log_in(
    handle: &mut Handle<Watch>,
    user: &str,
    legacy: bool,
) -> Result<Tried, Fault> {
    let mut agent = agent().await?;
    let identities = agent
        .request_identities()
        .await
        .map_err(|error| Fault::Local(format!("the SSH agent does not list its keys: {error}")))?;
    let keys = identities
        .into_iter()
        .filter_map(|identity| match identity {
            AgentIdentity::PublicKey { key, .. } => Some(key),
            AgentIdentity::Certificate { .. } => None,
        });
    let keys: Vec<_> = keys.take(MOST_TRIED).collect();
    let mut refused = None;
    let tried = keys.len();
    for key in keys {
        let hash = rsa_hash(handle, &key.algorithm(), legacy).await;
        let answered = handle.authenticate_publickey_with(user, key, hash, &mut agent);
        match answered.await {
            Ok(AuthResult::Success) => return Ok(Tried::In),
            Ok(answer) => {
                let is_over = handle.is_closed();
                refused = Some(answer);
                if is_over {
                    break;
                }
            }
            // Another of its keys may need nobody's consent.
            Err(error) => tracing::debug!("the SSH agent does not sign: {error}"),
        }
    }
    match refused {
        Some(answer) => Ok(Tried::Refused(answer, tried)),
        None => Err(Fault::Local(
            "the SSH agent has no key that it signs with; `ssh-add -l` lists its keys".into(),
        )),
    }
}

#[cfg(unix)]
async fn agent() -> Result<Agent, Fault> {
    let agent = AgentClient::connect_env().await.map_err(|_| {
        Fault::Local(
            "no SSH agent answers at SSH_AUTH_SOCK; an engine has the one of the session that \
             started it"
                .into(),
        )
    })?;
    Ok(agent.dynamic())
}

#[cfg(not(unix))]
async fn agent() -> Result<Agent, Fault> {
    Err(Fault::Local("there is no SSH agent on this system".into()))
}
