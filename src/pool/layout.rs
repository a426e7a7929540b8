//! How a share of the memory is cut into buffers (\[0022\]): from a fixed size follows their number,
//! from a fixed number their size.

use crate::model::BufferPreference;

pub use crate::model::SMALLEST_BUFFER as SMALLEST;

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
/// [`SMALLEST`] is reduced. A share of 0 counts as 1 byte.
pub fn layout(share: u64, prefer: BufferPreference) -> Layout {
    let share = share.max(1);
    let (buffers, buffer_size) = match prefer {
        BufferPreference::Size(size) => {
            let size = size.clamp(1, share);
            (share / size, size)
        }
        BufferPreference::Count(count) => {
            let most = (share / SMALLEST).max(1);
            let count = (count as u64).clamp(1, most);
            (count, share / count)
        }
    };
    // Neither exceeds the share, which fits where so many bytes can be allocated at all.
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
}
