//! The packets of TFTP (RFC 1350 section 5; options: RFC 2347).

/// Bytes of a packet that are read: no answer has more that matter, and the text of an error is cut anyway.
pub(in crate::transport) const LONGEST: usize = 1024;
/// Bytes of a request with its options (RFC 2347).
pub(in crate::transport) const REQUEST: usize = 512;

const READ: u16 = 1;
const WRITE: u16 = 2;
const DATA: u16 = 3;
const ACK: u16 = 4;
const ERROR: u16 = 5;
const OACK: u16 = 6;

/// The transfer was given up, for a reason that has no code.
pub(in crate::transport) const GIVEN_UP: u16 = 0;
pub(in crate::transport) const NOT_FOUND: u16 = 1;
pub(in crate::transport) const DENIED: u16 = 2;
pub(in crate::transport) const ILLEGAL: u16 = 4;
pub(super) const UNKNOWN_TRANSFER: u16 = 5;
/// The options are not acceptable (RFC 2347).
pub(super) const OPTIONS: u16 = 8;

/// What comes from the side that a file is sent to.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(in crate::transport) enum Answer {
    Acknowledged(u16),
    /// Names and values; `None`: they can't be read.
    Options(Option<Vec<(String, String)>>),
    Error {
        code: u16,
        /// As it came.
        text: String,
    },
    /// Nothing that is an answer.
    Other,
}

/// A request to write a file, with options; `None`: it would be too long.
pub(super) fn request(path: &str, options: &[(&str, u64)]) -> Option<Vec<u8>> {
    let mut packet = WRITE.to_be_bytes().to_vec();
    push_word(path, &mut packet);
    push_word("octet", &mut packet);
    push_options(options, &mut packet);
    (packet.len() <= REQUEST).then_some(packet)
}

/// What a server is asked for.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(in crate::transport) struct Request {
    pub(in crate::transport) writes: bool,
    pub(in crate::transport) path: String,
    /// In small letters.
    pub(in crate::transport) mode: String,
    /// Names, in small letters, and values: none where they can't be read, as if none were known.
    pub(in crate::transport) options: Vec<(String, String)>,
}

/// `None`: it is no request.
pub(in crate::transport) fn asked(packet: &[u8]) -> Option<Request> {
    let (kind, rest) = word(packet)?;
    let writes = match kind {
        READ => false,
        WRITE => true,
        _ => return None,
    };
    let mut parts = rest.splitn(3, |byte| *byte == 0);
    let (path, mode, behind) = (parts.next()?, parts.next()?, parts.next()?);
    let text = |bytes: &[u8]| std::str::from_utf8(bytes).ok().map(str::to_owned);
    Some(Request {
        writes,
        path: text(path)?,
        mode: text(mode)?.to_ascii_lowercase(),
        options: options(behind).unwrap_or_default(),
    })
}

/// Grants options.
pub(in crate::transport) fn granted(options: &[(&str, u64)]) -> Vec<u8> {
    let mut packet = OACK.to_be_bytes().to_vec();
    push_options(options, &mut packet);
    packet
}

fn push_options(options: &[(&str, u64)], packet: &mut Vec<u8>) {
    for (name, value) in options {
        push_word(name, packet);
        push_word(&value.to_string(), packet);
    }
}

fn push_word(word: &str, packet: &mut Vec<u8>) {
    packet.extend_from_slice(word.as_bytes());
    packet.push(0);
}

/// Puts a block of the file into `packet`.
pub(super) fn data(number: u16, block: &[u8], packet: &mut Vec<u8>) {
    packet.clear();
    packet.extend_from_slice(&DATA.to_be_bytes());
    packet.extend_from_slice(&number.to_be_bytes());
    packet.extend_from_slice(block);
}

pub(in crate::transport) fn error(code: u16, text: &str) -> Vec<u8> {
    let mut packet = ERROR.to_be_bytes().to_vec();
    packet.extend_from_slice(&code.to_be_bytes());
    packet.extend_from_slice(text.as_bytes());
    packet.push(0);
    packet
}

pub(in crate::transport) fn parse(packet: &[u8]) -> Answer {
    let Some((kind, rest)) = word(packet) else {
        return Answer::Other;
    };
    match (kind, word(rest)) {
        (OACK, _) => Answer::Options(options(rest)),
        (ACK, Some((number, _))) => Answer::Acknowledged(number),
        (ERROR, Some((code, text))) => {
            let text = text.split(|byte| *byte == 0).next().unwrap_or_default();
            Answer::Error {
                code,
                text: String::from_utf8_lossy(text).into_owned(),
            }
        }
        _ => Answer::Other,
    }
}

fn word(bytes: &[u8]) -> Option<(u16, &[u8])> {
    let (word, rest) = bytes.split_first_chunk()?;
    Some((u16::from_be_bytes(*word), rest))
}

/// Names and values, each with a zero byte behind it.
fn options(bytes: &[u8]) -> Option<Vec<(String, String)>> {
    if bytes.is_empty() {
        return Some(Vec::new());
    }
    let words: Option<Vec<&str>> = (bytes.strip_suffix(&[0])?.split(|byte| *byte == 0))
        .map(|word| std::str::from_utf8(word).ok())
        .collect();
    let pairs = words?;
    let (pairs, []) = pairs.as_chunks::<2>() else {
        return None;
    };
    let owned = |[name, value]: &[&str; 2]| (name.to_ascii_lowercase(), (*value).to_owned());
    Some(pairs.iter().map(owned).collect())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_request_has_its_path_its_mode_and_its_options() {
        assert_eq!(
            request("flash/a.bin", &[("blksize", 1428), ("tsize", 7)]).unwrap(),
            b"\0\x02flash/a.bin\0octet\0blksize\x001428\0tsize\x007\0"
        );
        assert_eq!(request(&"x".repeat(503), &[]).unwrap().len(), 512);
        assert_eq!(request(&"x".repeat(504), &[]), None);
        let mut packet = vec![9; 9];
        data(258, b"ab", &mut packet);
        assert_eq!(packet, b"\0\x03\x01\x02ab");
        assert_eq!(error(5, "x"), b"\0\x05\0\x05x\0");
    }

    #[test]
    fn requests_are_read_with_and_without_options_or_not_at_all() {
        let read = asked(b"\0\x01/t/a.bin\0OCTET\0BlkSize\x001428\0").unwrap();
        let pair = ("blksize".to_owned(), "1428".to_owned());
        assert_eq!((read.writes, &*read.path), (false, "/t/a.bin"));
        assert_eq!((&*read.mode, read.options), ("octet", vec![pair]));
        let plain = asked(b"\0\x02a\0netascii\0").unwrap();
        assert_eq!((plain.writes, &*plain.mode), (true, "netascii"));
        assert!(plain.options.is_empty());
        let odd = asked(b"\0\x01a\0octet\0blksize\0").unwrap();
        assert!(odd.options.is_empty(), "as if none were known");
        for wrong in [
            &b""[..],
            b"\0\x01",
            b"\0\x01a",
            b"\0\x01a\0octet",
            b"\0\x01\xff\0octet\0",
            b"\0\x03a\0octet\0",
            b"\0\x05\0\x01x\0y\0",
        ] {
            assert_eq!(asked(wrong), None, "{wrong:?}");
        }
        assert_eq!(
            granted(&[("blksize", 8), ("tsize", 7)]),
            b"\0\x06blksize\x008\0tsize\x007\0"
        );
    }

    #[test]
    fn what_comes_is_read_as_far_as_it_makes_sense() {
        let pair = |name: &str, value: &str| (name.to_owned(), value.to_owned());
        for (packet, answer) in [
            (&b"\0\x04\x01\x02"[..], Answer::Acknowledged(258)),
            (b"\0\x06", Answer::Options(Some(vec![]))),
            (
                b"\0\x06BlkSize\x0014\0tsize\x00\0",
                Answer::Options(Some(vec![pair("blksize", "14"), pair("tsize", "")])),
            ),
            (b"\0\x06blksize\0", Answer::Options(None)),
            (b"\0\x06blksize\x0014", Answer::Options(None)),
            (b"\0\x06\xff\x0014\0", Answer::Options(None)),
            (
                b"\0\x05\0\x03full\0rest",
                Answer::Error {
                    code: 3,
                    text: "full".into(),
                },
            ),
            (
                b"\0\x05\0\x00\xff",
                Answer::Error {
                    code: 0,
                    text: "\u{fffd}".into(),
                },
            ),
            (b"\0\x04\x01", Answer::Other),
            (b"\0\x05\x01", Answer::Other),
            (b"\0\x03\0\x01data", Answer::Other),
            (b"\0", Answer::Other),
            (b"", Answer::Other),
        ] {
            assert_eq!(parse(packet), answer, "{packet:?}");
        }
    }
}
