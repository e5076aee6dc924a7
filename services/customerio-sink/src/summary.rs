use crate::metric;
use crate::reading::Skip;

/// How one record ended: E1, exactly one of these.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) enum Fate {
    /// Customer.io accepted it.
    Delivered,
    /// Kept in the dead letters, which acknowledged it.
    DeadLettered,
    /// Nobody whom Customer.io could be told about.
    Skipped(Skip),
    /// Nothing is sent for a tombstone.
    Tombstone,
    /// Nothing that this version writes.
    Unchanged,
    /// Its partition is stopped by a record of a newer version.
    Halted,
    /// Will be read again, here or by another.
    PutBack,
}

impl Fate {
    /// Whether the record's offset may be committed.
    pub(crate) fn is_done(&self) -> bool {
        !matches!(self, Self::Halted | Self::PutBack)
    }
}

/// What the sink did, in records.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub struct Summary {
    /// Accepted by Customer.io.
    pub delivered: u64,
    /// Kept in the dead letters.
    pub dead_lettered: u64,
    /// Of nobody whom Customer.io could be told about.
    pub skipped: u64,
    /// Tombstones.
    pub tombstones: u64,
    /// Nothing to write.
    pub unchanged: u64,
    /// Left where they are, behind a record of a newer version.
    pub halted: u64,
    /// To be read again.
    pub put_back: u64,
}

impl Summary {
    /// Counts a batch, here and in the metrics.
    pub(crate) fn count<'a>(&mut self, fates: impl IntoIterator<Item = &'a Fate>) {
        let mut batch = Self::default();
        for fate in fates {
            *batch.counter(fate) += 1;
            if let Fate::Skipped(kind) = fate {
                metric::skipped(kind.label());
            }
        }
        for ((outcome, count), (_, total)) in batch.outcomes().into_iter().zip(self.totals()) {
            metric::records(outcome, count);
            *total += count;
        }
    }

    fn counter(&mut self, fate: &Fate) -> &mut u64 {
        match fate {
            Fate::Delivered => &mut self.delivered,
            Fate::DeadLettered => &mut self.dead_lettered,
            Fate::Skipped(_) => &mut self.skipped,
            Fate::Tombstone => &mut self.tombstones,
            Fate::Unchanged => &mut self.unchanged,
            Fate::Halted => &mut self.halted,
            Fate::PutBack => &mut self.put_back,
        }
    }

    fn outcomes(mut self) -> [(&'static str, u64); 7] {
        self.totals().map(|(outcome, count)| (outcome, *count))
    }

    fn totals(&mut self) -> [(&'static str, &mut u64); 7] {
        [
            ("delivered", &mut self.delivered),
            ("dead_lettered", &mut self.dead_lettered),
            ("skipped", &mut self.skipped),
            ("tombstone", &mut self.tombstones),
            ("unchanged", &mut self.unchanged),
            ("halted", &mut self.halted),
            ("put_back", &mut self.put_back),
        ]
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn e1_every_fate_is_counted_once() {
        let fates = [
            Fate::Delivered,
            Fate::Delivered,
            Fate::DeadLettered,
            Fate::Skipped(Skip::Event),
            Fate::Tombstone,
            Fate::Unchanged,
            Fate::Halted,
            Fate::PutBack,
        ];
        let mut summary = Summary::default();
        summary.count(&fates);
        summary.count(&fates);
        assert_eq!(summary.outcomes().map(|(_, count)| count), [4, 2, 2, 2, 2, 2, 2]);
    }
}
