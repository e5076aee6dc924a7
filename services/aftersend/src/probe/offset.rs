//! Offsets that are committed in a transaction.

use std::time::Duration;

use kafka::transaction::Committed;
use kafka::trial::{Membership, TrialProducer};
use kafka::{Error, NextOffset};

use super::claim::ProbeOutcome;
use super::record;
use super::resource::{ANSWER_MAX, Resources};

/// How long an answer must be held back to count as held back.
const HELD_MIN: Duration = Duration::from_secs(3);
/// As many bytes as the product's metadata may have, a little below Kafka's default limit of 4,096.
pub(super) const LONG_BYTES: usize = 4_000;

/// A position of the group with its metadata.
#[derive(Clone, Copy)]
pub(super) struct TrialOffset<'a> {
    pub(super) next: NextOffset,
    pub(super) metadata: &'a str,
}

const COMMITTED: TrialOffset<'static> = TrialOffset { next: NextOffset(7), metadata: "committed" };
const PENDING: TrialOffset<'static> = TrialOffset { next: NextOffset(8), metadata: "pending" };

/// Adds the position to the open transaction, in the name of `member`.
pub(super) fn send(
    resources: &Resources<'_>,
    producer: &TrialProducer,
    member: &Membership,
    offset: TrialOffset<'_>,
) -> Result<(), Error> {
    producer.send_offset(&resources.names.topic, 0, offset.next, offset.metadata, member)
}

/// Whether a committed position comes back with its metadata.
pub(super) fn metadata_comes_back(
    resources: &Resources<'_>,
    producer: &TrialProducer,
    member: &Membership,
) -> anyhow::Result<ProbeOutcome> {
    producer.begin()?;
    resources.write(producer, record::COMMITTED)?;
    send(resources, producer, member, COMMITTED)?;
    producer.commit()?;
    earlier_stands(resources)
}

/// Whether metadata of `bytes` bytes comes back.
pub(super) fn metadata_of(
    resources: &Resources<'_>,
    producer: &TrialProducer,
    member: &Membership,
    bytes: usize,
) -> anyhow::Result<ProbeOutcome> {
    let metadata = "x".repeat(bytes);
    producer.begin()?;
    let offset = TrialOffset { next: PENDING.next, metadata: &metadata };
    if let Err(refused) = send(resources, producer, member, offset) {
        producer.abort()?;
        return Ok(ProbeOutcome::new(false, format!("{bytes} bytes: {refused}")));
    }
    producer.commit()?;
    let back = committed(resources)?.metadata.len();
    Ok(ProbeOutcome::new(back == bytes, format!("{back} of {bytes} bytes came back")))
}

/// Opens a transaction with a record and a position.
pub(super) fn open(
    resources: &Resources<'_>,
    producer: &TrialProducer,
    member: &Membership,
) -> Result<(), Error> {
    producer.begin()?;
    resources.write(producer, record::ABORTED)?;
    send(resources, producer, member, PENDING)
}

/// Whether the group's position is held back. It is only while a transaction on it is open: before and after,
/// the other tests read it.
pub(super) fn is_held_back(resources: &Resources<'_>) -> anyhow::Result<ProbeOutcome> {
    match resources.tail.committed(&resources.names.topic, 0, HELD_MIN) {
        Ok(answer) => Ok(ProbeOutcome::new(
            false,
            format!("answered while the transaction was open: {}", describe(&answer)),
        )),
        Err(Error::Failed { code: "OperationTimedOut" | "UnstableOffsetCommit", .. }) => {
            Ok(ProbeOutcome::new(true, format!("no answer for {HELD_MIN:?}, until the transaction ended")))
        }
        Err(error) => Err(error.into()),
    }
}

/// Whether the committed position is still the one that counts.
pub(super) fn earlier_stands(resources: &Resources<'_>) -> anyhow::Result<ProbeOutcome> {
    let answer = committed(resources)?;
    let stands = answer.next == Some(COMMITTED.next) && answer.metadata == COMMITTED.metadata;
    Ok(ProbeOutcome::new(stands, describe(&answer)))
}

fn committed(resources: &Resources<'_>) -> Result<Committed, Error> {
    resources.tail.committed(&resources.names.topic, 0, ANSWER_MAX)
}

fn describe(answer: &Committed) -> String {
    match answer.next {
        None => "no offset".to_owned(),
        Some(next) => format!("offset {next}, {} bytes of metadata", answer.metadata.len()),
    }
}
