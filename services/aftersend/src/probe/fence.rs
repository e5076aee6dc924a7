//! Clients that may no longer write: members that lost their place, and producers that were replaced.

use std::time::{Duration, Instant};

use anyhow::{Context as _, bail};
use kafka::trial::{Membership, TrialMember, TrialProducer};
use kafka::{Error, NextOffset};

use super::claim::ProbeOutcome;
use super::offset::{self, TrialOffset};
use super::record;
use super::resource::{ANSWER_MAX, Resources};

/// Answers to a member of an older generation; the second in a group that follows KIP-848.
pub(super) const GENERATION: &[&str] = &["IllegalGeneration", "StaleMemberEpoch"];
/// Answer to a member whose instance id belongs to another member now.
pub(super) const INSTANCE: &[&str] = &["FencedInstanceId"];
/// Answers to a producer whose transactional id belongs to another producer now.
const PRODUCER: &[&str] = &["Fenced", "ProducerFenced", "InvalidProducerEpoch"];
/// The end of the transactional id of the producer that is replaced, and of its successor.
pub(super) const SAME: &str = "succeeded";
/// Time between two looks at which members have a partition.
const POLL_WAIT: Duration = Duration::from_millis(20);

/// The group's members.
pub(super) struct Members<'a> {
    instance: Option<&'a str>,
    all: Vec<TrialMember>,
}

impl<'a> Members<'a> {
    /// One member, which has all partitions.
    pub(super) fn join(resources: &Resources<'_>, instance: Option<&'a str>) -> anyhow::Result<Self> {
        let members = Self { instance, all: vec![resources.member(instance)?] };
        members.await_partitions().map(|()| members)
    }

    /// The first member's place in the group now, to be shown to the broker now or later.
    pub(super) fn membership(&self) -> anyhow::Result<Membership> {
        self.all.first().and_then(TrialMember::membership).context("the member has no place in its group")
    }

    /// Adds a second member, which starts a new generation of the group.
    pub(super) fn add(&mut self, resources: &Resources<'_>) -> anyhow::Result<()> {
        self.all.push(resources.member(Some("second"))?);
        self.await_partitions()
    }

    /// Adds a member that takes the first one's instance id, and stops the first one.
    pub(super) fn replace(&mut self, resources: &Resources<'_>) -> anyhow::Result<()> {
        let successor = resources.member(self.instance)?;
        let replaced = self.all.first_mut().map(|first| std::mem::replace(first, successor));
        let awaited = self.await_partitions();
        // Dropped only now: the replaced member must not leave the group in good order.
        drop(replaced);
        awaited
    }

    /// Polls all members until each has a partition.
    fn await_partitions(&self) -> anyhow::Result<()> {
        let began = Instant::now();
        // Each member is polled, also after one without a partition: a rebalance waits for all of them.
        while self.all.iter().filter(|member| member.poll_for_partition(POLL_WAIT)).count() < self.all.len() {
            if began.elapsed() > ANSWER_MAX {
                bail!("kafka failed to join the group (OperationTimedOut)");
            }
        }
        Ok(())
    }
}

/// Whether the broker refuses offsets in the name of `member`, for one of these reasons.
pub(super) fn is_refused(
    resources: &Resources<'_>,
    producer: &TrialProducer,
    member: &Membership,
    reasons: &[&str],
) -> anyhow::Result<ProbeOutcome> {
    producer.begin()?;
    let offset = TrialOffset { next: NextOffset(9), metadata: "of the past" };
    let answer = offset::send(resources, producer, member, offset);
    producer.abort()?;
    Ok(refused(answer, reasons))
}

/// Whether a second producer, under `id`, ends the first one's transaction and its right to write.
pub(super) fn successor_fences(resources: &Resources<'_>, id: &str) -> anyhow::Result<ProbeOutcome> {
    let named = |id: &str| format!("{}.{id}", resources.names.transactional);
    let first = resources.producer(&named(SAME))?;
    first.begin()?;
    resources.write(&first, record::FENCED)?;
    let _second = resources.producer(&named(id))?;
    let fenced = refused(first.commit(), PRODUCER);
    let hidden = record::only_committed(resources, record::FENCED)?;
    Ok(fenced.and(&hidden))
}

fn refused(answer: Result<(), Error>, reasons: &[&str]) -> ProbeOutcome {
    let Err(error) = answer else { return ProbeOutcome::new(false, "accepted") };
    match error.code() {
        Some(code) if reasons.contains(&code) => ProbeOutcome::new(true, format!("refused: {code}")),
        code => {
            let code = code.unwrap_or("client");
            ProbeOutcome::unknown(format!("refused for another reason: {code}"))
        }
    }
}
