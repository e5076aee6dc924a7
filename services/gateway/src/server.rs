//! The gateway's parts, from start to end.

mod heartbeat;

use std::sync::Arc;
use std::time::Duration;

use kafka::{Connection, Publisher};
use lifecycle::{Health, Stop};
use schemas::key::KeyRules;
use schemas::topic::Topics;
use tokio::net::TcpListener;
use tokio::sync::watch;
use tracing::{info, warn};

use crate::http::listener::Listener;
use crate::ingest::Ingest;
use crate::partition_count::{self, PartitionCount};
use crate::{Error, Settings};

/// How long the gateway stays ready without progress.
const STALL_AFTER: Duration = Duration::from_secs(30);

/// Takes webhooks on `listener` until `stop`, then drains (G6).
///
/// It listens at once, since a refused connection would cost an hour (G3). Until Kafka has been reached, a
/// signed webhook waits for it within its deadline, and is then answered 503.
///
/// # Errors
/// [`Error::Kafka`] where the client refuses its settings. [`Error::CountsDiffer`] where the topics are not
/// as bootstrap makes them. A broker that can't be reached and a missing topic are no errors: readiness names
/// them.
pub async fn run(
    settings: Settings,
    connection: Connection,
    topics: Topics,
    keys: KeyRules,
    listener: TcpListener,
    health: Health,
    stop: Stop,
) -> Result<(), Error> {
    let publisher = Publisher::new(&connection, &settings.limits()).map_err(Error::Kafka)?;
    let vital = health.component("gateway", STALL_AFTER);
    let (sender, partition_count) = watch::channel(PartitionCount::Unknown);
    let watching =
        partition_count::watch(publisher.clone(), topics.clone(), settings.partition_check_interval, sender);
    let http = Listener::new(&settings);
    let flush_timeout = settings.message_timeout + Duration::from_secs(1);
    let ingest = Arc::new(Ingest::new(settings, publisher.clone(), topics, keys, partition_count.clone()));
    let beating = heartbeat::beat(&vital, &ingest, &publisher, partition_count);
    tokio::select! {
        () = http.serve(listener, &ingest, &health, &stop) => {}
        fault = watching => return Err(fault),
        never = beating => match never {},
    }
    flush(publisher, flush_timeout).await;
    vital.finished();
    info!("gateway drained");
    Ok(())
}

/// Waits for the records of requests that were answered 503. All others are acknowledged already.
async fn flush(publisher: Publisher, timeout: Duration) {
    match tokio::task::spawn_blocking(move || publisher.flush(timeout)).await {
        Ok(Ok(())) => {}
        Ok(Err(err)) => warn!(error = %err, "records of requests that were answered 503 were not flushed"),
        Err(_) => warn!("flush interrupted"),
    }
}
