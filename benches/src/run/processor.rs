use std::fs;
use std::time::{Duration, Instant};

use super::half_load::HalfLoad;
use super::{Bench, told};
use crate::measure::{Histogram, Positions, Speed, Throughput, await_quiet, peak_bytes, saturate};
use crate::plan::Scenario;
use crate::report::{ProcessorFigures, Restore};
use crate::subject::Processor;
use crate::workload::{Customers, load, preload};

/// How long background work after a restore may take.
const QUIET_MAX: Duration = Duration::from_secs(900);
/// About what an id takes on disk: by it, a restore is seen to progress.
const BYTES_PER_ID: u64 = 25;
const COMMITS: &str = "aftersend_processor_commit_seconds";

/// A processor that has stored its ids and worked its backlog off, and does not run.
pub(super) struct Stored {
    scenario: Scenario,
    pub(super) subject: Processor,
    restore: Option<Restore>,
    throughput: Throughput,
    commits: Histogram,
    peak_bytes: u64,
    machine: Speed,
}

impl Bench<'_> {
    /// Lets a processor restore the scenario's ids, and then work the backlog off.
    pub(super) fn stored(&self, number: usize, scenario: Scenario) -> anyhow::Result<Stored> {
        let folder = self.work.join(format!("processor-{number}"));
        fs::create_dir_all(&folder)?;
        let prefix = format!("{}{number}.", self.prefix);
        let (bootstrap, memory) = (self.broker.bootstrap(), self.plan.memory_mib);
        let subject = Processor::prepare(bootstrap, &prefix, scenario, memory, &folder)?;
        let (restore, restored_peak) = self.restore(scenario, &subject)?.unzip();

        let step = self.screen.step("appending the backlog");
        load(&subject.raw, &self.journal, &step)?;
        step.done("");

        let step = self.screen.step("processor: working the backlog off");
        let positions = Positions::of(&subject.raw, &subject.group)?;
        let ((throughput, commits, peak), machine) = Speed::around(|| {
            let mut child = subject.start()?;
            let throughput = saturate(&mut child, &positions, self.plan.warm(), self.plan.events, &step)?;
            let commits = Histogram::parse(&subject.metrics()?, COMMITS);
            let peak = peak_bytes(child.pid())?;
            child.stop()?;
            Ok((throughput, commits, peak))
        })?;
        step.done(&told(&throughput));
        let peak_bytes = peak.max(restored_peak.unwrap_or_default());
        Ok(Stored { scenario, subject, restore, throughput, commits, peak_bytes, machine })
    }

    /// Writes the ids and their customers into the changelogs, and lets the processor rebuild its disk from
    /// them; answers that and its peak memory.
    fn restore(&self, scenario: Scenario, subject: &Processor) -> anyhow::Result<Option<(Restore, u64)>> {
        if scenario.ids == 0 {
            return Ok(None);
        }
        let (millions, partitions) = (scenario.ids as f64 / 1e6, scenario.partitions);
        let step = self.screen.step(format!("writing {millions} million ids, {partitions} partitions"));
        let customers = Customers::of(&self.journal)?;
        let (raw, topics, group) = (&subject.raw, &subject.topics, &subject.group);
        let preloaded = preload::processor(raw, topics, group, scenario.ids, &customers, &step)?;
        step.done(&format!("{} chunks, {} customers", preloaded.chunks, preloaded.customers));

        let step = self.screen.step("processor: restoring them");
        let started = Instant::now();
        let mut child = subject.start()?;
        subject.await_ready(&mut child, |bytes| step.at(bytes / BYTES_PER_ID, scenario.ids))?;
        let seconds = started.elapsed().as_secs_f64();
        await_quiet(child.pid(), QUIET_MAX)?;
        let peak = peak_bytes(child.pid())?;
        child.stop()?;
        step.done(&format!("ready after {seconds:.1} s"));

        // What its log still held is flushed when the stores are opened again.
        let step = self.screen.step("processor: opening them again");
        let started = Instant::now();
        let mut child = subject.start()?;
        subject.await_ready(&mut child, |_| ())?;
        let reopened = started.elapsed().as_secs_f64();
        await_quiet(child.pid(), QUIET_MAX)?;
        let table_bytes = subject.table_bytes();
        let peak = peak.max(peak_bytes(child.pid())?);
        child.stop()?;
        step.done(&format!("{:.1} bytes per id", table_bytes as f64 / scenario.ids as f64));
        Ok(Some((Restore { seconds, reopened, table_bytes, preloaded }, peak)))
    }

    /// Starts it again, measures latency, and kills it.
    pub(super) fn at_half_load(
        &self,
        stored: Stored,
        (pass_through, beside): (Throughput, Speed),
    ) -> anyhow::Result<ProcessorFigures> {
        let Stored { scenario, subject, restore, throughput, commits, peak_bytes: peak, machine } = stored;
        let mut half_commits = Histogram::default();
        let half_load = HalfLoad {
            raw: &subject.raw,
            topics: &subject.topics,
            group: &subject.group,
            name: "processor",
            ceiling: throughput.per_second(),
        };
        let start = || subject.start();
        let found = half_load.measure(self, start(), &start, || {
            let now = Histogram::parse(&subject.metrics()?, COMMITS);
            half_commits = now.since(&half_commits);
            Ok(())
        })?;
        let commits = [commits, half_commits];
        let peak_bytes = peak.max(found.peak_bytes);
        let (latency, restart) = (found.latency, found.restart);
        let machine = [machine, beside, found.machine];
        Ok(ProcessorFigures {
            scenario,
            restore,
            throughput,
            pass_through,
            commits,
            latency,
            restart,
            peak_bytes,
            machine,
        })
    }
}
