//! How far the consumer group has come, read from outside.

use std::time::Duration;

use aftersend_tests::deployment::Deployment;
use aftersend_tests::wait::{PATIENCE, await_until};
use kafka::NextOffset;
use kafka::transaction::Tail;
use schemas::topic::Topic;

/// The processor's consumer group, before the prefix.
const GROUP: &str = "aftersend.processor";
/// What its transactions write to.
const WRITTEN: [Topic; 6] =
    [Topic::Warehouse, Topic::Trait, Topic::Suppression, Topic::DeadLetter, Topic::State, Topic::Dedupe];
/// How long one answer may take. While a transaction is open, the broker does not answer.
const ANSWER_MAX: Duration = Duration::from_secs(1);

/// One reader for a whole run.
pub(crate) struct GroupProgress {
    tail: Tail,
    raw: String,
    written: Vec<String>,
    partitions: i32,
}

impl GroupProgress {
    pub(crate) fn new(deployment: &Deployment) -> GroupProgress {
        let name = |topic| deployment.topics().name(topic).to_owned();
        GroupProgress {
            tail: Tail::new(&deployment.broker().connection(), &deployment.group(GROUP))
                .expect("a reader can be made"),
            raw: name(Topic::Raw),
            written: WRITTEN.map(name).to_vec(),
            partitions: i32::try_from(deployment.partitions()).expect("a partition count is small"),
        }
    }

    /// Where raw ends, by partition.
    pub(crate) fn ends(&self) -> Vec<NextOffset> {
        await_until("the end of every partition of raw", PATIENCE, || {
            self.partitions().map(|partition| Some(self.tail.extent(&self.raw, partition).ok()?.1)).collect()
        })
    }

    /// The group's committed positions, by partition. `None` if nothing is committed, or a transaction is
    /// open.
    pub(crate) fn positions(&self) -> Vec<Option<NextOffset>> {
        let committed = |partition| self.tail.committed(&self.raw, partition, ANSWER_MAX);
        self.partitions().map(|partition| committed(partition).ok()?.next).collect()
    }

    /// Partitions that have not reached `ends`, each with its position.
    pub(crate) fn behind(&self, ends: &[NextOffset]) -> Vec<(usize, Option<NextOffset>)> {
        let mut behind = Vec::new();
        for (partition, (position, end)) in self.positions().into_iter().zip(ends).enumerate() {
            if end.0 > 0 && position.is_none_or(|position| position < *end) {
                behind.push((partition, position));
            }
        }
        behind
    }

    /// Whether a transaction is open on what processors write: records are in the log, and not decided.
    pub(crate) fn sees_open_transaction(&self) -> bool {
        let is_open = |topic: &String, partition| {
            let (end, stable) = (self.tail.extent(topic, partition), self.tail.stable_end(topic, partition));
            !matches!((end, stable), (Ok((_, high)), Ok(stable)) if stable >= high)
        };
        self.written.iter().any(|topic| self.partitions().any(|partition| is_open(topic, partition)))
    }

    fn partitions(&self) -> std::ops::Range<i32> {
        0..self.partitions
    }
}
