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
    if session.known().no_feat {
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
            session.learn(|quirks| quirks.no_feat = true);
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

/// The digest in a reply like `213 SHA-256 0-49 6102… file.bin` or `250 D41D8…`, lower-case.
///
/// A CRC-32 may come without its leading zeros.
pub(super) fn digest_in(text: &str, algorithm: Algorithm) -> Option<String> {
    let words = text
        .split(|c: char| c.is_whitespace() || c == '=' || c == '"')
        .filter(|word| !word.is_empty() && word.bytes().all(|b| b.is_ascii_hexdigit()));
    let full = words.clone().find(|word| word.len() == algorithm.hex_len());
    let word = match algorithm {
        Algorithm::Crc32 => full.or_else(|| words.clone().find(|word| word.len() < 8))?,
        _ => full?,
    };
    Some(format!(
        "{:0>width$}",
        word.to_ascii_lowercase(),
        width = algorithm.hex_len()
    ))
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

    #[test]
    fn digests_are_found_in_the_replies_of_the_field() {
        let sha = "a".repeat(64);
        for reply in [
            format!("SHA-256 0-49 {sha} filename.ext"),
            sha.to_uppercase(),
            format!("SHA256={sha}"),
        ] {
            assert_eq!(digest_in(&reply, Algorithm::Sha256), Some(sha.clone()));
        }
        assert_eq!(digest_in("1F2", Algorithm::Crc32), Some("000001f2".into()));
        let echoed = digest_in("a.bin fed 352441C2", Algorithm::Crc32);
        assert_eq!(echoed, Some("352441c2".into()));
        assert_eq!(digest_in("not here", Algorithm::Md5), None);
    }
}
