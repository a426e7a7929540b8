//! Checking an entity's copy, and saying truthfully how it was checked (promise 3).

use crate::model::{Failure, Fault, Step, Verified, VerifyMode};
use crate::transport::ImageDigest;
use crate::transport::digest::{self, Algorithm, Hasher};

use super::data::Download;
use super::features::DigestCommand;
use super::session::Session;
use super::source::size;

/// What must be computed of what is sent, so that `algorithm` can be compared later.
pub(super) fn hasher_for(algorithm: Algorithm) -> Option<Hasher> {
    (algorithm != Algorithm::Sha256).then(|| Hasher::new(algorithm))
}

/// `digest` is what the entity offers and what its digest must be.
pub(super) async fn verify(
    session: &mut Session,
    path: &str,
    mode: VerifyMode,
    image: &ImageDigest,
    digest: Option<(DigestCommand, String)>,
) -> Result<Verified, Failure> {
    match mode {
        VerifyMode::None => Ok(Verified::None),
        VerifyMode::Size => match by_size(session, path, image.size).await? {
            Verified::None => Err(not_verifiable(
                "the entity does not tell the size of a file",
            )),
            verified => Ok(verified),
        },
        VerifyMode::Readback => by_reading(session, path, image).await,
        VerifyMode::Best | VerifyMode::Quick => {
            if let Some((command, expected)) = digest
                && by_digest(session, path, command, &expected).await?
            {
                return Ok(Verified::Digest);
            }
            if mode == VerifyMode::Best {
                match by_reading(session, path, image).await {
                    Err(failure) if is_unreadable(session, &failure) => {
                        tracing::info!("{path} can't be read back ({failure}): its size must do");
                    }
                    result => return result,
                }
            }
            by_size(session, path, image.size).await
        }
    }
}

/// The entity lets nobody read its files, and will not a moment later either. A `550` is that too:
/// whether there is a file at all is what its size tells.
pub(super) fn is_unreadable(session: &Session, failure: &Failure) -> bool {
    session.in_step()
        && match failure.fault {
            Fault::NoFile { .. } => true,
            Fault::Reply { .. } => !failure.is_transient(),
            _ => false,
        }
}

fn not_verifiable(reason: &str) -> Failure {
    Failure::new(
        Step::Verify,
        Fault::NotVerifiable {
            reason: reason.into(),
        },
    )
}

async fn by_size(session: &mut Session, path: &str, expected: u64) -> Result<Verified, Failure> {
    match size(session, path).await {
        Ok(Some(actual)) if actual == expected => Ok(Verified::Size),
        Ok(Some(actual)) => Err(Failure::new(
            Step::Verify,
            Fault::WrongSize { expected, actual },
        )),
        Ok(None) => Ok(Verified::None),
        Err(failure) => Err(Failure {
            step: Step::Verify,
            ..failure
        }),
    }
}

/// `false`: the entity offered a digest and then would not compute it.
pub(super) async fn by_digest(
    session: &mut Session,
    path: &str,
    command: DigestCommand,
    expected: &str,
) -> Result<bool, Failure> {
    let algorithm = command.algorithm();
    let quoted = if path.contains(' ') {
        format!("\"{path}\"")
    } else {
        path.to_owned()
    };
    let line = match command {
        DigestCommand::Hash(_) => {
            let choose = format!("OPTS HASH {}", hash_name(algorithm));
            if !session.command(Step::Verify, &choose).await?.is_done() {
                return Ok(false);
            }
            format!("HASH {path}")
        }
        DigestCommand::Verb(verb, _) => format!("{verb} {quoted}"),
    };
    // The entity reads its flash meanwhile.
    let deadline = session.timeouts.confirm;
    let reply = session
        .command_within(Step::Verify, &line, deadline)
        .await?;
    if !reply.is_done() {
        return Ok(false);
    }
    match digest::in_reply(&reply.raw, algorithm) {
        Some(actual) if actual == expected => Ok(true),
        Some(actual) => Err(Failure::new(
            Step::Verify,
            Fault::WrongDigest {
                algorithm: algorithm.name().into(),
                expected: expected.into(),
                actual,
            },
        )),
        None => Ok(false),
    }
}

fn hash_name(algorithm: Algorithm) -> &'static str {
    match algorithm {
        Algorithm::Crc32 => "CRC32",
        other => other.name(),
    }
}

pub(super) async fn by_reading(
    session: &mut Session,
    path: &str,
    image: &ImageDigest,
) -> Result<Verified, Failure> {
    let (mut download, _) = Download::open(session, path, 0, Step::Verify).await?;
    let mut hasher = Hasher::new(Algorithm::Sha256);
    let mut buffer = vec![0; 16 * 1024];
    let mut actual = 0_u64;
    loop {
        let count = download.read(session, &mut buffer).await?;
        if count == 0 {
            break;
        }
        actual += count as u64;
        if actual > image.size {
            break;
        }
        hasher.update(&buffer[..count]);
    }
    if actual != image.size {
        let fault = Fault::WrongSize {
            expected: image.size,
            actual,
        };
        return Err(Failure::new(Step::Verify, fault));
    }
    let (expected, actual) = (hex::encode(image.sha256), hasher.finish());
    if actual != expected {
        let algorithm = Algorithm::Sha256.name().into();
        return Err(Failure::new(
            Step::Verify,
            Fault::WrongDigest {
                algorithm,
                expected,
                actual,
            },
        ));
    }
    Ok(Verified::Readback)
}
