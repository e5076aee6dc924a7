//! The gateway from its start to its end.

mod front;
mod heartbeat;

use std::sync::Arc;
use std::time::Duration;

use kafka::{Connection, Publisher};
use lifecycle::{Health, Stop};
use schemas::token::TokenKey;
use schemas::topic::Topics;
use tokio::net::TcpListener;
use tokio::sync::watch;
use tracing::{info, warn};

use crate::record::partition::{self, Partitions};
use crate::request::Desk;
use crate::{Error, Settings};
use front::Front;

/// Without progress for this long, the gateway is not ready.
const STALL_AFTER: Duration = Duration::from_secs(30);

/// Takes webhooks on `listener` until `stop`, then drains (G6).
///
/// It listens at once: until Kafka has been reached, signed webhooks are answered 503, since a refused connection would
/// cost an hour (G3).
///
/// # Errors
/// [`Error::Kafka`] where the client refuses its settings; [`Error::TopicMissing`] and [`Error::CountsDiffer`] where the
/// topics are not as bootstrap makes them. An unreachable broker is no error: readiness names it.
pub async fn run(
    settings: Settings,
    connection: Connection,
    topics: Topics,
    token_key: TokenKey,
    listener: TcpListener,
    health: Health,
    stop: Stop,
) -> Result<(), Error> {
    let publisher = Publisher::new(&connection, &settings.limits()).map_err(Error::Kafka)?;
    let vital = health.component("gateway", STALL_AFTER);
    let (tell, partitions) = watch::channel(Partitions::Unknown);
    let watching =
        partition::watch(publisher.clone(), topics.clone(), settings.partition_check_interval, tell);
    let front = Front::of(&settings);
    let flush_timeout = settings.message_timeout + Duration::from_secs(1);
    let desk = Arc::new(Desk::new(settings, publisher.clone(), topics, token_key, partitions.clone()));
    let beating = heartbeat::beat(&vital, &desk, &publisher, partitions);
    tokio::select! {
        () = front.serve(listener, &desk, &health, &stop) => {}
        fault = watching => return Err(fault),
        never = beating => match never {},
    }
    flush(publisher, flush_timeout).await;
    vital.finished();
    info!("gateway drained");
    Ok(())
}

/// Late records only: every answered request's are acknowledged already.
async fn flush(publisher: Publisher, timeout: Duration) {
    match tokio::task::spawn_blocking(move || publisher.flush(timeout)).await {
        Ok(Ok(())) => {}
        Ok(Err(err)) => warn!(error = %err, "records of requests that were answered 503 were not flushed"),
        Err(_) => warn!("flush interrupted"),
    }
}
