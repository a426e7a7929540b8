//! How deep a pool may be that keeps the size of its buffers while its share changes; the shares
//! themselves are in [`crate::model::memory`].

/// How many buffers of a size fit into a share; a pool of none would never move.
pub(super) fn depth(share: u64, buffer_size: usize) -> usize {
    let fitting = share / (buffer_size as u64).max(1);
    usize::try_from(fitting).unwrap_or(usize::MAX).max(1)
}
