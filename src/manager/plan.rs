//! How the memory is shared before anything runs: what `subtend check` prints and a start uses.
//!
//! The memory available for software download is partitioned between the pools of the groups that
//! run (\[0021\]); within a share a fixed size of buffers gives their number and a fixed number their
//! size (\[0022\]).

use std::sync::Arc;

use crate::model::{Group, Inventory};
use crate::pool::{Layout, layout};

use super::shares::shares;

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
pub fn plan(inventory: &Inventory, groups: &[Arc<Group>]) -> Plan {
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
    Plan {
        memory: inventory.memory,
        groups: groups.collect(),
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;
    use crate::model::BufferPreference;
    use crate::model::{Address, FileServer, Image, Laggards, Scheme, SourceChoice, Timeouts};

    fn inventory(memory: u64, buffers: BufferPreference) -> Inventory {
        Inventory {
            file: "inventory.yaml".into(),
            memory,
            buffers,
            credentials: Vec::new(),
            file_servers: Vec::new(),
            images: Vec::new(),
            entities: Vec::new(),
            groups: Vec::new(),
        }
    }

    fn groups(number: usize) -> Vec<Arc<Group>> {
        let server = FileServer {
            name: "hq".into(),
            address: Address {
                scheme: Scheme::Ftp,
                host: "192.0.2.10".into(),
                port: 21,
            },
            root: String::new(),
            credentials: None,
            timeouts: Timeouts::default(),
        };
        let image = Image {
            name: "adsl-2.4".into(),
            file: "adsl-2.4.bin".into(),
            type_: "adsl".into(),
            version: "2.4".into(),
            size: None,
            sha256: None,
        };
        let group = Group {
            name: "adsl".into(),
            image: Arc::new(image),
            source: SourceChoice::FileServer(Arc::new(server)),
            entities: Vec::new(),
            laggards: Laggards::CatchUp,
            parallel: None,
        };
        std::iter::repeat_n(Arc::new(group), number).collect()
    }

    #[test]
    fn one_group_has_all_of_the_memory() {
        let plan = plan(
            &inventory(8 << 20, BufferPreference::Size(256 << 10)),
            &groups(1),
        );
        let only = &plan.groups[0];
        assert_eq!(
            (only.share, only.buffers, only.buffer_size),
            (8 << 20, 32, 256 << 10)
        );
    }

    #[test]
    fn a_fixed_number_gives_the_size() {
        let plan = plan(&inventory(8 << 20, BufferPreference::Count(16)), &groups(2));
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
        );
        let shares: Vec<u64> = plan.groups.iter().map(|group| group.share).collect();
        assert_eq!(shares, [333_334, 333_334, 333_333]);
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
            prop_assume!(memory >= number as u64);
            let plan = plan(&inventory(memory, preference), &groups(number));
            let pools: u64 = plan.groups.iter().map(|g| g.buffers as u64 * g.buffer_size).sum();
            prop_assert!(pools <= memory);
            prop_assert_eq!(plan.groups.iter().map(|g| g.share).sum::<u64>(), memory);
            prop_assert!(plan.groups.iter().all(|g| g.buffers > 0 && g.buffer_size > 0));
        }
    }
}
