//! Resets a partition where the processor refuses to continue: an operator gives something up, by name.
//!
//! A reset begins a new [`Incarnation`] of a partition's history. One transaction writes a [`Baseline`] and a
//! meta to the state changelog, an empty chunk to the dedupe changelog, and the group's offset. Disks of the
//! old history are wiped when they are opened next, on whatever machine. The reset is made as the group's
//! only member, so no processor can be at work meanwhile.

use std::time::{Duration, Instant};

use kafka::consumer::Group;
use kafka::transaction::{
    Member, Position, Rebalanced, Tail, TailError, TransactionError, TransactionLimits, Transactional,
};
use kafka::{Cluster, Connection, NextOffset, Outgoing, PublishError};
use schemas::topic::Topic;
use thiserror::Error;
use tracing::info;

use crate::application::Application;
use crate::restore::evidence::{CommittedPosition, Extent};
use crate::settings::Settings;
use crate::state::changelog::{self, Baseline, Chunk, META_KEY, Unreadable};
use crate::state::format::FormatLevel;
use crate::state::meta::Incarnation;

pub mod plan;

use plan::{Facts, Impossible, ResetKind, ResetPlan};

/// How long a request of the protocol may take.
const REQUEST_TIMEOUT: Duration = Duration::from_secs(30);
/// How long an undecided transaction is waited for.
const UNDECIDED_MAX: Duration = Duration::from_secs(60);
/// What a reset may queue or read ahead, in bytes. A reset is a few records.
const QUEUE_BYTES: u64 = 1 << 20;
/// How many records before a changelog's end are searched first for its last meta.
const SEARCHED: i64 = 1_000;

/// A reset could not be made. Partitions that are not reported as done are unchanged.
#[derive(Debug, Error)]
pub enum ResetError {
    /// Kafka failed.
    #[error(transparent)]
    Kafka(#[from] kafka::Error),
    /// A changelog could not be read.
    #[error(transparent)]
    Tail(#[from] TailError),
    /// A changelog record does not read.
    #[error(transparent)]
    Unreadable(#[from] Unreadable),
    /// Processors are at work.
    #[error(
        "group {group} has {members} members: stop every processor, and wait until the sessions of those that were killed are over"
    )]
    Busy {
        /// The group.
        group: String,
        /// How many.
        members: usize,
    },
    /// The group did not give its partitions to this member.
    #[error("group {group} did not hand over its partitions: another member has joined it")]
    NotAlone {
        /// The group.
        group: String,
    },
    /// This kind of reset can't help here.
    #[error("partition {partition} can't be reset so: {why}")]
    Impossible {
        /// The partition.
        partition: i32,
        /// Why.
        why: Impossible,
    },
    /// There is no such partition.
    #[error("there is no partition {partition}: the input has {partitions}")]
    NoPartition {
        /// What was asked for.
        partition: i32,
        /// How many there are.
        partitions: u32,
    },
    /// The transaction of a partition did not go through; those before it did.
    #[error("partition {partition} was not reset: run the command again")]
    Transaction {
        /// The partition.
        partition: i32,
        /// Why.
        #[source]
        source: TransactionError,
    },
    /// A record was not queued.
    #[error("partition {partition} was not reset: run the command again")]
    Output {
        /// The partition.
        partition: i32,
        /// Why.
        #[source]
        source: PublishError,
    },
}

/// Resets of one application.
#[derive(Debug)]
pub struct Resetter<'a> {
    connection: &'a Connection,
    application: Application,
    group: Group,
    partitions: u32,
    tail: Tail,
}

impl<'a> Resetter<'a> {
    /// For the application of `settings` under `prefix`.
    ///
    /// # Errors
    /// Where Kafka can't be used.
    pub fn new(connection: &'a Connection, prefix: &str, settings: &Settings) -> Result<Self, ResetError> {
        let application = Application::new(prefix, settings.application_id.as_ref());
        let input = application.topics().name(Topic::Raw);
        let found = Cluster::connect(connection)?.topic(input)?;
        let found = found.ok_or_else(|| kafka::Error::UnknownTopic { topic: input.to_owned() })?;
        let tail = Tail::new(connection, application.group())?;
        let id = application.group().to_owned();
        let group = Group { id, instance: None, session_timeout: settings.session_timeout };
        Ok(Self { connection, application, group, partitions: found.partitions, tail })
    }

    /// What a reset of `partitions` would do, of all where none is named. Changes nothing.
    ///
    /// # Errors
    /// Where processors are at work, Kafka fails, or this kind of reset can't help.
    pub fn plan(&self, kind: ResetKind, partitions: &[i32]) -> Result<Vec<ResetPlan>, ResetError> {
        self.refuse_members()?;
        let all: Vec<i32> = (0..i32::try_from(self.partitions).unwrap_or(i32::MAX)).collect();
        let wanted = if partitions.is_empty() { all.as_slice() } else { partitions };
        if let Some(partition) = wanted.iter().find(|partition| !all.contains(partition)) {
            return Err(ResetError::NoPartition { partition: *partition, partitions: self.partitions });
        }
        wanted.iter().map(|partition| self.plan_one(kind, *partition)).collect()
    }

    /// Carries out `plans`, one transaction for each, and calls `done` after each.
    ///
    /// # Errors
    /// Where processors are at work, or a transaction doesn't go through. Those before it stand.
    pub fn carry_out(&self, plans: &[ResetPlan], mut done: impl FnMut(&ResetPlan)) -> Result<(), ResetError> {
        self.refuse_members()?;
        let id = self.application.reset_id();
        let limits = TransactionLimits::within(self.group.session_timeout, QUEUE_BYTES);
        let producer = Transactional::init(self.connection, &id, &limits, REQUEST_TIMEOUT)?;
        let member = self.join()?;
        for plan in plans {
            self.commit(&producer, &member, plan)?;
            info!(partition = plan.partition, next = %plan.meta.src_next(), "partition was reset");
            done(plan);
        }
        Ok(())
    }

    fn refuse_members(&self) -> Result<(), ResetError> {
        let members = Cluster::connect(self.connection)?.group_members(&self.group.id)?;
        if members == 0 { Ok(()) } else { Err(ResetError::Busy { group: self.group.id.clone(), members }) }
    }

    /// Becomes the group's only member. Its generation keeps every other member out.
    fn join(&self) -> Result<Member, ResetError> {
        let member = Member::join(
            self.connection,
            &self.group,
            self.application.topics().name(Topic::Raw),
            QUEUE_BYTES,
        )?;
        let deadline = Instant::now() + self.group.session_timeout + REQUEST_TIMEOUT;
        while Instant::now() < deadline {
            match member.poll(Duration::from_millis(100))?.last() {
                None => {}
                Some(Rebalanced::Assigned(came)) if came.len() == self.partitions as usize => {
                    return Ok(member);
                }
                Some(_) => break,
            }
        }
        Err(ResetError::NotAlone { group: self.group.id.clone() })
    }

    fn plan_one(&self, kind: ResetKind, partition: i32) -> Result<ResetPlan, ResetError> {
        let extent = |topic| -> Result<Extent, ResetError> {
            let name = self.application.topics().name(topic);
            let (first, end) = self.tail.extent(name, partition)?;
            self.tail.await_decided(name, partition, end, UNDECIDED_MAX, &|| false)?;
            Ok(Extent { first, end })
        };
        let committed =
            self.tail.committed(self.application.topics().name(Topic::Raw), partition, UNDECIDED_MAX)?;
        let (input, state, dedupe) = (extent(Topic::Raw)?, extent(Topic::State)?, extent(Topic::Dedupe)?);
        let meta = self.last(Topic::State, partition, state, |key, value| {
            if key == META_KEY { changelog::decode_meta(value).map(Some) } else { Ok(None) }
        })?;
        let last_chunk = self.last(Topic::Dedupe, partition, dedupe, |_, value| {
            Chunk::decode(value).map(|chunk| Some(chunk.meta))
        })?;
        let mark = self.application.read_mark(&committed.metadata);
        let committed = committed.next.map(|next| CommittedPosition { next, mark });
        let before_ms = match &meta {
            Some(meta) => {
                let name = self.application.topics().name(Topic::Raw);
                let before = self.tail.before(name, partition, meta.src_next(), &|| false)?;
                before.map(|record| record.timestamp_ms)
            }
            None => None,
        };
        let facts = Facts { partition, committed, input, dedupe, meta, last_chunk, before_ms };
        plan::plan(kind, &facts, Incarnation::new(rand::random()))
            .map_err(|why| ResetError::Impossible { partition, why })
    }

    /// The last value that `read` finds in a changelog, searched from its end.
    fn last<T>(
        &self,
        topic: Topic,
        partition: i32,
        extent: Extent,
        read: impl Fn(&[u8], &[u8]) -> Result<Option<T>, Unreadable>,
    ) -> Result<Option<T>, ResetError> {
        let mut searched = SEARCHED;
        loop {
            let from = NextOffset(extent.end.0.saturating_sub(searched)).max(extent.first);
            let mut last = None;
            if from < extent.end {
                self.tail.replay::<ResetError>(
                    self.application.topics().name(topic),
                    partition,
                    from,
                    &|| false,
                    |record| {
                        let (key, value) = (record.key.unwrap_or_default(), record.value.unwrap_or_default());
                        if let Some(found) = read(&key, &value)? {
                            last = Some(found);
                        }
                        Ok(())
                    },
                )?;
            }
            if last.is_some() || from <= extent.first {
                return Ok(last);
            }
            searched = searched.saturating_mul(10);
        }
    }

    fn commit(&self, producer: &Transactional, member: &Member, plan: &ResetPlan) -> Result<(), ResetError> {
        let partition = plan.partition;
        let refused = |source| ResetError::Transaction { partition, source };
        producer.begin().map_err(refused)?;
        let records = [
            (Topic::State, changelog::BASELINE_KEY, Baseline::encode(&plan.baseline)),
            (Topic::Dedupe, META_KEY, plan.chunk().encode(FormatLevel::FIRST)),
            (Topic::State, META_KEY, changelog::encode_meta(&plan.meta)),
        ];
        for (topic, key, value) in &records {
            let topic = self.application.topics().name(*topic);
            let record = Outgoing {
                topic,
                partition: Some(partition),
                key: Some(key),
                value: Some(value),
                headers: &[],
            };
            producer.send(&record).map_err(|source| ResetError::Output { partition, source })?;
        }
        producer.flush(REQUEST_TIMEOUT).map_err(refused)?;
        let metadata = self.application.offset_metadata(&plan.meta.offset_metadata());
        let position = Position { partition, next: plan.meta.src_next(), metadata };
        producer.send_offsets(&[position], member, REQUEST_TIMEOUT).map_err(refused)?;
        producer.commit(REQUEST_TIMEOUT).map_err(refused)
    }
}
