//! Servers that know no sockets but their standard input: something else accepts the connections
//! and starts one for each. Here that is [`Inetd`].
//!
//! Their users are those of the system. They get a list of users and a rule for logins of their own
//! in a mount namespace, which needs root.

use std::net::{SocketAddr, TcpListener, TcpStream};
use std::os::fd::OwnedFd;
use std::os::unix::process::CommandExt;
use std::process::{Child, Command, Stdio};
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, Mutex};
use std::thread::JoinHandle;

use super::daemons::{absent, command, needs_root};
use super::private::{rules, users, with_mounts};
use super::process::Daemon;
use super::{Make, NOBODY, Offers, Place, Serves};

/// The server of GNU inetutils.
#[derive(Debug)]
pub struct Inetutils;

pub const INETUTILS: Inetutils = Inetutils;

impl Make for Inetutils {
    fn name(&self) -> &'static str {
        "inetutils"
    }

    fn missing(&self) -> Option<String> {
        absent("ftpd").or_else(needs)
    }

    /// The limit of sessions is inetd's.
    fn offers(&self) -> Offers {
        Offers {
            sessions: true,
            ..Offers::default()
        }
    }

    fn owner(&self) -> Option<u32> {
        Some(NOBODY)
    }

    fn serves(&self, place: &Place<'_>) -> Serves {
        let mut command = command("ftpd");
        command.args(["-a", "pam"]);
        // Any of the users, whatever the password.
        let mounts = [
            users(place),
            rules(place, &["ftp", "other"], "pam_permit.so"),
        ];
        let command = with_mounts(&command, &mounts);
        let words = [command.get_program()]
            .into_iter()
            .chain(command.get_args());
        Serves::Sessions(
            words
                .map(|word| word.to_str().unwrap().to_owned())
                .collect(),
        )
    }
}

fn needs() -> Option<String> {
    needs_root().or_else(|| absent("unshare"))
}

/// Accepts connections, and starts a process for each with the socket as its standard input and
/// output. As xinetd with `instances`, it hangs up on a client that comes while all sessions are taken.
#[derive(Debug)]
pub struct Inetd {
    address: SocketAddr,
    ended: Arc<AtomicBool>,
    sessions: Arc<Mutex<Vec<Daemon>>>,
    thread: Option<JoinHandle<()>>,
}

impl Inetd {
    pub fn start(listener: TcpListener, command: Vec<String>, limit: Option<usize>) -> Self {
        let address = listener.local_addr().unwrap();
        let ended = Arc::new(AtomicBool::new(false));
        let sessions: Arc<Mutex<Vec<Daemon>>> = Arc::default();
        let thread = {
            let (ended, sessions) = (Arc::clone(&ended), Arc::clone(&sessions));
            std::thread::spawn(move || {
                while let Ok((socket, _)) = listener.accept() {
                    if ended.load(Ordering::SeqCst) {
                        break;
                    }
                    let mut sessions = sessions.lock().unwrap();
                    sessions.retain_mut(|one| matches!(one.0.try_wait(), Ok(None)));
                    if limit.is_none_or(|limit| sessions.len() < limit) {
                        sessions.push(Daemon(session(socket, &command)));
                    }
                }
            })
        };
        Self {
            address,
            ended,
            sessions,
            thread: Some(thread),
        }
    }
}

fn session(socket: TcpStream, command: &[String]) -> Child {
    let output = socket.try_clone().unwrap();
    Command::new(&command[0])
        .args(&command[1..])
        .stdin(Stdio::from(OwnedFd::from(socket)))
        .stdout(Stdio::from(OwnedFd::from(output)))
        .stderr(Stdio::null())
        .process_group(0)
        .spawn()
        .unwrap()
}

impl Drop for Inetd {
    fn drop(&mut self) {
        self.ended.store(true, Ordering::SeqCst);
        // So that it looks.
        let _ = TcpStream::connect(self.address);
        if let Some(thread) = self.thread.take() {
            let _ = thread.join();
        }
        self.sessions.lock().unwrap().clear();
    }
}
