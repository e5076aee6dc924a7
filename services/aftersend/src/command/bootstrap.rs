//! `aftersend bootstrap`: creates the missing topics, or only compares, and checks the existing ones.

use std::path::Path;
use std::process::ExitCode;
use std::time::{Duration, Instant};

use anyhow::{Context as _, bail};
use kafka::{Cluster, TopicRequest};
use lifecycle::Stop;
use processor::Application;
use processor::domain::time::window::Window;
use schemas::topic::meta::Topology;
use schemas::topic::{Partitioning, Scope, Topic};
use tracing::warn;

use crate::cli::{AclForm, Bootstrap};
use crate::configuration::{self, BootstrapSettings, Common, SinkGroups, Tokens};
use crate::preflight::{ANSWER_MAX, DAY_MS, acl, meta, topic};
use crate::probe;

/// Replicas of each topic on a cluster with enough brokers.
const REPLICATION: u32 = 3;

/// Pause between two questions to brokers that do not answer.
const ASK_AGAIN: Duration = Duration::from_secs(1);

/// What is done with the topics.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Mode {
    /// Missing topics are created.
    Create,
    /// Missing topics are differences.
    Check,
}

/// What is wanted of the topics.
struct Wanted {
    replication: u32,
    window: Window,
    mode: Mode,
}

/// What the subcommand needs.
struct Task {
    common: Common,
    processor: processor::Settings,
    wait: Duration,
    probe: bool,
    mode: Mode,
}

/// Runs the subcommand. Exit code 1 if the probe finds that the cluster is not fit.
///
/// A signal ends it at once, wherever it is: whatever it has done, it can be run again. As the first process
/// of a container it would otherwise ignore SIGTERM.
///
/// # Errors
/// If no broker answers in time, or an existing topic is not as it must be.
pub(crate) fn run(file: Option<&Path>, arguments: &Bootstrap) -> anyhow::Result<ExitCode> {
    let (common, (processor, BootstrapSettings { wait })) =
        configuration::read(file, Tokens::Made, |reader| {
            let processor = processor::Settings::read(reader);
            let own = BootstrapSettings::read(reader);
            Some((processor?, own?))
        })?;
    telemetry::init(&common.telemetry)?;
    let mode = if arguments.check { Mode::Check } else { Mode::Create };
    let task = Task { common, processor, wait, probe: arguments.probe, mode };
    let stop = Stop::new();
    stop.on_signals();
    let runtime = tokio::runtime::Builder::new_current_thread().build()?;
    let outcome = runtime.block_on(async {
        tokio::select! {
            done = tokio::task::spawn_blocking(move || task.run()) => done?,
            () = stop.wait() => bail!("stopped by a signal before the topics were ready: run it again"),
        }
    });
    // The task may wait for a broker. Nothing waits for the task.
    runtime.shutdown_background();
    outcome
}

impl Task {
    fn run(&self) -> anyhow::Result<ExitCode> {
        let cluster = Cluster::connect(&self.common.connection)?;
        let brokers = await_brokers(&cluster, self.wait)?;
        if self.probe && !probe::run(&self.common, replication(&self.common, brokers))? {
            return Ok(ExitCode::FAILURE);
        }
        for line in self.bootstrap(&cluster, brokers)? {
            println!("{line}");
        }
        Ok(ExitCode::SUCCESS)
    }

    /// Returns a line for each thing that was done.
    fn bootstrap(&self, cluster: &Cluster, brokers: u32) -> anyhow::Result<Vec<String>> {
        let Self { common, processor, mode, .. } = self;
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
        let wanted = Wanted { replication, window: processor.window, mode: *mode };
        for application in [Some(default), other].into_iter().flatten() {
            let topology = common.topology(existing, application.id());
            report.extend(create_topics(&application, cluster, &topology, &wanted)?);
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
}

/// Prints the ACLs that each role needs. Asks no broker.
///
/// # Errors
/// If the settings are bad.
pub(crate) fn print_acls(file: Option<&Path>, form: AclForm) -> anyhow::Result<()> {
    let mut reader = configuration::reader(file);
    let common = Common::read(&mut reader, Tokens::NotMade);
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

/// How many brokers there are. Asks until one answers, for `wait` and the time of one question at most.
fn await_brokers(cluster: &Cluster, wait: Duration) -> anyhow::Result<u32> {
    let deadline = Instant::now() + wait;
    loop {
        let left = deadline.saturating_duration_since(Instant::now());
        match cluster.brokers(left.clamp(ASK_AGAIN, ANSWER_MAX)) {
            Ok(brokers) => return Ok(brokers),
            Err(error @ kafka::Error::Unreachable { .. }) if Instant::now() + ASK_AGAIN < deadline => {
                warn!(error = %error, "waiting for a broker");
                std::thread::sleep(ASK_AGAIN);
            }
            Err(error) => return Err(error.into()),
        }
    }
}

/// How many copies a topic gets: as configured, else three, or as many as there are brokers.
fn replication(common: &Common, brokers: u32) -> u32 {
    common.replication.unwrap_or(REPLICATION.min(brokers))
}

/// Creates what is missing, or counts it as a difference. Fails with every difference. What all applications
/// share is the default application's concern.
fn create_topics(
    application: &Application,
    cluster: &Cluster,
    topology: &Topology,
    wanted: &Wanted,
) -> anyhow::Result<Vec<String>> {
    let window = Duration::from_millis(u64::from(wanted.window.days()) * DAY_MS);
    let (mut created, mut faults) = (Vec::new(), Vec::new());
    let is_default = application.id().is_empty();
    for topic in Topic::ALL.into_iter().filter(|topic| is_default || topic.scope() == Scope::Application) {
        let name = application.topics().name(topic);
        let partitions = if topic.partitioning() == Partitioning::Single { 1 } else { topology.partitions };
        let mut settings = topic.settings(window);
        if wanted.replication >= REPLICATION {
            settings.push(("min.insync.replicas", "2".to_owned()));
        }
        let request = TopicRequest { name, partitions, replication: wanted.replication, settings: &settings };
        // Creating is not tried on a topic that is there: the principal may lack the right to create.
        if cluster.topic(name)?.is_some() {
            faults.extend(topic::differences(cluster, &request)?);
        } else if wanted.mode == Mode::Check {
            faults.push(topic::missing(&request));
        } else if cluster.create(&request).with_context(|| format!("topic {name}"))? {
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
