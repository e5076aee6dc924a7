use proptest::prelude::*;
use rocksdb::IteratorMode;

use super::*;

proptest! {
    #![proptest_config(ProptestConfig::with_cases(8))]

    /// P1: ids that go in as files are found like those that go in one by one, whichever way they came first.
    #[test]
    fn ids_in_bulk_are_the_same_as_ids_one_by_one(
        runs in proptest::collection::vec((TODAY - 3..TODAY + 3, 0u32..50_000, any::<bool>()), 1..6),
        len in prop_oneof![Just(10u32), Just(40_000)],
    ) {
        let (one, other) = (Fixture::new(), Fixture::new());
        let (bulky, plain) = (one.open(), other.open());
        for (day, from, late) in runs {
            let (bucket, appended) = if late { (LATE, day) } else { (day, 0) };
            let run = Run { bucket, appended, ids: (from..from + len).map(|number| id(number).into()).collect() };
            let mut bulk = Bulk::new(&bulky);
            bulk.put_run(&run);
            bulk.put_run(&run);
            bulk.write().expect("writes");
            let mut batch = plain.batch();
            batch.put_run(&run);
            batch.write().expect("writes");
        }
        let all = |store: &PartitionStore| -> Vec<_> {
            store.db.iterator_cf(store.family(IDS), IteratorMode::Start).map(|entry| entry.expect("reads")).collect()
        };
        prop_assert_eq!(all(&bulky), all(&plain));
    }
}

/// A late id that was appended again counts from then on, though both came in one bulk.
#[test]
fn the_later_append_of_a_late_id_wins_in_a_bulk() {
    let fixture = Fixture::new();
    let store = fixture.open();
    let mut bulk = Bulk::new(&store);
    for appended in [TODAY, TODAY + 40] {
        bulk.put_run(&Run { bucket: LATE, appended, ids: vec![id(1).into()] });
    }
    bulk.write().expect("writes");
    assert_eq!(store.late(id(1)).expect("reads"), Some((TODAY + 40, ContentHash::UNKNOWN)));
}

/// C12: what a bulk has written is there after a kill, with no log to read it from.
#[test]
fn c12_a_bulk_is_on_disk_before_its_position_is() {
    let fixture = Fixture::new();
    let store = fixture.open();
    let mut bulk = Bulk::new(&store);
    bulk.put_run(&Run {
        bucket: TODAY,
        appended: 0,
        ids: (0..40_000).map(|number| id(number).into()).collect(),
    });
    bulk.write().expect("writes");
    let copy = tempfile::tempdir().expect("a folder");
    copy_folder(&fixture.path(), copy.path());
    cut(&log_file(copy.path()), 0);
    let copied = PartitionStore::open(copy.path(), &identity(), &fixture.shared).expect("opens");
    assert!(copied.has(TODAY, id(39_999)).expect("reads"));
}

/// C12: killed when a file was taken over and still had its name of before: that name is no file to write
/// into.
#[test]
fn c12_a_bulk_leaves_alone_what_a_killed_one_left_under_its_name() {
    let fixture = Fixture::new();
    let store = fixture.open();
    let write = |from: u32| {
        let mut bulk = Bulk::new(&store);
        let ids = (from..from + 40_000).map(|number| id(number).into()).collect();
        bulk.put_run(&Run { bucket: TODAY, appended: 0, ids });
        bulk.write().expect("writes");
    };
    write(0);
    let taken_over = store.db.live_files().expect("lists").remove(0).name;
    let taken_over = fixture.path().join(taken_over.trim_start_matches('/'));
    let before = fs::read(&taken_over).expect("reads");
    fs::hard_link(&taken_over, fixture.path().join("restored.ids")).expect("links");
    write(100_000);
    assert_eq!(fs::read(&taken_over).expect("reads"), before);
}
