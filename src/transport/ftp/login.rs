//! The beginning of a session: connected, logged in, set to binary, and gone where its file is.

use std::time::Duration;

use secrecy::ExposeSecret;
use tokio::time::Instant;

use crate::model::{Failure, Fault, Login, RemotePath, Step};
use crate::transport::{Endpoint, Remote};

use super::connect::connected;
use super::features;
use super::quirks::ServerQuirks;
use super::reply::Kind;
use super::session::Session;

/// A server with room for one session says `421` until it has noticed that the last one ended.
const ROOM: Duration = Duration::from_secs(2);
/// Between attempts to open a session meanwhile.
const AGAIN: Duration = Duration::from_millis(200);

impl Session {
    /// Connects, logs in, asks for binary transfers, and goes where the file is.
    pub(super) async fn open(quirks: &ServerQuirks, remote: &Remote) -> Result<Self, Failure> {
        let mut session = Self::open_at(quirks, &remote.endpoint, remote.path.as_str()).await?;
        session.go_to(&remote.path).await?;
        Ok(session)
    }

    /// As [`Self::open`], for more than one file. `path` shows what kind of names will be said.
    pub(super) async fn open_at(
        quirks: &ServerQuirks,
        endpoint: &Endpoint,
        path: &str,
    ) -> Result<Self, Failure> {
        let until = Instant::now() + ROOM;
        // Some only hang up: a user that was let in before is let in again.
        let hangs_up = |failure: &Failure| {
            failure.step == Step::Connect
                && matches!(failure.fault, Fault::Lost { .. })
                && quirks.has_let_in(&endpoint.address, &endpoint.login.user)
        };
        loop {
            // The largest part of whatever begins with a session, and soon over: memory of its own.
            match Box::pin(Self::open_once(quirks, endpoint, path)).await {
                Err(failure)
                    if (hangs_up(&failure)
                        || matches!(
                            failure.fault,
                            Fault::Reply { code: 421, .. } | Fault::Busy { .. }
                        ))
                        && Instant::now() < until =>
                {
                    tokio::time::sleep(AGAIN).await;
                }
                opened => return opened,
            }
        }
    }

    async fn open_once(
        quirks: &ServerQuirks,
        endpoint: &Endpoint,
        path: &str,
    ) -> Result<Self, Failure> {
        let at_connect = |fault| Failure::new(Step::Connect, fault);
        let control = connected(quirks, endpoint).await.map_err(at_connect)?;
        let mut session = Self::new(control, quirks, endpoint);
        let is_protected = session.is_over_tls()
            && !session.known().protects_late
            && session.protect_data(false).await?;
        session.log_in(&endpoint.login).await?;
        if session.is_over_tls() && !is_protected {
            session.protect_data(true).await?;
            session.learn(|quirks| quirks.protects_late = true);
        }
        session.ask_for_binary().await?;
        if !path.is_ascii() {
            session.ask_for_utf8().await?;
        }
        Ok(session)
    }

    /// With TLS from the first byte on too, data connections are in clear text unless this is said
    /// (RFC 4217 sections 8 and 9). `Ok(false)`: the server may take it once somebody is logged in.
    async fn protect_data(&mut self, is_logged_in: bool) -> Result<bool, Failure> {
        for command in ["PBSZ 0", "PROT P"] {
            let reply = self.command(Step::Connect, command).await?;
            match reply.kind() {
                Kind::Done => continue,
                // A buffer size of 0 is the only one over TLS: a server that knows no other may know no
                // command for it.
                Kind::NotKnown if command == "PBSZ 0" => continue,
                Kind::ForNow => return Err(Failure::new(Step::Connect, reply.fault())),
                // Refused for what they are (RFC 2228 section 5), not for when they come.
                _ if !is_logged_in && !matches!(reply.code, 534 | 536) => return Ok(false),
                _ => {
                    let fault = Fault::TlsRefused {
                        command: command.into(),
                        reply: reply.to_string(),
                    };
                    return Err(Failure::new(Step::Connect, fault));
                }
            }
        }
        Ok(true)
    }

    /// `USER`, `PASS` and `ACCT`, as far as the server asks for them (RFC 959 section 5.4). The log
    /// of suppaftp, which would show them, is cut off above such lines.
    async fn log_in(&mut self, login: &Login) -> Result<(), Failure> {
        let step = Step::Login;
        let account = self.dialect.account.clone();
        let mut gives_account = account.is_some();
        let mut reply = self.command(step, &format!("USER {}", login.user)).await?;
        if reply.kind() == Kind::GoOn && reply.code != 332 {
            let command = format!("PASS {}", login.password.expose_secret());
            reply = self.command(step, &command).await?;
        }
        if let Some(account) = account.as_ref().filter(|_| reply.code == 332) {
            gives_account = false;
            let command = format!("ACCT {}", account.expose());
            reply = self.command(step, &command).await?;
        }
        if reply.kind() != Kind::Done {
            return Err(Failure::new(step, self.login_fault(&reply, login)));
        }
        if let Some(account) = account.filter(|_| gives_account) {
            // Not asked for at once, perhaps when a file is to be stored. Who does not know it does
            // without.
            self.ask(step, &format!("ACCT {}", account.expose()))
                .await?;
        }
        self.quirks.let_in(&self.address, &login.user);
        Ok(())
    }

    /// The default is ASCII, which mangles line ends (RFC 959 section 3.1.1.1). A server that does
    /// not know the command has one type, and size or digest tell which.
    async fn ask_for_binary(&mut self) -> Result<(), Failure> {
        let reply = self.command(Step::Prepare, "TYPE I").await?;
        let only_text = ["ascii", "text"];
        let text = reply.raw.to_ascii_lowercase();
        match reply.kind() {
            Kind::Done => Ok(()),
            Kind::NotKnown if !only_text.iter().any(|word| text.contains(word)) => Ok(()),
            _ => Err(Failure::new(Step::Prepare, self.fault(&reply, "TYPE"))),
        }
    }

    /// Some servers take names for another encoding until they are asked for UTF-8 (RFC 2640, and `OPTS UTF8`
    /// as it came to be).
    async fn ask_for_utf8(&mut self) -> Result<(), Failure> {
        let features = features::features(self).await?;
        let lists = |line: &str| line.trim().eq_ignore_ascii_case("UTF8");
        if features.is_some_and(|features| features.lines().any(lists)) {
            self.ask(Step::Prepare, "OPTS UTF8 ON").await?;
        }
        Ok(())
    }

    /// Enters the directory of a file, where the server takes bare names only.
    async fn go_to(&mut self, path: &RemotePath) -> Result<(), Failure> {
        let Some((directory, _)) = path.as_str().rsplit_once('/').filter(|_| self.dialect.cwd)
        else {
            return Ok(());
        };
        let directory = if directory.is_empty() { "/" } else { directory };
        let reply = self
            .command(Step::Prepare, &format!("CWD {directory}"))
            .await?;
        match reply.kind() {
            Kind::Done => {
                self.inside = Some(directory.to_owned());
                Ok(())
            }
            Kind::ForGood => {
                let fault = Fault::NoDirectory {
                    directory: directory.to_owned(),
                    reply: reply.to_string(),
                };
                Err(Failure::new(Step::Prepare, fault))
            }
            _ => Err(Failure::new(Step::Prepare, self.fault(&reply, "CWD"))),
        }
    }
}
