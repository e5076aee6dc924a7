//! The loop: read, judge, store, commit.

mod assignment;
mod judgement;
mod summary;

use std::sync::Arc;
use std::time::{Duration, Instant};

use delivery::{Backoff, DeadLetters, dead_letter};
use kafka::{Cluster, Connection, Consumer, Incoming, PublishError};
use lifecycle::{Health, Stop, Vital};
use schemas::topic::{Topic, Topics};
use tracing::{error, info, warn};

use crate::target::{self, Batch};
use crate::{Settings, metric};
use assignment::Desk;
use judgement::{Unfit, judge};
pub use summary::Summary;

/// The stage that dead letters name, and the component that health names.
const STAGE: &str = "bigquery-sink";

const DEAD_LETTER_BACKOFF: Backoff =
    Backoff { base: Duration::from_millis(200), cap: Duration::from_secs(2) };

/// Why the sink stopped.
#[derive(Debug, thiserror::Error)]
pub enum Error {
    /// The warehouse can't be used.
    #[error(transparent)]
    Target(#[from] target::Error),
    /// Kafka can't be used.
    #[error(transparent)]
    Kafka(#[from] kafka::Error),
    /// The dead-letter topic will never take a record, so the record's offset can't move.
    #[error(
        "the dead-letter topic refuses a record for good: check its max.message.bytes and this principal's ACLs"
    )]
    DeadLetter(#[source] PublishError),
}

/// Stores the warehouse topic's records until `stop`, each once (S1). Blocks: give it a thread that is none of a runtime's.
///
/// After a stop it returns within a batch's wait and its storing; what is stored by then is committed.
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
    let vital = health.component(STAGE, settings.stall_after);
    let mut sink = Sink::start(settings, connection, topics, &vital, stop)?;
    vital.ready();
    while !stop.requested() {
        sink.step()?;
        sink.tell_health();
    }
    let Sink { consumer, summary, .. } = sink;
    consumer.close();
    info!(?summary, "warehouse sink stopped");
    vital.finished();
    Ok(summary)
}

struct Sink<'a> {
    settings: &'a Settings,
    vital: &'a Vital,
    stop: &'a Stop,
    desk: Arc<Desk>,
    dead_letters: DeadLetters,
    consumer: Consumer,
    summary: Summary,
}

impl<'a> Sink<'a> {
    fn start(
        settings: &'a Settings,
        connection: &Connection,
        topics: &Topics,
        vital: &'a Vital,
        stop: &'a Stop,
    ) -> Result<Self, Error> {
        let topic = topics.name(Topic::Warehouse).to_owned();
        let desk = Arc::new(Desk::new(settings.target.open(settings.lock_wait)?));
        // Asked here, since to a consumer a missing topic or broker is merely a quiet one.
        if Cluster::connect(connection)?.topic(&topic)?.is_none() {
            return Err(kafka::Error::UnknownTopic { topic }.into());
        }
        let letters = topics.name(Topic::DeadLetter).to_owned();
        let dead_letters = DeadLetters::new(dead_letter::publisher(connection)?, letters, STAGE);
        let hooks = Arc::clone(&desk);
        let consumer = Consumer::subscribe(connection, &settings.consumer_group(), &[topic], hooks)?;
        info!(target = %settings.target, group = settings.group, "warehouse sink started");
        Ok(Self { settings, vital, stop, desk, dead_letters, consumer, summary: Summary::default() })
    }

    /// One batch, or the finding that there is none.
    fn step(&mut self) -> Result<(), Error> {
        let records = self.consumer.poll_batch(&self.settings.batch())?;
        self.desk.fault()?;
        let Some(mut batch) = self.sort(records)? else { return Ok(()) };
        self.drop_revoked(&mut batch);
        // Asked again: while dead letters were kept, partitions may have come, too.
        self.desk.fault()?;
        if !batch.next().is_empty() {
            self.store(&batch)?;
            self.commit(&batch);
        }
        Ok(())
    }

    /// Rows into a batch, dead letters to their topic, before the batch moves their offsets. `None` where the stop came
    /// first; the records are read again.
    fn sort(&mut self, records: Vec<Incoming>) -> Result<Option<Batch>, Error> {
        let mut batch = Batch::default();
        // For this batch even where its partition goes and comes back meanwhile: what follows must not pass it.
        let mut newer = Vec::new();
        for record in records {
            if newer.contains(&record.partition) || self.desk.withholds(&record.topic, record.partition) {
                self.summary.add_withheld();
                continue;
            }
            match judge(&record) {
                Ok(row) => batch.add(row),
                Err(Unfit::DeadLetter(reason)) => {
                    if !self.keep(&record, reason)? {
                        return Ok(None);
                    }
                    batch.pass(&record.topic, record.partition, record.offset);
                }
                Err(Unfit::Newer(fingerprint)) => {
                    self.withhold(&record, fingerprint);
                    newer.push(record.partition);
                }
            }
        }
        Ok(Some(batch))
    }

    /// Keeps a dead letter, trying until it is acknowledged; `false` where the stop comes first.
    fn keep(&mut self, record: &Incoming, reason: &'static str) -> Result<bool, Error> {
        for failures in 1_u32.. {
            let failure = match self.dead_letters.keep(record, reason) {
                Ok(()) => break,
                Err(poison) if poison.is_poison() => return Err(Error::DeadLetter(poison)),
                Err(failure) => failure,
            };
            if self.stop.requested() {
                return Ok(false);
            }
            warn!(code = failure.code(), failures, "dead letter not acknowledged, trying again");
            self.vital.not_ready(format!("dead letters are not acknowledged ({})", failure.code()));
            self.consumer.keep_alive(DEAD_LETTER_BACKOFF.random_wait(failures))?;
        }
        warn!(
            topic = &*record.topic,
            partition = record.partition,
            offset = record.offset.0,
            reason,
            "record kept as dead letter"
        );
        self.summary.add_dead_letter();
        Ok(true)
    }

    fn withhold(&mut self, record: &Incoming, fingerprint: u64) {
        let fingerprint = format!("{fingerprint:016x}");
        error!(
            topic = &*record.topic,
            partition = record.partition,
            offset = record.offset.0,
            fingerprint,
            "partition withheld: its next record has a schema that this version does not know; upgrade this sink"
        );
        self.desk.withhold(&record.topic, record.partition);
        self.summary.add_withheld();
    }

    /// Partitions may have gone while dead letters were being kept.
    fn drop_revoked(&mut self, batch: &mut Batch) {
        let rows = batch.rows().len();
        batch.retain(|topic, partition| self.consumer.owns(topic, partition));
        self.summary.add_revoked(rows - batch.rows().len());
    }

    fn store(&mut self, batch: &Batch) -> Result<(), Error> {
        let began = Instant::now();
        let stored = self.desk.store(batch)?;
        metrics::histogram!(metric::STORE_SECONDS).record(began.elapsed());
        if stored.conflicts > 0 {
            error!(
                conflicts = stored.conflicts,
                "event ids came twice: see message_outcome_conflicts in the warehouse"
            );
        }
        if stored.replayed > 0 {
            warn!(replayed = stored.replayed, "records came again and were passed over");
        }
        self.summary.add_stored(stored);
        Ok(())
    }

    /// For lag monitoring; the truth is in the warehouse. So a failure is counted and the next batch commits past it.
    fn commit(&self, batch: &Batch) {
        let next: Vec<_> = batch
            .next()
            .iter()
            .map(|((topic, partition), next)| (Arc::clone(topic), *partition, *next))
            .collect();
        if let Err(err) = self.consumer.commit(&next) {
            metrics::counter!(metric::COMMIT_FAILURES).increment(1);
            warn!(error = %err, "offsets not committed to kafka");
        }
    }

    fn tell_health(&self) {
        let withheld = self.desk.withheld();
        metrics::gauge!(metric::WITHHELD_PARTITIONS).set(withheld.len() as f64);
        if withheld.is_empty() {
            self.vital.ready();
        } else {
            self.vital.not_ready(format!(
                "partitions {withheld:?} hold records of an unknown schema: upgrade this sink"
            ));
        }
    }
}
