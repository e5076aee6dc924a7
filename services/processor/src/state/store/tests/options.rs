//! What RocksDB really runs with, as it has written it down itself, and the memory that it takes.

use std::collections::BTreeMap;

use super::*;
use crate::state::memory::FileBudget;

/// RocksDB does not inherit options from the database: each family must have been given them.
#[test]
fn every_family_has_the_options_and_there_is_none_besides() {
    let fixture = Fixture::new();
    drop(fixture.open());
    let options = newest_options(&fixture.path());
    let families: Vec<&String> = options.keys().filter(|section| section.starts_with("CFOptions")).collect();
    assert_eq!(families, [r#"CFOptions "default""#, r#"CFOptions "ids""#]);
    let database = &options["DBOptions"];
    assert_eq!(database["max_background_jobs"], crate::state::memory::background_jobs().to_string());
    assert_eq!(database["max_log_file_size"], "4194304");
    assert_eq!(database["keep_log_file_num"], "2");
    assert_eq!(database["max_open_files"], "-1");
    assert_eq!(database["max_total_wal_size"], "33554432");
    assert_eq!(database["bytes_per_sync"], "1048576");
    assert_eq!(database["wal_recovery_mode"], "kPointInTimeRecovery");
    assert_eq!(database["track_and_verify_wals_in_manifest"], "true");
    for (family, compression, bottommost, file_size) in [
        (STATE, "kLZ4Compression", "kDisableCompressionOption", "67108864"),
        (IDS, "kNoCompression", "kLZ4Compression", "33554432"),
    ] {
        let section = |kind: &str| &options[&format!("{kind} \"{family}\"")];
        let (column, table) = (section("CFOptions"), section("TableOptions/BlockBasedTable"));
        assert_eq!(column["compaction_style"], "kCompactionStyleLevel", "{family}");
        assert_eq!(column["write_buffer_size"], "8388608", "{family}");
        assert_eq!(column["max_write_buffer_number"], "3", "{family}");
        assert_eq!(column["compression"], compression, "{family}");
        assert_eq!(column["bottommost_compression"], bottommost, "{family}");
        assert_eq!(column["target_file_size_base"], file_size, "{family}");
        assert_eq!(column["ttl"], "0", "{family}");
        assert_eq!(column["periodic_compaction_seconds"], "0", "{family}");
        assert_eq!(table["block_size"], "8192", "{family}");
        assert_eq!(table["format_version"], "6", "{family}");
        assert_eq!(table["filter_policy"], "bloomfilter", "{family}");
        assert_eq!(table["whole_key_filtering"], "true", "{family}");
        assert_eq!(table["cache_index_and_filter_blocks"], "true", "{family}");
        assert_eq!(table["pin_l0_filter_and_index_blocks_in_cache"], "true", "{family}");
        assert_eq!(table["optimize_filters_for_memory"], "true", "{family}");
    }
    let ids = &options[&format!("TableOptions/BlockBasedTable \"{IDS}\"")];
    assert_eq!(ids["partition_filters"], "true");
    assert_eq!(ids["index_type"], "kTwoLevelIndexSearch");
    assert_eq!(ids["metadata_block_size"], "4096");
    assert_eq!(options[&format!("CFOptions \"{IDS}\"")]["memtable_whole_key_filtering"], "true");
}

/// However many partitions come, their tables stay within the process's open files.
#[test]
fn a_store_opens_no_more_tables_than_its_share_of_the_process_s_files() {
    let mut fixture = Fixture::new();
    let files = FileBudget::of(1_024, 12).expect("enough");
    fixture.shared = fixture.shared.clone().opening(files);
    drop(fixture.open());
    let options = newest_options(&fixture.path());
    assert_eq!(options["DBOptions"]["max_open_files"], files.tables_per_store().to_string());
}

/// The options file leaves the filters' size out.
#[test]
fn filters_have_ten_bits_for_each_id() {
    let fixture = Fixture::new();
    let store = fixture.open();
    let ids = 40_000;
    let mut bulk = Bulk::new(&store);
    bulk.put_run(&Run {
        bucket: TODAY,
        appended: 0,
        ids: (0..ids).map(|number| id(number).into()).collect(),
    });
    bulk.write().expect("writes");
    let properties = store.db.property_value_cf(store.family(IDS), "rocksdb.aggregated-table-properties");
    let properties = properties.expect("reads").expect("known");
    let bytes = properties.split(';').find_map(|pair| pair.trim().strip_prefix("filter block size="));
    let bytes: u32 = bytes.expect("told").parse().expect("a number");
    assert!((9 * ids..12 * ids).contains(&(8 * bytes)), "{bytes} bytes for {ids}");
}

/// One budget for all: though many partitions write as fast as they can, and however long others have been
/// idle.
#[test]
fn what_many_partitions_write_stays_within_the_budget() {
    const STORES: i32 = 8;
    let folder = tempfile::tempdir().expect("a folder");
    let budget = Budget::least(8);
    let shared = StoreMemory::new(&budget);
    let open = |partition: i32| {
        let path = folder.path().join(partition.to_string());
        PartitionStore::open(&path, &StoreIdentity { partition, ..identity() }, &shared).expect("opens")
    };
    let stores: Vec<PartitionStore> = (0..STORES).map(open).collect();
    let mut peak = 0;
    let mut write = |store: &PartitionStore, from: u32, to: u32| {
        for number in from..to {
            let mut batch = store.batch();
            batch.put_customer(&id(number).0, Some(&[7; 16 << 10]));
            batch.write().expect("writes");
            peak = peak.max(shared.write_buffer_bytes());
        }
    };
    // Each a little, again and again: twice the budget.
    for round in 0..64 {
        stores.iter().for_each(|store| write(store, round * 32, round * 32 + 32));
    }
    // Then only one, while the others hold what they have.
    write(&stores[0], 10_000, 18_000);
    assert!(peak <= budget.write_buffer_bytes, "{peak} of {}", budget.write_buffer_bytes);
    let files = stores[0].db.live_files().expect("lists").len();
    assert!(files < 40, "{files} files: the busy one was flushed again and again for the idle ones' memory");
}

/// The sections of the newest file in which RocksDB has written down what it runs with.
fn newest_options(folder: &Path) -> BTreeMap<String, BTreeMap<String, String>> {
    let entries = fs::read_dir(folder).expect("lists").map(|entry| entry.expect("lists").path());
    let is_options =
        |path: &PathBuf| path.file_name().is_some_and(|name| name.to_string_lossy().starts_with("OPTIONS-"));
    let newest = entries.filter(is_options).max().expect("an options file");
    let mut sections: BTreeMap<String, BTreeMap<String, String>> = BTreeMap::new();
    let mut section = String::new();
    for line in fs::read_to_string(newest).expect("reads").lines().map(str::trim) {
        if let Some(name) = line.strip_prefix('[').and_then(|line| line.strip_suffix(']')) {
            name.clone_into(&mut section);
        } else if let Some((key, value)) = line.split_once('=') {
            sections.entry(section.clone()).or_default().insert(key.to_owned(), value.to_owned());
        }
    }
    sections
}
