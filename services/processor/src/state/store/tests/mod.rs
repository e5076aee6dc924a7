//! Against a real RocksDB in a folder of its own.

mod bulk;
mod damage;
mod expiry;
mod options;

use std::collections::BTreeMap;
use std::fs;
use std::path::{Path, PathBuf};

use kafka::{NextOffset, TopicId};
use proptest::prelude::*;
use tempfile::TempDir;

use super::*;
use crate::domain::customer::Customer;
use crate::domain::time::window::{DAY_MS, Seen, Sighting, Window};
use crate::state::changelog::{Chunk, Run, SeenId};
use crate::state::format::{self, FormatLevel};
use crate::state::identity::{Log, Origin};
use crate::state::memory::Budget;
use crate::state::meta::Incarnation;

const TODAY: Day = 20_000;
const WINDOW_DAYS: Day = 30;

struct Fixture {
    shared: StoreMemory,
    folder: TempDir,
}

impl Fixture {
    fn new() -> Self {
        let shared = StoreMemory::new(&Budget::least(1));
        Self { shared, folder: tempfile::tempdir().expect("a folder") }
    }

    fn path(&self) -> PathBuf {
        self.folder.path().join("0")
    }

    fn open_as(&self, identity: &StoreIdentity) -> Result<PartitionStore, StoreError> {
        PartitionStore::open(&self.path(), identity, &self.shared)
    }

    fn open(&self) -> PartitionStore {
        self.open_as(&identity()).expect("opens")
    }
}

fn identity() -> StoreIdentity {
    let id = |id| Some(TopicId([id; 16]));
    let origin = Origin::new(id(1), id(2), id(3));
    StoreIdentity {
        cluster: Some("c1".to_owned()),
        topic: "raw".to_owned(),
        partition: 0,
        partitions: 3,
        origin,
    }
}

fn window() -> Window {
    Window::new(WINDOW_DAYS).expect("within bounds")
}

fn id(number: u32) -> DedupeId {
    DedupeId::of(&[&number.to_be_bytes()])
}

fn content(number: u8) -> ContentHash {
    ContentHash::from_bytes([number, number])
}

/// Of an event that says 7.
fn sighting(number: u32, day: Option<Day>, now: Day) -> Sighting {
    Sighting { id: id(number), content: content(7), day, now }
}

fn meta(seq: u64) -> Meta {
    let begun = Meta::beginning(Incarnation::new([7; 16]), NextOffset(40));
    (0..seq)
        .fold(begun, |meta, _| meta.followed_by(NextOffset(meta.src_next().0 + 1), i64::from(TODAY) * DAY_MS))
}

/// A transaction with one customer, one id of today and one that came too late for a day's bucket.
fn transaction(seq: u64, revision: i64) -> Overlay {
    let mut overlay = Overlay::new(meta(seq - 1));
    overlay.put_customer(b"u1", &Customer { revision, ..Customer::default() });
    let of = |number, day| sighting(number, Some(day), TODAY);
    overlay.remember(window(), &of(1, TODAY));
    overlay.remember(window(), &of(2, TODAY - 20));
    overlay.finish(meta(seq));
    overlay
}

fn customer(store: &PartitionStore) -> Option<Customer<'static>> {
    let bytes = store.customer(b"u1").expect("reads")?;
    Some(format::decode(bytes.leak()).expect("decodes"))
}

/// P3: what was applied is there when the process comes back.
#[test]
fn a_transaction_is_read_back_after_the_store_is_opened_again() {
    let fixture = Fixture::new();
    let store = fixture.open();
    assert_eq!((store.meta().expect("reads"), customer(&store)), (None, None));
    assert_eq!(store.progress().expect("reads"), None);
    store.apply(&transaction(1, 5)).expect("applies");
    store.note_progress(&ChangelogPositions::new(NextOffset(8), NextOffset(9))).expect("notes");
    drop(store);

    let store = fixture.open();
    assert_eq!(store.meta().expect("reads"), Some(meta(1)));
    assert_eq!(customer(&store).map(|customer| customer.revision), Some(5));
    assert_eq!(store.progress().expect("reads"), Some(ChangelogPositions::new(NextOffset(8), NextOffset(9))));
    assert!(store.has(TODAY, id(1)).expect("reads") && !store.has(TODAY - 1, id(1)).expect("reads"));
    assert_eq!(store.late(id(2)).expect("reads"), Some((TODAY, content(7))));
    assert_eq!(store.late(id(1)).expect("reads"), None);
    assert!(!store.has(TODAY - 20, id(2)).expect("reads"));
}

/// C8: a crash within T6 leaves the whole batch or nothing. The log that a crash would have left is cut at
/// every length.
#[test]
fn c8_a_torn_write_leaves_the_transaction_before_it_whole() {
    let fixture = Fixture::new();
    let store = fixture.open();
    store.apply(&transaction(1, 1)).expect("applies");
    let before = log_length(&fixture.path());
    store.apply(&transaction(2, 2)).expect("applies");
    let after = log_length(&fixture.path());
    drop(store);
    assert!(after > before);

    for length in (before..after).step_by(7).chain([after]) {
        let torn = tempfile::tempdir().expect("a folder");
        copy_folder(&fixture.path(), torn.path());
        cut(&log_file(torn.path()), length);
        let store = PartitionStore::open(torn.path(), &identity(), &fixture.shared).expect("opens");
        let seq = if length == after { 2 } else { 1 };
        assert_eq!(store.meta().expect("reads"), Some(meta(seq)), "cut at {length} of {after}");
        assert_eq!(
            customer(&store).map(|customer| customer.revision),
            Some(i64::try_from(seq).expect("small"))
        );
    }
}

#[test]
fn a_folder_of_somebody_else_is_refused_and_not_touched() {
    let fixture = Fixture::new();
    fixture.open().apply(&transaction(1, 5)).expect("applies");
    let mut others = [identity(), identity(), identity(), identity()];
    others[0].partitions = 4;
    others[1].partition = 1;
    others[2].topic = "other".to_owned();
    others[3].cluster = Some("c2".to_owned());
    for other in others {
        let refused = fixture.open_as(&other);
        assert!(matches!(refused, Err(StoreError::Foreign { .. })), "{other:?}");
    }
    let anew = Origin::new(Some(TopicId([1; 16])), Some(TopicId([9; 16])), None);
    let refused = fixture.open_as(&StoreIdentity { origin: anew, ..identity() });
    assert!(
        matches!(&refused, Err(StoreError::Recreated { log: Log::State, meta: Some(found), .. }) if **found == meta(1)),
        "{refused:?}"
    );
    // A broker that tells no ids contradicts nothing, and makes nothing forgotten.
    let unknown = StoreIdentity { cluster: None, origin: Origin::default(), ..identity() };
    let store = fixture.open_as(&unknown).expect("opens");
    assert_eq!(store.meta().expect("reads"), Some(meta(1)));
    drop(store);
    assert!(fixture.open_as(&StoreIdentity { origin: anew, ..identity() }).is_err());
}

/// P1: what the transaction in the making has learnt counts as well as what is on disk.
#[test]
fn an_id_is_known_from_the_overlay_and_from_the_disk() {
    let (fixture, window) = (Fixture::new(), window());
    let store = fixture.open();
    let mut old = Overlay::new(meta(0));
    old.remember(window, &sighting(3, None, TODAY - WINDOW_DAYS - 1));
    old.finish(meta(1));
    store.apply(&old).expect("applies");

    let (late, other) = (sighting(3, None, TODAY), sighting(4, Some(TODAY), TODAY));
    let on_disk = || store.seen(window, &[late, other]).expect("reads");
    let mut overlay = Overlay::new(meta(1));
    assert_eq!(on_disk(), [Seen::Never; 2], "forgotten by the window, though still on disk");
    assert_eq!(overlay.seen(window, &late), Seen::Never);
    overlay.remember(window, &late);
    assert_eq!((overlay.seen(window, &late), overlay.seen(window, &other)), (Seen::AsCopy, Seen::Never));
    assert_eq!(on_disk(), [Seen::Never; 2], "the disk still holds the older day");
    overlay.finish(meta(2));
    store.apply(&overlay).expect("applies");
    assert_eq!(on_disk(), [Seen::AsCopy, Seen::Never]);
}

/// P1: an id that comes again with other content is no copy, in whichever bucket it is and after a restore.
#[test]
fn an_id_that_comes_again_with_other_content_is_no_copy() {
    let (fixture, window) = (Fixture::new(), window());
    let store = fixture.open();
    let mut overlay = Overlay::new(meta(0));
    let asked =
        [sighting(1, Some(TODAY), TODAY), sighting(2, Some(TODAY - 20), TODAY), sighting(3, None, TODAY)];
    let others = asked.map(|sighting| Sighting { content: content(8), ..sighting });
    asked.iter().for_each(|sighting| overlay.remember(window, sighting));
    let answers =
        |of: &dyn Fn(&Sighting) -> Seen| [asked, others].map(|asked| asked.map(|sighting| of(&sighting)));
    let expected = [[Seen::AsCopy; 3], [Seen::AsAnother; 3]];
    assert_eq!(answers(&|sighting| overlay.seen(window, sighting)), expected);
    overlay.finish(meta(1));
    store.apply(&overlay).expect("applies");
    let on_disk =
        |store: &PartitionStore| answers(&|sighting| store.seen(window, &[*sighting]).expect("reads")[0]);
    assert_eq!(on_disk(&store), expected);

    let other = Fixture::new();
    let restored = other.open();
    let mut bulk = Bulk::new(&restored);
    let chunk = Chunk::decode(&overlay.chunk().encode(FormatLevel::NEWEST)).expect("reads");
    for run in &chunk.runs {
        bulk.put_run(run);
    }
    bulk.write().expect("writes");
    assert_eq!(on_disk(&restored), expected);
}

/// Ids that an earlier version stored, with nothing in a day's value and with the day alone in a late one.
#[test]
fn an_id_without_content_is_known_and_anything_passes_for_its_copy() {
    let fixture = Fixture::new();
    let store = fixture.open();
    let mut batch = store.batch();
    batch.writes.put_cf(store.family(IDS), key::id(TODAY, id(1)), []);
    batch.writes.put_cf(store.family(IDS), key::id(LATE, id(2)), TODAY.to_be_bytes());
    batch.write().expect("writes");
    let asked = [sighting(1, Some(TODAY), TODAY), sighting(2, None, TODAY)];
    assert_eq!(store.seen(window(), &asked).expect("reads"), [Seen::AsCopy; 2]);
    while !store.expire(window(), TODAY + 1).expect("expires") {}
    assert_eq!(
        store.seen(window(), &asked).expect("reads"),
        [Seen::AsCopy; 2],
        "its day is read by the expiry, too"
    );
    while !store.expire(window(), TODAY + WINDOW_DAYS + 1).expect("expires") {}
    assert_eq!(store.late(id(2)).expect("reads"), None);
}

proptest! {
    /// P1: many ids asked at once are answered as each alone would be.
    #[test]
    fn a_batch_of_ids_is_answered_id_by_id(
        stored in proptest::collection::vec((0u32..12, proptest::option::of(TODAY - 3..TODAY + 3), 1u8..4), 0..12),
        asked in proptest::collection::vec((0u32..12, proptest::option::of(TODAY - 3..TODAY + 3), 1u8..4), 0..24),
    ) {
        let (fixture, window) = (Fixture::new(), window());
        let store = fixture.open();
        let of = |(number, day, says): &(u32, Option<Day>, u8)| {
            Sighting { content: content(*says), ..sighting(*number, *day, TODAY) }
        };
        let mut overlay = Overlay::new(meta(0));
        stored.iter().for_each(|given| overlay.remember(window, &of(given)));
        overlay.finish(meta(1));
        store.apply(&overlay).expect("applies");
        let asked: Vec<Sighting> = asked.iter().map(of).collect();
        let alone: Vec<Seen> = asked.iter().map(|sighting| overlay.seen(window, sighting)).collect();
        prop_assert_eq!(store.seen(window, &asked).expect("reads"), alone);
    }

    #[test]
    fn a_batch_of_customers_is_read_key_by_key(
        stored in proptest::collection::btree_set("[a-c]{0,2}", 0..6),
        asked in proptest::collection::btree_set("[a-c]{0,2}", 0..8),
    ) {
        let store = Fixture::new().open();
        let mut overlay = Overlay::new(meta(0));
        for (revision, key) in (1..).zip(&stored) {
            overlay.put_customer(key.as_bytes(), &Customer { revision, ..Customer::default() });
        }
        overlay.finish(meta(1));
        store.apply(&overlay).expect("applies");
        let mut read = BTreeMap::new();
        let keys = asked.iter().rev().map(String::as_bytes);
        store.customers(keys, |key, value| drop(read.insert(key.to_vec(), value.map(<[u8]>::to_vec)))).expect("reads");
        let alone = asked.iter().map(|key| (key.clone().into_bytes(), store.customer(key.as_bytes()).expect("reads")));
        prop_assert_eq!(read, alone.collect());
    }
}

/// A replay from any lower bound changes nothing: what changelogs hold is absolute.
#[test]
fn c6_a_changelog_record_may_be_applied_again() {
    let fixture = Fixture::new();
    let store = fixture.open();
    let transaction = transaction(1, 5);
    for _ in 0..2 {
        let mut batch = store.batch();
        transaction.customers().for_each(|(key, value)| batch.put_customer(key, Some(value)));
        transaction.chunk().runs.iter().for_each(|run| batch.put_run(run));
        batch.put_meta(transaction.meta());
        batch.write().expect("writes");
        assert_eq!(store.meta().expect("reads"), Some(meta(1)));
        assert_eq!(customer(&store).map(|customer| customer.revision), Some(5));
        assert!(
            store.has(TODAY, id(1)).expect("reads")
                && store.late(id(2)).expect("reads") == Some((TODAY, content(7)))
        );
    }
}

fn log_file(folder: &Path) -> PathBuf {
    let entries = fs::read_dir(folder).expect("lists").map(|entry| entry.expect("lists").path());
    entries.filter(|path| path.extension().is_some_and(|extension| extension == "log")).max().expect("a log")
}

fn log_length(folder: &Path) -> u64 {
    fs::metadata(log_file(folder)).expect("a log").len()
}

fn cut(file: &Path, length: u64) {
    let file = fs::OpenOptions::new().write(true).open(file).expect("opens");
    file.set_len(length).expect("cuts");
}

fn copy_folder(from: &Path, to: &Path) {
    for entry in fs::read_dir(from).expect("lists") {
        let path = entry.expect("lists").path();
        let name = path.file_name().expect("a name");
        fs::copy(&path, to.join(name)).expect("copies");
    }
}
