//! Private keys in files, decrypted once for all connections: deriving the key of a passphrase takes a
//! good part of a second, as it is meant to.

use std::collections::HashMap;
use std::path::{Path, PathBuf};
use std::sync::Arc;

use russh::keys::{Error, PrivateKey, decode_secret_key};
use secrecy::ExposeSecret;
use tokio::sync::Mutex;

use crate::inventory::secrets::read_key;
use crate::model::ssh::is_encrypted;
use crate::model::text::shown;
use crate::model::{Fault, KeyFile};

/// By path, with the passphrase that each was decrypted with.
type Decrypted = HashMap<PathBuf, (KeyFile, Arc<PrivateKey>)>;

/// The keys of a run. Connections that want one that is being decrypted wait for it.
#[derive(Debug, Clone, Default)]
pub(in crate::transport) struct Keys(Arc<Mutex<Decrypted>>);

impl Keys {
    /// # Errors
    /// It can't be read, or not with this passphrase.
    pub(super) async fn get(&self, file: &KeyFile) -> Result<Arc<PrivateKey>, Fault> {
        let mut keys = self.0.lock().await;
        // A wrong passphrase may have been corrected meanwhile.
        let is_same =
            |known: &KeyFile| known.passphrase.expose_secret() == file.passphrase.expose_secret();
        if let Some((known, key)) = keys.get(&*file.path)
            && is_same(known)
        {
            return Ok(Arc::clone(key));
        }
        let wanted = file.clone();
        let read = tokio::task::spawn_blocking(move || read(&wanted)).await;
        let read = read.map_err(|error| Fault::Local(error.to_string()))??;
        let key = Arc::new(read);
        keys.insert(file.path.to_path_buf(), (file.clone(), Arc::clone(&key)));
        Ok(key)
    }
}

fn read(file: &KeyFile) -> Result<PrivateKey, Fault> {
    let text = read_key(&file.path).map_err(|error| Fault::Local(error.to_string()))?;
    let passphrase = file.passphrase.expose_secret();
    let encrypted = is_encrypted(&text);
    if encrypted && passphrase.is_empty() {
        return Err(wrong(
            &file.path,
            "is encrypted, and there is no passphrase; add `passphrase: { ask: true }` beside it",
        ));
    }
    decode_secret_key(&text, encrypted.then_some(passphrase)).map_err(|error| match error {
        // Every error behind the passphrase may be one of a passphrase that is wrong.
        _ if encrypted => wrong(
            &file.path,
            "can't be decrypted: is its passphrase right? `ssh-keygen -p -f KEY` writes it anew in \
             OpenSSH's own form",
        ),
        Error::UnsupportedKeyType { .. } | Error::UnknownAlgorithm(_) => {
            wrong(&file.path, "is of a type that is not supported")
        }
        _ => wrong(
            &file.path,
            "can't be read: is it a private key of OpenSSH, or in PEM?",
        ),
    })
}

fn wrong(path: &Path, why: &str) -> Fault {
    let path = shown(&path.display().to_string());
    Fault::Local(format!("the key {path} {why}"))
}
