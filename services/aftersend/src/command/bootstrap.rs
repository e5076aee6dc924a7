//! `aftersend bootstrap`: creates the missing topics and checks the existing ones.

use std::path::Path;
use std::process::ExitCode;
use std::time::Duration;

use anyhow::{Context as _, bail};
use kafka::{Cluster, TopicRequest};
use processor::Application;
use processor::domain::time::window::Window;
use schemas::topic::meta::Topology;
use schemas::topic::{Partitioning, Scope, Topic};

use crate::cli::AclForm;
use crate::configuration::{self, Common, SinkGroups};
use crate::preflight::{ANSWER_MAX, DAY_MS, acl, meta, topic};
use crate::probe;

/// Replicas of each topic on a cluster with enough brokers.
const REPLICATION: u32 = 3;

/// Runs the subcommand. Exit code 1 if the probe finds that the cluster is not fit.
///
/// # Errors
/// If no broker answers, or an existing topic is not as it must be.
pub(crate) fn run(file: Option<&Path>, probe: bool) -> anyhow::Result<ExitCode> {
    let (common, processor) = configuration::read(file, processor::Settings::read)?;
    telemetry::init(&common.telemetry)?;
    if probe {
        let brokers = Cluster::connect(&common.connection)?.brokers(ANSWER_MAX)?;
        if !probe::run(&common, replication(&common, brokers))? {
            return Ok(ExitCode::FAILURE);
        }
    }
    for line in bootstrap(&common, &processor)? {
        println!("{line}");
    }
    Ok(ExitCode::SUCCESS)
}

/// Prints the ACLs that each role needs. Asks no broker.
///
/// # Errors
/// If the settings are bad.
pub(crate) fn print_acls(file: Option<&Path>, form: AclForm) -> anyhow::Result<()> {
    let mut reader = configuration::reader(file);
    let common = Common::read(&mut reader);
    let processor = processor::Settings::read(&mut reader);
    let groups = SinkGroups::read(&mut reader);
    reader.finish()?;
    let (Some(common), Some(processor), Some(groups)) = (common, processor, groups) else {
        bail!("no settings were read, and no fault was found");
    };
    let application = Application::new(&common.prefix, processor.application_id.as_ref());
    let bigquery = groups.bigquery.as_deref();
    let names = acl::AclNames::new(&common.prefix, application, &groups.customerio, bigquery);
    match form {
        AclForm::Commands => print!("{}", acl::commands(&names)),
        AclForm::Table => print!("{}", acl::table(&names)),
    }
    Ok(())
}

/// How many copies a topic gets: as configured, else three, or as many as there are brokers.
fn replication(common: &Common, brokers: u32) -> u32 {
    common.replication.unwrap_or(REPLICATION.min(brokers))
}

/// Returns a line for each thing that was done.
fn bootstrap(common: &Common, processor: &processor::Settings) -> anyhow::Result<Vec<String>> {
    let cluster = Cluster::connect(&common.connection)?;
    let brokers = cluster.brokers(ANSWER_MAX)?;
    let replication = replication(common, brokers);
    let mut report = vec![format!("{} brokers at {}", brokers, common.connection.bootstrap())];
    if replication < REPLICATION {
        report.push(format!(
            "replication is {replication}: fit for development, where losing a broker may lose data"
        ));
    }
    let existing = cluster.topic(common.topics.name(Topic::Raw))?.map(|state| state.partitions);
    let default = Application::new(&common.prefix, None);
    let other = processor.application_id.as_ref().map(|id| Application::new(&common.prefix, Some(id)));
    for application in [Some(default), other].into_iter().flatten() {
        let topology = common.topology(existing, application.id());
        let created = create_topics(&application, &cluster, &topology, replication, processor.window)?;
        report.extend(created);
        match meta::read(common, application.topics())? {
            None => meta::write(common, application.topics(), &topology)?,
            Some(stored) => meta::refuse_differences(&stored, &topology)?,
        }
        report.push(format!(
            "topics of {} are ready: {} partitions, framed as {}",
            application.group(),
            topology.partitions,
            topology.framing
        ));
    }
    Ok(report)
}

/// Creates what is missing. Fails with every difference of the topics that exist. What all applications share
/// is the default application's concern.
fn create_topics(
    application: &Application,
    cluster: &Cluster,
    topology: &Topology,
    replication: u32,
    window: Window,
) -> anyhow::Result<Vec<String>> {
    let window = Duration::from_millis(u64::from(window.days()) * DAY_MS);
    let (mut created, mut faults) = (Vec::new(), Vec::new());
    let is_default = application.id().is_empty();
    for topic in Topic::ALL.into_iter().filter(|topic| is_default || topic.scope() == Scope::Application) {
        let name = application.topics().name(topic);
        let partitions = if topic.partitioning() == Partitioning::Single { 1 } else { topology.partitions };
        let mut settings = topic.settings(window);
        if replication >= REPLICATION {
            settings.push(("min.insync.replicas", "2".to_owned()));
        }
        let request = TopicRequest { name, partitions, replication, settings: &settings };
        if cluster.create(&request).with_context(|| format!("topic {name}"))? {
            created.push(format!("created {name} ({partitions} partitions): {}", topic.purpose()));
        } else {
            faults.extend(topic::differences(cluster, &request)?);
        }
    }
    if !faults.is_empty() {
        bail!("the topics are not as they must be:\n{}", faults.join("\n"));
    }
    Ok(created)
}
