//! What was found, as a table, a plot, and a verdict for each limit.

#[cfg(test)]
mod example;
mod limit;
mod plot;
mod table;

use std::fs;
use std::path::Path;

use anyhow::Context;

use crate::measure::{Floor, Histogram, Latency, Outputs, Restart, Speed, Throughput};
use crate::plan::{Plan, Scenario};
use crate::workload::preload::Preloaded;

/// Everything that a run found.
#[derive(Debug)]
pub(crate) struct Figures {
    pub(crate) plan: Plan,
    /// Cores of this machine.
    pub(crate) cores: usize,
    /// Mean bytes of a raw record's value.
    pub(crate) raw_bytes: u64,
    pub(crate) outputs: Outputs,
    pub(crate) peer: Option<PeerFigures>,
    /// Why there are none of the peer, where it was to be measured.
    pub(crate) peer_failure: Option<String>,
    /// The processor's, everybody's scenario first.
    pub(crate) processor: Vec<ProcessorFigures>,
    pub(crate) floor: Floor,
}

/// What was found of the processor in one scenario.
#[derive(Debug)]
pub(crate) struct ProcessorFigures {
    pub(crate) scenario: Scenario,
    pub(crate) restore: Option<Restore>,
    pub(crate) throughput: Throughput,
    /// The pass-through's, over the same records right afterwards.
    pub(crate) pass_through: Throughput,
    /// Commits at full load, and at half of it.
    pub(crate) commits: [Histogram; 2],
    pub(crate) latency: Latency,
    pub(crate) restart: Restart,
    pub(crate) peak_bytes: u64,
    /// The machine around full load, the pass-through, and half load.
    pub(crate) machine: [Speed; 3],
}

/// A rebuild from the changelogs alone.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Restore {
    /// Until it was ready, with an empty disk.
    pub(crate) seconds: f64,
    /// Until it was ready, with everything on disk.
    pub(crate) reopened: f64,
    /// Bytes of its table files then, those of customers too.
    pub(crate) table_bytes: u64,
    /// What the changelogs held.
    pub(crate) preloaded: Preloaded,
}

impl Figures {
    /// The processor's with everybody's partitions, whatever it had stored.
    fn alike(&self) -> impl Iterator<Item = &ProcessorFigures> {
        let partitions = self.processor.first().map(|found| found.scenario.partitions);
        self.processor.iter().filter(move |found| Some(found.scenario.partitions) == partitions)
    }

    /// Seconds that the machine's fixed work took when it was done fastest.
    fn fastest(&self) -> f64 {
        let of_processor = self.processor.iter().flat_map(|found| found.machine);
        let speeds = of_processor.chain(self.peer.iter().flat_map(|peer| peer.machine));
        speeds.map(|speed| speed.fastest()).fold(f64::INFINITY, f64::min)
    }
}

impl ProcessorFigures {
    /// Its events per CPU-second, as a part of the pass-through's.
    fn of_pass_through(&self) -> f64 {
        self.throughput.per_cpu_second() / self.pass_through.per_cpu_second()
    }
}

impl Restore {
    /// Minutes for 100 million ids at this pace; `None` where it took too little time to tell.
    fn minutes(&self, ids: u64) -> Option<f64> {
        let seconds = self.seconds - self.reopened;
        (seconds >= 1.0).then(|| seconds / ids as f64 * 1e8 / 60.0)
    }
}

/// What was found of Kafka Streams.
#[derive(Debug)]
pub(crate) struct PeerFigures {
    pub(crate) throughput: Throughput,
    pub(crate) outputs: Outputs,
    pub(crate) latency: Latency,
    pub(crate) restart: Restart,
    pub(crate) peak_bytes: u64,
    /// The machine around full load and half load.
    pub(crate) machine: [Speed; 2],
}

/// Writes `report.md` and `plot.svg` into `folder`; answers the report.
pub(crate) fn write(figures: &Figures, folder: &Path) -> anyhow::Result<String> {
    let report = table::report(figures, &limit::verdicts(figures));
    fs::write(folder.join("report.md"), &report)
        .with_context(|| format!("{} can't be written", folder.display()))?;
    plot::draw(figures, &folder.join("plot.svg"))?;
    Ok(report)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_processor_as_dear_as_n_pass_throughs_is_one_nth_of_them_however_many_events() {
        for events in [1_000, 2_000_000] {
            for n in [1.0, 2.0, 2.5, 10.0] {
                let mut found = example::processor(1, 6, 200_000.0 / n);
                found.throughput = example::throughput(events, 200_000.0 / n);
                assert!((found.of_pass_through() * n - 1.0).abs() < 1e-9, "{events} events, {n}");
            }
        }
    }

    #[test]
    fn the_fastest_moment_of_a_run_may_be_anybodys() {
        let mut figures = example::figures(&[], [(1, 6, 1.0), (10, 6, 1.0)]);
        figures.processor[1].machine[2].after = 0.2;
        assert!((figures.fastest() - 0.2).abs() < 1e-9);
        figures.peer.as_mut().expect("a peer").machine[0].before = 0.1;
        assert!((figures.fastest() - 0.1).abs() < 1e-9);
    }
}
