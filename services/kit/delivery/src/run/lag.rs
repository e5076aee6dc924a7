//! Notices a fetch that has silently stopped (E4). Pure: it is told what was polled, how far partitions were
//! read and where they end, and says what follows.
//!
//! A consumer whose fetch has stopped looks like one whose topics are quiet: its polls are empty, its
//! heartbeats go on, and no error is reported. The difference is that records wait. So the ends of the owned
//! partitions are asked for, on another connection.

use std::collections::BTreeMap;
use std::time::Duration;

use kafka::NextOffset;
use kafka::consumer::FetchProgress;

use crate::intake::Partition;

/// When a partition without progress is named, and when the session is renewed.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Limits {
    /// How often the ends are asked for.
    pub ask_every: Duration,
    /// Records wait and none comes for this long, or nobody says for this long whether any wait: the sink
    /// isn't ready.
    pub not_ready_after: Duration,
    /// Records wait and none comes for this long: the consumer is made anew.
    pub renew_after: Duration,
}

impl Default for Limits {
    fn default() -> Self {
        Self {
            ask_every: Duration::from_secs(30),
            not_ready_after: Duration::from_secs(60),
            renew_after: Duration::from_secs(120),
        }
    }
}

/// What is known of the partitions that are owned.
#[derive(Debug)]
pub(super) struct LagWatch {
    limits: Limits,
    partitions: BTreeMap<Partition, Watched>,
    /// Time since any broker said where any partition ends, deliveries left out.
    silence: Duration,
}

#[derive(Debug, Default)]
struct Watched {
    progress: Option<FetchProgress>,
    end: Option<NextOffset>,
    /// Time spent polling since a broker said the end, or since the partition came.
    unheard: Duration,
    /// Time spent polling since the last progress, while records waited. A delivery that takes long isn't
    /// counted, because the consumer is paused meanwhile.
    without_progress: Duration,
}

/// What follows.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) enum Verdict {
    /// Records come, or none wait.
    Flowing,
    /// The sink isn't ready, for this cause.
    Stalled(String),
    /// The same, and the consumer is to be made anew.
    Renew(String),
}

/// How many records of a partition wait.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Lag {
    pub(super) partition: Partition,
    pub(super) records: u64,
}

impl LagWatch {
    pub(super) fn new(limits: Limits) -> Self {
        Self { limits, partitions: BTreeMap::new(), silence: Duration::ZERO }
    }

    /// The consumer polled for `polled`, and now owns `owned`, which were read as far as `progress` says.
    pub(super) fn polled(&mut self, polled: Duration, owned: &[Partition], progress: Vec<FetchProgress>) {
        self.partitions.retain(|partition, _| owned.contains(partition));
        for partition in owned {
            self.partitions.entry(partition.clone()).or_default();
        }
        let mut known: BTreeMap<Partition, FetchProgress> = BTreeMap::new();
        for progress in progress {
            known.insert((progress.topic.clone(), progress.partition), progress);
        }
        for (partition, watched) in &mut self.partitions {
            watched.polled(polled, known.remove(partition));
        }
    }

    /// So much time has passed, in which an answer could have come.
    pub(super) fn passed(&mut self, time: Duration) {
        self.silence += time;
    }

    /// Somebody was asked for the ends of partitions; `None` where no broker said it.
    pub(super) fn heard(&mut self, ends: Vec<(Partition, Option<NextOffset>)>) {
        for (partition, end) in ends {
            let Some(end) = end else { continue };
            self.silence = Duration::ZERO;
            if let Some(watched) = self.partitions.get_mut(&partition) {
                watched.end = Some(end);
                watched.unheard = Duration::ZERO;
            }
        }
    }

    /// The lag of each partition whose end is known.
    pub(super) fn lags(&self) -> Vec<Lag> {
        let lag = |(partition, watched): (&Partition, &Watched)| {
            Some(Lag { partition: partition.clone(), records: watched.lag()? })
        };
        self.partitions.iter().filter_map(lag).collect()
    }

    /// What follows from what is known now.
    pub(super) fn verdict(&self) -> Verdict {
        if let Some((partition, stuck)) =
            self.partitions.iter().max_by_key(|(_, watched)| watched.without_progress)
        {
            if stuck.without_progress >= self.limits.renew_after {
                return Verdict::Renew(stuck.cause(partition));
            }
            if stuck.without_progress >= self.limits.not_ready_after {
                return Verdict::Stalled(stuck.cause(partition));
            }
        }
        if self.silence >= self.limits.not_ready_after {
            let seconds = self.silence.as_secs();
            return Verdict::Stalled(format!(
                "no broker answers for {seconds} s: check that they can be reached"
            ));
        }
        let unheard =
            self.partitions.iter().find(|(_, watched)| watched.unheard >= self.limits.not_ready_after);
        unheard.map_or(Verdict::Flowing, |((topic, number), watched)| {
            let seconds = watched.unheard.as_secs();
            Verdict::Stalled(format!(
                "no broker says for {seconds} s where {topic}[{number}] ends: check that the partition has a leader"
            ))
        })
    }
}

impl Watched {
    fn polled(&mut self, polled: Duration, progress: Option<FetchProgress>) {
        let moved = progress != self.progress;
        self.progress = progress;
        self.unheard += polled;
        if moved || self.lag().is_none_or(|records| records == 0) {
            self.without_progress = Duration::ZERO;
        } else {
            self.without_progress += polled;
        }
    }

    fn cause(&self, (topic, number): &Partition) -> String {
        let (records, seconds) = (self.lag().unwrap_or_default(), self.without_progress.as_secs());
        format!("{records} records of {topic}[{number}] wait, and none came for {seconds} s of polling")
    }

    /// A partition whose start the client doesn't know yet has read nothing. `None` where the end isn't
    /// known.
    fn lag(&self) -> Option<u64> {
        let position = self.progress.as_ref().and_then(FetchProgress::position).unwrap_or(NextOffset(0));
        Some(u64::try_from(self.end?.0 - position.0).unwrap_or_default())
    }
}

#[cfg(test)]
#[path = "lag_tests.rs"]
mod tests;
