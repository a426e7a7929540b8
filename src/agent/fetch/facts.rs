//! What is to be known beside the steps: from where a device may ask, and what the image is that it has to have.

use std::collections::BTreeMap;
use std::net::IpAddr;

use tokio::net::lookup_host;
use tokio::time::timeout;

use crate::model::procedure::{Placeholder, Procedure, Sum, Values};
use crate::model::{Entity, Failure, Fault, Step};
use crate::transport::Endpoint;

/// What is known of an image that was read.
pub(super) fn known_of_image(
    values: &mut Values,
    size: Option<u64>,
    sha256: Option<[u8; 32]>,
    sums: &BTreeMap<Sum, String>,
) {
    values.extend(size.map(|size| (Placeholder::Size, size.to_string())));
    let sha256 = sha256.map(|sha256| (Placeholder::Sum(Sum::Sha256), hex::encode(sha256)));
    values.extend(sha256);
    let sums = sums.iter();
    values.extend(sums.map(|(sum, text)| (Placeholder::Sum(*sum), text.clone())));
}

/// From where a device may ask.
pub(super) async fn addresses(
    entity: &Entity,
    procedure: &Procedure,
) -> Result<Vec<IpAddr>, Failure> {
    let line = Endpoint::address_of_procedure(entity, procedure).host;
    let hosts = [entity.address.host.as_str(), line.as_str()];
    let hosts = hosts
        .into_iter()
        .chain(entity.fetch_from.iter().map(|host| &**host));
    let mut all: Vec<IpAddr> = Vec::new();
    for host in hosts {
        let found = timeout(entity.timeouts.connect, lookup_host((host, 0))).await;
        let found = match found {
            Ok(Ok(found)) => found,
            Ok(Err(error)) => return Err(unresolved(host, error.to_string())),
            Err(_) => return Err(unresolved(host, "no answer".into())),
        };
        for address in found.map(|found| found.ip().to_canonical()) {
            if !all.contains(&address) {
                all.push(address);
            }
        }
    }
    Ok(all)
}

fn unresolved(name: &str, reason: String) -> Failure {
    let name = name.to_owned();
    Failure::new(Step::Connect, Fault::Unresolved { name, reason })
}
