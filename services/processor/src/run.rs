use std::sync::atomic::{AtomicBool, Ordering};
use std::time::{Duration, Instant};

use kafka::transaction::append_time;
use kafka::{Cluster, Connection};
use lifecycle::{Health, Stop};
use schemas::token::TokenKey;
use schemas::topic::{Topic, Topics};
use thiserror::Error;
use tracing::{error, info, warn};

use crate::engine::clock::Clock;
use crate::engine::{Engine, SessionError};
use crate::instance::{Instance, InstanceError};
use crate::metric;
use crate::restore::Place;
use crate::settings::Settings;
use crate::state::memory::{Shared, Shortage};
use crate::transaction::drill::Drill;
use crate::transaction::producer::Contest;
use crate::transaction::step::Rules;

/// How long a broker has to answer at the start.
const START_TIMEOUT: Duration = Duration::from_secs(10);
/// How long the brokers have to tell their time: a coordinator may have to be found anew.
const CLOCK_TIMEOUT: Duration = Duration::from_mins(1);
/// Without progress for this long, the engine counts as stalled. A commit may take half a minute by itself.
const STALL_AFTER: Duration = Duration::from_secs(90);
/// What a transaction writes to.
const WRITTEN: [Topic; 6] =
    [Topic::Warehouse, Topic::Trait, Topic::Suppression, Topic::DeadLetter, Topic::State, Topic::Dedupe];
/// Partitions restored at the same time.
const RESTORERS: usize = 2;
/// Pauses between restarts of the engine, doubling.
const PAUSE_MIN: Duration = Duration::from_millis(200);
const PAUSE_MAX: Duration = Duration::from_secs(10);

/// The processor could not go on.
#[derive(Debug, Error)]
pub enum Error {
    /// The state folder can't be used.
    #[error(transparent)]
    Instance(#[from] InstanceError),
    /// Kafka can't be used.
    #[error(transparent)]
    Kafka(#[from] kafka::Error),
    /// A topic is not partitioned like the input.
    #[error(
        "topic {topic} has {found} partitions and the input has {wanted}: everything about a customer is written to its input's \
         partition number; make the topic anew with `aftersend bootstrap`"
    )]
    Partitions {
        /// The topic.
        topic: String,
        /// How many it has.
        found: u32,
        /// How many the input has.
        wanted: u32,
    },
    /// A topic's records don't tell when they were appended.
    #[error(
        "topic {topic} keeps its senders' times: set message.timestamp.type=LogAppendTime on it, as `aftersend bootstrap` does; by the \
         brokers' time windows end and timers fire"
    )]
    AppendTime {
        /// The topic.
        topic: String,
    },
    /// The memory does not do for the partitions.
    #[error(transparent)]
    Memory(#[from] Shortage),
    /// The engine failed for good.
    #[error(transparent)]
    Session(#[from] SessionError),
}

/// Runs the processor until `stop`. Blocks.
///
/// # Errors
/// Where the state folder or Kafka can't be used, where something is refused that would lose or double events, or
/// where starting over has not helped `restarts_max` times.
pub fn run(
    settings: &Settings,
    connection: &Connection,
    topics: &Topics,
    prefix: &str,
    tokens: TokenKey,
    health: &Health,
    stop: &Stop,
) -> Result<(), Error> {
    let vital = health.component("processor", STALL_AFTER);
    let instance = Instance::take(&settings.state, settings.instance.as_deref())?;
    let cluster = Cluster::connect(connection)?;
    let rules = Rules { window: settings.window, tokens, partitions: partitions(&cluster, topics)? };
    settings.budget.check(rules.partitions)?;
    let shared = Shared::new(&settings.budget);
    let folder = instance.store_folder(topics.name(Topic::Raw));
    let id = cluster.id(START_TIMEOUT);
    let place = Place::look(&cluster, id, topics, (folder, rules.partitions, settings.window, RESTORERS))?;
    let group = format!("{prefix}{}", settings.group);
    let id = format!("{group}-{}-clock", instance.name());
    let Some(clock) = told(connection, &id, topics.name(Topic::DeadLetter), stop)? else {
        vital.finished();
        return Ok(());
    };
    let (drill, contest) = (Drill::new(settings.drill.clone()), Contest::default());
    let engine = Engine {
        settings,
        connection,
        topics,
        group,
        instance: &instance,
        rules: &rules,
        clock: &clock,
        contest: &contest,
        place: &place,
        drill: &drill,
        stop,
        vital: &vital,
    };
    info!(instance = instance.name(), partitions = rules.partitions, "processor starts");
    keep_running(&engine, &shared)?;
    vital.finished();
    Ok(())
}

/// How many partitions there are: of the input, and of everything that is written.
fn partitions(cluster: &Cluster, topics: &Topics) -> Result<u32, Error> {
    let count = |topic| {
        let name = topics.name(topic);
        let state =
            cluster.topic(name)?.ok_or_else(|| kafka::Error::UnknownTopic { topic: name.to_owned() })?;
        Ok::<u32, kafka::Error>(state.partitions)
    };
    let wanted = count(Topic::Raw)?;
    for topic in WRITTEN {
        let found = count(topic)?;
        if found != wanted {
            return Err(Error::Partitions { topic: topics.name(topic).to_owned(), found, wanted });
        }
    }
    Ok(wanted)
}

/// The brokers' clock; `None` where the process is to stop. Asked on dead letters, which nothing that is restored depends on; again
/// and again, since a coordinator that has just moved knows nothing for a moment.
fn told(connection: &Connection, id: &str, topic: &str, stop: &Stop) -> Result<Option<Clock>, Error> {
    let started = Instant::now();
    while !stop.requested() {
        match append_time(connection, id, topic, START_TIMEOUT) {
            Ok(Some(at_ms)) => return Ok(Some(Clock::showing(at_ms))),
            Ok(None) => return Err(Error::AppendTime { topic: topic.to_owned() }),
            Err(error @ kafka::Error::Failed { .. }) if started.elapsed() < CLOCK_TIMEOUT => {
                warn!(%error, "no broker has told its time yet");
                stop.wait_timeout(PAUSE_MIN);
            }
            Err(error) => return Err(error.into()),
        }
    }
    Ok(None)
}

fn keep_running(engine: &Engine<'_>, shared: &Shared) -> Result<(), Error> {
    let mut fruitless = 0;
    let mut pause = PAUSE_MIN;
    loop {
        let committed_any = AtomicBool::new(false);
        let outcome = engine.session(shared, &|| committed_any.store(true, Ordering::Relaxed));
        let Err(failure) = outcome else { return Ok(()) };
        if engine.stop.requested() {
            return Ok(());
        }
        if committed_any.into_inner() {
            (fruitless, pause) = (0, PAUSE_MIN);
        }
        if matches!(failure, SessionError::Kafka(kafka::Error::Fatal { .. })) {
            engine.contest.fenced();
        }
        fruitless += 1;
        if engine.contest.is_lost() {
            return Err(SessionError::Contested { instance: engine.instance.name().to_owned() }.into());
        }
        if failure.is_lasting() || fruitless > engine.settings.restarts_max {
            error!(error = &failure as &dyn std::error::Error, "processor gives up");
            return Err(failure.into());
        }
        warn!(error = &failure as &dyn std::error::Error, fruitless, "session ended, starting over");
        metrics::counter!(metric::RESTARTS).increment(1);
        engine.vital.not_ready(format!("starting over: {failure}"));
        engine.stop.wait_timeout(pause);
        pause = (pause * 2).min(PAUSE_MAX);
    }
}
