//! C11, C13: damaged files are told from everything else, and a wipe leaves nothing half.

use super::*;
use crate::state::store::folder::condemn;

/// A store of several files: two tables, a manifest, a log.
fn used() -> Fixture {
    let fixture = Fixture::new();
    let store = fixture.open();
    let mut bulk = Bulk::new(&store);
    bulk.put_run(&Run {
        bucket: TODAY,
        appended: 0,
        ids: (0..40_000).map(|number| id(number).into()).collect(),
    });
    bulk.write().expect("writes");
    store.apply(&transaction(1, 5)).expect("applies");
    store.db.flush_cf(store.family(STATE)).expect("flushes");
    store.apply(&transaction(2, 6)).expect("applies");
    drop(store);
    fixture
}

fn file(folder: &Path, is: impl Fn(&str) -> bool) -> PathBuf {
    let entries = fs::read_dir(folder).expect("lists").map(|entry| entry.expect("lists").path());
    let mut found = entries.filter(|path| is(&path.file_name().expect("a name").to_string_lossy()));
    found.next().expect("a file")
}

fn garbled(path: &Path) {
    let len = fs::metadata(path).expect("a file").len();
    let noise: Vec<u8> = (0..len).map(|at| u8::try_from(at % 251).expect("small") ^ 0x5a).collect();
    fs::write(path, noise).expect("writes");
}

fn is_table(name: &str) -> bool {
    Path::new(name).extension().is_some_and(|extension| extension == "sst")
}

#[test]
fn c11_damaged_and_missing_files_are_told_as_damage() {
    let is_manifest = |name: &str| name.starts_with("MANIFEST");
    let is_current = |name: &str| name == "CURRENT";
    let kinds: [&dyn Fn(&str) -> bool; 3] = [&is_manifest, &is_current, &is_table];
    for (number, is) in kinds.into_iter().enumerate() {
        for missing in [false, true] {
            let fixture = used();
            let path = file(&fixture.path(), is);
            if missing {
                fs::remove_file(&path).expect("removes");
            } else {
                garbled(&path);
            }
            let error = fixture.open_as(&identity()).expect_err("damage");
            assert!(error.is_corruption(), "{number} missing={missing}: {error:?}");
        }
    }
}

/// A log is only the tail: what it can't give is read again from the changelogs, behind the position that is
/// left.
#[test]
fn c11_a_garbled_log_costs_its_transactions_and_nothing_else() {
    let fixture = used();
    garbled(&log_file(&fixture.path()));
    match fixture.open_as(&identity()) {
        Ok(store) => {
            assert_eq!(store.meta().expect("reads"), Some(meta(1)));
            assert_eq!(customer(&store).map(|customer| customer.revision), Some(5));
            assert!(store.has(TODAY, id(1)).expect("reads"));
        }
        Err(error) => assert!(error.is_corruption(), "{error:?}"),
    }
}

/// Damage inside a table shows only where it is read. The next to open the store hears of it.
#[test]
fn c11_damage_met_while_reading_is_remembered() {
    let fixture = used();
    let table = file(&fixture.path(), |name| {
        is_table(name) && { fs::metadata(fixture.path().join(name)).expect("a file").len() > 100_000 }
    });
    let mut bytes = fs::read(&table).expect("reads");
    bytes[..64 << 10].fill(0x5a);
    fs::write(&table, bytes).expect("writes");
    let store = fixture.open();
    let met = (0..40_000).find_map(|number| store.has(TODAY, id(number)).err()).expect("damage");
    assert!(met.is_corruption(), "{met:?}");
    drop(store);
    let error = fixture.open_as(&identity()).expect_err("damage");
    assert!(error.is_corruption(), "{error:?}");
    wipe(&fixture.path()).expect("wipes");
    assert_eq!(fixture.open().meta().expect("reads"), None);
}

/// A second process, or a second owner in this one, is no reason to wipe anything.
#[test]
fn a_store_that_is_open_elsewhere_is_refused_and_is_no_damage() {
    let fixture = used();
    let held = fixture.open();
    let error = fixture.open_as(&identity()).expect_err("in use");
    assert!(!error.is_corruption() && error.is_held(), "{error:?}");
    drop(held);
    assert_eq!(fixture.open().meta().expect("reads"), Some(meta(2)));
}

/// P3: the memory is everybody's, so a write can meet the damage of a store that it isn't about: that one
/// alone is condemned.
#[test]
fn a_store_whose_flush_fails_is_condemned_and_not_the_one_that_was_written_to() {
    let (one, other) = (Fixture::new(), tempfile::tempdir().expect("a folder"));
    let (damaged, sound) = (one.open(), other.path().join("1"));
    let identity = StoreIdentity { partition: 1, ..identity() };
    let writing = PartitionStore::open(&sound, &identity, &one.shared).expect("opens");
    let write = |store: &PartitionStore, number: u32| {
        let mut batch = store.batch();
        batch.put_customer(&number.to_be_bytes(), Some(&[0; 64 << 10]));
        batch.write()
    };
    // Not yet so much that anything is flushed.
    let half = Budget::least(1).write_buffer_bytes / 2;
    (0..).take_while(|_| one.shared.write_buffer_bytes() < half).for_each(|number| {
        write(&damaged, number).expect("writes");
    });
    fs::remove_dir_all(one.path()).expect("removes");
    let failure = (0..10_000).find_map(|number| write(&writing, number).err()).expect("somebody is flushed");
    assert!(
        failure.is_corruption() && failure.to_string().contains(&one.path().display().to_string()),
        "{failure}"
    );
    drop((damaged, writing));
    assert!(one.open_as(&self::identity()).expect_err("condemned").is_corruption());
    PartitionStore::open(&sound, &identity, &one.shared).expect("sound");
}

#[test]
fn c13_a_wipe_leaves_nothing_to_open_wherever_it_is_interrupted() {
    let fixture = used();
    condemn(&fixture.path());
    let trash = fixture.folder.path().join(".trash-0123456789abcdef-0");
    // Right after the renaming: the mark is still there.
    fs::rename(fixture.path(), &trash).expect("renames");
    assert!(fixture.open_as(&identity()).expect_err("marked").is_corruption());
    wipe(&fixture.path()).expect("wipes");
    // What was renamed and not removed is never opened again, and goes with the next restore of that
    // partition.
    let others = fixture.folder.path().join(".trash-0123456789abcdef-10");
    fs::create_dir(&others).expect("makes");
    sweep(fixture.folder.path(), 0);
    assert!(!trash.exists() && others.exists());
    let store = fixture.open();
    assert_eq!((store.meta().expect("reads"), customer(&store)), (None, None));
    drop(store);
    wipe(&fixture.path()).expect("wipes");
    wipe(&fixture.path()).expect("a folder that is not there is wiped");
    let left: Vec<_> = fs::read_dir(fixture.folder.path()).expect("lists").collect();
    assert_eq!(left.len(), 1, "the other partition's: {left:?}");
}
