//! What was wrong where no answer came, or only a part of one: the errors of the library as faults.

use std::error::Error;
use std::io;

use crate::model::text::shown;
use crate::model::{Fault, Side};
use crate::transport::tls::TlsContext;

/// Why a request got no answer, or only a part of one.
pub(super) fn fault(error: &hyper::Error, tls: Option<&TlsContext>) -> Fault {
    if let Some(tls) = tls
        && let Some(refused) = find(error, |cause| cause.downcast_ref::<rustls::Error>())
    {
        return tls.refused(Side::Http, refused);
    }
    Fault::Lost {
        side: Side::Http,
        reason: reason(error),
    }
}

/// The innermost cause: those around it only say in which part of the library it was met.
fn reason(error: &hyper::Error) -> String {
    let mut last = String::new();
    find(error, |cause| {
        last = cause.to_string();
        None::<&()>
    });
    // The library gives an address of its own manual with it.
    match last.contains("close_notify") {
        true => "it ended in the middle, without the end that TLS has".into(),
        false => shown(&last),
    }
}

/// The innermost cause of a kind. An [`io::Error`] hides what it was made of from `source`.
fn find<'a, T>(
    error: &'a (dyn Error + 'static),
    mut of_kind: impl FnMut(&'a (dyn Error + 'static)) -> Option<&'a T>,
) -> Option<&'a T> {
    let mut found = None;
    let mut cause = Some(error);
    while let Some(error) = cause {
        found = of_kind(error).or(found);
        let inner = error
            .downcast_ref::<io::Error>()
            .and_then(io::Error::get_ref);
        cause = match inner {
            Some(inner) => Some(inner as &(dyn Error + 'static)),
            None => error.source(),
        };
    }
    found
}

/// Whether the connection ended before the end of what was announced.
pub(super) fn is_short(error: &hyper::Error) -> bool {
    let ended = find(error, |cause| {
        let io = cause.downcast_ref::<io::Error>()?;
        (io.kind() == io::ErrorKind::UnexpectedEof).then_some(io)
    });
    ended.is_some()
}
