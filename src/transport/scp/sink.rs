//! A session with an entity that gets a file. SCP has nothing but the file: no question about one, no
//! renaming, no deletion. So an entity of SCP is written under the final name at once, and what it holds is
//! known by reading it back.

use async_trait::async_trait;

use crate::model::{Failure, Fault, RemotePath, Step, Verified, VerifyMode};
use crate::transport::answers::no_rename;
use crate::transport::prove::same_content;
use crate::transport::read_and_hash::{Read, read_and_hash};
use crate::transport::ssh::Keys;
use crate::transport::{Destination, How, ImageDigest, NotStored, Proof, Reply, Seen, Sink};

use super::session::Session;

/// Bytes of one block on its way to the server.
const PIECE: usize = 32 << 10;

pub(super) struct ScpSink {
    keys: Keys,
    destination: Destination,
    session: Option<Session>,
}

impl ScpSink {
    pub(super) async fn open(keys: &Keys, destination: &Destination) -> Result<Self, Failure> {
        let session = Session::open(keys, &destination.remote.endpoint).await?;
        Ok(Self {
            keys: keys.clone(),
            destination: destination.clone(),
            session: Some(session),
        })
    }

    /// The session, or a new one where it was given up.
    pub(super) async fn session(&mut self) -> Result<&mut Session, Failure> {
        let session = match self.session.take() {
            Some(session) if session.connection.cause().is_none() => session,
            lost => {
                drop(lost);
                Session::open(&self.keys, &self.destination.remote.endpoint).await?
            }
        };
        Ok(self.session.insert(session))
    }

    /// The size of a file, and nothing of its bytes.
    async fn size(&mut self, path: &RemotePath) -> Result<u64, Failure> {
        let session = self.session().await?;
        let size = session.begin_giving(path).await;
        session.stop().await;
        size.map_err(|fault| Failure::new(Step::Verify, fault))
    }

    async fn read_back(&mut self, path: &RemotePath, image: &ImageDigest) -> Result<(), Failure> {
        let failed = |fault| Failure::new(Step::Verify, fault);
        let session = self.session().await?;
        let size = session.begin_giving(path).await.map_err(failed)?;
        if size != image.size {
            session.stop().await;
            let (expected, actual) = (image.size, size);
            return Err(failed(Fault::WrongSize { expected, actual }));
        }
        session.go_on();
        let mut back = ReadBack {
            session,
            left: size,
        };
        let read = read_and_hash(&mut back, None, |_| Ok(())).await?;
        same_content(&read, image)
    }

    /// What a comparison that came to nothing means.
    async fn compared(
        &mut self,
        path: &RemotePath,
        image: &ImageDigest,
        reads: bool,
    ) -> Result<Proof, Failure> {
        let compared = match reads {
            true => self
                .read_back(path, image)
                .await
                .map(|()| Verified::Readback),
            false => match self.size(path).await {
                Ok(size) if size == image.size => Ok(Verified::Size),
                Ok(actual) => {
                    let expected = image.size;
                    let fault = Fault::WrongSize { expected, actual };
                    Err(Failure::new(Step::Verify, fault))
                }
                Err(failure) => Err(failure),
            },
        };
        let failure = match compared {
            Ok(verified) => return Ok(Proof::Same(verified)),
            Err(failure) => failure,
        };
        match &failure.fault {
            Fault::WrongSize { .. } | Fault::WrongDigest { .. } => Ok(Proof::Other(failure)),
            Fault::NoFile { .. } => Ok(Proof::Missing(failure)),
            // It gives no files, or speaks of something else.
            Fault::NotReadable { .. } | Fault::Malformed { .. } | Fault::Answer { .. } => {
                Ok(Proof::Untold(failure))
            }
            _ => Err(failure),
        }
    }
}

/// A file that is read back over the session that has written it.
struct ReadBack<'a> {
    session: &'a mut Session,
    left: u64,
}

impl Read for ReadBack<'_> {
    async fn read(&mut self, buffer: &mut [u8]) -> Result<usize, Failure> {
        let failed = |fault| Failure::new(Step::Verify, fault);
        if self.left == 0 {
            self.session.end_giving().await.map_err(failed)?;
            return Ok(0);
        }
        let count = self.session.read(buffer, self.left).await.map_err(failed)?;
        self.left -= count as u64;
        Ok(count)
    }
}

#[async_trait]
impl Sink for ScpSink {
    async fn look(&mut self, path: &RemotePath) -> Result<Seen, Failure> {
        match self.size(path).await {
            Ok(size) => Ok(Seen::Present { size: Some(size) }),
            Err(failure) => match failure.fault {
                Fault::NoFile { .. } => Ok(Seen::Absent),
                Fault::NotReadable { .. } | Fault::Malformed { .. } | Fault::Answer { .. } => {
                    Ok(Seen::Unknown)
                }
                _ => Err(failure),
            },
        }
    }

    async fn modified(&mut self, _: &RemotePath) -> Result<Option<String>, Failure> {
        Ok(None)
    }

    async fn delete(&mut self, _: &RemotePath) -> Result<Reply, Failure> {
        Ok(Reply::no_way("SCP", Step::Discard, "delete"))
    }

    async fn rename(&mut self, _: &RemotePath, _: &RemotePath) -> Result<Reply, Failure> {
        Ok(Reply::no_way("SCP", Step::Rename, "rename"))
    }

    async fn put(&mut self, _: &RemotePath) -> Result<bool, Failure> {
        // Nothing could remove it.
        Ok(false)
    }

    async fn prove(
        &mut self,
        path: &RemotePath,
        image: &ImageDigest,
        how: How,
    ) -> Result<Proof, Failure> {
        match how {
            How::As(VerifyMode::None) => Ok(Proof::Same(Verified::None)),
            How::As(VerifyMode::Readback) | How::Content => self.compared(path, image, true).await,
            How::As(VerifyMode::Size) => self.compared(path, image, false).await,
            How::As(mode @ (VerifyMode::Best | VerifyMode::Quick)) => {
                match self.compared(path, image, mode == VerifyMode::Best).await? {
                    // One that gives no file doesn't report its size either.
                    Proof::Untold(_) => Ok(Proof::Same(Verified::None)),
                    proof => Ok(proof),
                }
            }
        }
    }

    async fn can_rename(&mut self, _: &RemotePath, _: Option<&RemotePath>) -> Result<(), Failure> {
        Err(no_rename("SCP"))
    }

    async fn store(&mut self, path: &RemotePath) -> Result<(), NotStored> {
        let not_stored = |step, fault, may_have_begun| NotStored {
            failure: Failure::new(step, fault),
            may_have_begun,
        };
        let Some(size) = self.destination.size else {
            let reason = "the size of the image has to be known before it is sent by SCP, and its source \
                          does not report it; give the image a `size`";
            return Err(not_stored(Step::Open, Fault::Local(reason.into()), false));
        };
        let session = self.session().await.map_err(|failure| NotStored {
            failure,
            may_have_begun: false,
        })?;
        let begun = session.begin_taking(path).await;
        begun.map_err(|fault| not_stored(Step::Open, fault, false))?;
        let announced = session.announce(path, size).await;
        announced.map_err(|fault| {
            let may_have_begun = !matches!(
                fault,
                Fault::Answer { .. } | Fault::NoDirectory { .. } | Fault::NotWritable { .. }
            );
            not_stored(Step::Open, fault, may_have_begun)
        })
    }

    async fn write(&mut self, data: &[u8]) -> Result<usize, Failure> {
        let failed = |fault| Failure::new(Step::Send, fault);
        let piece = &data[..data.len().min(PIECE)];
        let session = self.session.as_mut().ok_or_else(ended)?;
        session.send(piece).await.map_err(failed)?;
        Ok(piece.len())
    }

    async fn ready(&mut self) -> Result<(), Failure> {
        let session = self.session.as_mut().ok_or_else(ended)?;
        let ready = session.ready().await;
        ready.map_err(|fault| Failure::new(Step::Send, fault))
    }

    async fn finish(&mut self) -> Result<(), Failure> {
        let session = self.session.as_mut().ok_or_else(ended)?;
        let confirmed = session.confirm().await;
        confirmed.map_err(|fault| Failure::new(Step::Confirm, fault))
    }

    fn abort(&mut self) {
        // The whole connection: the command would wait for the rest of the file.
        if self
            .session
            .as_ref()
            .is_some_and(|session| session.exec.is_some())
        {
            self.session = None;
        }
    }

    async fn close(self: Box<Self>) {
        if let Some(session) = self.session {
            session.close().await;
        }
    }
}

fn ended() -> Failure {
    let cause = "the file was already ended";
    Failure::new(Step::Send, Fault::Local(cause.into()))
}
