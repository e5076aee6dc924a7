//! Events to Kafka. A webhook is answered 200 only once every one of its events is acknowledged (G1).

use kafka::publisher::Delivery;
use kafka::{Outgoing, PublishError, Publisher};
use schemas::codec::EncodeError;
use schemas::topic::Topics;
use schemas::{header, partition};
use thiserror::Error;
use tokio::time::{Instant, timeout_at};

use super::fallback::{Outbound, Receipt};

/// Why not all events of a body were acknowledged. What was appended stays, and the vendor's retry adds
/// duplicates.
#[derive(Debug, Error)]
pub(super) enum PublishFailure {
    /// The deadline passed first. The records may still be appended.
    #[error("kafka did not acknowledge in time")]
    Deadline,
    /// Kafka gave an error that another try may mend, or refused even the smallest form of an event.
    #[error("kafka did not take a record")]
    Kafka(#[source] PublishError),
    /// A record could not be encoded.
    #[error("a record could not be encoded")]
    Encode(#[source] EncodeError),
}

/// Where records are written.
#[derive(Clone, Copy)]
pub(super) struct Destination<'a> {
    pub(super) publisher: &'a Publisher,
    pub(super) topics: &'a Topics,
    /// Raw's partition count. The dead letters have the same.
    pub(super) partitions: u32,
}

/// An event that was handed to the Kafka client.
struct InFlight {
    event: Outbound,
    delivery: Delivery,
}

/// Publishes every event, and returns the events in the forms that Kafka took.
///
/// Records are queued in order and awaited together. An event that Kafka refuses for good falls back to its
/// next form and is queued again within the same deadline. So it can neither stall the stream nor get lost
/// (G7).
pub(super) async fn publish(
    destination: Destination<'_>,
    receipt: &Receipt,
    events: Vec<Outbound>,
    deadline: Instant,
) -> Result<Vec<Outbound>, PublishFailure> {
    let mut published = Vec::with_capacity(events.len());
    let mut waiting = events;
    while !waiting.is_empty() {
        let queued = waiting.into_iter().map(|event| queue(destination, receipt, event));
        let in_flight = queued.collect::<Result<Vec<_>, _>>()?;
        waiting = Vec::new();
        for InFlight { mut event, delivery } in in_flight {
            match timeout_at(deadline, delivery).await {
                Err(_elapsed) => return Err(PublishFailure::Deadline),
                Ok(Ok(_acknowledged)) => published.push(event),
                Ok(Err(error)) => {
                    fall_back(&mut event, error)?;
                    waiting.push(event);
                }
            }
        }
    }
    Ok(published)
}

/// Hands `event` to the Kafka client, in the first form that the client takes.
fn queue(
    destination: Destination<'_>,
    receipt: &Receipt,
    mut event: Outbound,
) -> Result<InFlight, PublishFailure> {
    loop {
        let value = event.value(receipt).map_err(PublishFailure::Encode)?;
        match send(destination, &event, &value) {
            Ok(delivery) => return Ok(InFlight { event, delivery }),
            Err(error) => fall_back(&mut event, error)?,
        }
    }
}

/// The one place where a webhook's bytes become a Kafka record.
fn send(destination: Destination<'_>, event: &Outbound, value: &[u8]) -> Result<Delivery, PublishError> {
    let key = event.key();
    let id = event.event_id().map(|id| (header::EVENT_ID, id.as_bytes()));
    let trace = event.traceparent.as_ref().map(|trace| (header::TRACEPARENT, trace.as_bytes()));
    let headers = id.into_iter().chain(trace).collect::<Vec<_>>();
    destination.publisher.publish(&Outgoing {
        topic: destination.topics.name(event.topic()),
        partition: key.map(|key| partition::of(key, destination.partitions)),
        key,
        value: Some(value),
        headers: &headers,
    })
}

/// Counts `error`, and makes `event` fall back to its next form where another try of the same form can't
/// succeed.
fn fall_back(event: &mut Outbound, error: PublishError) -> Result<(), PublishFailure> {
    metrics::counter!(crate::metric::PRODUCE_ERRORS, "code" => error.code()).increment(1);
    if error.is_poison() && event.fall_back(&error) { Ok(()) } else { Err(PublishFailure::Kafka(error)) }
}
