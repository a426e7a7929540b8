//! The url of a file: its path as the operator writes it, encoded (RFC 3986).

use url::{Position, Url};

use crate::model::text::percent_encoded;
use crate::model::{Address, Fault, RemotePath, Scheme};

/// In place of an address with a zone, which no url can hold; it is never looked up, nor sent.
const LINK_LOCAL: &str = "link-local.invalid";

/// The url of a file. `has_query`: what stands behind a `?` is for a program of the server's, and no part
/// of the file's name.
///
/// # Errors
/// The path can't be asked for as it is: a url can't hold it.
pub(super) fn url(address: &Address, path: &RemotePath, has_query: bool) -> Result<Url, Fault> {
    let local = |reason: String| Fault::Local(reason);
    let (name, query) = match path.as_str().split_once('?') {
        Some((name, query)) if has_query => (name, Some(query)),
        _ => (path.as_str(), None),
    };
    if name.split('/').any(|part| matches!(part, "." | "..")) {
        let reason = "a path with `.` or `..` can't be asked for over HTTP: write where it leads";
        return Err(local(reason.into()));
    }
    let mut text = origin(address);
    if !name.starts_with('/') {
        text.push('/');
    }
    text.push_str(&percent_encoded(name, b"-._~/"));
    if let Some(query) = query {
        text.push('?');
        text.push_str(&percent_encoded(query, b"-._~/?&=;,:@!$'()*+%"));
    }
    Url::parse(&text).map_err(|error| local(format!("the path makes no url: {error}")))
}

/// `scheme://host:port`.
pub(super) fn origin(address: &Address) -> String {
    let scheme = match address.scheme {
        Scheme::Https => "https",
        _ => "http",
    };
    format!("{scheme}://{}:{}", host(address), address.port)
}

/// The host as a url has it.
fn host(address: &Address) -> String {
    match (zone(address), address.host.contains(':')) {
        (Some(_), _) => LINK_LOCAL.into(),
        (None, true) => format!("[{}]", address.host),
        (None, false) => address.host.clone(),
    }
}

/// Host and port of a url, as the `Host` of a request has them.
pub(super) fn host_of(url: &Url) -> String {
    url[Position::BeforeHost..Position::AfterPort].to_owned()
}

/// The address without its zone, where it has one, for the `Host` of a request.
pub(super) fn zone(address: &Address) -> Option<String> {
    let (host, _) = address.host.split_once('%')?;
    let default = address.port == address.scheme.default_port();
    Some(match default {
        true => format!("[{host}]"),
        false => format!("[{host}]:{}", address.port),
    })
}

/// The last part of a path: what a file that is uploaded is called.
pub(super) fn file_name(path: &RemotePath) -> &str {
    let path = path.as_str();
    let path = path.split_once('?').map_or(path, |(path, _)| path);
    match path.rsplit_once('/') {
        Some((_, name)) => name,
        None => path,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn address(text: &str, port: u16, scheme: Scheme) -> Address {
        Address {
            scheme,
            host: text.into(),
            port,
        }
    }

    #[test]
    fn a_path_is_asked_for_as_it_is_written() {
        let at = address("192.0.2.1", 80, Scheme::Http);
        let made = |path: &str, query| {
            let path = RemotePath::new(path).unwrap();
            url(&at, &path, query).map(String::from)
        };
        for (path, expected) in [
            ("/a/b.bin", "/a/b.bin"),
            ("b.bin", "/b.bin"),
            ("/a b/ü#?%41", "/a%20b/%C3%BC%23%3F%2541"),
            ("//a", "//a"),
            ("/a\\..\\b", "/a%5C..%5Cb"),
        ] {
            assert_eq!(made(path, false), Ok(format!("http://192.0.2.1{expected}")));
        }
        let asked = "http://192.0.2.1/cgi/up?slot=1&part=%41".to_owned();
        assert_eq!(made("/cgi/up?slot=1&part=%41", true), Ok(asked));
        for wrong in ["/a/../b", "../b", "/./b"] {
            assert!(made(wrong, false).is_err(), "{wrong}");
        }
    }

    #[test]
    fn hosts_stand_in_urls_as_they_must() {
        let path = RemotePath::new("/x").unwrap();
        let made = |host: &str, port, scheme| {
            String::from(url(&address(host, port, scheme), &path, false).unwrap())
        };
        assert_eq!(
            made("2001:db8::1", 8080, Scheme::Http),
            "http://[2001:db8::1]:8080/x"
        );
        assert_eq!(made("a.example", 443, Scheme::Https), "https://a.example/x");
        assert_eq!(
            made("fe80::1%eth0", 80, Scheme::Http),
            "http://link-local.invalid/x"
        );
        let zoned = address("fe80::1%eth0", 80, Scheme::Http);
        assert_eq!(zone(&zoned), Some("[fe80::1]".into()));
    }

    #[test]
    fn a_file_is_called_as_the_end_of_its_path() {
        for (path, name) in [
            ("/a/b.bin", "b.bin"),
            ("b", "b"),
            ("/up.cgi?x=/y", "up.cgi"),
        ] {
            assert_eq!(file_name(&RemotePath::new(path).unwrap()), name);
        }
    }
}
