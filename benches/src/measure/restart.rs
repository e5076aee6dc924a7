//! From a new process to its first commit, after its predecessor was killed in the middle of its work.

use std::collections::BTreeSet;
use std::time::{Duration, Instant};

use anyhow::bail;
use rdkafka::Message;

use super::position::{assign, ends, reader};
use crate::screen::Step;
use crate::subject::Child;
use crate::workload::Raw;

const PATIENCE: Duration = Duration::from_secs(900);
const POLL: Duration = Duration::from_millis(20);

/// How long a killed subject was away, in seconds since its successor was started.
#[derive(Debug, Clone, Copy, PartialEq)]
pub(crate) struct Restart {
    /// Until the first record of its successor could be read.
    pub(crate) first: f64,
    /// Until one of every partition could.
    pub(crate) every: f64,
}

/// Kills `child` under load, starts its successor, and reads `topic` with `read_committed` from where the
/// dead one's records end. What is found there is the successor's.
pub(crate) fn restart(
    child: Child,
    start: impl FnOnce() -> anyhow::Result<Child>,
    raw: &Raw,
    topic: &str,
    step: &Step<'_>,
) -> anyhow::Result<(Restart, Child)> {
    let all = reader(raw.connection.bootstrap(), "aftersend.bench", "read_uncommitted")?;
    let committed = reader(raw.connection.bootstrap(), "aftersend.bench", "read_committed")?;
    child.kill()?;
    assign(&committed, topic, &ends(&all, topic, raw.partitions)?)?;
    let started = Instant::now();
    let mut successor = start()?;
    let (mut seen, mut first) = (BTreeSet::new(), None);
    while seen.len() < raw.partitions as usize {
        successor.check()?;
        step.at(seen.len() as u64, u64::from(raw.partitions));
        if started.elapsed() > PATIENCE {
            bail!("records came of {} partitions only, {PATIENCE:?} after the kill", seen.len());
        }
        if let Some(message) = committed.poll(POLL) {
            seen.insert(message?.partition());
            first.get_or_insert(started.elapsed().as_secs_f64());
        }
    }
    let every = started.elapsed().as_secs_f64();
    Ok((Restart { first: first.unwrap_or(every), every }, successor))
}
