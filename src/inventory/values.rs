//! Single values of an inventory: names, sizes, rates, times; and those of any file.

use std::time::Duration;

use crate::model::units;

pub(super) use crate::model::names::check as check_name;
pub(super) use crate::yaml::values::{boolean, choice, count, label, text, texts};

use super::error::{Complaint, Problems, quoted};
use super::tree::Node;

/// Keys about waiting for a host.
pub(crate) const TIME_KEYS: &[&str] = &["timeouts", "min_rate"];
/// Keys about how a file gets onto an entity.
pub(crate) const DELIVERY_KEYS: &[&str] = &["verify", "staging", "delete_first", "staging_name"];

/// A wait longer than this is a typing error.
const LONGEST_TIME: Duration = Duration::from_secs(24 * 60 * 60);
/// More memory, or a larger image, than any host of this kind has.
const LARGEST_SIZE: u64 = 1 << 40;
/// Bytes a second: 100 Gbit/s.
const FASTEST: u64 = 12_500_000_000;

/// A size in bytes, more than 0.
pub(super) fn size(problems: &mut Problems, node: &Node, key: &str) -> Option<u64> {
    let written = text(problems, node, key)?;
    let complaint = match units::parse_size(written) {
        Ok(0) => Complaint::new(
            format!("{} is 0", quoted(key)),
            "write a size like `256 KiB` or `8 MiB`",
        ),
        Ok(size) if size > LARGEST_SIZE => Complaint::new(
            format!("{} of {} is too large", quoted(key), quoted(written)),
            format!("at most {} make sense", units::size(LARGEST_SIZE)),
        ),
        Ok(size) => return Some(size),
        Err(_) => Complaint::new(
            format!("{} is not a size", quoted(written)),
            "write a number with a unit, like `256 KiB` or `8 MiB`",
        ),
    };
    problems.complain(&node.span, complaint);
    None
}

/// Bytes a second; 0 where `none` is written.
pub(super) fn rate(problems: &mut Problems, node: &Node, key: &str) -> Option<u64> {
    const HELP: &str = "write a size a second, like `4 KiB/s`, or `none`";
    let written = text(problems, node, key)?;
    if written == "none" {
        return Some(0);
    }
    let size = (written.trim().strip_suffix("/s")).map(|size| units::parse_size(size.trim_end()));
    let complaint = match size {
        Some(Ok(0)) => Complaint::new(format!("{} of 0 is no rate", quoted(key)), HELP),
        Some(Ok(rate)) if rate > FASTEST => Complaint::new(
            format!(
                "{} of {} is more than any link carries",
                quoted(key),
                quoted(written)
            ),
            HELP,
        ),
        Some(Ok(rate)) => return Some(rate),
        _ => Complaint::new(format!("{} is not a rate", quoted(written)), HELP),
    };
    problems.complain(&node.span, complaint);
    None
}

/// A time to wait, more than 0.
pub(super) fn time(problems: &mut Problems, node: &Node, key: &str) -> Option<Duration> {
    let written = text(problems, node, key)?;
    let complaint = match units::parse_duration(written) {
        Ok(Duration::ZERO) => Complaint::new(
            format!("a timeout {} of 0 would fail at once", quoted(key)),
            "write how long to wait, like `30s` or `5m`",
        ),
        Ok(time) if time > LONGEST_TIME => Complaint::new(
            format!(
                "{} for {} is longer than a day",
                quoted(written),
                quoted(key)
            ),
            "write how long to wait at most, like `30s` or `5m`",
        ),
        Ok(time) => return Some(time),
        Err(_) => Complaint::new(
            format!("{} is not a time", quoted(written)),
            "write a number with a unit, like `250ms`, `30s` or `5m`",
        ),
    };
    problems.complain(&node.span, complaint);
    None
}
