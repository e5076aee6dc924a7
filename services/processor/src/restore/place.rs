use std::path::PathBuf;
use std::time::Duration;

use kafka::Cluster;
use schemas::topic::{Topic, Topics};
use tracing::{info, warn};

use super::RestoreError;
use super::judgement::Refusal;
use crate::domain::window::Window;
use crate::state::identity::{Identity, Log, Origin};

/// For how long tombstones stay where a topic does not say: Kafka's default.
const TOMBSTONES_KEPT: Duration = Duration::from_hours(24);

/// Where the partitions of one topology lie.
#[derive(Debug, Clone)]
pub(crate) struct Place {
    pub(crate) folder: PathBuf,
    pub(crate) cluster: Option<String>,
    pub(crate) partitions: u32,
    pub(crate) window: Window,
    pub(crate) input: String,
    pub(crate) state: String,
    pub(crate) dedupe: String,
    /// The topics' ids, where the broker tells them.
    pub(crate) origin: Origin,
    /// For how long the state changelog keeps tombstones.
    pub(crate) tombstones_kept: Duration,
    /// Partitions restored at the same time.
    pub(crate) threads: usize,
}

impl Place {
    /// Asks the cluster for what it knows of the topics.
    ///
    /// # Errors
    /// Where no broker answers.
    pub(crate) fn look(
        cluster: &Cluster,
        cluster_id: Option<String>,
        topics: &Topics,
        (folder, partitions, window, threads): (PathBuf, u32, Window, usize),
    ) -> Result<Self, kafka::Error> {
        let name = |topic| topics.name(topic).to_owned();
        let [input, state, dedupe] = [Topic::Raw, Topic::State, Topic::Dedupe].map(name);
        let origin = origin(cluster, [&input, &state, &dedupe])?;
        let kept = cluster.settings(&state)?.into_iter().find(|(key, _)| key == "delete.retention.ms");
        let kept = kept.and_then(|(_, millis)| millis.parse().ok()).map(Duration::from_millis);
        let tombstones_kept = kept.unwrap_or(TOMBSTONES_KEPT);
        Ok(Self {
            folder,
            cluster: cluster_id,
            partitions,
            window,
            input,
            state,
            dedupe,
            origin,
            tombstones_kept,
            threads,
        })
    }

    pub(super) fn identity(&self, partition: i32) -> Identity {
        Identity {
            cluster: self.cluster.clone(),
            topic: self.input.clone(),
            partition,
            partitions: self.partitions,
            origin: self.origin,
        }
    }

    pub(super) fn topic(&self, log: Log) -> &str {
        match log {
            Log::Input => &self.input,
            Log::State => &self.state,
            Log::Dedupe => &self.dedupe,
        }
    }

    pub(super) fn refused(&self, partition: i32, why: Refusal) -> RestoreError {
        RestoreError::Refused { topic: self.topic(why.log()).to_owned(), partition, why }
    }
}

/// A broker without topic ids is accepted: a topic made anew is told by its offsets then, as long as they are fewer.
fn origin(cluster: &Cluster, topics: [&str; 3]) -> Result<Origin, kafka::Error> {
    let ids = match cluster.topic_ids(&topics) {
        Ok(ids) => ids,
        Err(kafka::Error::Failed { code, .. }) => {
            warn!(code, "topic ids not told");
            return Ok(Origin::default());
        }
        Err(error) => return Err(error),
    };
    let id = |at: usize| ids.get(at).copied().flatten();
    let origin = Origin::new(id(0), id(1), id(2));
    if !origin.is_known() {
        info!(
            "the broker tells no topic ids: a topic that is deleted and made anew is told by its offsets only"
        );
    }
    Ok(origin)
}
