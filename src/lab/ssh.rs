//! SSH as the lab's servers speak it, whatever is asked for over it: the key, the ways to log in, and the bytes
//! between a client's socket and the library.

use std::io;
use std::sync::Arc;
use std::time::Duration;

use russh::keys::PrivateKey;
use russh::keys::ssh_key::HashAlg;
use russh::keys::ssh_key::private::Ed25519Keypair;
use russh::server::{Auth, Config, Handler, run_stream};
use russh::{MethodKind, MethodSet};
use sha2::{Digest, Sha256};
use tokio::io::{AsyncWriteExt, BufReader};
use tokio::net::TcpStream;

use super::server::Server;
use crate::model::HostKey;

/// How a client may log in.
const METHODS: [MethodKind; 3] = [
    MethodKind::Password,
    MethodKind::PublicKey,
    MethodKind::KeyboardInteractive,
];
/// Bytes that are passed on at once.
pub(super) const PIECE: usize = 32 * 1024;

/// The private key of every server of every lab, so that an inventory can name it: it protects nothing, and
/// nothing of a lab needs protection.
fn private_key(other: bool) -> PrivateKey {
    let of: &[u8] = match other {
        false => b"subtend lab",
        true => b"subtend lab, another key",
    };
    Ed25519Keypair::from_seed(&Sha256::digest(of).into()).into()
}

/// The fingerprint of that key, as the lab shows it.
pub(super) fn host_key() -> Option<HostKey> {
    let fingerprint = private_key(false).public_key().fingerprint(HashAlg::Sha256);
    fingerprint.sha256().map(HostKey)
}

fn config(server: &Server) -> Config {
    Config {
        keys: vec![private_key(server.behaviour.other_host_key)],
        methods: MethodSet::from(&METHODS[..]),
        auth_rejection_time: Duration::ZERO,
        inactivity_timeout: None,
        ..Config::default()
    }
}

/// What is asked where a password is typed in answer to a question.
pub(super) fn asks_for_password() -> Auth {
    Auth::Partial {
        name: "".into(),
        instructions: "".into(),
        prompts: vec![("Password: ".into(), false)].into(),
    }
}

/// One connection, until either side closes it or it is `over`.
pub(super) async fn speak<H>(
    server: &Server,
    login: H,
    client: &mut TcpStream,
    over: impl Future<Output = ()>,
) -> io::Result<()>
where
    H: Handler + Send + 'static,
{
    let config = Arc::new(config(server));
    let (near, far) = tokio::io::duplex(PIECE);
    let speaking = async {
        // Its end is seen by what it sends: an end of its own would overtake its last words.
        if let Ok(running) = run_stream(config, far, login).await {
            let _ = running.await;
        }
        std::future::pending::<()>().await;
    };
    let (from_far, mut to_far) = tokio::io::split(near);
    let (from_client, mut to_client) = client.split();
    let commands = async {
        let mut from = BufReader::with_capacity(PIECE, from_client);
        // The end, or a reset: for the server, the client has left.
        let _ = tokio::io::copy_buf(&mut from, &mut to_far).await;
        let _ = to_far.shutdown().await;
        std::future::pending::<()>().await;
    };
    let answers = async {
        let mut from = BufReader::with_capacity(PIECE, from_far);
        tokio::io::copy_buf(&mut from, &mut to_client).await
    };
    let sent = tokio::select! {
        biased;
        () = over => Ok(0),
        sent = answers => sent,
        () = speaking => Ok(0),
        () = commands => Ok(0),
    };
    sent?;
    to_client.shutdown().await
}

#[cfg(test)]
mod tests {
    use super::*;

    /// It stands in inventories.
    #[test]
    fn the_key_of_a_lab_is_always_the_same() {
        let known = "SHA256:C8QydA9DB3KiVsCYz1ytEf3+ZZ6orha8tFlAzT5dIR0";
        assert_eq!(host_key().unwrap().to_string(), known);
        let other = private_key(true).public_key().fingerprint(HashAlg::Sha256);
        assert_ne!(other.sha256().map(HostKey), host_key());
    }
}
