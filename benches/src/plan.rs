//! What is to be measured: the sizes, as arguments.

use std::path::PathBuf;

use clap::Args;

/// The sizes of a run. The defaults are the quick one.
#[derive(Debug, Clone, Args)]
pub(crate) struct Plan {
    /// Raw records for throughput, duplicates included; the first half warms up and is not measured.
    #[arg(long, default_value_t = 800_000, value_parser = clap::value_parser!(u64).range(1_000..))]
    pub(crate) events: u64,
    /// Ids already stored when the processor starts, in millions, comma-separated; each is a scenario of its
    /// own.
    #[arg(long, default_value = "1,10", value_delimiter = ',', value_parser = millions)]
    pub(crate) ids: Vec<u64>,
    /// Partitions of the topics, comma-separated. The first is everybody's; with each other one the processor
    /// alone is measured again, with the last of the ids.
    #[arg(long, default_value = "6,32", value_delimiter = ',', value_parser = clap::value_parser!(u32).range(1..=256))]
    pub(crate) partitions: Vec<u32>,
    /// Ids already stored by Kafka Streams, in millions.
    #[arg(long, default_value = "1", value_parser = millions)]
    pub(crate) peer_ids: u64,
    /// Seconds for which half load is measured, and before it the load of which it is half.
    #[arg(long, default_value_t = 12, value_parser = clap::value_parser!(u64).range(1..=3_600))]
    pub(crate) latency_seconds: u64,
    /// The processor's memory budget, in MiB.
    #[arg(long, default_value_t = 1_024)]
    pub(crate) memory_mib: u64,
    /// Records in a transaction of the pass-through.
    #[arg(long, default_value_t = 20_000)]
    pub(crate) pass_through_records: usize,
    /// Leave Kafka Streams out.
    #[arg(long)]
    pub(crate) without_peer: bool,
    /// Decides the events.
    #[arg(long, default_value_t = 1)]
    pub(crate) seed: u64,
    /// Where the results go, a folder per run; `bench` in the cache folder where not given.
    #[arg(long)]
    pub(crate) results: Option<PathBuf>,
    /// Keep the broker's and the stores' data, in the result's folder.
    #[arg(long)]
    pub(crate) keep: bool,
}

impl Plan {
    /// Events per customer, about.
    pub(crate) const EVENTS_PER_CUSTOMER: u64 = 10;

    /// People whom the events are about.
    pub(crate) fn customers(&self) -> usize {
        usize::try_from(self.events / Self::EVENTS_PER_CUSTOMER).unwrap_or(usize::MAX).max(50)
    }

    /// Records that only warm up: a JVM compiles while it runs, and must not be measured while it does.
    pub(crate) fn warm(&self) -> u64 {
        self.events / 2
    }

    /// Ids and partitions of the scenarios, everybody's first.
    pub(crate) fn scenarios(&self) -> Vec<Scenario> {
        let (first, others) =
            self.partitions.split_first().map_or((6, &[][..]), |(first, rest)| (*first, rest));
        let last = self.ids.last().copied().unwrap_or_default();
        let by_ids = self.ids.iter().map(|ids| Scenario { ids: *ids, partitions: first });
        by_ids
            .chain(others.iter().map(|partitions| Scenario { ids: last, partitions: *partitions }))
            .collect()
    }
}

/// One state in which the processor is measured.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct Scenario {
    /// Ids stored before the first event.
    pub(crate) ids: u64,
    /// Partitions.
    pub(crate) partitions: u32,
}

/// `0.5` is half a million.
#[expect(clippy::cast_possible_truncation, clippy::cast_sign_loss, reason = "within bounds, never negative")]
fn millions(text: &str) -> Result<u64, String> {
    let number: f64 = text.parse().map_err(|_| "a number of millions, such as 10 or 0.1".to_owned())?;
    if (0.0..=1_000.0).contains(&number) {
        Ok((number * 1e6).round() as u64)
    } else {
        Err("0 to 1000 million".to_owned())
    }
}

#[cfg(test)]
mod tests {
    use clap::Parser;

    use super::*;

    #[derive(Parser)]
    struct Line {
        #[command(flatten)]
        plan: Plan,
    }

    impl Plan {
        /// The plan of these arguments.
        pub(crate) fn told(arguments: &[&str]) -> Self {
            Line::parse_from([&["bench"], arguments].concat()).plan
        }
    }

    #[test]
    fn every_size_is_a_scenario_and_other_partition_counts_take_the_last() {
        let plan = Plan::told(&["--ids", "0.5,10", "--partitions", "6,32"]);
        let scenario = |ids, partitions| Scenario { ids, partitions };
        assert_eq!(
            plan.scenarios(),
            [scenario(500_000, 6), scenario(10_000_000, 6), scenario(10_000_000, 32)]
        );
        assert!(Line::try_parse_from(["bench", "--ids", "-1"]).is_err());
        assert!(Line::try_parse_from(["bench", "--ids", "many"]).is_err());
    }
}
