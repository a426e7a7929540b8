//! `tls` and `tls_max`: which certificates of a server are accepted, what this host shows it, and how
//! new its TLS may be.

use std::path::Path;
use std::sync::Arc;

use crate::model::{Fingerprint, FingerprintError, Tls, Trust};

use super::credentials::absolute;
use super::error::{Complaint, Problems};
use super::fields::{Fields, Shape};
use super::tree::{Node, Value};
use super::values;

const TLS: Shape = Shape::new("`tls`", &[&["ca", "fingerprint", "client"]]);

const WAYS: &str = "write `tls: { ca: certs/lab.pem }`, the authority that signed it, or `tls: { \
                    fingerprint: \"AB:CD:…\" }`, the SHA-256 of the certificate itself; without \
                    them it is checked with the authorities of this host; `client: FILE` is this \
                    host's own certificate and key, for servers that want one";

/// What is not given stays as it is in `base`.
pub(super) fn read(
    problems: &mut Problems,
    fields: &Fields<'_>,
    base: &Tls,
    inventory: &Path,
) -> Tls {
    let node = fields.get("tls");
    let own = node.map_or_else(Fields::default, |node| Fields::read(problems, node, &TLS));
    let mut file = |key| {
        let written = own.value(problems, key, values::label)?;
        Some(Arc::new(absolute(inventory, &written)))
    };
    let (ca, client) = (file("ca"), file("client"));
    let second = own.get("fingerprint").filter(|_| own.get("ca").is_some());
    let fingerprint = match second {
        Some(second) => problems.refuse(
            &second.span,
            "both `ca` and `fingerprint` are given",
            "keep one: a pinned certificate needs no authority",
        ),
        None => own.value(problems, "fingerprint", fingerprint),
    };
    let max_1_2 = fields.value(problems, "tls_max", |problems, node, key| {
        values::choice(problems, node, key, &[("1.2", true), ("1.3", false)])
    });
    // A key without a value, or an unknown one, is reported already.
    if let Some(node) = node
        && matches!(&node.value, Value::Mapping(entries) if entries.is_empty())
    {
        problems.report(&node.span, "`tls` is empty", WAYS);
    }
    let trust = ca.map(Trust::CaFile);
    let trust = trust.or(fingerprint.map(Trust::Pinned));
    Tls {
        trust: trust.unwrap_or_else(|| base.trust.clone()),
        max_1_2: max_1_2.unwrap_or(base.max_1_2),
        client: client.or_else(|| base.client.clone()),
    }
}

fn fingerprint(problems: &mut Problems, node: &Node, key: &str) -> Option<Fingerprint> {
    let written = values::text(problems, node, key)?;
    let read = written.parse().map_err(|why: FingerprintError| {
        Complaint::new(
            format!("this is not the SHA-256 of a certificate: {why}"),
            "write all of what `openssl x509 -in CERT -noout -fingerprint -sha256` prints behind \
             the `=`",
        )
    });
    problems.ok(&node.span, read)
}
