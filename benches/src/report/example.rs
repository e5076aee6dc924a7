//! Figures of a run that never was.

use std::collections::BTreeMap;
use std::time::Duration;

use super::{Figures, PeerFigures, ProcessorFigures};
use crate::measure::{Floor, Histogram, Latency, Outputs, Restart, Speed, Throughput, Usage};
use crate::plan::{Plan, Scenario};

const LATENCY: Latency = Latency { rate: 50_000.0, count: 10, p50: 80.0, p99: 160.0, max: 200.0 };
const OUTPUTS: Outputs = Outputs { records: [1; 3], sizes: [1; 3], sums: [1; 3] };
const RESTART: Restart = Restart { first: 1.0, every: 2.0 };
const SPEED: Speed = Speed { before: 0.3, after: 0.3 };

/// Of the processor with so many million ids, so many partitions, and so many events per CPU-second; beside
/// it Kafka Streams with 20,000.
pub(super) fn figures<const N: usize>(arguments: &[&str], processor: [(u64, u32, f64); N]) -> Figures {
    let throughput = throughput(1_000_000, 20_000.0);
    let (outputs, latency, restart) = (OUTPUTS, LATENCY, RESTART);
    Figures {
        plan: Plan::told(arguments),
        cores: 2,
        raw_bytes: 500,
        outputs,
        peer: Some(PeerFigures { throughput, outputs, latency, restart, peak_bytes: 1, machine: [SPEED; 2] }),
        peer_failure: None,
        processor: processor
            .map(|(ids, partitions, per_cpu_second)| self::processor(ids, partitions, per_cpu_second))
            .into(),
        floor: Floor { ours: 3.0, wrapper: 101.0 },
    }
}

/// The processor with so many million ids, beside a pass-through with 200,000 events per CPU-second.
pub(super) fn processor(million_ids: u64, partitions: u32, per_cpu_second: f64) -> ProcessorFigures {
    ProcessorFigures {
        scenario: Scenario { ids: million_ids * 1_000_000, partitions },
        restore: None,
        throughput: throughput(1_000_000, per_cpu_second),
        pass_through: throughput(1_000_000, 200_000.0),
        commits: [Histogram::default(), Histogram::default()],
        latency: LATENCY,
        restart: RESTART,
        peak_bytes: 1,
        machine: [SPEED; 3],
    }
}

/// So many events at so many per CPU-second.
pub(super) fn throughput(events: u64, per_cpu_second: f64) -> Throughput {
    let (wall, user) = (Duration::from_secs(1), events as f64 / per_cpu_second);
    Throughput { events, usage: Usage { wall, user, system: 0.0, groups: BTreeMap::new() } }
}
