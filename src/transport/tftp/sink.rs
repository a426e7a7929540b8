//! A device that gets a file over TFTP: only the file itself can be sent.

use std::net::SocketAddr;

use async_trait::async_trait;

use crate::model::{Failure, Fault, RemotePath, Step, Verified, VerifyMode};
use crate::transport::answers::no_rename;
use crate::transport::{Destination, How, ImageDigest, NotStored, Proof, Reply, Seen, Sink};

use super::options::Asked;
use super::request;
use super::rollover::Rollover;
use super::transfer::Transfer;

pub(super) struct TftpSink {
    rollover: Rollover,
    destination: Destination,
    targets: Vec<SocketAddr>,
    transfer: Option<Transfer>,
}

impl TftpSink {
    pub(super) fn new(
        rollover: Rollover,
        destination: &Destination,
        targets: Vec<SocketAddr>,
    ) -> Self {
        Self {
            rollover,
            destination: destination.clone(),
            targets,
            transfer: None,
        }
    }
}

fn ended() -> Failure {
    let cause = "the file was already ended";
    Failure::new(Step::Send, Fault::Local(cause.into()))
}

#[async_trait]
impl Sink for TftpSink {
    async fn look(&mut self, _: &RemotePath) -> Result<Seen, Failure> {
        Ok(Seen::Unknown)
    }

    async fn modified(&mut self, _: &RemotePath) -> Result<Option<String>, Failure> {
        Ok(None)
    }

    async fn delete(&mut self, _: &RemotePath) -> Result<Reply, Failure> {
        Ok(Reply::no_way("TFTP", Step::Discard, "delete"))
    }

    async fn rename(&mut self, _: &RemotePath, _: &RemotePath) -> Result<Reply, Failure> {
        Ok(Reply::no_way("TFTP", Step::Rename, "rename"))
    }

    async fn put(&mut self, _: &RemotePath) -> Result<bool, Failure> {
        // Nothing could remove it.
        Ok(false)
    }

    async fn prove(&mut self, _: &RemotePath, _: &ImageDigest, how: How) -> Result<Proof, Failure> {
        let reason = "nothing can be asked of a device that takes files over TFTP".to_owned();
        Ok(match how {
            How::As(VerifyMode::None | VerifyMode::Best | VerifyMode::Quick) => {
                Proof::Same(Verified::None)
            }
            How::As(VerifyMode::Readback | VerifyMode::Size) | How::Content => {
                Proof::Untold(Failure::new(Step::Verify, Fault::NotVerifiable { reason }))
            }
        })
    }

    async fn can_rename(&mut self, _: &RemotePath, _: Option<&RemotePath>) -> Result<(), Failure> {
        Err(no_rename("TFTP"))
    }

    async fn store(&mut self, path: &RemotePath) -> Result<(), NotStored> {
        self.transfer = None;
        let endpoint = &self.destination.remote.endpoint;
        let timeouts = endpoint.timeouts;
        let asked = Asked::new(self.destination.size, timeouts.progress);
        let taken = request::ask(&self.targets, path, &asked, timeouts.reply).await;
        let taken = taken.map_err(|fault| NotStored {
            // What was refused was not begun; what nobody has answered may have been.
            may_have_begun: !matches!(
                fault,
                Fault::Answer {
                    may_pass: false,
                    ..
                } | Fault::Local(_)
                    | Fault::Unreachable { .. }
            ),
            failure: Failure::new(Step::Open, fault),
        })?;
        let transfer = Transfer::new(taken, timeouts, &endpoint.address, &self.rollover);
        self.transfer = Some(transfer);
        Ok(())
    }

    async fn write(&mut self, data: &[u8]) -> Result<usize, Failure> {
        let transfer = self.transfer.as_mut().ok_or_else(ended)?;
        let written = transfer.write(data).await;
        if written.is_err() {
            self.transfer = None;
        }
        written
    }

    async fn ready(&mut self) -> Result<(), Failure> {
        let transfer = self.transfer.as_mut().ok_or_else(ended)?;
        let ready = transfer.ready().await;
        if ready.is_err() {
            self.transfer = None;
        }
        ready
    }

    async fn finish(&mut self) -> Result<(), Failure> {
        let mut transfer = self.transfer.take().ok_or_else(ended)?;
        transfer.finish().await
    }

    fn abort(&mut self) {
        // The server is let know, so that it takes the file for no whole one.
        self.transfer = None;
    }

    async fn close(self: Box<Self>) {}
}
