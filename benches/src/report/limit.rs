//! The limits that the processor is to reach.

use super::{Figures, ProcessorFigures};

const MIB: f64 = 1_048_576.0;
/// With fewer events the JVM still compiles while it is measured, and the pass-through is done after a few transactions: no
/// ratio means anything.
const RATIO_EVENTS_MIN: u64 = 200_000;
/// Ids at which the first commit after a kill is judged.
const RESTART_IDS: u64 = 10_000_000;

/// A limit beside what was found.
#[derive(Debug, Clone, PartialEq)]
pub(crate) struct Verdict {
    /// What is limited.
    pub(crate) what: String,
    /// The limit, in words.
    pub(crate) limit: String,
    /// What was found, in words.
    pub(crate) found: String,
    /// Whether it is reached; `None` where this run can't tell.
    pub(crate) reached: Option<bool>,
}

impl Verdict {
    fn new(what: impl Into<String>, limit: impl Into<String>, found: String, reached: bool) -> Self {
        Self { what: what.into(), limit: limit.into(), found, reached: Some(reached) }
    }

    /// `reached`, `missed` or `not measured`.
    pub(crate) fn word(&self) -> &'static str {
        match self.reached {
            Some(true) => "reached",
            Some(false) => "**missed**",
            None => "not measured",
        }
    }
}

/// Every limit, in the order.
pub(crate) fn verdicts(figures: &Figures) -> Vec<Verdict> {
    let mut verdicts = ratios(figures);
    let floor = figures.floor;
    verdicts.push(Verdict::new(
        "a commit's floor",
        "none of 100 ms",
        format!("{:.1} ms (the wrapper's own: {:.1} ms)", floor.ours, floor.wrapper),
        floor.ours < 100.0 && floor.ours * 2.0 < floor.wrapper.max(100.0),
    ));
    verdicts.push(flatness(figures));
    verdicts.extend(figures.processor.iter().flat_map(|found| of_scenario(found, figures.plan.memory_mib)));
    verdicts
}

fn ratios(figures: &Figures) -> Vec<Verdict> {
    let mut verdicts = Vec::new();
    let Some(base) = figures.processor.first() else { return verdicts };
    let ours = base.throughput.per_cpu_second();
    let what = "events per CPU-second against";
    let tells = figures.plan.events >= RATIO_EVENTS_MIN;
    let peer = figures.peer.as_ref().map(|peer| ours / peer.throughput.per_cpu_second());
    verdicts.push(Verdict {
        what: format!("{what} Kafka Streams"),
        limit: "≥ 2 times (aim: 3)".to_owned(),
        found: peer.map_or_else(|| "–".to_owned(), |ratio| format!("{ratio:.2} times")),
        reached: peer.filter(|_| tells).map(|ratio| ratio >= 2.0),
    });
    let mut ratios: Vec<f64> = figures.processor.iter().map(ProcessorFigures::of_pass_through).collect();
    ratios.sort_by(f64::total_cmp);
    let ratio = median(&ratios);
    verdicts.push(Verdict {
        what: format!("{what} the pass-through, median of the pairs"),
        limit: "≥ 0.4 (aim: 0.5)".to_owned(),
        found: format!("{ratio:.2} of {ratios:.2?}"),
        reached: tells.then_some(ratio >= 0.4),
    });
    verdicts
}

/// The middle of `sorted`, which is not empty.
fn median(sorted: &[f64]) -> f64 {
    let (low, high) = (sorted[(sorted.len() - 1) / 2], sorted[sorted.len() / 2]);
    f64::midpoint(low, high)
}

/// The dearest event against that of the fewest ids, at the first partition count.
fn flatness(figures: &Figures) -> Verdict {
    let first = figures.processor.first().map(|found| found.scenario.partitions);
    let alike = figures.processor.iter().filter(|found| Some(found.scenario.partitions) == first);
    let costs: Vec<(u64, f64)> = alike.map(|found| (found.scenario.ids, found.throughput.micros())).collect();
    let least = costs.iter().min_by_key(|(ids, _)| *ids);
    let most = costs.iter().max_by_key(|(ids, _)| *ids);
    let dearest = costs.iter().map(|(_, micros)| *micros).fold(0.0, f64::max);
    let (what, limit) =
        ("CPU per event from 1 to 30 million stored ids".to_owned(), "+15 % at most".to_owned());
    match (least, most) {
        (Some((fewest, base)), Some((most, _))) if most > fewest => {
            let growth = dearest / base - 1.0;
            let found = format!(
                "{:+.0} % from {} to {} million",
                growth * 100.0,
                *fewest as f64 / 1e6,
                *most as f64 / 1e6
            );
            Verdict { what, limit, found, reached: Some(growth <= 0.15) }
        }
        _ => Verdict { what, limit, found: "–".to_owned(), reached: None },
    }
}

fn of_scenario(found: &ProcessorFigures, memory_mib: u64) -> Vec<Verdict> {
    let at =
        format!("{} million ids, {} partitions", found.scenario.ids as f64 / 1e6, found.scenario.partitions);
    let mut verdicts = vec![Verdict::new(
        format!("webhook → suppression p99 at half load, {at}"),
        "≤ 250 ms",
        format!("{:.0} ms", found.latency.p99),
        found.latency.p99 <= 250.0,
    )];
    if let Some(restore) = found.restore {
        let bytes = restore.table_bytes as f64 / found.scenario.ids as f64;
        let what = format!("bytes per id on disk, {at}");
        verdicts.push(Verdict::new(what, "≤ 30", format!("{bytes:.1}"), bytes <= 30.0));
    }
    let judged = found.scenario.ids >= RESTART_IDS;
    let first = found.restart.first;
    verdicts.push(Verdict {
        what: format!("first commit after SIGKILL, {at}"),
        limit: "≤ 5 s with 10 million".to_owned(),
        found: format!("{first:.1} s (of every partition: {:.1} s)", found.restart.every),
        // With fewer ids a miss is one nevertheless.
        reached: (judged || first > 5.0).then_some(first <= 5.0),
    });
    let peak = found.peak_bytes as f64 / MIB;
    let budget = memory_mib as f64 + 100.0;
    verdicts.push(Verdict::new(
        format!("peak resident memory, {at}"),
        format!("≤ {budget:.0} MiB (budget + 100)"),
        format!("{peak:.0} MiB"),
        peak <= budget,
    ));
    verdicts
}
