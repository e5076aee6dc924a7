//! One partition on disk. RocksDB holds only what is committed: it is written after the commit, never before (P2).

use std::path::{Path, PathBuf};
use std::sync::{Arc, Mutex};

use rocksdb::{ColumnFamilyDescriptor, DB, DEFAULT_COLUMN_FAMILY_NAME, Direction, IteratorMode, WriteBatch};
use schemas::id::DedupeId;

mod timers;

use super::changelog::{self, Run};
use super::identity::{Fit, Identity};
use super::memory::Shared;
use super::meta::{Meta, Progress, Restoring};
use super::overlay::Overlay;
use crate::domain::window::{Day, LATE};

mod bulk;
mod error;
mod expiry;
mod folder;

pub(crate) use bulk::Bulk;
pub use error::StoreError;
use expiry::Expiry;
pub(crate) use folder::{sweep, wipe};

mod probe;

/// Dedupe ids, `bucket ‖ id`: no value, or in the late bucket the day on which the id was appended.
const IDS: &str = "ids";
/// Everything else, by the first byte of the key. RocksDB insists on this family; a third one would only cost.
const STATE: &str = DEFAULT_COLUMN_FAMILY_NAME;

const META_KEY: &[u8] = b"m";
const PROGRESS_KEY: &[u8] = b"p";
const IDENTITY_KEY: &[u8] = b"i";
/// While it is there, the disk is being restored: customers and ids may be newer than the meta.
const RESTORING_KEY: &[u8] = b"r";
const CUSTOMER: u8 = b'c';

/// One partition's RocksDB.
pub struct PartitionStore {
    db: Arc<DB>,
    path: PathBuf,
    shared: Shared,
    expiry: Mutex<Expiry>,
}

impl PartitionStore {
    /// Opens or creates the store in `path`.
    ///
    /// # Errors
    /// [`StoreError::Foreign`] where it belongs to another cluster or layout, [`StoreError::Recreated`] where a topic was made anew
    /// since, [`StoreError::Corrupt`] where it is damaged; else where RocksDB can't open it.
    pub fn open(path: &Path, identity: &Identity, shared: &Shared) -> Result<Self, StoreError> {
        folder::refuse_damage(path)?;
        let families = [(IDS, shared.ids_options()), (STATE, shared.state_options())];
        let families = families.map(|(name, options)| ColumnFamilyDescriptor::new(name, options));
        let db = DB::open_cf_descriptors(&shared.database_options(), path, families)
            .map_err(|source| StoreError::of(path, source))?;
        let db = Arc::new(db);
        shared.register(&db);
        let store = Self { db, path: path.to_owned(), shared: shared.clone(), expiry: Mutex::default() };
        store.identify(identity)?;
        Ok(store)
    }

    /// R0: whose it is.
    fn identify(&self, wanted: &Identity) -> Result<(), StoreError> {
        let Some(found) = self.read::<Identity>(IDENTITY_KEY)? else {
            return self.write_one(IDENTITY_KEY, wanted);
        };
        let path = self.path.clone();
        match found.fits(wanted) {
            Fit::Same => {
                let completed = found.completed_by(wanted);
                if completed == found { Ok(()) } else { self.write_one(IDENTITY_KEY, &completed) }
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

    /// The restore that has not ended; `None` where there is none. While there is one, customers and ids may be newer than the
    /// meta: nothing may be processed (C12).
    ///
    /// # Errors
    /// Where RocksDB fails or the value does not read.
    pub fn restoring(&self) -> Result<Option<Restoring>, StoreError> {
        self.read(RESTORING_KEY)
    }

    /// Begins a restore at `now_ms`, or goes on with one.
    ///
    /// # Errors
    /// Where RocksDB fails.
    pub fn begin_restore(&self, now_ms: i64) -> Result<Restoring, StoreError> {
        if let Some(restoring) = self.restoring()? {
            return Ok(restoring);
        }
        let restoring = Restoring::since(now_ms);
        self.write_one(RESTORING_KEY, &restoring)?;
        Ok(restoring)
    }

    /// Ends a restore: all that `meta` stands for is on disk, and the changelogs up to `progress`.
    ///
    /// # Errors
    /// Where RocksDB fails.
    pub fn end_restore(&self, meta: Option<&Meta>, progress: &Progress) -> Result<(), StoreError> {
        let mut batch = self.batch();
        if let Some(meta) = meta {
            batch.put_meta(meta);
        }
        batch.put_progress(progress);
        batch.writes.delete_cf(self.family(STATE), RESTORING_KEY);
        batch.write()
    }

    /// Takes every customer and the meta away, to read the state changelog from its beginning again. Ids stay. A restore must have
    /// begun.
    ///
    /// # Errors
    /// Where RocksDB fails.
    pub fn forget_customers(&self, progress: &Progress) -> Result<(), StoreError> {
        let state = self.family(STATE);
        let (from, to) = ([CUSTOMER], [CUSTOMER + 1]);
        self.db.delete_file_in_range_cf(state, from, to).map_err(|source| self.failed(source))?;
        let mut batch = self.batch();
        batch.writes.delete_range_cf(state, from, to);
        batch.writes.delete_cf(state, META_KEY);
        batch.put_progress(progress);
        batch.write()
    }

    /// A customer's value.
    ///
    /// # Errors
    /// Where RocksDB fails.
    pub fn customer(&self, key: &[u8]) -> Result<Option<Vec<u8>>, StoreError> {
        self.get(STATE, &customer_key(key))
    }

    /// Whether it holds no customer and no meta.
    ///
    /// # Errors
    /// Where RocksDB fails.
    pub fn is_empty(&self) -> Result<bool, StoreError> {
        let from = IteratorMode::From(&[CUSTOMER], Direction::Forward);
        let first = self.db.iterator_cf(self.family(STATE), from).next();
        let first = first.transpose().map_err(|source| self.failed(source))?;
        let has_customer = first.is_some_and(|(key, _)| key.first() == Some(&CUSTOMER));
        Ok(!has_customer && self.meta()?.is_none())
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

    /// A batch for a restore, which applies changelog records instead of a transaction.
    #[must_use]
    pub fn batch(&self) -> Batch<'_> {
        Batch { store: self, writes: WriteBatch::default() }
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

/// Changes that reach the disk together.
pub struct Batch<'a> {
    store: &'a PartitionStore,
    writes: WriteBatch,
}

impl Batch<'_> {
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

    /// Sets what a restore under way has met.
    pub fn put_restoring(&mut self, restoring: &Restoring) {
        let bytes = postcard::to_stdvec(restoring).expect("what is noted has only plain fields");
        self.writes.put_cf(self.store.family(STATE), RESTORING_KEY, bytes);
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
        let store = self.store;
        store.db.write(self.writes).map_err(|source| store.failed(source))?;
        store.shared.relieve([IDS, STATE]).map_err(|(path, source)| failed(&path, source))
    }
}

impl std::fmt::Debug for Batch<'_> {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Batch").field("bytes", &self.bytes()).finish_non_exhaustive()
    }
}

/// What RocksDB said of the store at `path`. Damage is noted beside the folder too: the next to open it finds it corrupt, and can
/// wipe it.
fn failed(path: &Path, source: rocksdb::Error) -> StoreError {
    let error = StoreError::of(path, source);
    if error.is_corruption() {
        folder::condemn(path);
    }
    error
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
