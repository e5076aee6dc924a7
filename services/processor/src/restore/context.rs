//! Where partitions are restored to, and from which topics.

use std::path::PathBuf;
use std::time::Duration;

use kafka::transaction::Tail;
use kafka::{Cluster, TopicId};
use schemas::topic::Topic;
use tracing::{info, warn};

use super::RestoreError;
use super::error::Refusal;
use crate::application::Application;
use crate::domain::time::window::Window;
use crate::state::identity::{Log, Origin, StoreIdentity};

/// How long tombstones are kept where the topic does not say. This is Kafka's default.
const TOMBSTONES_KEPT: Duration = Duration::from_hours(24);

/// What a restore needs to know about this process.
#[derive(Debug, Clone)]
pub(crate) struct RestoreLayout {
    /// The folder of the stores.
    pub(crate) folder: PathBuf,
    /// The input's partition count.
    pub(crate) partitions: u32,
    /// The dedupe window.
    pub(crate) window: Window,
    /// Partitions that are restored at the same time.
    pub(crate) threads: usize,
}

/// Where partitions are restored to, and from which topics.
#[derive(Debug, Clone)]
pub(crate) struct RestoreContext {
    pub(crate) layout: RestoreLayout,
    /// Whose state this is.
    pub(crate) application: Application,
    /// Kafka's id of the cluster, where the broker reports one.
    pub(crate) cluster: Option<String>,
    pub(crate) input: String,
    pub(crate) state: String,
    pub(crate) dedupe: String,
    /// The topics' ids at the start of the process, where the broker reports them.
    pub(crate) origin: Origin,
    /// How long the state changelog keeps tombstones.
    pub(crate) tombstones_kept: Duration,
}

impl RestoreContext {
    /// Asks the cluster for what it knows about the topics.
    ///
    /// # Errors
    /// Where no broker answers.
    pub(crate) fn read(
        cluster: &Cluster,
        cluster_id: Option<String>,
        application: &Application,
        layout: RestoreLayout,
    ) -> Result<Self, kafka::Error> {
        let name = |topic| application.topics().name(topic).to_owned();
        let [input, state, dedupe] = [Topic::Raw, Topic::State, Topic::Dedupe].map(name);
        let origin = origin(cluster.topic_ids(&[&input, &state, &dedupe]))?;
        let kept = cluster.settings(&state)?.into_iter().find(|(key, _)| key == "delete.retention.ms");
        let kept = kept.and_then(|(_, millis)| millis.parse().ok()).map(Duration::from_millis);
        let tombstones_kept = kept.unwrap_or(TOMBSTONES_KEPT);
        Ok(Self {
            layout,
            application: application.clone(),
            cluster: cluster_id,
            input,
            state,
            dedupe,
            origin,
            tombstones_kept,
        })
    }

    /// The topics' ids now. A topic may be made anew while the process runs, so they are asked for at each
    /// assignment. A broker that reported none at the start is not asked again.
    pub(super) fn origin_now(&self, tail: &Tail) -> Result<Origin, kafka::Error> {
        if !self.origin.is_known() {
            return Ok(self.origin);
        }
        origin(tail.topic_ids(&[&self.input, &self.state, &self.dedupe]))
    }

    pub(super) fn identity(&self, partition: i32, origin: Origin) -> StoreIdentity {
        StoreIdentity {
            cluster: self.cluster.clone(),
            topic: self.application.store_folder(&self.input),
            partition,
            partitions: self.layout.partitions,
            origin,
        }
    }

    /// The folder of `partition`'s store.
    pub(super) fn store_path(&self, partition: i32) -> PathBuf {
        self.layout.folder.join(partition.to_string())
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

/// A broker without topic ids is accepted. A topic that was deleted and created again is then recognised by
/// its offsets, as long as there are fewer of them.
fn origin(ids: Result<Vec<Option<TopicId>>, kafka::Error>) -> Result<Origin, kafka::Error> {
    let ids = match ids {
        Ok(ids) => ids,
        Err(kafka::Error::Failed { code, .. }) => {
            warn!(code, "topic ids not known");
            return Ok(Origin::default());
        }
        Err(error) => return Err(error),
    };
    let id = |at: usize| ids.get(at).copied().flatten();
    let origin = Origin::new(id(0), id(1), id(2));
    if !origin.is_known() {
        info!(
            "the broker reports no topic ids: a topic that is deleted and created again is recognised by its offsets only"
        );
    }
    Ok(origin)
}
