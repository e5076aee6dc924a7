//! The roles: each reads its settings, checks the topics, and runs until it is stopped.

use std::path::Path;
use std::sync::Arc;
use std::time::Duration;

use anyhow::Context as _;
use tokio::net::TcpListener;
use tracing::{info, warn};

use crate::cli::Sink;
use crate::configuration::{self, Common};
use crate::preflight::acl::Principal;
use crate::preflight::{self, limit};
use crate::process::Process;

/// How long until an unreachable broker is asked again.
const ASK_AGAIN: Duration = Duration::from_secs(5);

/// `aftersend gateway`
pub(crate) fn gateway(file: Option<&Path>) -> anyhow::Result<()> {
    let (common, settings) = configuration::read(file, gateway::Settings::read)?;
    let common = Arc::new(common);
    let process = Process::start(&common, gateway::metric::METRICS)?;
    say_how_ids_are_kept(&common);
    let message_max_bytes = settings.message_max_bytes;
    let outcome = process.runtime.block_on(async {
        let listener = TcpListener::bind(settings.listen).await.with_context(|| {
            format!("{} can't be listened on: set AFTERSEND_LISTEN to a free host:port", settings.listen)
        })?;
        info!(address = %settings.listen, "gateway listens");
        let Common { connection, topics, keys, .. } = &*common;
        let (health, stop) = (process.health.clone(), process.stop.clone());
        let gateway =
            gateway::run(settings, connection.clone(), topics.clone(), keys.clone(), listener, health, stop);
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
    let application = processor::Application::new(&common.prefix, settings.application_id.as_ref());
    let process = Process::start(&common, processor::metric::METRICS)?;
    say_how_ids_are_kept(&common);
    let outcome = preflight::check(&common, Principal::Processor, application.topics(), application.id())
        .and_then(|()| limit::check_window(&common, settings.window))
        .and_then(|()| preflight::format_level(&common, application.topics()))
        .and_then(|formats| {
            let health = &process.health;
            let stop = &process.stop;
            let Common { connection, prefix, keys, .. } = &common;
            processor::run(&settings, connection, prefix, keys.tokens.clone(), formats, health, stop)
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
            let outcome =
                preflight::check(&common, Principal::SinkCustomerio, &common.topics, "").and_then(|()| {
                    let Common { connection, topics, .. } = &common;
                    Ok(customerio_sink::run(&settings, connection, topics, &process.health, &process.stop)?)
                });
            process.end(outcome.map(|summary| info!(?summary, "sink drained")))
        }
        Sink::Bigquery => {
            let (common, settings) = configuration::read(file, bigquery_sink::Settings::read)?;
            let process = Process::start(&common, bigquery_sink::metric::METRICS)?;
            process.metrics.describe(delivery::metric::METRICS);
            let outcome =
                preflight::check(&common, Principal::SinkBigquery, &common.topics, "").and_then(|()| {
                    let Common { connection, topics, .. } = &common;
                    Ok(bigquery_sink::run(&settings, connection, topics, &process.health, &process.stop)?)
                });
            process.end(outcome.map(|summary| info!(?summary, "sink drained")))
        }
    }
}

/// An id is a key that other systems join on, so an id that is an address stays one unless the operator
/// chooses otherwise (E2).
fn say_how_ids_are_kept(common: &Common) {
    if common.keys.tokenise_ids {
        info!("an id that is an e-mail address is replaced by its token in keys");
    } else {
        info!(
            "an id stays the key as it is, on public topics too, even where it is an e-mail address: \
             privacy.tokenise_ids replaces such ids by tokens, chosen before the first event"
        );
    }
}

/// Resolves only if the topics are not what the role is configured for. An unreachable broker is asked again.
/// The questions block, so they are asked on a thread of their own: requests are answered meanwhile.
async fn topology_fault(common: Arc<Common>, message_max_bytes: u32) -> anyhow::Error {
    loop {
        let asked = Arc::clone(&common);
        let check = move || {
            preflight::check(&asked, Principal::Gateway, &asked.topics, "")
                .and_then(|()| limit::check_record_size(&asked, message_max_bytes))
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
