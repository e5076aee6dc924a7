//! Records to Kafka, and the answer only once every one of them is acknowledged (G1).

use kafka::publisher::Delivery;
use kafka::{Outgoing, PublishError, Publisher};
use schemas::codec::EncodeError;
use schemas::topic::Topics;
use schemas::{header, partition};
use thiserror::Error;
use tokio::time::{Instant, timeout_at};

use super::outbound::{Outbound, Receipt};

/// Why a body's events are not all kept. What was appended stands, and its copies will be duplicates.
#[derive(Debug, Error)]
pub(crate) enum Unkept {
    /// The deadline passed first. The records may still be appended.
    #[error("kafka did not acknowledge in time")]
    Deadline,
    /// Kafka gave an error that another try may mend, or refused even the last form.
    #[error("kafka did not take a record")]
    Kafka(#[source] PublishError),
    /// A record could not be encoded.
    #[error("a record could not be encoded")]
    Encode(#[source] EncodeError),
}

/// Where and how records are written.
#[derive(Clone, Copy)]
pub(crate) struct Channel<'a> {
    pub(crate) publisher: &'a Publisher,
    pub(crate) topics: &'a Topics,
    /// Raw's partition count, which the dead letters share.
    pub(crate) partitions: u32,
}

/// Keeps every event, each in the best form that Kafka takes, and gives them back in the form in which they are kept.
///
/// Records are queued in order and awaited together. What Kafka refuses for good goes down its ladder and is queued
/// again within the same deadline, so it can neither stall the stream nor get lost (G7).
pub(crate) async fn keep(
    channel: Channel<'_>,
    receipt: &Receipt,
    outbound: Vec<Outbound>,
    deadline: Instant,
) -> Result<Vec<Outbound>, Unkept> {
    let mut kept = Vec::with_capacity(outbound.len());
    let mut waiting = outbound;
    while !waiting.is_empty() {
        let queued = waiting.into_iter().map(|event| queue(channel, receipt, event));
        let queued = queued.collect::<Result<Vec<_>, _>>()?;
        waiting = Vec::new();
        for (mut event, delivery) in queued {
            match timeout_at(deadline, delivery).await {
                Err(_) => return Err(Unkept::Deadline),
                Ok(Ok(_)) => kept.push(event),
                Ok(Err(error)) => {
                    step_down(&mut event, error)?;
                    waiting.push(event);
                }
            }
        }
    }
    Ok(kept)
}

fn queue(
    channel: Channel<'_>,
    receipt: &Receipt,
    mut event: Outbound,
) -> Result<(Outbound, Delivery), Unkept> {
    loop {
        match try_queue(channel, receipt, &event)? {
            Ok(delivery) => return Ok((event, delivery)),
            Err(error) => step_down(&mut event, error)?,
        }
    }
}

fn try_queue(
    channel: Channel<'_>,
    receipt: &Receipt,
    event: &Outbound,
) -> Result<Result<Delivery, PublishError>, Unkept> {
    let value = event.value(receipt).map_err(Unkept::Encode)?;
    let key = event.key();
    let id = event.event_id().map(|id| (header::EVENT_ID, id.as_bytes()));
    let trace = event.traceparent.as_ref().map(|trace| (header::TRACEPARENT, trace.as_bytes()));
    let headers = id.into_iter().chain(trace).collect::<Vec<_>>();
    Ok(channel.publisher.publish(&Outgoing {
        topic: channel.topics.name(event.topic()),
        partition: key.map(|key| partition::of(key, channel.partitions)),
        key,
        value: Some(&value),
        headers: &headers,
    }))
}

fn step_down(event: &mut Outbound, error: PublishError) -> Result<(), Unkept> {
    metrics::counter!(crate::metric::PRODUCE_ERRORS, "code" => error.code()).increment(1);
    if error.is_poison() && event.demote(&error) { Ok(()) } else { Err(Unkept::Kafka(error)) }
}
