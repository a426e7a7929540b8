//! `tls` and `tls_max`: which certificates of a server are accepted, what this host shows it, and how
//! new its TLS may be.

use std::path::Path;
use std::sync::Arc;

use crate::model::{Tls, Trust};

use super::credentials::absolute;
use super::error::Problems;
use super::fields::{Fields, Shape};
use super::tree::Node;
use super::values;

const TLS: Shape = Shape::new("`tls`", &[&["ca", "fingerprint", "client"]]);

const WAYS: &str = "write `tls: { ca: certs/lab.pem }`, the authority that signed it, or `tls: { \
                    fingerprint: \"AB:CD:…\" }`, the SHA-256 of the certificate itself; without \
                    them it is checked with the authorities of this host; `client: FILE` is this \
                    host's own certificate and key, for servers that want one";

/// What is not given stays as it is in `base`.
pub(super) fn read(
    problems: &mut Problems,
    fields: Option<&Fields<'_>>,
    base: &Tls,
    inventory: &Path,
) -> Tls {
    let get = |key| fields.and_then(|fields| fields.get(key));
    let own = get("tls").and_then(|node| Fields::read(problems, node, &TLS).map(|own| (node, own)));
    let trust = (own.as_ref()).and_then(|(node, own)| trust(problems, node, own, inventory));
    let client = own.as_ref().and_then(|(_, own)| {
        let node = own.get("client")?;
        let written = values::label(problems, node, "client")?;
        Some(Arc::new(absolute(inventory, &written)))
    });
    let max_1_2 = get("tls_max").and_then(|node| {
        let choices = [("1.2", true), ("1.3", false)];
        values::choice(problems, node, "tls_max", &choices)
    });
    Tls {
        trust: trust.unwrap_or_else(|| base.trust.clone()),
        max_1_2: max_1_2.unwrap_or(base.max_1_2),
        client: client.or_else(|| base.client.clone()),
    }
}

fn trust(
    problems: &mut Problems,
    node: &Node,
    fields: &Fields<'_>,
    inventory: &Path,
) -> Option<Trust> {
    match (fields.get("ca"), fields.get("fingerprint")) {
        (Some(_), Some(second)) => {
            let message = "both `ca` and `fingerprint` are given";
            let help = "keep one: a pinned certificate needs no authority";
            problems.report(&second.span, message, help);
            None
        }
        (Some(node), None) => {
            let written = values::label(problems, node, "ca")?;
            Some(Trust::CaFile(Arc::new(absolute(inventory, &written))))
        }
        (None, Some(node)) => {
            let written = values::text(problems, node, "fingerprint")?;
            match written.parse() {
                Ok(fingerprint) => Some(Trust::Pinned(fingerprint)),
                Err(why) => {
                    let message = format!("this is not the SHA-256 of a certificate: {why}");
                    let help = "write all of what `openssl x509 -in CERT -noout -fingerprint \
                                -sha256` prints behind the `=`";
                    problems.report(&node.span, message, help);
                    None
                }
            }
        }
        (None, None) => {
            // A key without a value, or an unknown one, is reported already.
            let is_empty =
                matches!(&node.value, super::tree::Value::Mapping(entries) if entries.is_empty());
            if is_empty {
                problems.report(&node.span, "`tls` is empty", WAYS);
            }
            None
        }
    }
}
