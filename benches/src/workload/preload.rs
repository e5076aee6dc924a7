//! Ids that were seen before the first event: written as the subjects themselves write them, so that they
//! restore them.

use std::time::Duration;

use anyhow::Context;
use kafka::transaction::{TransactionLimits, Transactional};
use kafka::{NextOffset, Outgoing, Publisher};
use processor::domain::time::window::{self, DAY_MS, Day};
use processor::state::changelog::{self, Chunk, Run};
use processor::state::meta::{Incarnation, Meta};
use rand::RngExt;
use schemas::topic::{Topic, Topics};

use super::Raw;
use super::event::now_ms;
use crate::measure::position;
use crate::screen::Step;

/// Ids in a chunk: what a transaction of 5,000 records on one partition holds.
const CHUNK_IDS: u64 = 5_000;
/// Days over which they are spread, today included: the whole window.
const DAYS: u64 = 30;
const TIMEOUT: Duration = Duration::from_secs(60);
/// What may be on its way to the brokers at most.
const QUEUE_BYTES: u64 = 64 << 20;

/// Writes `ids` ids into the processor's changelogs, and the positions that belong to them: what a processor
/// that had read nothing but them would have left behind.
pub(crate) fn processor(
    raw: &Raw,
    topics: &Topics,
    group: &str,
    ids: u64,
    step: &Step<'_>,
) -> anyhow::Result<()> {
    if ids == 0 {
        return Ok(());
    }
    let limits = TransactionLimits::within(TIMEOUT, QUEUE_BYTES);
    let producer = Transactional::init(&raw.connection, &format!("{group}-preload"), &limits, TIMEOUT)?;
    let of_partition = ids.div_ceil(u64::from(raw.partitions));
    let rounds = of_partition.div_ceil(CHUNK_IDS);
    let beginning = |_| Meta::beginning(Incarnation::new(rand::random()), NextOffset(0));
    let mut metas: Vec<Meta> = (0..raw.partitions).map(beginning).collect();
    let today = window::day(now_ms());
    for round in 0..rounds {
        let count = CHUNK_IDS.min(of_partition - round * CHUNK_IDS);
        let day = today - Day::try_from(DAYS - 1 - round * DAYS / rounds)?;
        producer.begin()?;
        for (partition, meta) in (0..).zip(&mut metas) {
            *meta = write_chunk(&producer, topics, partition, meta, day, count)?;
        }
        producer.flush(TIMEOUT)?;
        producer.commit(TIMEOUT)?;
        step.at(round + 1, rounds);
    }
    let positions =
        (0..).zip(&metas).map(|(partition, meta)| (partition, meta.src_next().0, meta.offset_metadata()));
    position::commit(raw, group, positions)
}

fn write_chunk(
    producer: &Transactional,
    topics: &Topics,
    partition: i32,
    before: &Meta,
    day: Day,
    count: u64,
) -> anyhow::Result<Meta> {
    let meta = before.followed_by(NextOffset(0), i64::from(day) * DAY_MS);
    let mut chance = rand::rng();
    let ids = (0..count).map(|_| chance.random()).collect();
    let chunk =
        Chunk { meta, previous_clock_ms: before.clock_ms, runs: vec![Run { bucket: day, appended: 0, ids }] };
    let send = |topic: Topic, value: &[u8]| {
        let (topic, key) = (topics.name(topic), Some(changelog::META_KEY));
        producer.send(&Outgoing { topic, partition: Some(partition), key, value: Some(value), headers: &[] })
    };
    send(Topic::Dedupe, &chunk.encode())?;
    send(Topic::State, &changelog::encode_meta(&meta))?;
    Ok(meta)
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
