//! Runs a role as a process: settings, logs, admin port, signals, and an exit code.

use std::path::Path;
use std::sync::Arc;
use std::time::Duration;

use anyhow::{Context, anyhow};
use lifecycle::{Health, Stop};
use tokio::net::TcpListener;
use tokio::runtime::Runtime;
use tokio::task::JoinHandle;
use tracing::{info, warn};

use crate::cli::Sink;
use crate::configuration::{self, Common};
use crate::metric;
use crate::topology;

/// How long until an unreachable broker is asked again.
const ASK_AGAIN: Duration = Duration::from_secs(5);

/// `aftersend gateway`
pub(crate) fn gateway(file: Option<&Path>) -> anyhow::Result<()> {
    let (common, settings) = configuration::read(file, gateway::Settings::read)?;
    let common = Arc::new(common);
    let process = Process::start(&common, gateway::metric::METRICS)?;
    let message_max_bytes = settings.message_max_bytes;
    let outcome = process.runtime.block_on(async {
        let listener = TcpListener::bind(settings.listen).await.with_context(|| {
            format!("{} can't be listened on: set AFTERSEND_LISTEN to a free host:port", settings.listen)
        })?;
        info!(address = %settings.listen, "gateway listens");
        let Common { connection, topics, tokens, .. } = &*common;
        let (health, stop) = (process.health.clone(), process.stop.clone());
        let gateway = gateway::run(
            settings,
            connection.clone(),
            topics.clone(),
            tokens.clone(),
            listener,
            health,
            stop,
        );
        tokio::select! {
            ended = gateway => ended.map_err(anyhow::Error::from),
            // It listens while this runs: a refused connection costs an hour, a 503 does not (G3).
            fault = topology_fault(Arc::clone(&common), message_max_bytes) => Err(fault),
        }
    });
    process.end(outcome)
}

/// `aftersend processor`
pub(crate) fn processor(file: Option<&Path>) -> anyhow::Result<()> {
    let (common, settings) = configuration::read(file, processor::Settings::read)?;
    let process = Process::start(&common, processor::metric::METRICS)?;
    let outcome = topology::check(&common)
        .and_then(|()| topology::check_window(&common, settings.window))
        .and_then(|()| {
            let Common { connection, topics, prefix, tokens, .. } = &common;
            processor::run(
                &settings,
                connection,
                topics,
                prefix,
                tokens.clone(),
                &process.health,
                &process.stop,
            )
            .map_err(anyhow::Error::from)
        });
    process.end(outcome)
}

/// `aftersend sink …`
pub(crate) fn sink(file: Option<&Path>, sink: Sink) -> anyhow::Result<()> {
    match sink {
        Sink::Customerio => {
            let (common, mut settings) = configuration::read(file, customerio_sink::Settings::read)?;
            settings.group = format!("{}{}", common.prefix, settings.group);
            let process = Process::start(&common, customerio_sink::metric::METRICS)?;
            process.metrics.describe(delivery::metric::METRICS);
            let outcome = topology::check(&common).and_then(|()| {
                let Common { connection, topics, .. } = &common;
                Ok(customerio_sink::run(&settings, connection, topics, &process.health, &process.stop)?)
            });
            process.end(outcome.map(|summary| info!(?summary, "sink drained")))
        }
        Sink::Bigquery => {
            let (common, mut settings) = configuration::read(file, bigquery_sink::Settings::read)?;
            settings.group = format!("{}{}", common.prefix, settings.group);
            let process = Process::start(&common, bigquery_sink::metric::METRICS)?;
            process.metrics.describe(delivery::metric::METRICS);
            let outcome = topology::check(&common).and_then(|()| {
                let Common { connection, topics, .. } = &common;
                Ok(bigquery_sink::run(&settings, connection, topics, &process.health, &process.stop)?)
            });
            process.end(outcome.map(|summary| info!(?summary, "sink drained")))
        }
    }
}

/// What every role runs in.
struct Process {
    metrics: telemetry::Metrics,
    health: Health,
    stop: Stop,
    runtime: Runtime,
    admin: JoinHandle<Result<(), lifecycle::Error>>,
}

impl Process {
    fn start(common: &Common, metrics: &[telemetry::Metric]) -> anyhow::Result<Self> {
        let handle = telemetry::init(&common.telemetry)?;
        handle.describe(&metric::common());
        handle.describe(metrics);
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

    /// Ends the process with the role's outcome. A component that died is a failure, whatever the role says.
    fn end(self, outcome: anyhow::Result<()>) -> anyhow::Result<()> {
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

/// Resolves only if the topics are not what the role is configured for. An unreachable broker is asked again. The questions
/// block, so they are asked on a thread of their own: requests are answered meanwhile.
async fn topology_fault(common: Arc<Common>, message_max_bytes: u32) -> anyhow::Error {
    loop {
        let asked = Arc::clone(&common);
        let check = move || {
            topology::check(&asked).and_then(|()| topology::check_record_limit(&asked, message_max_bytes))
        };
        match tokio::task::spawn_blocking(check).await {
            Ok(Ok(())) => std::future::pending().await,
            Ok(Err(error)) if is_passing(&error) => {
                warn!(error = format!("{error:#}"), "topics not checked yet");
            }
            Ok(Err(error)) => return error,
            Err(died) => return died.into(),
        }
        tokio::time::sleep(ASK_AGAIN).await;
    }
}

fn is_passing(error: &anyhow::Error) -> bool {
    error.chain().any(|cause| {
        matches!(
            cause.downcast_ref::<kafka::Error>(),
            Some(kafka::Error::Unreachable { .. } | kafka::Error::Failed { .. })
        )
    })
}
