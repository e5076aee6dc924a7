//! How far the group has come, seen from outside.

use std::time::Duration;

use aftersend_tests::wait::{PATIENCE, await_until};
use aftersend_tests::world::World;
use kafka::NextOffset;
use kafka::transaction::Tail;
use schemas::topic::Topic;

/// The processor's consumer group, before the prefix.
const GROUP: &str = "aftersend.processor";
/// What its transactions write to.
const WRITTEN: [Topic; 6] =
    [Topic::Warehouse, Topic::Trait, Topic::Suppression, Topic::DeadLetter, Topic::State, Topic::Dedupe];
/// How long one answer may take: while a transaction is open, there is none.
const ANSWER_MAX: Duration = Duration::from_secs(1);

/// One reader for a whole run.
pub(crate) struct Eye {
    tail: Tail,
    raw: String,
    written: Vec<String>,
    partitions: i32,
}

impl Eye {
    pub(crate) fn new(world: &World) -> Eye {
        let name = |topic| world.topics().name(topic).to_owned();
        Eye {
            tail: Tail::new(&world.broker().connection(), &world.group(GROUP)).expect("a reader can be made"),
            raw: name(Topic::Raw),
            written: WRITTEN.map(name).to_vec(),
            partitions: i32::try_from(world.partitions()).expect("a partition count is small"),
        }
    }

    /// Where raw ends, by partition.
    pub(crate) fn ends(&self) -> Vec<NextOffset> {
        await_until("every partition of raw to tell its end", PATIENCE, || {
            self.partitions().map(|partition| Some(self.tail.extent(&self.raw, partition).ok()?.1)).collect()
        })
    }

    /// Where the group stands, by partition: none where nothing is committed, or nothing told while a transaction is open.
    pub(crate) fn stands(&self) -> Vec<Option<NextOffset>> {
        let committed = |partition| self.tail.committed(&self.raw, partition, ANSWER_MAX);
        self.partitions().map(|partition| committed(partition).ok()?.next).collect()
    }

    /// Partitions that have not come to `ends`, each with where it stands.
    pub(crate) fn behind(&self, ends: &[NextOffset]) -> Vec<(usize, Option<NextOffset>)> {
        let stands = self.stands().into_iter().zip(ends).enumerate();
        let behind =
            stands.filter(|(_, (stands, end))| end.0 > 0 && stands.is_none_or(|stands| stands < **end));
        behind.map(|(partition, (stands, _))| (partition, stands)).collect()
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
