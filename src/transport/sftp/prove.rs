//! Checking an entity's copy, and saying truthfully how it was checked (promise 4). There is no digest in
//! SFTP that servers compute, so the strongest proof is the file itself.

use crate::model::{Failure, Fault, RemotePath, Step, Verified, VerifyMode};
use crate::transport::prove::{by_size, same_content};
use crate::transport::read_and_hash::{Read, read_and_hash};
use crate::transport::{How, ImageDigest, Proof, Seen, Sink};

use super::download::Download;
use super::session::Session;
use super::sink::SftpSink;
use super::window;

impl SftpSink {
    /// Compares a file with the image, as thoroughly as `how` says.
    pub(super) async fn compared(
        &mut self,
        path: &RemotePath,
        image: &ImageDigest,
        how: How,
    ) -> Result<Proof, Failure> {
        let (reads, sizes) = match how {
            How::As(VerifyMode::None) => return Ok(Proof::Same(Verified::None)),
            How::As(VerifyMode::Best) => (true, true),
            How::As(VerifyMode::Quick | VerifyMode::Size) => (false, true),
            How::As(VerifyMode::Readback) | How::Content => (true, false),
        };
        if reads {
            match self.by_reading(path, image).await? {
                Proof::Untold(_) if sizes => {}
                proof => return Ok(proof),
            }
        }
        let proof = by_size(self, path, image.size).await?;
        Ok(match proof {
            Proof::Same(Verified::None) if how == How::As(VerifyMode::Size) => {
                let reason = "the entity does not tell the size of a file".into();
                Proof::Untold(Failure::new(Step::Verify, Fault::NotVerifiable { reason }))
            }
            proof => proof,
        })
    }

    async fn by_reading(
        &mut self,
        path: &RemotePath,
        image: &ImageDigest,
    ) -> Result<Proof, Failure> {
        let session = self.session().await?;
        let failure = match read_back(session, path.as_str(), image).await {
            Ok(()) => return Ok(Proof::Same(Verified::Readback)),
            Err(failure) => failure,
        };
        match &failure.fault {
            Fault::WrongSize { .. } | Fault::WrongDigest { .. } => Ok(Proof::Other(failure)),
            Fault::NoFile { .. } => match self.look(path).await? {
                Seen::Absent => Ok(Proof::Missing(failure)),
                _ => Ok(Proof::Untold(failure)),
            },
            Fault::NotReadable { .. }
            | Fault::Answer {
                may_pass: false, ..
            } => Ok(Proof::Untold(failure)),
            _ => Err(failure),
        }
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
async fn read_back(session: &mut Session, path: &str, image: &ImageDigest) -> Result<(), Failure> {
    let handle = Download::open(session, path, Step::Verify).await?;
    let size = Some(image.size);
    let download = Download::new(handle, 0, size, Step::Verify, window::MOST_BACK);
    let mut back = ReadBack { session, download };
    let read = read_and_hash(&mut back, Some(image.size.saturating_add(1)), |_| Ok(())).await;
    let handle = back.download.handle().to_vec();
    back.session.let_go(&handle);
    same_content(&read?, image)
}
