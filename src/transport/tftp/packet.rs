//! The packets of TFTP (RFC 1350 section 5; options: RFC 2347).

/// Bytes of a packet that are read: no answer has more that matter, and the text of an error is cut anyway.
pub(super) const LONGEST: usize = 1024;
/// Bytes of a request with its options (RFC 2347).
const REQUEST: usize = 512;

const WRITE: u16 = 2;
const DATA: u16 = 3;
const ACK: u16 = 4;
const ERROR: u16 = 5;
const OACK: u16 = 6;

/// The transfer was given up, for a reason that has no code.
pub(super) const GIVEN_UP: u16 = 0;
pub(super) const ILLEGAL: u16 = 4;
pub(super) const UNKNOWN_TRANSFER: u16 = 5;
/// The options are not acceptable (RFC 2347).
pub(super) const OPTIONS: u16 = 8;

/// What a server sends to somebody who writes.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) enum Answer {
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
    let values = options.iter().map(|(_, value)| value.to_string());
    let names = options.iter().map(|(name, _)| (*name).to_owned());
    let pairs = names.zip(values).flat_map(|(name, value)| [name, value]);
    for word in [path.to_owned(), "octet".to_owned()]
        .into_iter()
        .chain(pairs)
    {
        packet.extend_from_slice(word.as_bytes());
        packet.push(0);
    }
    (packet.len() <= REQUEST).then_some(packet)
}

/// Puts a block of the file into `packet`.
pub(super) fn data(number: u16, block: &[u8], packet: &mut Vec<u8>) {
    packet.clear();
    packet.extend_from_slice(&DATA.to_be_bytes());
    packet.extend_from_slice(&number.to_be_bytes());
    packet.extend_from_slice(block);
}

pub(super) fn error(code: u16, text: &str) -> Vec<u8> {
    let mut packet = ERROR.to_be_bytes().to_vec();
    packet.extend_from_slice(&code.to_be_bytes());
    packet.extend_from_slice(text.as_bytes());
    packet.push(0);
    packet
}

pub(super) fn parse(packet: &[u8]) -> Answer {
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
