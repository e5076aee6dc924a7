use std::time::{Duration, Instant};

use kafka::{Incoming, NextOffset};
use tracing::info;

use super::RestoreError;
use crate::metric;
use crate::state::meta::Progress;
use crate::state::store::{Batch, PartitionStore};

/// A restored batch goes to disk at this size, in bytes.
const BATCH_BYTES: usize = 1 << 20;
/// How often progress is told.
const TELL_EVERY: Duration = Duration::from_secs(2);

/// Writes replayed records in batches, each with the position that it reaches, and tells how far it is.
pub(super) struct Writer<'a> {
    store: &'a PartitionStore,
    pub(super) batch: Batch<'a>,
    partition: i32,
    changelog: &'static str,
    from: NextOffset,
    high: NextOffset,
    records: u64,
    started: Instant,
    told: Instant,
}

impl<'a> Writer<'a> {
    pub(super) fn new(
        store: &'a PartitionStore,
        partition: i32,
        changelog: &'static str,
        from: NextOffset,
        high: NextOffset,
    ) -> Self {
        let (batch, now) = (store.batch(), Instant::now());
        Self { store, batch, partition, changelog, from, high, records: 0, started: now, told: now }
    }

    pub(super) fn took(
        &mut self,
        record: &Incoming,
        at: impl Fn(NextOffset) -> Progress,
    ) -> Result<(), RestoreError> {
        let next = record.offset.next();
        self.records += 1;
        if self.batch.bytes() >= BATCH_BYTES {
            self.batch.put_progress(&at(next));
            std::mem::replace(&mut self.batch, self.store.batch()).write()?;
        }
        if self.told.elapsed() >= TELL_EVERY {
            self.told = Instant::now();
            self.tell(next);
        }
        Ok(())
    }

    pub(super) fn finish(mut self, progress: Progress) -> Result<(), RestoreError> {
        self.batch.put_progress(&progress);
        self.tell(self.high);
        metrics::counter!(metric::RESTORED_RECORDS, "changelog" => self.changelog).increment(self.records);
        Ok(self.batch.write()?)
    }

    #[expect(clippy::cast_precision_loss, reason = "a share and an estimate")]
    fn tell(&self, next: NextOffset) {
        let (done, all) = ((next.0 - self.from.0).max(0) as f64, (self.high.0 - self.from.0).max(1) as f64);
        let elapsed = self.started.elapsed().as_secs_f64();
        let eta_seconds = if done > 0.0 { (elapsed * (all - done) / done).max(0.0).round() } else { 0.0 };
        let share = (100.0 * done / all).min(100.0).round();
        metrics::gauge!(metric::RESTORE_REMAINING, "changelog" => self.changelog, "partition" => self.partition.to_string())
            .set((all - done).max(0.0));
        info!(
            partition = self.partition,
            changelog = self.changelog,
            records = self.records,
            percent = share,
            eta_seconds,
            "restoring"
        );
    }
}
