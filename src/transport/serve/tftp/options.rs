//! What a device asks for with its request, and what of it is granted (RFC 2347, 2348, 2349, 7440).

use std::time::Duration;

use crate::transport::tftp::options::{Agreed, PLAIN};

/// RFC 2348.
const BLOCK: std::ops::RangeInclusive<u64> = 8..=65_464;
/// Blocks for one acknowledgement.
const WINDOW: u64 = 64;
/// Bytes of a window: what a transfer holds, and about what a device has room for.
const WINDOW_BYTES: u64 = 256 * 1024;
/// RFC 2349.
const TIMEOUT: std::ops::RangeInclusive<u64> = 1..=255;

#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Granted {
    pub(super) agreed: Agreed,
    /// After how long without a packet the device asks again, where it says so. What is sent here is repeated by
    /// what is measured, which is sooner; it says how patient one has to be.
    pub(super) timeout: Option<Duration>,
    /// What is answered, in the order in which it was asked for: empty, no options are answered at all.
    pub(super) options: Vec<(&'static str, u64)>,
}

/// What is not known, makes no sense or comes twice is passed over, as RFC 2347 has it.
pub(super) fn grant(asked: &[(String, String)], size: Option<u64>) -> Granted {
    let mut granted = Granted {
        agreed: PLAIN,
        timeout: None,
        options: Vec::new(),
    };
    let number = |wanted: &str| {
        let (_, value) = asked.iter().find(|(name, _)| name == wanted)?;
        let is_number = value.bytes().all(|byte| byte.is_ascii_digit());
        value.parse::<u64>().ok().filter(|_| is_number)
    };
    let block_size = number("blksize")
        .map(|size| size.min(*BLOCK.end()))
        .filter(|size| BLOCK.contains(size));
    if let Some(size) = block_size {
        granted.agreed.block_size = size as usize;
    }
    let fit = (WINDOW_BYTES / granted.agreed.block_size as u64).max(1);
    let window = number("windowsize")
        .filter(|window| *window > 0)
        .map(|window| window.min(WINDOW).min(fit));
    if let Some(window) = window {
        granted.agreed.window = window;
    }
    let timeout = number("timeout").filter(|timeout| TIMEOUT.contains(timeout));
    granted.timeout = timeout.map(Duration::from_secs);
    let size = number("tsize").and(size);
    for (name, _) in asked {
        let one = match &**name {
            "blksize" => block_size.map(|value| ("blksize", value)),
            "windowsize" => window.map(|value| ("windowsize", value)),
            "timeout" => timeout.map(|value| ("timeout", value)),
            "tsize" => size.map(|value| ("tsize", value)),
            _ => None,
        };
        granted
            .options
            .extend(one.filter(|one| !granted.options.contains(one)));
    }
    granted
}

#[cfg(test)]
mod tests {
    use super::*;

    fn granted(pairs: &[(&str, &str)], size: Option<u64>) -> Granted {
        let owned = |(name, value): &(&str, &str)| ((*name).to_owned(), (*value).to_owned());
        grant(&pairs.iter().map(owned).collect::<Vec<_>>(), size)
    }

    #[test]
    fn what_makes_sense_is_granted_as_far_as_it_goes() {
        let all = granted(
            &[
                ("tsize", "0"),
                ("blksize", "1428"),
                ("windowsize", "16"),
                ("timeout", "5"),
                ("multicast", ""),
                ("blksize", "8"),
            ],
            Some(70_000),
        );
        assert_eq!((all.agreed.block_size, all.agreed.window), (1428, 16));
        assert_eq!(all.timeout, Some(Duration::from_secs(5)));
        assert_eq!(
            all.options,
            [
                ("tsize", 70_000),
                ("blksize", 1428),
                ("windowsize", 16),
                ("timeout", 5)
            ]
        );
        let large = granted(&[("blksize", "99999"), ("windowsize", "999")], None);
        assert_eq!(large.options, [("blksize", 65_464), ("windowsize", 4)]);
        let most = granted(&[("windowsize", "65535")], None);
        assert_eq!(most.options, [("windowsize", 64)]);
    }

    #[test]
    fn what_makes_none_is_passed_over() {
        for wrong in [
            ("blksize", "7"),
            ("blksize", "+512"),
            ("blksize", ""),
            ("windowsize", "0"),
            ("timeout", "0"),
            ("timeout", "256"),
            ("tsize", "0"),
            ("tsize", "x"),
        ] {
            let none = granted(&[wrong], None);
            assert_eq!((none.agreed, none.options), (PLAIN, vec![]), "{wrong:?}");
        }
    }
}
