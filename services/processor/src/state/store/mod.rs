//! One partition on disk. RocksDB holds only what is committed: it is written after the commit, never before
//! (P2).
//!
//! `key.rs` has the layout of the keys.

use std::path::{Path, PathBuf};
use std::sync::{Arc, Mutex};

use rocksdb::{ColumnFamilyDescriptor, DB, Direction, IteratorMode};
use schemas::id::DedupeId;

use self::key::{IDS, STATE};
use super::changelog;
use super::format::FormatLevel;
use super::format::stored::{self, Stored};
use super::identity::{Fit, StoreIdentity};
use super::memory::StoreMemory;
use super::meta::{ChangelogPositions, Meta, Restoring};
use super::overlay::Overlay;
use crate::domain::event::content::ContentHash;
use crate::domain::time::window::{Day, LATE};

mod batch;
mod bulk;
mod error;
mod expiry;
mod folder;
mod key;
mod lookup;
mod timers;

pub use batch::StoreBatch;
pub(crate) use bulk::Bulk;
pub use error::StoreError;
use expiry::Expiry;
pub(crate) use folder::{sweep, wipe};

/// One partition's RocksDB.
pub struct PartitionStore {
    db: Arc<DB>,
    path: PathBuf,
    memory: StoreMemory,
    expiry: Mutex<Expiry>,
}

impl PartitionStore {
    /// Opens or creates the store in `path`.
    ///
    /// # Errors
    /// [`StoreError::Foreign`] where it belongs to another cluster or layout. [`StoreError::Recreated`] where
    /// a topic was deleted and created again since. [`StoreError::Corrupt`] where it is damaged. Otherwise
    /// where RocksDB can't open it.
    pub fn open(path: &Path, identity: &StoreIdentity, memory: &StoreMemory) -> Result<Self, StoreError> {
        folder::refuse_damage(path)?;
        let families = [(IDS, memory.ids_options()), (STATE, memory.state_options())];
        let families = families.map(|(name, options)| ColumnFamilyDescriptor::new(name, options));
        let db = DB::open_cf_descriptors(&memory.database_options(), path, families)
            .map_err(|source| StoreError::of(path, source))?;
        let db = Arc::new(db);
        memory.register(&db);
        let store = Self { db, path: path.to_owned(), memory: memory.clone(), expiry: Mutex::default() };
        store.identify(identity)?;
        Ok(store)
    }

    /// R0: checks whose disk this is.
    fn identify(&self, wanted: &StoreIdentity) -> Result<(), StoreError> {
        let Some(found) = self.read::<StoreIdentity>(key::IDENTITY)? else {
            return self.write_one(key::IDENTITY, wanted);
        };
        let path = self.path.clone();
        match found.fits(wanted) {
            Fit::Same => {
                let completed = found.completed_by(wanted);
                if completed == found { Ok(()) } else { self.write_one(key::IDENTITY, &completed) }
            }
            Fit::Recreated(log) => Err(StoreError::Recreated { path, log, meta: self.meta()?.map(Box::new) }),
            Fit::Foreign => {
                let (found, wanted) = (Box::new(found), Box::new(wanted.clone()));
                Err(StoreError::Foreign { path, found, wanted })
            }
        }
    }

    /// Where the partition stands; `None` before its first transaction.
    ///
    /// # Errors
    /// Where RocksDB fails, or the value can't be read.
    pub fn meta(&self) -> Result<Option<Meta>, StoreError> {
        self.get(STATE, key::META)?
            .map(|bytes| changelog::decode_meta(&bytes).map_err(|error| self.unreadable(&error)))
            .transpose()
    }

    /// How far the changelogs are on disk; `None` in a fresh store.
    ///
    /// # Errors
    /// Where RocksDB fails, or the value can't be read.
    pub fn progress(&self) -> Result<Option<ChangelogPositions>, StoreError> {
        self.read(key::PROGRESS)
    }

    /// Notes how far the changelogs are on disk.
    ///
    /// # Errors
    /// Where RocksDB fails.
    pub fn note_progress(&self, progress: &ChangelogPositions) -> Result<(), StoreError> {
        self.write_one(key::PROGRESS, progress)
    }

    /// The restore that has not ended; `None` where there is none. While there is one, customers and ids may
    /// be newer than the meta, so no record may be applied (C12).
    ///
    /// # Errors
    /// Where RocksDB fails, or the value can't be read.
    pub fn restoring(&self) -> Result<Option<Restoring>, StoreError> {
        self.read(key::RESTORING)
    }

    /// Begins a restore at `now_ms`, Unix milliseconds, or continues the one that has not ended.
    ///
    /// # Errors
    /// Where RocksDB fails.
    pub fn begin_restore(&self, now_ms: i64) -> Result<Restoring, StoreError> {
        if let Some(restoring) = self.restoring()? {
            return Ok(restoring);
        }
        let restoring = Restoring::since(now_ms);
        self.write_one(key::RESTORING, &restoring)?;
        Ok(restoring)
    }

    /// Ends a restore: everything that `meta` stands for is on disk, and the changelogs up to `progress`.
    ///
    /// # Errors
    /// Where RocksDB fails.
    pub fn end_restore(&self, meta: Option<&Meta>, progress: &ChangelogPositions) -> Result<(), StoreError> {
        let mut batch = self.batch();
        if let Some(meta) = meta {
            batch.put_meta(meta);
        }
        batch.put_progress(progress);
        batch.writes.delete_cf(self.family(STATE), key::RESTORING);
        batch.write()
    }

    /// Deletes every customer and the meta, so that the state changelog can be read again from its beginning.
    /// Ids stay. A restore must have begun.
    ///
    /// # Errors
    /// Where RocksDB fails.
    pub fn forget_customers(&self, progress: &ChangelogPositions) -> Result<(), StoreError> {
        let state = self.family(STATE);
        self.db
            .delete_file_in_range_cf(state, key::CUSTOMERS_FROM, key::CUSTOMERS_TO)
            .map_err(|source| self.failed(source))?;
        let mut batch = self.batch();
        batch.writes.delete_range_cf(state, key::CUSTOMERS_FROM, key::CUSTOMERS_TO);
        batch.writes.delete_cf(state, key::META);
        batch.put_progress(progress);
        batch.write()
    }

    /// A customer's value.
    ///
    /// # Errors
    /// Where RocksDB fails.
    pub fn customer(&self, key: &[u8]) -> Result<Option<Vec<u8>>, StoreError> {
        self.get(STATE, &key::customer(key))
    }

    /// Whether the store holds no customer and no meta.
    ///
    /// # Errors
    /// Where RocksDB fails.
    pub fn is_empty(&self) -> Result<bool, StoreError> {
        let from = IteratorMode::From(&key::CUSTOMERS_FROM, Direction::Forward);
        let first = self.db.iterator_cf(self.family(STATE), from).next();
        let first = first.transpose().map_err(|source| self.failed(source))?;
        let has_customer = first.is_some_and(|(key, _)| key::is_customer(&key));
        Ok(!has_customer && self.meta()?.is_none())
    }

    /// Whether `id` is in a day's bucket.
    ///
    /// # Errors
    /// Where RocksDB fails.
    pub fn has(&self, bucket: Day, id: DedupeId) -> Result<bool, StoreError> {
        Ok(self.get(IDS, &key::id(bucket, id))?.is_some())
    }

    /// The day on which a late `id` was appended, and what its event said; `None` where it is not remembered.
    ///
    /// # Errors
    /// Where RocksDB fails.
    pub fn late(&self, id: DedupeId) -> Result<Option<(Day, ContentHash)>, StoreError> {
        let value = self.get(IDS, &key::id(LATE, id))?;
        Ok(value.and_then(|value| key::parse_late(&value)))
    }

    /// Writes a committed transaction: customers, ids, timers and meta, in one batch.
    ///
    /// # Errors
    /// Where RocksDB fails. The transaction stays committed: a restart replays it from the changelogs.
    pub fn apply(&self, committed: &Overlay) -> Result<(), StoreError> {
        let mut batch = self.batch();
        for (key, value) in committed.customers() {
            batch.put_customer(key, Some(value));
        }
        for run in committed.runs() {
            batch.put_run(run);
        }
        for (timer, is_set) in committed.timers() {
            if is_set { batch.put_timer(timer) } else { batch.take_timer(timer) }
        }
        batch.put_meta(committed.meta());
        batch.write()
    }

    /// A batch for a restore, which writes changelog records instead of a transaction.
    #[must_use]
    pub fn batch(&self) -> StoreBatch<'_> {
        StoreBatch::new(self)
    }

    /// How many ids are remembered, as RocksDB estimates it.
    #[must_use]
    pub fn ids_estimate(&self) -> u64 {
        let property = self.db.property_int_value_cf(self.family(IDS), "rocksdb.estimate-num-keys");
        property.ok().flatten().unwrap_or_default()
    }

    /// How new the formats may be that are written.
    #[must_use]
    pub(crate) fn formats(&self) -> FormatLevel {
        self.memory.formats()
    }

    fn read<T: Stored>(&self, key: &[u8]) -> Result<Option<T>, StoreError> {
        self.get(STATE, key)?
            .map(|bytes| stored::decode(&bytes).map_err(|error| self.unreadable(&error)))
            .transpose()
    }

    fn write_one<T: Stored>(&self, key: &[u8], value: &T) -> Result<(), StoreError> {
        let bytes = stored::encode(value, self.memory.formats());
        self.db.put_cf(self.family(STATE), key, bytes).map_err(|source| self.failed(source))
    }

    fn get(&self, family: &str, key: &[u8]) -> Result<Option<Vec<u8>>, StoreError> {
        self.db.get_cf(self.family(family), key).map_err(|source| self.failed(source))
    }

    fn family(&self, name: &str) -> &rocksdb::ColumnFamily {
        self.db.cf_handle(name).expect("both families are opened with the database")
    }

    fn failed(&self, source: rocksdb::Error) -> StoreError {
        failed(&self.path, source)
    }

    fn unreadable(&self, error: &dyn std::fmt::Display) -> StoreError {
        StoreError::Unreadable { path: self.path.clone(), what: error.to_string() }
    }
}

impl std::fmt::Debug for PartitionStore {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("PartitionStore").field("path", &self.path).finish_non_exhaustive()
    }
}

/// Turns an error of RocksDB into ours. Damage is also noted beside the folder, so that the next opening
/// finds the store corrupt and can wipe it.
fn failed(path: &Path, source: rocksdb::Error) -> StoreError {
    let error = StoreError::of(path, source);
    if error.is_corruption() {
        folder::condemn(path);
    }
    error
}

#[cfg(test)]
mod tests;
