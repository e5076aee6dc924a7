//! A topic, read from outside: only committed records, up to the end of the log.

use std::collections::BTreeMap;
use std::time::Duration;

use kafka::transaction::{Tail, TailError};
use kafka::{Connection, Incoming, NextOffset, RecordOffset};
use schemas::codec;
use schemas::record::Record;

use crate::wait::{PATIENCE, await_that, await_until};

/// How long a transaction may stay undecided. Longer than the transaction timeout of a killed producer.
const UNDECIDED_MAX: Duration = Duration::from_secs(90);

/// A topic to look at.
#[derive(Clone, Debug)]
pub struct Topic {
    connection: Connection,
    name: String,
    partitions: u32,
}

impl Topic {
    /// The topic `name` with this many partitions.
    #[must_use]
    pub fn new(connection: Connection, name: &str, partitions: u32) -> Topic {
        Topic { connection, name: name.to_owned(), partitions }
    }

    /// How many partitions it has.
    #[must_use]
    pub fn partitions(&self) -> u32 {
        self.partitions
    }

    /// Every committed record in partition order, once every transaction is decided.
    ///
    /// # Panics
    /// If Kafka fails, or a transaction stays undecided.
    #[must_use]
    pub fn records(&self) -> Vec<Incoming> {
        let tail = self.tail("aftersend-tests");
        let mut records = Vec::new();
        for partition in self.all_partitions() {
            let (low, high) = self.extent(&tail, partition);
            let decided = tail.await_decided(&self.name, partition, high, UNDECIDED_MAX, &|| false);
            decided.expect("every transaction ends");
            let read = tail.replay(&self.name, partition, low, &|| false, |record| {
                records.push(record);
                Ok::<(), TailError>(())
            });
            read.expect("Kafka hands out its records");
        }
        records
    }

    /// Every committed record, decoded.
    ///
    /// # Panics
    /// As [`Topic::records`], and where a record has no value or another schema.
    #[must_use]
    pub fn decoded<R: Record>(&self) -> Vec<R> {
        self.records().iter().map(decoded).collect()
    }

    /// The content of a compacted topic: the last committed record of each key. Keys with a tombstone are
    /// left out.
    ///
    /// # Panics
    /// If a key isn't text, or a value is of another schema.
    #[must_use]
    pub fn latest<R: Record>(&self) -> BTreeMap<String, Option<R>> {
        let value = |record: &Incoming| record.value.is_some().then(|| decoded(record));
        self.records().iter().map(|record| (key(record), value(record))).collect()
    }

    /// How many records lie between the beginning and the end, on a topic without transactions.
    ///
    /// # Panics
    /// If Kafka fails.
    #[must_use]
    pub fn length(&self) -> u64 {
        let tail = self.tail("aftersend-tests");
        let extents = self.all_partitions().map(|partition| self.extent(&tail, partition));
        let lengths = extents.map(|(low, high)| high.0 - low.0);
        u64::try_from(lengths.sum::<i64>()).expect("a log doesn't end before its beginning")
    }

    /// Where each partition's log ends, undecided records and markers included.
    ///
    /// # Panics
    /// If Kafka fails.
    #[must_use]
    pub fn ends(&self) -> Vec<NextOffset> {
        let tail = self.tail("aftersend-tests");
        self.all_partitions().map(|partition| self.extent(&tail, partition).1).collect()
    }

    /// Whether a transaction is open on it now: records are in the log, and not decided.
    ///
    /// # Panics
    /// If Kafka fails.
    #[must_use]
    pub fn has_open_transaction(&self) -> bool {
        let tail = self.tail("aftersend-tests");
        self.all_partitions().any(|partition| {
            let (_, high) = self.extent(&tail, partition);
            let stable_end = || tail.stable_end(&self.name, partition).ok();
            await_until("Kafka to tell a log's stable end", PATIENCE, stable_end) < high
        })
    }

    /// What `group` has committed, by partition; `None` if nothing.
    ///
    /// # Panics
    /// If Kafka fails.
    #[must_use]
    pub fn committed(&self, group: &str) -> Vec<Option<NextOffset>> {
        let tail = self.tail(group);
        let committed = |partition| tail.committed(&self.name, partition, UNDECIDED_MAX);
        self.all_partitions()
            .map(|partition| committed(partition).expect("Kafka tells offsets").next)
            .collect()
    }

    /// Waits until `group` has committed everything that is on the topic now. Transaction markers do not
    /// count: no reader sees them.
    ///
    /// # Panics
    /// If Kafka fails, or the group doesn't get there.
    pub fn await_worked_off(&self, group: &str) {
        let last: BTreeMap<i32, RecordOffset> =
            self.records().iter().map(|record| (record.partition, record.offset)).collect();
        await_that(&format!("{group} to work {} off", self.name), || {
            let committed = self.committed(group);
            last.iter().all(|(partition, last)| {
                let place = usize::try_from(*partition).expect("a partition is no negative number");
                committed[place].is_some_and(|next| next.is_past(*last))
            })
        });
    }

    /// Where a partition's log begins and ends. A failure is retried: the leader of the partition may just
    /// have changed, and the former leader refuses to answer.
    fn extent(&self, tail: &Tail, partition: i32) -> (NextOffset, NextOffset) {
        let extent = || tail.extent(&self.name, partition).ok();
        await_until("Kafka to tell a log's extent", PATIENCE, extent)
    }

    fn tail(&self, group: &str) -> Tail {
        Tail::new(&self.connection, group).expect("a reader can be made")
    }

    fn all_partitions(&self) -> impl Iterator<Item = i32> + use<> {
        0..i32::try_from(self.partitions).expect("a partition count is small")
    }
}

/// A record's key.
///
/// # Panics
/// If it has none, or one that isn't text.
#[must_use]
pub fn key(record: &Incoming) -> String {
    String::from_utf8(record.key.clone().expect("a key")).expect("a key is text")
}

/// A record's value.
///
/// # Panics
/// If it has none, or one of another schema.
#[must_use]
pub fn decoded<R: Record>(record: &Incoming) -> R {
    codec::decode(record.value.as_deref().expect("a value")).expect("a value of the topic's schema")
}
