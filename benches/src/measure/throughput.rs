//! A backlog, worked off as fast as the subject can.

use std::sync::atomic::{AtomicU64, Ordering};
use std::time::{Duration, Instant};

use anyhow::bail;

use super::{Positions, Snapshot, Usage};
use crate::screen::Step;
use crate::subject::Child;
use crate::workload::Load;

const LOOK_EVERY: Duration = Duration::from_millis(20);
/// A subject that commits nothing for this long has failed.
const STALL_MAX: Duration = Duration::from_secs(300);

/// How fast a backlog was worked off, after the warm-up.
#[derive(Debug, Clone)]
pub(crate) struct Throughput {
    /// Events in the measured part.
    pub(crate) events: u64,
    /// What they cost.
    pub(crate) usage: Usage,
}

impl Throughput {
    /// Events per second of processor time.
    pub(crate) fn per_cpu_second(&self) -> f64 {
        self.events as f64 / self.usage.cpu()
    }

    /// Events per second.
    pub(crate) fn per_second(&self) -> f64 {
        self.events as f64 / self.usage.wall.as_secs_f64()
    }

    /// Microseconds of processor time for one event.
    pub(crate) fn micros(&self) -> f64 {
        1e6 / self.per_cpu_second()
    }
}

/// Watches `child` until its group is done with `total` records; measures from `warm` records on.
pub(crate) fn saturate(
    child: &mut Child,
    positions: &Positions,
    warm: u64,
    total: u64,
    step: &Step<'_>,
) -> anyhow::Result<Throughput> {
    let mut begin: Option<(u64, Snapshot)> = None;
    let (mut last, mut moved) = (0, Instant::now());
    loop {
        child.check()?;
        let done = positions.done()?;
        step.at(done, total);
        if done > last {
            (last, moved) = (done, Instant::now());
        } else if moved.elapsed() > STALL_MAX {
            bail!("nothing was committed for {STALL_MAX:?} after {done} of {total} records");
        }
        match &begin {
            None if done >= warm => begin = Some((done, Snapshot::take(child.pid())?)),
            Some((before, snapshot)) if done >= total => {
                let usage = snapshot.until(&Snapshot::take(child.pid())?);
                return Ok(Throughput { events: done - before, usage });
            }
            _ => {}
        }
        std::thread::sleep(LOOK_EVERY);
    }
}

/// Events a second that `child` works off for `seconds` after `warm`, while `load` appends them and follows
/// `done`: what the machine bears in the long run, with the broker, the load and the subject on it at once.
pub(crate) fn sustain(
    child: &mut Child,
    positions: &Positions,
    (load, done): (&Load, &AtomicU64),
    (warm, seconds): (Duration, Duration),
    step: &Step<'_>,
) -> anyhow::Result<f64> {
    let (started, base) = (Instant::now(), positions.done()?);
    let mut begin: Option<(u64, Instant)> = None;
    loop {
        child.check()?;
        let (now, passed) = (positions.done()? - base, started.elapsed());
        done.store(now, Ordering::Relaxed);
        step.at(passed.as_millis().try_into()?, (warm + seconds).as_millis().try_into()?);
        match begin {
            None if passed >= warm => begin = Some((now, Instant::now())),
            Some((before, since)) if passed >= warm + seconds || load.is_over() => {
                return Ok((now - before) as f64 / since.elapsed().as_secs_f64());
            }
            _ => {}
        }
        std::thread::sleep(LOOK_EVERY);
    }
}
