//! What fuzzing reaches of the parsers here: bytes as a server may send them. What must hold of what
//! comes out is checked by the caller.

use suppaftp::Status;
use suppaftp::types::Response;

use crate::transport::Listed;
use crate::transport::digest::Algorithm;

use super::list::{Form, entry};
use super::reply::Reply;
use super::{features, passive, source};

/// Everything that is ever made of a reply; what of it would be shown.
pub(crate) fn reply(bytes: &[u8]) -> Option<String> {
    let response = Response::new(Status::Unknown, bytes.to_vec());
    let reply = Reply::from_response(&response, &crate::transport::redact::Redact::default())?;
    let _ = (reply.is_preliminary(), reply.is_done());
    let _ = reply.is_unknown_command();
    let _ = passive::port_of_epsv(&reply.raw);
    let _ = passive::of_pasv(&reply.raw);
    let _ = features::strongest(&reply.raw);
    for offset in [0, 1] {
        let _ = source::size_in_preliminary(&reply, offset);
    }
    for algorithm in [
        Algorithm::Crc32,
        Algorithm::Md5,
        Algorithm::Sha1,
        Algorithm::Sha256,
    ] {
        let _ = features::digest_in(&reply.raw, algorithm);
    }
    Some(format!("{reply} {}", reply.fault()))
}

/// Everything that a listing says, read in every form that there is.
pub(crate) fn listing(bytes: &[u8]) -> Vec<Listed> {
    let lines = || bytes.split(|byte| *byte == b'\n');
    [Form::Facts, Form::ForPeople, Form::Names]
        .into_iter()
        .flat_map(|form| lines().filter_map(move |line| entry(line, form)))
        .collect()
}
