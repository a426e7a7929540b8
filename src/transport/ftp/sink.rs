//! A session with an entity that gets a file. Each call is one question or one change; what they
//! come to, and which may follow which, is decided in `placement`.

use async_trait::async_trait;

use crate::model::{Failure, Fault, RemotePath, Step};
use crate::transport::digest::Hasher;
use crate::transport::{
    Destination, How, ImageDigest, NotStored, Proof, Refusal, RefusalKind, Reply, Seen, Sink,
};

use super::features::{self, DigestCommand};
use super::quirks::ServerQuirks;
use super::reply;
use super::session::Session;
use super::source::modified;
use super::upload::Upload;

mod look;
pub(super) mod prove;

use prove::hasher_for;

/// One session, opened again where it was lost.
pub(super) struct FtpSink {
    session: Option<Session>,
    upload: Option<Upload>,
    destination: Destination,
    quirks: ServerQuirks,
    /// Whether `550` to `SIZE` means that there is no such file: the entity has reported a size, or a
    /// listing has agreed. Some say it of every file, and then something else has shown one.
    denies_truly: Option<bool>,
    /// The entity has reported when a file was changed, so that silence means that there is none.
    tells_times: bool,
    /// It lists nothing: that costs two sessions, and is not asked for again.
    no_listing: bool,
    digest: Option<DigestCommand>,
    /// Only where the entity's digest is not the image's own SHA-256.
    hasher: Option<Hasher>,
    /// What the hasher came to, of a whole file.
    sent_digest: Option<String>,
}

impl FtpSink {
    pub(super) async fn open(
        quirks: &ServerQuirks,
        destination: &Destination,
    ) -> Result<Self, Failure> {
        let address = &destination.remote.endpoint.address;
        let open = || Self::open_once(quirks, destination);
        quirks.while_learning(address, open).await
    }

    async fn open_once(quirks: &ServerQuirks, destination: &Destination) -> Result<Self, Failure> {
        let mut session = Session::open(quirks, &destination.remote).await?;
        let digest = match destination.verify.asks_digest() {
            true => features::best_digest(&mut session).await?,
            false => None,
        };
        let hasher = digest.and_then(|command| hasher_for(command.algorithm()));
        Ok(Self {
            session: Some(session),
            upload: None,
            destination: destination.clone(),
            quirks: quirks.clone(),
            denies_truly: None,
            tells_times: false,
            no_listing: false,
            digest,
            hasher,
            sent_digest: None,
        })
    }

    /// The session, or a new one where it was lost.
    pub(super) async fn session(&mut self) -> Result<&mut Session, Failure> {
        let session = match self.session.take() {
            Some(session) if session.in_step() => session,
            lost => {
                // A server with room for one session has to see this one end first.
                drop(lost);
                Session::open(&self.quirks, &self.destination.remote).await?
            }
        };
        Ok(self.session.insert(session))
    }

    pub(super) async fn ask(&mut self, step: Step, command: &str) -> Result<reply::Reply, Failure> {
        self.session().await?.ask(step, command).await
    }

    /// As [`Sink::close`].
    pub(super) async fn end(self) {
        drop(self.upload);
        if let Some(session) = self.session {
            session.close().await;
        }
    }

    async fn put_byte(&mut self, path: &RemotePath) -> Result<(), Failure> {
        self.store(path).await.map_err(|failed| failed.failure)?;
        while self.write(b"x").await? == 0 {
            self.ready().await?;
        }
        self.finish().await
    }

    async fn store_once(&mut self, path: &RemotePath) -> Result<Upload, NotStored> {
        let not_begun = |failure| NotStored {
            failure,
            may_have_begun: false,
        };
        let session = self.session().await.map_err(not_begun)?;
        Upload::open(session, path.as_str())
            .await
            .map_err(|(failure, may_have_begun)| NotStored {
                failure,
                may_have_begun,
            })
    }
}

#[async_trait]
impl Sink for FtpSink {
    async fn look(&mut self, path: &RemotePath) -> Result<Seen, Failure> {
        self.seen(path).await
    }

    async fn modified(&mut self, path: &RemotePath) -> Result<Option<String>, Failure> {
        let told = modified(self.session().await?, path.as_str()).await?;
        self.tells_times |= told.is_some();
        Ok(told)
    }

    async fn delete(&mut self, path: &RemotePath) -> Result<Reply, Failure> {
        let reply = self.ask(Step::Discard, &format!("DELE {path}")).await?;
        Ok(match reply.is_done() {
            true => Reply::Done,
            false => refused(Step::Discard, &reply),
        })
    }

    async fn rename(&mut self, from: &RemotePath, to: &RemotePath) -> Result<Reply, Failure> {
        let reply = self.ask(Step::Rename, &format!("RNFR {from}")).await?;
        if reply.code != 350 && !reply.is_done() {
            let failure = Failure::new(Step::Rename, reply.fault());
            let kind = match reply.code {
                550 => RefusalKind::NoSource,
                500 | 502 | 504 => RefusalKind::NotKnown,
                400..=499 => RefusalKind::ForNow,
                _ => RefusalKind::ForGood,
            };
            return Ok(Reply::Refused(Refusal { failure, kind }));
        }
        let reply = self.ask(Step::Rename, &format!("RNTO {to}")).await?;
        Ok(match reply.is_done() {
            true => Reply::Done,
            false => refused(Step::Rename, &reply),
        })
    }

    async fn put(&mut self, path: &RemotePath) -> Result<bool, Failure> {
        // What was sent of the image is not to be forgotten for it.
        let (hasher, sent) = (self.hasher.take(), self.sent_digest.take());
        let stored = self.put_byte(path).await;
        self.abort();
        (self.hasher, self.sent_digest) = (hasher, sent);
        match stored {
            Ok(()) => Ok(true),
            Err(failure) if matches!(failure.fault, Fault::Reply { .. }) => Ok(false),
            Err(failure) => Err(failure),
        }
    }

    async fn prove(
        &mut self,
        path: &RemotePath,
        image: &ImageDigest,
        how: How,
    ) -> Result<Proof, Failure> {
        self.compared(path, image, how).await
    }

    async fn can_rename(
        &mut self,
        free: &RemotePath,
        taken: Option<&RemotePath>,
    ) -> Result<(), Failure> {
        let mut reply = self.ask(Step::Prepare, &format!("RNFR {free}")).await?;
        let mut knows = reply::knows(&reply, None);
        if let Some(taken) = taken.filter(|_| knows.is_none()) {
            let about_existing = self.ask(Step::Prepare, &format!("RNFR {taken}")).await?;
            knows = reply::knows(&reply, Some(&about_existing));
            reply = about_existing;
        }
        if knows == Some(false) {
            let reply = reply.to_string();
            return Err(Failure::new(Step::Prepare, Fault::NoRename { reply }));
        }
        if reply.code == 350 || reply.is_done() {
            // Some say that of any name. A session that is to rename something takes nothing else,
            // on some servers, until it has; so it is left.
            if let Some(session) = self.session.take() {
                session.close().await;
            }
        }
        Ok(())
    }

    async fn store(&mut self, path: &RemotePath) -> Result<(), NotStored> {
        let address = self.destination.remote.endpoint.address.clone();
        let mut may_have_begun = false;
        loop {
            let known = self.quirks.of(&address);
            match self.store_once(path).await {
                Ok(upload) => {
                    self.upload = Some(upload);
                    return Ok(());
                }
                // What was lost has taught something, and no byte was sent.
                Err(failed)
                    if (!failed.may_have_begun
                        || matches!(failed.failure.fault, Fault::NoReply { .. }))
                        && !matches!(failed.failure.fault, Fault::Reply { .. })
                        && self.quirks.has_learned(&address, known) =>
                {
                    may_have_begun |= failed.may_have_begun;
                }
                Err(failed) => {
                    return Err(NotStored {
                        may_have_begun: may_have_begun || failed.may_have_begun,
                        ..failed
                    });
                }
            }
        }
    }

    async fn write(&mut self, data: &[u8]) -> Result<usize, Failure> {
        let (Some(upload), Some(session)) = (&mut self.upload, &mut self.session) else {
            return Err(ended());
        };
        let count = upload.write(session, data).await?;
        if let Some(hasher) = &mut self.hasher {
            hasher.update(&data[..count]);
        }
        Ok(count)
    }

    async fn ready(&mut self) -> Result<(), Failure> {
        let (Some(upload), Some(session)) = (&mut self.upload, &mut self.session) else {
            return Err(ended());
        };
        upload.ready(session).await
    }

    async fn finish(&mut self) -> Result<(), Failure> {
        let (Some(upload), Some(session)) = (&mut self.upload, &mut self.session) else {
            return Ok(());
        };
        upload.finish(session).await?;
        self.upload = None;
        self.sent_digest = self.hasher.take().map(Hasher::finish);
        Ok(())
    }

    fn abort(&mut self) {
        self.upload = None;
    }

    async fn close(self: Box<Self>) {
        (*self).end().await;
    }
}

fn ended() -> Failure {
    let cause = "the file was already ended";
    Failure::new(Step::Send, Fault::Local(cause.into()))
}

fn refused(step: Step, reply: &reply::Reply) -> Reply {
    let failure = Failure::new(step, reply.fault());
    let kind = match reply.code {
        400..=499 => RefusalKind::ForNow,
        _ => RefusalKind::ForGood,
    };
    Reply::Refused(Refusal { failure, kind })
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
