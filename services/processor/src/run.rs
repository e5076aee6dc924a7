use std::sync::atomic::{AtomicBool, Ordering};
use std::time::{Duration, Instant};

use kafka::transaction::broker_time;
use kafka::{Cluster, Connection};
use lifecycle::{Health, Stop, open_files};
use schemas::token::TokenKey;
use schemas::topic::{Topic, Topics};
use thiserror::Error;
use tracing::{error, info, warn};

use crate::application::Application;
use crate::apply::Rules;
use crate::clock::Clock;
use crate::commit::producer::FenceCounter;
use crate::domain::redact::Privacy;
use crate::drill::Drill;
use crate::engine::{Brokers, Engine, SessionError};
use crate::instance::{Instance, InstanceError};
use crate::metric;
use crate::restore::{RestoreContext, RestoreLayout};
use crate::settings::Settings;
use crate::state::format::FormatLevel;
use crate::state::memory::{BudgetTooSmall, FileBudget, FilesTooFew, StoreMemory};

/// How long a broker may take to answer at the start.
const START_TIMEOUT: Duration = Duration::from_secs(10);
/// How long the brokers may take to report their time. A coordinator that has moved may have to be found
/// first.
const CLOCK_TIMEOUT: Duration = Duration::from_mins(1);
/// Without progress for this long, the engine counts as stalled. A commit alone may take half a minute.
const STALL_AFTER: Duration = Duration::from_secs(90);
/// The topics that a transaction writes to.
const WRITTEN: [Topic; 6] =
    [Topic::Warehouse, Topic::Trait, Topic::Suppression, Topic::DeadLetter, Topic::State, Topic::Dedupe];
/// The pause between restarts of the engine doubles between these bounds.
const PAUSE_MIN: Duration = Duration::from_millis(200);
const PAUSE_MAX: Duration = Duration::from_secs(10);
/// The group member, among the clients that can be fenced.
const MEMBER: &str = "member";

/// The processor can't continue.
#[derive(Debug, Error)]
pub enum Error {
    /// The state folder can't be used.
    #[error(transparent)]
    Instance(#[from] InstanceError),
    /// Kafka can't be used.
    #[error(transparent)]
    Kafka(#[from] kafka::Error),
    /// A topic has another partition count than the input.
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
    /// A topic's records don't have the brokers' append times.
    #[error(
        "topic {topic} keeps its senders' times: set message.timestamp.type=LogAppendTime on it, as `aftersend bootstrap` does; by the \
         brokers' time windows end and timers fire"
    )]
    AppendTime {
        /// The topic.
        topic: String,
    },
    /// The memory is not enough for the partitions.
    #[error(transparent)]
    Memory(#[from] BudgetTooSmall),
    /// The process may not open enough files for the partitions.
    #[error(transparent)]
    Files(#[from] FilesTooFew),
    /// The engine has failed for good.
    #[error(transparent)]
    Session(#[from] SessionError),
}

/// Runs the processor until `stop`. Blocks. Disks are written with no newer formats than `formats` allows.
///
/// # Errors
/// Where the state folder or Kafka can't be used, where something is refused that would lose or double
/// events, or where starting over has not helped `restarts_max` times.
pub fn run(
    settings: &Settings,
    connection: &Connection,
    prefix: &str,
    tokens: TokenKey,
    formats: FormatLevel,
    health: &Health,
    stop: &Stop,
) -> Result<(), Error> {
    let vital = health.component("processor", STALL_AFTER);
    let instance = Instance::take(&settings.state, settings.instance.as_deref())?;
    let application = Application::new(prefix, settings.application_id.as_ref());
    let topics = application.topics();
    let cluster = Cluster::connect(connection)?;
    let privacy = Privacy { tokens, link_queries: settings.link_queries };
    let rules = Rules { window: settings.window, privacy, partitions: partitions(&cluster, topics)? };
    let memory = store_memory(settings, rules.partitions)?.writing(formats);
    let layout = RestoreLayout {
        folder: instance.store_folder(&application.store_folder(topics.name(Topic::Raw))),
        partitions: rules.partitions,
        window: settings.window,
        threads: settings.restorers.unwrap_or_else(cores),
    };
    let restore = RestoreContext::read(&cluster, cluster.id(START_TIMEOUT), &application, layout)?;
    let transactional_id = application.transactional_id(instance.name(), &"clock");
    let clock = broker_clock(connection, &application, &transactional_id, stop)?;
    let Some(clock) = clock else {
        vital.finished();
        return Ok(());
    };
    let brokers = Brokers::watch(connection, topics.name(Topic::Raw))?;
    let (drill, fences) = (Drill::new(settings.drill.clone()), FenceCounter::default());
    let engine = Engine {
        settings,
        connection,
        application: &application,
        instance: &instance,
        rules: &rules,
        clock: &clock,
        brokers: &brokers,
        fences: &fences,
        restore: &restore,
        drill: &drill,
        stop,
        vital: &vital,
    };
    info!(
        group = application.group(),
        instance = instance.name(),
        partitions = rules.partitions,
        "processor starts"
    );
    keep_running(&engine, &memory)?;
    vital.finished();
    Ok(())
}

/// What the stores of all partitions share. The soft limit of open files is raised on the way.
fn store_memory(settings: &Settings, partitions: u32) -> Result<StoreMemory, Error> {
    settings.budget.check(partitions)?;
    let files = FileBudget::of(open_files::raise(), partitions)?;
    if files.is_tight() {
        warn_of_few_files(partitions);
    }
    Ok(StoreMemory::new(&settings.budget).opening(files))
}

fn warn_of_few_files(partitions: u32) {
    warn!(
        wanted = FileBudget::comfortable_limit(partitions),
        "this process may open few files for its partitions: once their disks are full of ids, look-ups open tables again and again; \
         raise the hard limit of open files (LimitNOFILE= of systemd, `ulimits: nofile` of compose)"
    );
}

/// How many cores this process may use.
fn cores() -> usize {
    std::thread::available_parallelism().map_or(1, std::num::NonZero::get)
}

/// The partition count of the input. Every topic that is written to must have the same.
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

/// A clock that shows the brokers' time; `None` where the process is to stop.
///
/// The time is asked with an aborted record on the dead-letter topic, because no restore depends on that
/// topic. A coordinator that has just moved knows nothing for a moment, so the question is repeated.
fn broker_clock(
    connection: &Connection,
    application: &Application,
    transactional_id: &str,
    stop: &Stop,
) -> Result<Option<Clock>, Error> {
    let (group, topic) = (application.group(), application.topics().name(Topic::DeadLetter));
    let started = Instant::now();
    while !stop.requested() {
        match broker_time(connection, group, transactional_id, topic, START_TIMEOUT) {
            Ok(Some(at_ms)) => return Ok(Some(Clock::starting_at(at_ms))),
            Ok(None) => return Err(Error::AppendTime { topic: topic.to_owned() }),
            Err(error @ kafka::Error::Failed { .. }) if started.elapsed() < CLOCK_TIMEOUT => {
                warn!(%error, "no broker has reported its time yet");
                stop.wait_timeout(PAUSE_MIN);
            }
            Err(error) => return Err(error.into()),
        }
    }
    Ok(None)
}

fn keep_running(engine: &Engine<'_>, memory: &StoreMemory) -> Result<(), Error> {
    let mut fruitless = 0;
    let mut pause = PAUSE_MIN;
    loop {
        let committed_any = AtomicBool::new(false);
        let outcome = engine.session(memory, &|| committed_any.store(true, Ordering::Relaxed));
        let Err(failure) = outcome else { return Ok(()) };
        if engine.stop.requested() {
            return Ok(());
        }
        if committed_any.into_inner() {
            fruitless = 0;
            pause = PAUSE_MIN;
        }
        if matches!(&failure, SessionError::Kafka(error) if error.is_member_fenced()) {
            engine.fences.record(MEMBER);
        }
        // In an outage a restart shows nothing.
        fruitless += u32::from(engine.brokers.answer());
        if engine.fences.is_exceeded() {
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
