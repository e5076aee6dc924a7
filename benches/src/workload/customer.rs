//! Customers as the processor stores them, for changelogs that are written before it starts.

use std::sync::Arc;

use anyhow::Context;
use kafka::{Incoming, NextOffset, RecordOffset};
use processor::apply::{ApplyContext, DueTimers, Rules, apply};
use processor::domain::time::window::Window;
use processor::state::identity::{Origin, StoreIdentity};
use processor::state::memory::{Budget, StoreMemory};
use processor::state::meta::{Incarnation, Meta};
use processor::state::store::PartitionStore;
use schemas::token::TokenKey;

use super::{Journal, now_ms};

/// Events of which the customers are made.
const EVENTS: usize = 20_000;

/// Stored customers.
pub(crate) struct Customers {
    values: Vec<Vec<u8>>,
}

impl Customers {
    /// What the processor's own code makes of the first events of `journal`.
    pub(crate) fn of(journal: &Journal) -> anyhow::Result<Self> {
        let folder = tempfile::tempdir()?;
        let identity = StoreIdentity {
            cluster: None,
            topic: "raw".to_owned(),
            partition: 0,
            partitions: 1,
            origin: Origin::default(),
        };
        let memory = StoreMemory::new(&Budget::least(1));
        let store = PartitionStore::open(&folder.path().join("0"), &identity, &memory)?;
        let window = Window::new(30).context("a window of 30 days is within bounds")?;
        let rules = Rules { window, privacy: TokenKey::development().into(), partitions: 1 };
        let meta = Meta::beginning(Incarnation::new([1; 16]), NextOffset(0));
        let records = records(journal)?;
        let context = ApplyContext { rules: &rules, partition: 0, store: &store, meta: &meta };
        let applied = apply(context, &DueTimers::default(), &records)?;
        let values: Vec<Vec<u8>> = applied.overlay.customers().map(|(_, value)| value.to_vec()).collect();
        anyhow::ensure!(!values.is_empty(), "the events make no customer");
        Ok(Self { values })
    }

    /// The stored bytes of one of them.
    pub(crate) fn value(&self, number: u64) -> &[u8] {
        let count = self.values.len() as u64;
        usize::try_from(number % count).ok().and_then(|at| self.values.get(at)).map_or(&[], Vec::as_slice)
    }
}

fn records(journal: &Journal) -> anyhow::Result<Vec<Incoming>> {
    let (topic, timestamp_ms) = (Arc::<str>::from("raw"), now_ms());
    let record = |(offset, event): (i64, std::io::Result<super::Event>)| {
        let event = event?;
        Ok(Incoming {
            topic: Arc::clone(&topic),
            partition: 0,
            offset: RecordOffset(offset),
            timestamp_ms,
            key: Some(event.key),
            value: Some(event.value),
            headers: Vec::new(),
        })
    };
    (0..).zip(journal.read()?.take(EVENTS)).map(record).collect()
}
