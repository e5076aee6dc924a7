//! Metrics: one Prometheus recorder per process, and this crate's own metrics.

mod declare;

use std::fmt;
use std::thread;
use std::time::Duration;

use metrics::{Counter, counter, gauge};
use metrics_exporter_prometheus::{BuildError, Matcher, PrometheusBuilder, PrometheusHandle};
use tracing::Level;

use crate::Error;
pub use declare::{Kind, Label, Metric, table};

crate::metrics! {
    /// Log events written.
    LOG_EVENTS: counter "telemetry_log_events_total" { level: ["error", "warn", "info", "debug", "trace"] },
    /// Panics in any thread or task of this process. None is normal.
    PANICS: counter "telemetry_panics_total",
    /// Always 1. Its labels say what runs.
    BUILD_INFO: gauge "build_info" { version },
}

/// Buckets of every histogram whose name ends in `_seconds`: from a fast ack to past the vendor's timeout of
/// 4 s.
const SECONDS: [f64; 14] = [0.005, 0.01, 0.025, 0.05, 0.075, 0.1, 0.25, 0.5, 0.75, 1.0, 2.5, 5.0, 7.5, 10.0];

/// Buckets of every histogram whose name ends in `_bytes`: powers of four from 256 B to 64 MiB.
const BYTES: [f64; 10] = powers(256.0, 4.0);

/// Buckets of every other histogram, such as records per batch: powers of two from 1 to 16,384.
const COUNTS: [f64; 15] = powers(1.0, 2.0);

/// Time between two upkeeps of the recorder, which sort observations into the buckets. Between them, memory
/// grows with the traffic.
const UPKEEP_INTERVAL: Duration = Duration::from_secs(5);

/// A handle on this process's metrics. Cheap to clone.
#[derive(Clone)]
pub struct Metrics {
    recorder: PrometheusHandle,
}

impl Metrics {
    /// Every metric in the Prometheus text format, version 0.0.4.
    pub fn render(&self) -> String {
        self.recorder.render()
    }

    /// Describes metrics, and registers at zero each counter whose labels are closed sets. A role calls it
    /// once for each crate's `METRICS`.
    pub fn describe(&self, metrics: &[Metric]) {
        for metric in metrics {
            match metric.kind {
                Kind::Counter => metrics::describe_counter!(metric.name, metric.help),
                Kind::Gauge => metrics::describe_gauge!(metric.name, metric.help),
                Kind::Histogram => metrics::describe_histogram!(metric.name, metric.help),
            }
            if metric.kind == Kind::Counter {
                for labels in metric.combinations() {
                    counter!(metric.name, &labels).absolute(0);
                }
            }
        }
    }

    /// Builds the recorder and makes it the process's.
    pub(crate) fn install() -> Result<Metrics, Error> {
        let recorder = build().map_err(|err| Error::Recorder(Box::new(err)))?.build_recorder();
        let metrics = Metrics { recorder: recorder.handle() };
        metrics::set_global_recorder(recorder).map_err(|err| Error::Recorder(err.to_string().into()))?;
        metrics.describe(METRICS);
        gauge!(BUILD_INFO, "version" => env!("CARGO_PKG_VERSION")).set(1.0);
        keep_up(metrics.recorder.clone())?;
        Ok(metrics)
    }
}

impl fmt::Debug for Metrics {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Metrics").finish_non_exhaustive()
    }
}

/// The counter of log events at one level.
pub(crate) fn log_events(level: Level) -> Counter {
    counter!(LOG_EVENTS, "level" => level.as_str().to_ascii_lowercase())
}

/// The counter of panics.
pub(crate) fn panics() -> Counter {
    counter!(PANICS)
}

fn build() -> Result<PrometheusBuilder, BuildError> {
    PrometheusBuilder::new()
        .set_buckets(&COUNTS)?
        .set_buckets_for_metric(Matcher::Suffix("_seconds".to_owned()), &SECONDS)?
        .set_buckets_for_metric(Matcher::Suffix("_bytes".to_owned()), &BYTES)
}

/// Runs for as long as the process: the recorder does too.
fn keep_up(recorder: PrometheusHandle) -> Result<(), Error> {
    let upkeep = move || {
        loop {
            thread::sleep(UPKEEP_INTERVAL);
            recorder.run_upkeep();
        }
    };
    thread::Builder::new().name("metrics-upkeep".to_owned()).spawn(upkeep).map(drop).map_err(Error::Upkeep)
}

const fn powers<const N: usize>(first: f64, base: f64) -> [f64; N] {
    let mut powers = [first; N];
    let mut index = 1;
    while index < N {
        powers[index] = powers[index - 1] * base;
        index += 1;
    }
    powers
}
