//! What was found, as a table, a plot, and a verdict for each limit.

mod limit;
mod plot;
mod table;

use std::fs;
use std::path::Path;

use anyhow::Context;

use crate::measure::{Floor, Histogram, Latency, Outputs, Restart, Throughput};
use crate::plan::{Plan, Scenario};

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
}

/// A rebuild from the changelogs alone.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Restore {
    /// Until it was ready, with an empty disk.
    pub(crate) seconds: f64,
    /// Until it was ready, with everything on disk.
    pub(crate) reopened: f64,
    /// Bytes of its table files then.
    pub(crate) table_bytes: u64,
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
}

/// Writes `report.md` and `plot.svg` into `folder`; answers the report.
pub(crate) fn write(figures: &Figures, folder: &Path) -> anyhow::Result<String> {
    let report = table::report(figures, &limit::verdicts(figures));
    fs::write(folder.join("report.md"), &report)
        .with_context(|| format!("{} can't be written", folder.display()))?;
    plot::draw(figures, &folder.join("plot.svg"))?;
    Ok(report)
}
