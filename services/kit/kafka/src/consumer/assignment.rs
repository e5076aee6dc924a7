//! What a sink says and does when partitions are assigned to it or revoked.

use crate::NextOffset;

/// How a partition was revoked.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Revocation {
    /// In an orderly rebalance: no other member has it before this call returns.
    Revoked,
    /// Lost: another member may have it already.
    Lost,
}

/// What a sink does when partitions are assigned or revoked. Called on the polling thread, inside a poll.
pub trait Assignment: Send + Sync {
    /// Where each of `partitions` starts. `None` means the committed offset, or the beginning of the log if
    /// there is none.
    fn assigned(&self, partitions: &[(String, i32)]) -> Vec<Option<NextOffset>>;

    /// Whether assigned partitions wait for [`Consumer::start`](super::Consumer::start), because their start
    /// is not known yet. If so, the answer of [`Self::assigned`] is ignored.
    fn starts_later(&self) -> bool {
        false
    }

    /// No more work may be done for `partitions`.
    fn revoked(&self, partitions: &[(String, i32)], how: Revocation);
}
