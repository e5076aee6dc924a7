//! Changes that reach the disk together.

use rocksdb::WriteBatch;

use super::key::{self, IDS, STATE};
use super::{PartitionStore, StoreError, failed};
use crate::state::changelog::{self, Run};
use crate::state::format::stored;
use crate::state::meta::{ChangelogPositions, Meta, Restoring};

/// Changes that reach the disk together.
pub struct StoreBatch<'a> {
    pub(super) store: &'a PartitionStore,
    pub(super) writes: WriteBatch,
}

impl<'a> StoreBatch<'a> {
    pub(super) fn new(store: &'a PartitionStore) -> Self {
        Self { store, writes: WriteBatch::default() }
    }

    /// Sets a customer's value, or deletes it where `value` is `None`.
    pub fn put_customer(&mut self, key: &[u8], value: Option<&[u8]>) {
        let (family, key) = (self.store.family(STATE), key::customer(key));
        match value {
            Some(value) => self.writes.put_cf(family, key, value),
            None => self.writes.delete_cf(family, key),
        }
    }

    /// Remembers ids.
    pub fn put_run(&mut self, run: &Run) {
        let family = self.store.family(IDS);
        for seen in &run.ids {
            let value = key::id_value(run.appended, seen.content);
            let value = key::stored_of(run.bucket, &value);
            self.writes.put_cf(family, key::id(run.bucket, seen.id()), value);
        }
    }

    /// Sets where the partition stands.
    pub fn put_meta(&mut self, meta: &Meta) {
        self.writes.put_cf(self.store.family(STATE), key::META, changelog::encode_meta(meta));
    }

    /// Sets how far the changelogs are on disk.
    pub fn put_progress(&mut self, progress: &ChangelogPositions) {
        let bytes = stored::encode(progress, self.store.memory.formats());
        self.writes.put_cf(self.store.family(STATE), key::PROGRESS, bytes);
    }

    /// Sets what the restore under way has met.
    pub fn put_restoring(&mut self, restoring: &Restoring) {
        let bytes = stored::encode(restoring, self.store.memory.formats());
        self.writes.put_cf(self.store.family(STATE), key::RESTORING, bytes);
    }

    /// The size of the batch, in bytes.
    #[must_use]
    pub fn bytes(&self) -> usize {
        self.writes.size_in_bytes()
    }

    /// Writes the batch to RocksDB's log and memtable, without waiting for the disk. A power cut loses the
    /// newest batches as a whole, and the changelogs have them.
    ///
    /// # Errors
    /// Where RocksDB fails.
    pub fn write(self) -> Result<(), StoreError> {
        let store = self.store;
        store.db.write(self.writes).map_err(|source| store.failed(source))?;
        store.memory.flush_if_over_budget([IDS, STATE]).map_err(|(path, source)| failed(&path, source))
    }
}

impl std::fmt::Debug for StoreBatch<'_> {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("StoreBatch").field("bytes", &self.bytes()).finish_non_exhaustive()
    }
}
