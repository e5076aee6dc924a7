//! The loop of a sink: poll, read, deliver, write dead letters, commit.
//!
//! ```text
//! this thread:      poll_batch ──┐                          ┌─▶ commit ─▶ start partitions ─▶ poll_batch …
//!                                │   keep_alive meanwhile   │
//! delivery thread:               └─▶ read ─▶ deliver ─▶ dead letters, acknowledged
//! ```
//!
//! A batch is a barrier: the next batch is polled when every record of this one has ended. So a customer's
//! next write leaves after the previous one is acknowledged (S2) without any memory across batches.

mod batch;
mod delivery;
mod ends;
mod lag;
mod session;
mod start;

use std::sync::Arc;

use kafka::{Connection, Consumer, consumer};
use lifecycle::{Stop, Vital};

use crate::dead_letter::{self, DeadLetters};
use crate::intake::OnGap;
use crate::sink::Sink;
use crate::{Counts, Intake, Readiness, TargetHealth, metric};
use delivery::Delivery;
use ends::EndsAsker;
pub use lag::Limits as LagLimits;
use session::{End, Session};
use start::Starts;

/// What the loop and the parts of a sink share. Clones share it.
#[derive(Debug, Clone)]
pub struct Context {
    /// The records in hand.
    pub intake: Arc<Intake>,
    /// What keeps the target from taking records.
    pub target: TargetHealth,
    /// The request to stop.
    pub stop: Stop,
}

impl Context {
    /// The context of a sink.
    #[must_use]
    pub fn new(stop: Stop) -> Self {
        Self { intake: Arc::default(), target: TargetHealth::default(), stop }
    }
}

/// What the loop reads, and in which portions.
#[derive(Debug, Clone)]
pub struct Settings {
    /// The consumer group.
    pub group: consumer::Group,
    /// The topics to read, by their whole names.
    pub topics: Vec<String>,
    /// The topic of dead letters.
    pub dead_letters: String,
    /// Bounds of one batch.
    pub batch: consumer::BatchLimits,
    /// When a fetch that has silently stopped is named, and when the session in the group is renewed.
    pub lag: LagLimits,
    /// What to do where a position can't be right.
    pub on_gap: OnGap,
}

/// Why the loop ended by itself.
#[derive(Debug, thiserror::Error)]
pub enum Error<E: std::error::Error + 'static> {
    /// The target can't be used.
    #[error(transparent)]
    Target(E),
    /// Kafka can't be used.
    #[error(transparent)]
    Kafka(#[from] kafka::Error),
    /// The thread of the deliveries could not be started.
    #[error("a thread could not be started: check the process's limits")]
    Thread(#[source] std::io::Error),
}

/// Delivers records to `sink` until the stop of `context` is requested, and says how many ended in which
/// outcome.
///
/// Blocks, so it needs a thread that serves no async runtime. After a stop it returns when the delivery under
/// way has ended, and what is done by then is committed.
///
/// # Errors
/// Where Kafka refuses this client or lacks a topic, and where the target can't be used. An unreachable
/// broker is waited for.
pub fn run<S: Sink>(
    sink: &mut S,
    settings: &Settings,
    connection: &Connection,
    context: &Context,
    vital: &Vital,
) -> Result<Counts, Error<S::Error>> {
    let readiness = Readiness::new(vital, context.target.clone(), Arc::clone(&context.intake));
    let publisher = dead_letter::publisher(connection)?;
    let dead_letters = DeadLetters::new(publisher, settings.dead_letters.clone(), S::NAME);
    let mut delivery = Delivery::new(sink, context, dead_letters, &readiness);
    loop {
        let hooks = Arc::clone(&context.intake);
        let consumer = Consumer::subscribe(connection, &settings.group, &settings.topics, hooks)?;
        let ends = EndsAsker::start(connection, S::NAME, settings.lag.ask_every)?;
        let starts = Starts::new(connection, settings.on_gap)?;
        let session = Session::new(consumer, settings, context, &readiness, ends, starts);
        match session.run(&mut delivery)? {
            End::Stopping => break,
            End::Stalled | End::Displaced => {
                metrics::counter!(metric::SESSION_RENEWALS).increment(1);
                context.intake.forget_all();
            }
        }
    }
    Ok(delivery.into_counts())
}
