#![doc = include_str!("../README.md")]

pub mod metric;
mod outcome;
mod plan;
mod reading;
mod sender;
mod settings;
mod sink;

use std::time::Duration;

use kafka::consumer;
use lifecycle::{Health, Stop};
use schemas::topic::{Topic, Topics};
use thiserror::Error;

pub use self::settings::Settings;
use self::sink::CustomerIo;
pub use self::sink::TaskError;
pub use outcome::Summary;

/// What this role calls itself: in readiness and in dead letters.
pub const NAME: &str = schemas::vocabulary::stage::CUSTOMERIO_SINK;

/// Without progress for this long, the sink counts as stalled. Retries aren't progress.
const STALL_AFTER: Duration = Duration::from_secs(60);

/// Why the sink ended by itself. What time or the vendor mends is waited for instead.
#[derive(Debug, Error)]
pub enum Error {
    /// The client of the Track API could not be made.
    #[error("track api client")]
    Client(#[source] customerio::Error),
    /// The runtime of the requests could not be started.
    #[error("threads for requests could not be started: check the process's limits")]
    Runtime(#[source] std::io::Error),
    /// The loop ended.
    #[error(transparent)]
    Run(#[from] delivery::Error<TaskError>),
}

/// Runs the sink on this thread until `stop` is requested: traits and suppressions from Kafka to Customer.io.
///
/// It blocks, so it needs a thread that serves no async runtime. After `stop` it waits for requests in flight
/// for at most [`Settings::drain_timeout`], commits what is done, and returns.
///
/// # Errors
/// Where Kafka refuses this client or lacks a topic. An unreachable broker or vendor is waited for. Wrong
/// credentials at the vendor make the sink not ready, and are no error (S4).
pub fn run(
    settings: &Settings,
    connection: &kafka::Connection,
    topics: &Topics,
    health: &Health,
    stop: &Stop,
) -> Result<Summary, Error> {
    let context = delivery::Context::new(stop.clone());
    let vital = health.component(NAME, STALL_AFTER);
    let mut sink = CustomerIo::new(settings, topics, &context)?;
    let counts = delivery::run(&mut sink, &reads(settings, topics), connection, &context, &vital)?;
    vital.finished();
    sink.close();
    Ok(Summary::from(&counts))
}

/// What the loop reads, and in which portions.
fn reads(settings: &Settings, topics: &Topics) -> delivery::Settings {
    delivery::Settings {
        group: consumer::Group {
            id: settings.group.clone(),
            instance: settings.instance.clone(),
            session_timeout: settings.session_timeout,
        },
        topics: [Topic::Trait, Topic::Suppression].map(|topic| topics.name(topic).to_owned()).to_vec(),
        dead_letters: topics.name(Topic::DeadLetter).to_owned(),
        batch: consumer::BatchLimits {
            records_max: settings.batch_records,
            bytes_max: usize::try_from(settings.batch_bytes.bytes()).unwrap_or(usize::MAX),
            wait_max: settings.batch_wait,
        },
        lag: delivery::LagLimits::default(),
        on_gap: settings.on_gap,
    }
}
