//! What each act of the [`protocol`](super::protocol) does to Kafka and to the disk.

use std::collections::BTreeSet;
use std::time::{Duration, Instant};

use kafka::transaction::{Committed, Member, Position, TransactionError, Transactional};
use kafka::{Outgoing, PublishError};
use schemas::topic::{Topic, Topics};
use tracing::{error, info, warn};

use super::gate::{AssignmentEpoch, Gate, GateGuard};
use super::producer::{FenceCounter, Producer};
use super::protocol::{Act, Effects, Finding, Reply, doubt_outcome, finding};
use crate::application::Application;
use crate::apply::Applied;
use crate::drill::{Drill, Point};
use crate::metric;
use crate::state::changelog;
use crate::state::meta::Meta;
use crate::state::store::{PartitionStore, StoreError};

/// How long the brokers have to take all records of a transaction.
const FLUSH_TIMEOUT: Duration = Duration::from_secs(10);
/// How long one request of the protocol may take.
const REQUEST_TIMEOUT: Duration = Duration::from_secs(10);
/// How long the commit may take: longer than the transaction lives.
const COMMIT_TIMEOUT: Duration = Duration::from_secs(30);
/// How long a new producer, or the outcome of a doubt, is asked for before the session starts over.
const PATIENCE: Duration = Duration::from_mins(2);
/// How long one request for committed offsets may take. While the doubt is undecided, the broker does not
/// answer it.
const ASK_TIMEOUT: Duration = Duration::from_secs(3);
/// The pause between two tries.
const PAUSE: Duration = Duration::from_millis(200);

/// What a transaction commits for one partition.
#[derive(Debug)]
pub(crate) struct PartitionCommit<'a> {
    /// The partition.
    pub(crate) partition: i32,
    /// The period of owning it in which the records were read.
    pub(crate) epoch: AssignmentEpoch,
    /// Where the partition stands before the transaction.
    pub(crate) before: &'a Meta,
    /// What is to be committed.
    pub(crate) applied: &'a Applied,
    /// The partition's disk.
    pub(crate) store: &'a PartitionStore,
}

/// What every transaction of a worker works with.
#[derive(Clone, Copy)]
pub(crate) struct CommitContext<'a> {
    /// The group's member.
    pub(crate) member: &'a Member,
    /// Whose work this is.
    pub(crate) application: &'a Application,
    /// Which partitions are ours, and the gate.
    pub(crate) gate: &'a Gate,
    /// How often another process has fenced us.
    pub(crate) fences: &'a FenceCounter,
    /// The crash drill, if there is one.
    pub(crate) drill: &'a Drill,
    /// Called with each act before it begins.
    pub(crate) on_act: &'a dyn Fn(Act),
    /// Whether to keep trying what fails.
    pub(crate) keep_trying: &'a dyn Fn() -> bool,
}

impl std::fmt::Debug for CommitContext<'_> {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("CommitContext").field("member", self.member).finish_non_exhaustive()
    }
}

/// One transaction on Kafka and RocksDB.
pub(crate) struct Commit<'a> {
    context: CommitContext<'a>,
    producer: &'a mut Producer,
    partitions: &'a [PartitionCommit<'a>],
    /// A random number, stored in the committed offset's metadata. It distinguishes this attempt from another
    /// owner's transaction with the same sequence number.
    attempt: u64,
    guard: Option<GateGuard<'a>>,
    /// When the act that is being tried again failed first.
    failing_since: Option<Instant>,
    /// Partitions that turned out to be another owner's.
    pub(crate) elsewhere: BTreeSet<i32>,
    /// Why the disk failed, where it did.
    pub(crate) failure: Option<StoreError>,
}

impl<'a> Commit<'a> {
    /// A transaction of `partitions`, which must not be empty.
    pub(crate) fn new(
        context: CommitContext<'a>,
        producer: &'a mut Producer,
        partitions: &'a [PartitionCommit<'a>],
    ) -> Self {
        Self {
            context,
            producer,
            partitions,
            attempt: rand::random(),
            guard: None,
            failing_since: None,
            elsewhere: BTreeSet::new(),
            failure: None,
        }
    }

    fn assignments(&self) -> impl Iterator<Item = (i32, AssignmentEpoch)> {
        self.partitions.iter().map(|commit| (commit.partition, commit.epoch))
    }

    /// Calls the producer, and turns its refusal into a reply.
    fn call(&self, act: Act, call: impl FnOnce(&Transactional) -> Result<(), TransactionError>) -> Reply {
        let Some(producer) = self.producer.current() else { return Reply::Unusable };
        let Err(refusal) = call(producer) else { return Reply::Done };
        if let Some(held_back) = telemetry::seldom("transaction", refusal.code()) {
            warn!(?act, %refusal, held_back, "transaction does not go on");
        }
        match refusal {
            TransactionError::Abort { .. } => Reply::Refused,
            TransactionError::InDoubt { .. } => Reply::Unclear,
            TransactionError::Unusable { .. } | TransactionError::Expired { .. } => Reply::Unusable,
            TransactionError::Fenced { .. } => {
                self.context.fences.record(self.producer.id());
                Reply::Unusable
            }
        }
    }

    fn send(&self) -> Reply {
        let Some(producer) = self.producer.current() else { return Reply::Unusable };
        let topics = self.context.application.topics();
        let sent = self.partitions.iter().try_for_each(|commit| {
            send_outputs(producer, topics, commit)?;
            send_changelogs(producer, topics, commit)
        });
        match sent {
            Ok(()) => Reply::Done,
            Err(error) => {
                warn!(%error, "output not queued");
                Reply::Refused
            }
        }
    }

    fn enter(&mut self) -> Reply {
        self.guard = self.context.gate.enter(self.assignments());
        if self.guard.is_some() { Reply::Done } else { Reply::Refused }
    }

    fn offsets(&self) -> Reply {
        let position = |commit: &PartitionCommit<'_>| {
            let meta = commit.applied.overlay.meta();
            Position {
                partition: commit.partition,
                next: meta.src_next(),
                metadata: self.context.application.offset_metadata(&meta.offset_metadata_of(self.attempt)),
            }
        };
        let positions: Vec<Position> = self.partitions.iter().map(position).collect();
        self.call(Act::Offsets, |producer| {
            producer.send_offsets(&positions, self.context.member, REQUEST_TIMEOUT)
        })
    }

    fn apply(&mut self) -> Reply {
        let ours = self.partitions.iter().filter(|commit| !self.elsewhere.contains(&commit.partition));
        for commit in ours {
            if let Err(failure) = commit.store.apply(&commit.applied.overlay) {
                error!(
                    partition = commit.partition,
                    error = &failure as &dyn std::error::Error,
                    "committed, and the disk failed"
                );
                self.failure = Some(failure);
                return Reply::Refused;
            }
            self.context.drill.reached(Point::Applied);
        }
        Reply::Done
    }

    fn renew(&mut self) -> Reply {
        match self.producer.renew() {
            Ok(()) => Reply::Done,
            Err(error) => {
                if let Some(held_back) = telemetry::seldom("transaction", "no producer") {
                    warn!(error = &error as &dyn std::error::Error, held_back, "no producer yet");
                }
                Reply::Unclear
            }
        }
    }

    fn read_committed(&mut self) -> Reply {
        self.context.drill.reached(Point::Doubted);
        let partitions: Vec<i32> = self.partitions.iter().map(|commit| commit.partition).collect();
        let committed = match self.context.member.committed(&partitions, ASK_TIMEOUT) {
            Ok(committed) => committed,
            Err(error) => {
                if let Some(held_back) = telemetry::seldom("transaction", "outcome not known") {
                    warn!(%error, held_back, "outcome of the transaction not known yet");
                }
                return Reply::Unclear;
            }
        };
        let found: Vec<(i32, Finding)> = self
            .partitions
            .iter()
            .zip(&committed)
            .map(|(commit, committed)| (commit.partition, self.judge(commit, committed)))
            .collect();
        let elsewhere = found.iter().filter(|(_, finding)| *finding == Finding::OwnedElsewhere);
        self.elsewhere = elsewhere.map(|(partition, _)| *partition).collect();
        let findings: Vec<Finding> = found.iter().map(|(_, finding)| *finding).collect();
        let outcome = doubt_outcome(&findings);
        info!(?outcome, elsewhere = ?self.elsewhere, "doubt resolved");
        metrics::counter!(metric::DOUBTS, "verdict" => outcome.label()).increment(1);
        Reply::Found(outcome)
    }

    fn judge(&self, commit: &PartitionCommit<'_>, committed: &Committed) -> Finding {
        let mark = committed.next.and_then(|_| self.context.application.own_mark(&committed.metadata));
        finding(commit.before, commit.applied.overlay.meta(), self.attempt, mark)
    }

    /// Whether an act that failed is to be tried again. Waits a little where it is.
    fn is_worth_another_try(&mut self) -> bool {
        let since = *self.failing_since.get_or_insert_with(Instant::now);
        let is_ours = self.context.gate.holds_any(self.assignments());
        let again = is_ours && since.elapsed() < PATIENCE && (self.context.keep_trying)();
        if again {
            std::thread::sleep(PAUSE);
        }
        again
    }

    fn carry_out(&mut self, act: Act) -> Reply {
        let drill = self.context.drill;
        match act {
            Act::Renew => self.renew(),
            Act::Begin => self.call(act, Transactional::begin),
            Act::Send => {
                drill.reached(Point::Begun);
                self.send()
            }
            Act::Flush => {
                drill.reached(Point::Sent);
                self.call(act, |producer| producer.flush(FLUSH_TIMEOUT))
            }
            Act::Enter => {
                drill.reached(Point::Flushed);
                self.enter()
            }
            Act::Offsets => self.offsets(),
            Act::Commit => {
                drill.reached(Point::OffsetsSent);
                self.call(act, |producer| producer.commit(COMMIT_TIMEOUT))
            }
            Act::Apply => {
                drill.reached(Point::Committed);
                self.apply()
            }
            Act::Abort => self.call(act, |producer| producer.abort(REQUEST_TIMEOUT)),
            Act::ReadCommitted => self.read_committed(),
        }
    }
}

impl Effects for Commit<'_> {
    fn perform(&mut self, act: Act) -> Option<Reply> {
        (self.context.on_act)(act);
        let reply = self.carry_out(act);
        if reply != Reply::Unclear {
            self.failing_since = None;
            return Some(reply);
        }
        // Only these two acts may be tried again: neither changes what a repetition would find.
        let is_repeatable = matches!(act, Act::Renew | Act::ReadCommitted);
        let gives_up = is_repeatable && !self.is_worth_another_try();
        Some(if gives_up { Reply::GivenUp } else { reply })
    }

    fn leave_gate(&mut self) {
        self.guard = None;
    }
}

impl std::fmt::Debug for Commit<'_> {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Commit").field("partitions", &self.partitions.len()).finish_non_exhaustive()
    }
}

fn send_outputs(
    producer: &Transactional,
    topics: &Topics,
    commit: &PartitionCommit<'_>,
) -> Result<(), PublishError> {
    for output in &commit.applied.outputs {
        let headers: Vec<(&str, &[u8])> =
            output.headers.iter().map(|(name, value)| (*name, value.as_slice())).collect();
        producer.send(&Outgoing {
            topic: topics.name(output.topic),
            partition: Some(commit.partition),
            key: output.key.as_deref(),
            value: output.value.as_deref(),
            headers: &headers,
        })?;
    }
    Ok(())
}

/// Sends the meta last in its changelog, so that a reader who has the meta has everything before it.
fn send_changelogs(
    producer: &Transactional,
    topics: &Topics,
    commit: &PartitionCommit<'_>,
) -> Result<(), PublishError> {
    let overlay = &commit.applied.overlay;
    let send = |topic: Topic, key: &[u8], value: &[u8]| {
        producer.send(&Outgoing {
            topic: topics.name(topic),
            partition: Some(commit.partition),
            key: Some(key),
            value: Some(value),
            headers: &[],
        })
    };
    for (key, value) in overlay.customers() {
        send(Topic::State, &changelog::customer_key(key), value)?;
    }
    send(Topic::Dedupe, changelog::META_KEY, &overlay.chunk().encode(commit.store.formats()))?;
    send(Topic::State, changelog::META_KEY, &changelog::encode_meta(overlay.meta()))
}
