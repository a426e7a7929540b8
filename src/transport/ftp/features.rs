//! What a server says it can do (`FEAT`, RFC 2389), as far as it matters here: digests.
//!
//! `FEAT` is optional, and some servers never answer it: the deadline is short, and a server that
//! let it pass is not asked again.

use std::time::Duration;

use crate::model::{Failure, Step};
use crate::transport::digest::Algorithm;

use super::session::Session;

/// Longer than any server that knows the command needs.
const FEAT_DEADLINE: Duration = Duration::from_secs(5);

/// How an entity is asked for a digest of its copy.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum DigestCommand {
    /// `HASH`, after `OPTS HASH` chose the algorithm (draft-bryan-ftpext-hash).
    Hash(Algorithm),
    /// `XSHA256`, `XSHA1`, `XMD5`, `XCRC`: the verb says which.
    Verb(&'static str, Algorithm),
}

impl DigestCommand {
    pub(super) fn algorithm(self) -> Algorithm {
        match self {
            DigestCommand::Hash(algorithm) | DigestCommand::Verb(_, algorithm) => algorithm,
        }
    }
}

/// The strongest digest that the server offers. `Ok(None)`: none, or it does not know `FEAT`.
///
/// # Errors
/// The session is lost, or out of step because `FEAT` was not answered (which is remembered).
pub(super) async fn best_digest(session: &mut Session) -> Result<Option<DigestCommand>, Failure> {
    let features = features(session).await?;
    Ok(features.and_then(|features| strongest(&features)))
}

/// The lines of `FEAT` as they came. `Ok(None)` and errors: as [`best_digest`].
pub(super) async fn features(session: &mut Session) -> Result<Option<String>, Failure> {
    if let Some(known) = &session.features {
        return Ok(known.clone());
    }
    if session.quirks.of(&session.address).no_feat {
        return Ok(None);
    }
    let deadline = session.timeouts.reply.min(FEAT_DEADLINE);
    match session
        .command_within(Step::Prepare, "FEAT", deadline)
        .await
    {
        Ok(reply) => {
            let features = (reply.code == 211).then_some(reply.raw);
            session.features = Some(features.clone());
            Ok(features)
        }
        Err(failure) => {
            session
                .quirks
                .learn(&session.address, |quirks| quirks.no_feat = true);
            Err(failure)
        }
    }
}

pub(super) fn strongest(features: &str) -> Option<DigestCommand> {
    features
        .lines()
        .filter_map(offer)
        .max_by_key(|command| command.algorithm())
}

fn offer(line: &str) -> Option<DigestCommand> {
    let line = line.trim().to_ascii_uppercase();
    let (verb, rest) = line.split_once(' ').unwrap_or((&line, ""));
    Some(match verb {
        "HASH" => DigestCommand::Hash(
            rest.split([';', ' '])
                .filter_map(|name| match name.trim_end_matches('*') {
                    "SHA-256" => Some(Algorithm::Sha256),
                    "SHA-1" => Some(Algorithm::Sha1),
                    "MD5" => Some(Algorithm::Md5),
                    "CRC32" => Some(Algorithm::Crc32),
                    _ => None,
                })
                .max()?,
        ),
        "XSHA256" => DigestCommand::Verb("XSHA256", Algorithm::Sha256),
        "XSHA1" => DigestCommand::Verb("XSHA1", Algorithm::Sha1),
        "XMD5" => DigestCommand::Verb("XMD5", Algorithm::Md5),
        "XCRC" => DigestCommand::Verb("XCRC", Algorithm::Crc32),
        _ => return None,
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_strongest_offer_is_taken() {
        let features = "Features:\r\n SIZE\r\n XCRC\r\n XMD5\r\n HASH SHA-1*;MD5\r\nEnd";
        assert_eq!(
            strongest(features),
            Some(DigestCommand::Hash(Algorithm::Sha1))
        );
        let features = " XSHA256 filename;start;end\r\n XMD5";
        assert_eq!(
            strongest(features),
            Some(DigestCommand::Verb("XSHA256", Algorithm::Sha256))
        );
        assert_eq!(strongest("Features:\r\n REST STREAM\r\nEnd"), None);
        assert_eq!(strongest(""), None);
    }
}
