//! Raw's partition count: read at boot, then watched, since a customer's records must never change their partition.

use std::time::Duration;

use kafka::Publisher;
use schemas::topic::{Topic, Topics};
use tokio::sync::watch;
use tokio::time::sleep;
use tracing::{error, info, warn};

use crate::Error;

/// What is known of raw's partitions.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Partitions {
    /// No broker has told yet.
    Unknown,
    /// As many as at boot.
    Fixed(u32),
    /// Another number than at boot; 0 where the topic is gone.
    Changed {
        /// At boot.
        was: u32,
        /// Now.
        now: u32,
    },
}

/// How long one look may take.
const LOOK_TIMEOUT: Duration = Duration::from_secs(5);

/// Between two looks while no broker has answered yet.
const RETRY_EVERY: Duration = Duration::from_secs(1);

/// Looks that find a fault of set-up before it is believed.
const FAULTS_MAX: u32 = 3;

/// Waits until the brokers tell the count, then watches it for as long as the process lives.
///
/// An unreachable broker is waited for, since a gateway that is gone refuses connections, and a refused connection costs
/// an hour (G3). A missing topic or unequal counts are faults of set-up, and end it.
pub(crate) async fn watch(
    publisher: Publisher,
    topics: Topics,
    every: Duration,
    partitions: watch::Sender<Partitions>,
) -> Error {
    let was = match first(&publisher, &topics).await {
        Ok(count) => count,
        Err(fault) => return fault,
    };
    info!(partitions = was, "topics found");
    partitions.send_replace(Partitions::Fixed(was));
    let raw = topics.name(Topic::Raw);
    loop {
        sleep(every).await;
        let mut now = count(&publisher, raw).await;
        if matches!(now, Ok(now) if now != Some(was)) {
            // A broker that has just started may not know every topic yet: one look is no proof.
            sleep(RETRY_EVERY).await;
            now = count(&publisher, raw).await;
        }
        // Where no broker answers nothing is known to have changed, and publishing tells the rest.
        let Ok(now) = now.map(Option::unwrap_or_default) else { continue };
        let state = if now == was { Partitions::Fixed(was) } else { Partitions::Changed { was, now } };
        if partitions.send_replace(state) != state {
            error!(
                was,
                now, "raw's partition count changed: webhooks are answered 503 until it is as it was"
            );
        }
    }
}

/// The count at boot. Unreachable brokers are tried for ever, a fault of set-up a few times.
async fn first(publisher: &Publisher, topics: &Topics) -> Result<u32, Error> {
    let mut faults = 0;
    loop {
        let err = match look(publisher, topics).await {
            Ok(count) => return Ok(count),
            Err(err) => err,
        };
        faults = if matches!(err, Error::Kafka(_) | Error::Interrupted) { 0 } else { faults + 1 };
        if faults == FAULTS_MAX {
            return Err(err);
        }
        warn!(error = %err, "webhooks are answered 503 until kafka is found in order");
        sleep(RETRY_EVERY).await;
    }
}

async fn look(publisher: &Publisher, topics: &Topics) -> Result<u32, Error> {
    let (raw, dead) = (topics.name(Topic::Raw), topics.name(Topic::DeadLetter));
    let missing = |topic: &str| Error::TopicMissing { topic: topic.to_owned() };
    let raw_count = count(publisher, raw).await?.ok_or_else(|| missing(raw))?;
    let dead_count = count(publisher, dead).await?.ok_or_else(|| missing(dead))?;
    if raw_count == dead_count {
        Ok(raw_count)
    } else {
        Err(Error::CountsDiffer { raw: raw_count, dead: dead_count, topic: dead.to_owned() })
    }
}

async fn count(publisher: &Publisher, topic: &str) -> Result<Option<u32>, Error> {
    let (publisher, topic) = (publisher.clone(), topic.to_owned());
    let look = tokio::task::spawn_blocking(move || publisher.partition_count(&topic, LOOK_TIMEOUT));
    look.await.map_err(|_| Error::Interrupted)?.map_err(Error::Kafka)
}
