//! Reading an image from a file server or from a peer.

use crate::model::{Failure, Fault, Step};
use crate::transport::{Remote, Source};

use super::Memory;
use super::data::Download;
use super::reply::Reply;
use super::session::Session;

/// One reading of a file over one session.
pub struct FtpSource {
    session: Session,
    download: Download,
    size: Option<u64>,
    /// Offset of the next byte in the file.
    position: u64,
}

impl FtpSource {
    pub(super) async fn open(
        memory: &Memory,
        remote: &Remote,
        offset: u64,
    ) -> Result<Self, Failure> {
        let open = || Self::open_once(memory, remote, offset);
        memory.while_learning(&remote.address, open).await
    }

    async fn open_once(memory: &Memory, remote: &Remote, offset: u64) -> Result<Self, Failure> {
        let mut session = Session::open(memory, remote).await?;
        let size = size(&mut session, remote.path.as_str()).await?;
        let (download, reply) =
            Download::open(&mut session, remote.path.as_str(), offset, Step::Open).await?;
        let size = size.or_else(|| size_in_preliminary(&reply, offset));
        Ok(Self {
            session,
            download: download.reading(),
            size,
            position: offset,
        })
    }
}

impl Source for FtpSource {
    fn size(&self) -> Option<u64> {
        self.size
    }

    fn modified(&self) -> Option<&str> {
        None
    }

    async fn read(&mut self, buffer: &mut [u8]) -> Result<usize, Failure> {
        let count = self.download.read(&mut self.session, buffer).await?;
        self.position += count as u64;
        let failed = |fault| Err(Failure::new(Step::Read, fault));
        match self.size {
            Some(size) if self.position > size => failed(Fault::LongImage { size }),
            Some(size) if count == 0 && self.position < size => match self.download.unconfirmed() {
                Some(failure) => Err(failure.clone()),
                None => failed(Fault::ShortImage {
                    read: self.position,
                    size,
                }),
            },
            // Only the reply could have told whether this was all.
            None if count == 0 => match self.download.unconfirmed() {
                Some(failure) => Err(failure.clone()),
                None => Ok(0),
            },
            _ => Ok(count),
        }
    }

    async fn close(self) {
        drop(self.download);
        self.session.close().await;
    }
}

/// Whether the file is there, and its size where the server tells it.
pub(super) async fn size_of(memory: &Memory, remote: &Remote) -> Result<Option<u64>, Failure> {
    let mut session = Session::open(memory, remote).await?;
    let size = size(&mut session, remote.path.as_str()).await;
    session.close().await;
    size
}

/// `SIZE` (RFC 3659 section 4), which not every server knows.
pub(super) async fn size(session: &mut Session, path: &str) -> Result<Option<u64>, Failure> {
    let reply = session
        .command(Step::Prepare, &format!("SIZE {path}"))
        .await?;
    match reply.code {
        213 => Ok(reply.raw.trim().parse().ok()),
        550 => Err(Failure::new(
            Step::Prepare,
            Fault::NoFile {
                reply: reply.to_string(),
            },
        )),
        421 => Err(Failure::new(Step::Prepare, reply.fault())),
        _ => Ok(None),
    }
}

/// Many servers say `150 Opening … (1234 bytes)`. With an offset some count the rest, some the
/// whole, so it is then of no use.
fn size_in_preliminary(reply: &Reply, offset: u64) -> Option<u64> {
    if offset > 0 {
        return None;
    }
    let (before, _) = reply.raw.rsplit_once(" bytes")?;
    before.rsplit_once('(')?.1.trim().parse().ok()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_size_is_taken_from_the_preliminary_reply_when_it_is_certain() {
        let reply = |raw: &str| Reply {
            code: 150,
            raw: raw.into(),
        };
        let said = reply("Opening BINARY mode data connection for a.bin (1234 bytes).");
        assert_eq!(size_in_preliminary(&said, 0), Some(1234));
        assert_eq!(size_in_preliminary(&said, 10), None);
        assert_eq!(size_in_preliminary(&reply("Here it comes (soon)"), 0), None);
    }
}
