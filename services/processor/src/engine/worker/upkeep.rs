//! What a worker does now and then, between transactions.

use kafka::Error;
use schemas::topic::Topic;
use tracing::warn;

use super::super::SessionError;
use super::super::control::stoppage::PartitionStop;
use super::super::watch::activity::Task;
use super::{Worker, WorkerReport};
use crate::state::meta::ChangelogPositions;
use crate::state::store::StoreError;

impl Worker<'_> {
    /// Now and then, between transactions: reads how far the changelogs reach, and forgets ids that are too
    /// old.
    pub(super) fn keep_up(&mut self) -> Result<(), SessionError> {
        let engine = self.session.engine;
        if self.checked_at.elapsed() < engine.settings.checkpoint_interval {
            return Ok(());
        }
        self.checked_at = std::time::Instant::now();
        self.activity.begins(Task::ReadChangelogEnds);
        match self.changelog_ends() {
            Ok(ends) => {
                for (owned, ends) in self.partitions.values_mut().zip(ends) {
                    owned.saw_changelog_ends(ends);
                }
            }
            Err(error) => warn!(%error, "ends of the changelogs not read"),
        }
        let mut failed = Vec::new();
        for (partition, owned) in &mut self.partitions {
            self.activity.begins(Task::Expire { partition: *partition });
            if let Err(error) = owned.expire(engine.rules.window) {
                failed.push((*partition, error));
            }
        }
        failed.into_iter().try_for_each(|(partition, error)| self.store_failed(partition, error))
    }

    /// Stops `partition` after its store has failed, where the fault is not the process's.
    pub(super) fn store_failed(&mut self, partition: i32, error: StoreError) -> Result<(), SessionError> {
        match PartitionStop::of_store(&error) {
            Some(stop) => self.stop_partition(partition, stop),
            None => Err(error.into()),
        }
    }

    /// Lets go of `partition`, which can't continue, and reports it. The others go on.
    pub(super) fn stop_partition(&mut self, partition: i32, stop: PartitionStop) -> Result<(), SessionError> {
        self.session.member.pause(partition)?;
        self.partitions.remove(&partition);
        self.batch.forget(&[partition]);
        // The send fails only where the session has ended.
        let _ = self.reports.send(WorkerReport::Stopped { partition, stop });
        Ok(())
    }

    /// Where the changelogs of our partitions end, in the order of the partitions.
    fn changelog_ends(&self) -> Result<Vec<ChangelogPositions>, Error> {
        let topics = self.session.engine.application.topics();
        let (state, dedupe) = (topics.name(Topic::State), topics.name(Topic::Dedupe));
        let changelogs: Vec<(&str, i32)> = self
            .partitions
            .keys()
            .flat_map(|partition| [(state, *partition), (dedupe, *partition)])
            .collect();
        let ends = self.session.member.stable_ends(&changelogs)?;
        // Two ends for each partition, in the order asked.
        let (pairs, _) = ends.as_chunks();
        Ok(pairs.iter().map(|[state, dedupe]| ChangelogPositions::new(*state, *dedupe)).collect())
    }
}
