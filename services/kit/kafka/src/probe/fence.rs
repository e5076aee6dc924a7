//! Who may no longer write: members that lost their place, and producers that were succeeded.

use std::time::{Duration, Instant};

use rdkafka::consumer::{BaseConsumer, Consumer as _, ConsumerGroupMetadata};
use rdkafka::error::{KafkaError, RDKafkaErrorCode};
use rdkafka::producer::Producer as _;

use super::claim::Tried;
use super::site::{PATIENCE, Producer, Site};
use super::{offset, record};
use crate::error::code_name;
use crate::{Error, NextOffset};

/// What the broker says of an older generation; the second where the group follows KIP-848.
pub(super) const GENERATION: &[RDKafkaErrorCode] =
    &[RDKafkaErrorCode::IllegalGeneration, RDKafkaErrorCode::StaleMemberEpoch];
/// What the broker says of a member whose instance id is another's now.
pub(super) const INSTANCE: &[RDKafkaErrorCode] = &[RDKafkaErrorCode::FencedInstanceId];
/// What the broker says of a producer whose transactional id is another's now.
const PRODUCER: &[RDKafkaErrorCode] =
    &[RDKafkaErrorCode::Fenced, RDKafkaErrorCode::ProducerFenced, RDKafkaErrorCode::InvalidProducerEpoch];
/// The name, behind the probe's own, of the producer that is succeeded, and of its successor.
pub(super) const SAME: &str = "succeeded";
/// Between two looks at who is in.
const POLL_WAIT: Duration = Duration::from_millis(20);

/// The group's members.
pub(super) struct Members<'a> {
    instance: Option<&'a str>,
    all: Vec<BaseConsumer>,
}

impl<'a> Members<'a> {
    /// One member, which has all partitions.
    pub(super) fn join(site: &Site<'_>, instance: Option<&'a str>) -> Result<Self, Error> {
        let members = Self { instance, all: vec![site.member(instance)?] };
        members.settle().map(|()| members)
    }

    /// How the first member stands in the group now, to be shown to the broker then or later.
    pub(super) fn metadata(&self) -> Result<ConsumerGroupMetadata, Error> {
        let metadata = self.all.first().and_then(BaseConsumer::group_metadata);
        metadata.ok_or(Error::Fatal { code: "NoGroup" })
    }

    /// A second member joins, which makes a generation.
    pub(super) fn add(&mut self, site: &Site<'_>) -> Result<(), Error> {
        self.all.push(site.member(Some("second"))?);
        self.settle()
    }

    /// Another process takes the first one's instance id.
    pub(super) fn replace(&mut self, site: &Site<'_>) -> Result<(), Error> {
        let heir = site.member(self.instance)?;
        let replaced = self.all.first_mut().map(|first| std::mem::replace(first, heir));
        let settled = self.settle();
        // Only now: it knows nothing yet, and must not leave in good order.
        drop(replaced);
        settled
    }

    /// Polls all of them until each has a partition.
    fn settle(&self) -> Result<(), Error> {
        let began = Instant::now();
        let has_partition = |member: &BaseConsumer| {
            // Records and passing errors are of no interest here.
            let _ = member.poll(POLL_WAIT);
            member.assignment().is_ok_and(|assigned| assigned.count() > 0)
        };
        // Each is polled, also behind one that has none: a rebalance waits for all.
        while self.all.iter().filter(|member| has_partition(member)).count() < self.all.len() {
            if began.elapsed() > PATIENCE {
                return Err(Error::of(
                    "join the group",
                    KafkaError::Global(RDKafkaErrorCode::OperationTimedOut),
                ));
            }
        }
        Ok(())
    }
}

/// Whether the broker refuses offsets in the name of `member`, and for this reason.
pub(super) fn is_refused(
    site: &Site<'_>,
    producer: &Producer,
    member: &ConsumerGroupMetadata,
    reasons: &[RDKafkaErrorCode],
) -> Result<Tried, Error> {
    offset::begin(producer)?;
    let answer = offset::send(site, producer, member, (NextOffset(9), "of the past"));
    offset::abort(producer)?;
    Ok(refused(answer, reasons))
}

/// Whether a second producer, under `id`, ends the first one's transaction and its rights.
pub(super) fn successor_fences(site: &Site<'_>, id: &str) -> Result<Tried, Error> {
    let named = |id: &str| format!("{}.{id}", site.names.transactional);
    let first = site.producer(&named(SAME))?;
    offset::begin(&first)?;
    site.write(&first, record::FENCED)?;
    let _second = site.producer(&named(id))?;
    let fenced = refused(first.commit_transaction(PATIENCE), PRODUCER);
    let hidden = record::only_committed(site, record::FENCED)?;
    Ok(fenced.and(&hidden))
}

fn refused(answer: Result<(), KafkaError>, reasons: &[RDKafkaErrorCode]) -> Tried {
    match answer.map_err(|error| code_of(&error)) {
        Ok(()) => Tried::new(false, "taken"),
        Err(Some(code)) if reasons.contains(&code) => {
            Tried::new(true, format!("refused: {}", code_name(code)))
        }
        Err(code) => {
            Tried::unknown(format!("refused for another reason: {}", code.map_or("client", code_name)))
        }
    }
}

fn code_of(error: &KafkaError) -> Option<RDKafkaErrorCode> {
    match error {
        KafkaError::Transaction(inner) => Some(inner.code()),
        other => other.rdkafka_error_code(),
    }
}
