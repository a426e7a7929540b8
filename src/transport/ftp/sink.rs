//! Writing an image to an entity: staging file, confirmation, verification, rename.

use std::time::Duration;

use tokio::time::timeout;

use crate::model::{Failure, Fault, RemotePath, Staging, Step, Verified};
use crate::transport::digest::Hasher;
use crate::transport::{Destination, ImageDigest, Sink};

use super::Memory;
use super::data::Upload;
use super::features::{self, DigestCommand};
use super::reply::Reply;
use super::session::Session;
use super::source::size;
use super::verify;

/// Cleaning up is worth so much time on a live entity; on a dead one it would be waited in vain.
const CLEAN_UP: Duration = Duration::from_secs(5);

/// One file being written over one session.
pub struct FtpSink {
    session: Session,
    upload: Option<Upload>,
    destination: Destination,
    memory: Memory,
    /// The name that is written to.
    path: RemotePath,
    digest: Option<DigestCommand>,
    /// Only where the entity's digest is not the image's own SHA-256.
    hasher: Option<Hasher>,
    /// The old file was deleted for the rename: what was written is all that the entity has.
    only_copy: bool,
}

impl FtpSink {
    pub(super) async fn open(memory: &Memory, destination: &Destination) -> Result<Self, Failure> {
        let open = || Self::open_once(memory, destination);
        memory
            .while_learning(&destination.remote.address, open)
            .await
    }

    async fn open_once(memory: &Memory, destination: &Destination) -> Result<Self, Failure> {
        let mut session = Session::open(memory, &destination.remote).await?;
        let digest = match destination.verify.asks_digest() {
            true => features::best_digest(&mut session).await?,
            false => None,
        };
        let path = destination.written_path();
        if destination.staging == Staging::Rename {
            probe_rename(&mut session, &path).await?;
        }
        let upload = match open_upload(&mut session, destination, &path).await {
            Ok(upload) => upload,
            Err(failure) => {
                // Some servers create the file before they find that they can't receive it.
                if destination.staging == Staging::Rename && session.in_step() {
                    let _ = session
                        .command(Step::Discard, &format!("DELE {path}"))
                        .await;
                }
                let began = session.is_transferring();
                session.close().await;
                // The file is there, and it was the data connection that could not be had.
                if destination.staging == Staging::Rename && began {
                    let _ = remove(memory, destination, None).await;
                }
                return Err(failure);
            }
        };
        let hasher = digest.and_then(|command| verify::hasher_for(command.algorithm()));
        Ok(Self {
            session,
            upload: Some(upload),
            destination: destination.clone(),
            memory: memory.clone(),
            path,
            digest,
            hasher,
            only_copy: false,
        })
    }

    async fn rename(&mut self) -> Result<Reply, Failure> {
        let from = format!("RNFR {}", self.path);
        self.session
            .expect(Step::Rename, &from, |reply| reply.code == 350)
            .await?;
        let to = format!("RNTO {}", self.destination.remote.path);
        self.session.command(Step::Rename, &to).await
    }

    /// Renames, deleting the old file first where the entity needs it and the operator allows it.
    async fn rename_over(&mut self) -> Result<(), Failure> {
        let refusal = self.rename().await?;
        if refusal.is_done() {
            return Ok(());
        }
        let refused = Failure::new(Step::Rename, refusal.fault());
        if !self.destination.delete_first || !is_refusal(&refused) {
            return Err(refused);
        }
        let dele = format!("DELE {}", self.destination.remote.path);
        // Before the answer: should it be lost, the old file may be gone all the same.
        self.only_copy = true;
        if !self.session.command(Step::Rename, &dele).await?.is_done() {
            self.only_copy = false;
            return Err(refused);
        }
        let reply = self.rename().await?;
        if reply.is_done() {
            Ok(())
        } else {
            Err(Failure::new(Step::Rename, reply.fault()))
        }
    }

    /// The connection was lost between the rename and its reply: looks whether it happened.
    async fn was_renamed(&self, image: &ImageDigest) -> Result<bool, Failure> {
        let mut session = Session::open(&self.memory, &self.destination.remote).await?;
        let staging_is_gone = match size(&mut session, self.path.as_str()).await {
            Ok(Some(_)) => false,
            // It does not tell sizes, but whether there is something to rename.
            Ok(None) => {
                let from = format!("RNFR {}", self.path);
                session.command(Step::Rename, &from).await?.code == 550
            }
            Err(failure) => matches!(failure.fault, Fault::NoFile { .. }),
        };
        let named = size(&mut session, self.destination.remote.path.as_str()).await?;
        session.close().await;
        Ok(staging_is_gone && named.is_none_or(|size| size == image.size))
    }
}

impl Sink for FtpSink {
    fn staged(&self) -> bool {
        self.destination.staging == Staging::Rename
    }

    async fn write(&mut self, data: &[u8]) -> Result<usize, Failure> {
        let upload = self.upload.as_mut().ok_or_else(ended)?;
        let count = upload.write(&mut self.session, data).await?;
        if let Some(hasher) = &mut self.hasher {
            hasher.update(&data[..count]);
        }
        Ok(count)
    }

    async fn ready(&mut self) -> Result<(), Failure> {
        let upload = self.upload.as_mut().ok_or_else(ended)?;
        upload.ready(&mut self.session).await
    }

    async fn finish(&mut self) -> Result<(), Failure> {
        if let Some(upload) = &mut self.upload {
            upload.finish(&mut self.session).await?;
            self.upload = None;
        }
        Ok(())
    }

    async fn verify(&mut self, image: &ImageDigest) -> Result<Verified, Failure> {
        let digest = self.digest.map(|command| {
            let expected = match self.hasher.take() {
                Some(hasher) => hasher.finish(),
                None => hex::encode(image.sha256),
            };
            (command, expected)
        });
        let mode = self.destination.verify;
        verify::verify(&mut self.session, self.path.as_str(), mode, image, digest).await
    }

    async fn commit(&mut self, image: &ImageDigest) -> Result<(), Failure> {
        if self.destination.staging == Staging::Direct {
            return Ok(());
        }
        match self.rename_over().await {
            Err(failure) if !self.session.in_step() => match self.was_renamed(image).await {
                Ok(true) => Ok(()),
                _ => Err(failure),
            },
            result => result,
        }
    }

    async fn close(self) {
        drop(self.upload);
        self.session.close().await;
    }

    async fn discard(self) -> Result<(), Failure> {
        drop(self.upload);
        if self.only_copy {
            let cause = "kept: the old file was deleted, and this is the only copy";
            return Err(Failure::new(Step::Discard, Fault::Local(cause.into())));
        }
        let session = self.session.in_step().then_some(self.session);
        remove(&self.memory, &self.destination, session).await
    }
}

fn ended() -> Failure {
    let cause = "the file was already ended";
    Failure::new(Step::Send, Fault::Local(cause.into()))
}

/// Removes what may have been written, over a session of its own.
pub(super) async fn discard(memory: &Memory, destination: &Destination) -> Result<(), Failure> {
    remove(memory, destination, None).await
}

async fn remove(
    memory: &Memory,
    destination: &Destination,
    session: Option<Session>,
) -> Result<(), Failure> {
    let removal = async {
        let mut session = match session {
            Some(session) => session,
            None => Session::open(memory, &destination.remote)
                .await
                .map_err(|failure| Failure {
                    step: Step::Discard,
                    ..failure
                })?,
        };
        let path = destination.written_path();
        let reply = session
            .command(Step::Discard, &format!("DELE {path}"))
            .await?;
        let is_gone = reply.is_done()
            || matches!(
                size(&mut session, path.as_str()).await,
                Err(Failure {
                    fault: Fault::NoFile { .. },
                    ..
                })
            );
        session.close().await;
        if is_gone {
            Ok(())
        } else {
            Err(Failure::new(Step::Discard, reply.fault()))
        }
    };
    timeout(CLEAN_UP, removal).await.unwrap_or_else(|_| {
        let fault = Fault::NoReply {
            command: "DELE".into(),
            after: CLEAN_UP,
        };
        Err(Failure::new(Step::Discard, fault))
    })
}

async fn open_upload(
    session: &mut Session,
    destination: &Destination,
    path: &RemotePath,
) -> Result<Upload, Failure> {
    let refused = match Upload::open(session, path.as_str()).await {
        // Some servers write no file that exists. A staging file is ours to delete.
        Err(failure) if is_refusal(&failure) && session.in_step() => failure,
        opened => return opened,
    };
    let ours = destination.staging == Staging::Rename || destination.delete_first;
    let dele = format!("DELE {path}");
    if !ours || !session.command(Step::Open, &dele).await?.is_done() {
        return Err(refused);
    }
    Upload::open(session, path.as_str()).await
}

/// Learns before anything is sent whether the entity can rename, and removes what an earlier run
/// left under the staging name.
async fn probe_rename(session: &mut Session, staging: &RemotePath) -> Result<(), Failure> {
    let reply = session
        .command(Step::Prepare, &format!("RNFR {staging}"))
        .await?;
    match reply.code {
        350 => {
            session
                .command(Step::Prepare, &format!("DELE {staging}"))
                .await?;
            Ok(())
        }
        _ if reply.is_unknown_command() => Err(Failure::new(
            Step::Prepare,
            Fault::NoRename {
                reply: reply.to_string(),
            },
        )),
        421 => Err(Failure::new(Step::Prepare, reply.fault())),
        // There is no such file, as there should not be.
        _ => Ok(()),
    }
}

/// The server refused what was asked because of the file that is already there, perhaps.
pub(super) fn is_refusal(failure: &Failure) -> bool {
    matches!(
        failure.fault,
        Fault::Reply {
            code: 450 | 451 | 501 | 550 | 553,
            ..
        }
    )
}
