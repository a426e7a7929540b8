//! FTP over TLS (RFC 4217), with rustls.
//!
//! One [`TlsContext`] a session, for its control connection and its data connections alike: many
//! servers take a data connection only when it goes on with the TLS session of the control
//! connection. It is never shared between sessions: rustls keeps tickets by server name, and
//! entities behind one name would use each other's up.

use std::fmt;
use std::io;
use std::net::IpAddr;
use std::sync::{Arc, LazyLock, Mutex, PoisonError};
use std::time::Duration;

use rustls::client::Resumption;
use rustls::crypto::CryptoProvider;
use rustls::pki_types::ServerName;
use rustls::{ClientConfig, version};
use tokio::net::TcpStream;
use tokio::time::timeout;
use tokio_rustls::TlsConnector;
use tokio_rustls::client::TlsStream;

use crate::model::{Fault, Side, Tls, text};

use super::reply::Reply;

mod key;
mod trust;

pub(super) use trust::Authorities;
use trust::Verifier;

/// Names of servers whose tickets one session keeps: its own.
const SESSIONS: usize = 8;

static PROVIDER: LazyLock<Arc<CryptoProvider>> =
    LazyLock::new(|| Arc::new(rustls::crypto::ring::default_provider()));

/// What the connections of one session have in common.
#[derive(Clone)]
pub(super) struct TlsContext {
    connector: TlsConnector,
    name: ServerName<'static>,
    /// Why the certificate was not accepted.
    refused: Arc<Mutex<Option<Fault>>>,
}

impl TlsContext {
    /// For a session with `host`, whose address is `peer`.
    pub(super) async fn new(
        authorities: &Authorities,
        tls: &Tls,
        host: &str,
        peer: IpAddr,
    ) -> Result<Self, Fault> {
        let refused = Arc::new(Mutex::new(None));
        let verifier = Verifier::new(authorities, &tls.trust, Arc::clone(&refused)).await?;
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
            .with_no_client_auth();
        config.resumption = Resumption::in_memory_sessions(SESSIONS);
        // A name that no certificate can hold is not one that is looked for in it.
        let name = ServerName::try_from(host.trim_end_matches('.').to_owned())
            .unwrap_or_else(|_| ServerName::from(peer));
        Ok(Self {
            connector: TlsConnector::from(Arc::new(config)),
            name,
            refused,
        })
    }

    /// The handshake, within `deadline`.
    pub(super) async fn connect(
        &self,
        stream: TcpStream,
        side: Side,
        deadline: Duration,
    ) -> Result<TlsStream<TcpStream>, Fault> {
        let handshake = self.connector.connect(self.name.clone(), stream);
        match timeout(deadline, handshake).await {
            Ok(Ok(stream)) => Ok(stream),
            Ok(Err(error)) => Err(self.fault(side, &error)),
            Err(_) => Err(Fault::NoReply {
                command: format!("the TLS handshake of the {side}"),
                after: deadline,
            }),
        }
    }

    fn fault(&self, side: Side, error: &io::Error) -> Fault {
        let refused = {
            let mut refused = self.refused.lock().unwrap_or_else(PoisonError::into_inner);
            refused.take()
        };
        let reason = text::shown(&error.to_string());
        match refused {
            Some(fault) => fault,
            None if error
                .get_ref()
                .is_some_and(|inner| inner.is::<rustls::Error>()) =>
            {
                Fault::TlsHandshake { side, reason }
            }
            None => Fault::Lost { side, reason },
        }
    }
}

impl fmt::Debug for TlsContext {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("TlsContext")
            .field("name", &self.name)
            .finish_non_exhaustive()
    }
}

/// A reply that ends a transfer badly. Over TLS some of them are about TLS, in words of each
/// server's own: `522` is a protection that is not taken (RFC 2228), and proftpd's way to ask for
/// the control connection's session is a `425` with a system's error.
pub(super) fn transfer_fault(reply: &Reply, over_tls: bool) -> Fault {
    let said = reply.raw.to_ascii_lowercase();
    let about_tls = ["tls", "ssl", "session reuse", "operation not permitted"];
    let is_tls = match reply.code {
        522 => true,
        425 => about_tls.iter().any(|words| said.contains(words)),
        _ => false,
    };
    if over_tls && is_tls {
        Fault::TlsSession {
            reply: reply.to_string(),
        }
    } else {
        reply.fault()
    }
}
