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
use rustls::server::{NoServerSessionStorage, ServerSessionMemoryCache, WebPkiClientVerifier};
use rustls::sign::{CertifiedKey, SingleCertAndKey};
use rustls::{HandshakeKind, RootCertStore, ServerConfig, version};
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

    /// A certificate that was made elsewhere, beside a key that is not its own.
    pub fn shown(certificate: CertificateDer<'static>) -> Self {
        Self {
            certificate,
            ..Self::self_signed()
        }
    }

    fn of(certificate: &rcgen::Certificate, key: KeyPair) -> Self {
        Self {
            certificate: certificate.der().clone(),
            text: certificate.pem(),
            key,
        }
    }

    /// As [`Self::self_signed`], of version 1: without the version and the extensions. Its own
    /// signature is of no use then, as nobody asks for it who has pinned the certificate.
    pub fn self_signed_v1() -> Self {
        let mut identity = Self::self_signed();
        let parts = content(&identity.certificate);
        let (head, signed) = split(parts);
        let mut fields = Vec::new();
        let mut rest = content(head);
        while !rest.is_empty() {
            let (field, after) = split(rest);
            if field[0] != 0xA0 && field[0] != 0xA3 {
                fields.extend_from_slice(field);
            }
            rest = after;
        }
        let mut parts = sequence(&fields);
        parts.extend_from_slice(signed);
        identity.certificate = sequence(&parts).into();
        identity
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

/// The header's length and that of the content of a DER value.
fn lengths(der: &[u8]) -> (usize, usize) {
    match usize::from(der[1]) {
        short @ ..=0x7F => (2, short),
        long => {
            let bytes = &der[2..2 + (long & 0x7F)];
            let length = bytes
                .iter()
                .fold(0, |sum, byte| sum << 8 | usize::from(*byte));
            (2 + bytes.len(), length)
        }
    }
}

fn content(der: &[u8]) -> &[u8] {
    let (header, length) = lengths(der);
    &der[header..header + length]
}

/// The first value and what follows it.
fn split(der: &[u8]) -> (&[u8], &[u8]) {
    let (header, length) = lengths(der);
    der.split_at(header + length)
}

fn sequence(content: &[u8]) -> Vec<u8> {
    let length = u16::try_from(content.len()).unwrap().to_be_bytes();
    let mut der = match content.len() {
        0..0x80 => vec![0x30, length[1]],
        0x80..0x100 => vec![0x30, 0x81, length[1]],
        _ => vec![0x30, 0x82, length[0], length[1]],
    };
    der.extend_from_slice(content);
    der
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

    pub fn certificate(&self) -> CertificateDer<'static> {
        self.0.der().clone()
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
    /// It has not the key of the certificate that it shows.
    pub wrong_key: bool,
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
    /// It says that a transfer begins when the handshake of its data connection is done.
    pub shakes_first: bool,
    /// Clients have to show a certificate that this one vouches for.
    pub wants_client: Option<CertificateDer<'static>>,
}

impl ServerTls {
    pub fn new(identity: Identity) -> Self {
        Self {
            identity: Arc::new(identity),
            wrong_key: false,
            implicit: false,
            max_1_2: false,
            injects: "",
            forgets: false,
            wants_reuse: None,
            waits_for_end: false,
            truncates: false,
            shakes_first: false,
            wants_client: None,
        }
    }

    pub(super) fn acceptor(&self) -> TlsAcceptor {
        let provider = Arc::new(rustls::crypto::ring::default_provider());
        let versions: &[_] = if self.max_1_2 {
            &[&version::TLS12]
        } else {
            &[&version::TLS13, &version::TLS12]
        };
        let key = match self.wrong_key {
            true => KeyPair::generate().unwrap().serialize_der(),
            false => self.identity.key.serialize_der(),
        };
        let key = PrivateKeyDer::from(PrivatePkcs8KeyDer::from(key));
        let key = provider.key_provider.load_private_key(key).unwrap();
        // Neither looked at nor compared.
        let shown = CertifiedKey::new(vec![self.identity.certificate.clone()], key);
        let clients = match &self.wants_client {
            None => WebPkiClientVerifier::no_client_auth(),
            Some(authority) => {
                let mut roots = RootCertStore::empty();
                roots.add(authority.clone()).unwrap();
                let roots = Arc::new(roots);
                WebPkiClientVerifier::builder_with_provider(roots, Arc::clone(&provider))
                    .build()
                    .unwrap()
            }
        };
        let mut config = ServerConfig::builder_with_provider(Arc::clone(&provider))
            .with_protocol_versions(versions)
            .unwrap()
            .with_client_cert_verifier(clients)
            .with_cert_resolver(Arc::new(SingleCertAndKey::from(shown)));
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
