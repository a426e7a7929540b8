//! Which bytes of the image a device has been sent: it may ask for them in parts, and for some twice.

/// Parts that don't touch each other, in order: beginning, and end without it.
#[derive(Debug, Clone, Default)]
pub(super) struct Covered(Vec<(u64, u64)>);

impl Covered {
    /// A device was sent these; how many of them it had not been sent before.
    pub(super) fn add(&mut self, from: u64, to: u64) -> u64 {
        if from >= to {
            return 0;
        }
        let before = self.total();
        let (mut from, mut to) = (from, to);
        self.0.retain(|&(begin, end)| {
            let touches = begin <= to && from <= end;
            if touches {
                (from, to) = (from.min(begin), to.max(end));
            }
            !touches
        });
        let at = self.0.partition_point(|&(begin, _)| begin < from);
        self.0.insert(at, (from, to));
        self.total() - before
    }

    /// Bytes in all.
    pub(super) fn total(&self) -> u64 {
        self.0.iter().map(|(begin, end)| end - begin).sum()
    }

    /// Whether they are all of an image of so many bytes.
    pub(super) fn is_whole(&self, size: u64) -> bool {
        matches!(self.0.first(), Some((0, end)) if *end >= size)
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    proptest! {
        #[test]
        fn it_counts_each_byte_once(parts in prop::collection::vec((0_u64..40, 0_u64..12), 0..20)) {
            let (mut covered, mut naive) = (Covered::default(), [false; 64]);
            for (from, len) in parts {
                let mut new = 0;
                for at in from..from + len {
                    let byte = &mut naive[usize::try_from(at).unwrap()];
                    new += u64::from(!std::mem::replace(byte, true));
                }
                prop_assert_eq!(covered.add(from, from + len), new);
                prop_assert_eq!(covered.total(), naive.iter().filter(|byte| **byte).count() as u64);
                for size in [1, 8, 40] {
                    let all = naive[..size].iter().all(|byte| *byte);
                    prop_assert_eq!(covered.is_whole(size as u64), all);
                }
            }
        }
    }
}
