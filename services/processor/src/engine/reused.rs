//! Ids that senders give to more than one event: the log names each of them once.

use std::collections::HashSet;

use schemas::id::DedupeId;
use tracing::warn;

/// Ids that the log names while a partition is owned. A sender that reuses more of them is known by then, and
/// every record is a dead letter that names its id.
const NAMED_MAX: usize = 1_000;

/// The reused ids that the log has named.
#[derive(Debug, Default)]
pub(super) struct ReusedIds(HashSet<DedupeId>);

impl ReusedIds {
    /// Names those of `ids` that were not named yet.
    pub(super) fn log(&mut self, partition: i32, ids: &[DedupeId]) {
        for id in self.unnamed(ids) {
            warn!(
                partition,
                outcome_id = id.to_hex(),
                "an id came again with another metric, time or delivery: its sender must give each event an id of its own"
            );
        }
    }

    fn unnamed(&mut self, ids: &[DedupeId]) -> Vec<DedupeId> {
        let named = &mut self.0;
        ids.iter().filter(|id| named.len() < NAMED_MAX && named.insert(**id)).copied().collect()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn id(number: usize) -> DedupeId {
        DedupeId::of(&[&number.to_be_bytes()])
    }

    #[test]
    fn each_id_is_named_once() {
        let mut reused = ReusedIds::default();
        assert_eq!(reused.unnamed(&[id(1), id(2), id(1)]), [id(1), id(2)]);
        assert_eq!(reused.unnamed(&[id(2), id(3)]), [id(3)]);
    }

    /// E3: a sender that knows no ids must not fill the log or the memory.
    #[test]
    fn only_so_many_ids_are_named() {
        let ids: Vec<_> = (0..NAMED_MAX + 7).map(id).collect();
        let mut reused = ReusedIds::default();
        assert_eq!(reused.unnamed(&ids).len(), NAMED_MAX);
        assert_eq!((reused.unnamed(&ids).len(), reused.0.len()), (0, NAMED_MAX));
    }
}
