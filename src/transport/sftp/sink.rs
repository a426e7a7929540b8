//! A session with an entity that gets a file. Each call is one question or one change; what they come to,
//! and which may follow which, is decided in `placement`.

use async_trait::async_trait;

use crate::model::staging::names_may_be_same;
use crate::model::{Failure, Fault, RemotePath, Step, units};
use crate::transport::ssh::Keys;
use crate::transport::{Destination, How, ImageDigest, NotStored, Proof, Reply, Seen, Sink, split};

use super::list::names;
use super::probe;
use super::session::Session;
use super::status::Status;
use super::upload::{self, Upload};
use super::wire::{self, Kind, Packet};

/// One session, opened again where it was lost.
pub(super) struct SftpSink {
    pub(super) keys: Keys,
    pub(super) destination: Destination,
    session: Option<Session>,
    upload: Option<Upload>,
}

impl SftpSink {
    pub(super) async fn open(keys: &Keys, destination: &Destination) -> Result<Self, Failure> {
        let session = Session::open(keys, &destination.remote.endpoint).await?;
        Ok(Self {
            keys: keys.clone(),
            destination: destination.clone(),
            session: Some(session),
            upload: None,
        })
    }

    /// The session, or a new one where it was lost.
    pub(super) async fn session(&mut self) -> Result<&mut Session, Failure> {
        let session = match self.session.take() {
            Some(session) if session.is_alive() => session,
            lost => {
                // A server with room for one session has to see this one end first.
                drop(lost);
                Session::open(&self.keys, &self.destination.remote.endpoint).await?
            }
        };
        Ok(self.session.insert(session))
    }

    /// What a write was refused for. Most servers say "failure" of a full disk, and no more: what is free
    /// there is said beside it.
    async fn refused(&mut self, failure: Failure) -> Failure {
        let (Some(session), Fault::Answer { said, may_pass }) = (&mut self.session, &failure.fault)
        else {
            return failure;
        };
        if !session.is_alive() || !said.starts_with("failure (code") {
            return failure;
        }
        let directory = split(self.destination.remote.path.as_str()).0;
        let Some(free) = probe::free(session, directory).await else {
            return failure;
        };
        let fault = Fault::Answer {
            said: format!("{said}; {} are free there", units::size(free)),
            may_pass: *may_pass,
        };
        Failure::new(failure.step, fault)
    }

    async fn seen(&mut self, path: &str) -> Result<Seen, Failure> {
        let session = self.session().await?;
        let [file, link] = session
            .stats(Step::Prepare, path, [Kind::Stat, Kind::Lstat])
            .await?;
        let status = match file {
            Ok(attributes) => {
                let size = attributes.file_size();
                return Ok(Seen::Present { size });
            }
            Err(status) => status,
        };
        match status.code {
            // A link that leads nowhere has the name all the same.
            wire::NO_SUCH_FILE => Ok(match link {
                Ok(_) => Seen::Present { size: None },
                Err(status) if status.code == wire::NO_SUCH_FILE => Seen::Absent,
                Err(_) => Seen::Unknown,
            }),
            // Some servers say it of everything that goes wrong.
            wire::FAILURE | wire::UNSUPPORTED => {
                let (directory, name) = split(path);
                let listed = names(session, directory, Step::Prepare).await;
                match listed {
                    // A name may stand cut or folded there.
                    Ok(names) => Ok(
                        match names.iter().any(|(one, _)| names_may_be_same(one, name)) {
                            true => Seen::Present { size: None },
                            false => Seen::Absent,
                        },
                    ),
                    Err(_) if session.is_alive() => Ok(Seen::Unknown),
                    Err(failure) => Err(failure),
                }
            }
            _ => Ok(Seen::Unknown),
        }
    }

    async fn renamed(&mut self, from: &str, to: &str) -> Result<Reply, Failure> {
        let session = self.session().await?;
        let (from, to) = (from.as_bytes(), to.as_bytes());
        if session.offers.posix_rename {
            let asked = session.ask(Step::Rename, "rename", |id| {
                let packet = Packet::new(Kind::Extended, id).string(b"posix-rename@openssh.com");
                packet.string(from).string(to)
            });
            match asked.await? {
                Ok(_) => return Ok(Reply::Done),
                Err(status) if status.is_unknown() => session.offers.posix_rename = false,
                Err(status) => return Ok(status.refusal(Step::Rename)),
            }
        }
        let asked = session.ask(Step::Rename, "rename", |id| {
            Packet::new(Kind::Rename, id).string(from).string(to)
        });
        Ok(match asked.await? {
            Ok(_) => Reply::Done,
            Err(status) => status.refusal(Step::Rename),
        })
    }
}

#[async_trait]
impl Sink for SftpSink {
    async fn look(&mut self, path: &RemotePath) -> Result<Seen, Failure> {
        self.seen(path.as_str()).await
    }

    /// All that is to be asked for goes out at once: a look takes the time of an answer, however far the entity is.
    async fn is_absent(&mut self, path: &RemotePath) -> Result<bool, Failure> {
        const TWICE: [Kind; 5] = [Kind::Stat, Kind::Lstat, Kind::Stat, Kind::Lstat, Kind::Stat];
        let session = self.session().await?;
        let answers = session.stats(Step::Prepare, path.as_str(), TWICE).await?;
        if answers.iter().any(Result::is_ok) {
            return Ok(false);
        }
        let says_none = |status: &Status| status.code == wire::NO_SUCH_FILE;
        if (answers.iter()).all(|answer| answer.as_ref().is_err_and(says_none)) {
            return Ok(true);
        }
        // What else it says has to be looked into.
        Ok(self.look(path).await? == Seen::Absent
            && self.look(path).await? == Seen::Absent
            && self.modified(path).await?.is_none())
    }

    async fn modified(&mut self, path: &RemotePath) -> Result<Option<String>, Failure> {
        let session = self.session().await?;
        let asked = session
            .stat(Step::Prepare, Kind::Stat, path.as_str())
            .await?;
        let modified = asked.ok().and_then(|attributes| attributes.modified);
        Ok(modified.map(|time| time.to_string()))
    }

    async fn delete(&mut self, path: &RemotePath) -> Result<Reply, Failure> {
        let session = self.session().await?;
        let asked = session.ask(Step::Discard, "remove", |id| {
            Packet::new(Kind::Remove, id).string(path.as_str().as_bytes())
        });
        Ok(match asked.await? {
            Ok(_) => Reply::Done,
            Err(status) => status.refusal(Step::Discard),
        })
    }

    async fn rename(&mut self, from: &RemotePath, to: &RemotePath) -> Result<Reply, Failure> {
        self.renamed(from.as_str(), to.as_str()).await
    }

    async fn put(&mut self, path: &RemotePath) -> Result<bool, Failure> {
        let session = self.session().await?;
        let stored = upload::whole(session, path.as_str(), split(path.as_str()).0, b"x").await;
        match stored {
            Ok(()) => Ok(true),
            Err(failure) if is_refusal(&failure.fault) => Ok(false),
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
        _taken: Option<&RemotePath>,
    ) -> Result<(), Failure> {
        // Onto itself: whatever the server makes of it, nothing is changed.
        match self.renamed(free.as_str(), free.as_str()).await? {
            Reply::Refused(refusal) if says_never(&refusal.failure.fault) => {
                let reply = refusal.failure.fault.to_string();
                Err(Failure::new(Step::Prepare, Fault::NoRename { reply }))
            }
            _ => Ok(()),
        }
    }

    async fn store(&mut self, path: &RemotePath) -> Result<(), NotStored> {
        let not_stored = |failure, may_have_begun| NotStored {
            failure,
            may_have_begun,
        };
        let session = (self.session().await).map_err(|failure| not_stored(failure, false))?;
        let directory = split(path.as_str()).0;
        match Upload::open(session, path.as_str(), directory).await {
            Ok(upload) => {
                self.upload = Some(upload);
                Ok(())
            }
            Err(failure) => {
                let may_have_begun = !is_refusal(&failure.fault);
                Err(not_stored(failure, may_have_begun))
            }
        }
    }

    async fn write(&mut self, data: &[u8]) -> Result<usize, Failure> {
        let (Some(upload), Some(session)) = (&mut self.upload, &mut self.session) else {
            return Err(ended());
        };
        match upload.write(session, data).await {
            Ok(count) => Ok(count),
            Err(failure) => Err(self.refused(failure).await),
        }
    }

    async fn ready(&mut self) -> Result<(), Failure> {
        let (Some(upload), Some(session)) = (&mut self.upload, &mut self.session) else {
            return Err(ended());
        };
        match upload.ready(session).await {
            Ok(()) => Ok(()),
            Err(failure) => Err(self.refused(failure).await),
        }
    }

    async fn finish(&mut self) -> Result<(), Failure> {
        let (Some(upload), Some(session)) = (&mut self.upload, &mut self.session) else {
            return Ok(());
        };
        if let Err(failure) = upload.finish(session).await {
            return Err(self.refused(failure).await);
        }
        self.upload = None;
        Ok(())
    }

    fn abort(&mut self) {
        if let (Some(upload), Some(session)) = (self.upload.take(), &mut self.session)
            && !upload.abort(session)
        {
            // What is to follow would have to wait behind what is under way.
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

/// The server has said no, and so nothing was begun.
pub(super) fn is_refusal(fault: &Fault) -> bool {
    matches!(
        fault,
        Fault::Answer { .. } | Fault::NoDirectory { .. } | Fault::NotWritable { .. }
    )
}

/// Of a file that is not there: what is said before it is looked for.
fn says_never(fault: &Fault) -> bool {
    let code = |code: u32| format!("(code {code})");
    matches!(fault, Fault::Answer { said, may_pass: false }
        if said.ends_with(&code(wire::UNSUPPORTED)) || said.ends_with(&code(wire::PERMISSION_DENIED)))
}
