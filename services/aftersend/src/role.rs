//! The roles: each reads its settings, checks the topics, and runs until it is stopped.

use std::path::Path;
use std::sync::Arc;

use anyhow::Context as _;
use lifecycle::Vital;
use tokio::net::TcpListener;
use tracing::{info, warn};

use crate::cli::Sink;
use crate::configuration::{self, Common, Tokens};
use crate::preflight::acl::Principal;
use crate::preflight::{self, limit};
use crate::process::Process;

/// `aftersend gateway`
pub(crate) fn gateway(file: Option<&Path>) -> anyhow::Result<()> {
    let (common, settings) = configuration::read(file, Tokens::Made, gateway::Settings::read)?;
    let common = Arc::new(common);
    let process = Process::start(&common, gateway::metric::METRICS)?;
    say_how_ids_are_kept(&common);
    let message_max_bytes = settings.message_max_bytes;
    let outcome = process.runtime.block_on(async {
        let listener = TcpListener::bind(settings.listen).await.with_context(|| {
            format!("{} can't be listened on: set AFTERSEND_LISTEN to a free host:port", settings.listen)
        })?;
        info!(address = %settings.listen, "gateway listens");
        let Common { connection, topics, .. } = &*common;
        let (health, stop) = (process.health.clone(), process.stop.clone());
        let gateway = gateway::run(
            settings,
            connection.clone(),
            topics.clone(),
            common.key_rules(),
            listener,
            health,
            stop,
        );
        let mut vital = Some(process.health.component(preflight::COMPONENT, preflight::STALL_AFTER));
        let outcome = tokio::select! {
            ended = gateway => ended.map_err(anyhow::Error::from),
            // It listens while this runs: a refused connection costs an hour, a 503 does not (G3).
            fault = topology_fault(Arc::clone(&common), message_max_bytes, &mut vital) => Err(fault),
        };
        vital.into_iter().for_each(Vital::finished);
        outcome
    });
    process.end(outcome)
}

/// `aftersend processor`
pub(crate) fn processor(file: Option<&Path>) -> anyhow::Result<()> {
    let (common, settings) = configuration::read(file, Tokens::Made, processor::Settings::read)?;
    let process = Process::start(&common, processor::metric::METRICS)?;
    say_how_ids_are_kept(&common);
    let application = processor::Application::new(&common.prefix, settings.application_id.as_ref());
    let check = || {
        preflight::check(&common, Principal::Processor, application.topics(), application.id())?;
        limit::check_window(&common, settings.window)
    };
    let outcome = preflight::await_success(&process, check).and_then(|found| {
        if !found {
            return Ok(());
        }
        let formats = preflight::format_level(&common, application.topics())?;
        let Common { connection, prefix, .. } = &common;
        let Process { health, stop, .. } = &process;
        Ok(processor::run(&settings, connection, prefix, common.token_key(), formats, health, stop)?)
    });
    process.end(outcome)
}

/// `aftersend sink …`
pub(crate) fn sink(file: Option<&Path>, sink: Sink) -> anyhow::Result<()> {
    match sink {
        Sink::Customerio => {
            let (common, mut settings) =
                configuration::read(file, Tokens::NotMade, customerio_sink::Settings::read)?;
            settings.group = format!("{}{}", common.prefix, settings.group);
            let process = Process::start(&common, customerio_sink::metric::METRICS)?;
            process.metrics.describe(delivery::metric::METRICS);
            let check = || preflight::check(&common, Principal::SinkCustomerio, &common.topics, "");
            let outcome = preflight::await_success(&process, check).and_then(|found| {
                let Common { connection, topics, .. } = &common;
                if found {
                    let summary =
                        customerio_sink::run(&settings, connection, topics, &process.health, &process.stop)?;
                    info!(?summary, "sink drained");
                }
                Ok(())
            });
            process.end(outcome)
        }
        Sink::Bigquery => {
            let (common, settings) =
                configuration::read(file, Tokens::NotMade, bigquery_sink::Settings::read)?;
            let process = Process::start(&common, bigquery_sink::metric::METRICS)?;
            process.metrics.describe(delivery::metric::METRICS);
            let check = || preflight::check(&common, Principal::SinkBigquery, &common.topics, "");
            let outcome = preflight::await_success(&process, check).and_then(|found| {
                let Common { connection, topics, .. } = &common;
                if found {
                    let summary =
                        bigquery_sink::run(&settings, connection, topics, &process.health, &process.stop)?;
                    info!(?summary, "sink drained");
                }
                Ok(())
            });
            process.end(outcome)
        }
    }
}

/// An id is a key that other systems join on, so an id that is an address stays one unless the operator
/// chooses otherwise (E2).
fn say_how_ids_are_kept(common: &Common) {
    if common.tokenise_ids {
        info!("an id that is an e-mail address is replaced by its token in keys");
    } else {
        info!(
            "an id stays the key as it is, on public topics too, even where it is an e-mail address: \
             privacy.tokenise_ids replaces such ids by tokens, chosen before the first event"
        );
    }
}

/// Resolves only if the topics are not what the role is configured for. What passes is waited for, and so are
/// wrong credentials: a gateway that ends refuses connections (G3). Readiness names the cause.
///
/// The questions block, so they are asked on a thread of their own: requests are answered meanwhile.
async fn topology_fault(
    common: Arc<Common>,
    message_max_bytes: u32,
    vital: &mut Option<Vital>,
) -> anyhow::Error {
    loop {
        let asked = Arc::clone(&common);
        let check = move || {
            preflight::check(&asked, Principal::Gateway, &asked.topics, "")?;
            limit::check_record_size(&asked, message_max_bytes)
        };
        match tokio::task::spawn_blocking(check).await {
            Ok(Ok(())) => {
                vital.take().into_iter().for_each(Vital::finished);
                std::future::pending::<()>().await;
            }
            Ok(Err(error)) if preflight::is_passing(&error) || preflight::is_refusal(&error) => {
                let cause = format!("{error:#}");
                warn!(cause, "topics not checked yet: webhooks are answered 503");
                if let Some(vital) = vital {
                    vital.not_ready(cause);
                }
            }
            Ok(Err(error)) => return error,
            Err(died) => return died.into(),
        }
        tokio::time::sleep(preflight::ASK_AGAIN).await;
    }
}
