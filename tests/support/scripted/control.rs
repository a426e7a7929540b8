//! A scripted server's side of one control connection.

use std::io;
use std::net::{IpAddr, SocketAddr};
use std::sync::Arc;
use std::time::Duration;

use md5::Md5;
use sha1::Sha1;
use sha2::{Digest, Sha256};
use tokio::io::{AsyncBufReadExt, AsyncReadExt, AsyncWriteExt, BufReader};
use tokio::net::{TcpListener, TcpSocket, TcpStream};

use super::files::File;
use super::script::{Action, ConnState, FOREVER, Greeting, Passive, Reply, verb_of};
use super::{Connection, Shared, transfer};
use crate::tls::Wire;

/// The session, as its own commands see it.
pub(super) struct Session {
    pub(super) shared: Arc<Shared>,
    pub(super) control: BufReader<Wire>,
    pub(super) state: ConnState,
    pub(super) listener: Option<TcpListener>,
    /// From `PORT` and `EPRT`.
    pub(super) connect_to: Option<SocketAddr>,
    /// Data connections that a script left open: index of the upload, if it is one, and the socket.
    pub(super) left_open: Vec<(Option<usize>, Wire)>,
    /// What is said last is not sent, and the session ends.
    is_lost: bool,
}

/// Whether the session goes on.
#[derive(PartialEq, Eq)]
pub(super) enum Next {
    GoOn,
    End,
}

/// One control connection, from its greeting to its end.
pub(super) async fn serve(socket: TcpStream, shared: Arc<Shared>) {
    let mut connection = 0;
    let mut open = 0;
    shared.log.send_modify(|log| {
        connection = log.connections.len();
        open = log.connections.iter().filter(|other| !other.ended).count();
        log.connections.push(Connection::default());
    });
    let mut session = Session {
        control: BufReader::new(Wire::Plain(socket)),
        state: ConnState {
            connection,
            commands: Vec::new(),
            binary: false,
            offset: 0,
            rename_from: None,
            private: false,
            utf8: false,
        },
        listener: None,
        connect_to: None,
        left_open: Vec::new(),
        is_lost: false,
        shared: Arc::clone(&shared),
    };
    // A client that left is not an error of the server's.
    let behaviour = &shared.script.behaviour;
    let busy = within(
        connection,
        behaviour.busy_after,
        behaviour.busy_times.or(Some(0)),
    );
    let full = (behaviour.max_sessions).is_some_and(|most| open >= usize::try_from(most).unwrap());
    let _ = if busy || full {
        match behaviour.busy_reply.as_deref() {
            Some("") => Ok(()),
            said => (session.say(said.unwrap_or("421 too many sessions")).await).map(|_| ()),
        }
    } else {
        session.run().await
    };
    let Session {
        control, left_open, ..
    } = session;
    drop(control);
    shared
        .log
        .send_modify(|log| log.connections[connection].ended = true);
    for (upload, data) in left_open {
        transfer::drain(&shared, upload, data).await;
    }
}

impl Session {
    async fn run(&mut self) -> io::Result<()> {
        // A reply that was said has been sent: tests rely on that order.
        self.control.get_ref().socket().set_nodelay(true)?;
        if self
            .shared
            .script
            .tls
            .as_ref()
            .is_some_and(|tls| tls.implicit)
        {
            self.secure().await?;
        }
        match self.shared.script.greeting.clone() {
            Greeting::Bytes(bytes) => self.control.get_mut().write_all(&bytes).await?,
            Greeting::Later { first, after, then } => {
                self.control.get_mut().write_all(&first).await?;
                self.wait(after).await?;
                self.control.get_mut().write_all(&then).await?;
            }
            Greeting::Drip { bytes, every } => {
                self.reply(&Reply::Drip { bytes, every }).await?;
            }
            Greeting::Endless => loop {
                self.say("220-and another thing").await?;
                tokio::time::sleep(Duration::from_millis(1)).await;
            },
            Greeting::Never => {}
        }
        let silent = matches!(self.shared.script.greeting, Greeting::Never);
        let mut line = Vec::new();
        loop {
            line.clear();
            if self.control.read_until(b'\n', &mut line).await? == 0 {
                return Ok(());
            }
            let text = String::from_utf8_lossy(&line).trim_end().to_owned();
            self.state.commands.push(text.clone());
            self.shared.log.send_modify(|log| {
                log.connections[self.state.connection]
                    .commands
                    .push(text.clone());
            });
            if !silent && self.answer(&text).await? == Next::End {
                return Ok(());
            }
        }
    }

    /// What the script says about a command, else what a good server does.
    async fn answer(&mut self, line: &str) -> io::Result<Next> {
        let shared = Arc::clone(&self.shared);
        let behaviour = &shared.script.behaviour;
        let verb = verb_of(line);
        let delays = [behaviour.latency.as_ref(), behaviour.delays.get(&verb)];
        for delay in delays.into_iter().flatten() {
            self.wait(*delay).await?;
        }
        let number = shared.log.borrow().count(&verb) - 1;
        let hangs_up = |named: &Option<String>| {
            named.as_ref() == Some(&verb)
                && within(number, behaviour.hang_up_skip, behaviour.hang_up_times)
        };
        if hangs_up(&behaviour.hang_up_on) {
            return Ok(Next::End);
        }
        if let Some(handler) = &shared.script.handler
            && let Action::Reply(reply) = handler(line, &mut self.state)
        {
            return self.reply(&reply).await;
        }
        if let Some(reply) = shared.script.replies.get(&verb) {
            return self.reply(reply).await;
        }
        self.is_lost = hangs_up(&behaviour.hang_up_after);
        let argument = line.split_once(' ').map_or("", |(_, argument)| argument);
        let refusal = self.refusal(line, &verb, argument);
        let next = match refusal {
            Some(reply) => self.say(&reply).await?,
            None => self.carry_out(&verb, argument).await?,
        };
        Ok(if self.is_lost { Next::End } else { next })
    }

    /// What a command is answered with that is not carried out.
    fn refusal(&self, line: &str, verb: &str, argument: &str) -> Option<String> {
        let behaviour = &self.shared.script.behaviour;
        if let Some(reply) = behaviour.replies.get(verb) {
            return Some(reply.clone());
        }
        if let Some(needed) = &behaviour.store_needs {
            let is_said = |line: &String| line.to_uppercase().starts_with(&needed.to_uppercase());
            if is_said(&line.to_owned()) {
                return Some("200 noted".into());
            }
            if verb == "STOR" && !self.state.commands.iter().any(is_said) {
                return Some(match needed.eq_ignore_ascii_case("ACCT") {
                    true => "532 need account for storing files".into(),
                    false => format!("503 {needed} first"),
                });
            }
        }
        let is_of_a_file = [
            "STOR", "RETR", "SIZE", "MDTM", "RNFR", "RNTO", "DELE", "XSHA256",
        ]
        .contains(&verb);
        let refused = [
            ("PASS", behaviour.refuse_login, "530 not you"),
            ("REST", behaviour.no_rest, "502 can't restart"),
            ("RNFR", behaviour.no_rename, "502 can't rename"),
            ("DELE", behaviour.no_delete, "550 not yours"),
            ("STOR", behaviour.read_only, "553 not here"),
            ("RETR", behaviour.no_read, "550 not to be read"),
            ("SIZE", behaviour.no_size, "550 not a plain file"),
        ];
        let bare = behaviour.no_paths && is_of_a_file && argument.contains('/');
        (refused.into_iter())
            .find(|(what, is_so, _)| *what == verb && *is_so)
            .map(|(_, _, reply)| reply)
            .or_else(|| bare.then_some("553 absolute paths are not allowed"))
            .map(str::to_owned)
    }

    /// Waits; with [`FOREVER`], until the client has left.
    pub(super) async fn wait(&mut self, time: Duration) -> io::Result<()> {
        if time == FOREVER {
            let mut ignored = [0; 256];
            while self.control.read(&mut ignored).await? > 0 {}
            return Err(io::ErrorKind::UnexpectedEof.into());
        }
        tokio::time::sleep(time).await;
        Ok(())
    }

    async fn reply(&mut self, reply: &Reply) -> io::Result<Next> {
        let control = self.control.get_mut();
        match reply {
            Reply::Bytes(bytes) => control.write_all(bytes).await?,
            Reply::Drip { bytes, every } => {
                for byte in bytes {
                    control.write_all(&[*byte]).await?;
                    tokio::time::sleep(*every).await;
                }
            }
            Reply::Never => {}
            Reply::Close => return Ok(Next::End),
            Reply::Reset => {
                socket2::SockRef::from(control.socket()).set_linger(Some(Duration::ZERO))?;
                return Ok(Next::End);
            }
        }
        Ok(Next::GoOn)
    }

    /// A reply whose bytes keep coming.
    pub(super) async fn drip(&mut self, begin: &str) -> io::Result<()> {
        self.control.get_mut().write_all(begin.as_bytes()).await?;
        loop {
            self.control.get_mut().write_all(b"x").await?;
            tokio::time::sleep(Duration::from_millis(50)).await;
        }
    }

    pub(super) async fn say(&mut self, line: &str) -> io::Result<Next> {
        if self.is_lost && !line.starts_with('1') {
            return Ok(Next::End);
        }
        let line = format!("{line}\r\n");
        self.control.get_mut().write_all(line.as_bytes()).await?;
        Ok(Next::GoOn)
    }

    /// The handshake. What the client said too early in clear text is thrown away.
    async fn secure(&mut self) -> io::Result<()> {
        let shared = Arc::clone(&self.shared);
        let Some(acceptor) = &shared.acceptor else {
            return Err(io::ErrorKind::Unsupported.into());
        };
        let wire = std::mem::replace(self.control.get_mut(), Wire::Gone);
        self.control = BufReader::new(wire.secured(acceptor).await?);
        Ok(())
    }

    /// What a good server does.
    async fn carry_out(&mut self, verb: &str, argument: &str) -> io::Result<Next> {
        let path = self.shared.kept(argument, self.state.utf8);
        match verb {
            "USER" => self.say("331 password please").await,
            "PASS" => self.say("230 welcome").await,
            "TYPE" => {
                self.state.binary = argument.to_uppercase().starts_with('I');
                self.say("200 as you like").await
            }
            "AUTH" if argument == "TLS" && self.shared.acceptor.is_some() => {
                let injects = self
                    .shared
                    .script
                    .tls
                    .as_ref()
                    .map_or("", |tls| tls.injects);
                self.say(&format!("234 go on\r\n{injects}")).await?;
                self.secure().await?;
                Ok(Next::GoOn)
            }
            "PBSZ" if self.shared.acceptor.is_some() => self.say("200 PBSZ=0").await,
            "PROT" if self.shared.acceptor.is_some() => {
                self.state.private = argument == "P";
                self.say("200 as you like").await
            }
            "PORT" | "EPRT" if self.shared.script.active => {
                self.connect_to = told_address(verb, argument);
                match self.connect_to {
                    Some(_) => self.say("200 I will").await,
                    None => self.say("501 where?").await,
                }
            }
            "PASV" | "EPSV" => self.passive(verb == "EPSV").await,
            "STOR" => transfer::store(self, path).await,
            "RETR" => transfer::retrieve(self, path).await,
            "MLSD" if self.shared.script.lists => {
                let files = self.shared.files.lock().unwrap().clone();
                let line = |(path, file): (&String, &File)| {
                    let name = path.rsplit('/').next().unwrap_or_default();
                    format!("type=file;size={}; {name}\r\n", file.len())
                };
                let text: String = files.iter().map(line).collect();
                transfer::listing(self, text.as_bytes()).await
            }
            "MLSD" | "LIST" | "NLST" => {
                let shared = Arc::clone(&self.shared);
                match shared.script.listings.get(verb) {
                    Some(text) => transfer::listing(self, text).await,
                    None => self.say("502 never heard of it").await,
                }
            }
            "REST" => match argument.parse() {
                Ok(offset) => {
                    self.state.offset = offset;
                    self.say("350 go on").await
                }
                Err(_) => self.say("501 no number").await,
            },
            "SIZE" => match self.size_of(&path) {
                Some(size) => self.say(&format!("213 {size}")).await,
                None => self.say("550 no such file").await,
            },
            "MDTM" => match self.length_of(&path) {
                Some(_) => self.say("213 20020709120000").await,
                None => self.say("550 no such file").await,
            },
            "RNFR" => match self.length_of(&path) {
                found if found.is_some() || self.shared.script.behaviour.rnfr_any => {
                    self.state.rename_from = Some(path);
                    self.say("350 to what?").await
                }
                _ => self.say("550 no such file").await,
            },
            "RNTO" => {
                let reply = self.rename(path);
                self.say(&reply).await
            }
            "DELE" => {
                let removed = self.shared.files.lock().unwrap().remove(&path);
                match removed {
                    Some(_) => self.say("250 deleted").await,
                    None => self.say("550 no such file").await,
                }
            }
            "FEAT" => {
                let behaviour = &self.shared.script.behaviour;
                let mut lines = String::from("211-I can\r\n SIZE\r\n MDTM\r\n");
                if !behaviour.no_rest {
                    lines += " REST STREAM\r\n";
                }
                if behaviour.encode_names {
                    lines += " UTF8\r\n";
                }
                for digest in &self.shared.script.digests {
                    match *digest {
                        "HASH" => lines += " HASH SHA-256*\r\n",
                        digest => lines += &format!(" {digest}\r\n"),
                    }
                }
                self.say(&format!("{lines}211 end")).await
            }
            "OPTS" if argument.eq_ignore_ascii_case("UTF8 ON") => {
                self.state.utf8 = true;
                self.say("200 fine").await
            }
            "OPTS" | "NOOP" | "CWD" => self.say("200 fine").await,
            "PWD" => self.say("257 \"/\"").await,
            "ABOR" => self.say("226 nothing to abort").await,
            "QUIT" => {
                self.say("221 bye").await?;
                Ok(Next::End)
            }
            digest if self.shared.script.digests.contains(&digest) => {
                // Only `HASH` takes a path alone: the others take a range behind it, so that a path
                // with spaces stands in quotes.
                let path = match argument.strip_prefix('"') {
                    Some(quoted) => quoted.trim_end_matches('"'),
                    None if digest == "HASH" => argument,
                    None => argument.split(' ').next().unwrap_or_default(),
                };
                let path = self.shared.kept(path, self.state.utf8);
                let reply = match self.stored(&path) {
                    Some(bytes) => digest_reply(digest, argument, &bytes),
                    None => "550 no such file".into(),
                };
                self.say(&reply).await
            }
            _ => self.say("502 never heard of it").await,
        }
    }

    pub(super) fn stored(&self, path: &str) -> Option<Vec<u8>> {
        let files = self.shared.files.lock().unwrap();
        files.get(path).map(File::bytes)
    }

    pub(super) fn length_of(&self, path: &str) -> Option<usize> {
        self.shared.files.lock().unwrap().get(path).map(File::len)
    }

    /// The length of a file, as the server has it.
    fn size_of(&self, path: &str) -> Option<u64> {
        let length = u64::try_from(self.length_of(path)?).unwrap();
        let behaviour = &self.shared.script.behaviour;
        let stored = *self.shared.stored.lock().unwrap();
        let is_late = |late| stored.is_some_and(|at| at.elapsed() < late);
        if behaviour.size_after.is_some_and(is_late) {
            return Some(0);
        }
        let block = behaviour.size_block.unwrap_or(1);
        Some(length.div_ceil(block) * block)
    }

    fn rename(&mut self, to: String) -> String {
        let Some(from) = self.state.rename_from.take() else {
            return "503 rename what?".into();
        };
        let behaviour = &self.shared.script.behaviour;
        let number = self.shared.log.borrow().count("RNTO");
        let mut files = self.shared.files.lock().unwrap();
        let busy = behaviour.busy_renames.unwrap_or(0);
        let refused = match () {
            () if behaviour.refuse_rename => Some("553 not that name"),
            () if number <= usize::try_from(busy).unwrap() => Some("450 busy"),
            () if behaviour.no_rename_to.as_ref() == Some(&to) => Some("553 a name of its own"),
            () if behaviour.no_overwrite && files.contains_key(&to) => Some("553 file exists"),
            () => None,
        };
        if let Some(refused) = refused {
            return (behaviour.rename_reply.clone()).unwrap_or_else(|| refused.into());
        }
        let to = match behaviour.rename_elsewhere {
            true => format!("{to}.1"),
            false => to,
        };
        if behaviour.false_rename {
            return "250 renamed".into();
        }
        match files.remove(&from) {
            Some(file) => {
                files.insert(to, file);
                "250 renamed".into()
            }
            None => "550 no such file".into(),
        }
    }

    async fn passive(&mut self, extended: bool) -> io::Result<Next> {
        let ip = match self.shared.script.passive {
            Passive::OnlyAt(host) => host.into(),
            _ => self.control.get_ref().socket().local_addr()?.ip(),
        };
        let socket = match ip {
            IpAddr::V4(_) => TcpSocket::new_v4()?,
            IpAddr::V6(_) => TcpSocket::new_v6()?,
        };
        if let Some(bytes) = self.shared.script.receive_buffer {
            // Accepted connections have the same.
            socket.set_recv_buffer_size(u32::try_from(bytes).unwrap())?;
        }
        socket.bind(SocketAddr::new(ip, 0))?;
        let listener = socket.listen(8)?;
        let port = listener.local_addr()?.port();
        let style = self.shared.script.passive;
        self.listener = (style != Passive::DeadPort).then_some(listener);
        if extended {
            return self
                .say(&format!("229 Entering Extended Passive Mode (|||{port}|)"))
                .await;
        }
        let [a, b, c, d] = match (style, self.shared.script.behaviour.pasv_host) {
            (Passive::OnlyAt(host), _) => host,
            (_, Some(host)) => host.octets(),
            _ => [127, 0, 0, 1],
        };
        let numbers = format!("{a},{b},{c},{d},{},{}", port / 256, port % 256);
        match style {
            Passive::NoParentheses => {
                self.say(&format!("227 Entering Passive Mode {numbers}"))
                    .await
            }
            _ => {
                self.say(&format!("227 Entering Passive Mode ({numbers})"))
                    .await
            }
        }
    }
}

/// Whether this one, counted from 0, is among those `times` that come after the first `skip`.
fn within(number: usize, skip: Option<u32>, times: Option<u32>) -> bool {
    let number = u32::try_from(number).unwrap();
    number >= skip.unwrap_or(0) && times.is_none_or(|times| number - skip.unwrap_or(0) < times)
}

/// `h1,h2,h3,h4,p1,p2` and `|1|address|port|`.
fn told_address(verb: &str, argument: &str) -> Option<SocketAddr> {
    if verb == "EPRT" {
        let parts: Vec<&str> = argument.split('|').collect();
        return Some(SocketAddr::new(
            parts.get(2)?.parse().ok()?,
            parts.get(3)?.parse().ok()?,
        ));
    }
    let numbers: Result<Vec<u8>, _> = argument.split(',').map(str::parse).collect();
    let [a, b, c, d, high, low] = numbers.ok()?[..] else {
        return None;
    };
    Some(SocketAddr::from((
        [a, b, c, d],
        u16::from_be_bytes([high, low]),
    )))
}

fn digest_reply(verb: &str, argument: &str, bytes: &[u8]) -> String {
    match verb {
        "HASH" => format!(
            "213 SHA-256 0-{} {} {argument}",
            bytes.len(),
            hex::encode(Sha256::digest(bytes))
        ),
        "XSHA256" => format!("250 {}", hex::encode_upper(Sha256::digest(bytes))),
        "XSHA1" => format!("250 {}", hex::encode_upper(Sha1::digest(bytes))),
        "XMD5" => format!("250 {}", hex::encode_upper(Md5::digest(bytes))),
        "XCRC" => format!("250 {:08X}", crc32fast::hash(bytes)),
        other => format!("504 {other} is not a digest"),
    }
}
