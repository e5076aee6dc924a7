//! The memory and the open files that all stores of a process share.

use std::path::PathBuf;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError, TryLockError, Weak};

use rocksdb::{Cache, DB, FlushOptions, WriteBufferManager};

use super::format::FormatLevel;

mod budget;
mod files;
mod options;

pub use budget::{Budget, BudgetTooSmall};
pub use files::{FileBudget, FilesTooFew};
#[cfg(test)]
pub(super) use options::background_jobs;

/// What all stores of a process share. Clones share too.
#[derive(Clone)]
pub struct StoreMemory {
    inner: Arc<Inner>,
    formats: FormatLevel,
    /// Tables that each store may keep open; -1 for all.
    open_files_max: i32,
}

struct Inner {
    cache: Cache,
    buffers: WriteBufferManager,
    budget: Budget,
    open: Mutex<Vec<Weak<DB>>>,
}

/// What a family holds in memory.
struct Buffer {
    db: Arc<DB>,
    family: &'static str,
    bytes: u64,
}

impl StoreMemory {
    /// One cache and one write-buffer budget for every partition.
    #[must_use]
    pub fn new(budget: &Budget) -> Self {
        let cache = Cache::new_lru_cache(size(budget.block_cache_bytes));
        // RocksDB could stall writers by itself. It would stall them forever where idle stores hold the
        // memory.
        let stall = false;
        let buffers = WriteBufferManager::new_write_buffer_manager_with_cache(
            size(budget.write_buffer_bytes),
            stall,
            cache.clone(),
        );
        let inner = Inner { cache, buffers, budget: *budget, open: Mutex::default() };
        Self { inner: Arc::new(inner), formats: FormatLevel::NEWEST, open_files_max: -1 }
    }

    /// The same, for stores that are written with no newer formats than `formats` allows.
    #[must_use]
    pub fn writing(self, formats: FormatLevel) -> Self {
        Self { formats, ..self }
    }

    /// The same, for stores that keep no more files open than `files` allows.
    #[must_use]
    pub fn opening(self, files: FileBudget) -> Self {
        Self { open_files_max: files.tables_per_store(), ..self }
    }

    /// How new the formats may be that are written.
    pub(super) fn formats(&self) -> FormatLevel {
        self.formats
    }

    /// Bytes that are written and not yet in files, of all stores.
    #[must_use]
    pub fn write_buffer_bytes(&self) -> u64 {
        self.inner.buffers.get_usage() as u64
    }

    /// Counts `db` until it is dropped.
    pub(super) fn register(&self, db: &Arc<DB>) {
        let mut open = self.open();
        open.retain(|db| db.strong_count() > 0);
        open.push(Arc::downgrade(db));
    }

    /// Keeps the write buffers within their budget. Called after each write.
    ///
    /// RocksDB would flush the store that happens to write, even where idle stores hold the memory. A busy
    /// store among idle ones would then flush a file per write. So the fullest buffer of all stores is
    /// flushed, in the background. Where the disk is too slow, the writer waits for the flush.
    ///
    /// # Errors
    /// Where RocksDB can't flush: the folder of the store that failed, which may be another store than the
    /// one that was written to.
    pub(super) fn flush_if_over_budget(
        &self,
        families: [&'static str; 2],
    ) -> Result<(), (PathBuf, rocksdb::Error)> {
        let limit = self.inner.budget.write_buffer_bytes;
        let used = self.write_buffer_bytes();
        if used < limit / 8 * 5 {
            return Ok(());
        }
        let open = match self.inner.open.try_lock() {
            Ok(open) => open,
            Err(TryLockError::Poisoned(poisoned)) => poisoned.into_inner(),
            // Another thread is flushing. Wait for it only at the limit.
            Err(TryLockError::WouldBlock) if used < limit => return Ok(()),
            Err(TryLockError::WouldBlock) => self.open(),
        };
        let stores = || open.iter().filter_map(Weak::upgrade);
        let active = buffers(stores(), families, c"rocksdb.cur-size-active-mem-table")?;
        let fullest = if active.iter().map(|buffer| buffer.bytes).sum::<u64>() > limit / 2 {
            active.into_iter().max_by_key(|buffer| buffer.bytes)
        } else if self.write_buffer_bytes() >= limit {
            let all = buffers(stores(), families, c"rocksdb.cur-size-all-mem-tables")?;
            all.into_iter().max_by_key(|buffer| buffer.bytes)
        } else {
            None
        };
        // From here on, only this store is kept open. The others may be closed meanwhile, and opened again.
        let Some(Buffer { db, family, .. }) = fullest else { return Ok(()) };
        let mut options = FlushOptions::default();
        options.set_wait(self.write_buffer_bytes() >= limit);
        let flushed = db.cf_handle(family).map_or(Ok(()), |family| db.flush_cf_opt(family, &options));
        flushed.map_err(|source| (db.path().to_owned(), source))
    }

    fn open(&self) -> MutexGuard<'_, Vec<Weak<DB>>> {
        self.inner.open.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl std::fmt::Debug for StoreMemory {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("StoreMemory")
            .field("cache_bytes", &self.inner.cache.get_usage())
            .finish_non_exhaustive()
    }
}

fn buffers(
    stores: impl Iterator<Item = Arc<DB>>,
    families: [&'static str; 2],
    property: &std::ffi::CStr,
) -> Result<Vec<Buffer>, (PathBuf, rocksdb::Error)> {
    let mut buffers = Vec::new();
    for db in stores {
        for family in families {
            let Some(handle) = db.cf_handle(family) else { continue };
            let bytes = db.property_int_value_cf(handle, property);
            let bytes = bytes.map_err(|source| (db.path().to_owned(), source))?.unwrap_or_default();
            buffers.push(Buffer { db: Arc::clone(&db), family, bytes });
        }
    }
    Ok(buffers)
}

fn size(bytes: u64) -> usize {
    usize::try_from(bytes).unwrap_or(usize::MAX)
}
