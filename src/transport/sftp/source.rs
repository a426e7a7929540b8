//! Reading an image from a file server or from a peer.

use async_trait::async_trait;

use crate::model::{Failure, Fault, Step};
use crate::transport::ssh::Keys;
use crate::transport::{Remote, Source};

use super::download::Download;
use super::session::Session;
use super::window;
use super::wire::{Answer, Attributes, Kind, Packet};

/// One reading of a file over one session.
pub(super) struct SftpSource {
    session: Session,
    download: Download,
    attributes: Attributes,
    modified: Option<String>,
    /// Offset of the next byte in the file.
    position: u64,
    is_checked: bool,
}

impl SftpSource {
    pub(super) async fn open(keys: &Keys, remote: &Remote, offset: u64) -> Result<Self, Failure> {
        let mut session = Session::open(keys, &remote.endpoint).await?;
        let handle = Download::open(&mut session, remote.path.as_str(), Step::Open).await?;
        let attributes = fstat(&mut session, &handle, Step::Open).await?;
        let failed = |fault| Err(Failure::new(Step::Open, fault));
        if attributes.is_directory() {
            let reply = "it is a directory".to_owned();
            return failed(Fault::NotReadable { reply });
        }
        if let Some(size) = attributes.size
            && size < offset
        {
            let reason = format!("it has {size} bytes, and was to be read from byte {offset} on");
            return failed(Fault::SourceChanged { reason });
        }
        let size = attributes.size;
        Ok(Self {
            session,
            download: Download::new(handle, offset, size, Step::Read, window::MOST),
            modified: attributes.modified.map(|time| time.to_string()),
            attributes,
            position: offset,
            is_checked: false,
        })
    }

    /// The same file must be there at the end: one that was written meanwhile is a mixture.
    async fn check(&mut self) -> Result<(), Failure> {
        if self.is_checked {
            return Ok(());
        }
        let handle = self.download.handle().to_vec();
        let now = fstat(&mut self.session, &handle, Step::Read).await?;
        let before = self.attributes;
        let changed =
            |reason: String| Err(Failure::new(Step::Read, Fault::SourceChanged { reason }));
        match (before.size, now.size) {
            (Some(before), Some(now)) if before != now => {
                return changed(format!("it had {before} bytes, and has {now} now"));
            }
            _ => {}
        }
        if before.modified != now.modified && before.modified.is_some() {
            return changed("it was written to".into());
        }
        self.is_checked = true;
        Ok(())
    }
}

async fn fstat(session: &mut Session, handle: &[u8], step: Step) -> Result<Attributes, Failure> {
    let asked = session.ask(step, "fstat", |id| {
        Packet::new(Kind::Fstat, id).string(handle)
    });
    match asked.await? {
        Ok(Answer::Attributes(attributes)) => Ok(attributes),
        Ok(_) => Err(session.odd(step)),
        // It says nothing of a file that it gives all the same.
        Err(_) => Ok(Attributes::default()),
    }
}

#[async_trait]
impl Source for SftpSource {
    fn size(&self) -> Option<u64> {
        self.attributes.size
    }

    fn modified(&self) -> Option<&str> {
        self.modified.as_deref()
    }

    async fn read(&mut self, buffer: &mut [u8]) -> Result<usize, Failure> {
        let count = self.download.read(&mut self.session, buffer).await?;
        self.position += count as u64;
        let failed = |fault| Err(Failure::new(Step::Read, fault));
        match self.attributes.size {
            Some(size) if self.position > size => failed(Fault::LongImage { size }),
            Some(size) if count == 0 && self.position < size && !buffer.is_empty() => {
                failed(Fault::ShortImage {
                    read: self.position,
                    size,
                })
            }
            _ if count == 0 && !buffer.is_empty() => self.check().await.map(|()| 0),
            _ => Ok(count),
        }
    }

    async fn close(self: Box<Self>) {
        self.session.close().await;
    }
}

/// Whether the file is there, and its size where the server reports it.
pub(super) async fn size_of(keys: &Keys, remote: &Remote) -> Result<Option<u64>, Failure> {
    let mut session = Session::open(keys, &remote.endpoint).await?;
    let seen = session
        .stat(Step::Prepare, Kind::Stat, remote.path.as_str())
        .await;
    session.close().await;
    match seen? {
        Ok(attributes) => Ok(attributes.file_size()),
        Err(status) => Err(Failure::new(Step::Prepare, status.fault_of_file())),
    }
}
