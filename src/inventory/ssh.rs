//! `host_key`, `known_hosts` and `ssh_legacy`: which keys of a server are accepted, and whether old
//! algorithms are.

use std::path::Path;
use std::sync::Arc;

use crate::model::{HostKey, HostKeyError, HostTrust, Ssh};

use super::credentials::absolute;
use super::error::{Complaint, Problems};
use super::fields::Fields;
use super::tree::{Node, Value};
use super::values;

/// What is not given stays as it is in `base`.
pub(super) fn read(
    problems: &mut Problems,
    fields: &Fields<'_>,
    base: &Ssh,
    inventory: &Path,
) -> Ssh {
    let keys = fields.get("host_key").and_then(|node| keys(problems, node));
    let known_hosts = fields.value(problems, "known_hosts", values::label);
    let legacy = fields.value(problems, "ssh_legacy", values::boolean);
    if let (Some(_), Some(second)) = (fields.get("host_key"), fields.get("known_hosts")) {
        problems.report(
            &second.span,
            "both `host_key` and `known_hosts` are given",
            "keep one: a pinned key needs no file of known hosts",
        );
    }
    let trust = keys.map(HostTrust::Key).or_else(|| {
        let file = absolute(inventory, &known_hosts?);
        Some(HostTrust::KnownHosts(Arc::new(file)))
    });
    Ssh {
        trust: trust.unwrap_or_else(|| base.trust.clone()),
        legacy: legacy.unwrap_or(base.legacy),
    }
}

/// One fingerprint, or several: a host has a key for each algorithm.
fn keys(problems: &mut Problems, node: &Node) -> Option<Arc<[HostKey]>> {
    let texts = values::texts(problems, node, "host_key");
    let keys = texts.into_iter().filter_map(|(text, at)| {
        let read = text.parse().map_err(|why: HostKeyError| {
            Complaint::new(
                format!("this is not the SHA-256 of a host key: {why}"),
                "write what `ssh-keygen -lf FILE` prints on the device for its public key, like \
                 `host_key: \"SHA256:…\"`; a first connection shows it too",
            )
        });
        problems.ok(&at.span, read)
    });
    let keys: Arc<[HostKey]> = keys.collect();
    if matches!(&node.value, Value::Sequence(items) if items.is_empty()) {
        let help = "write the SHA-256 of a host key, or leave `host_key` out";
        problems.report(&node.span, "`host_key` is empty", help);
    }
    (!keys.is_empty()).then_some(keys)
}
