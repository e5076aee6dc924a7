//! A role as a process: logs, metrics, admin port, signals, and an exit code.

use anyhow::{Context as _, anyhow};
use lifecycle::{Health, Stop, open_files};
use tokio::net::TcpListener;
use tokio::runtime::Runtime;
use tokio::task::JoinHandle;
use tracing::{info, warn};

use crate::configuration::Common;
use crate::metric;

/// What every role runs in: logs, metrics, signals, the admin port and a runtime.
pub(crate) struct Process {
    pub(crate) metrics: telemetry::Metrics,
    pub(crate) health: Health,
    pub(crate) stop: Stop,
    pub(crate) runtime: Runtime,
    admin: JoinHandle<Result<(), lifecycle::Error>>,
}

impl Process {
    /// Starts logs, signals and the admin port, and describes `metrics` beside those that every role has.
    ///
    /// # Errors
    /// If the admin port is taken.
    pub(crate) fn start(common: &Common, metrics: &[telemetry::Metric]) -> anyhow::Result<Self> {
        let handle = telemetry::init(&common.telemetry)?;
        handle.describe(&metric::common());
        handle.describe(metrics);
        info!(limit = open_files::raise(), "open files");
        let (health, stop) = (Health::new(), Stop::new());
        stop.on_signals();
        health.stop_on_death(&stop);
        let runtime = tokio::runtime::Builder::new_multi_thread().enable_all().build()?;
        let listener = runtime.block_on(TcpListener::bind(common.admin)).with_context(|| {
            format!("{} can't be listened on: set AFTERSEND_ADMIN to a free host:port", common.admin)
        })?;
        info!(address = %common.admin, "admin port listens");
        let admin =
            runtime.spawn(lifecycle::admin::serve(listener, health.clone(), handle.clone(), stop.clone()));
        Ok(Self { metrics: handle, health, stop, runtime, admin })
    }

    /// Stops the admin port and returns the role's outcome.
    ///
    /// # Errors
    /// The role's own, or the names of the components that died.
    pub(crate) fn end(self, outcome: anyhow::Result<()>) -> anyhow::Result<()> {
        self.stop.request("the role has ended");
        let died = self.health.ready().died();
        if outcome.is_ok() && died.is_empty() {
            match self.runtime.block_on(self.admin) {
                Ok(Ok(())) => {}
                Ok(Err(error)) => warn!(%error, "admin port failed"),
                Err(error) => warn!(%error, "admin port died"),
            }
            return Ok(());
        }
        outcome.and_then(|()| Err(anyhow!("components died: {}", died.join(", "))))
    }
}
