//! C8, C9: one partition's disk, whose process is killed with SIGKILL in the middle of writes, flushes and
//! compactions, again and again. Needs no Kafka.

use std::io::{BufRead, BufReader, Write};
use std::path::{Path, PathBuf};
use std::process::{Child, Command, Stdio};

use kafka::NextOffset;
use processor::state::changelog::Run;
use processor::state::identity::{Origin, StoreIdentity};
use processor::state::memory::{Budget, StoreMemory};
use processor::state::meta::ChangelogPositions;
use processor::state::store::PartitionStore;
use schemas::id::DedupeId;

const FOLDER: &str = "DISK_CHILD_FOLDER";
const KILLS: i64 = 8;
/// So little that some 30 batches are a file, and four files a compaction.
const BUDGET: Budget = Budget::of(4 << 20);
const DAY: u16 = 20_000;
const CUSTOMERS: i64 = 200;
/// What each batch sets, of all of them.
const STEP: usize = 7;
const IDS: i64 = 20;

/// C8, C9: what is on disk is the first so many batches, each whole in both families, and none is missing
/// that was written.
#[test]
fn c8_c9_a_killed_disk_holds_the_first_batches_and_each_of_them_whole() {
    let folder = tempfile::tempdir().expect("a folder");
    let path = folder.path().join("0");
    let (mut held, mut compactions) = (0, 0);
    for kill in 0..KILLS {
        let written = killed_after(&path, held + 150 + 37 * kill);
        let log = std::fs::read_to_string(path.join("LOG")).expect("RocksDB's own log");
        compactions += log.matches("compaction_finished").count();
        let store = open(&path);
        held = reached(&store);
        assert!((written..=written + 1).contains(&held), "{held} are there, and {written} were told of");
        assert_holds_exactly(&store, held);
    }
    assert!(compactions > 0, "no kill could meet a compaction");
}

/// Kills a writer once it has told that it wrote batch `enough`; answers the last one that it told of.
fn killed_after(path: &Path, enough: i64) -> i64 {
    let mut writer: Child = Command::new(std::env::current_exe().expect("this binary"))
        .args(["--exact", "the_writer_of_a_parent_test", "--nocapture"])
        .env(FOLDER, path)
        .stdout(Stdio::piped())
        .spawn()
        .expect("starts");
    let lines = BufReader::new(writer.stdout.take().expect("piped")).lines();
    let mut written = 0;
    // The test harness says something too. What was told before the kill is read to its end.
    for number in lines.map_while(Result::ok).filter_map(|line| line.parse().ok()) {
        written = number;
        if number == enough {
            writer.kill().expect("kills");
        }
    }
    assert!(writer.wait().expect("ends").code().is_none(), "a signal ends it");
    written
}

/// Nothing by itself: what [`killed_after`] runs. It ends where nobody listens.
#[test]
fn the_writer_of_a_parent_test() {
    let Ok(path) = std::env::var(FOLDER) else { return };
    let store = open(&PathBuf::from(path));
    let mut out = std::io::stdout();
    for number in reached(&store) + 1.. {
        let mut batch = store.batch();
        for customer in touched(number) {
            batch.put_customer(customer.to_string().as_bytes(), Some(&value(number)));
        }
        batch.put_run(&Run { bucket: DAY, appended: 0, ids: ids(number).map(Into::into).collect() });
        batch.put_progress(&ChangelogPositions::new(NextOffset(number), NextOffset(0)));
        batch.write().expect("writes");
        writeln!(out, "{number}").expect("somebody listens");
    }
}

fn assert_holds_exactly(store: &PartitionStore, held: i64) {
    for number in 1..=held + 1 {
        for id in ids(number) {
            assert_eq!(
                store.has(DAY, id).expect("reads"),
                number <= held,
                "an id of batch {number} of {held}"
            );
        }
    }
    for customer in 0..CUSTOMERS {
        let last = (1..=held).rev().find(|number| touched(*number).any(|touched| touched == customer));
        let found = store.customer(customer.to_string().as_bytes()).expect("reads");
        assert_eq!(found, last.map(value), "customer {customer} after {held} batches");
    }
}

fn open(path: &Path) -> PartitionStore {
    let (cluster, topic, origin) = (None, "raw".to_owned(), Origin::default());
    let identity = StoreIdentity { cluster, topic, partition: 0, partitions: 1, origin };
    PartitionStore::open(path, &identity, &StoreMemory::new(&BUDGET)).expect("opens")
}

/// The last batch that the disk has.
fn reached(store: &PartitionStore) -> i64 {
    store.progress().expect("reads").unwrap_or_default().state_next().0
}

fn touched(number: i64) -> impl Iterator<Item = i64> {
    (number % 5..CUSTOMERS).step_by(STEP)
}

fn value(number: i64) -> Vec<u8> {
    number.to_be_bytes().repeat(128)
}

fn ids(number: i64) -> impl Iterator<Item = DedupeId> {
    (0..IDS).map(move |nth| DedupeId::of(&[&number.to_be_bytes(), &nth.to_be_bytes()]))
}
