//! What becomes of a group's offsets that travel in a transaction.

use std::time::Duration;

use rdkafka::consumer::ConsumerGroupMetadata;
use rdkafka::error::KafkaError;
use rdkafka::producer::Producer as _;
use rdkafka::{Offset, TopicPartitionList};

use super::claim::Tried;
use super::record;
use super::site::{PATIENCE, Producer, Site};
use crate::transaction::Committed;
use crate::{Error, NextOffset};

/// How long an answer must be held back to count as that.
const HELD_MIN: Duration = Duration::from_secs(3);
const COMMITTED: (NextOffset, &str) = (NextOffset(7), "committed");
const PENDING: (NextOffset, &str) = (NextOffset(8), "pending");
/// As many bytes as the product's metadata may have, and a little air below Kafka's default limit of 4,096.
pub(super) const LONG_BYTES: usize = 4_000;

/// Adds the position to the open transaction, in the name of `member`.
pub(super) fn send(
    site: &Site<'_>,
    producer: &Producer,
    member: &ConsumerGroupMetadata,
    (next, metadata): (NextOffset, &str),
) -> Result<(), KafkaError> {
    let mut offsets = TopicPartitionList::new();
    let mut element = offsets.add_partition(&site.names.topic, 0);
    element.set_offset(Offset::Offset(next.0))?;
    element.set_metadata(metadata);
    producer.send_offsets_to_transaction(&offsets, member, PATIENCE)
}

/// One transaction with a record and a position, committed.
pub(super) fn metadata_comes_back(
    site: &Site<'_>,
    producer: &Producer,
    member: &ConsumerGroupMetadata,
) -> Result<Tried, Error> {
    commit(site, producer, member, COMMITTED)?;
    earlier_stands(site)
}

pub(super) fn long_metadata_passes(
    site: &Site<'_>,
    producer: &Producer,
    member: &ConsumerGroupMetadata,
) -> Result<Tried, Error> {
    metadata_of(site, producer, member, LONG_BYTES)
}

/// Whether metadata of so many bytes comes back.
pub(super) fn metadata_of(
    site: &Site<'_>,
    producer: &Producer,
    member: &ConsumerGroupMetadata,
    bytes: usize,
) -> Result<Tried, Error> {
    let long = "x".repeat(bytes);
    begin(producer)?;
    if let Err(refused) = send(site, producer, member, (PENDING.0, &long)) {
        abort(producer)?;
        return Ok(Tried::new(false, format!("{bytes} bytes: {refused}")));
    }
    producer.commit_transaction(PATIENCE).map_err(|source| Error::of("commit a transaction", source))?;
    let back = ask(site)?.metadata.len();
    Ok(Tried::new(back == bytes, format!("{back} of {bytes} bytes came back")))
}

/// Opens a transaction with a record and a position.
pub(super) fn open(
    site: &Site<'_>,
    producer: &Producer,
    member: &ConsumerGroupMetadata,
) -> Result<(), Error> {
    begin(producer)?;
    site.write(producer, record::ABORTED)?;
    send(site, producer, member, PENDING).map_err(|source| Error::of("send offsets", source))
}

pub(super) fn begin(producer: &Producer) -> Result<(), Error> {
    producer.begin_transaction().map_err(|source| Error::of("begin a transaction", source))
}

pub(super) fn abort(producer: &Producer) -> Result<(), Error> {
    producer.abort_transaction(PATIENCE).map_err(|source| Error::of("abort a transaction", source))
}

/// Whether the group's position is withheld. True only while a transaction on it is open; that it is told otherwise is seen
/// before and after.
pub(super) fn is_held_back(site: &Site<'_>) -> Result<Tried, Error> {
    match site.tail.committed(&site.names.topic, 0, HELD_MIN) {
        Ok(answer) => {
            Ok(Tried::new(false, format!("answered while the transaction was open: {}", shown(&answer))))
        }
        Err(Error::Failed { code: "OperationTimedOut" | "UnstableOffsetCommit", .. }) => {
            Ok(Tried::new(true, format!("no answer for {HELD_MIN:?}, until the transaction ended")))
        }
        Err(error) => Err(error),
    }
}

/// Whether the position that was committed is the one that stands.
pub(super) fn earlier_stands(site: &Site<'_>) -> Result<Tried, Error> {
    let answer = ask(site)?;
    let stands = answer.next == Some(COMMITTED.0) && answer.metadata == COMMITTED.1;
    Ok(Tried::new(stands, shown(&answer)))
}

fn commit(
    site: &Site<'_>,
    producer: &Producer,
    member: &ConsumerGroupMetadata,
    position: (NextOffset, &str),
) -> Result<(), Error> {
    begin(producer)?;
    site.write(producer, record::COMMITTED)?;
    send(site, producer, member, position).map_err(|source| Error::of("send offsets", source))?;
    producer.commit_transaction(PATIENCE).map_err(|source| Error::of("commit a transaction", source))
}

fn ask(site: &Site<'_>) -> Result<Committed, Error> {
    site.tail.committed(&site.names.topic, 0, PATIENCE)
}

fn shown(answer: &Committed) -> String {
    match answer.next {
        None => "no offset".to_owned(),
        Some(next) => format!("offset {next}, {} bytes of metadata", answer.metadata.len()),
    }
}
