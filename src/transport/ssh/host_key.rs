//! Whether the key that a server shows is the right one. No key is taken that is not known already.

use std::io;
use std::path::{Path, PathBuf};
use std::sync::Arc;

use russh::keys::{Algorithm, HashAlg, PublicKey};

use crate::model::text::shown;
use crate::model::{Address, Fault, HostKey, HostTrust};

use super::known_hosts::{KnownKeys, known};

/// What is known of a host's keys before it shows one.
#[derive(Debug, Clone)]
pub(super) struct Expected {
    address: Address,
    keys: Keys,
}

#[derive(Debug, Clone)]
enum Keys {
    Pinned(Arc<[HostKey]>),
    File {
        path: PathBuf,
        known: KnownKeys,
    },
    /// There is no file that could say.
    Nothing,
}

impl Expected {
    /// Reads the file, where one says it.
    ///
    /// # Errors
    /// The file that the inventory names can't be read.
    pub(super) fn of(address: &Address, trust: &HostTrust) -> Result<Self, Fault> {
        let keys = match trust {
            HostTrust::Key(pinned) => Keys::Pinned(Arc::clone(pinned)),
            HostTrust::KnownHosts(path) => in_file(path, address).map_err(|reason| {
                let path = shown(&path.display().to_string());
                Fault::Local(format!(
                    "the file of known hosts {path} can't be read: {reason}"
                ))
            })?,
            HostTrust::Unset => match own_file().map(|path| in_file(&path, address)) {
                Some(Ok(keys)) => keys,
                // Who has never used ssh has none.
                Some(Err(_)) | None => Keys::Nothing,
            },
        };
        let address = address.clone();
        Ok(Self { address, keys })
    }

    /// Types of the keys that are known, which the server is asked for first.
    pub(super) fn types(&self) -> Vec<Algorithm> {
        match &self.keys {
            Keys::File { known, .. } => known.keys.iter().map(|(_, key)| key.algorithm()).collect(),
            Keys::Pinned(_) | Keys::Nothing => Vec::new(),
        }
    }

    /// Whether another of the server's keys may be the right one: a fingerprint does not say of which
    /// type its key is, and a server has one key for each type.
    pub(super) fn may_be_another(&self) -> bool {
        matches!(self.keys, Keys::Pinned(_))
    }

    /// # Errors
    /// It is not the right one, and why.
    pub(super) fn judge(&self, key: &PublicKey) -> Result<(), Fault> {
        let address = self.address.to_string();
        let shown = named(key);
        let print = fingerprint(key);
        let (known, path) = match &self.keys {
            Keys::Pinned(pinned) if pinned.contains(&print) => return Ok(()),
            Keys::Pinned(pinned) => {
                let pinned: Vec<String> = pinned.iter().map(HostKey::to_string).collect();
                return Err(Fault::HostKeyChanged {
                    address,
                    shown,
                    expected: format!("`host_key` is {}", pinned.join(", ")),
                });
            }
            Keys::File { path, known } => (known, path),
            Keys::Nothing => {
                return Err(Fault::HostKeyUnknown { address, shown });
            }
        };
        let path = crate::model::text::shown(&path.display().to_string());
        let is_it = |other: &PublicKey| other.key_data() == key.key_data();
        if known.revoked.iter().any(is_it) {
            return Err(Fault::HostKeyRevoked {
                address,
                shown,
                file: path,
            });
        }
        if known.keys.iter().any(|(_, other)| is_it(other)) {
            return Ok(());
        }
        if known.keys.is_empty() {
            return Err(Fault::HostKeyUnknown { address, shown });
        }
        let lines = known.keys.iter();
        let lines = lines.map(|(line, key)| format!("{} (line {line})", named(key)));
        let lines = lines.collect::<Vec<_>>().join(", ");
        Err(Fault::HostKeyChanged {
            address,
            shown,
            expected: format!("{path} has {lines}"),
        })
    }
}

fn in_file(path: &Path, address: &Address) -> io::Result<Keys> {
    let text = String::from_utf8_lossy(&std::fs::read(path)?).into_owned();
    let known = known(&text, &address.host, address.port);
    let path = path.to_path_buf();
    Ok(Keys::File { path, known })
}

/// The one that ssh writes.
fn own_file() -> Option<PathBuf> {
    Some(std::env::home_dir()?.join(".ssh").join("known_hosts"))
}

fn fingerprint(key: &PublicKey) -> HostKey {
    let bytes = key.fingerprint(HashAlg::Sha256).sha256();
    HostKey(bytes.unwrap_or_default())
}

/// Its type and its fingerprint.
fn named(key: &PublicKey) -> String {
    format!("{} {}", key.algorithm(), fingerprint(key))
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::model::Scheme;

    const KEY: &str =
        "ssh-ed25519 AAAAC3NzaC1lZDI1NTE5AAAAIMdstyjkcWd+8oRQCSfyY6Y7D3ddEYb/4cvx7jEthGc6";

    fn address() -> Address {
        Address {
            scheme: Scheme::Sftp,
            host: "card7".into(),
            port: 22,
        }
    }

    fn of_text(text: &str) -> Expected {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("known_hosts");
        std::fs::write(&path, text).unwrap();
        Expected::of(&address(), &HostTrust::KnownHosts(Arc::new(path))).unwrap()
    }

    #[test]
    fn only_a_key_that_is_known_is_accepted() {
        let key: PublicKey = KEY.parse().unwrap();
        let print = fingerprint(&key);
        let pinned = |keys: &[HostKey]| {
            let trust = HostTrust::Key(keys.into());
            Expected::of(&address(), &trust).unwrap().judge(&key)
        };
        assert_eq!(pinned(&[HostKey([1; 32]), print]), Ok(()));
        let Err(Fault::HostKeyChanged {
            shown, expected, ..
        }) = pinned(&[HostKey([1; 32])])
        else {
            panic!("accepted");
        };
        assert_eq!(shown, format!("ssh-ed25519 {print}"));
        assert_eq!(expected, format!("`host_key` is {}", HostKey([1; 32])));

        assert_eq!(of_text(&format!("card7 {KEY}\n")).judge(&key), Ok(()));
        let unknown = of_text(&format!("card8 {KEY}\n")).judge(&key).unwrap_err();
        assert!(matches!(unknown, Fault::HostKeyUnknown { .. }), "{unknown}");
        let said = unknown.to_string();
        assert!(
            said.contains(&print.to_string()) && said.contains("`host_key`"),
            "{said}"
        );
        let revoked = of_text(&format!("card7 {KEY}\n@revoked card9 {KEY}\n"));
        let revoked = revoked.judge(&key).unwrap_err();
        assert!(matches!(revoked, Fault::HostKeyRevoked { .. }), "{revoked}");
        let other = KEY.replace("hGc6", "hGc7");
        let changed = of_text(&format!("\ncard7 {other}\n"))
            .judge(&key)
            .unwrap_err();
        assert!(matches!(changed, Fault::HostKeyChanged { .. }), "{changed}");
        assert!(changed.to_string().contains("(line 2)"), "{changed}");
        assert!(
            changed.to_string().contains(&print.to_string()),
            "{changed}"
        );
    }

    #[test]
    fn a_file_that_is_named_must_be_there() {
        let trust = HostTrust::KnownHosts(Arc::new("/nonexistent/known_hosts".into()));
        let fault = Expected::of(&address(), &trust).unwrap_err();
        assert!(
            fault.to_string().contains("/nonexistent/known_hosts"),
            "{fault}"
        );
    }
}
