use std::sync::Arc;
use std::sync::atomic::AtomicU64;
use std::time::Duration;

use schemas::topic::{Topic, Topics};

use super::Bench;
use crate::measure::{LAST_MAX, Latency, Positions, Restart, Speed, latency, peak_bytes, restart, sustain};
use crate::subject::Child;
use crate::workload::{Events, Journal, Load, Pace, Raw, now_ms, whole};

/// How much longer the load lasts than it is looked at: the subject must be killed under it.
const BEYOND: Duration = Duration::from_secs(10);
/// How long a subject may take to work off what came while it was away.
const CATCH_UP_MAX: Duration = Duration::from_secs(900);
/// How long a pace is kept before it is looked at.
const WARM: Duration = Duration::from_secs(5);
/// How long half load lasts before delays are looked at: the broker's compiler is through with most by then.
const COMPILED: Duration = Duration::from_secs(30);

/// A subject under half of what it can bear for long: of what it works off while the same machine appends it.
pub(super) struct HalfLoad<'a> {
    pub(super) raw: &'a Raw,
    pub(super) topics: &'a Topics,
    /// Its consumer group.
    pub(super) group: &'a str,
    pub(super) name: &'static str,
    /// Events a second with which it worked its backlog off: it bears no more.
    pub(super) ceiling: f64,
}

/// What was found.
pub(super) struct Found {
    pub(super) latency: Latency,
    pub(super) restart: Restart,
    pub(super) peak_bytes: u64,
    /// The machine before the load and once it and the successor are stopped.
    pub(super) machine: Speed,
}

impl HalfLoad<'_> {
    /// Lets `child` catch up, measures its latency, kills it under load, and measures how soon its successor
    /// commits. `look` is called when the load begins, and again when the latency is measured.
    pub(super) fn measure(
        &self,
        bench: &Bench<'_>,
        child: anyhow::Result<Child>,
        start: &dyn Fn() -> anyhow::Result<Child>,
        mut look: impl FnMut() -> anyhow::Result<()>,
    ) -> anyhow::Result<Found> {
        let mut child = child?;
        let seconds = Duration::from_secs(bench.plan.latency_seconds);
        let rate = self.sustained(bench, &mut child, seconds)? / 2.0;
        let journal = self.journal(bench, COMPILED + seconds + LAST_MAX + BEYOND, rate)?;
        self.catch_up(&mut child)?;

        let ((latency, restart, peak_bytes), machine) = Speed::around(|| {
            let step = bench.screen.step(format!("{}: half load, {rate:.0} events/s", self.name));
            look()?;
            let begin = || Load::start(self.raw, &journal, Pace::Steady(rate));
            let (topic, time) = (self.topics.name(Topic::Suppression), (COMPILED, seconds));
            let (latency, load) = latency(&mut child, self.raw, topic, begin, rate, time, &step)?;
            look()?;
            step.done(&format!("p50 {:.0} ms, p99 {:.0} ms, n {}", latency.p50, latency.p99, latency.count));

            let step = bench.screen.step(format!("{}: SIGKILL and restart", self.name));
            let peak = peak_bytes(child.pid())?;
            let topic = self.topics.name(Topic::Warehouse);
            let (restart, successor) = restart(child, start, self.raw, topic, &step)?;
            load.stop()?;
            let peak = peak.max(peak_bytes(successor.pid())?);
            successor.stop()?;
            step.done(&format!("first commit after {:.1} s", restart.first));
            Ok((latency, restart, peak))
        })?;
        Ok(Found { latency, restart, peak_bytes, machine })
    }

    /// Events a second that it works off while they come.
    fn sustained(&self, bench: &Bench<'_>, child: &mut Child, seconds: Duration) -> anyhow::Result<f64> {
        let journal = self.journal(bench, WARM + seconds, self.ceiling)?;
        self.catch_up(child)?;
        let step = bench.screen.step(format!("{}: as many events as it bears", self.name));
        let (done, positions) = (Arc::new(AtomicU64::new(0)), Positions::of(self.raw, self.group)?);
        let load = Load::start(self.raw, &journal, Pace::Following(Arc::clone(&done)));
        let rate = sustain(child, &positions, (&load, &done), (WARM, seconds), &step)?;
        load.stop()?;
        step.done(&format!("{rate:.0} events/s"));
        Ok(rate)
    }

    fn catch_up(&self, child: &mut Child) -> anyhow::Result<()> {
        let (positions, end) = (Positions::of(self.raw, self.group)?, self.raw.records()?);
        child.await_until("the end of the backlog", CATCH_UP_MAX, || Ok(positions.done()? >= end))
    }

    /// Events that nobody has seen, enough for so long at that rate.
    fn journal(&self, bench: &Bench<'_>, time: Duration, rate: f64) -> anyhow::Result<Journal> {
        let count = whole(time.as_secs_f64() * rate);
        let step = bench.screen.step(format!("{}: making {count} events", self.name));
        let seed = u64::try_from(now_ms()).unwrap_or_default();
        let events = Events::new(&bench.population, seed);
        let journal = Journal::write(&bench.work.join("half-load"), events, count, &step)?;
        step.done("");
        Ok(journal)
    }
}
