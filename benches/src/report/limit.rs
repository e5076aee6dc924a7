//! The limits that the processor is to reach.

use super::{Figures, ProcessorFigures};

const MIB: f64 = 1_048_576.0;
/// With fewer events the JVM still compiles while it is measured, and the pass-through is done after a few
/// transactions: no ratio means anything.
const RATIO_EVENTS_MIN: u64 = 200_000;
/// Ids at which the first commit after a kill is judged.
const RESTART_IDS: u64 = 10_000_000;
/// Ids between which an event's cost must not grow: at most so many at the one end, at least so many at the
/// other.
const FLAT_IDS: [u64; 2] = [1_000_000, 30_000_000];
/// How much it may grow between them.
const GROWTH_MAX: f64 = 0.15;

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

    /// `reached`, `missed` or `no verdict`.
    pub(crate) fn word(&self) -> &'static str {
        match self.reached {
            Some(true) => "reached",
            Some(false) => "**missed**",
            None => "no verdict",
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
    if figures.processor.is_empty() {
        return Vec::new();
    }
    let tells = figures.plan.events >= RATIO_EVENTS_MIN;
    vec![against_peer(figures, tells), against_pass_through(figures, tells)]
}

/// With as many ids as Kafka Streams had stored. Where no scenario has, the first one's ratio is told and not
/// judged.
fn against_peer(figures: &Figures, tells: bool) -> Verdict {
    let what = "events per CPU-second against Kafka Streams".to_owned();
    let limit = "≥ 2 times (aim: 3)".to_owned();
    let ids = figures.plan.peer_ids;
    let same = figures.alike().find(|found| found.scenario.ids == ids);
    let Some((peer, base)) = figures.peer.as_ref().zip(same.or(figures.processor.first())) else {
        return Verdict { what, limit, found: "–".to_owned(), reached: None };
    };
    let ratio = base.throughput.per_cpu_second() / peer.throughput.per_cpu_second();
    let [ours, theirs] = [base.scenario.ids, ids].map(|ids| ids as f64 / 1e6);
    let found = match same {
        Some(_) => format!("{ratio:.2} times, both with {theirs} million ids"),
        None => format!("{ratio:.2} times; the sizes differ: {ours} million ids, and its {theirs} million"),
    };
    Verdict { what, limit, found, reached: same.filter(|_| tells).map(|_| ratio >= 2.0) }
}

fn against_pass_through(figures: &Figures, tells: bool) -> Verdict {
    let mut ratios: Vec<f64> = figures.processor.iter().map(ProcessorFigures::of_pass_through).collect();
    ratios.sort_by(f64::total_cmp);
    let ratio = median(&ratios);
    Verdict {
        what: "events per CPU-second against the pass-through, median of the pairs".to_owned(),
        limit: "≥ 0.4 (aim: 0.5)".to_owned(),
        found: format!("{ratio:.2} of {ratios:.2?}"),
        reached: tells.then_some(ratio >= 0.4),
    }
}

/// The middle of `sorted`, which is not empty.
fn median(sorted: &[f64]) -> f64 {
    let (low, high) = (sorted[(sorted.len() - 1) / 2], sorted[sorted.len() / 2]);
    f64::midpoint(low, high)
}

/// The dearest event against that of the fewest ids, at the first partition count.
fn flatness(figures: &Figures) -> Verdict {
    let of = |found: &ProcessorFigures| (found.scenario.ids, found.throughput.micros());
    let costs: Vec<(u64, f64)> = figures.alike().map(of).collect();
    let least = costs.iter().min_by_key(|(ids, _)| *ids);
    let most = costs.iter().max_by_key(|(ids, _)| *ids);
    let dearest = costs.iter().map(|(_, micros)| *micros).fold(0.0, f64::max);
    let (what, limit) =
        ("CPU per event from 1 to 30 million stored ids".to_owned(), "+15 % at most".to_owned());
    match (least, most) {
        (Some((fewest, base)), Some((most, _))) if most > fewest => {
            let growth = dearest / base - 1.0;
            let spans = *fewest <= FLAT_IDS[0] && *most >= FLAT_IDS[1];
            let found = format!(
                "{:+.0} % from {} to {} million",
                growth * 100.0,
                *fewest as f64 / 1e6,
                *most as f64 / 1e6
            );
            // Between fewer ids a miss is one nevertheless.
            let reached = (spans || growth > GROWTH_MAX).then_some(growth <= GROWTH_MAX);
            Verdict { what, limit, found, reached }
        }
        _ => Verdict { what, limit, found: "–".to_owned(), reached: None },
    }
}

fn of_scenario(found: &ProcessorFigures, memory_mib: u64) -> Vec<Verdict> {
    let at =
        format!("{} million ids, {} partitions", found.scenario.ids as f64 / 1e6, found.scenario.partitions);
    let mut verdicts = vec![Verdict::new(
        format!("raw record → suppression p99 at half load, {at}"),
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

#[cfg(test)]
mod tests {
    use super::super::example;
    use super::*;

    #[test]
    fn as_many_lie_below_the_median_as_above_it() {
        for count in 1..9_usize {
            let sorted: Vec<f64> = (0..count).map(|at| (at * at) as f64).collect();
            let middle = median(&sorted);
            let below = sorted.iter().filter(|value| **value < middle).count();
            let above = sorted.iter().filter(|value| **value > middle).count();
            assert_eq!(below, above, "{sorted:?}: {middle}");
        }
        assert_eq!([median(&[4.0]), median(&[1.0, 4.0]), median(&[1.0, 2.0, 9.0])], [4.0, 2.5, 2.0]);
    }

    #[test]
    fn the_peer_is_compared_with_the_processor_of_as_many_ids_and_everybodys_partitions() {
        let sizes = [(1, 6, 100_000.0), (10, 6, 60_000.0), (10, 32, 90_000.0)];
        let verdict = against_peer(&example::figures(&["--peer-ids", "10"], sizes), true);
        assert_eq!((&*verdict.found, verdict.reached), ("3.00 times, both with 10 million ids", Some(true)));
        let slow = sizes.map(|(ids, partitions, _)| (ids, partitions, 30_000.0));
        let verdict = against_peer(&example::figures(&["--peer-ids", "10"], slow), true);
        assert_eq!(verdict.reached, Some(false));
    }

    #[test]
    fn the_peer_is_not_judged_where_the_sizes_differ_or_the_run_is_small() {
        let figures = example::figures(&["--peer-ids", "10"], [(1, 6, 100_000.0), (10, 32, 90_000.0)]);
        let verdict = against_peer(&figures, true);
        assert!(verdict.found.starts_with("5.00 times; the sizes differ"), "{}", verdict.found);
        assert_eq!(verdict.reached, None);
        let figures = example::figures(&["--peer-ids", "1"], [(1, 6, 100_000.0)]);
        assert_eq!(against_peer(&figures, false).reached, None);
        let figures = Figures { peer: None, ..figures };
        assert_eq!(against_peer(&figures, true).reached, None);
    }

    #[test]
    fn only_a_span_from_1_to_30_million_ids_shows_that_cost_is_flat_and_any_span_that_it_is_not() {
        let judged = |few: u64, many: u64, growth: f64| {
            let costs = [(few, 6, 100_000.0), (many, 6, 100_000.0 / (1.0 + growth))];
            flatness(&example::figures(&[], costs)).reached
        };
        assert_eq!([judged(1, 30, 0.1), judged(0, 40, 0.1)], [Some(true); 2]);
        assert_eq!([judged(1, 29, 0.1), judged(2, 30, 0.1), judged(1, 1, 0.1)], [None; 3]);
        assert_eq!([judged(1, 30, 0.2), judged(2, 10, 0.2)], [Some(false); 2]);
    }

    #[test]
    fn a_slow_machine_changes_no_verdict() {
        let sizes = [(1, 6, 100_000.0), (30, 6, 90_000.0)];
        let quiet = example::figures(&["--peer-ids", "1"], sizes);
        let mut slow = example::figures(&["--peer-ids", "1"], sizes);
        for speed in slow.processor.iter_mut().flat_map(|found| &mut found.machine) {
            speed.after *= 3.0;
        }
        assert_eq!(verdicts(&slow), verdicts(&quiet));
    }
}
