//! How records ended: each in exactly one counted outcome (E1).

use std::collections::BTreeMap;

/// Its dead letter is acknowledged.
pub const DEAD_LETTERED: &str = "dead_lettered";
/// Left where it is: its partition is stopped at a record of an unknown schema.
pub const STOPPED: &str = "stopped";
/// It will be read again, by this member or another.
pub const PUT_BACK: &str = "put_back";

/// How one record ended.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Outcome {
    /// Nothing is left to do, for the reason that the sink names.
    Done(&'static str),
    DeadLettered,
    Stopped,
    PutBack,
}

impl Outcome {
    /// Whether the record's offset may be committed.
    pub(crate) fn is_done(self) -> bool {
        matches!(self, Self::Done(_) | Self::DeadLettered)
    }

    /// The metric's label.
    pub(crate) fn label(self) -> &'static str {
        match self {
            Self::Done(label) => label,
            Self::DeadLettered => DEAD_LETTERED,
            Self::Stopped => STOPPED,
            Self::PutBack => PUT_BACK,
        }
    }
}

/// How many records ended in which outcome.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Counts(BTreeMap<&'static str, u64>);

impl Counts {
    /// Records that ended in `outcome`.
    #[must_use]
    pub fn of(&self, outcome: &str) -> u64 {
        self.0.get(outcome).copied().unwrap_or_default()
    }

    /// Counts a batch, here and in the counter `metric`.
    pub(crate) fn add(&mut self, metric: &'static str, outcomes: impl IntoIterator<Item = Outcome>) {
        let mut batch = Self::default();
        for outcome in outcomes {
            *batch.0.entry(outcome.label()).or_default() += 1;
        }
        for (outcome, records) in batch.0 {
            metrics::counter!(metric, "outcome" => outcome).increment(records);
            *self.0.entry(outcome).or_default() += records;
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn e1_every_outcome_is_counted_once() {
        let outcomes = [
            Outcome::Done("delivered"),
            Outcome::Done("delivered"),
            Outcome::Done("tombstone"),
            Outcome::DeadLettered,
            Outcome::Stopped,
            Outcome::PutBack,
        ];
        let mut counts = Counts::default();
        counts.add("sink_records_total", outcomes);
        counts.add("sink_records_total", outcomes);
        let labels = ["delivered", "tombstone", DEAD_LETTERED, STOPPED, PUT_BACK, "other"];
        assert_eq!(labels.map(|label| counts.of(label)), [4, 2, 2, 2, 2, 0]);
    }

    #[test]
    fn s3_only_what_is_done_may_be_committed() {
        assert!(Outcome::Done("delivered").is_done() && Outcome::DeadLettered.is_done());
        assert!(!Outcome::Stopped.is_done() && !Outcome::PutBack.is_done());
    }
}
