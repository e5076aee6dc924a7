use std::sync::Arc;

use kafka::{Incoming, NextOffset, RecordOffset};
use schemas::codec;
use schemas::id::EventId;
use schemas::record::{CustomerTraits, DeadLetter, MessageOutcome, RawRecord, Record, Suppression};
use schemas::token::TokenKey;
use schemas::topic::Topic;
use tempfile::TempDir;

use crate::apply::{Applied, ApplyContext, DueTimers, Output, Rules, apply};
use crate::domain::customer::Customer;
use crate::domain::time::window::Window;
use crate::state::format;
use crate::state::identity::StoreIdentity;
use crate::state::memory::{Budget, StoreMemory};
use crate::state::meta::{Incarnation, Meta};
use crate::state::store::PartitionStore;

/// 2026-01-01.
pub(super) const NOW_MS: i64 = 1_767_225_600_000;
pub(super) const FIRST: i64 = 100;

/// One partition and everything that its transactions wrote.
pub(super) struct World {
    pub(super) rules: Rules,
    pub(super) partition: i32,
    pub(super) store: PartitionStore,
    pub(super) meta: Meta,
    pub(super) outputs: Vec<Output>,
    _folder: TempDir,
}

impl World {
    pub(super) fn new() -> Self {
        Self::of(0, 1)
    }

    pub(super) fn of(partition: i32, partitions: u32) -> Self {
        let folder = tempfile::tempdir().expect("a folder");
        let shared = StoreMemory::new(&Budget::least(1));
        let (cluster, topic, origin) = (None, "raw".to_owned(), Default::default());
        let identity = StoreIdentity { cluster, topic, partition, partitions, origin };
        let store = PartitionStore::open(&folder.path().join("0"), &identity, &shared).expect("opens");
        let window = Window::new(30).expect("within bounds");
        let rules = Rules { window, privacy: TokenKey::development().into(), partitions };
        let meta = Meta::beginning(Incarnation::new([1; 16]), NextOffset(FIRST));
        Self { rules, partition, store, meta, outputs: Vec::new(), _folder: folder }
    }

    /// One transaction, committed: its outputs are kept, its changes are on disk.
    pub(super) fn commit(&mut self, records: &[Incoming]) -> Applied {
        let applied = self.apply(records);
        self.settle(applied)
    }

    /// What the commit of a applied leaves: its outputs are kept, its changes are on disk.
    pub(super) fn settle(&mut self, mut applied: Applied) -> Applied {
        self.store.apply(&applied.overlay).expect("applies");
        self.meta = *applied.overlay.meta();
        self.outputs.append(&mut applied.outputs);
        applied
    }

    /// One transaction, committed, of what time has brought by `now_ms`.
    pub(super) fn pass_time(&mut self, now_ms: i64) -> Applied {
        self.commit_at(now_ms, &[])
    }

    /// One transaction, committed, of `records` and of what time has brought by `now_ms`.
    pub(super) fn commit_at(&mut self, now_ms: i64, records: &[Incoming]) -> Applied {
        let timers = self.store.timers(0, now_ms, 1_000).expect("reads");
        let due = DueTimers { now_ms, timers };
        let applied = apply(self.before(), &due, records).expect("applies");
        self.settle(applied)
    }

    pub(super) fn before(&self) -> ApplyContext<'_> {
        let Self { rules, partition, store, meta, .. } = self;
        ApplyContext { rules, partition: *partition, store, meta }
    }

    /// One transaction that comes to nothing.
    pub(super) fn apply(&self, records: &[Incoming]) -> Applied {
        apply(self.before(), &DueTimers::default(), records).expect("applies")
    }

    pub(super) fn customer(&self, key: &str) -> Option<Customer<'static>> {
        let bytes = self.store.customer(key.as_bytes()).expect("reads")?;
        Some(format::decode(bytes.leak()).expect("decodes"))
    }

    pub(super) fn written<R: Record>(&self, topic: Topic) -> Vec<R> {
        written(&self.outputs, topic)
    }

    pub(super) fn outcomes(&self) -> Vec<MessageOutcome<'static>> {
        self.written(Topic::Warehouse)
    }

    pub(super) fn dead_letters(&self) -> Vec<DeadLetter> {
        self.written(Topic::DeadLetter)
    }

    pub(super) fn traits(&self) -> Vec<CustomerTraits> {
        self.written(Topic::Trait)
    }

    pub(super) fn suppressions(&self) -> Vec<Suppression> {
        self.written(Topic::Suppression)
    }
}

pub(super) fn written<R: Record>(outputs: &[Output], topic: Topic) -> Vec<R> {
    let of_topic = outputs.iter().filter(|output| output.topic == topic);
    of_topic
        .map(|output| codec::decode(output.value.as_deref().expect("a value")).expect("decodes"))
        .collect()
}

/// The `nth` record of the partition, with this key and value.
pub(super) fn incoming(nth: i64, key: Option<&str>, value: Option<Vec<u8>>) -> Incoming {
    Incoming {
        topic: Arc::from("raw"),
        partition: 0,
        offset: RecordOffset(FIRST + nth),
        timestamp_ms: NOW_MS + nth,
        key: key.map(|key| key.as_bytes().to_vec()),
        value,
        headers: Vec::new(),
    }
}

pub(super) fn encoded(raw: &RawRecord) -> Vec<u8> {
    codec::encode(raw).expect("encodes")
}

/// An e-mail event of a customer, `seconds` after the beginning.
pub(super) fn event(event_id: &str, metric: &str, seconds: i64) -> RawRecord {
    let timestamp = NOW_MS / 1_000 + seconds;
    let json = format!(
        r#"{{"event_id":"{event_id}","object_type":"email","metric":"{metric}","timestamp":{timestamp},
            "data":{{"delivery_id":"d-{event_id}","recipient":"ada@example.com"}}}}"#
    );
    raw(event_id, json.into_bytes())
}

pub(super) fn raw(event_id: &str, bytes: Vec<u8>) -> RawRecord {
    let id = EventId::of("default", Some(event_id), &bytes);
    RawRecord {
        kind: "webhook".to_owned(),
        id: id.dedupe.0.to_vec(),
        event_id: id.text,
        source: "default".to_owned(),
        received_at: NOW_MS,
        bytes,
        ..RawRecord::default()
    }
}

/// The `nth` record: a copy of another one.
pub(super) fn copy(nth: i64, of: &Incoming) -> Incoming {
    Incoming { offset: RecordOffset(FIRST + nth), ..of.clone() }
}

/// The `nth` record: `event_id` of customer `key`.
pub(super) fn record(nth: i64, key: &str, event_id: &str, metric: &str) -> Incoming {
    incoming(nth, Some(key), Some(encoded(&event(event_id, metric, nth))))
}
