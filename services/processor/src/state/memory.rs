//! RocksDB's options, and the memory that all stores of a process share.

use std::path::PathBuf;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError, TryLockError, Weak};

use rocksdb::{
    BlockBasedIndexType, BlockBasedOptions, Cache, DB, DBCompressionType, FlushOptions, Options,
    WriteBufferManager,
};
use thiserror::Error;

use super::format::FormatLevel;

/// The smallest write buffer of each family of each partition, in bytes. With less, files are too small, and
/// compactions rewrite each record too often.
const WRITE_BUFFER_MIN: u64 = 8 << 20;
/// The largest write buffer of a family, in bytes. A restart after a kill reads it from the log again.
const WRITE_BUFFER_MAX: u64 = 32 << 20;
/// Families of a partition.
const FAMILIES: u64 = 2;
/// The largest log of a partition, in bytes. A family that is seldom flushed is flushed when it keeps old
/// logs, and a restart reads no more than this.
const LOG_MAX: u64 = 32 << 20;

/// How the processor's memory is divided. All sizes are in bytes.
///
/// | share | of the whole |
/// |---|---|
/// | `write_buffer_bytes` | 1/2 |
/// | `block_cache_bytes`, which the write buffers count into | 3/4 |
/// | `prefetch_bytes` | 3/32 |
/// | `batch_bytes` | 1/32 |
/// | `producer_queue_bytes` | 1/8 |
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Budget {
    /// The whole.
    pub total_bytes: u64,
    /// Records that are written and not yet in a file.
    pub write_buffer_bytes: u64,
    /// Blocks, indexes and filters, and the write buffers.
    pub block_cache_bytes: u64,
    /// Records that are read ahead from the input and from changelogs under restore.
    pub prefetch_bytes: u64,
    /// Records that are read and not yet committed, of all workers. What is made of them before the commit
    /// (customers, changes, outputs) takes several times as much, and is not part of the budget.
    pub batch_bytes: u64,
    /// Records that are queued in producers.
    pub producer_queue_bytes: u64,
}

/// A budget is too small for its partitions.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Error)]
#[error(
    "processor.memory of {} MiB is too small: this instance may come to own all {partitions} partitions, and each needs {} MiB of \
     write buffers, half of the whole: set AFTERSEND_PROCESSOR_MEMORY to {} MiB or more",
    .found_bytes >> 20,
    (FAMILIES * WRITE_BUFFER_MIN) >> 20,
    .wanted_bytes >> 20
)]
pub struct BudgetTooSmall {
    /// Partitions of the input.
    pub partitions: u32,
    /// The whole budget.
    pub found_bytes: u64,
    /// The smallest budget that is enough.
    pub wanted_bytes: u64,
}

impl Budget {
    /// Divides `total_bytes`.
    #[must_use]
    pub const fn of(total_bytes: u64) -> Self {
        Self {
            total_bytes,
            write_buffer_bytes: total_bytes / 2,
            block_cache_bytes: total_bytes / 4 * 3,
            prefetch_bytes: total_bytes / 32 * 3,
            batch_bytes: total_bytes / 32,
            producer_queue_bytes: total_bytes / 8,
        }
    }

    /// The smallest budget for an input of `partitions`.
    #[must_use]
    pub const fn least(partitions: u32) -> Self {
        Self::of(2 * FAMILIES * WRITE_BUFFER_MIN * partitions as u64)
    }

    /// Checks that the budget is enough for an input of `partitions`, because one instance may come to own
    /// all of them.
    ///
    /// # Errors
    /// [`BudgetTooSmall`], which says what to do.
    pub fn check(&self, partitions: u32) -> Result<(), BudgetTooSmall> {
        let least = Self::least(partitions);
        if self.write_buffer_bytes >= least.write_buffer_bytes {
            return Ok(());
        }
        Err(BudgetTooSmall { partitions, found_bytes: self.total_bytes, wanted_bytes: least.total_bytes })
    }

    /// The write buffer of one family of one partition.
    fn family_bytes(&self) -> u64 {
        (self.write_buffer_bytes / 8).clamp(WRITE_BUFFER_MIN, WRITE_BUFFER_MAX)
    }
}

/// What all stores of a process share. Clones share too.
#[derive(Clone)]
pub struct StoreMemory {
    inner: Arc<Inner>,
    formats: FormatLevel,
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
        Self { inner: Arc::new(inner), formats: FormatLevel::NEWEST }
    }

    /// The same, for stores that are written with no newer formats than `formats` allows.
    #[must_use]
    pub fn writing(self, formats: FormatLevel) -> Self {
        Self { formats, ..self }
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

    /// Options of a partition's database.
    pub(super) fn database_options(&self) -> Options {
        let mut options = Options::default();
        options.create_if_missing(true);
        options.create_missing_column_families(true);
        options.set_write_buffer_manager(&self.inner.buffers);
        options.set_max_background_jobs(2);
        options.set_bytes_per_sync(1 << 20);
        options.set_wal_bytes_per_sync(1 << 20);
        options.set_max_total_wal_size(LOG_MAX);
        // A log that is missing between others is a hole in the history. A log that is missing at the end is
        // only a lost tail.
        options.set_track_and_verify_wals_in_manifest(true);
        options.set_keep_log_file_num(2);
        options
    }

    /// Options of the family of dedupe ids. RocksDB does not inherit them from the database's.
    ///
    /// Keys are random within a day and never repeat. Nearly every look-up is for a key that isn't there.
    /// Days don't overlap, so compactions leave old days alone.
    pub(super) fn ids_options(&self) -> Options {
        let mut table = self.table_options();
        table.set_block_size(8 << 10);
        table.set_index_type(BlockBasedIndexType::TwoLevelIndexSearch);
        table.set_partition_filters(true);
        table.set_metadata_block_size(4 << 10);
        table.set_pin_top_level_index_and_filter(true);
        let mut options = self.family_options(&table);
        options.set_memtable_whole_key_filtering(true);
        options.set_memtable_prefix_bloom_ratio(0.1);
        // Small enough that a file holds few days, and is dropped as a whole when they expire. A file of a
        // month would be rewritten daily.
        options.set_target_file_size_base(8 << 20);
        // Ids are random and don't compress. Sequence numbers do, once they are zero, which is at the bottom
        // level.
        options.set_compression_type(DBCompressionType::None);
        options.set_bottommost_compression_type(DBCompressionType::Lz4);
        options
    }

    /// Options of the family of everything else.
    pub(super) fn state_options(&self) -> Options {
        let mut table = self.table_options();
        table.set_block_size(8 << 10);
        let mut options = self.family_options(&table);
        options.set_compression_type(DBCompressionType::Lz4);
        options.set_target_file_size_base(64 << 20);
        options
    }

    fn table_options(&self) -> BlockBasedOptions {
        let mut table = BlockBasedOptions::default();
        table.set_block_cache(&self.inner.cache);
        table.set_format_version(6);
        table.set_bloom_filter(10.0, false);
        table.set_whole_key_filtering(true);
        table.set_cache_index_and_filter_blocks(true);
        table.set_pin_l0_filter_and_index_blocks_in_cache(true);
        table.set_optimize_filters_for_memory(true);
        table
    }

    fn family_options(&self, table: &BlockBasedOptions) -> Options {
        let mut options = Options::default();
        options.set_block_based_table_factory(table);
        options.set_write_buffer_size(size(self.inner.budget.family_bytes()));
        options.set_max_write_buffer_number(3);
        // By default RocksDB rewrites files that are a month old. Here old files are dropped as a whole.
        options.set_ttl(0);
        options.set_periodic_compaction_seconds(0);
        options
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

#[cfg(test)]
mod tests {
    use super::*;

    const MIB: u64 = 1 << 20;

    #[test]
    fn a_partition_s_share_of_the_least_budget_queues_the_largest_record() {
        for partitions in [1_u32, 6, 32, 256] {
            let share = Budget::least(partitions).producer_queue_bytes / u64::from(partitions);
            assert!(share >= u64::from(schemas::topic::RECORD_BYTES_MAX), "{partitions} partitions: {share}");
        }
    }

    #[test]
    fn the_shares_are_never_more_than_the_whole() {
        for total in [0, 7, 64 * MIB, 1_024 * MIB, u64::MAX] {
            let budget = Budget::of(total);
            let read = budget.prefetch_bytes + budget.batch_bytes;
            let used = [budget.block_cache_bytes, read, budget.producer_queue_bytes];
            assert!(used.into_iter().sum::<u64>() <= total, "{total}");
            assert!(budget.write_buffer_bytes <= budget.block_cache_bytes || total < 8, "{total}");
        }
        let budget = Budget::of(1_024 * MIB);
        assert_eq!((budget.write_buffer_bytes, budget.block_cache_bytes), (512 * MIB, 768 * MIB));
    }

    #[test]
    fn a_budget_below_eight_mebibytes_per_family_and_partition_is_refused_with_the_mend() {
        assert_eq!(Budget::of(1_024 * MIB).check(32), Ok(()));
        let shortage = Budget::of(1_023 * MIB).check(32).expect_err("too small");
        assert_eq!(shortage.wanted_bytes, 1_024 * MIB);
        assert!(shortage.to_string().contains("AFTERSEND_PROCESSOR_MEMORY to 1024 MiB"), "{shortage}");
        assert_eq!(Budget::least(6).check(6), Ok(()));
        assert!(Budget::least(6).check(7).is_err());
    }
}
