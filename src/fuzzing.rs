//! What must hold whatever bytes come, for the fuzz targets (`fuzz/`) and for the replay of their
//! corpus without a fuzzer. Only there: no part of the library.

use std::path::Path;

use crate::inventory;
use crate::transport::ftp::fuzzing as ftp;
use crate::transport::serve::tftp::fuzzing::{self as served, Made};
use crate::transport::tftp::fuzzing as tftp;

/// An inventory is read, or what is wrong with it is said in text that acts on no terminal.
pub fn inventory(bytes: &[u8]) {
    let Ok(text) = std::str::from_utf8(bytes) else {
        return;
    };
    if let Err(errors) = inventory::parse(text, Path::new("inventory.yaml")) {
        assert_harmless(&errors.to_string().replace('\n', " "));
    }
}

/// Whatever is made of a reply, what is shown of it acts on no terminal and is no longer than a
/// message may be.
pub fn reply(bytes: &[u8]) {
    if let Some(shown) = ftp::reply(bytes) {
        assert_harmless(&shown);
        // Two quotations of up to 300 characters, each escaped.
        assert!(shown.len() < 8000, "{} bytes are shown", shown.len());
    }
}

/// Every name that is listed can be part of a path, and of no other command.
pub fn listing(bytes: &[u8]) {
    for listed in ftp::listing(bytes) {
        let name = listed.name.as_str();
        let is_usable = !matches!(name, "" | "." | "..") && !name.contains(['/', '\r', '\n', '\0']);
        assert!(is_usable, "{name:?}");
    }
}

/// Whatever a server answers to a request to write, no more is granted than was asked for, what is shown acts on no
/// terminal, and no block counts as acknowledged that was not sent, nor is one taken back.
pub fn tftp(bytes: &[u8]) {
    let made = tftp::packet(bytes);
    if let Some(shown) = made.shown {
        assert_harmless(&shown);
        assert!(shown.len() < 8000, "{} bytes are shown", shown.len());
    }
    if let Some((block_size, window)) = made.agreed {
        assert!((8..=1428).contains(&block_size), "{block_size}");
        assert!((1..=16).contains(&window), "{window}");
    }
    let mut before = 0;
    for (sent, acknowledged) in tftp::acknowledgements(bytes) {
        assert!(before <= acknowledged && acknowledged <= sent);
        before = acknowledged;
    }
}

/// Whatever a device asks for, no more is granted than makes sense, each option once and only what it has named, what
/// is logged acts on no terminal, and an answer is one packet that any device can take.
pub fn tftp_request(bytes: &[u8]) {
    let packet = match served::request(bytes) {
        None => return,
        Some(Made::Refused { shown, packet }) => {
            assert_harmless(&shown);
            assert!(shown.len() < 8000, "{} bytes are shown", shown.len());
            packet
        }
        Some(Made::Granted {
            block_size,
            window,
            options,
            packet,
        }) => {
            assert!((8..=65_464).contains(&block_size), "{block_size}");
            assert!((1..=64).contains(&window), "{window}");
            let bytes_of_window = block_size as u64 * window;
            assert!(
                window == 1 || bytes_of_window <= 256 << 10,
                "{bytes_of_window}"
            );
            let asked = String::from_utf8_lossy(bytes).to_ascii_lowercase();
            for (at, (name, _)) in options.iter().enumerate() {
                assert!(asked.contains(name), "{name}");
                let others = &options[at + 1..];
                assert!(others.iter().all(|(other, _)| other != name), "{name}");
            }
            packet
        }
    };
    assert!(packet.len() <= 512, "{}", packet.len());
}

fn assert_harmless(text: &str) {
    let bad = text
        .chars()
        .find(|c| c.is_control() || ('\u{202a}'..='\u{202e}').contains(c));
    assert_eq!(bad, None, "{text:?}");
}

/// The corpus, and some thousands of inputs made from it.
#[cfg(test)]
mod tests {
    use std::path::Path;

    use proptest::prelude::*;
    use proptest::test_runner::{Config, TestRunner};

    /// One change to an input, at places that are taken modulo its length.
    #[derive(Debug, Clone)]
    enum Change {
        Set(usize, u8),
        Flip(usize, u8),
        Remove(usize, usize),
        Repeat(usize, usize, usize),
        Insert(usize, Vec<u8>),
        /// The rest comes from another file of the corpus.
        Splice(usize, usize, usize),
    }

    /// What parsers stumble over.
    const TOKENS: [&[u8]; 24] = [
        b"\r\n",
        b"\n",
        b"\r",
        b"\0",
        b"\x1b[2J",
        b"\x9b",
        b"\xff",
        "\u{202e}".as_bytes(),
        "\u{10ffff}".as_bytes(),
        b"(",
        b")",
        b"|",
        b",",
        b";",
        b"; ",
        b"..",
        b"/",
        b"-1",
        b"18446744073709551616",
        b" ",
        b"\t",
        b"[1-999999999999]",
        b"*a",
        b"&a",
    ];

    fn changes() -> impl Strategy<Value = Vec<Change>> {
        let at = any::<usize>;
        let token = prop::sample::select(TOKENS.as_slice()).prop_map(<[u8]>::to_vec);
        let noise = prop::collection::vec(any::<u8>(), 1..8);
        let change = prop_oneof![
            (at(), any::<u8>()).prop_map(|(at, byte)| Change::Set(at, byte)),
            (at(), 0_u8..8).prop_map(|(at, bit)| Change::Flip(at, 1 << bit)),
            (at(), 1_usize..40).prop_map(|(at, count)| Change::Remove(at, count)),
            (at(), 1_usize..40, 1_usize..9)
                .prop_map(|(at, count, times)| Change::Repeat(at, count, times)),
            (at(), token).prop_map(|(at, bytes)| Change::Insert(at, bytes)),
            (at(), noise).prop_map(|(at, bytes)| Change::Insert(at, bytes)),
            (at(), at(), at()).prop_map(|(at, file, from)| Change::Splice(at, file, from)),
        ];
        prop::collection::vec(change, 1..8)
    }

    fn changed(corpus: &[Vec<u8>], file: usize, changes: &[Change]) -> Vec<u8> {
        let mut bytes = corpus[file % corpus.len()].clone();
        for change in changes {
            let length = bytes.len();
            let place = |at: usize| at % (length + 1);
            let until = |at: usize, count: usize| (at + count).min(length);
            match change {
                Change::Set(at, byte) => {
                    if let Some(one) = bytes.get_mut(place(*at)) {
                        *one = *byte;
                    }
                }
                Change::Flip(at, bits) => {
                    if let Some(one) = bytes.get_mut(place(*at)) {
                        *one ^= bits;
                    }
                }
                Change::Remove(at, count) => {
                    let at = place(*at);
                    bytes.drain(at..until(at, *count));
                }
                Change::Repeat(at, count, times) => {
                    let at = place(*at);
                    let again = bytes[at..until(at, *count)].repeat(*times);
                    bytes.splice(at..at, again);
                }
                Change::Insert(at, more) => {
                    let at = place(*at);
                    bytes.splice(at..at, more.iter().copied());
                }
                Change::Splice(at, file, from) => {
                    let other = &corpus[file % corpus.len()];
                    let from = from % (other.len() + 1);
                    bytes.truncate(place(*at));
                    bytes.extend_from_slice(&other[from..]);
                }
            }
        }
        bytes
    }

    fn replay(target: &str, cases: u32, check: fn(&[u8])) {
        let folder = Path::new(env!("CARGO_MANIFEST_DIR"))
            .join("fuzz/corpus")
            .join(target);
        let mut files: Vec<_> = (std::fs::read_dir(folder).unwrap())
            .map(|entry| entry.unwrap().path())
            .collect();
        files.sort();
        assert!(files.len() > 5, "the corpus of {target} is gone");
        let corpus: Vec<Vec<u8>> = files
            .iter()
            .map(|file| std::fs::read(file).unwrap())
            .collect();
        for (file, bytes) in files.iter().zip(&corpus) {
            println!("{}", file.display());
            check(bytes);
        }
        let mut runner = TestRunner::new(Config {
            cases,
            failure_persistence: None,
            ..Config::default()
        });
        let inputs = (any::<usize>(), changes());
        let result = runner.run(&inputs, |(file, changes)| {
            let bytes = changed(&corpus, file, &changes);
            println!("{:?}", String::from_utf8_lossy(&bytes));
            check(&bytes);
            Ok(())
        });
        result.unwrap();
    }

    #[test]
    fn inventories() {
        replay("inventory", 20_000, super::inventory);
    }

    #[test]
    fn replies() {
        replay("reply", 20_000, super::reply);
    }

    #[test]
    fn listings() {
        replay("listing", 20_000, super::listing);
    }

    #[test]
    fn packets_of_tftp() {
        replay("tftp", 20_000, super::tftp);
    }

    #[test]
    fn requests_over_tftp() {
        replay("tftp_request", 20_000, super::tftp_request);
    }
}
