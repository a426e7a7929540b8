//! The memory available for software download, shared between the pools of the agents that run
//! (\[0021\]): one agent has all of it, several have equal parts.

/// Bytes for each of `pools` pools; the first ones get what does not divide evenly.
pub(super) fn shares(memory: u64, pools: usize) -> Vec<u64> {
    let Some(count) = u64::try_from(pools).ok().filter(|count| *count > 0) else {
        return Vec::new();
    };
    let (each, rest) = (memory / count, memory % count);
    (0..count)
        .map(|place| each + u64::from(place < rest))
        .collect()
}

/// How many buffers of a size fit into a share; a pool of none would never move.
pub(super) fn depth(share: u64, buffer_size: usize) -> usize {
    let fitting = share / (buffer_size as u64).max(1);
    usize::try_from(fitting).unwrap_or(usize::MAX).max(1)
}

#[cfg(test)]
mod tests {
    use super::*;

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
