//! How RocksDB is set up, and the memory that all stores of a process share.

use rocksdb::{BlockBasedOptions, Cache, DBCompressionType, Options, WriteBufferManager};

/// Memory that all partitions of a process share, in bytes.
#[derive(Debug, Clone, Copy)]
pub struct Budget {
    /// Blocks, indexes and filters.
    pub block_cache_bytes: u64,
    /// Memtables, which count into the cache.
    pub write_buffer_bytes: u64,
    /// Records fetched ahead, of all workers.
    pub prefetch_bytes: u64,
    /// Records on their way out, of all workers.
    pub producer_bytes: u64,
}

impl Budget {
    /// The shares of `total_bytes`.
    #[must_use]
    pub fn of(total_bytes: u64) -> Self {
        Self {
            block_cache_bytes: total_bytes / 4 * 3,
            write_buffer_bytes: total_bytes / 2,
            prefetch_bytes: total_bytes / 8,
            producer_bytes: total_bytes / 8,
        }
    }
}

/// What all stores of a process share.
pub struct Shared {
    cache: Cache,
    buffers: WriteBufferManager,
}

impl Shared {
    /// One cache and one write-buffer budget for every partition.
    #[must_use]
    pub fn new(budget: &Budget) -> Self {
        let size = |bytes: u64| usize::try_from(bytes).unwrap_or(usize::MAX);
        let cache = Cache::new_lru_cache(size(budget.block_cache_bytes));
        let stall = false;
        let buffers = WriteBufferManager::new_write_buffer_manager_with_cache(
            size(budget.write_buffer_bytes),
            stall,
            cache.clone(),
        );
        Self { cache, buffers }
    }

    /// Options of a partition's database.
    pub(super) fn database_options(&self) -> Options {
        let mut options = Options::default();
        options.create_if_missing(true);
        options.create_missing_column_families(true);
        options.set_write_buffer_manager(&self.buffers);
        options.set_max_background_jobs(2);
        options.set_bytes_per_sync(1 << 20);
        options.set_max_total_wal_size(128 << 20);
        options.set_keep_log_file_num(2);
        options
    }

    /// Options of every family: RocksDB does not inherit them from the database's.
    pub(super) fn family_options(&self) -> Options {
        let mut table = BlockBasedOptions::default();
        table.set_block_cache(&self.cache);
        table.set_block_size(8 << 10);
        table.set_format_version(6);
        table.set_bloom_filter(10.0, false);
        table.set_cache_index_and_filter_blocks(true);
        table.set_pin_l0_filter_and_index_blocks_in_cache(true);
        table.set_optimize_filters_for_memory(true);
        let mut options = Options::default();
        options.set_block_based_table_factory(&table);
        options.set_write_buffer_size(32 << 20);
        options.set_max_write_buffer_number(3);
        options.set_target_file_size_base(64 << 20);
        options.set_compression_type(DBCompressionType::Lz4);
        options
    }
}

impl std::fmt::Debug for Shared {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Shared").field("cache_bytes", &self.cache.get_usage()).finish_non_exhaustive()
    }
}
