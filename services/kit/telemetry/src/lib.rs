#![doc = include_str!("../README.md")]

mod log;
pub mod metric;
mod panic;
mod seldom;

use std::sync::{Mutex, PoisonError};

pub use log::{Format, Settings};
pub use metric::{Kind, Label, Metric, Metrics};
pub use seldom::seldom;

/// What was installed, once per process.
static INSTALLED: Mutex<Option<Metrics>> = Mutex::new(None);

/// Starts the logs and metrics of this process: tracing to stderr, the Prometheus recorder, and a panic hook
/// that logs where a panic happened. A second call changes nothing and returns the same metrics, because
/// tests share a process.
///
/// # Errors
/// The level can't be parsed, the process has another recorder or subscriber already, or the system gives no
/// thread for the recorder's upkeep.
pub fn init(settings: &Settings) -> Result<Metrics, Error> {
    let mut installed = INSTALLED.lock().unwrap_or_else(PoisonError::into_inner);
    if let Some(metrics) = installed.as_ref() {
        return Ok(metrics.clone());
    }
    let filter = log::filter(&settings.level)?;
    let metrics = Metrics::install()?;
    log::install(settings.format, filter)?;
    panic::install();
    *installed = Some(metrics.clone());
    Ok(metrics)
}

/// Why telemetry couldn't start.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum Error {
    /// The level can't be parsed as a filter.
    #[error("log.level isn't a level or a filter such as info,gateway=debug; correct AFTERSEND_LOG_LEVEL")]
    Level(#[source] tracing_subscriber::filter::ParseError),
    /// The process has another metrics recorder already, or ours couldn't be built.
    #[error("the metrics recorder can't be installed; install no other one in this process")]
    Recorder(#[source] Box<dyn std::error::Error + Send + Sync>),
    /// The process has another tracing subscriber or logger already.
    #[error("the log subscriber can't be installed; install no other one in this process")]
    Subscriber(#[source] tracing_subscriber::util::TryInitError),
    /// The operating system gave no thread.
    #[error("no thread for the metrics upkeep; raise the process's thread limit")]
    Upkeep(#[source] std::io::Error),
}
