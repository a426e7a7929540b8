//! What SFTP asks of the storage (draft-ietf-secsh-filexfer-02). Requests of a session are carried out one
//! after the other, as they come.
//!
//! Settings name commands of FTP; those of SFTP that do the same are meant too: `STOR` is a file that is opened
//! for writing until it is closed, `RETR` one that is opened for reading, `SIZE` a question about a file,
//! `RNTO` a rename, `DELE` a removal.

use std::collections::HashMap;

use russh_sftp::extensions::FSYNC;
use russh_sftp::protocol::{
    Attrs, Data, File, FileAttributes, Handle, Name, OpenFlags, Packet, Status, StatusCode, Version,
};
use russh_sftp::server::{Handler, StatusReply};

use super::{Line, reply};
use crate::lab::device::clean;
use crate::lab::download::Download;
use crate::lab::session::reboots_soon;
use crate::lab::storage::{Face, Refusal, Storage};
use crate::lab::upload::Upload;

const POSIX_RENAME: &str = "posix-rename@openssh.com";
/// More files are not open at once in one session.
const MOST_OPEN: usize = 16;

type Result<T> = std::result::Result<T, StatusReply>;

/// A file or a folder that is open.
enum Open {
    Upload(Upload),
    /// What an upload was refused with: so is everything after it.
    Failed(StatusReply),
    Download(Download),
    /// What is not listed yet.
    Folder(Vec<File>),
}

/// One session of SFTP.
pub(super) struct Requests {
    storage: Storage,
    line: Line,
    open: HashMap<String, Open>,
    opened: u64,
}

impl Requests {
    pub(super) fn new(storage: Storage, line: Line) -> Self {
        Self {
            storage,
            line,
            open: HashMap::new(),
            opened: 0,
        }
    }

    /// What happens before a request is carried out.
    async fn begin(&self, verb: &str) -> Result<()> {
        let server = &self.storage.server;
        if server.is_leaving() {
            std::future::pending::<()>().await;
        }
        if server.hangs_up_on(verb).await {
            self.lost().await;
        }
        let said = server.behaviour.replies.get(verb);
        said.and_then(|line| reply::of_line(line))
            .map_or(Ok(()), Err)
    }

    /// What happens in place of the answer to a request that was carried out.
    async fn end(&self, verb: &str) {
        if self.storage.server.hangs_up_after(verb) {
            self.lost().await;
        }
    }

    /// The end of the session. Nothing is answered any more.
    async fn lost(&self) {
        self.line.hang_up();
        std::future::pending::<()>().await;
    }

    /// Does what is asked while the server lives.
    async fn carried_out<T>(
        &self,
        verb: &str,
        work: impl FnOnce(&Storage) -> std::result::Result<T, Refusal>,
    ) -> Result<T> {
        let work = async {
            self.begin(verb).await?;
            let done = work(&self.storage).map_err(|refusal| reply::refused(&refusal))?;
            self.end(verb).await;
            Ok(done)
        };
        self.alive(work).await
    }

    async fn alive<T>(&self, work: impl Future<Output = Result<T>>) -> Result<T> {
        let server = &self.storage.server;
        let gone = || Err(StatusCode::ConnectionLost.into());
        (server.while_alive(self.storage.boot, work).await).unwrap_or_else(gone)
    }

    fn handle(&mut self, id: u32, open: Open) -> Result<Handle> {
        if self.open.len() >= MOST_OPEN {
            return Err(StatusCode::Failure.with_message("too many open files"));
        }
        self.opened += 1;
        let handle = self.opened.to_string();
        self.open.insert(handle.clone(), open);
        Ok(Handle { id, handle })
    }

    async fn facts(&self, id: u32, path: &str) -> Result<Attrs> {
        let path = clean(path);
        let attrs = self.carried_out("SIZE", |storage| {
            let behaviour = &storage.server.behaviour;
            match storage.find(&path) {
                Ok(file) => {
                    let size = storage.server.size_shown(file.size());
                    let size = Some(size).filter(|_| !behaviour.no_size);
                    Ok(reply::attributes(false, size, file.modified()))
                }
                // Folders are there as soon as something is in them; the root always is.
                Err(_) if path == "/" || !storage.list(&path).is_empty() => {
                    Ok(reply::attributes(true, None, std::time::UNIX_EPOCH))
                }
                Err(refusal) => Err(refusal),
            }
        });
        Ok(Attrs {
            id,
            attrs: attrs.await?,
        })
    }

    async fn renamed(&self, id: u32, from: &str, to: &str, replaces: bool) -> Result<Status> {
        let behaviour = &self.storage.server.behaviour;
        if behaviour.no_rename {
            return Err(StatusCode::OpUnsupported.into());
        }
        let renamed = self.carried_out("RNTO", |storage| {
            // The draft's own rename replaces no file.
            match !replaces && storage.find(to).is_ok() {
                true => Err(Refusal::Name("file exists")),
                false => storage.rename(from, to),
            }
        });
        let said = behaviour.rename_reply.as_deref().and_then(reply::of_line);
        match renamed.await {
            Ok(()) => Ok(reply::done(id)),
            Err(refused) if refused.status_code == StatusCode::Failure => {
                Err(said.unwrap_or(refused))
            }
            Err(refused) => Err(refused),
        }
    }

    /// Writes where an upload is, piece by piece.
    async fn written(
        &self,
        upload: &mut Upload,
        mut data: Vec<u8>,
    ) -> std::result::Result<(), Refusal> {
        let taken = upload.take(&self.line, &mut data).await;
        if let Err(Refusal::Cut(_)) = taken {
            self.lost().await;
        }
        taken
    }

    /// An upload is whole.
    async fn stored(&self, mut upload: Upload) -> Result<()> {
        if upload.end(&self.line).await.is_err() {
            self.lost().await;
        }
        upload.finish().await;
        self.end("STOR").await;
        let server = &self.storage.server;
        reboots_soon(server);
        let said = server.behaviour.confirm_reply.as_deref();
        said.and_then(reply::of_line).map_or(Ok(()), Err)
    }
}

impl Handler for Requests {
    type Error = StatusReply;

    fn unimplemented(&self) -> StatusReply {
        StatusCode::OpUnsupported.into()
    }

    async fn init(&mut self, _: u32, _: HashMap<String, String>) -> Result<Version> {
        let behaviour = &self.storage.server.behaviour;
        let mut version = Version::new();
        let mut offer = |name: &str| version.extensions.insert(name.into(), "1".into());
        offer(FSYNC);
        if !behaviour.no_rename && !behaviour.no_overwrite {
            offer(POSIX_RENAME);
        }
        Ok(version)
    }

    async fn open(
        &mut self,
        id: u32,
        path: String,
        flags: OpenFlags,
        _: FileAttributes,
    ) -> Result<Handle> {
        let open = match flags.contains(OpenFlags::WRITE) {
            true => {
                let begun = async {
                    self.begin("STOR").await?;
                    let is_new = self.storage.find(&path).is_err();
                    if !is_new && !flags.contains(OpenFlags::TRUNCATE)
                        || flags.contains(OpenFlags::APPEND)
                    {
                        let only = "files are written from their beginning here";
                        return Err(StatusCode::OpUnsupported.with_message(only));
                    }
                    Upload::begin(&self.storage, &path, 0)
                        .map_err(|refusal| reply::refused(&refusal))
                };
                Open::Upload(self.alive(begun).await?)
            }
            false => Open::Download(
                self.carried_out("RETR", |storage| Download::begin(storage, &path, 0))
                    .await?,
            ),
        };
        self.handle(id, open)
    }

    async fn close(&mut self, id: u32, handle: String) -> Result<Status> {
        match self.open.remove(&handle) {
            Some(Open::Upload(upload)) => self.alive(self.stored(upload)).await?,
            Some(Open::Failed(refused)) => return Err(refused),
            Some(Open::Download(_) | Open::Folder(_)) => {}
            None => return Err(StatusCode::BadMessage.into()),
        }
        Ok(reply::done(id))
    }

    async fn read(&mut self, id: u32, handle: String, offset: u64, len: u32) -> Result<Data> {
        let Some(Open::Download(mut download)) = self.open.remove(&handle) else {
            return Err(StatusCode::BadMessage.into());
        };
        download.seek(offset);
        let most = usize::try_from(len)
            .unwrap_or(usize::MAX)
            .min(crate::lab::ssh::PIECE);
        let mut data = vec![0; most];
        let read = async {
            let read = async {
                let count = download.read(&mut data).await?;
                download.sent(count).await;
                Ok(count)
            };
            let refusal = match read.await {
                Ok(count) => return Ok(count),
                Err(refusal) => refusal,
            };
            if let Refusal::Cut(_) = refusal {
                self.lost().await;
            }
            Err(reply::refused(&refusal))
        };
        let count = self.alive(read).await?;
        self.open.insert(handle, Open::Download(download));
        data.truncate(count);
        match count {
            0 => Err(StatusCode::Eof.into()),
            _ => Ok(Data { id, data }),
        }
    }

    async fn write(
        &mut self,
        id: u32,
        handle: String,
        offset: u64,
        data: Vec<u8>,
    ) -> Result<Status> {
        let mut upload = match self.open.remove(&handle) {
            Some(Open::Upload(upload)) => upload,
            Some(Open::Failed(refused)) => {
                self.open.insert(handle, Open::Failed(refused.clone()));
                return Err(refused);
            }
            _ => return Err(StatusCode::BadMessage.into()),
        };
        let written = async {
            if offset != upload.at() {
                let only = "files are written in order here";
                return Err(StatusCode::OpUnsupported.with_message(only));
            }
            let written = self.written(&mut upload, data).await;
            written.map_err(|refusal| reply::refused(&refusal))
        };
        let written = self.alive(written).await;
        let open = match &written {
            Ok(()) => Open::Upload(upload),
            Err(refused) => Open::Failed(refused.clone()),
        };
        self.open.insert(handle, open);
        written.map(|()| reply::done(id))
    }

    async fn lstat(&mut self, id: u32, path: String) -> Result<Attrs> {
        self.facts(id, &path).await
    }

    async fn stat(&mut self, id: u32, path: String) -> Result<Attrs> {
        self.facts(id, &path).await
    }

    async fn setstat(&mut self, id: u32, _: String, _: FileAttributes) -> Result<Status> {
        Ok(reply::done(id))
    }

    async fn fsetstat(&mut self, id: u32, _: String, _: FileAttributes) -> Result<Status> {
        Ok(reply::done(id))
    }

    async fn opendir(&mut self, id: u32, path: String) -> Result<Handle> {
        let listed = self.carried_out("LIST", |storage| {
            let entry = |entry: crate::lab::storage::Entry| {
                let is_folder = entry.size.is_none();
                let attributes = reply::attributes(is_folder, entry.size, entry.modified);
                File::new(entry.name, attributes)
            };
            Ok(storage.list(&path).into_iter().map(entry).collect())
        });
        let files = listed.await?;
        self.handle(id, Open::Folder(files))
    }

    async fn readdir(&mut self, id: u32, handle: String) -> Result<Name> {
        match self.open.get_mut(&handle) {
            Some(Open::Folder(files)) if files.is_empty() => Err(StatusCode::Eof.into()),
            Some(Open::Folder(files)) => {
                let next = files.split_off(files.len().min(100));
                let files = std::mem::replace(files, next);
                Ok(Name { id, files })
            }
            _ => Err(StatusCode::BadMessage.into()),
        }
    }

    async fn remove(&mut self, id: u32, path: String) -> Result<Status> {
        self.carried_out("DELE", |storage| storage.delete(&path))
            .await?;
        Ok(reply::done(id))
    }

    async fn realpath(&mut self, id: u32, path: String) -> Result<Name> {
        let files = vec![File::dummy(clean(&path))];
        Ok(Name { id, files })
    }

    async fn rename(&mut self, id: u32, from: String, to: String) -> Result<Status> {
        self.renamed(id, &from, &to, false).await
    }

    async fn extended(&mut self, id: u32, request: String, data: Vec<u8>) -> Result<Packet> {
        match &*request {
            FSYNC => Ok(Packet::Status(reply::done(id))),
            POSIX_RENAME if !self.storage.server.behaviour.no_overwrite => {
                let names = string(&data).and_then(|(from, rest)| Some((from, string(rest)?.0)));
                let (from, to) = names.ok_or_else(|| StatusReply::from(StatusCode::BadMessage))?;
                let renamed = self.renamed(id, &from, &to, true).await?;
                Ok(Packet::Status(renamed))
            }
            _ => Err(StatusCode::OpUnsupported.into()),
        }
    }
}

/// A string of a packet, and what comes behind it.
fn string(data: &[u8]) -> Option<(String, &[u8])> {
    let (length, rest) = data.split_first_chunk()?;
    let length = usize::try_from(u32::from_be_bytes(*length)).ok()?;
    let (text, rest) = rest.split_at_checked(length)?;
    Some((String::from_utf8_lossy(text).into_owned(), rest))
}
