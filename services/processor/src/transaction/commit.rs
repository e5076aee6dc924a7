//! What each act of the [`protocol`](super::protocol) does to Kafka and to the disk.

use std::collections::BTreeSet;
use std::time::{Duration, Instant};

use kafka::transaction::{Committed, Member, Position, Refusal, Transactional};
use kafka::{Outgoing, PublishError};
use schemas::topic::{Topic, Topics};
use tracing::{error, info, warn};

use super::assignment::{Assignment, Epoch, Inside};
use super::drill::{Drill, Point};
use super::producer::{Contest, Producer};
use super::protocol::{Act, Effects, Finding, Reply, finding, verdict};
use super::step::Step;
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
/// How long a producer, and an answer to a doubt, are asked for before the session starts over.
const PATIENCE: Duration = Duration::from_mins(2);
/// How long one question for committed positions may take: while the doubt is undecided, it is not answered.
const ASK_TIMEOUT: Duration = Duration::from_secs(3);
/// Between two tries.
const PAUSE: Duration = Duration::from_millis(200);

/// A partition's share of the transaction, and where it goes after the commit.
#[derive(Debug)]
pub struct Share<'a> {
    /// The partition.
    pub partition: i32,
    /// Which holding of it.
    pub epoch: Epoch,
    /// Where it stands before the transaction.
    pub before: &'a Meta,
    /// What is to be committed.
    pub step: &'a Step,
    /// The partition's disk.
    pub store: &'a PartitionStore,
}

/// What a transaction works with besides its shares.
#[derive(Clone, Copy)]
pub struct Means<'a> {
    /// The group's member.
    pub member: &'a Member,
    /// Topic names.
    pub topics: &'a Topics,
    /// What is ours, and the gate.
    pub assignment: &'a Assignment,
    /// Who else claims our place.
    pub contest: &'a Contest,
    /// A crash drill, or none.
    pub drill: &'a Drill,
    /// Is told of every act before it begins; answers whether to go on trying what fails.
    pub watch: &'a dyn Fn(Act) -> bool,
}

impl std::fmt::Debug for Means<'_> {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Means").field("member", self.member).finish_non_exhaustive()
    }
}

/// One transaction, on the real thing.
pub struct Commit<'a> {
    means: Means<'a>,
    producer: &'a mut Producer,
    shares: &'a [Share<'a>],
    /// Told in the committed offset's metadata, so that this transaction is told from any other of the same number.
    attempt: u64,
    inside: Option<Inside<'a>>,
    /// When the first try failed of what is tried again.
    failing_since: Option<Instant>,
    /// Partitions that were found to be somebody else's.
    pub elsewhere: BTreeSet<i32>,
    /// Why the disk failed, where it did.
    pub failure: Option<StoreError>,
}

impl<'a> Commit<'a> {
    /// A transaction of `shares`, which must not be empty.
    pub fn new(means: Means<'a>, producer: &'a mut Producer, shares: &'a [Share<'a>]) -> Self {
        let (inside, failing_since, elsewhere, failure) = Default::default();
        let attempt = rand::random();
        Self { means, producer, shares, attempt, inside, failing_since, elsewhere, failure }
    }

    fn holdings(&self) -> impl Iterator<Item = (i32, Epoch)> {
        self.shares.iter().map(|share| (share.partition, share.epoch))
    }

    /// Calls the producer, and reads its refusal as a reply.
    fn call(&self, act: Act, call: impl FnOnce(&Transactional) -> Result<(), Refusal>) -> Reply {
        let Some(producer) = self.producer.current() else { return Reply::Unusable };
        let Err(refusal) = call(producer) else { return Reply::Done };
        warn!(?act, %refusal, "transaction does not go on");
        match refusal {
            Refusal::Abort { .. } => Reply::Refused,
            Refusal::InDoubt { .. } => Reply::Unclear,
            Refusal::Unusable { .. } => Reply::Unusable,
            Refusal::Fenced { .. } => {
                self.means.contest.fenced();
                Reply::Unusable
            }
        }
    }

    fn send(&self) -> Reply {
        let Some(producer) = self.producer.current() else { return Reply::Unusable };
        let sent = self.shares.iter().try_for_each(|share| {
            send_outputs(producer, self.means.topics, share)?;
            send_changelogs(producer, self.means.topics, share)
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
        self.inside = self.means.assignment.enter(self.holdings());
        if self.inside.is_some() { Reply::Done } else { Reply::Refused }
    }

    fn offsets(&self) -> Reply {
        let position = |share: &Share<'_>| {
            let meta = share.step.overlay.meta();
            Position {
                partition: share.partition,
                next: meta.src_next(),
                metadata: meta.offset_metadata_of(self.attempt),
            }
        };
        let positions: Vec<Position> = self.shares.iter().map(position).collect();
        self.call(Act::Offsets, |producer| {
            producer.send_offsets(&positions, self.means.member, REQUEST_TIMEOUT)
        })
    }

    fn apply(&mut self) -> Reply {
        for share in self.shares.iter().filter(|share| !self.elsewhere.contains(&share.partition)) {
            if let Err(failure) = share.store.apply(&share.step.overlay) {
                error!(
                    partition = share.partition,
                    error = &failure as &dyn std::error::Error,
                    "committed, and the disk failed"
                );
                self.failure = Some(failure);
                return Reply::Refused;
            }
            self.means.drill.reached(Point::Applied);
        }
        Reply::Done
    }

    fn renew(&mut self) -> Reply {
        match self.producer.renew() {
            Ok(()) => Reply::Done,
            Err(error) => {
                warn!(error = &error as &dyn std::error::Error, "no producer yet");
                Reply::Unclear
            }
        }
    }

    fn ask(&mut self) -> Reply {
        self.means.drill.reached(Point::Doubted);
        let partitions: Vec<i32> = self.shares.iter().map(|share| share.partition).collect();
        let committed = match self.means.member.committed(&partitions, ASK_TIMEOUT) {
            Ok(committed) => committed,
            Err(error) => {
                warn!(%error, "outcome of the transaction not told yet");
                return Reply::Unclear;
            }
        };
        let findings: Vec<Finding> = self
            .shares
            .iter()
            .zip(&committed)
            .map(|(share, committed)| self.found(share, committed))
            .collect();
        let elsewhere =
            self.shares.iter().zip(&findings).filter(|(_, finding)| **finding == Finding::Elsewhere);
        self.elsewhere = elsewhere.map(|(share, _)| share.partition).collect();
        let verdict = verdict(&findings);
        info!(?verdict, elsewhere = ?self.elsewhere, "doubt resolved");
        metrics::counter!(metric::DOUBTS, "verdict" => format!("{verdict:?}").to_lowercase()).increment(1);
        Reply::Found(verdict)
    }

    fn found(&self, share: &Share<'_>, committed: &Committed) -> Finding {
        let text = committed.next.is_some().then_some(committed.metadata.as_str());
        finding(share.before, share.step.overlay.meta(), self.attempt, text)
    }

    /// Whether what failed is to be tried again. Waits a little where it is.
    fn is_worth_another_try(&mut self, act: Act) -> bool {
        let since = *self.failing_since.get_or_insert_with(Instant::now);
        let ours = self.means.assignment.holds_any(self.holdings());
        let again = ours && since.elapsed() < PATIENCE && (self.means.watch)(act);
        if again {
            std::thread::sleep(PAUSE);
        }
        again
    }
}

impl Effects for Commit<'_> {
    fn perform(&mut self, act: Act) -> Reply {
        (self.means.watch)(act);
        let drill = self.means.drill;
        let reply = match act {
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
            Act::Ask => self.ask(),
        };
        match (act, reply) {
            (Act::Renew | Act::Ask, Reply::Unclear) if !self.is_worth_another_try(act) => Reply::GivenUp,
            (_, Reply::Unclear) => reply,
            _ => {
                self.failing_since = None;
                reply
            }
        }
    }

    fn leave_gate(&mut self) {
        self.inside = None;
    }
}

impl std::fmt::Debug for Commit<'_> {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Commit").field("shares", &self.shares.len()).finish_non_exhaustive()
    }
}

fn send_outputs(producer: &Transactional, topics: &Topics, share: &Share<'_>) -> Result<(), PublishError> {
    for output in &share.step.outputs {
        let headers: Vec<(&str, &[u8])> =
            output.headers.iter().map(|(name, value)| (*name, value.as_slice())).collect();
        producer.send(&Outgoing {
            topic: topics.name(output.topic),
            partition: Some(share.partition),
            key: output.key.as_deref(),
            value: output.value.as_deref(),
            headers: &headers,
        })?;
    }
    Ok(())
}

/// The meta comes last in its changelog: a reader that has it has everything before it.
fn send_changelogs(producer: &Transactional, topics: &Topics, share: &Share<'_>) -> Result<(), PublishError> {
    let overlay = &share.step.overlay;
    let send = |topic: Topic, key: &[u8], value: &[u8]| {
        let (topic, partition) = (topics.name(topic), Some(share.partition));
        producer.send(&Outgoing { topic, partition, key: Some(key), value: Some(value), headers: &[] })
    };
    for (key, value) in overlay.customers() {
        send(Topic::State, &changelog::customer_key(key), value)?;
    }
    send(Topic::Dedupe, changelog::META_KEY, &overlay.chunk().encode())?;
    send(Topic::State, changelog::META_KEY, &changelog::encode_meta(overlay.meta()))
}
