//! How RocksDB is set up, and the memory that all stores of a process share.

use std::path::PathBuf;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError, TryLockError, Weak};

use rocksdb::{
    BlockBasedIndexType, BlockBasedOptions, Cache, DB, DBCompressionType, FlushOptions, Options,
    WriteBufferManager,
};
use thiserror::Error;

/// The least that each family of each partition needs to write into, in bytes: with less, files are too small, and each
/// record is rewritten too often by compactions.
const WRITE_BUFFER_MIN: u64 = 8 << 20;
/// The most that a family writes into before it is flushed, in bytes: a restart after a kill reads it from the log again.
const WRITE_BUFFER_MAX: u64 = 32 << 20;
/// Families of a partition.
const FAMILIES: u64 = 2;
/// The log of a partition at most, in bytes: a family that is seldom flushed is, when it keeps old logs, and a restart reads no more
/// than that.
const LOG_MAX: u64 = 32 << 20;

/// What the processor may use of the machine's memory, shared out. All in bytes.
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
    /// What is written and not yet in a file.
    pub write_buffer_bytes: u64,
    /// Blocks, indexes, filters, and the write buffers.
    pub block_cache_bytes: u64,
    /// Records read ahead, of the input and of changelogs being restored.
    pub prefetch_bytes: u64,
    /// Records being worked off, of all workers. What is made of them until it is committed (the customers met, changes, outputs) takes
    /// several times as much, and is beyond the whole.
    pub batch_bytes: u64,
    /// Records queued in producers.
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
pub struct Shortage {
    /// Partitions of the input.
    pub partitions: u32,
    /// The whole budget.
    pub found_bytes: u64,
    /// The least that would do.
    pub wanted_bytes: u64,
}

impl Budget {
    /// Shares `total_bytes` out.
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

    /// The least that does for an input of `partitions`.
    #[must_use]
    pub const fn least(partitions: u32) -> Self {
        Self::of(2 * FAMILIES * WRITE_BUFFER_MIN * partitions as u64)
    }

    /// Whether it does for an input of `partitions`, all of which one instance may come to own.
    ///
    /// # Errors
    /// [`Shortage`], with the mend.
    pub fn check(&self, partitions: u32) -> Result<(), Shortage> {
        let least = Self::least(partitions);
        if self.write_buffer_bytes >= least.write_buffer_bytes {
            return Ok(());
        }
        Err(Shortage { partitions, found_bytes: self.total_bytes, wanted_bytes: least.total_bytes })
    }

    /// What one family of one partition writes into before it is flushed.
    fn family_bytes(&self) -> u64 {
        (self.write_buffer_bytes / 8).clamp(WRITE_BUFFER_MIN, WRITE_BUFFER_MAX)
    }
}

/// What all stores of a process share. Clones share too.
#[derive(Clone)]
pub struct Shared {
    inner: Arc<Inner>,
}

struct Inner {
    cache: Cache,
    buffers: WriteBufferManager,
    budget: Budget,
    open: Mutex<Vec<Weak<DB>>>,
}

/// A family's part of what is written and not yet in a file.
struct Buffer {
    db: Arc<DB>,
    family: &'static str,
    bytes: u64,
}

impl Shared {
    /// One cache and one write-buffer budget for every partition.
    #[must_use]
    pub fn new(budget: &Budget) -> Self {
        let cache = Cache::new_lru_cache(size(budget.block_cache_bytes));
        // RocksDB could stall writers by itself. It would for ever where idle stores hold the memory.
        let stall = false;
        let buffers = WriteBufferManager::new_write_buffer_manager_with_cache(
            size(budget.write_buffer_bytes),
            stall,
            cache.clone(),
        );
        Self { inner: Arc::new(Inner { cache, buffers, budget: *budget, open: Mutex::default() }) }
    }

    /// Bytes written and not yet in files, of all stores.
    #[must_use]
    pub fn write_buffer_bytes(&self) -> u64 {
        self.inner.buffers.get_usage() as u64
    }

    /// Counts `db` in, from when it is opened until it is dropped.
    pub(super) fn register(&self, db: &Arc<DB>) {
        let mut open = self.open();
        open.retain(|db| db.strong_count() > 0);
        open.push(Arc::downgrade(db));
    }

    /// Keeps what is written below its budget. Called after each write.
    ///
    /// RocksDB would flush the store that happens to write, though idle ones hold the memory: a busy store among idle ones
    /// would flush a file per write. So the fullest buffer of all goes, in the background; and where the disk doesn't
    /// keep up, the writer waits for it.
    ///
    /// # Errors
    /// Where RocksDB can't flush: the folder of the store that failed, which need not be the one that was written to.
    pub(super) fn relieve(&self, families: [&'static str; 2]) -> Result<(), (PathBuf, rocksdb::Error)> {
        let limit = self.inner.budget.write_buffer_bytes;
        let used = self.write_buffer_bytes();
        if used < limit / 8 * 5 {
            return Ok(());
        }
        let open = match self.inner.open.try_lock() {
            Ok(open) => open,
            Err(TryLockError::Poisoned(poisoned)) => poisoned.into_inner(),
            // Somebody else is at it. Only at the limit is that waited for.
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
        // From here on this store alone is kept open: another may be given up meanwhile, and opened again.
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
        // A log that is missing from between others would be a hole in the history; one missing from the end is a tail.
        options.set_track_and_verify_wals_in_manifest(true);
        options.set_keep_log_file_num(2);
        options
    }

    /// Options of the family of dedupe ids. RocksDB does not inherit them from the database's.
    ///
    /// Keys are random within a day and never repeat, nearly every look-up is for one that isn't there, and days don't
    /// overlap, so that compactions leave old days alone.
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
        // Small enough that a file holds few days, and goes whole when they have: one of a month would be rewritten each day.
        options.set_target_file_size_base(8 << 20);
        // Ids are random. What is there to compress are sequence numbers, once they are zero: at the bottom.
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
        // By default RocksDB rewrites what is a month old; what is old here goes whole.
        options.set_ttl(0);
        options.set_periodic_compaction_seconds(0);
        options
    }
}

impl std::fmt::Debug for Shared {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Shared").field("cache_bytes", &self.inner.cache.get_usage()).finish_non_exhaustive()
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
