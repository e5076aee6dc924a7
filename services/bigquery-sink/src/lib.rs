#![doc = include_str!("../README.md")]

pub mod metric;
mod outcome;
mod reading;
mod settings;
mod sink;
pub mod target;

use delivery::Context;
use kafka::{Cluster, Connection};
use lifecycle::{Health, Stop};
use schemas::topic::{Topic, Topics};
use tracing::info;

pub use outcome::Summary;
pub use settings::Settings;
use sink::Warehouse;
pub use target::{Location, Target};

/// What this role calls itself: in readiness and in dead letters.
pub const NAME: &str = schemas::vocabulary::stage::BIGQUERY_SINK;

/// Why the sink ended by itself.
#[derive(Debug, thiserror::Error)]
pub enum Error {
    /// The warehouse can't be used.
    #[error(transparent)]
    Target(#[from] target::Error),
    /// Kafka can't be used.
    #[error(transparent)]
    Kafka(#[from] kafka::Error),
    /// The loop ended.
    #[error(transparent)]
    Run(#[from] delivery::Error<target::Error>),
}

/// Stores the records of the warehouse topic until `stop` is requested, each once (S1).
///
/// It blocks, so it needs a thread that serves no async runtime. After `stop` it returns within a batch's
/// wait and its storing. What is stored by then is committed.
///
/// # Errors
/// Where the warehouse or Kafka can't be used. Started again, it goes on where the warehouse stands.
pub fn run(
    settings: &Settings,
    connection: &Connection,
    topics: &Topics,
    health: &Health,
    stop: &Stop,
) -> Result<Summary, Error> {
    let context = Context::new(stop.clone());
    let vital = health.component(NAME, settings.stall_after);
    let target = settings.target.open(settings)?;
    let group = settings.consumer_group(topics.prefix(), &target.default_group());
    let mut sink = Warehouse::new(target);
    let topic = topics.name(Topic::Warehouse).to_owned();
    // Asked here, because a consumer can't tell a missing topic from a quiet one.
    if Cluster::connect(connection)?.topic(&topic)?.is_none() {
        return Err(kafka::Error::UnknownTopic { topic }.into());
    }
    info!(target = %settings.target, group = group.id, "warehouse sink started");
    let reads = delivery::Settings {
        group,
        topics: vec![topic],
        dead_letters: topics.name(Topic::DeadLetter).to_owned(),
        batch: settings.batch(),
        lag: delivery::LagLimits::default(),
        on_gap: settings.on_gap,
    };
    let counts = delivery::run(&mut sink, &reads, connection, &context, &vital)?;
    let summary = Summary::from(&counts);
    info!(?summary, "warehouse sink stopped");
    vital.finished();
    Ok(summary)
}
