//! Certificates made for a test, and sockets that a scripted server reads in clear text or over
//! TLS.

use std::io;
use std::net::IpAddr;
use std::pin::Pin;
use std::sync::Arc;
use std::task::{Context, Poll};

use rcgen::{
    BasicConstraints, CertificateParams, CertifiedIssuer, DistinguishedName, DnType, IsCa, KeyPair,
    SanType, date_time_ymd,
};
use rustls::pki_types::{CertificateDer, PrivateKeyDer, PrivatePkcs8KeyDer};
use rustls::server::{NoServerSessionStorage, ServerSessionMemoryCache};
use rustls::{HandshakeKind, ServerConfig, version};
use sha2::{Digest, Sha256};
use subtend::model::Fingerprint;
use tokio::io::{AsyncRead, AsyncWrite, ReadBuf};
use tokio::net::TcpStream;
use tokio_rustls::TlsAcceptor;
use tokio_rustls::server::TlsStream;

/// A certificate and its key.
#[derive(Debug)]
pub struct Identity {
    pub certificate: CertificateDer<'static>,
    /// The certificate as text.
    text: String,
    key: KeyPair,
}

impl Identity {
    /// As devices make them: signed by itself, and for no host in particular.
    pub fn self_signed() -> Self {
        let key = KeyPair::generate().unwrap();
        let params = params(&["device.invalid"]);
        let certificate = params.self_signed(&key).unwrap();
        Self::of(&certificate, key)
    }

    fn of(certificate: &rcgen::Certificate, key: KeyPair) -> Self {
        Self {
            certificate: certificate.der().clone(),
            text: certificate.pem(),
            key,
        }
    }

    /// As [`Self::self_signed`], by tools that make every certificate an authority's.
    pub fn self_signed_authority() -> Self {
        let key = KeyPair::generate().unwrap();
        let mut params = params(&["127.0.0.1"]);
        params.is_ca = IsCa::Ca(BasicConstraints::Unconstrained);
        let certificate = params.self_signed(&key).unwrap();
        Self::of(&certificate, key)
    }

    pub fn fingerprint(&self) -> Fingerprint {
        Fingerprint(Sha256::digest(&self.certificate).into())
    }

    /// For servers that read files.
    pub fn pem(&self) -> String {
        format!("{}{}", self.key.serialize_pem(), self.text)
    }
}

/// A certificate authority.
pub struct Authority(CertifiedIssuer<'static, KeyPair>);

impl Authority {
    pub fn new(name: &str) -> Self {
        let mut params = params(&[]);
        params.distinguished_name.push(DnType::CommonName, name);
        params.is_ca = IsCa::Ca(BasicConstraints::Unconstrained);
        let key = KeyPair::generate().unwrap();
        Self(CertifiedIssuer::self_signed(params, key).unwrap())
    }

    /// The text of a CA file.
    pub fn pem(&self) -> String {
        self.0.pem()
    }

    /// A certificate for hosts, names or addresses.
    pub fn issue(&self, hosts: &[&str]) -> Identity {
        self.sign(params(hosts))
    }

    /// One that was good until 2001.
    pub fn issue_expired(&self, hosts: &[&str]) -> Identity {
        let mut params = params(hosts);
        params.not_before = date_time_ymd(2000, 1, 1);
        params.not_after = date_time_ymd(2001, 1, 1);
        self.sign(params)
    }

    fn sign(&self, params: CertificateParams) -> Identity {
        let key = KeyPair::generate().unwrap();
        let certificate = params.signed_by(&key, &self.0).unwrap();
        Identity::of(&certificate, key)
    }
}

fn params(hosts: &[&str]) -> CertificateParams {
    let mut params = CertificateParams::default();
    params.distinguished_name = DistinguishedName::new();
    params
        .distinguished_name
        .push(DnType::CommonName, "subtend's tests");
    params.subject_alt_names = (hosts.iter())
        .map(|host| match host.parse::<IpAddr>() {
            Ok(address) => SanType::IpAddress(address),
            Err(_) => SanType::DnsName((*host).try_into().unwrap()),
        })
        .collect();
    params
}

/// How a scripted server speaks TLS.
#[derive(Debug, Clone)]
pub struct ServerTls {
    pub identity: Arc<Identity>,
    /// Before the greeting, and not after `AUTH TLS`.
    pub implicit: bool,
    /// Not TLS 1.3.
    pub max_1_2: bool,
    /// Said in clear text right behind the answer to `AUTH TLS`.
    pub injects: &'static str,
    /// No TLS session can be gone on with.
    pub forgets: bool,
    /// A data connection that does not go on with a TLS session of before is refused: with this.
    pub wants_reuse: Option<&'static str>,
    /// A download is confirmed when the client has ended its side of TLS too.
    pub waits_for_end: bool,
    /// Data connections end without `close_notify`.
    pub truncates: bool,
}

impl ServerTls {
    pub fn new(identity: Identity) -> Self {
        Self {
            identity: Arc::new(identity),
            implicit: false,
            max_1_2: false,
            injects: "",
            forgets: false,
            wants_reuse: None,
            waits_for_end: false,
            truncates: false,
        }
    }

    pub(super) fn acceptor(&self) -> TlsAcceptor {
        let provider = Arc::new(rustls::crypto::ring::default_provider());
        let versions: &[_] = if self.max_1_2 {
            &[&version::TLS12]
        } else {
            &[&version::TLS13, &version::TLS12]
        };
        let key = PrivatePkcs8KeyDer::from(self.identity.key.serialize_der());
        let mut config = ServerConfig::builder_with_provider(provider)
            .with_protocol_versions(versions)
            .unwrap()
            .with_no_client_auth()
            .with_single_cert(
                vec![self.identity.certificate.clone()],
                PrivateKeyDer::from(key),
            )
            .unwrap();
        config.session_storage = ServerSessionMemoryCache::new(10_000);
        if self.forgets {
            config.session_storage = Arc::new(NoServerSessionStorage {});
            config.send_tls13_tickets = 0;
        }
        TlsAcceptor::from(Arc::new(config))
    }
}

/// A socket.
#[derive(Debug)]
pub enum Wire {
    Plain(TcpStream),
    Tls(Box<TlsStream<TcpStream>>),
    /// While it becomes something else.
    Gone,
}

impl Wire {
    pub fn socket(&self) -> &TcpStream {
        match self {
            Self::Plain(stream) => stream,
            Self::Tls(stream) => stream.get_ref().0,
            Self::Gone => panic!("the socket is being changed"),
        }
    }

    /// The server's side of a handshake.
    pub async fn secured(self, acceptor: &TlsAcceptor) -> io::Result<Self> {
        match self {
            Self::Plain(stream) => Ok(Self::Tls(Box::new(acceptor.accept(stream).await?))),
            other => panic!("no clear text to be secured: {other:?}"),
        }
    }

    pub fn version(&self) -> Option<rustls::ProtocolVersion> {
        match self {
            Self::Tls(stream) => stream.get_ref().1.protocol_version(),
            _ => None,
        }
    }

    /// Whether it goes on with a TLS session of before; `None` in clear text.
    pub fn resumed(&self) -> Option<bool> {
        match self {
            Self::Tls(stream) => {
                let kind = stream.get_ref().1.handshake_kind();
                Some(kind == Some(HandshakeKind::Resumed))
            }
            _ => None,
        }
    }
}

impl AsyncRead for Wire {
    fn poll_read(
        self: Pin<&mut Self>,
        cx: &mut Context<'_>,
        buffer: &mut ReadBuf<'_>,
    ) -> Poll<io::Result<()>> {
        match self.get_mut() {
            Self::Plain(stream) => Pin::new(stream).poll_read(cx, buffer),
            Self::Tls(stream) => Pin::new(stream).poll_read(cx, buffer),
            Self::Gone => Poll::Ready(Err(io::ErrorKind::NotConnected.into())),
        }
    }
}

impl AsyncWrite for Wire {
    fn poll_write(
        self: Pin<&mut Self>,
        cx: &mut Context<'_>,
        data: &[u8],
    ) -> Poll<io::Result<usize>> {
        match self.get_mut() {
            Self::Plain(stream) => Pin::new(stream).poll_write(cx, data),
            Self::Tls(stream) => Pin::new(stream).poll_write(cx, data),
            Self::Gone => Poll::Ready(Err(io::ErrorKind::NotConnected.into())),
        }
    }

    fn poll_flush(self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        match self.get_mut() {
            Self::Plain(stream) => Pin::new(stream).poll_flush(cx),
            Self::Tls(stream) => Pin::new(stream).poll_flush(cx),
            Self::Gone => Poll::Ready(Err(io::ErrorKind::NotConnected.into())),
        }
    }

    fn poll_shutdown(self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        match self.get_mut() {
            Self::Plain(stream) => Pin::new(stream).poll_shutdown(cx),
            Self::Tls(stream) => Pin::new(stream).poll_shutdown(cx),
            Self::Gone => Poll::Ready(Err(io::ErrorKind::NotConnected.into())),
        }
    }
}
