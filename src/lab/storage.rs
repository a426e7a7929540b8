//! What libunftp stores to and reads from: the device of a server, with the faults of its settings.

use std::fmt;
use std::io;
use std::net::IpAddr;
use std::ops::RangeInclusive;
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::time::{Duration, SystemTime};

use async_trait::async_trait;
use libunftp::ServerBuilder;
use libunftp::options::Binder;
use tokio::io::{AsyncRead, AsyncReadExt, AsyncWrite, AsyncWriteExt};
use tokio::net::{TcpSocket, TcpStream};
use unftp_core::auth::DefaultUser;
use unftp_core::storage::{
    Error, ErrorKind, FEATURE_RESTART, Fileinfo, Metadata, Result, StorageBackend,
};

use super::device::{clean, text_of};
use super::draw::Pauses;
use super::life::Boot;
use super::login::Logins;
use super::pace::Pace;
use super::relay::Session;
use super::server::{ServedKind, Server};

/// Bytes that a transfer moves at once.
const PIECE: usize = 32 * 1024;
/// How long a transfer that is cut waits for bytes that it leaves unread.
const UNREAD: Duration = Duration::from_millis(100);
/// Bytes that the kernel may hold for a data connection, each way. With its own idea of it, a slow
/// or silent entity would seem to take megabytes that it never takes.
const SOCKET_BUFFER: u64 = 256 * 1024;
const SMALLEST_SOCKET_BUFFER: u64 = 16 * 1024;

/// Runs one session on a control connection.
pub(super) async fn serve(
    server: &Arc<Server>,
    boot: Boot,
    session: &Arc<Session>,
    control: TcpStream,
) -> io::Result<()> {
    let backend = Backend {
        server: Arc::clone(server),
        boot,
        session: Arc::clone(session),
    };
    let logins = Logins {
        user: server.user.clone(),
        refuse: server.behaviour.refuse_login,
    };
    // libunftp gives a server's binder to its first session only; so each session has a server.
    let unftp =
        ServerBuilder::with_authenticator(Box::new(move || backend.clone()), Arc::new(logins))
            .greeting("subtend lab")
            // Sessions end with their control connection, and with the lab.
            .idle_session_timeout(24 * 60 * 60)
            // Its own logger would write to whatever logger the process has, and it writes a lot.
            .logger(slog::Logger::root(slog::Discard, slog::o!()))
            .binder(Passive {
                receive: buffer(server.behaviour.rate),
                send: buffer(server.behaviour.read_rate.or(server.behaviour.rate)),
            })
            .build()
            .map_err(io::Error::other)?;
    unftp.service(control).await.map_err(io::Error::other)
}

/// Opens the listeners of data connections: on the session's own address, on any free port.
#[derive(Debug)]
struct Passive {
    receive: u32,
    send: u32,
}

/// Bytes of a socket buffer, for what moves at this rate.
fn buffer(rate: Option<u64>) -> u32 {
    let bytes = match rate {
        None => SOCKET_BUFFER,
        Some(rate) => (rate / 8).clamp(SMALLEST_SOCKET_BUFFER, SOCKET_BUFFER),
    };
    u32::try_from(bytes).unwrap_or(u32::MAX)
}

#[async_trait]
impl Binder for Passive {
    async fn bind(&mut self, ip: IpAddr, _: RangeInclusive<u16>) -> io::Result<TcpSocket> {
        let socket = match ip {
            IpAddr::V4(_) => TcpSocket::new_v4()?,
            IpAddr::V6(_) => TcpSocket::new_v6()?,
        };
        socket.set_recv_buffer_size(self.receive)?;
        socket.set_send_buffer_size(self.send)?;
        socket.bind((ip, 0).into())?;
        Ok(socket)
    }
}

/// A server's device in one boot, as libunftp sees it.
#[derive(Debug, Clone)]
struct Backend {
    server: Arc<Server>,
    boot: Boot,
    session: Arc<Session>,
}

impl Backend {
    /// What the work comes to, or an error once the server is dead.
    async fn while_alive<T>(&self, work: impl Future<Output = Result<T>>) -> Result<T> {
        self.server
            .while_alive(self.boot, work)
            .await
            .unwrap_or_else(|| Err(dead()))
    }

    /// Receives a file into the device; what has arrived stays there, however this ends.
    async fn receive(
        &self,
        mut input: impl AsyncRead + Unpin,
        path: &str,
        start: u64,
    ) -> Result<u64> {
        let server = &*self.server;
        let behaviour = &server.behaviour;
        if behaviour.read_only {
            return Err(refused(ErrorKind::FileNameNotAllowedError, "read-only"));
        }
        let elsewhere = format!("{path}.1");
        let is_taken = || start == 0 && server.device.file(path).is_some();
        if behaviour.no_replace && is_taken() {
            return Err(refused(ErrorKind::FileNameNotAllowedError, "file exists"));
        }
        let path = match behaviour.store_elsewhere && is_taken() {
            true => &elsewhere,
            false => path,
        };
        let file = server
            .device
            .open_for_writing(path, start)
            .ok_or_else(|| refused(ErrorKind::PermanentFileNotAvailable, "no such offset"))?;
        let drop_at = self.cut(ServedKind::Entity);
        let truncate_at = (behaviour.truncate_at).filter(|_| server.kind == ServedKind::Entity);
        let mut pace = Pace::new(behaviour.rate);
        let mut buffer = vec![0; PIECE];
        let mut at = start;
        let mut pauses = behaviour.pause.map(|pause| {
            let random = behaviour.random_pauses;
            (pause, Pauses::new(pause, random, &server.name, start))
        });
        let result = loop {
            if drop_at == Some(at) && server.drops_now() {
                // With bytes that nobody read, the end of a connection is a reset (RFC 1122,
                // section 4.2.2.13); the system's socket is out of reach.
                let _ = tokio::time::timeout(UNREAD, input.read(&mut [0])).await;
                self.go_down().await;
                break Err(refused(ErrorKind::ConnectionClosed, "dropped on purpose"));
            }
            if behaviour.silent_at == Some(at) {
                std::future::pending::<()>().await;
            }
            if behaviour.confirm_at == Some(at) {
                self.session.say("226 Stored");
                std::future::pending::<()>().await;
            }
            if behaviour.hang_up_at == Some(at) {
                self.session.hang_up();
            }
            if let Some((pause, pauses)) = &mut pauses
                && pauses.next() == at
            {
                tokio::time::sleep(pause.length).await;
                pauses.advance();
            }
            let most = until(
                at,
                PIECE.min(pace.slice()),
                &[
                    behaviour.disk_full_at,
                    drop_at,
                    truncate_at,
                    behaviour.silent_at,
                    behaviour.confirm_at,
                    behaviour.hang_up_at,
                    pauses.as_ref().map(|(_, pauses)| pauses.next()),
                ],
            );
            let count = match input.read(&mut buffer[..most]).await {
                Ok(0) => break Ok(at - start),
                Ok(count) => count,
                Err(error) => break Err(Error::from(error)),
            };
            if !server.serves(self.boot) {
                // Silenced or killed while it was read: what polls this stops doing so.
                std::future::pending::<()>().await;
            }
            if behaviour.disk_full_at.is_some_and(|full| at >= full) {
                break Err(refused(
                    ErrorKind::ExceededStorageAllocationError,
                    "disk full on purpose",
                ));
            }
            corrupt(behaviour.corrupt_at, at, &mut buffer[..count]);
            if truncate_at.is_none_or(|end| at < end) {
                file.append(server.device.chunks(), &buffer[..count]);
            }
            server.received.add(count as u64);
            at += count as u64;
            pace.moved(count).await;
        };
        file.close();
        drop(input);
        if let (Ok(_), Some(time)) = (&result, behaviour.confirm_after) {
            tokio::time::sleep(time).await;
        }
        if result.is_ok() {
            if behaviour.no_confirm {
                std::future::pending::<()>().await;
            }
            if behaviour.gone_after_store {
                server.device.delete(path);
            }
            self.session.say_instead(behaviour.confirm_reply.as_ref());
            server.stored();
        }
        result
    }

    /// Sends a file of the device.
    async fn send(
        &self,
        output: &mut (impl AsyncWrite + Unpin + ?Sized),
        path: &str,
        start: u64,
    ) -> Result<u64> {
        let server = &*self.server;
        let behaviour = &server.behaviour;
        let file = self.find(path)?;
        if behaviour.no_read {
            return Err(refused(ErrorKind::PermissionDenied, "not to be read"));
        }
        let is_source = server.kind == ServedKind::FileServer;
        let size = file.size();
        if start > size {
            return Err(refused(
                ErrorKind::PermanentFileNotAvailable,
                "no such offset",
            ));
        }
        let end = match behaviour.truncate_at {
            Some(early) => size.min(early),
            None => size,
        };
        let drop_at = self.cut(ServedKind::FileServer);
        let silent_at = behaviour.silent_at.filter(|_| is_source);
        let mut pace = Pace::new(behaviour.read_rate.or(behaviour.rate));
        let mut buffer = vec![0; PIECE];
        let mut at = start;
        loop {
            if drop_at == Some(at) && server.drops_now() {
                self.go_down().await;
                return Err(refused(ErrorKind::ConnectionClosed, "dropped on purpose"));
            }
            if silent_at == Some(at) {
                std::future::pending::<()>().await;
            }
            let dies_at = (behaviour.dies_at)
                .map(|all| at.saturating_add(all.saturating_sub(server.sent.get())));
            if dies_at == Some(at) {
                server.kill();
                // Whoever polls this stops doing so.
                std::future::pending::<()>().await;
            }
            let most = until(
                at,
                PIECE.min(pace.slice()),
                &[Some(end), drop_at, silent_at, dies_at],
            );
            let most = if at < end { most } else { 0 };
            let count = file.read(at, &mut buffer[..most]);
            if count == 0 {
                output.flush().await?;
                return Ok(at - start);
            }
            if is_source {
                corrupt(behaviour.corrupt_at, at, &mut buffer[..count]);
            }
            corrupt(behaviour.corrupt_read_at, at, &mut buffer[..count]);
            output.write_all(&buffer[..count]).await?;
            server.sent.add(count as u64);
            at += count as u64;
            pace.moved(count).await;
        }
    }

    /// The end of this boot, where a cut is one; never comes back then.
    async fn go_down(&self) {
        let Some(down_for) = self.server.behaviour.down_for else {
            return;
        };
        if let Some(back) = self.server.restart(down_for) {
            // It waits for the end of this very transfer. The lab's runtime ends it at the latest.
            tokio::spawn(back);
        }
        std::future::pending::<()>().await;
    }

    fn find(&self, path: &str) -> Result<Arc<super::device::File>> {
        self.server
            .device
            .file(path)
            .ok_or_else(|| refused(ErrorKind::PermanentFileNotAvailable, "no such file"))
    }

    /// Where a transfer is cut, in the direction that this kind of server is about.
    fn cut(&self, kind: ServedKind) -> Option<u64> {
        self.server
            .behaviour
            .drop_at
            .filter(|_| self.server.kind == kind)
    }
}

/// How many bytes may be moved at once without passing one of the offsets where something happens;
/// at least one.
fn until(at: u64, most: usize, offsets: &[Option<u64>]) -> usize {
    offsets
        .iter()
        .flatten()
        .filter(|offset| **offset > at)
        .fold(most, |most, offset| {
            usize::try_from(offset - at).map_or(most, |left| most.min(left))
        })
        .max(1)
}

/// Changes the byte at an offset, where it is among these.
fn corrupt(offset: Option<u64>, at: u64, bytes: &mut [u8]) {
    if let Some(index) = offset.and_then(|offset| offset.checked_sub(at))
        && let Ok(index) = usize::try_from(index)
        && let Some(byte) = bytes.get_mut(index)
    {
        *byte ^= 0x55;
    }
}

fn refused(kind: ErrorKind, why: &str) -> Error {
    Error::new(kind, why)
}

/// A killed server answers nothing; this is never sent.
fn dead() -> Error {
    refused(ErrorKind::ConnectionClosed, "the server is gone")
}

#[async_trait]
impl StorageBackend<DefaultUser> for Backend {
    type Metadata = Facts;

    fn supported_features(&self) -> u32 {
        // Without it, libunftp answers REST with 502 and FEAT does not name it.
        if self.server.behaviour.no_rest {
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
        let file = self.find(&text_of(path.as_ref()))?;
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
        let folder = clean(&text_of(path.as_ref()));
        let prefix = format!("{}/", folder.trim_end_matches('/'));
        let mut found: Vec<Fileinfo<PathBuf, Facts>> = Vec::new();
        for name in self.server.device.names() {
            let Some(rest) = name.strip_prefix(&prefix) else {
                continue;
            };
            let (path, metadata) = match (rest.split_once('/'), self.server.device.file(&name)) {
                (Some((folder, _)), _) => (
                    PathBuf::from(format!("{prefix}{folder}")),
                    Facts {
                        size: None,
                        modified: SystemTime::UNIX_EPOCH,
                    },
                ),
                (None, Some(file)) => (
                    PathBuf::from(&name),
                    Facts {
                        size: Some(file.size()),
                        modified: file.modified(),
                    },
                ),
                (None, None) => continue,
            };
            // Names are sorted, so those below one folder follow each other.
            if found.last().is_none_or(|last| last.path != path) {
                found.push(Fileinfo { path, metadata });
            }
        }
        Ok(found)
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
        let _token = self.server.token();
        let path = text_of(path.as_ref());
        let sending = self.send(output, &path, start_pos);
        self.while_alive(sending).await
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
        let _token = self.server.token();
        let path = text_of(path.as_ref());
        let receiving = self.receive(input, &path, start_pos);
        self.while_alive(receiving).await
    }

    async fn del<P: AsRef<Path> + Send + fmt::Debug>(
        &self,
        _: &DefaultUser,
        path: P,
    ) -> Result<()> {
        if self.server.behaviour.no_delete {
            return Err(refused(ErrorKind::PermissionDenied, "deletes nothing"));
        }
        if self.server.device.delete(&text_of(path.as_ref())) {
            Ok(())
        } else {
            Err(refused(
                ErrorKind::PermanentFileNotAvailable,
                "no such file",
            ))
        }
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
        let behaviour = &self.server.behaviour;
        let (from, mut to) = (text_of(from.as_ref()), text_of(to.as_ref()));
        let reply = behaviour.rename_reply.as_ref();
        if behaviour.refuse_rename {
            self.session.say_instead(reply);
            return Err(refused(
                ErrorKind::FileNameNotAllowedError,
                "renames nothing",
            ));
        }
        if self.server.rename_is_busy() {
            self.session.say_instead(reply);
            return Err(refused(ErrorKind::TransientFileNotAvailable, "busy"));
        }
        if behaviour.no_rename_to.as_ref() == Some(&to) {
            self.session.say_instead(reply);
            return Err(refused(
                ErrorKind::FileNameNotAllowedError,
                "a name of its own",
            ));
        }
        if behaviour.false_rename {
            return Ok(());
        }
        if behaviour.no_overwrite && self.server.device.file(&to).is_some() {
            self.session.say_instead(reply);
            return Err(refused(ErrorKind::FileNameNotAllowedError, "file exists"));
        }
        if behaviour.rename_elsewhere {
            to.push_str(".1");
        }
        if self.server.device.rename(&from, &to) {
            Ok(())
        } else {
            Err(refused(
                ErrorKind::PermanentFileNotAvailable,
                "no such file",
            ))
        }
    }

    async fn rmd<P: AsRef<Path> + Send + fmt::Debug>(&self, _: &DefaultUser, _: P) -> Result<()> {
        Err(refused(ErrorKind::PermissionDenied, "keeps its folders"))
    }

    async fn cwd<P: AsRef<Path> + Send + fmt::Debug>(&self, _: &DefaultUser, _: P) -> Result<()> {
        Ok(())
    }
}

/// What is known about a file, or a folder, which has no size.
#[derive(Debug)]
pub(super) struct Facts {
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
