#![doc = include_str!("../README.md")]

mod desk;
mod engine;
pub mod metric;
mod plan;
mod reading;
mod settings;
mod shipment;
mod summary;

use lifecycle::{Health, Stop};
use schemas::topic::Topics;
use thiserror::Error;

pub use self::settings::Settings;
pub use summary::Summary;

/// What this role calls itself: in readiness and in dead letters.
pub const NAME: &str = "customerio-sink";

/// Why the sink ended by itself. Whatever time or the vendor mends is no such reason.
#[derive(Debug, Error)]
pub enum Error {
    /// The client of the Track API could not be made.
    #[error("track api client")]
    Client(#[source] customerio::Error),
    /// Kafka can't be used.
    #[error("kafka")]
    Kafka(#[from] kafka::Error),
    /// The runtime of the requests could not be started.
    #[error("threads for requests could not be started: check the process's limits")]
    Runtime(#[source] std::io::Error),
    /// A request's task ended without an outcome: a bug.
    #[error("a request's task ended without an outcome")]
    Task(#[source] tokio::task::JoinError),
}

/// Runs the sink on this thread until `stop` is requested: traits and suppressions from Kafka to Customer.io.
///
/// Not on a thread of a runtime: it blocks, and has a small runtime of its own for its requests. After `stop` it waits for
/// requests in flight for at most [`Settings::drain_timeout`], commits what is done, and returns.
///
/// # Errors
/// Where Kafka refuses this client or lacks a topic. An unreachable broker or vendor is waited for, and wrong credentials
/// at the vendor are an unready sink, not an error (S4).
pub fn run(
    settings: &Settings,
    connection: &kafka::Connection,
    topics: &Topics,
    health: &Health,
    stop: &Stop,
) -> Result<Summary, Error> {
    let runtime = tokio::runtime::Builder::new_multi_thread()
        .worker_threads(1)
        .thread_name(NAME)
        .enable_all()
        .build()
        .map_err(Error::Runtime)?;
    let vital = health.component(NAME, engine::STALL_AFTER);
    let mut engine =
        engine::Engine::new(settings, connection, topics, stop, &vital, runtime.handle().clone())?;
    let summary = engine.run()?;
    drop(engine);
    vital.finished();
    // A request that was given up may still be on its way: nobody waits for it.
    runtime.shutdown_background();
    Ok(summary)
}
