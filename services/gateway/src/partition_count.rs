//! Raw's partition count: read at boot and then watched, since a customer's records must never change their
//! partition.

use std::time::Duration;

use kafka::Publisher;
use schemas::topic::{Topic, Topics};
use tokio::sync::watch;
use tokio::time::sleep;
use tracing::{error, info, warn};

use crate::Error;

/// What is known of raw's partition count.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum PartitionCount {
    /// No broker has answered yet.
    Unknown,
    /// A broker has answered, and the topics are not there yet.
    Missing,
    /// The count is what it was at boot.
    Fixed(u32),
    /// The count is not what it was at boot.
    Changed {
        /// The count at boot.
        was: u32,
        /// The count now; 0 where the topic is gone.
        now: u32,
    },
}

/// How long one request for metadata may take.
const METADATA_TIMEOUT: Duration = Duration::from_secs(5);

/// Pause between two requests while no broker has answered yet.
const RETRY_EVERY: Duration = Duration::from_secs(1);

/// How many times in a row a fault of the topics must be found before the gateway believes it.
const FAULTS_MAX: u32 = 3;

/// Waits until the brokers tell the count, then watches the count for as long as the process lives.
///
/// It waits for a broker that can't be reached, and for topics that `bootstrap` has not made yet: a gateway
/// that exits refuses connections, and a refused connection costs an hour (G3). Unequal counts are a fault of
/// set-up. They end the watch.
pub(crate) async fn watch(
    publisher: Publisher,
    topics: Topics,
    every: Duration,
    sender: watch::Sender<PartitionCount>,
) -> Error {
    let was = match count_at_boot(&publisher, &topics, &sender).await {
        Ok(count) => count,
        Err(fault) => return fault,
    };
    info!(partitions = was, "topics found");
    sender.send_replace(PartitionCount::Fixed(was));
    let raw = topics.name(Topic::Raw);
    loop {
        sleep(every).await;
        let mut now = count_of(&publisher, raw).await;
        if matches!(now, Ok(now) if now != Some(was)) {
            // A broker that has just started may not know every topic yet, so one answer is no proof.
            sleep(RETRY_EVERY).await;
            now = count_of(&publisher, raw).await;
        }
        // Without an answer nothing is known to have changed. Trouble with the brokers shows when publishing.
        let Ok(now) = now.map(Option::unwrap_or_default) else { continue };
        let count =
            if now == was { PartitionCount::Fixed(was) } else { PartitionCount::Changed { was, now } };
        if sender.send_replace(count) != count {
            error!(
                was,
                now, "raw's partition count changed: webhooks are answered 503 until it is as it was"
            );
        }
    }
}

/// Retries for ever where no broker can be reached or a topic is missing, and [`FAULTS_MAX`] times where the
/// topics are at fault.
async fn count_at_boot(
    publisher: &Publisher,
    topics: &Topics,
    sender: &watch::Sender<PartitionCount>,
) -> Result<u32, Error> {
    let mut faults = 0;
    loop {
        let err = match common_count(publisher, topics).await {
            Ok(count) => return Ok(count),
            Err(err) => err,
        };
        match err {
            Error::CountsDiffer { .. } => faults += 1,
            Error::TopicMissing { .. } => {
                faults = 0;
                sender.send_replace(PartitionCount::Missing);
            }
            Error::Kafka(_) | Error::Interrupted => faults = 0,
        }
        if faults == FAULTS_MAX {
            return Err(err);
        }
        warn!(error = %err, "webhooks are answered 503 until kafka is found in order");
        sleep(RETRY_EVERY).await;
    }
}

/// The count that raw and the dead letters have in common.
async fn common_count(publisher: &Publisher, topics: &Topics) -> Result<u32, Error> {
    let (raw, dead) = (topics.name(Topic::Raw), topics.name(Topic::DeadLetter));
    let missing = |topic: &str| Error::TopicMissing { topic: topic.to_owned() };
    let raw_count = count_of(publisher, raw).await?.ok_or_else(|| missing(raw))?;
    let dead_count = count_of(publisher, dead).await?.ok_or_else(|| missing(dead))?;
    if raw_count == dead_count {
        Ok(raw_count)
    } else {
        Err(Error::CountsDiffer { raw: raw_count, dead: dead_count, topic: dead.to_owned() })
    }
}

async fn count_of(publisher: &Publisher, topic: &str) -> Result<Option<u32>, Error> {
    let (publisher, topic) = (publisher.clone(), topic.to_owned());
    let request = tokio::task::spawn_blocking(move || publisher.partition_count(&topic, METADATA_TIMEOUT));
    request.await.map_err(|_| Error::Interrupted)?.map_err(Error::Kafka)
}
