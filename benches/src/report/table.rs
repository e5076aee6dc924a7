//! The report, in Markdown.

use std::collections::BTreeMap;
use std::fmt::Write as _;

use super::limit::Verdict;
use super::{Figures, ProcessorFigures};
use crate::measure::{Histogram, Latency, Outputs, Restart, Speed, Throughput};

const MIB: f64 = 1_048_576.0;
/// Kinds of threads that cost less than this share of an event are summed up.
const SHARE_SHOWN: f64 = 0.01;
/// What stands where nothing was measured.
const NOTHING: &str = "–";

/// The whole report.
pub(super) fn report(figures: &Figures, verdicts: &[Verdict]) -> String {
    let mut text = String::from("# The processor against its limits and its peers\n\n");
    let _ = writeln!(text, "![plot](plot.svg)\n\n{}\n", conditions(figures));
    text.push_str("## Limits\n\n| what | limit | found | |\n|---|---|---|---|\n");
    for verdict in verdicts {
        let _ = writeln!(
            text,
            "| {} | {} | {} | {} |",
            verdict.what,
            verdict.limit,
            verdict.found,
            verdict.word()
        );
    }
    if let Some(why) = &figures.peer_failure {
        let _ = writeln!(text, "\n**Kafka Streams was not measured to its end: {why}**");
    }
    text.push_str(&subjects(figures));
    text.push_str(&states(figures));
    text.push_str(&where_it_goes(figures));
    text
}

fn conditions(figures: &Figures) -> String {
    let plan = &figures.plan;
    format!(
        "{} events of {} bytes, a sixth of them copies, about {} customers; half of them warm up and are not counted. {} cores, on \
         which the broker and the measuring run too. The machine's speed is that of a fixed piece of work on every core, before and after \
         what stands beside it: 1.00 in this run's fastest moment, lower is slower; no verdict heeds it. Arguments: `{}`.",
        plan.events,
        figures.raw_bytes,
        plan.customers(),
        figures.cores,
        std::env::args().skip(1).collect::<Vec<_>>().join(" "),
    )
}

/// One line for each subject, on the same records.
fn subjects(figures: &Figures) -> String {
    let mut text = String::from(
        "\n## On the same raw records\n\n| | events per CPU-second | ratio | events/s | µs of CPU per event | in the kernel | records \
         written per event | latency p50 / p99 at half load | first / every partition after SIGKILL | peak memory | machine's speed around full load · half load \
         |\n|---|---|---|---|---|---|---|---|---|---|---|\n",
    );
    let Some(base) = figures.processor.first() else { return text };
    let ours = base.throughput.per_cpu_second();
    let sized = |name: &str, ids: u64| format!("{name}, {} million ids", ids as f64 / 1e6);
    let mut line = |name: &str, of: &Throughput, written: f64, rest: [String; 4]| {
        let _ = writeln!(
            text,
            "| {name} | {} | {:.2} | {} | {:.1} | {:.0} % | {written:.2} | {} |",
            thousands(of.per_cpu_second()),
            of.per_cpu_second() / ours,
            thousands(of.per_second()),
            of.micros(),
            100.0 * of.usage.system / of.usage.cpu(),
            rest.join(" | "),
        );
    };
    let written = |outputs: &Outputs| outputs.records.iter().sum::<u64>() as f64 / figures.plan.events as f64;
    let [full, pass_through, half] = base.machine;
    let speed = |of: &[Speed]| speeds(of, figures.fastest());
    let rest = [delay(&base.latency), away(&base.restart), mib(base.peak_bytes), speed(&[full, half])];
    let name = sized("the processor", base.scenario.ids);
    line(&name, &base.throughput, written(&figures.outputs), rest);
    let rest = [NOTHING, NOTHING, NOTHING, &speed(&[pass_through])].map(str::to_owned);
    line("transactional pass-through", &base.pass_through, 3.0, rest);
    if let Some(peer) = &figures.peer {
        let rest = [delay(&peer.latency), away(&peer.restart), mib(peer.peak_bytes), speed(&peer.machine)];
        let name = sized("Kafka Streams", figures.plan.peer_ids);
        line(&name, &peer.throughput, written(&peer.outputs), rest);
        let _ = writeln!(
            text,
            "\nWritten, as warehouse / trait / suppression: the processor {}, Kafka Streams {} (the processor writes one per customer \
             and transaction). What they say in the end, each outcome and each customer's last traits and suppressions: {}.",
            triple(figures.outputs.records),
            triple(peer.outputs.records),
            same(&figures.outputs, &peer.outputs),
        );
    }
    text
}

/// One line for each state in which the processor was measured.
fn states(figures: &Figures) -> String {
    let mut text = String::from(
        "\n## The processor with ids already stored\n\n| million ids | partitions | events per CPU-second | of the pass-through's | µs per event | events/s | bytes \
         per id | minutes per 100 M restored (ids per chunk, customers) | commit p50 / p99, full load | half load | latency p50 / p99 / max | events/s then | first / every \
         partition after SIGKILL | peak memory | machine's speed around full load · pass-through · half load \
         |\n|---|---|---|---|---|---|---|---|---|---|---|---|---|---|---|\n",
    );
    for found in &figures.processor {
        let ids = found.scenario.ids;
        let restored = found.restore.map_or_else(
            || [NOTHING, NOTHING].map(str::to_owned),
            |restore| [format!("{:.1}", restore.table_bytes as f64 / ids as f64), restored_in(restore, ids)],
        );
        let _ = writeln!(
            text,
            "| {} | {} | {} | {:.2} | {:.1} | {} | {} | {} | {} | {} | {} / {:.0} ms | {} | {} | {} | {} |",
            ids as f64 / 1e6,
            found.scenario.partitions,
            thousands(found.throughput.per_cpu_second()),
            found.of_pass_through(),
            found.throughput.micros(),
            thousands(found.throughput.per_second()),
            restored[0],
            restored[1],
            commits(&found.commits[0]),
            commits(&found.commits[1]),
            delay(&found.latency),
            found.latency.max,
            thousands(found.latency.rate),
            away(&found.restart),
            mib(found.peak_bytes),
            speeds(&found.machine, figures.fastest()),
        );
    }
    text
}

/// The restore's pace, and what was restored.
fn restored_in(restore: super::Restore, ids: u64) -> String {
    let minutes = restore.minutes(ids).map_or_else(|| NOTHING.to_owned(), |minutes| format!("{minutes:.1}"));
    let of_chunk = ids as f64 / restore.preloaded.chunks.max(1) as f64;
    format!("{minutes} ({of_chunk:.0}, {})", thousands(restore.preloaded.customers as f64))
}

/// Microseconds per event by kind of thread, for every subject and state.
fn where_it_goes(figures: &Figures) -> String {
    let of_state = |found: &ProcessorFigures| {
        format!("processor, {} M, {} p", found.scenario.ids as f64 / 1e6, found.scenario.partitions)
    };
    let states = figures.processor.iter().map(|found| (of_state(found), &found.throughput));
    let pass_through = figures.processor.first().map(|base| ("pass-through".to_owned(), &base.pass_through));
    let peer = figures.peer.iter().map(|peer| ("Kafka Streams".to_owned(), &peer.throughput));
    let mut text = String::from(
        "\n## Where the time goes: µs of CPU per event, by kind of thread\n\n| subject | |\n|---|---|\n",
    );
    for (name, throughput) in states.chain(pass_through).chain(peer) {
        let _ = writeln!(text, "| {name} | {} |", kinds(throughput));
    }
    text
}

fn kinds(throughput: &Throughput) -> String {
    let micros = |seconds: f64| seconds * 1e6 / throughput.events as f64;
    let groups: &BTreeMap<String, f64> = &throughput.usage.groups;
    let shown = |seconds: &f64| *seconds >= SHARE_SHOWN * throughput.usage.cpu();
    let mut large: Vec<(&String, f64)> =
        groups.iter().filter(|(_, seconds)| shown(seconds)).map(|(name, seconds)| (name, *seconds)).collect();
    large.sort_by(|left, right| right.1.total_cmp(&left.1));
    let mut parts: Vec<String> =
        large.iter().map(|(name, seconds)| format!("{name} {:.2}", micros(*seconds))).collect();
    let small: f64 = groups.values().filter(|seconds| !shown(seconds)).sum();
    if small > 0.0 {
        parts.push(format!("others {:.2}", micros(small)));
    }
    parts.join(" · ")
}

fn commits(histogram: &Histogram) -> String {
    match (histogram.quantile(0.5), histogram.quantile(0.99)) {
        (Some(p50), Some(p99)) => {
            let mean = histogram.mean().unwrap_or_default() * 1e3;
            format!("{:.0} / {:.0} ms, mean {mean:.1}", p50 * 1e3, p99 * 1e3)
        }
        _ => NOTHING.to_owned(),
    }
}

fn delay(latency: &Latency) -> String {
    format!("{:.0} / {:.0} ms", latency.p50, latency.p99)
}

fn away(restart: &Restart) -> String {
    format!("{:.1} / {:.1} s", restart.first, restart.every)
}

/// Before and after each part.
fn speeds(of: &[Speed], fastest: f64) -> String {
    let pairs = of.iter().map(|speed| speed.against(fastest));
    pairs.map(|[before, after]| format!("{before:.2} / {after:.2}")).collect::<Vec<_>>().join(" · ")
}

fn mib(bytes: u64) -> String {
    format!("{:.0} MiB", bytes as f64 / MIB)
}

/// Whether both did the same job.
fn same(ours: &Outputs, theirs: &Outputs) -> String {
    let differs = |at: usize| ours.sums[at] != theirs.sums[at];
    let different: Vec<&str> = ["outcomes", "traits", "suppressions"]
        .into_iter()
        .enumerate()
        .filter(|(at, _)| differs(*at))
        .map(|(_, what)| what)
        .collect();
    if different.is_empty() {
        "the same".to_owned()
    } else {
        format!("**different {}**", different.join(" and "))
    }
}

fn triple(records: [u64; 3]) -> String {
    records.map(|count| count.to_string()).join(" / ")
}

/// `46700` as `46,700`.
fn thousands(number: f64) -> String {
    let digits = format!("{number:.0}");
    let mut text = String::new();
    for (at, digit) in digits.chars().enumerate() {
        if at > 0 && (digits.len() - at).is_multiple_of(3) {
            text.push(',');
        }
        text.push(digit);
    }
    text
}

#[cfg(test)]
mod tests {
    use super::super::example;
    use super::super::limit::verdicts;
    use super::*;

    #[test]
    fn every_line_of_a_table_has_as_many_cells_as_its_head() {
        let figures = example::figures(&[], [(1, 6, 100_000.0), (10, 32, 90_000.0)]);
        let text = report(&figures, &verdicts(&figures));
        let tables: Vec<&str> = text.split("\n\n").filter(|part| part.starts_with('|')).collect();
        assert_eq!(tables.len(), 4);
        for table in tables {
            let cells: Vec<usize> = table.lines().map(|line| line.matches('|').count()).collect();
            assert!(cells.iter().all(|count| *count == cells[0]), "{cells:?} in\n{table}");
        }
    }

    #[test]
    fn the_machines_speed_stands_beside_what_was_measured_in_it() {
        let mut figures = example::figures(&[], [(1, 6, 100_000.0)]);
        let slow = Speed { before: 0.6, after: 0.4 };
        figures.processor[0].machine[2] = slow;
        let text = report(&figures, &[]);
        assert!(text.contains("| 1.00 / 1.00 · 0.50 / 0.75 |"), "{text}");
        assert!(text.contains("| 1.00 / 1.00 · 1.00 / 1.00 · 0.50 / 0.75 |"), "{text}");
    }

    #[test]
    fn a_restore_says_what_was_restored_and_a_peer_that_died_says_why() {
        let mut figures = example::figures(&[], [(10, 6, 100_000.0)]);
        let preloaded = crate::workload::preload::Preloaded { chunks: 25_000, customers: 1_000_000 };
        let restore = crate::report::Restore { seconds: 7.0, reopened: 1.0, table_bytes: 1, preloaded };
        figures.processor[0].restore = Some(restore);
        figures.peer = None;
        figures.peer_failure = Some("killed by a test".to_owned());
        let text = report(&figures, &[]);
        assert!(text.contains("| 1.0 (400, 1,000,000) |"), "{text}");
        assert!(text.contains("not measured to its end: killed by a test"), "{text}");
    }

    #[test]
    fn thousands_are_told_apart() {
        assert_eq!(
            [999.4, 1_000.0, 46_700.0, 1_234_567.0].map(thousands),
            ["999", "1,000", "46,700", "1,234,567"]
        );
    }
}
