//! Reading an image from a file server or from a peer. The size comes first, and then all of the file: a
//! reading from the middle throws away what comes before.

use async_trait::async_trait;

use crate::model::{Failure, Fault, Step};
use crate::transport::ssh::Keys;
use crate::transport::{Remote, Source};

use super::session::Session;

const PIECE: usize = 32 << 10;

pub(super) struct ScpSource {
    session: Session,
    size: u64,
    position: u64,
    has_ended: bool,
}

impl ScpSource {
    pub(super) async fn open(keys: &Keys, remote: &Remote, offset: u64) -> Result<Self, Failure> {
        let mut session = Session::open(keys, &remote.endpoint).await?;
        let failed = |fault| Failure::new(Step::Open, fault);
        let size = session.begin_giving(&remote.path).await.map_err(failed)?;
        if size < offset {
            let reason = format!("it has {size} bytes, and was to be read from byte {offset} on");
            return Err(failed(Fault::SourceChanged { reason }));
        }
        session.go_on();
        let mut source = Self {
            session,
            size,
            position: 0,
            has_ended: false,
        };
        let mut piece = vec![0; PIECE];
        while source.position < offset {
            let room = usize::try_from(offset - source.position).unwrap_or(PIECE);
            let room = room.min(PIECE);
            source.read(&mut piece[..room]).await?;
        }
        Ok(source)
    }
}

#[async_trait]
impl Source for ScpSource {
    fn size(&self) -> Option<u64> {
        Some(self.size)
    }

    fn modified(&self) -> Option<&str> {
        None
    }

    async fn read(&mut self, buffer: &mut [u8]) -> Result<usize, Failure> {
        let failed = |fault| Failure::new(Step::Read, fault);
        let left = self.size - self.position;
        if left > 0 && !buffer.is_empty() {
            let (read, size) = (self.position, self.size);
            let count = self.session.read(buffer, left).await;
            let count = count.map_err(|fault| match fault {
                // It has said how long the file is.
                Fault::Lost { .. } if self.session.gave_up() => {
                    failed(Fault::ShortImage { read, size })
                }
                fault => failed(fault),
            })?;
            self.position += count as u64;
            return Ok(count);
        }
        if left == 0 && !self.has_ended {
            let ended = self.session.end_giving().await;
            ended.map_err(|fault| match fault {
                // What should be the word that this was all is more of it.
                Fault::Malformed { .. } => failed(Fault::LongImage { size: self.size }),
                fault => failed(fault),
            })?;
            self.has_ended = true;
        }
        Ok(0)
    }

    async fn close(self: Box<Self>) {
        self.session.close().await;
    }
}
