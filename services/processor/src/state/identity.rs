//! Which cluster, topic and partition a store belongs to.

use kafka::TopicId;
use serde::{Deserialize, Serialize};

use super::format::FormatLevel;
use super::format::stored::Stored;

/// Which cluster, topic and partition a store belongs to.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct StoreIdentity {
    /// Kafka's id of the cluster, where the broker reports one.
    pub cluster: Option<String>,
    /// The input topic, with the application's id behind it where that is not the default application.
    pub topic: String,
    /// The partition.
    pub partition: i32,
    /// The input's partition count.
    pub partitions: u32,
    /// The topics that it was made from, where the broker reports their ids.
    pub origin: Origin,
}

/// The topics that a state is made from. A topic that was deleted and created again has the same name, and
/// none of the old records.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct Origin {
    input: Option<[u8; 16]>,
    state: Option<[u8; 16]>,
    dedupe: Option<[u8; 16]>,
}

/// A log that a state is made from.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum Log {
    /// The input.
    Input,
    /// The changelog of customers.
    State,
    /// The changelog of ids.
    Dedupe,
}

/// How a store's identity compares with the wanted one.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Fit {
    /// The same, as far as both are known.
    Same,
    /// The same place, but this topic was deleted and created again since.
    Recreated(Log),
    /// Another cluster, topic, partition or partition count.
    Foreign,
}

impl Origin {
    /// The ids of the three topics. An unknown id (`None`) contradicts nothing.
    #[must_use]
    pub fn new(input: Option<TopicId>, state: Option<TopicId>, dedupe: Option<TopicId>) -> Self {
        let bytes = |id: Option<TopicId>| id.map(|id| id.0);
        Self { input: bytes(input), state: bytes(state), dedupe: bytes(dedupe) }
    }

    /// Whether every id is known.
    #[must_use]
    pub fn is_known(&self) -> bool {
        self.ids().iter().all(|(_, id)| id.is_some())
    }

    fn ids(&self) -> [(Log, Option<[u8; 16]>); 3] {
        [(Log::Input, self.input), (Log::State, self.state), (Log::Dedupe, self.dedupe)]
    }
}

impl StoreIdentity {
    /// Whether a store of `self` may be used as `wanted`. What is unknown contradicts nothing.
    #[must_use]
    pub fn fits(&self, wanted: &Self) -> Fit {
        let place = |of: &Self| (of.topic.clone(), of.partition, of.partitions);
        if place(self) != place(wanted) || contradict(self.cluster.as_ref(), wanted.cluster.as_ref()) {
            return Fit::Foreign;
        }
        let both = self.origin.ids().into_iter().zip(wanted.origin.ids());
        let anew = both.filter(|((_, had), (_, has))| contradict(had.as_ref(), has.as_ref()));
        anew.map(|((log, _), _)| Fit::Recreated(log)).next().unwrap_or(Fit::Same)
    }

    /// `self`, completed by what only `other` knows.
    #[must_use]
    pub fn completed_by(&self, other: &Self) -> Self {
        let origin = Origin {
            input: self.origin.input.or(other.origin.input),
            state: self.origin.state.or(other.origin.state),
            dedupe: self.origin.dedupe.or(other.origin.dedupe),
        };
        Self { cluster: self.cluster.clone().or_else(|| other.cluster.clone()), origin, ..self.clone() }
    }
}

impl Stored for StoreIdentity {
    const WHAT: &'static str = "identity of a disk";
    // Bytes without a format byte begin with 0 or 1: whether the cluster is known.
    const FORMAT: u8 = 3;
    const TAGGED_FROM: FormatLevel = FormatLevel::TAGGED;
}

fn contradict<T: PartialEq>(one: Option<&T>, other: Option<&T>) -> bool {
    matches!((one, other), (Some(one), Some(other)) if one != other)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn identity(cluster: Option<&str>, ids: [Option<u8>; 3]) -> StoreIdentity {
        let [input, state, dedupe] = ids.map(|id| id.map(|id| TopicId([id; 16])));
        let origin = Origin::new(input, state, dedupe);
        let cluster = cluster.map(str::to_owned);
        StoreIdentity { cluster, topic: "raw".to_owned(), partition: 1, partitions: 3, origin }
    }

    #[test]
    fn each_log_that_was_created_again_is_named_and_what_is_unknown_contradicts_nothing() {
        let known = identity(Some("c1"), [Some(1), Some(2), Some(3)]);
        let unknown = identity(None, [None, None, None]);
        assert_eq!(
            (known.fits(&known), known.fits(&unknown), unknown.fits(&known)),
            (Fit::Same, Fit::Same, Fit::Same)
        );
        for (ids, log) in [([9, 2, 3], Log::Input), ([1, 9, 3], Log::State), ([1, 2, 9], Log::Dedupe)] {
            assert_eq!(known.fits(&identity(Some("c1"), ids.map(Some))), Fit::Recreated(log));
        }
        assert_eq!(known.fits(&identity(Some("c2"), [Some(9), Some(2), Some(3)])), Fit::Foreign);
        assert_eq!(known.fits(&StoreIdentity { partitions: 4, ..known.clone() }), Fit::Foreign);
        assert_eq!(known.fits(&StoreIdentity { partition: 2, ..known.clone() }), Fit::Foreign);
        assert_eq!(known.fits(&StoreIdentity { topic: "other".to_owned(), ..known.clone() }), Fit::Foreign);
    }

    /// A broker that learns ids later must not let an older folder pass for ever.
    #[test]
    fn what_is_learnt_is_kept_and_what_is_known_is_never_replaced() {
        let known = identity(Some("c1"), [Some(1), None, Some(3)]);
        let other = identity(Some("c2"), [Some(9), Some(2), Some(9)]);
        assert_eq!(known.completed_by(&other), identity(Some("c1"), [Some(1), Some(2), Some(3)]));
    }
}
