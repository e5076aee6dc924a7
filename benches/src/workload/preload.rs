//! Ids and customers that were seen before the first event: written as the subjects themselves write them, so
//! that they restore them.

use std::time::Duration;

use anyhow::Context;
use kafka::transaction::{TransactionLimits, Transactional};
use kafka::{NextOffset, Outgoing, Publisher};
use processor::domain::event::content::ContentHash;
use processor::domain::time::window::{self, DAY_MS, Day};
use processor::state::changelog::{self, Chunk, Run, SeenId};
use processor::state::meta::{Incarnation, Meta};
use rand::RngExt;
use schemas::id::DedupeId;
use schemas::topic::{Topic, Topics};

use super::event::now_ms;
use super::{Customers, Raw};
use crate::measure::position;
use crate::plan::Plan;
use crate::screen::Step;

/// Events a second at about half of what the processor bears, of which so many are no copies.
const UNIQUE_PER_SECOND: u64 = 25_000;
/// The processor's transactions a second.
const COMMITS_PER_SECOND: u64 = 10;
/// How often the changelog holds a customer: the log cleaner runs when half of the log is overwritten.
const COPIES: u64 = 2;
/// Days over which they are spread, today included: the whole window.
const DAYS: u64 = 30;
const TIMEOUT: Duration = Duration::from_secs(60);
/// What may be on its way to the brokers at most.
const QUEUE_BYTES: u64 = 64 << 20;

/// What was written into the processor's changelogs.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Preloaded {
    /// Chunks, each with its transaction's markers.
    pub(crate) chunks: u64,
    /// Customers.
    pub(crate) customers: u64,
}

/// Writes `ids` ids and their customers into the processor's changelogs, and the positions that belong to
/// them: what a processor that had read nothing but them would have left behind.
///
/// They are written as production writes them. A chunk holds what came to one partition between two commits
/// at half load: from 1 to twice the mean. Each chunk comes with the customers of its transaction.
pub(crate) fn processor(
    raw: &Raw,
    topics: &Topics,
    group: &str,
    ids: u64,
    customers: &Customers,
    step: &Step<'_>,
) -> anyhow::Result<Preloaded> {
    let limits = TransactionLimits::within(TIMEOUT, QUEUE_BYTES);
    let producer = Transactional::init(&raw.connection, &format!("{group}-preload"), &limits, TIMEOUT)?;
    let writer = ChangelogWriter { producer: &producer, topics, customers };
    let of_partition = ids.div_ceil(u64::from(raw.partitions));
    let mut partitions: Vec<Written> = (0..raw.partitions).map(|_| Written::nothing(of_partition)).collect();
    let most = chunk_ids_max(raw.partitions);
    let mut chance = rand::rng();
    let mut preloaded = Preloaded { chunks: 0, customers: 0 };
    while partitions.iter().any(|written| written.ids < of_partition) {
        producer.begin()?;
        for (partition, written) in (0..).zip(&mut partitions) {
            let count = chance.random_range(1..=most).min(of_partition - written.ids);
            if count > 0 {
                writer.write(partition, written, count)?;
                preloaded.chunks += 1;
            }
        }
        producer.flush(TIMEOUT)?;
        producer.commit(TIMEOUT)?;
        step.at(partitions.iter().map(|written| written.ids).sum(), ids);
    }
    preloaded.customers = partitions.iter().map(|written| written.customers.min(written.distinct)).sum();
    let positions = (0..)
        .zip(&partitions)
        .map(|(partition, Written { meta, .. })| (partition, meta.src_next().0, meta.offset_metadata()));
    position::commit(raw, group, positions)?;
    Ok(preloaded)
}

/// The largest chunk. The mean is half of it.
fn chunk_ids_max(partitions: u32) -> u64 {
    (2 * UNIQUE_PER_SECOND / COMMITS_PER_SECOND / u64::from(partitions)).max(1)
}

/// What one partition's changelogs hold.
struct Written {
    meta: Meta,
    ids: u64,
    /// Ids in the end.
    wanted: u64,
    /// Customers that were written, each as often as it was.
    customers: u64,
    /// Customers of the partition.
    distinct: u64,
}

impl Written {
    fn nothing(wanted: u64) -> Self {
        let meta = Meta::beginning(Incarnation::new(rand::random()), NextOffset(0));
        let distinct = (wanted / Plan::EVENTS_PER_CUSTOMER).max(1);
        Self { meta, ids: 0, wanted, customers: 0, distinct }
    }

    /// The day of the next ids: they are spread evenly over the window.
    fn day(&self) -> anyhow::Result<Day> {
        Ok(window::day(now_ms()) - Day::try_from(DAYS - 1 - self.ids * (DAYS - 1) / self.wanted.max(1))?)
    }

    /// How many customers the changelog holds once it holds so many ids.
    fn customers_at(&self, ids: u64) -> u64 {
        ids * self.distinct * COPIES / self.wanted.max(1)
    }
}

/// Writes to the processor's changelogs, in the order of its own transactions.
struct ChangelogWriter<'a> {
    producer: &'a Transactional,
    topics: &'a Topics,
    customers: &'a Customers,
}

impl ChangelogWriter<'_> {
    fn write(&self, partition: i32, written: &mut Written, count: u64) -> anyhow::Result<()> {
        let (before, day) = (written.meta, written.day()?);
        let meta = before.followed_by(NextOffset(0), i64::from(day) * DAY_MS);
        let due = written.customers_at(written.ids + count);
        for number in written.customers..due {
            let key = format!("u-{partition}-{:07}", number % written.distinct);
            let key = changelog::customer_key(key.as_bytes());
            self.send(Topic::State, partition, &key, self.customers.value(number))?;
        }
        let mut chance = rand::rng();
        let mut id = || SeenId::new(DedupeId(chance.random()), ContentHash::from_bytes(chance.random()));
        let ids = (0..count).map(|_| id()).collect();
        let runs = vec![Run { bucket: day, appended: 0, ids }];
        let chunk = Chunk { meta, previous_clock_ms: before.clock_ms, runs };
        self.send(
            Topic::Dedupe,
            partition,
            changelog::META_KEY,
            &chunk.encode(processor::FormatLevel::NEWEST),
        )?;
        self.send(Topic::State, partition, changelog::META_KEY, &changelog::encode_meta(&meta))?;
        (written.meta, written.ids, written.customers) = (meta, written.ids + count, due);
        Ok(())
    }

    fn send(&self, topic: Topic, partition: i32, key: &[u8], value: &[u8]) -> anyhow::Result<()> {
        let (topic, partition) = (self.topics.name(topic), Some(partition));
        let record = Outgoing { topic, partition, key: Some(key), value: Some(value), headers: &[] };
        Ok(self.producer.send(&record)?)
    }
}

/// Writes `ids` ids into the changelog of Kafka Streams' window store: id, customer, time and a sequence
/// number of 0 as the key, the time as the value, both big-endian.
pub(crate) fn window_store(raw: &Raw, changelog: &str, ids: u64, step: &Step<'_>) -> anyhow::Result<()> {
    let limits = kafka::publisher::Limits {
        message_timeout: TIMEOUT,
        linger: Duration::from_millis(20),
        queue_records: 400_000,
        ..kafka::publisher::Limits::default()
    };
    let publisher = Publisher::new(&raw.connection, &limits)?;
    let now = now_ms();
    let mut chance = rand::rng();
    let mut last = None;
    for number in 0..ids {
        let age = i64::try_from((ids - 1 - number) * (DAYS - 1) / ids)? * DAY_MS;
        let time = (now - age).to_be_bytes();
        let id: [u8; 16] = chance.random();
        let customer = format!("u-{:06}", number % 1_000_000);
        let key = [&id[..], customer.as_bytes(), &time, &[0; 4]].concat();
        let partition = i32::try_from(number % u64::from(raw.partitions))?;
        let record = Outgoing {
            topic: changelog,
            partition: Some(partition),
            key: Some(&key),
            value: Some(&time),
            headers: &[],
        };
        last = Some(loop {
            match publisher.publish(&record) {
                Ok(delivery) => break delivery,
                Err(kafka::PublishError::QueueFull) => std::thread::sleep(Duration::from_millis(1)),
                Err(error) => return Err(error.into()),
            }
        });
        step.at(number + 1, ids);
    }
    publisher.flush(TIMEOUT)?;
    last.map_or(Ok(()), |delivery| delivery.wait().map(drop).context("ids of the window store not written"))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_chunk_is_what_comes_between_two_commits_at_half_load() {
        assert_eq!([6, 12, 32].map(chunk_ids_max), [833, 416, 156]);
        assert_eq!(chunk_ids_max(100_000), 1);
    }

    #[test]
    fn each_customer_is_in_the_changelog_twice_when_all_ids_are() {
        let mut written = Written::nothing(1_000);
        assert_eq!(
            (written.distinct, written.customers_at(500), written.customers_at(1_000)),
            (100, 100, 200)
        );
        let today = window::day(now_ms());
        assert_eq!(written.day().expect("a day"), today - 29);
        written.ids = 1_000;
        assert_eq!(written.day().expect("a day"), today);
    }
}
