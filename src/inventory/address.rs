//! Addresses of entities and urls of file servers.
//!
//! Neither may hold a user or a password: errors about those never repeat the text.

use std::net::{Ipv4Addr, Ipv6Addr};

use crate::model::scheme::{FTP_KEYS, HTTP_KEYS, SSH_KEYS, TLS_KEYS};
use crate::model::{Address, Scheme};

use super::error::{Complaint, Problems, did_you_mean, quoted};
use super::fields::Fields;

/// Reads `host`, `host:port`, `[v6]` or `[v6]:port`, with or without a scheme before it.
pub(super) fn parse_address(text: &str) -> Result<Address, Complaint> {
    refuse_user(text)?;
    let (scheme, rest) = match text.split_once("://") {
        Some((scheme, rest)) => (parse_scheme(scheme)?, rest),
        None => (Scheme::default(), text),
    };
    if !scheme.can_take() {
        return Err(Complaint::new(
            format!("{} can't be the address of an entity", quoted(text)),
            format!("write it with {}", listed(|scheme| scheme.can_take(), "or")),
        ));
    }
    if let Some((host, _)) = rest.split_once('/') {
        return Err(Complaint::new(
            format!("the address {} has a path", quoted(text)),
            format!(
                "write {} here, and the destination file as `path:`",
                quoted(host)
            ),
        ));
    }
    host_and_port(scheme, rest)
}

/// Reads `host[:port]`, of a device that is not spoken to.
pub(super) fn parse_host(text: &str) -> Result<Address, Complaint> {
    if text.contains("://") {
        return Err(Complaint::new(
            format!(
                "{} names a protocol, and the device fetches its image",
                quoted(text)
            ),
            "write its host alone: nothing is sent to it but by steps of its procedure",
        ));
    }
    let written = parse_address(text)?;
    let named = host_and_port(Scheme::Fetch, text)?;
    Ok(Address {
        scheme: Scheme::Fetch,
        port: named.port,
        ..written
    })
}

/// Reads `ftp://host[:port][/path]`, or `file:///path`: the address, and the path without a trailing
/// slash.
pub(super) fn parse_url(text: &str) -> Result<(Address, String), Complaint> {
    refuse_user(text)?;
    let Some((scheme, rest)) = text.split_once("://") else {
        return Err(Complaint::new(
            format!("{} is not a url", quoted(text)),
            format!(
                "write it like `ftp://192.0.2.10/images`; possible are {}",
                listed(|scheme| scheme.can_give(), "and")
            ),
        ));
    };
    let scheme = parse_scheme(scheme)?;
    if scheme == Scheme::File {
        return parse_folder(rest);
    }
    if !scheme.can_give() {
        return Err(Complaint::new(
            format!(
                "no image can be read from a server of {}",
                scheme.in_words()
            ),
            format!(
                "write the url with {}",
                listed(|scheme| scheme.can_give(), "or")
            ),
        ));
    }
    let (host, path) = rest.split_once('/').unwrap_or((rest, ""));
    let address = host_and_port(scheme, host)?;
    let root = parse_root(path)?;
    Ok((address, root))
}

/// A folder of this host (RFC 8089): what follows `file://`.
fn parse_folder(rest: &str) -> Result<(Address, String), Complaint> {
    let like = "write the whole path behind three slashes, like `file:///media/usb/images`";
    let Some((host, path)) = rest.split_once('/') else {
        return Err(Complaint::new(
            format!("{} is not the path of a folder", quoted(rest)),
            like,
        ));
    };
    if !host.is_empty() && !host.eq_ignore_ascii_case("localhost") {
        return Err(Complaint::new(
            format!(
                "a `file://` url is about this host, and names {}",
                quoted(host)
            ),
            like,
        ));
    }
    let root = parse_root(path)?;
    let folder = format!("/{}", root.trim_start_matches('/'));
    let address = Address {
        scheme: Scheme::File,
        host: folder.clone(),
        port: Scheme::File.default_port(),
    };
    Ok((address, folder))
}

pub(super) fn refuse_user(text: &str) -> Result<(), Complaint> {
    if text.contains('@') {
        return Err(Complaint::new(
            "there is a user or a password in this address: secrets never stand in the inventory",
            "name them under `credentials`, and write `credentials: NAME` here",
        ));
    }
    Ok(())
}

fn parse_scheme(text: &str) -> Result<Scheme, Complaint> {
    Scheme::of(text).ok_or_else(|| {
        let help = did_you_mean(text, Scheme::ALL.map(Scheme::word), || {
            format!("possible are {}", listed(|_| true, "and"))
        });
        Complaint::new(format!("unknown scheme {}", quoted(text)), help)
    })
}

/// `` `ftp://`, `ftps://` (explicit TLS) and `ftps+implicit://` ``: those that fit.
fn listed(fits: impl Fn(&Scheme) -> bool, last: &str) -> String {
    let fitting = Scheme::ALL.into_iter().filter(fits);
    let mut urls: Vec<String> = (fitting.map(|scheme| {
        let note = if scheme == Scheme::FtpsExplicit {
            " (explicit TLS)"
        } else {
            ""
        };
        format!("`{}://`{note}", scheme.word())
    }))
    .collect();
    let end = urls.pop().unwrap_or_default();
    match urls.as_slice() {
        [] => end,
        urls => format!("{} {last} {end}", urls.join(", ")),
    }
}

/// Reports keys that stand beside an address of whose protocol they are not.
pub(super) fn check_keys(problems: &mut Problems, fields: &Fields<'_>, address: &Address) {
    // A key of another protocol beside an address says that the operator believes in that protocol there.
    let foreign = [&TLS_KEYS[..], &SSH_KEYS, &FTP_KEYS, &HTTP_KEYS].concat();
    for key in foreign.into_iter().filter(|key| !address.scheme.takes(key)) {
        if let Some(at) = fields.key_span(key) {
            let beside = match TLS_KEYS.contains(&key) && !address.scheme.is_encrypted() {
                true => "an address in clear text".to_owned(),
                false => format!("an address of {}", address.scheme.in_words()),
            };
            problems.report(
                at,
                format!("{} stands beside {beside}", quoted(key)),
                format!(
                    "write the address with {}, or leave the key out",
                    listed(|scheme| scheme.takes(key), "or")
                ),
            );
        }
    }
    if let Some(at) = (fields.key_span("credentials")).filter(|_| !address.scheme.has_login()) {
        let beside = address.scheme.in_words();
        problems.report(
            at,
            format!("`credentials` stand beside an address of {beside}"),
            "nobody logs in there: leave the key out",
        );
    }
}

fn host_and_port(scheme: Scheme, text: &str) -> Result<Address, Complaint> {
    let (host, port) = host_with_port(text)?;
    Ok(Address {
        scheme,
        host,
        port: port.unwrap_or(scheme.default_port()),
    })
}

/// Reads `host`, `host:port`, `[v6]` or `[v6]:port`.
pub(super) fn host_with_port(text: &str) -> Result<(String, Option<u16>), Complaint> {
    let (host, port) = if let Some(rest) = text.strip_prefix('[') {
        let (host, after) = rest.split_once(']').ok_or_else(|| {
            Complaint::new(
                format!("{} has a `[` without `]`", quoted(text)),
                "write an IPv6 address like `[2001:db8::1]` or `[2001:db8::1]:2121`",
            )
        })?;
        if !is_ipv6(host) {
            return Err(Complaint::new(
                format!("{} is not an IPv6 address", quoted(host)),
                "write it like `[2001:db8::1]`; a range like `[02-20]` holds digits, `-` and `,`",
            ));
        }
        match after.strip_prefix(':') {
            Some(port) => (host, Some(port)),
            None if after.is_empty() => (host, None),
            None => {
                return Err(Complaint::new(
                    format!("{} after the address makes no sense", quoted(after)),
                    "write a port like `[2001:db8::1]:2121`",
                ));
            }
        }
    } else if is_ipv6(text) {
        return Err(Complaint::new(
            format!("the IPv6 address {} stands without brackets", quoted(text)),
            format!("write \"[{text}]\", in quotes"),
        ));
    } else {
        let (host, port) = match text.split_once(':') {
            Some((host, port)) => (host, Some(port)),
            None => (text, None),
        };
        check_host(host)?;
        (host, port)
    };
    Ok((host.to_owned(), port.map(parse_port).transpose()?))
}

fn is_ipv6(text: &str) -> bool {
    let (address, zone) = text.split_once('%').unwrap_or((text, "1"));
    let zone_fits = !zone.is_empty() && zone.chars().all(|c| c.is_ascii_alphanumeric());
    address.parse::<Ipv6Addr>().is_ok() && zone_fits
}

fn check_host(host: &str) -> Result<(), Complaint> {
    let like =
        "write a name or an address, like `192.0.2.21`, `card7.example.net` or `[2001:db8::1]`";
    if host.is_empty() {
        return Err(Complaint::new("the host is missing", like));
    }
    if host.chars().all(|c| c.is_ascii_digit() || c == '.') {
        return match host.parse::<Ipv4Addr>() {
            Ok(_) => Ok(()),
            Err(_) => Err(Complaint::new(
                format!("{} is not an IPv4 address", quoted(host)),
                "write four numbers up to 255, like `192.0.2.21`",
            )),
        };
    }
    // RFC 1123 section 2.1; underscores occur.
    let label = |label: &str| {
        (1..=63).contains(&label.len())
            && !label.starts_with('-')
            && !label.ends_with('-')
            && label
                .chars()
                .all(|c| c.is_ascii_alphanumeric() || c == '-' || c == '_')
    };
    let labels = host.strip_suffix('.').unwrap_or(host);
    if host.len() > 253 || !labels.split('.').all(label) {
        return Err(Complaint::new(
            format!("{} is not the name of a host", quoted(host)),
            like,
        ));
    }
    Ok(())
}

fn parse_port(text: &str) -> Result<u16, Complaint> {
    let digits = text.chars().all(|c| c.is_ascii_digit());
    match text.parse::<u16>() {
        Ok(port) if port > 0 && digits => Ok(port),
        _ => Err(Complaint::new(
            format!("{} is not a port", quoted(text)),
            "write a number from 1 to 65535",
        )),
    }
}

/// The path of a url as the server is to see it (RFC 1738 section 3.2.2: it starts at the login
/// directory, and `%2F` or a second slash starts at the root).
fn parse_root(path: &str) -> Result<String, Complaint> {
    if let Some(c) = path.chars().find(|c| "?#;".contains(*c)) {
        return Err(Complaint::new(
            format!("there is a `{c}` in the path of the url"),
            "write the path of a folder only",
        ));
    }
    let decoded = decode(path).ok_or_else(|| {
        Complaint::new(
            format!(
                "{} has a `%` that does not stand for a character",
                quoted(path)
            ),
            "write a percent sign itself as `%25`",
        )
    })?;
    if decoded.chars().any(char::is_control) {
        return Err(Complaint::new(
            "the path of the url holds a control character",
            "write plain text",
        ));
    }
    if decoded.split('/').any(|part| part == "..") {
        return Err(Complaint::new(
            format!("the path {} leaves its folder with `..`", quoted(&decoded)),
            "write the folder itself",
        ));
    }
    let root = decoded.trim_end_matches('/');
    let is_slash = root.is_empty() && !decoded.is_empty();
    Ok(if is_slash { "/" } else { root }.to_owned())
}

fn decode(text: &str) -> Option<String> {
    let mut bytes = Vec::with_capacity(text.len());
    let mut rest = text.as_bytes().iter().copied();
    while let Some(byte) = rest.next() {
        if byte == b'%' {
            let digits = [rest.next()?, rest.next()?];
            bytes.extend(hex::decode(digits).ok()?);
        } else {
            bytes.push(byte);
        }
    }
    String::from_utf8(bytes).ok()
}

#[cfg(test)]
mod tests {
    use super::*;

    fn address(text: &str) -> (Scheme, String, u16) {
        let address = parse_address(text).unwrap();
        (address.scheme, address.host, address.port)
    }

    #[test]
    fn addresses_have_the_ports_of_their_schemes() {
        assert_eq!(address("192.0.2.1"), (Scheme::Ftp, "192.0.2.1".into(), 21));
        assert_eq!(address("card7:2121"), (Scheme::Ftp, "card7".into(), 2121));
        assert_eq!(
            address("[2001:db8::1]"),
            (Scheme::Ftp, "2001:db8::1".into(), 21)
        );
        assert_eq!(
            address("[fe80::1%eth0]:2"),
            (Scheme::Ftp, "fe80::1%eth0".into(), 2)
        );
        assert_eq!(
            address("ftps://a.example."),
            (Scheme::FtpsExplicit, "a.example.".into(), 21)
        );
        assert_eq!(
            address("ftps+implicit://a"),
            (Scheme::FtpsImplicit, "a".into(), 990)
        );
        assert_eq!(address("http://a"), (Scheme::Http, "a".into(), 80));
        assert_eq!(address("https://a"), (Scheme::Https, "a".into(), 443));
        assert_eq!(address("tftp://[::1]"), (Scheme::Tftp, "::1".into(), 69));
    }

    #[test]
    fn wrong_addresses_say_what_to_write() {
        for (text, why) in [
            ("192.0.2.256", "not an IPv4 address"),
            ("192.0.2", "not an IPv4 address"),
            ("2001:db8::1", "without brackets"),
            ("[02-20", "`[` without `]`"),
            ("[x]", "not an IPv6 address"),
            ("[::1]2121", "makes no sense"),
            ("host:0", "not a port"),
            ("host:65536", "not a port"),
            ("host:+21", "not a port"),
            ("host:", "not a port"),
            ("", "host is missing"),
            ("a b", "not the name of a host"),
            ("-a", "not the name of a host"),
            ("gopher://a", "unknown scheme"),
            ("ftp://a/flash", "has a path"),
            ("file:///flash", "can't be the address of an entity"),
        ] {
            let complaint = parse_address(text).unwrap_err();
            assert!(complaint.message.contains(why), "{text}: {complaint}");
            assert!(!complaint.help.is_empty(), "{text}");
        }
    }

    #[test]
    fn a_user_in_an_address_is_refused_and_never_repeated() {
        for text in [
            "craft:hunter2@192.0.2.1",
            "ftp://craft:hunter2@192.0.2.1/images",
        ] {
            for complaint in [
                parse_address(text).unwrap_err(),
                parse_url(text).unwrap_err(),
            ] {
                assert!(
                    complaint.message.contains("secrets never stand"),
                    "{complaint}"
                );
                assert!(!complaint.to_string().contains("hunter2"), "{complaint}");
            }
        }
    }

    #[test]
    fn the_path_of_a_url_starts_at_the_login_directory() {
        let root = |text: &str| parse_url(text).unwrap().1;
        assert_eq!(root("ftp://h"), "");
        assert_eq!(root("ftp://h/"), "");
        assert_eq!(root("ftp://h/images/"), "images");
        assert_eq!(root("ftp://h/a/b%20c"), "a/b c");
        assert_eq!(root("ftp://h//srv/images"), "/srv/images");
        assert_eq!(root("ftp://h/%2Fsrv"), "/srv");
        assert_eq!(root("ftp://h//"), "/");
        assert_eq!(root("file:///media/usb/images/"), "/media/usb/images");
        assert_eq!(root("file://localhost/a%20b/%C3%A9"), "/a b/é");
        assert_eq!(root("file:////srv//images"), "/srv//images");
        assert_eq!(root("file:///"), "/");
        for wrong in [
            "ftp://h/a/../b",
            "ftp://h/%0d%0aDELE",
            "ftp://h/%zz",
            "ftp://h/a;type=i",
            "h/images",
            "tftp://h/images",
            "file://nas/images",
            "file://images",
            "file://./images",
            "file:///a/../b",
            "file:///a%00b",
            "file:///a?b",
        ] {
            assert!(parse_url(wrong).is_err(), "{wrong}");
        }
    }
}
