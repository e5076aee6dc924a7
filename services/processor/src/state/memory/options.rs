//! RocksDB's options.

use std::thread::available_parallelism;

use rocksdb::{BlockBasedIndexType, BlockBasedOptions, DBCompressionType, Options};

use super::{StoreMemory, size};

/// The largest write-ahead log of a partition, in bytes. A family that is seldom flushed is flushed when it
/// keeps old logs, and a restart reads no more than this.
const LOG_MAX: u64 = 32 << 20;
/// RocksDB's own diagnostic log, `LOG`: how large it grows, in bytes, and how many are kept of each
/// partition. It is written all day long, and without a bound it grows until the next restart.
const DIAGNOSTIC_LOG_MAX: usize = 4 << 20;
const DIAGNOSTIC_LOGS_KEPT: usize = 2;
/// The size of a file of ids, in bytes: 1.6 million ids. A partition with as many ids a day has files of one
/// day, and they are dropped as a whole when the day expires. Where a file holds several days, what is left
/// of it is rewritten once for each of them, which is at most one file a day.
const IDS_FILE_BYTES: u64 = 32 << 20;
/// Flushes and compactions at the same time, of all stores of the process.
const JOBS_MIN: usize = 2;
const JOBS_MAX: usize = 8;

impl StoreMemory {
    /// Options of a partition's database.
    pub(in crate::state) fn database_options(&self) -> Options {
        let mut options = Options::default();
        options.create_if_missing(true);
        options.create_missing_column_families(true);
        options.set_write_buffer_manager(&self.inner.buffers);
        options.set_max_background_jobs(background_jobs());
        options.set_max_open_files(self.open_files_max);
        options.set_bytes_per_sync(1 << 20);
        options.set_wal_bytes_per_sync(1 << 20);
        options.set_max_total_wal_size(LOG_MAX);
        // A log that is missing between others is a hole in the history. A log that is missing at the end is
        // only a lost tail.
        options.set_track_and_verify_wals_in_manifest(true);
        options.set_max_log_file_size(DIAGNOSTIC_LOG_MAX);
        options.set_keep_log_file_num(DIAGNOSTIC_LOGS_KEPT);
        options
    }

    /// Options of the family of dedupe ids. RocksDB does not inherit them from the database's.
    ///
    /// Keys are random within a day and never repeat. Nearly every look-up is for a key that isn't there.
    /// Days don't overlap, so compactions leave old days alone.
    pub(in crate::state) fn ids_options(&self) -> Options {
        let mut table = self.table_options();
        table.set_block_size(8 << 10);
        table.set_index_type(BlockBasedIndexType::TwoLevelIndexSearch);
        table.set_partition_filters(true);
        table.set_metadata_block_size(4 << 10);
        table.set_pin_top_level_index_and_filter(true);
        let mut options = self.family_options(&table);
        options.set_memtable_whole_key_filtering(true);
        options.set_memtable_prefix_bloom_ratio(0.1);
        options.set_target_file_size_base(IDS_FILE_BYTES);
        // Ids are random and don't compress. Sequence numbers do, once they are zero, which is at the bottom
        // level.
        options.set_compression_type(DBCompressionType::None);
        options.set_bottommost_compression_type(DBCompressionType::Lz4);
        options
    }

    /// Options of the family of everything else.
    pub(in crate::state) fn state_options(&self) -> Options {
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

/// One job for each core. All stores of a process share RocksDB's threads.
pub(in crate::state) fn background_jobs() -> i32 {
    let cores = available_parallelism().map_or(JOBS_MIN, usize::from);
    i32::try_from(cores.clamp(JOBS_MIN, JOBS_MAX)).unwrap_or(i32::MAX)
}
