use std::time::Duration;

use schemas::topic::{Topic, Topics};

use super::Bench;
use crate::measure::{LAST_MAX, Latency, Positions, Restart, latency, peak_bytes, restart};
use crate::subject::Child;
use crate::workload::{Events, Journal, Load, Raw, now_ms};

/// How much longer the load lasts than it is looked at: the subject must be killed under it.
const BEYOND: Duration = Duration::from_secs(10);
/// How long a subject may take to work off what came while it was away.
const CATCH_UP_MAX: Duration = Duration::from_secs(900);

/// A subject under half of what it can bear.
pub(super) struct HalfLoad<'a> {
    pub(super) raw: &'a Raw,
    pub(super) topics: &'a Topics,
    /// Its consumer group.
    pub(super) group: &'a str,
    pub(super) name: &'static str,
    /// Events a second.
    pub(super) rate: f64,
}

/// What was found.
pub(super) struct Found {
    pub(super) latency: Latency,
    pub(super) restart: Restart,
    pub(super) peak_bytes: u64,
}

impl HalfLoad<'_> {
    /// Lets `child` catch up, measures its latency, kills it under load, and measures how soon its successor commits. `look` is
    /// called when the load begins, and again when the latency is measured.
    pub(super) fn measure(
        &self,
        bench: &Bench<'_>,
        child: anyhow::Result<Child>,
        start: &dyn Fn() -> anyhow::Result<Child>,
        mut look: impl FnMut() -> anyhow::Result<()>,
    ) -> anyhow::Result<Found> {
        let mut child = child?;
        let journal = self.journal(bench)?;
        let positions = Positions::of(self.raw, self.group)?;
        let end = self.raw.records()?;
        child.await_until("the end of the backlog", CATCH_UP_MAX, || Ok(positions.done()? >= end))?;

        let seconds = Duration::from_secs(bench.plan.latency_seconds);
        let step = bench.screen.step(format!("{}: half load, {:.0} events/s", self.name, self.rate));
        look()?;
        let begin = || Load::start(self.raw, &journal, self.rate);
        let topic = self.topics.name(Topic::Suppression);
        let (latency, load) =
            latency(&mut child, self.raw, topic, begin, self.rate, (seconds, seconds), &step)?;
        look()?;
        step.done(&format!("p50 {:.0} ms, p99 {:.0} ms, n {}", latency.p50, latency.p99, latency.count));

        let step = bench.screen.step(format!("{}: SIGKILL and restart", self.name));
        let peak = peak_bytes(child.pid())?;
        let topic = self.topics.name(Topic::Warehouse);
        let (restart, successor) = restart(child, start, self.raw, topic, &step)?;
        load.stop()?;
        let peak_bytes = peak.max(peak_bytes(successor.pid())?);
        successor.stop()?;
        step.done(&format!("first commit after {:.1} s", restart.first));
        Ok(Found { latency, restart, peak_bytes })
    }

    /// Events that nobody has seen, enough for the whole load.
    fn journal(&self, bench: &Bench<'_>) -> anyhow::Result<Journal> {
        let seconds = Duration::from_secs(bench.plan.latency_seconds) * 2 + LAST_MAX + BEYOND;
        let count = whole(seconds.as_secs_f64() * self.rate);
        let step = bench.screen.step(format!("making {count} events for half load"));
        let seed = u64::try_from(now_ms()).unwrap_or_default();
        let events = Events::new(&bench.population, seed);
        let journal = Journal::write(&bench.work.join("half-load"), events, count, &step)?;
        step.done("");
        Ok(journal)
    }
}

#[expect(
    clippy::cast_possible_truncation,
    clippy::cast_sign_loss,
    reason = "a count of events, never negative"
)]
fn whole(number: f64) -> u64 {
    number as u64
}
