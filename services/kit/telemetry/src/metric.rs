//! Metrics: one Prometheus recorder per process, and what this crate itself counts.

use std::fmt;
use std::thread;
use std::time::Duration;

use metrics::{Counter, counter, gauge};
use metrics_exporter_prometheus::{BuildError, Matcher, PrometheusBuilder, PrometheusHandle};
use tracing::Level;

use crate::Error;

/// Log events, by level.
pub const LOG_EVENTS: &str = "telemetry_log_events_total";

/// Panics that unwound somewhere in the process.
pub const PANICS: &str = "telemetry_panics_total";

/// Always 1; its labels say what runs.
pub const BUILD_INFO: &str = "aftersend_build_info";

/// This crate's metrics and their meaning.
pub const METRICS: &[(&str, &str)] = &[
    (LOG_EVENTS, "Log events written, by level."),
    (PANICS, "Panics in any thread or task of this process; none is normal."),
    (BUILD_INFO, "Always 1; the labels name the version that runs."),
];

/// Buckets of every histogram whose name ends in `_seconds`: from a fast ack to past the vendor's timeout of 4 s.
const SECONDS: [f64; 14] = [0.005, 0.01, 0.025, 0.05, 0.075, 0.1, 0.25, 0.5, 0.75, 1.0, 2.5, 5.0, 7.5, 10.0];

/// Buckets of every histogram whose name ends in `_bytes`: powers of four from 256 B to 64 MiB.
const BYTES: [f64; 10] = powers(256.0, 4.0);

/// Buckets of every other histogram, such as records per batch: powers of two from 1 to 16,384.
const COUNTS: [f64; 15] = powers(1.0, 2.0);

/// How often the recorder folds what was recorded into its histograms; between two folds they grow with the traffic.
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

    /// Attaches their meaning to metrics, by name. A role calls it once with its `METRICS`.
    pub fn describe(&self, metrics: &[(&'static str, &'static str)]) {
        for (name, meaning) in metrics {
            // The exporter keeps one text per name, whatever the kind that it's described as.
            metrics::describe_gauge!(*name, *meaning);
        }
    }

    /// Builds the recorder and makes it the process's.
    pub(crate) fn install() -> Result<Metrics, Error> {
        let recorder = build().map_err(|err| Error::Recorder(Box::new(err)))?.build_recorder();
        let metrics = Metrics { recorder: recorder.handle() };
        metrics::set_global_recorder(recorder).map_err(|err| Error::Recorder(err.to_string().into()))?;
        metrics.describe(METRICS);
        gauge!(BUILD_INFO, "version" => env!("CARGO_PKG_VERSION")).set(1.0);
        panics().absolute(0);
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
