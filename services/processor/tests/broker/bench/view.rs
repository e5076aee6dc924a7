//! What everybody else sees: committed records only, and the group's positions. Shares no code with the
//! processor's restore but the reader of logs.

use std::collections::BTreeMap;
use std::time::Duration;

use kafka::transaction::{Committed, Tail, TailError};
use kafka::{Incoming, NextOffset};
use schemas::codec;
use schemas::record::{CustomerTraits, DeadLetter, MessageOutcome, Record};
use schemas::topic::Topic;

use crate::bench::{Bench, PARTITIONS, customer, event_id, partition, until};

/// How long a transaction may stay undecided whose producer was killed.
const UNDECIDED_MAX: Duration = Duration::from_mins(1);

impl Bench {
    pub(crate) fn tail(&self) -> Tail {
        Tail::new(&self.connection, &self.group()).expect("a reader")
    }

    /// Every committed record of `topic`, in partition order.
    pub(crate) fn records(&self, topic: Topic) -> Vec<Incoming> {
        let (tail, name) = (self.tail(), self.topics.name(topic));
        let mut records = Vec::new();
        for partition in partitions() {
            let (low, high) = tail.extent(name, partition).expect("an extent");
            tail.await_decided(name, partition, high, UNDECIDED_MAX, &|| false).expect("decided");
            let read = tail.replay::<TailError>(name, partition, low, &|| false, |record| {
                records.push(record);
                Ok(())
            });
            read.expect("reads");
        }
        records
    }

    pub(crate) fn outcomes(&self) -> Vec<MessageOutcome<'static>> {
        self.records(Topic::Warehouse).iter().map(decoded).collect()
    }

    pub(crate) fn dead_letters(&self) -> Vec<DeadLetter> {
        self.records(Topic::DeadLetter).iter().map(decoded).collect()
    }

    /// The latest traits of each customer.
    pub(crate) fn traits(&self) -> BTreeMap<String, CustomerTraits> {
        let all = self.records(Topic::Trait).into_iter().map(|record| decoded::<CustomerTraits>(&record));
        all.map(|traits| (traits.customer_id.clone(), traits)).collect()
    }

    pub(crate) fn committed(&self, partition: i32) -> Committed {
        let committed = self.tail().committed(self.topics.name(Topic::Raw), partition, UNDECIDED_MAX);
        committed.expect("a position")
    }

    /// The number of the partition's last transaction, out of the text beside its position.
    pub(crate) fn seq(&self, partition: i32) -> u64 {
        let metadata = self.committed(partition).metadata;
        metadata.split(':').nth(2).and_then(|seq| seq.parse().ok()).expect("format:incarnation:seq:attempt")
    }

    /// Waits until the group stands at the end of raw.
    pub(crate) fn worked_off(&self) {
        let tail = self.tail();
        until("raw is worked off", || self.is_worked_off(&tail));
    }

    /// Whether the group stands at the end of raw.
    pub(crate) fn is_worked_off(&self, tail: &Tail) -> bool {
        let raw = self.topics.name(Topic::Raw);
        partitions().all(|partition| {
            // A broker that has just come back may not answer yet.
            let end = tail.extent(raw, partition).ok().map(|(_, end)| end);
            let stands =
                || tail.committed(raw, partition, Duration::from_secs(1)).ok().and_then(|at| at.next);
            end.is_some_and(|end| end == NextOffset(0) || stands() == Some(end))
        })
    }

    /// P1: each event of `numbers` took effect exactly once, counted three ways; and lies where its input
    /// lay.
    pub(crate) fn assert_each_once(&self, numbers: impl Iterator<Item = u32> + Clone) {
        let mut expected: Vec<String> = numbers.clone().map(event_id).collect();
        let records = self.records(Topic::Warehouse);
        let mut found: Vec<String> = records
            .iter()
            .map(|record| decoded::<MessageOutcome<'_>>(record).event_id.into_owned())
            .collect();
        expected.sort_unstable();
        found.sort_unstable();
        assert_eq!(found, expected, "the warehouse topic");

        let mut complaints: BTreeMap<String, i64> = BTreeMap::new();
        numbers.for_each(|number| *complaints.entry(customer(number)).or_default() += 1);
        let traits = self.traits().into_iter();
        let counted: BTreeMap<String, i64> =
            traits.map(|(key, traits)| (key, traits.complaint_count.unwrap_or_default())).collect();
        assert_eq!(counted, complaints, "the traits");

        for record in records.iter().chain(&self.records(Topic::Trait)) {
            let key = std::str::from_utf8(record.key.as_deref().expect("a key")).expect("text");
            assert_eq!(record.partition, partition(key), "the partition of {key}");
        }
    }
}

pub(crate) fn partitions() -> std::ops::Range<i32> {
    0..i32::try_from(PARTITIONS).expect("small")
}

pub(crate) fn decoded<R: Record>(record: &Incoming) -> R {
    codec::decode(record.value.as_deref().expect("a value")).expect("decodes")
}
