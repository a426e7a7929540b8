//! How the memory is shared before anything runs: what `subtend check` prints and a start uses.
//!
//! The memory available for software download is partitioned between the pools of the groups that
//! run (\[0021\]); within a share a fixed size of buffers gives their number and a fixed number their
//! size (\[0022\]).

use std::sync::Arc;

use crate::model::memory::{Layout, TooLittleMemory, check_memory, layout, shares};
use crate::model::{Group, Inventory};

/// The shares of groups that run together.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Plan {
    /// Bytes available for software download.
    pub memory: u64,
    pub groups: Vec<GroupPlan>,
}

#[derive(Debug, Clone, PartialEq, Eq)]
pub struct GroupPlan {
    pub group: Arc<Group>,
    /// Bytes; the pool holds `buffers * buffer_size` of them at most.
    pub share: u64,
    pub buffers: usize,
    /// Bytes of one buffer.
    pub buffer_size: u64,
}

/// Shares the memory as the manager does when these groups run together.
///
/// # Errors
/// When the memory does not suffice for this number.
pub fn plan(inventory: &Inventory, groups: &[Arc<Group>]) -> Result<Plan, TooLittleMemory> {
    check_memory(inventory, groups.len())?;
    let shares = shares(inventory.memory, groups.len());
    let groups = groups.iter().zip(shares).map(|(group, share)| {
        let Layout {
            buffers,
            buffer_size,
        } = layout(share, inventory.buffers);
        GroupPlan {
            group: group.clone(),
            share,
            buffers,
            buffer_size: buffer_size as u64,
        }
    });
    Ok(Plan {
        memory: inventory.memory,
        groups: groups.collect(),
    })
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;
    use crate::model::testing::{self, inventory};
    use crate::model::{BufferPreference, SMALLEST_BUFFER as SMALLEST};

    fn groups(number: usize) -> Vec<Arc<Group>> {
        let group = testing::group("adsl", Vec::new());
        std::iter::repeat_n(Arc::new(group), number).collect()
    }

    #[test]
    fn one_group_has_all_of_the_memory() {
        let plan = plan(
            &inventory(8 << 20, BufferPreference::Size(256 << 10)),
            &groups(1),
        )
        .unwrap();
        let only = &plan.groups[0];
        assert_eq!(
            (only.share, only.buffers, only.buffer_size),
            (8 << 20, 32, 256 << 10)
        );
    }

    #[test]
    fn a_fixed_number_gives_the_size() {
        let plan = plan(&inventory(8 << 20, BufferPreference::Count(16)), &groups(2)).unwrap();
        let both: Vec<_> = plan
            .groups
            .iter()
            .map(|g| (g.buffers, g.buffer_size))
            .collect();
        assert_eq!(both, [(16, 256 << 10), (16, 256 << 10)]);
    }

    #[test]
    fn the_remainder_goes_to_the_first() {
        let plan = plan(
            &inventory(1_000_001, BufferPreference::Size(1000)),
            &groups(3),
        )
        .unwrap();
        let shares: Vec<u64> = plan.groups.iter().map(|group| group.share).collect();
        assert_eq!(shares, [333_334, 333_334, 333_333]);
    }

    #[test]
    fn too_little_memory_is_refused_with_what_is_needed() {
        let refused = |memory, buffers, number| {
            plan(&inventory(memory, buffers), &groups(number))
                .err()
                .map(|error| error.to_string())
        };
        let size = BufferPreference::Size(256 << 10);
        assert_eq!(refused(1 << 20, size, 2), None, "two buffers each");
        assert_eq!(
            refused(1 << 20, size, 3).unwrap(),
            "1.0 MiB of memory are too little for 3 groups at a time: each needs two buffers of \
             256.0 KiB, so give at least 1.5 MiB (1572864 bytes) of `memory`, a smaller \
             `buffer_size`, or run fewer groups at a time"
        );
        let count = BufferPreference::Count(16);
        assert_eq!(refused(16 << 10, count, 1), None, "1 KiB a buffer");
        assert_eq!(
            refused(15 << 10, count, 1).unwrap(),
            "15.0 KiB of memory are too little for 1 group at a time: each needs 16 buffers of at \
             least 1.0 KiB, so give at least 16.0 KiB (16384 bytes) of `memory`, or fewer `buffers`"
        );
        assert!(refused(1 << 40, BufferPreference::Size(u64::MAX), 2).is_some());
    }

    proptest! {
        #[test]
        fn pools_never_take_more_than_the_memory(
            memory in 1u64..1 << 40,
            number in 1usize..12,
            size in prop::option::of(1u64..1 << 30),
            count in 1usize..10_000,
        ) {
            let preference = size.map_or(BufferPreference::Count(count), BufferPreference::Size);
            let plan = plan(&inventory(memory, preference), &groups(number));
            let Ok(plan) = plan else {
                prop_assert!(memory < preference.least_memory() * number as u64);
                return Ok(());
            };
            let pools: u64 = plan.groups.iter().map(|g| g.buffers as u64 * g.buffer_size).sum();
            prop_assert!(pools <= memory);
            prop_assert_eq!(plan.groups.iter().map(|g| g.share).sum::<u64>(), memory);
            for group in &plan.groups {
                match preference {
                    BufferPreference::Size(size) => {
                        prop_assert!(group.buffers >= 2 && group.buffer_size == size);
                    }
                    BufferPreference::Count(count) => {
                        prop_assert!(group.buffers == count && group.buffer_size >= SMALLEST);
                    }
                }
            }
        }
    }
}
