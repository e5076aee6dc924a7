use std::collections::BTreeMap;

use kafka::Incoming;

/// Records that were read and are not worked off, by partition.
#[derive(Debug, Default)]
pub(super) struct Batch {
    records: BTreeMap<i32, Vec<Incoming>>,
    count: usize,
    bytes: usize,
}

impl Batch {
    pub(super) fn push(&mut self, record: Incoming) {
        self.count += 1;
        self.bytes += record.bytes();
        self.records.entry(record.partition).or_default().push(record);
    }

    /// Drops everything, and keeps the room for as much again.
    pub(super) fn clear(&mut self) {
        (self.count, self.bytes) = (0, 0);
        self.records.values_mut().for_each(Vec::clear);
    }

    /// Drops what was read of `partitions`.
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

    pub(super) fn of(&self, partition: i32) -> &[Incoming] {
        self.records.get(&partition).map_or(&[], Vec::as_slice)
    }

    pub(super) fn by_partition(&self) -> &BTreeMap<i32, Vec<Incoming>> {
        &self.records
    }
}
