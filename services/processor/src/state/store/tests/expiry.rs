use std::collections::{BTreeMap, BTreeSet};

use proptest::prelude::*;
use rocksdb::IteratorMode;

use super::*;

fn count(store: &PartitionStore) -> usize {
    store.db.iterator_cf(store.family(IDS), IteratorMode::Start).count()
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(24))]

    /// P1: expiry takes what the window no longer asks for, and nothing else. What is kept is counted key by
    /// key.
    #[test]
    fn expiry_forgets_what_the_window_says_and_nothing_else(
        days in proptest::collection::btree_set(TODAY - 60..TODAY + 60, 0..40),
        late in proptest::collection::btree_map(0u32..50, TODAY - 60..=TODAY, 0..40),
        now in TODAY - 10..TODAY + 80,
        flushed in any::<bool>(),
    ) {
        let (fixture, window) = (Fixture::new(), window());
        let store = fixture.open();
        let mut batch = store.batch();
        for day in &days {
            batch.put_run(&Run { bucket: *day, appended: 0, ids: vec![id(1).into(), id(u32::from(*day)).into()] });
        }
        for (number, appended) in &late {
            batch.put_run(&Run { bucket: LATE, appended: *appended, ids: vec![id(*number).into()] });
        }
        batch.write().expect("writes");
        if flushed {
            store.db.flush_cf(store.family(IDS)).expect("flushes");
        }
        while !store.expire(window, now).expect("expires") {}

        let kept: BTreeSet<Day> = days.into_iter().filter(|day| now <= day + WINDOW_DAYS + 8).collect();
        let kept_late: BTreeMap<u32, Day> = late.into_iter().filter(|(_, at)| now <= at + WINDOW_DAYS).collect();
        prop_assert_eq!(count(&store), kept.len() * 2 + kept_late.len());
        for day in kept {
            prop_assert!(store.has(day, id(1)).expect("reads") && store.has(day, id(u32::from(day))).expect("reads"));
        }
        for (number, appended) in kept_late {
            prop_assert_eq!(store.late(id(number)).expect("reads").map(|(appended, _)| appended), Some(appended));
        }
    }
}

/// Between two transactions there are milliseconds: one call does a little, and the next goes on.
#[test]
fn expiry_does_a_bounded_part_and_goes_on_where_it_stood() {
    let (fixture, window) = (Fixture::new(), window());
    let store = fixture.open();
    let late: u32 = 45_000;
    let mut batch = store.batch();
    for day in TODAY..TODAY + 20 {
        batch.put_run(&Run { bucket: day, appended: 0, ids: vec![id(1).into()] });
    }
    let ids = (0..late).map(|number| id(number).into()).collect();
    batch.put_run(&Run { bucket: LATE, appended: TODAY, ids });
    batch.write().expect("writes");

    let (now, all) = (TODAY + 90, 20 + late as usize);
    let mut before = all;
    let mut calls = 0;
    loop {
        let done = store.expire(window, now).expect("expires");
        let left = count(&store);
        assert!(before - left <= 10_000, "{} at once", before - left);
        (before, calls) = (left, calls + 1);
        if done {
            break;
        }
    }
    assert_eq!(before, 0);
    assert!(calls > 9, "{calls}");
    assert!(store.expire(window, now).expect("expires"), "the day's work is done");
}

/// Where there are more late ids than a day's calls look at, those at the end have their turn too.
#[test]
fn expiry_of_late_ids_goes_on_the_next_day_where_it_stood() {
    let (fixture, window) = (Fixture::new(), window());
    let store = fixture.open();
    let put = |appended, ids: Vec<SeenId>| {
        let mut batch = store.batch();
        batch.put_run(&Run { bucket: LATE, appended, ids });
        batch.write().expect("writes");
    };
    let last = DedupeId([0xff; 16]);
    put(TODAY, vec![last.into()]);
    put(TODAY + 40, (0..20_000u128).map(|id| DedupeId(id.to_be_bytes()).into()).collect());
    for day in TODAY + 40..TODAY + 43 {
        // One call about whole days, one about late ids.
        for _ in 0..2 {
            store.expire(window, day).expect("expires");
        }
    }
    assert_eq!(store.late(last).expect("reads"), None);
    assert_eq!(count(&store), 20_000);
}

/// What is old goes as whole files. A compaction would have rewritten them, and what lies beside them.
#[test]
fn expiry_takes_whole_files_and_rewrites_none() {
    let (fixture, window) = (Fixture::new(), window());
    let store = fixture.open();
    let (old, new) = (TODAY, TODAY + 60);
    for day in [old, old + 1, new] {
        let mut bulk = Bulk::new(&store);
        bulk.put_run(&Run {
            bucket: day,
            appended: 0,
            ids: (0..40_000).map(|number| id(number).into()).collect(),
        });
        bulk.write().expect("writes");
    }
    let files = || -> BTreeSet<String> {
        store.db.live_files().expect("lists").into_iter().map(|file| file.name).collect()
    };
    let before = files();
    assert_eq!(before.len(), 3);
    while !store.expire(window, new).expect("expires") {}
    let after = files();
    assert_eq!(after.len(), 1);
    assert!(after.is_subset(&before), "nothing was written");
    assert!(store.has(new, id(7)).expect("reads") && !store.has(old, id(7)).expect("reads"));
}
