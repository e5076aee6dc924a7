//! From the raw record to the suppression that follows from it, as a subscriber sees it.

use std::time::{Duration, Instant};

use anyhow::bail;
use rdkafka::Message;
use schemas::codec;
use schemas::record::Suppression;

use super::position::{assign, ends, reader};
use crate::screen::Step;
use crate::subject::Child;
use crate::workload::{Load, Raw};

/// How long the last suppressions are waited for once the load is over.
pub(crate) const LAST_MAX: Duration = Duration::from_secs(5);
const POLL: Duration = Duration::from_millis(50);

/// Delays, in milliseconds.
#[derive(Debug, Clone, Copy, PartialEq)]
pub(crate) struct Latency {
    /// Events a second.
    pub(crate) rate: f64,
    /// How many suppressions were seen.
    pub(crate) count: usize,
    /// Half of them were faster.
    pub(crate) p50: f64,
    /// One in a hundred was slower.
    pub(crate) p99: f64,
    /// The slowest.
    pub(crate) max: f64,
}

/// Reads suppressions with `read_committed` while `load` runs, for `seconds` after `warm`. A delay begins
/// when the raw record was due at the load's pace, however late it was sent, and ends when the suppression is
/// handed to the subscriber.
pub(crate) fn latency(
    child: &mut Child,
    raw: &Raw,
    topic: &str,
    begin: impl FnOnce() -> Load,
    rate: f64,
    (warm, seconds): (Duration, Duration),
    step: &Step<'_>,
) -> anyhow::Result<(Latency, Load)> {
    let consumer = reader(raw.connection.bootstrap(), "aftersend.bench", "read_committed")?;
    assign(&consumer, topic, &ends(&consumer, topic, raw.partitions)?)?;
    // Until it has found its brokers and positions.
    consumer.poll(Duration::from_millis(500));
    let load = begin();
    let started = Instant::now();
    let (from, until) = (started + warm, started + warm + seconds);
    let mut delays: Vec<f64> = Vec::new();
    while Instant::now() < until + LAST_MAX {
        child.check()?;
        step.at(
            started.elapsed().as_millis().try_into()?,
            (warm + seconds + LAST_MAX).as_millis().try_into()?,
        );
        let Some(message) = consumer.poll(POLL) else { continue };
        let message = message?;
        let seen = Instant::now();
        let suppression: Suppression = codec::decode(message.payload().unwrap_or_default())?;
        let causes = suppression.entries.iter().flat_map(|entry| &entry.evidence);
        let sent =
            causes.filter_map(|event| load.take_cause(event)).filter(|sent| (from..until).contains(sent));
        delays.extend(sent.map(|sent| (seen - sent).as_secs_f64() * 1_000.0));
    }
    Ok((summary(delays, rate)?, load))
}

fn summary(mut delays: Vec<f64>, rate: f64) -> anyhow::Result<Latency> {
    delays.sort_by(f64::total_cmp);
    let Some(max) = delays.last().copied() else {
        bail!("no suppression came at all: raise --latency-seconds")
    };
    let at = |percent: usize| delays[(delays.len() * percent / 100).min(delays.len() - 1)];
    Ok(Latency { rate, count: delays.len(), p50: at(50), p99: at(99), max })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_summary_is_that_of_the_sorted_delays() {
        let delays = (0..200).rev().map(f64::from).collect();
        let found = summary(delays, 1.0).expect("delays");
        assert_eq!((found.count, found.p50, found.p99, found.max), (200, 100.0, 198.0, 199.0));
        assert!(summary(Vec::new(), 1.0).is_err());
    }
}
