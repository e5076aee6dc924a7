//! One partition on disk. RocksDB holds only what is committed: it is written after the commit, never before (P2).

use std::path::{Path, PathBuf};

use rocksdb::{ColumnFamilyDescriptor, DB, DEFAULT_COLUMN_FAMILY_NAME, IteratorMode, WriteBatch};
use schemas::id::DedupeId;
use thiserror::Error;

mod timers;

use super::changelog::{self, Run};
use super::identity::Identity;
use super::memory::Shared;
use super::meta::{Meta, Progress};
use super::overlay::Overlay;
use crate::domain::window::{Day, LATE, Window};

mod probe;

/// Dedupe ids, `bucket ‖ id`: no value, or in the late bucket the day on which the id was appended.
const IDS: &str = "ids";
/// Everything else, by the first byte of the key. RocksDB insists on this family; a third one would only cost.
const STATE: &str = DEFAULT_COLUMN_FAMILY_NAME;

const META_KEY: &[u8] = b"m";
const PROGRESS_KEY: &[u8] = b"p";
const IDENTITY_KEY: &[u8] = b"i";
const CUSTOMER: u8 = b'c';

/// The store failed.
#[derive(Debug, Error)]
pub enum StoreError {
    /// RocksDB refused.
    #[error("state store {path} failed: check the disk's space and the folder's owner")]
    Rocks {
        /// The partition's folder.
        path: PathBuf,
        /// What RocksDB said.
        #[source]
        source: rocksdb::Error,
    },
    /// It is somebody else's.
    #[error(
        "state store {path} belongs to {found:?}, not to {wanted:?}: point AFTERSEND_STATE at another folder"
    )]
    Foreign {
        /// The partition's folder.
        path: PathBuf,
        /// What it belongs to.
        found: Box<Identity>,
        /// What was opened.
        wanted: Box<Identity>,
    },
    /// What it holds does not read.
    #[error("state store {path} does not read ({what})")]
    Unreadable {
        /// The partition's folder.
        path: PathBuf,
        /// What is wrong.
        what: String,
    },
}

/// One partition's RocksDB.
pub struct PartitionStore {
    db: DB,
    path: PathBuf,
}

impl PartitionStore {
    /// Opens or creates the store in `path`.
    ///
    /// # Errors
    /// [`StoreError::Foreign`] where it belongs to another cluster or layout; else where RocksDB can't open it.
    pub fn open(path: &Path, identity: &Identity, shared: &Shared) -> Result<Self, StoreError> {
        let families = [IDS, STATE].map(|name| ColumnFamilyDescriptor::new(name, shared.family_options()));
        let db = DB::open_cf_descriptors(&shared.database_options(), path, families)
            .map_err(|source| StoreError::Rocks { path: path.to_owned(), source })?;
        let store = Self { db, path: path.to_owned() };
        match store.read::<Identity>(IDENTITY_KEY)? {
            None => store.write_one(IDENTITY_KEY, identity)?,
            Some(found) if found.serves_as(identity) => {}
            Some(found) => {
                let (found, wanted) = (Box::new(found), Box::new(identity.clone()));
                return Err(StoreError::Foreign { path: path.to_owned(), found, wanted });
            }
        }
        Ok(store)
    }

    /// Where the partition stands; `None` before its first transaction.
    ///
    /// # Errors
    /// Where RocksDB fails or the value does not read.
    pub fn meta(&self) -> Result<Option<Meta>, StoreError> {
        self.get(STATE, META_KEY)?
            .map(|bytes| changelog::decode_meta(&bytes).map_err(|error| self.unreadable(&error)))
            .transpose()
    }

    /// How far the changelogs are on disk; `None` in a fresh store.
    ///
    /// # Errors
    /// Where RocksDB fails or the value does not read.
    pub fn progress(&self) -> Result<Option<Progress>, StoreError> {
        self.read(PROGRESS_KEY)
    }

    /// Notes how far the changelogs are on disk.
    ///
    /// # Errors
    /// Where RocksDB fails.
    pub fn note_progress(&self, progress: &Progress) -> Result<(), StoreError> {
        self.write_one(PROGRESS_KEY, progress)
    }

    /// A customer's value.
    ///
    /// # Errors
    /// Where RocksDB fails.
    pub fn customer(&self, key: &[u8]) -> Result<Option<Vec<u8>>, StoreError> {
        self.get(STATE, &customer_key(key))
    }

    /// Whether `id` is in a day's bucket.
    ///
    /// # Errors
    /// Where RocksDB fails.
    pub fn has(&self, bucket: Day, id: DedupeId) -> Result<bool, StoreError> {
        Ok(self.get(IDS, &id_key(bucket, id))?.is_some())
    }

    /// The day on which a late `id` was appended, where it is remembered.
    ///
    /// # Errors
    /// Where RocksDB fails.
    pub fn late(&self, id: DedupeId) -> Result<Option<Day>, StoreError> {
        let value = self.get(IDS, &id_key(LATE, id))?;
        Ok(value.and_then(|bytes| bytes.try_into().ok()).map(Day::from_be_bytes))
    }

    /// Applies a committed transaction: customers, ids and meta in one batch, or nothing of it.
    ///
    /// # Errors
    /// Where RocksDB fails. The transaction is committed nevertheless: a restart replays it from the changelogs.
    pub fn apply(&self, committed: &Overlay) -> Result<(), StoreError> {
        let mut batch = Batch::new(self);
        for (key, value) in committed.customers() {
            batch.put_customer(key, Some(value));
        }
        for run in committed.runs() {
            batch.put_run(&run);
        }
        for (timer, is_set) in committed.timers() {
            if is_set { batch.put_timer(timer) } else { batch.take_timer(timer) }
        }
        batch.put_meta(committed.meta());
        batch.write()
    }

    /// A batch for a restore, which applies changelog records instead of a transaction.
    #[must_use]
    pub fn batch(&self) -> Batch<'_> {
        Batch::new(self)
    }

    /// Forgets every id whose time is over when the clock stands at `now`. Whole files go first, without a compaction.
    ///
    /// # Errors
    /// Where RocksDB fails.
    pub fn expire(&self, window: Window, now: Day) -> Result<(), StoreError> {
        let ids = self.family(IDS);
        let first_kept = (LATE + 1..=now).find(|day| !window.day_expired(*day, now)).unwrap_or(now);
        let (from, to) = ((LATE + 1).to_be_bytes(), first_kept.to_be_bytes());
        self.db.delete_file_in_range_cf(ids, from, to).map_err(|source| self.failed(source))?;
        let mut batch = WriteBatch::default();
        batch.delete_range_cf(ids, from, to);
        for entry in self.db.iterator_cf(ids, IteratorMode::Start) {
            let (key, value) = entry.map_err(|source| self.failed(source))?;
            if !key.starts_with(&LATE.to_be_bytes()) {
                break;
            }
            let appended = Day::from_be_bytes((&*value).try_into().unwrap_or_default());
            if window.late_expired(appended, now) {
                batch.delete_cf(ids, key);
            }
        }
        self.db.write(batch).map_err(|source| self.failed(source))
    }

    /// Ids remembered, as RocksDB estimates.
    #[must_use]
    pub fn ids_estimate(&self) -> u64 {
        let property = self.db.property_int_value_cf(self.family(IDS), "rocksdb.estimate-num-keys");
        property.ok().flatten().unwrap_or_default()
    }

    fn read<T: serde::de::DeserializeOwned>(&self, key: &[u8]) -> Result<Option<T>, StoreError> {
        self.get(STATE, key)?
            .map(|bytes| postcard::from_bytes(&bytes).map_err(|error| self.unreadable(&error)))
            .transpose()
    }

    fn write_one<T: serde::Serialize>(&self, key: &[u8], value: &T) -> Result<(), StoreError> {
        let bytes = postcard::to_stdvec(value).expect("what is noted has only plain fields");
        self.db.put_cf(self.family(STATE), key, bytes).map_err(|source| self.failed(source))
    }

    fn get(&self, family: &str, key: &[u8]) -> Result<Option<Vec<u8>>, StoreError> {
        self.db.get_cf(self.family(family), key).map_err(|source| self.failed(source))
    }

    fn family(&self, name: &str) -> &rocksdb::ColumnFamily {
        self.db.cf_handle(name).expect("both families are opened with the database")
    }

    fn failed(&self, source: rocksdb::Error) -> StoreError {
        StoreError::Rocks { path: self.path.clone(), source }
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

/// Changes that reach the disk together.
pub struct Batch<'a> {
    store: &'a PartitionStore,
    writes: WriteBatch,
}

impl<'a> Batch<'a> {
    fn new(store: &'a PartitionStore) -> Self {
        Self { store, writes: WriteBatch::default() }
    }

    /// Sets a customer's value, or takes it away.
    pub fn put_customer(&mut self, key: &[u8], value: Option<&[u8]>) {
        let (family, key) = (self.store.family(STATE), customer_key(key));
        match value {
            Some(value) => self.writes.put_cf(family, key, value),
            None => self.writes.delete_cf(family, key),
        }
    }

    /// Remembers ids.
    pub fn put_run(&mut self, run: &Run) {
        let family = self.store.family(IDS);
        let appended = run.appended.to_be_bytes();
        let value: &[u8] = if run.bucket == LATE { &appended } else { &[] };
        for id in run.ids() {
            self.writes.put_cf(family, id_key(run.bucket, id), value);
        }
    }

    /// Sets where the partition stands.
    pub fn put_meta(&mut self, meta: &Meta) {
        self.writes.put_cf(self.store.family(STATE), META_KEY, changelog::encode_meta(meta));
    }

    /// Sets how far the changelogs are on disk.
    pub fn put_progress(&mut self, progress: &Progress) {
        let bytes = postcard::to_stdvec(progress).expect("what is noted has only plain fields");
        self.writes.put_cf(self.store.family(STATE), PROGRESS_KEY, bytes);
    }

    /// Bytes gathered.
    #[must_use]
    pub fn bytes(&self) -> usize {
        self.writes.size_in_bytes()
    }

    /// Writes everything, with the log but without waiting for the disk: a power cut loses the newest batches whole, and
    /// the changelogs have them.
    ///
    /// # Errors
    /// Where RocksDB fails.
    pub fn write(self) -> Result<(), StoreError> {
        self.store.db.write(self.writes).map_err(|source| self.store.failed(source))
    }
}

impl std::fmt::Debug for Batch<'_> {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Batch").field("bytes", &self.bytes()).finish_non_exhaustive()
    }
}

fn id_key(bucket: Day, id: DedupeId) -> [u8; 18] {
    let mut key = [0; 18];
    key[..2].copy_from_slice(&bucket.to_be_bytes());
    key[2..].copy_from_slice(&id.0);
    key
}

fn customer_key(key: &[u8]) -> Vec<u8> {
    [&[CUSTOMER], key].concat()
}

#[cfg(test)]
mod tests;
