//! Files of known hosts (sshd(8), "SSH_KNOWN_HOSTS FILE FORMAT"): hashed names, patterns, ports, markers.
//!
//! russh's own search knows no markers and no patterns, so that a revoked key would be a known one.

use russh::keys::PublicKey;
use russh::keys::ssh_key::known_hosts::{Entry, HostPatterns, Marker};
use sha1::{Digest, Sha1};

/// What a file says of a host.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub(super) struct KnownKeys {
    /// With the lines that they stand in, from 1.
    pub(super) keys: Vec<(usize, PublicKey)>,
    /// Not to be accepted from any host.
    pub(super) revoked: Vec<PublicKey>,
}

/// What the text of a file says. Lines that can't be read say nothing, as for ssh. A name that stands there
/// without a port is taken where none stands there with it.
pub(super) fn known(text: &str, host: &str, port: u16) -> KnownKeys {
    let host = host.to_ascii_lowercase();
    let with_port = format!("[{host}]:{port}");
    let mut found = KnownKeys::default();
    let mut without_port = Vec::new();
    for (line, entry) in entries(text) {
        let key = entry.public_key().clone();
        let names = entry.host_patterns();
        match entry.marker() {
            Some(Marker::Revoked) => found.revoked.push(key),
            // A certificate is asked of no host.
            Some(Marker::CertAuthority) => {}
            None if port != 22 && is_among(names, &with_port) => found.keys.push((line, key)),
            None if is_among(names, &host) => without_port.push((line, key)),
            None => {}
        }
    }
    if found.keys.is_empty() {
        found.keys = without_port;
    }
    found
}

fn entries(text: &str) -> impl Iterator<Item = (usize, Entry)> {
    text.lines().enumerate().filter_map(|(at, line)| {
        // Tabs stand there too.
        let words: Vec<&str> = line.split_whitespace().collect();
        let is_said = words.first().is_some_and(|first| !first.starts_with('#'));
        let entry = is_said.then(|| words.join(" ").parse().ok()).flatten();
        Some((at + 1, entry?))
    })
}

fn is_among(names: &HostPatterns, host: &str) -> bool {
    match names {
        HostPatterns::HashedName { salt, hash } => hmac_sha1(salt, host.as_bytes()) == *hash,
        HostPatterns::Patterns(patterns) => {
            let mut is_named = false;
            for pattern in patterns {
                let (negated, pattern) = match pattern.strip_prefix('!') {
                    Some(pattern) => (true, pattern),
                    None => (false, pattern.as_str()),
                };
                if fits(pattern.to_ascii_lowercase().as_bytes(), host.as_bytes()) {
                    if negated {
                        return false;
                    }
                    is_named = true;
                }
            }
            is_named
        }
    }
}

/// `*` is any number of characters, `?` is one. In the time of the product of both lengths.
fn fits(pattern: &[u8], name: &[u8]) -> bool {
    let (mut at, mut from) = (0, 0);
    let mut star = None;
    while from < name.len() {
        match pattern.get(at) {
            Some(b'*') => {
                star = Some((at, from));
                at += 1;
            }
            Some(c) if *c == b'?' || *c == name[from] => {
                at += 1;
                from += 1;
            }
            _ => {
                let Some((star_at, taken)) = star else {
                    return false;
                };
                star = Some((star_at, taken + 1));
                at = star_at + 1;
                from = taken + 1;
            }
        }
    }
    pattern[at..].iter().all(|c| *c == b'*')
}

/// RFC 2104.
fn hmac_sha1(key: &[u8], text: &[u8]) -> [u8; 20] {
    let mut block = [0; 64];
    match key.len() {
        0..=64 => block[..key.len()].copy_from_slice(key),
        _ => block[..20].copy_from_slice(&Sha1::digest(key)),
    }
    let inner = Sha1::new()
        .chain_update(block.map(|byte| byte ^ 0x36))
        .chain_update(text)
        .finalize();
    let outer = Sha1::new()
        .chain_update(block.map(|byte| byte ^ 0x5C))
        .chain_update(inner);
    outer.finalize().into()
}

#[cfg(test)]
mod tests {
    use super::*;

    const ONE: &str =
        "ssh-ed25519 AAAAC3NzaC1lZDI1NTE5AAAAIMdstyjkcWd+8oRQCSfyY6Y7D3ddEYb/4cvx7jEthGc6";
    const TWO: &str =
        "ssh-ed25519 AAAAC3NzaC1lZDI1NTE5AAAAIGJd1JDE1EuO2XNi6kYDoHS3rq3a0aKTBr+ePTkcFb98";

    fn lines(text: &str, host: &str, port: u16) -> Vec<usize> {
        let known = known(text, host, port);
        known.keys.into_iter().map(|(line, _)| line).collect()
    }

    #[test]
    fn names_ports_and_patterns_are_found() {
        let text = format!(
            "# a comment\n\ncard7,192.0.2.7 {ONE} craft@noc\n[card7]:2222\t{TWO}\n*.example.net,!bad.example.net \
             {ONE}\nnonsense\n@cert-authority * {TWO}\ncard? {TWO}\n[*]:2022 {ONE}\n"
        );
        assert_eq!(lines(&text, "card7", 22), [3, 8]);
        assert_eq!(lines(&text, "CARD7", 22), [3, 8]);
        assert_eq!(lines(&text, "192.0.2.7", 22), [3]);
        assert_eq!(lines(&text, "card7", 2222), [4]);
        // As ssh does: a name without a port stands for the host.
        assert_eq!(lines(&text, "card7", 2223), [3, 8]);
        assert_eq!(lines(&text, "a.example.net", 22), [5]);
        assert_eq!(lines(&text, "bad.example.net", 22), [0; 0]);
        assert_eq!(lines(&text, "other", 2022), [9]);
        assert_eq!(lines(&text, "other", 22), [0; 0]);
        assert_eq!(lines("", "card7", 22), [0; 0]);
    }

    /// The line is of `ssh-keygen -H`.
    #[test]
    fn hashed_names_are_found() {
        let text = format!("|1|TmB31w3dYywIXgmellLq8+GaMH0=|ItR4WWG0kO7O35TYDu+hJt89LUM= {ONE}\n");
        assert_eq!(lines(&text, "localhost", 22), [1]);
        assert_eq!(lines(&text, "localhos", 22), [0; 0]);
    }

    #[test]
    fn a_revoked_key_is_one_of_every_host() {
        let text = format!("@revoked * {ONE}\ncard7 {ONE}\ncard7 {TWO}\n");
        let known = known(&text, "card7", 22);
        assert_eq!(known.revoked, [ONE.parse().unwrap()]);
        assert_eq!(known.keys.len(), 2);
    }

    #[test]
    fn the_code_is_that_of_rfc_2202() {
        let code = hmac_sha1(b"Jefe", b"what do ya want for nothing?");
        assert_eq!(
            hex::encode(code),
            "effcdf6ae5eb2fa2d27416d5f184df9c259a7c79"
        );
        let long = hmac_sha1(
            &[0xAA; 80],
            b"Test Using Larger Than Block-Size Key - Hash Key First",
        );
        assert_eq!(
            hex::encode(long),
            "aa4ae5e15272d00e95705637ce8a3b55ed402112"
        );
    }

    #[test]
    fn patterns_fit_as_in_a_shell() {
        for (pattern, name, does) in [
            ("*", "", true),
            ("a*b*c", "axxbyyc", true),
            ("a*b*c", "axxbyy", false),
            ("a?c", "abc", true),
            ("a?c", "ac", false),
            ("abc", "abcd", false),
            ("", "", true),
            ("*a", "aaab", false),
        ] {
            assert_eq!(
                fits(pattern.as_bytes(), name.as_bytes()),
                does,
                "{pattern} {name}"
            );
        }
    }
}
