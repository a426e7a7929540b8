//! One file to read, as libunftp asks for it. The words of its replies are libunftp's own; why a request was refused
//! is in the log.

use std::fmt::{Debug, Display};
use std::net::SocketAddr;
use std::path::{Path, PathBuf};
use std::time::SystemTime;

use async_trait::async_trait;
use tokio::io::{AsyncRead, AsyncWrite, AsyncWriteExt};
use tokio::sync::mpsc::error::TrySendError;
use tokio::sync::oneshot;
use tokio_util::sync::CancellationToken;
use tokio_util::task::TaskTracker;
use unftp_core::auth::DefaultUser;
use unftp_core::storage::{
    Error, ErrorKind, FEATURE_RESTART, Fileinfo, Metadata, Result, StorageBackend,
};

use crate::model::serve::Over;
use crate::transport::serve::{Answer, Asked, Guard, Next, Refusal, Visit, Wanted};

/// What one device finds.
#[derive(Debug, Clone)]
pub(super) struct Storage {
    pub(super) guard: Guard,
    pub(super) device: SocketAddr,
    pub(super) cancel: CancellationToken,
    pub(super) transfers: TaskTracker,
}

impl Storage {
    async fn ask(&self, path: &Path, wanted: Wanted) -> Result<Answer> {
        let name = path.to_string_lossy();
        let found = self.guard.offers().find(self.device.ip(), &name);
        let visits =
            found.map_err(|denied| self.refused(ErrorKind::PermanentFileNotAvailable, &denied))?;
        let (answer, answered) = oneshot::channel();
        let asked = Asked {
            over: Over::Ftp,
            by: self.device,
            wanted,
            answer,
        };
        let gone = || Refusal::NotNow("it is not offered any more".into());
        let asked = (visits.try_send(Visit::Asked(asked))).map_err(|error| match error {
            TrySendError::Full(_) => Refusal::Busy,
            TrySendError::Closed(_) => gone(),
        });
        let answered = match asked {
            Ok(()) => tokio::select! {
                biased;
                () = self.cancel.cancelled() => Err(gone()),
                answered = answered => answered.unwrap_or_else(|_| Err(gone())),
            },
            Err(refusal) => Err(refusal),
        };
        answered.map_err(|refusal| {
            let kind = match refusal {
                // 450: the device is to ask again.
                Refusal::Busy => ErrorKind::TransientFileNotAvailable,
                Refusal::NotNow(_) => ErrorKind::LocalError,
                Refusal::BeyondEnd { .. } => ErrorKind::PermanentFileNotAvailable,
            };
            self.refused(kind, &refusal)
        })
    }

    /// Sends what was asked for.
    async fn send<W: AsyncWrite + Unpin + ?Sized>(
        &self,
        answer: Answer,
        to: &mut W,
    ) -> Result<u64> {
        let mut pieces = answer.pieces.ok_or(ErrorKind::LocalError)?;
        let mut count = 0;
        loop {
            match pieces.next().await {
                Next::Bytes(bytes) => {
                    to.write_all(&bytes).await?;
                    count += bytes.len() as u64;
                }
                Next::End => {
                    to.flush().await?;
                    pieces.sent();
                    return Ok(count);
                }
                // 426: what the device has is not the whole file.
                Next::Broken => return Err(ErrorKind::ConnectionClosed.into()),
            }
        }
    }

    fn refused(&self, kind: ErrorKind, why: &dyn Display) -> Error {
        self.guard.refused(Over::Ftp, self.device, why);
        kind.into()
    }

    /// Everything but reading.
    fn denied(&self) -> Error {
        self.refused(ErrorKind::PermissionDenied, &"the image can only be read")
    }
}

#[async_trait]
impl StorageBackend<DefaultUser> for Storage {
    type Metadata = Facts;

    fn supported_features(&self) -> u32 {
        FEATURE_RESTART
    }

    async fn metadata<P>(&self, _: &DefaultUser, path: P) -> Result<Facts>
    where
        P: AsRef<Path> + Send + Debug,
    {
        let asking = self.ask(path.as_ref(), Wanted::Size);
        let answer = self.transfers.track_future(asking).await?;
        // A size that is not known is none, and not 0.
        let size = answer.size.ok_or(ErrorKind::PermanentFileNotAvailable)?;
        Ok(Facts { size })
    }

    /// Names have a token in them that is not given away.
    async fn list<P>(&self, _: &DefaultUser, _: P) -> Result<Vec<Fileinfo<PathBuf, Facts>>>
    where
        P: AsRef<Path> + Send + Debug,
    {
        Ok(Vec::new())
    }

    async fn get_into<'a, P, W: ?Sized>(
        &self,
        _: &DefaultUser,
        path: P,
        start_pos: u64,
        output: &'a mut W,
    ) -> Result<u64>
    where
        W: AsyncWrite + Unpin + Sync + Send,
        P: AsRef<Path> + Send + Debug,
    {
        let wanted = Wanted::Bytes {
            from: start_pos,
            until: None,
        };
        let path = path.as_ref().to_owned();
        let sending = async {
            let answer = self.ask(&path, wanted).await?;
            tokio::select! {
                biased;
                () = self.cancel.cancelled() => Err(ErrorKind::ConnectionClosed.into()),
                sent = self.send(answer, output) => sent,
            }
        };
        self.transfers.track_future(sending).await
    }

    async fn get<P>(
        &self,
        _: &DefaultUser,
        _: P,
        _: u64,
    ) -> Result<Box<dyn AsyncRead + Send + Sync + Unpin>>
    where
        P: AsRef<Path> + Send + Debug,
    {
        // RETR goes through `get_into`, and digests are not offered.
        Err(ErrorKind::CommandNotImplemented.into())
    }

    async fn put<P, R>(&self, _: &DefaultUser, _: R, _: P, _: u64) -> Result<u64>
    where
        P: AsRef<Path> + Send + Debug,
        R: AsyncRead + Send + Sync + Unpin + 'static,
    {
        Err(self.denied())
    }

    async fn del<P>(&self, _: &DefaultUser, _: P) -> Result<()>
    where
        P: AsRef<Path> + Send + Debug,
    {
        Err(self.denied())
    }

    async fn mkd<P>(&self, _: &DefaultUser, _: P) -> Result<()>
    where
        P: AsRef<Path> + Send + Debug,
    {
        Err(self.denied())
    }

    async fn rename<P>(&self, _: &DefaultUser, _: P, _: P) -> Result<()>
    where
        P: AsRef<Path> + Send + Debug,
    {
        Err(self.denied())
    }

    async fn rmd<P>(&self, _: &DefaultUser, _: P) -> Result<()>
    where
        P: AsRef<Path> + Send + Debug,
    {
        Err(self.denied())
    }

    /// Some devices go to the folder first: whether there is such a file shows when it is asked for.
    async fn cwd<P>(&self, _: &DefaultUser, _: P) -> Result<()>
    where
        P: AsRef<Path> + Send + Debug,
    {
        Ok(())
    }
}

/// What is known about the file.
#[derive(Debug)]
pub(super) struct Facts {
    size: u64,
}

impl Metadata for Facts {
    fn len(&self) -> u64 {
        self.size
    }

    fn is_dir(&self) -> bool {
        false
    }

    fn is_file(&self) -> bool {
        true
    }

    fn is_symlink(&self) -> bool {
        false
    }

    fn modified(&self) -> Result<SystemTime> {
        Err(ErrorKind::CommandNotImplemented.into())
    }

    fn gid(&self) -> u32 {
        0
    }

    fn uid(&self) -> u32 {
        0
    }
}
