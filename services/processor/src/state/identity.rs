//! Whose state a folder holds.

use serde::{Deserialize, Serialize};

/// Whose state this is. A folder of another cluster or another partition count is refused, never used.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Identity {
    /// Kafka's id of the cluster, where the broker tells one.
    pub cluster: Option<String>,
    /// The input topic.
    pub topic: String,
    /// The partition.
    pub partition: i32,
    /// The input's partition count.
    pub partitions: u32,
}

impl Identity {
    /// Whether a folder of `self` may be used as `wanted`. A cluster that is not known contradicts nothing.
    #[must_use]
    pub fn serves_as(&self, wanted: &Self) -> bool {
        let same_cluster =
            self.cluster.is_none() || wanted.cluster.is_none() || self.cluster == wanted.cluster;
        let place = |of: &Self| (of.topic.clone(), of.partition, of.partitions);
        same_cluster && place(self) == place(wanted)
    }
}
