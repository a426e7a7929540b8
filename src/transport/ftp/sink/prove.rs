//! Checking an entity's copy, and saying truthfully how it was checked (promise 4).

use crate::model::{Failure, Fault, RemotePath, Step, Verified, VerifyMode};
use crate::transport::digest::{Algorithm, Hasher};
use crate::transport::prove::{by_size, same_content};
use crate::transport::read_and_hash::{Read, read_and_hash};
use crate::transport::{How, ImageDigest, Proof, Seen, Sink};

use super::super::download::Download;
use super::super::features::{DigestCommand, digest_in};
use super::super::session::Session;
use super::FtpSink;

impl FtpSink {
    /// Compares a file with the image, as thoroughly as `how` says.
    pub(super) async fn compared(
        &mut self,
        path: &RemotePath,
        image: &ImageDigest,
        how: How,
    ) -> Result<Proof, Failure> {
        let untold = |reason: &str| {
            let reason = reason.to_owned();
            Proof::Untold(Failure::new(Step::Verify, Fault::NotVerifiable { reason }))
        };
        let (digests, reads, sizes) = match how {
            How::As(VerifyMode::None) => return Ok(Proof::Same(Verified::None)),
            How::As(VerifyMode::Best) => (true, true, true),
            How::As(VerifyMode::Quick) => (true, false, true),
            How::As(VerifyMode::Readback) => (false, true, false),
            How::As(VerifyMode::Size) => (false, false, true),
            How::Content => (true, true, false),
        };
        if digests && let Some(proof) = self.by_digest(path, image).await? {
            return Ok(proof);
        }
        if reads {
            match self.by_reading(path, image).await? {
                Proof::Untold(_) if sizes => {}
                proof => return Ok(proof),
            }
        }
        let proof = match by_size(self, path, image.size).await? {
            // Of an entity that says so of every file it is no news.
            Proof::Missing(_)
                if self.no_listing && !self.tells_times && self.denies_truly != Some(true) =>
            {
                Proof::Same(Verified::None)
            }
            proof => proof,
        };
        match proof {
            Proof::Same(Verified::None) if how == How::As(VerifyMode::Size) => {
                Ok(untold("the entity does not tell the size of a file"))
            }
            proof => Ok(proof),
        }
    }

    async fn by_digest(
        &mut self,
        path: &RemotePath,
        image: &ImageDigest,
    ) -> Result<Option<Proof>, Failure> {
        let Some(command) = self.digest else {
            return Ok(None);
        };
        let expected = match (hasher_for(command.algorithm()), &self.sent_digest) {
            (None, _) => hex::encode(image.sha256),
            (Some(_), Some(sent)) => sent.clone(),
            // It was not sent by this session, and only the image's SHA-256 is known.
            (Some(_), None) => return Ok(None),
        };
        let session = self.session().await?;
        match by_digest(session, path.as_str(), command, &expected).await {
            Ok(true) => Ok(Some(Proof::Same(Verified::Digest))),
            Ok(false) => Ok(None),
            Err(failure) if matches!(failure.fault, Fault::WrongDigest { .. }) => {
                Ok(Some(Proof::Other(failure)))
            }
            Err(failure) => Err(failure),
        }
    }

    async fn by_reading(
        &mut self,
        path: &RemotePath,
        image: &ImageDigest,
    ) -> Result<Proof, Failure> {
        let session = self.session().await?;
        let failure = match by_reading(session, path.as_str(), image).await {
            Ok(()) => return Ok(Proof::Same(Verified::Readback)),
            Err(failure) => failure,
        };
        match &failure.fault {
            Fault::WrongSize { .. } | Fault::WrongDigest { .. } => Ok(Proof::Other(failure)),
            Fault::NoFile { .. } => match self.look(path).await? {
                Seen::Absent => Ok(Proof::Missing(failure)),
                _ => Ok(Proof::Untold(failure)),
            },
            Fault::NotReadable { .. } => Ok(Proof::Untold(failure)),
            Fault::Reply { code, .. } | Fault::Wants { code, .. } if (500..600).contains(code) => {
                Ok(Proof::Untold(failure))
            }
            _ => Err(failure),
        }
    }
}

/// What must be computed of what is sent, so that `algorithm` can be compared later.
pub(super) fn hasher_for(algorithm: Algorithm) -> Option<Hasher> {
    (algorithm != Algorithm::Sha256).then(|| Hasher::new(algorithm))
}

/// `false`: the entity offered a digest and then would not compute it.
pub(in super::super) async fn by_digest(
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
    match digest_in(&reply.raw, algorithm) {
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
    let (download, _) = Download::open(session, &format!("RETR {path}"), 0, Step::Verify).await?;
    let most = Some(image.size.saturating_add(1));
    let mut back = ReadBack { session, download };
    let read = read_and_hash(&mut back, most, |_| Ok(())).await?;
    same_content(&read, image)
}
