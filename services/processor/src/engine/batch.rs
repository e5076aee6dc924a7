//! The records that a worker has read and not yet committed.

use std::collections::BTreeMap;

use kafka::{Incoming, NextOffset};

/// More halvings than this make no batch smaller.
const HALVINGS_MAX: u32 = 32;

/// Records that were read and are not committed, by partition.
#[derive(Debug, Default)]
pub(super) struct RecordBatch {
    records: BTreeMap<i32, Vec<Incoming>>,
    count: usize,
    bytes: usize,
    /// How often each partition's records are halved for one transaction.
    halvings: u32,
}

impl RecordBatch {
    pub(super) fn push(&mut self, record: Incoming) {
        self.count += 1;
        self.bytes += record.bytes();
        self.records.entry(record.partition).or_default().push(record);
    }

    /// Drops the records that a transaction has committed, and keeps the memory for the next ones. `next` is
    /// the offset at which a partition continues, or nothing where the partition is no longer ours.
    pub(super) fn remove_committed(&mut self, next: impl Fn(i32) -> Option<NextOffset>) {
        let Self { records, count, bytes, .. } = self;
        for (partition, records) in records {
            let done = match next(*partition) {
                Some(next) => records.partition_point(|record| next.is_past(record.offset)),
                None => records.len(),
            };
            *count -= done;
            *bytes -= records.drain(..done).map(|record| record.bytes()).sum::<usize>();
        }
        self.halvings = self.halvings.saturating_sub(1);
    }

    /// Halves the next transaction. The failed one may have been too large for a busy cluster. Each committed
    /// transaction doubles the next one again.
    pub(super) fn halve(&mut self) {
        self.halvings = HALVINGS_MAX.min(self.halvings + 1);
    }

    /// Whether the next transaction takes every record that was read.
    pub(super) fn is_whole(&self) -> bool {
        self.halvings == 0
    }

    /// Drops the records of `partitions`.
    pub(super) fn forget(&mut self, partitions: &[i32]) {
        for gone in partitions.iter().filter_map(|partition| self.records.remove(partition)) {
            self.count -= gone.len();
            self.bytes -= gone.iter().map(Incoming::bytes).sum::<usize>();
        }
    }

    pub(super) fn is_empty(&self) -> bool {
        self.count == 0
    }

    pub(super) fn has_room(&self, records_max: usize, bytes_max: usize) -> bool {
        self.count < records_max && self.bytes < bytes_max
    }

    /// The records of `partition` for the next transaction: at least one if any are waiting.
    pub(super) fn next(&self, partition: i32) -> &[Incoming] {
        let records = self.records.get(&partition).map_or(&[][..], Vec::as_slice);
        let part = records.len().checked_shr(self.halvings).unwrap_or_default().max(1);
        &records[..part.min(records.len())]
    }

    pub(super) fn by_partition(&self) -> &BTreeMap<i32, Vec<Incoming>> {
        &self.records
    }
}

#[cfg(test)]
mod tests {
    use std::sync::Arc;

    use kafka::RecordOffset;
    use proptest::prelude::*;

    use super::*;

    fn record(partition: i32, offset: i64) -> Incoming {
        Incoming {
            topic: Arc::from("raw"),
            partition,
            offset: RecordOffset(offset),
            timestamp_ms: 0,
            key: None,
            value: Some(vec![0; 10]),
            headers: Vec::new(),
        }
    }

    proptest! {
        /// P1: whatever fails however often, each record is taken in its order, none is left out, and in the
        /// end none is left.
        #[test]
        fn p1_what_fails_by_its_size_is_committed_in_parts(
            counts in proptest::collection::vec(0usize..200, 1..4),
            largest in 1usize..400,
        ) {
            let mut batch = RecordBatch::default();
            for (partition, count) in (0..).zip(&counts) {
                (0..*count).for_each(|offset| batch.push(record(partition, i64::try_from(offset).expect("small"))));
            }
            let partitions = i32::try_from(counts.len()).expect("few");
            let mut next = vec![NextOffset(0); counts.len()];
            let mut tries = 0;
            while !batch.is_empty() {
                tries += 1;
                prop_assert!(tries < 2_000, "it gets on");
                let taken: Vec<&[Incoming]> = (0..partitions).map(|partition| batch.next(partition)).collect();
                // One of each partition is the least that there can be.
                if taken.iter().map(|records| records.len()).sum::<usize>() > largest.max(counts.len()) {
                    batch.halve();
                    continue;
                }
                for (records, next) in taken.iter().zip(&mut next) {
                    for record in *records {
                        prop_assert_eq!(record.offset, RecordOffset(next.0));
                        *next = record.offset.next();
                    }
                }
                batch.remove_committed(|partition| next.get(usize::try_from(partition).expect("few")).copied());
            }
            prop_assert_eq!(batch.bytes, 0);
            let all: Vec<i64> = counts.iter().map(|count| i64::try_from(*count).expect("small")).collect();
            prop_assert_eq!(next.iter().map(|next| next.0).collect::<Vec<_>>(), all);
        }
    }

    #[test]
    fn what_succeeds_grows_again_and_a_partition_that_does_not_go_on_leaves_nothing() {
        let mut batch = RecordBatch::default();
        (0..8).for_each(|offset| batch.push(record(0, offset)));
        batch.push(record(1, 0));
        (0..2).for_each(|_| batch.halve());
        assert_eq!((batch.next(0).len(), batch.next(1).len(), batch.next(2).len()), (2, 1, 0));
        batch.remove_committed(|partition| (partition == 0).then_some(NextOffset(2)));
        assert_eq!((batch.next(0).len(), batch.next(1).len(), batch.is_whole()), (3, 0, false));
        batch.remove_committed(|_| Some(NextOffset(5)));
        assert_eq!((batch.next(0).len(), batch.is_whole()), (3, true));
    }
}
