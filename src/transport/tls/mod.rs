//! TLS, with rustls, for any protocol that runs over it.
//!
//! One [`TlsContext`] per session, for its control connection and its data connections alike: many
//! servers take a data connection only when it goes on with the TLS session of the control
//! connection. It is never shared between sessions: rustls keeps tickets by server name, and
//! entities behind one name would use each other's up.

use std::fmt;
use std::io;
use std::net::IpAddr;
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, LazyLock, Mutex, PoisonError};
use std::time::Duration;

use rustls::client::Resumption;
use rustls::crypto::CryptoProvider;
use rustls::pki_types::ServerName;
use rustls::{AlertDescription, ClientConfig, Error, PeerIncompatible, version};
use tokio::net::TcpStream;
use tokio::time::timeout;
use tokio_rustls::TlsConnector;
use tokio_rustls::client::TlsStream;

use crate::model::{Fault, Side, Tls, text};

mod client;
mod error;
mod key;
mod trust;

use client::Client;
pub(in crate::transport) use trust::Authorities;
use trust::Verifier;

/// Names of servers whose tickets one session keeps: its own.
const SESSIONS: usize = 8;

static PROVIDER: LazyLock<Arc<CryptoProvider>> =
    LazyLock::new(|| Arc::new(rustls::crypto::ring::default_provider()));

/// What the connections of one session have in common.
#[derive(Clone)]
pub(in crate::transport) struct TlsContext {
    connector: TlsConnector,
    name: ServerName<'static>,
    /// Why the certificate was not accepted.
    refused: Arc<Mutex<Option<Fault>>>,
    max_1_2: bool,
    has_client: bool,
    /// The server wants to know who this host is.
    asked: Arc<AtomicBool>,
}

impl TlsContext {
    /// For a session with `host`, whose address is `peer`.
    pub(in crate::transport) async fn new(
        authorities: &Authorities,
        tls: &Tls,
        host: &str,
        peer: IpAddr,
    ) -> Result<Self, Fault> {
        let refused = Arc::new(Mutex::new(None));
        let asked = Arc::new(AtomicBool::new(false));
        let verifier = Verifier::new(authorities, &tls.trust, Arc::clone(&refused)).await?;
        let key = match &tls.client {
            Some(file) => Some(authorities.client(file).await?),
            None => None,
        };
        let versions: &[_] = if tls.max_1_2 {
            &[&version::TLS12]
        } else {
            &[&version::TLS13, &version::TLS12]
        };
        let mut config = ClientConfig::builder_with_provider(Arc::clone(&PROVIDER))
            .with_protocol_versions(versions)
            .map_err(|error| Fault::Local(error.to_string()))?
            .dangerous()
            .with_custom_certificate_verifier(Arc::new(verifier))
            .with_client_cert_resolver(Arc::new(Client::new(key, Arc::clone(&asked))));
        config.resumption = Resumption::in_memory_sessions(SESSIONS);
        // A name that no certificate can hold is not one that is looked for in it.
        let name = ServerName::try_from(host.trim_end_matches('.').to_owned())
            .unwrap_or_else(|_| ServerName::from(peer));
        Ok(Self {
            connector: TlsConnector::from(Arc::new(config)),
            name,
            refused,
            max_1_2: tls.max_1_2,
            has_client: tls.client.is_some(),
            asked,
        })
    }

    /// The handshake, within `deadline`.
    pub(in crate::transport) async fn connect(
        &self,
        stream: TcpStream,
        side: Side,
        deadline: Duration,
    ) -> Result<TlsStream<TcpStream>, Fault> {
        let handshake = self.connector.connect(self.name.clone(), stream);
        match timeout(deadline, handshake).await {
            Ok(Ok(stream)) => Ok(stream),
            Ok(Err(error)) => Err(self.fault(side, &error)),
            Err(_) => Err(late(side, deadline)),
        }
    }

    /// As [`Self::connect`], where the server has said that it speaks TLS from here on: clear text is
    /// then a slip of the server's, which may not happen again.
    pub(in crate::transport) async fn connect_agreed(
        &self,
        stream: TcpStream,
        side: Side,
        deadline: Duration,
    ) -> Result<TlsStream<TcpStream>, Fault> {
        let handshake = timeout(deadline, self.agreed(stream, side)).await;
        handshake.unwrap_or_else(|_| Err(late(side, deadline)))
    }

    /// As [`Self::connect_agreed`], where there is a deadline already.
    pub(in crate::transport) async fn agreed(
        &self,
        stream: TcpStream,
        side: Side,
    ) -> Result<TlsStream<TcpStream>, Fault> {
        let handshake = self.connector.connect(self.name.clone(), stream);
        handshake.await.map_err(|error| match of_tls(&error) {
            Some(Error::InvalidMessage(_)) => {
                let reason = "clear text came instead of the handshake".into();
                Fault::TlsGarbled { side, reason }
            }
            _ => self.fault(side, &error),
        })
    }

    /// What is wrong where TLS itself failed behind the handshake. Some servers have a process that
    /// ends with a word in clear text: another one may do better.
    pub(in crate::transport) fn broken(&self, side: Side, error: &io::Error) -> Option<Fault> {
        match of_tls(error)? {
            Error::InvalidMessage(_) => {
                let reason = "clear text came in the middle of it".into();
                Some(Fault::TlsGarbled { side, reason })
            }
            _ => self.refusal(side, error),
        }
    }

    fn fault(&self, side: Side, error: &io::Error) -> Fault {
        self.refusal(side, error).unwrap_or_else(|| Fault::Lost {
            side,
            reason: text::shown(&error.to_string()),
        })
    }

    /// What is wrong where TLS itself failed. Servers of TLS 1.3 say only after the handshake what
    /// they miss in it.
    pub(in crate::transport) fn refusal(&self, side: Side, error: &io::Error) -> Option<Fault> {
        Some(self.refused(side, of_tls(error)?))
    }

    /// As [`Self::refusal`], of an error of TLS.
    pub(in crate::transport) fn refused(&self, side: Side, error: &Error) -> Fault {
        let refused = {
            let mut refused = self.refused.lock().unwrap_or_else(PoisonError::into_inner);
            refused.take()
        };
        let reason = self.reason(side, error);
        refused.unwrap_or(Fault::TlsHandshake { side, reason })
    }

    /// What is wrong, and what can be done where something can.
    fn reason(&self, side: Side, error: &Error) -> String {
        use AlertDescription as Alert;
        let words = text::shown(&error.to_string());
        let asked = self.asked.load(Ordering::Relaxed);
        let is_old = matches!(
            error,
            Error::AlertReceived(Alert::ProtocolVersion)
                | Error::PeerIncompatible(
                    PeerIncompatible::ServerDoesNotSupportTls12Or13
                        | PeerIncompatible::ServerTlsVersionIsDisabledByOurConfig
                )
        );
        let about_client = matches!(
            error,
            Error::AlertReceived(
                Alert::CertificateRequired
                    | Alert::NoCertificate
                    | Alert::BadCertificate
                    | Alert::UnsupportedCertificate
                    | Alert::CertificateRevoked
                    | Alert::CertificateExpired
                    | Alert::CertificateUnknown
                    | Alert::UnknownCA
                    | Alert::AccessDenied
            )
        );
        let nothing_in_common = matches!(
            error,
            Error::AlertReceived(Alert::HandshakeFailure | Alert::InsufficientSecurity)
                | Error::PeerIncompatible(_)
        );
        match error {
            _ if is_old && self.max_1_2 => format!(
                "the server does not take TLS 1.2 ({words}); leave `tls_max: 1.2` out, or it may \
                 know TLS 1.0 and 1.1 alone, which are not offered here"
            ),
            _ if is_old => format!(
                "the server knows older versions alone, TLS 1.0 or 1.1 ({words}), which are not \
                 offered here: their protection is broken"
            ),
            Error::AlertReceived(_) if about_client && self.has_client => format!(
                "the server does not accept this host's certificate, of `tls: {{ client: FILE }}` \
                 ({words})"
            ),
            Error::AlertReceived(_) if (about_client || nothing_in_common) && asked => {
                if self.has_client {
                    return format!("the server refuses ({words}) and has asked who this host is");
                }
                format!(
                    "the server wants to know who this host is ({words}): `tls: {{ client: FILE }}` \
                     names the file with this host's certificate and key"
                )
            }
            _ if nothing_in_common => format!(
                "the server knows no cipher that is offered here ({words}): AES-GCM and ChaCha20 \
                 with an ephemeral key exchange are; CBC, RC4 and the exchange of a key by RSA are \
                 not"
            ),
            Error::InvalidMessage(_) if side == Side::Control => format!(
                "what came is no TLS ({words}); where a server greets in clear text, `ftps://` \
                 goes over to TLS from there"
            ),
            Error::InvalidCertificate(_) => {
                format!("the server has not the key of the certificate that it shows ({words})")
            }
            _ if self.max_1_2 => words,
            _ => format!("{words}; a device that can't do TLS 1.3 well may need `tls_max: 1.2`"),
        }
    }
}

/// A handshake that has not come to its end by its deadline.
pub(in crate::transport) fn late(side: Side, after: Duration) -> Fault {
    Fault::NoReply {
        command: format!("the TLS handshake of the {side}"),
        after,
    }
}

/// What TLS itself has to say about an error of a stream.
fn of_tls(error: &io::Error) -> Option<&Error> {
    error.get_ref()?.downcast_ref()
}

impl fmt::Debug for TlsContext {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("TlsContext")
            .field("name", &self.name)
            .finish_non_exhaustive()
    }
}
