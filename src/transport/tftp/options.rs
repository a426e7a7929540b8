//! What is asked for with a request, and what of it the server grants (RFC 2347, 2348, 2349, 7440).

use std::time::Duration;

use crate::model::text::quoted;

/// A block and its headers fit into one packet of an Ethernet, also where a tunnel takes some of it.
const BLOCK: u64 = 1428;
const WINDOW: u64 = 16;

/// How the file is sent.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(in crate::transport) struct Agreed {
    pub(in crate::transport) block_size: usize,
    /// Blocks for one acknowledgement.
    pub(in crate::transport) window: u64,
}

/// Without options (RFC 1350).
pub(in crate::transport) const PLAIN: Agreed = Agreed {
    block_size: 512,
    window: 1,
};

/// The options of a request.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Asked(Vec<(&'static str, u64)>);

impl Asked {
    /// `size`: bytes of the file, where they are known; `patience`: how long no block may be taken.
    pub(super) fn new(size: Option<u64>, patience: Duration) -> Self {
        // A server asks about six times before it gives up: it is to wait as long as is waited for it.
        let timeout = (patience.as_secs() / 6).clamp(1, 30);
        let mut options = vec![
            ("blksize", BLOCK),
            ("windowsize", WINDOW),
            ("timeout", timeout),
        ];
        options.extend(size.map(|size| ("tsize", size)));
        Self(options)
    }

    pub(super) fn options(&self) -> &[(&'static str, u64)] {
        &self.0
    }

    /// # Errors
    /// The server grants what was not asked for, and what.
    pub(super) fn granted(&self, answered: &[(String, String)]) -> Result<Agreed, String> {
        let mut agreed = PLAIN;
        for (place, (name, value)) in answered.iter().enumerate() {
            let asked = self.0.iter().find(|(asked, _)| asked == name);
            let Some((name, asked)) = asked else {
                return Err(format!("{}, which was not asked for", quoted(name)));
            };
            if answered[..place].iter().any(|(before, _)| before == name) {
                return Err(format!("`{name}` twice"));
            }
            let least = match *name {
                "blksize" => 8,
                "tsize" => 0,
                _ => 1,
            };
            let is_number = !value.is_empty() && value.bytes().all(|byte| byte.is_ascii_digit());
            let number = value.parse().ok().filter(|_| is_number);
            let Some(number) = number.filter(|number| (least..=*asked).contains(number)) else {
                return Err(format!(
                    "{} as `{name}`; {asked} was asked for",
                    quoted(value)
                ));
            };
            match *name {
                "blksize" => agreed.block_size = number as usize,
                "windowsize" => agreed.window = number,
                _ => {}
            }
        }
        Ok(agreed)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_is_granted_is_no_more_than_was_asked_for() {
        let asked = Asked::new(Some(70_000), Duration::from_secs(60));
        assert_eq!(
            asked.options(),
            [
                ("blksize", 1428),
                ("windowsize", 16),
                ("timeout", 10),
                ("tsize", 70_000)
            ]
        );
        let granted = |pairs: &[(&str, &str)]| {
            let owned = |(name, value): &(&str, &str)| ((*name).to_owned(), (*value).to_owned());
            asked.granted(&pairs.iter().map(owned).collect::<Vec<_>>())
        };
        let agreed = |block_size, window| Ok(Agreed { block_size, window });
        assert_eq!(granted(&[]), agreed(512, 1));
        assert_eq!(granted(&[("windowsize", "4")]), agreed(512, 4));
        let all = [
            ("blksize", "1428"),
            ("windowsize", "16"),
            ("timeout", "10"),
            ("tsize", "70000"),
        ];
        assert_eq!(granted(&all), agreed(1428, 16));
        assert_eq!(granted(&[("tsize", "0"), ("blksize", "8")]), agreed(8, 1));
        for wrong in [
            &[("blksize", "1429")][..],
            &[("blksize", "7")],
            &[("blksize", "+512")],
            &[("blksize", "")],
            &[("blksize", "99999999999999999999999")],
            &[("windowsize", "0")],
            &[("windowsize", "17")],
            &[("timeout", "11")],
            &[("tsize", "70001")],
            &[("multicast", "")],
            &[("blksize", "512"), ("blksize", "512")],
        ] {
            let error = granted(wrong).unwrap_err();
            assert!(error.contains(wrong[0].0), "{error}");
        }
        assert_eq!(Asked::new(None, Duration::ZERO).options().len(), 3);
    }
}
