//! From an address to a user who is logged in.

use std::sync::Arc;
use std::time::Duration;

use russh::client::{self, DisconnectReason, Handle, Msg};
use russh::keys::{Algorithm, PublicKeyOrCertificate};
use russh::{AlgorithmKind, Channel, Disconnect, SshId};
use tokio::time::timeout;
use tokio_util::sync::{CancellationToken, DropGuard};

use crate::model::text::shown;
use crate::model::{Failure, Fault, Side, Step};
use crate::transport::{Endpoint, tcp};

use super::algorithms::{preferred, same};
use super::host_key::Expected;
use super::key::Keys;
use super::login::Attempt;
use super::stream::Cuttable;
use super::{Ending, lost};

/// How long a connection that is ended in good order may take for it.
const PARTING: Duration = Duration::from_millis(500);
/// Bytes that a server may send before they were taken. 40 ms of 200 Mbit/s, twice over: it hears of room
/// when half of it is used up.
const WINDOW: u32 = 2 << 20;
/// Bytes of one packet (RFC 4253 section 6.1); larger ones cost less, and russh takes no more.
const LARGEST_PACKET: u32 = 65_535;
/// Packets that wait to be taken by us, before the server has to wait.
const WAITING: usize = 40;

/// What russh asks and reports while it runs a connection.
pub(super) struct Watch {
    expected: Arc<Expected>,
    ending: Ending,
    /// The type of the key that was refused.
    refused: Arc<std::sync::Mutex<Option<Algorithm>>>,
}

impl client::Handler for Watch {
    type Error = russh::Error;

    async fn check_server_key(
        &mut self,
        shown: &PublicKeyOrCertificate,
    ) -> Result<bool, russh::Error> {
        // Certificates were not asked for.
        let PublicKeyOrCertificate::PublicKey { key, .. } = shown else {
            return Ok(false);
        };
        let Err(fault) = self.expected.judge(key) else {
            return Ok(true);
        };
        self.ending.because(fault);
        if let Ok(mut refused) = self.refused.lock() {
            *refused = Some(key.algorithm());
        }
        Ok(false)
    }

    async fn disconnected(
        &mut self,
        reason: DisconnectReason<russh::Error>,
    ) -> Result<(), russh::Error> {
        match reason {
            DisconnectReason::ReceivedDisconnect(info) => {
                let said = match info.message.as_str() {
                    "" => format!("the server ended it ({:?})", info.reason_code),
                    message => format!("the server ended it: {}", shown(message)),
                };
                self.ending.because(Fault::Lost {
                    side: Side::Ssh,
                    reason: said,
                });
                Ok(())
            }
            DisconnectReason::Error(error) => {
                self.ending.because(fault_of(&error));
                Err(error)
            }
        }
    }
}

/// A user who is logged in. The task that runs it ends with it.
pub(in crate::transport) struct Connection {
    handle: Handle<Watch>,
    ending: Ending,
    reply: Duration,
    _cut: DropGuard,
}

impl Connection {
    /// # Errors
    /// The server can't be reached, shows a key that is not known, or does not let the user in.
    pub(in crate::transport) async fn open(
        keys: &Keys,
        endpoint: &Endpoint,
    ) -> Result<Self, Failure> {
        let connect = |fault| Failure::new(Step::Connect, fault);
        let (address, trust) = (endpoint.address.clone(), endpoint.ssh.trust.clone());
        let expected = tokio::task::spawn_blocking(move || Expected::of(&address, &trust)).await;
        let expected = expected.map_err(|error| connect(Fault::Local(error.to_string())))?;
        let expected = Arc::new(expected.map_err(connect)?);
        let mut wrong: Vec<Algorithm> = Vec::new();
        let mut first_fault = None;
        loop {
            match Self::greeted(endpoint, &expected, &wrong).await {
                Ok(connection) => return connection.logged_in(keys, endpoint).await,
                // It may have the right key too, of another type.
                Err((fault, Some(refused))) if expected.may_be_another() => {
                    first_fault.get_or_insert(fault);
                    if wrong.iter().any(|one| same(one, &refused)) {
                        break;
                    }
                    wrong.push(refused);
                }
                Err((fault, _)) => {
                    first_fault.get_or_insert(fault);
                    break;
                }
            }
        }
        let fault = first_fault.unwrap_or_else(|| lost("no key was shown"));
        Err(connect(fault))
    }

    /// A connection whose server has shown the right key. Else why not, and the type of a wrong key.
    async fn greeted(
        endpoint: &Endpoint,
        expected: &Arc<Expected>,
        wrong: &[Algorithm],
    ) -> Result<Self, (Fault, Option<Algorithm>)> {
        let stream = tcp::connect(&endpoint.address, endpoint.timeouts.connect).await;
        let stream = stream.map_err(|fault| (fault, None))?;
        let cut = CancellationToken::new();
        let stream = Cuttable::new(stream, cut.clone());
        let cut = cut.drop_guard();
        let ending = Ending::default();
        let refused = Arc::default();
        let watch = Watch {
            expected: Arc::clone(expected),
            ending: ending.clone(),
            refused: Arc::clone(&refused),
        };
        let config = config(endpoint.ssh.legacy, &expected.types(), wrong);
        let reply = endpoint.timeouts.reply;
        // Slow devices take seconds for it.
        let greeted = client::connect_stream(config, stream, watch);
        let fault = match timeout(reply, greeted).await {
            Ok(Ok(handle)) => {
                return Ok(Self {
                    handle,
                    ending,
                    reply,
                    _cut: cut,
                });
            }
            Ok(Err(error)) => ending.cause().unwrap_or_else(|| fault_of(&error)),
            Err(_) => Fault::NoReply {
                command: "the SSH handshake".into(),
                after: reply,
            },
        };
        let refused = refused.lock().ok().and_then(|mut refused| refused.take());
        Err((fault, refused))
    }

    async fn logged_in(mut self, keys: &Keys, endpoint: &Endpoint) -> Result<Self, Failure> {
        let attempt = Attempt {
            handle: &mut self.handle,
            login: &endpoint.login,
            legacy: endpoint.ssh.legacy,
            keys,
            reply: self.reply,
            ending: &self.ending,
        };
        let tried = attempt.run().await;
        tried.map_err(|fault| Failure::new(Step::Login, fault))?;
        Ok(self)
    }

    /// A channel for a subsystem or a command (RFC 4254 section 6.1).
    pub(in crate::transport) async fn channel(&self) -> Result<Channel<Msg>, Failure> {
        let opened = timeout(self.reply, self.handle.channel_open_session()).await;
        let fault = match opened {
            Ok(Ok(channel)) => return Ok(channel),
            Ok(Err(russh::Error::ChannelOpenFailure(why))) => Fault::Answer {
                said: format!("{why:?} to a session; it may have room for no more"),
                may_pass: true,
            },
            Ok(Err(error)) => self.cause().unwrap_or_else(|| fault_of(&error)),
            Err(_) => Fault::NoReply {
                command: "the request for a session".into(),
                after: self.reply,
            },
        };
        Err(Failure::new(Step::Login, fault))
    }

    /// Why it has ended, where that is known.
    pub(in crate::transport) fn cause(&self) -> Option<Fault> {
        self.ending.cause()
    }

    /// Waits until it has ended; once.
    pub(super) async fn ended(&mut self) {
        let _ = (&mut self.handle).await;
    }

    /// Ends it in good order, without waiting long.
    pub(in crate::transport) async fn end(&mut self) {
        let parting = async {
            let said = self.handle.disconnect(Disconnect::ByApplication, "", "en");
            if said.await.is_ok() {
                let _ = (&mut self.handle).await;
            }
        };
        let _ = timeout(PARTING, parting).await;
    }
}

fn config(legacy: bool, first: &[Algorithm], without: &[Algorithm]) -> Arc<client::Config> {
    let id = concat!("SSH-2.0-subtend_", env!("CARGO_PKG_VERSION"));
    Arc::new(client::Config {
        client_id: SshId::Standard(id.into()),
        window_size: WINDOW,
        maximum_packet_size: LARGEST_PACKET,
        channel_buffer_size: WAITING,
        preferred: preferred(legacy, first, without),
        nodelay: true,
        ..client::Config::default()
    })
}

fn fault_of(error: &russh::Error) -> Fault {
    use russh::Error;
    match error {
        Error::NoCommonAlgo { kind, theirs, .. } => Fault::NoCommonAlgorithm {
            kind: match kind {
                AlgorithmKind::Kex => "key exchange",
                AlgorithmKind::Key => "host keys",
                AlgorithmKind::Cipher => "encryption",
                AlgorithmKind::Mac => "authentication of messages",
                AlgorithmKind::Compression => "compression",
            },
            theirs: shown(&theirs.join(", ")),
        },
        Error::Version => Fault::Malformed {
            reply: "its first line is not that of SSH 2".into(),
        },
        Error::HUP | Error::Disconnect | Error::SendError | Error::RecvError => {
            lost("the server closed it")
        }
        Error::IO(error) => lost(&error.to_string()),
        Error::PacketAuth
        | Error::DecryptionError
        | Error::WrongServerSig
        | Error::StrictKeyExchangeViolation { .. } => lost(&format!(
            "what came is not what the server encrypted: {error}"
        )),
        error => lost(&error.to_string()),
    }
}
