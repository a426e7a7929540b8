//! The command line over SSH: one shell or one command per connection, with a terminal or without.

use std::io;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::Duration;

use russh::server::{Auth, ChannelOpenHandle, Handler, Msg, Response, Session, VerifiedPublicKey};
use russh::{Channel, ChannelId, Pty};
use tokio::net::TcpStream;
use tokio::sync::oneshot;

use super::shell::Step;
use super::terminal::Terminal;
use super::{let_in, shell};
use crate::lab::server::Server;
use crate::lab::ssh;

/// From the end of a session to that of its connection: its last words are passed on before.
const LAST_WORDS: Duration = Duration::from_millis(50);

/// What a client has asked for.
struct Job {
    channel: Channel<Msg>,
    user: String,
    has_terminal: bool,
    /// A command; `None`: a shell.
    command: Option<String>,
}

/// One connection, until either side closes it.
pub(super) async fn session(server: &Arc<Server>, client: &mut TcpStream) -> io::Result<Step> {
    let (wanted, job) = oneshot::channel();
    let login = Login {
        server: Arc::clone(server),
        wanted: Some(wanted),
        channel: None,
        user: String::new(),
        has_terminal: false,
    };
    // A client that leaves at once keeps no device from it.
    let restarts = AtomicBool::new(false);
    let working = async {
        if let Ok(job) = job.await
            && matches!(work(server, job).await, Ok(Step::Restart))
        {
            restarts.store(true, Ordering::Relaxed);
            tokio::time::sleep(LAST_WORDS).await;
            return;
        }
        std::future::pending::<()>().await;
    };
    let spoken = ssh::speak(server, login, client, working).await;
    match restarts.load(Ordering::Relaxed) {
        true => Ok(Step::Restart),
        false => spoken.map(|()| Step::Leave),
    }
}

/// Does what was asked for, and says how that ended.
async fn work(server: &Arc<Server>, job: Job) -> io::Result<Step> {
    let (mut reading, writing) = job.channel.split();
    let escapes = server.behaviour.cli.escapes;
    let (from, to) = (reading.make_reader(), writing.make_writer());
    let mut terminal = Terminal::plain(Box::new(from), Box::new(to), job.has_terminal, escapes);
    let Some(unit) = &server.unit else {
        return Ok(Step::Leave);
    };
    let dialect = super::dialect::of(server.behaviour.cli.dialect);
    let open = unit.open(server.behaviour.cli.max_sessions);
    let (step, failed) = if open.is_none() {
        terminal.show(super::busy(server, dialect)).await?;
        (Step::Leave, true)
    } else {
        let mut shell = shell(server, unit, dialect, terminal, job.user);
        match &job.command {
            Some(command) => {
                shell.page = 0;
                // There is nobody to ask for the password of `enable` first.
                shell.mode = super::dialect::Mode::Privileged;
                let step = shell.carry_out_and_say(command).await?;
                (step, step == (Step::On { failed: true }))
            }
            None => (shell.run().await?, false),
        }
    };
    let _ = writing.exit_status(failed.into()).await;
    let _ = writing.eof().await;
    let _ = writing.close().await;
    Ok(step)
}

/// Any user, or the one whom the inventory names, with any password, or the one of the settings.
struct Login {
    server: Arc<Server>,
    wanted: Option<oneshot::Sender<Job>>,
    channel: Option<Channel<Msg>>,
    user: String,
    has_terminal: bool,
}

impl Login {
    fn judged(&mut self, user: &str, password: Option<&str>) -> Auth {
        user.clone_into(&mut self.user);
        match let_in(&self.server, user, password) {
            true => Auth::Accept,
            false => Auth::reject(),
        }
    }

    fn begin(
        &mut self,
        id: ChannelId,
        command: Option<String>,
        session: &mut Session,
    ) -> Result<(), russh::Error> {
        let channel = self.channel.take_if(|channel| channel.id() == id);
        let (Some(channel), Some(wanted)) = (channel, self.wanted.take()) else {
            return session.channel_failure(id);
        };
        session.channel_success(id)?;
        // Nobody waits for it any more where the session is over.
        let _ = wanted.send(Job {
            channel,
            user: self.user.clone(),
            has_terminal: self.has_terminal,
            command,
        });
        Ok(())
    }
}

impl Handler for Login {
    type Error = russh::Error;

    async fn auth_password(&mut self, user: &str, password: &str) -> Result<Auth, russh::Error> {
        Ok(self.judged(user, Some(password)))
    }

    async fn auth_publickey(
        &mut self,
        user: &str,
        _: VerifiedPublicKey<'_>,
    ) -> Result<Auth, russh::Error> {
        Ok(self.judged(user, None))
    }

    async fn auth_keyboard_interactive<'a>(
        &'a mut self,
        user: &str,
        _: &str,
        response: Option<Response<'a>>,
    ) -> Result<Auth, russh::Error> {
        let Some(mut response) = response else {
            return Ok(ssh::asks_for_password());
        };
        let given = response.next().unwrap_or_default();
        let given = String::from_utf8_lossy(&given).into_owned();
        Ok(self.judged(user, Some(&given)))
    }

    async fn channel_open_session(
        &mut self,
        channel: Channel<Msg>,
        reply: ChannelOpenHandle,
        _: &mut Session,
    ) -> Result<(), russh::Error> {
        // One per connection: a second one is dropped, and so refused.
        if self.channel.is_none() && self.wanted.is_some() {
            self.channel = Some(channel);
            reply.accept().await;
        }
        Ok(())
    }

    async fn pty_request(
        &mut self,
        id: ChannelId,
        _: &str,
        _: u32,
        _: u32,
        _: u32,
        _: u32,
        _: &[(Pty, u32)],
        session: &mut Session,
    ) -> Result<(), russh::Error> {
        self.has_terminal = true;
        session.channel_success(id)
    }

    async fn shell_request(
        &mut self,
        id: ChannelId,
        session: &mut Session,
    ) -> Result<(), russh::Error> {
        self.begin(id, None, session)
    }

    async fn exec_request(
        &mut self,
        id: ChannelId,
        command: &[u8],
        session: &mut Session,
    ) -> Result<(), russh::Error> {
        let command = String::from_utf8_lossy(command).into_owned();
        self.begin(id, Some(command), session)
    }
}
