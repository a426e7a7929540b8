//! Checking an entity's copy, and saying truthfully how it was checked (promise 4).

use crate::model::{Failure, Fault, Step};
use crate::transport::ImageDigest;
use crate::transport::digest::{self, Algorithm, Hasher};

use super::data::Download;
use super::features::DigestCommand;
use super::session::Session;

/// What must be computed of what is sent, so that `algorithm` can be compared later.
pub(super) fn hasher_for(algorithm: Algorithm) -> Option<Hasher> {
    (algorithm != Algorithm::Sha256).then(|| Hasher::new(algorithm))
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

/// Reads the file back and compares it with the image.
pub(super) async fn by_reading(
    session: &mut Session,
    path: &str,
    image: &ImageDigest,
) -> Result<(), Failure> {
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
    Ok(())
}
