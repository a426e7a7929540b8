//! The storage of a server, as libunftp asks for it.

use std::fmt;
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::time::SystemTime;

use async_trait::async_trait;
use tokio::io::{AsyncRead, AsyncWrite};
use unftp_core::auth::DefaultUser;
use unftp_core::storage::{
    Error, ErrorKind, FEATURE_RESTART, Fileinfo, Metadata, Result, StorageBackend,
};

use super::relay::Session;
use crate::lab::device::clean;
use crate::lab::storage::{Entry, Face, Refusal, Storage};

#[derive(Debug, Clone)]
pub(super) struct Backend {
    pub(super) storage: Storage,
    pub(super) session: Arc<Session>,
}

impl Face for Session {
    fn confirm_early(&self) {
        self.say("226 Stored");
    }

    fn hang_up(&self) {
        Session::hang_up(self);
    }
}

impl From<Refusal> for Error {
    fn from(refusal: Refusal) -> Self {
        let kind = match refusal {
            Refusal::Name(_) => ErrorKind::FileNameNotAllowedError,
            Refusal::NotThere(_) => ErrorKind::PermanentFileNotAvailable,
            Refusal::Denied(_) => ErrorKind::PermissionDenied,
            Refusal::Busy => ErrorKind::TransientFileNotAvailable,
            Refusal::Full => ErrorKind::ExceededStorageAllocationError,
            Refusal::Cut(_) => ErrorKind::ConnectionClosed,
            Refusal::Io(error) => return Self::from(error),
        };
        Self::new(kind, refusal.to_string())
    }
}

fn text_of(path: &Path) -> String {
    path.to_string_lossy().into_owned()
}

#[async_trait]
impl StorageBackend<DefaultUser> for Backend {
    type Metadata = Facts;

    fn supported_features(&self) -> u32 {
        // Without it, libunftp answers REST with 502 and FEAT does not name it.
        if self.storage.server.behaviour.no_rest {
            0
        } else {
            FEATURE_RESTART
        }
    }

    async fn metadata<P: AsRef<Path> + Send + fmt::Debug>(
        &self,
        _: &DefaultUser,
        path: P,
    ) -> Result<Facts> {
        let file = self.storage.find(&text_of(path.as_ref()))?;
        Ok(Facts {
            size: Some(file.size()),
            modified: file.modified(),
        })
    }

    async fn list<P: AsRef<Path> + Send + fmt::Debug>(
        &self,
        _: &DefaultUser,
        path: P,
    ) -> Result<Vec<Fileinfo<PathBuf, Facts>>> {
        let folder = text_of(path.as_ref());
        let named = |entry: Entry| Fileinfo {
            path: Path::new(&clean(&folder)).join(entry.name),
            metadata: Facts {
                size: entry.size,
                modified: entry.modified,
            },
        };
        Ok(self.storage.list(&folder).into_iter().map(named).collect())
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
        P: AsRef<Path> + Send + fmt::Debug,
    {
        let path = text_of(path.as_ref());
        Ok(self.storage.send(output, &path, start_pos).await?)
    }

    async fn get<P: AsRef<Path> + Send + fmt::Debug>(
        &self,
        _: &DefaultUser,
        _: P,
        _: u64,
    ) -> Result<Box<dyn AsyncRead + Send + Sync + Unpin>> {
        // RETR goes through `get_into`, and digests are not offered.
        Err(ErrorKind::CommandNotImplemented.into())
    }

    async fn put<P, R>(&self, _: &DefaultUser, input: R, path: P, start_pos: u64) -> Result<u64>
    where
        P: AsRef<Path> + Send + fmt::Debug,
        R: AsyncRead + Send + Sync + Unpin + 'static,
    {
        let path = text_of(path.as_ref());
        let storage = &self.storage;
        let count = storage.receive(&*self.session, input, &path, start_pos);
        let count = count.await?;
        let reply = storage.server.behaviour.confirm_reply.as_ref();
        self.session.say_instead(reply);
        Ok(count)
    }

    async fn del<P: AsRef<Path> + Send + fmt::Debug>(
        &self,
        _: &DefaultUser,
        path: P,
    ) -> Result<()> {
        Ok(self.storage.delete(&text_of(path.as_ref()))?)
    }

    async fn mkd<P: AsRef<Path> + Send + fmt::Debug>(&self, _: &DefaultUser, _: P) -> Result<()> {
        Ok(())
    }

    async fn rename<P: AsRef<Path> + Send + fmt::Debug>(
        &self,
        _: &DefaultUser,
        from: P,
        to: P,
    ) -> Result<()> {
        let renamed = (self.storage).rename(&text_of(from.as_ref()), &text_of(to.as_ref()));
        if let Err(Refusal::Name(_) | Refusal::Busy) = renamed {
            let reply = self.storage.server.behaviour.rename_reply.as_ref();
            self.session.say_instead(reply);
        }
        Ok(renamed?)
    }

    async fn rmd<P: AsRef<Path> + Send + fmt::Debug>(&self, _: &DefaultUser, _: P) -> Result<()> {
        Err(Refusal::Denied("keeps its folders").into())
    }

    async fn cwd<P: AsRef<Path> + Send + fmt::Debug>(&self, _: &DefaultUser, _: P) -> Result<()> {
        Ok(())
    }
}

/// What is known about a file, or a folder, which has no size.
#[derive(Debug)]
pub(in crate::lab) struct Facts {
    size: Option<u64>,
    modified: SystemTime,
}

impl Metadata for Facts {
    fn len(&self) -> u64 {
        self.size.unwrap_or_default()
    }

    fn is_dir(&self) -> bool {
        self.size.is_none()
    }

    fn is_file(&self) -> bool {
        self.size.is_some()
    }

    fn is_symlink(&self) -> bool {
        false
    }

    fn modified(&self) -> Result<SystemTime> {
        Ok(self.modified)
    }

    fn gid(&self) -> u32 {
        0
    }

    fn uid(&self) -> u32 {
        0
    }
}
