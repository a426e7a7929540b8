//! Checking an entity's copy, and saying truthfully how it was checked (promise 4).

use crate::model::{Failure, Fault, Step};
use crate::transport::ImageDigest;
use crate::transport::digest::{self, Algorithm, Hasher};
use crate::transport::read_and_hash::{Read, read_and_hash};

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

/// A file that is read back over the session that has written it.
struct ReadBack<'a> {
    session: &'a mut Session,
    download: Download,
}

impl Read for ReadBack<'_> {
    async fn read(&mut self, buffer: &mut [u8]) -> Result<usize, Failure> {
        self.download.read(self.session, buffer).await
    }
}

/// Reads the file back and compares it with the image.
pub(super) async fn by_reading(
    session: &mut Session,
    path: &str,
    image: &ImageDigest,
) -> Result<(), Failure> {
    let (download, _) = Download::open(session, path, 0, Step::Verify).await?;
    let most = Some(image.size.saturating_add(1));
    let mut back = ReadBack { session, download };
    let read = read_and_hash(&mut back, most, |_| Ok(())).await?;
    let actual = read.size;
    if actual != image.size {
        let fault = Fault::WrongSize {
            expected: image.size,
            actual,
        };
        return Err(Failure::new(Step::Verify, fault));
    }
    let (expected, actual) = (hex::encode(image.sha256), hex::encode(read.sha256));
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
