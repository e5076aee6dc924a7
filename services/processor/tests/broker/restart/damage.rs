//! Disks that are damaged, half filled, or were away for too long: told, and made whole from the changelogs.

use std::fs;
use std::path::PathBuf;
use std::time::{SystemTime, UNIX_EPOCH};

use kafka::NextOffset;
use processor::state::changelog::{StateKey, decode_meta};
use processor::state::meta::{ChangelogPositions, Restoring};
use schemas::topic::Topic;

use crate::bench::view::partitions;
use crate::bench::{Bench, customer, partition, wipe};

impl Bench {
    fn files(&self, disk: &str, partition: i32, is: impl Fn(&str) -> bool) -> Vec<PathBuf> {
        let entries = fs::read_dir(self.folder(disk, partition)).expect("lists");
        let files = entries.map(|entry| entry.expect("lists").path());
        files.filter(|path| is(&path.file_name().expect("a name").to_string_lossy())).collect()
    }

    fn garble(&self, disk: &str, partition: i32, is: impl Fn(&str) -> bool) {
        for path in self.files(disk, partition, is) {
            let len = fs::metadata(&path).expect("a file").len();
            fs::write(path, vec![0x5a; usize::try_from(len).expect("small")]).expect("writes");
        }
    }
}

/// C11: each partition's store is damaged in another way. All are wiped and filled again, it is said of each,
/// and nothing is lost or doubled.
#[test]
fn c11_damaged_stores_are_wiped_and_restored() {
    let bench = Bench::used("damaged.");
    bench.garble("disk", 0, |name| name.starts_with("MANIFEST"));
    for path in bench.files("disk", 1, |name| name == "CURRENT") {
        fs::remove_file(path).expect("removes");
    }
    bench.garble("disk", 2, |name| name == "CURRENT");
    bench.kill_when("disk", || {
        let log = bench.log();
        partitions()
            .all(|partition| log.contains(&format!("changelogs partition={partition} cause=\"damaged\"")))
    });
    bench.still_starts();
    // The wiped ones are sound now.
    for partition in partitions() {
        assert!(bench.store("disk", partition).meta().expect("reads").is_some());
    }
}

/// C12: killed when the customers were restored and the ids were not. Their meta already says what the group
/// says.
#[test]
fn c12_an_interrupted_restore_is_gone_on_with_before_anything_is_processed() {
    let bench = Bench::used("interrupted.");
    wipe(&bench.disk("disk"));
    let records = bench.records(Topic::State);
    for partition in partitions() {
        let store = bench.store("disk", partition);
        let since = SystemTime::now().duration_since(UNIX_EPOCH).expect("after 1970").as_millis();
        let mut restoring = Restoring::since(i64::try_from(since).expect("small"));
        let mut batch = store.batch();
        let mut next = NextOffset(0);
        for record in records.iter().filter(|record| record.partition == partition) {
            match StateKey::parse(record.key.as_deref().expect("a key")).expect("ours") {
                StateKey::Customer(key) => batch.put_customer(key, record.value.as_deref()),
                _ => restoring.meta = record.value.as_deref().map(|value| decode_meta(value).expect("reads")),
            }
            next = record.offset.next();
        }
        batch.put_progress(&ChangelogPositions::new(next, NextOffset(0)));
        batch.put_restoring(&restoring);
        batch.write().expect("writes");
    }
    bench.still_starts();
}

/// R3: a disk that was away for longer than tombstones are kept reads the customers again: one who was
/// deleted meanwhile, and of whom the changelog knows nothing any more, does not come back.
#[test]
fn a_disk_that_was_away_for_too_long_forgets_customers_who_are_gone() {
    let bench = Bench::new("away.");
    bench.delete(Topic::State);
    bench.create_with(Topic::State, &[("delete.retention.ms", "0")]);
    for (disk, numbers) in [("here", 0..200), ("there", 200..400)] {
        let processor = bench.start(disk).ready();
        bench.publish_events(numbers);
        bench.worked_off();
        processor.stopped();
    }
    for partition in partitions() {
        let store = bench.store("here", partition);
        let mut batch = store.batch();
        batch.put_customer(b"gone", Some(b"whatever"));
        batch.write().expect("writes");
    }
    let processor = bench.start("here").ready();
    bench.publish_events((0..400).step_by(3).chain(400..450));
    bench.worked_off();
    processor.stopped();
    bench.assert_each_once(0..450);
    for partition_number in partitions() {
        let store = bench.store("here", partition_number);
        assert_eq!(store.customer(b"gone").expect("reads"), None);
        let known = (0..40).map(customer).filter(|key| partition(key) == partition_number);
        assert!(known.into_iter().all(|key| store.customer(key.as_bytes()).expect("reads").is_some()));
    }
}
