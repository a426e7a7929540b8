//! The memory available for software download: shared between the pools of the groups that run
//! (\[0021\]), each share cut into buffers (\[0022\]). From a fixed size of buffers follows their
//! number, from a fixed number their size.
//!
//! Arithmetic only: the manager shares with it, and a screen says with it what a start will do.

use thiserror::Error;

use super::{BufferPreference, Inventory, SMALLEST_BUFFER, units};

/// Bytes for each of `pools` pools; the first ones get what does not divide evenly.
pub fn shares(memory: u64, pools: usize) -> Vec<u64> {
    let Some(count) = u64::try_from(pools).ok().filter(|count| *count > 0) else {
        return Vec::new();
    };
    let (each, rest) = (memory / count, memory % count);
    (0..count)
        .map(|index| each + u64::from(index < rest))
        .collect()
}

/// The memory does not suffice for the groups that are to run together.
#[derive(Debug, Clone, PartialEq, Eq, Error)]
#[error(
    "{} of memory are too little for {pools} {} at a time: each needs {}, so give at least {} \
     ({needed} bytes) of `memory`, {}",
    units::size(*.memory),
    if *.pools == 1 { "group" } else { "groups" },
    each(*.buffers),
    units::size(*.needed),
    instead(*.buffers, *.pools)
)]
pub struct TooLittleMemory {
    memory: u64,
    needed: u64,
    pools: usize,
    buffers: BufferPreference,
}

fn each(buffers: BufferPreference) -> String {
    match buffers {
        BufferPreference::Size(size) => format!("two buffers of {}", units::size(size)),
        BufferPreference::Count(count) => {
            format!(
                "{count} buffers of at least {}",
                units::size(SMALLEST_BUFFER)
            )
        }
    }
}

fn instead(buffers: BufferPreference, pools: usize) -> String {
    let other = match buffers {
        BufferPreference::Size(_) => "a smaller `buffer_size`",
        BufferPreference::Count(_) => "fewer `buffers`",
    };
    match pools {
        1 => format!("or {other}"),
        _ => format!("{other}, or run fewer groups at a time"),
    }
}

/// Whether this number of groups can run together.
///
/// # Errors
/// When it does not suffice, with what would.
pub fn check_memory(inventory: &Inventory, pools: usize) -> Result<(), TooLittleMemory> {
    let (memory, buffers) = (inventory.memory, inventory.buffers);
    let needed = buffers.least_memory().saturating_mul(pools as u64);
    if memory >= needed {
        return Ok(());
    }
    Err(TooLittleMemory {
        memory,
        needed,
        pools,
        buffers,
    })
}

/// Number and size of a pool's buffers.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Layout {
    /// At least 1.
    pub buffers: usize,
    /// Bytes of one, at least 1.
    pub buffer_size: usize,
}

impl Layout {
    /// Bytes of all buffers together.
    pub fn bytes(&self) -> u64 {
        self.buffers as u64 * self.buffer_size as u64
    }
}

/// Cuts `share` bytes into buffers; together they never exceed it. A preferred size that is larger
/// than the share shrinks to it; a preferred number that would make buffers smaller than
/// [`SMALLEST_BUFFER`] is reduced. A share of 0 counts as 1 byte.
pub fn layout(share: u64, prefer: BufferPreference) -> Layout {
    let share = share.max(1);
    let (buffers, buffer_size) = match prefer {
        BufferPreference::Size(size) => {
            let size = size.clamp(1, share);
            (share / size, size)
        }
        BufferPreference::Count(count) => {
            let most = (share / SMALLEST_BUFFER).max(1);
            let count = (count as u64).clamp(1, most);
            (count, share / count)
        }
    };
    // Neither exceeds the share, which fits where that number of bytes can be allocated at all.
    Layout {
        buffers: usize::try_from(buffers).unwrap_or(usize::MAX),
        buffer_size: usize::try_from(buffer_size).unwrap_or(usize::MAX),
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    fn of(share: u64, prefer: BufferPreference) -> (usize, usize) {
        let Layout {
            buffers,
            buffer_size,
        } = layout(share, prefer);
        (buffers, buffer_size)
    }

    #[test]
    fn number_follows_from_size_and_size_from_number() {
        use BufferPreference::{Count, Size};
        assert_eq!(of(8 << 20, Size(256 << 10)), (32, 256 << 10));
        assert_eq!(of(8 << 20, Count(16)), (16, 512 << 10));
        assert_eq!(of(1_000_000, Size(300_000)), (3, 300_000));
        assert_eq!(of(1_000_000, Count(3)), (3, 333_333));
        assert_eq!(of(4096, Size(1 << 20)), (1, 4096), "the size shrinks");
        assert_eq!(of(4096, Count(100)), (4, 1024), "the number shrinks");
        assert_eq!(of(100, Count(3)), (1, 100));
    }

    proptest! {
        #[test]
        fn a_layout_never_exceeds_its_share_and_wastes_less_than_one_buffer(
            share in 1u64..1 << 40,
            size in 0u64..1 << 42,
            count in 0usize..1 << 20,
        ) {
            for prefer in [BufferPreference::Size(size), BufferPreference::Count(count)] {
                let cut = layout(share, prefer);
                prop_assert!(cut.buffers >= 1 && cut.buffer_size >= 1);
                prop_assert!(cut.bytes() <= share);
                // With a fixed number less than one byte a buffer is wasted.
                let waste = share - cut.bytes();
                prop_assert!(waste < cut.buffer_size as u64 || waste < cut.buffers as u64);
            }
        }
    }

    #[test]
    fn one_pool_has_all_and_several_share_all() {
        assert_eq!(shares(8 << 20, 1), [8 << 20]);
        assert_eq!(shares(10, 3), [4, 3, 3]);
        assert!(shares(10, 0).is_empty());
    }

    proptest::proptest! {
        #[test]
        fn shares_add_up_to_the_memory(memory in 0_u64..1 << 40, pools in 1_usize..200) {
            proptest::prop_assert_eq!(shares(memory, pools).iter().sum::<u64>(), memory);
        }
    }
}
