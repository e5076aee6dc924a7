//! Everything that the demo starts, on ports that it picks.

use std::collections::BTreeMap;
use std::net::{SocketAddr, TcpListener as StdListener};
use std::path::PathBuf;
use std::thread::JoinHandle as Thread;
use std::time::{Duration, SystemTime, UNIX_EPOCH};

use anyhow::{Context, anyhow};
use devkit::customerio::webhook::{Disorder, Schedule, Settings as SenderSettings, Snapshot};
use devkit::customerio::{CustomerIo, Settings as CustomerIoSettings, track};
use devkit::kafka::Broker;
use kafka::transaction::{Tail, TailError};
use lifecycle::{Health, Stop};
use schemas::codec;
use schemas::record::MessageOutcome;
use schemas::topic::Topic;
use settings::Reader;
use tokio::runtime::Runtime;
use tokio::task::JoinHandle;

use super::child::Processor;
use super::say;
use super::tally::{Tally, Warehouse};
use crate::cli::Demo;
use crate::configuration::{self, Common};
use crate::topology as topics;

const SIGNING_KEY: &str = "demo-signing-key";
const SITE_ID: &str = "demo-site";
const API_KEY: &str = "demo-api-key";
/// Partitions of the demo's topics.
const PARTITIONS: u32 = 6;
/// Calls that the simulator has under way.
const LANES: usize = 32;
/// How long the sending takes where nobody says how fast it is, and how slow it is at least.
const SENDING_SECONDS: f64 = 15.0;
const PACE_MIN_PER_S: f64 = 300.0;
/// The vendor's hour takes a second.
const CLOCK_FACTOR: f64 = 3_600.0;
/// Outcomes may leave this many places from where they belong.
const DISORDER: usize = 200;
/// Outcomes per person, about.
const OUTCOMES_PER_PERSON: u32 = 5;

/// The running topology.
pub(super) struct Topology {
    pub(super) schedule: std::sync::Arc<Schedule>,
    pub(super) warehouse: PathBuf,
    pub(super) customerio: CustomerIo,
    common: Common,
    gateway_address: SocketAddr,
    admin_address: SocketAddr,
    processor: Processor,
    stop: Stop,
    gateway: JoinHandle<Result<(), gateway::Error>>,
    sinks: Vec<Thread<anyhow::Result<()>>>,
    tail: Tail,
    // Last, so that it outlives everything that talks to it.
    broker: Broker,
}

impl Topology {
    pub(super) fn start(arguments: &Demo, runtime: &Runtime) -> anyhow::Result<Self> {
        let data = std::path::absolute(&arguments.data)?;
        let existing = std::env::var("AFTERSEND_KAFKA").ok().filter(|kafka| !kafka.is_empty());
        let broker = Broker::obtain(existing.as_deref(), &data.join("kafka"), &|line: &str| say(line))?;
        let now = SystemTime::now().duration_since(UNIX_EPOCH)?;
        // On a cluster of your own, each demo has topics of its own.
        let prefix = if existing.is_some() { format!("demo-{}.", now.as_millis()) } else { String::new() };
        say(&format!("Kafka serves at {}; making topics", broker.bootstrap()));

        let people = usize::try_from((arguments.events / OUTCOMES_PER_PERSON).max(50))?;
        let customerio = runtime.block_on(CustomerIo::start(CustomerIoSettings {
            seed: arguments.seed,
            people,
            listen: SocketAddr::from(([127, 0, 0, 1], 0)),
            track: track::Settings::new(SITE_ID, API_KEY),
        }))?;
        let disorder = Disorder { duplicates: arguments.duplicates, window: DISORDER, seed: arguments.seed };
        let schedule =
            customerio.schedule(usize::try_from(arguments.events)?, i64::try_from(now.as_secs())?, &disorder);
        let admin_address = free_address()?;
        let warehouse = data.join("warehouse.sqlite");
        let environment = environment(&broker, &prefix, &customerio, &data, admin_address);
        let (common, roles) = read_settings(&environment)?;
        topics::bootstrap(&common, roles.processor.window)?;

        let stop = Stop::new();
        let listener =
            runtime.block_on(tokio::net::TcpListener::bind(SocketAddr::from(([127, 0, 0, 1], 0))))?;
        let gateway_address = listener.local_addr()?;
        let (connection, names, tokens) =
            (common.connection.clone(), common.topics.clone(), common.tokens.clone());
        let gateway = runtime.spawn(gateway::run(
            gateway::Settings { drain_delay: Duration::ZERO, ..roles.gateway },
            connection,
            names,
            tokens,
            listener,
            Health::new(),
            stop.clone(),
        ));
        let sinks = start_sinks(&common, roles.customerio, roles.bigquery, &stop);
        let processor = Processor::start(environment, data.join("processor.log"))?;
        let tail = Tail::new(&common.connection, "aftersend.demo")?;
        let schedule = std::sync::Arc::new(schedule);
        Ok(Self {
            schedule,
            warehouse,
            customerio,
            common,
            gateway_address,
            admin_address,
            processor,
            stop,
            gateway,
            sinks,
            tail,
            broker,
        })
    }

    pub(super) fn sender_settings(&self, arguments: &Demo) -> SenderSettings {
        let url = format!("http://{}/v1/webhooks/customerio/reporting", self.gateway_address);
        SenderSettings {
            lanes: LANES,
            pace_per_s: Some(arguments.pace.unwrap_or_else(|| {
                let webhooks = f64::from(arguments.events) * (1.0 + arguments.duplicates);
                (webhooks / SENDING_SECONDS).max(PACE_MIN_PER_S)
            })),
            clock_factor: CLOCK_FACTOR,
            ..SenderSettings::new(url, SIGNING_KEY)
        }
    }

    pub(super) fn restarts(&self) -> u64 {
        self.processor.restarts()
    }

    pub(super) fn processor_pid(&self) -> u32 {
        self.processor.pid()
    }

    pub(super) fn kill_and_restart_processor(&mut self) -> anyhow::Result<()> {
        self.processor.kill_and_restart()
    }

    /// Counts everything from outside.
    pub(super) fn tally(&mut self, sender: &Snapshot) -> anyhow::Result<Tally> {
        self.processor.check()?;
        if let Some(sink) = self.sinks.iter().position(Thread::is_finished) {
            self.sinks.remove(sink).join().map_err(|_| anyhow!("a sink panicked"))??;
        }
        // Until the sink has made the file there is nothing to read.
        let warehouse = Warehouse::read(&self.warehouse).unwrap_or_default();
        let mut suppressed: BTreeMap<String, u64> = BTreeMap::new();
        let mut suppressed_profiles = 0;
        for profile in self.customerio.track().profiles() {
            let is = profile.attribute("email_suppressed").and_then(serde_json::Value::as_bool);
            suppressed_profiles += u64::from(is == Some(true));
            let reasons = profile.attribute("email_suppression_reasons").and_then(serde_json::Value::as_str);
            for reason in reasons.unwrap_or_default().split(',').filter(|reason| !reason.is_empty()) {
                *suppressed.entry(reason.to_owned()).or_default() += 1;
            }
        }
        Ok(Tally {
            requests: sender.attempts,
            accepted: sender.accepted,
            raw: self.count_plain(Topic::Raw)?,
            stored: warehouse.stored,
            conflicts: warehouse.conflicts,
            customers: warehouse.customers,
            funnel: warehouse.funnel,
            suppressed,
            suppressed_profiles,
            track_calls: self.customerio.track().counts().requests,
            restarts: self.processor.restarts(),
        })
    }

    /// Records of a topic that nobody writes in transactions: the extent of its logs.
    fn count_plain(&self, topic: Topic) -> anyhow::Result<u64> {
        let mut records = 0;
        for partition in 0..PARTITIONS {
            let (low, high) = self.tail.extent(self.common.topics.name(topic), i32::try_from(partition)?)?;
            records += u64::try_from(high.0 - low.0)?;
        }
        Ok(records)
    }

    /// Committed records of a topic.
    pub(super) fn count(&self, topic: Topic) -> anyhow::Result<u64> {
        let mut records = 0;
        self.read(topic, |_| records += 1)?;
        Ok(records)
    }

    /// Ids of all outcomes in the warehouse topic, read committed.
    pub(super) fn published_ids(&self) -> anyhow::Result<Vec<String>> {
        let mut values = Vec::new();
        self.read(Topic::Warehouse, |value| values.extend(value))?;
        let ids = values.iter().map(|value| {
            codec::decode::<MessageOutcome<'_>>(value).map(|outcome| outcome.event_id.into_owned())
        });
        Ok(ids.collect::<Result<_, _>>()?)
    }

    fn read(&self, topic: Topic, mut each: impl FnMut(Option<Vec<u8>>)) -> anyhow::Result<()> {
        let name = self.common.topics.name(topic);
        for partition in 0..i32::try_from(PARTITIONS)? {
            let (low, high) = self.tail.extent(name, partition)?;
            self.tail.await_decided(name, partition, high, Duration::from_secs(30), &|| false)?;
            self.tail.replay::<TailError>(name, partition, low, &|| false, |record| {
                each(record.value);
                Ok(())
            })?;
        }
        Ok(())
    }

    pub(super) fn what_next(&self) -> String {
        let (warehouse, kafka) = (self.warehouse.display(), self.broker.bootstrap());
        let (gateway, admin, track) = (self.gateway_address, self.admin_address, self.customerio.track_url());
        format!(
            "\n  It keeps running until Ctrl-C. To look around:\n\
             \x20   sqlite3 {warehouse} 'SELECT * FROM message_funnel LIMIT 10'\n\
             \x20   curl -s http://{admin}/metrics | grep ^aftersend_processor_     (processor, pid {})\n\
             \x20   webhooks go to http://{gateway}/v1/webhooks/customerio/reporting, the Track API is {track}\n\
             \x20   Kafka is {kafka}; the README says how to point Aftersend at yours",
            self.processor.pid()
        )
    }

    pub(super) fn stop(mut self, runtime: &Runtime) {
        say("stopping");
        self.stop.request("the demo ends");
        self.processor.stop();
        for sink in self.sinks.drain(..) {
            if let Ok(Err(error)) | Err(error) = sink.join().map_err(|_| anyhow!("a sink panicked")) {
                say(&format!("{error:#}"));
            }
        }
        match runtime.block_on(self.gateway) {
            Ok(Ok(())) => {}
            Ok(Err(error)) => say(&error.to_string()),
            Err(error) => say(&error.to_string()),
        }
        if let Err(error) = runtime.block_on(self.customerio.stop()) {
            say(&error.to_string());
        }
    }
}

/// The settings of the roles that run inside this process.
struct Roles {
    gateway: gateway::Settings,
    processor: processor::Settings,
    customerio: customerio_sink::Settings,
    bigquery: bigquery_sink::Settings,
}

/// The settings as a user would give them, for this process's roles and for the child.
fn environment(
    broker: &Broker,
    prefix: &str,
    customerio: &CustomerIo,
    data: &std::path::Path,
    admin: SocketAddr,
) -> Vec<(String, String)> {
    let path = |name: &str| data.join(name).display().to_string();
    [
        ("AFTERSEND_KAFKA", broker.bootstrap().to_owned()),
        ("AFTERSEND_TOPIC_PREFIX", prefix.to_owned()),
        ("AFTERSEND_PARTITIONS", PARTITIONS.to_string()),
        ("AFTERSEND_ADMIN", admin.to_string()),
        ("AFTERSEND_STATE", path("state")),
        ("AFTERSEND_WAREHOUSE", format!("sqlite:{}", path("warehouse.sqlite"))),
        // A restart comes back as the same member at once; this is how long anybody else would wait for it.
        ("AFTERSEND_PROCESSOR_SESSION_TIMEOUT", "10s".to_owned()),
        ("CUSTOMERIO_WEBHOOK_SIGNING_KEY", SIGNING_KEY.to_owned()),
        ("CUSTOMERIO_SITE_ID", SITE_ID.to_owned()),
        ("CUSTOMERIO_API_KEY", API_KEY.to_owned()),
        ("AFTERSEND_CUSTOMERIO_URL", customerio.track_url()),
    ]
    .map(|(name, value)| (name.to_owned(), value))
    .to_vec()
}

fn read_settings(environment: &[(String, String)]) -> anyhow::Result<(Common, Roles)> {
    let mut reader = Reader::new(&configuration::catalogue(), None, environment.iter().cloned());
    let common = Common::read(&mut reader);
    let gateway = gateway::Settings::read(&mut reader);
    let processor = processor::Settings::read(&mut reader);
    let customerio = customerio_sink::Settings::read(&mut reader);
    let bigquery = bigquery_sink::Settings::read(&mut reader);
    reader.finish()?;
    let complete = (|| {
        Some((
            common?,
            Roles { gateway: gateway?, processor: processor?, customerio: customerio?, bigquery: bigquery? },
        ))
    })();
    complete.context("the demo's own settings are incomplete")
}

fn start_sinks(
    common: &Common,
    mut customerio: customerio_sink::Settings,
    mut bigquery: bigquery_sink::Settings,
    stop: &Stop,
) -> Vec<Thread<anyhow::Result<()>>> {
    customerio.group = format!("{}{}", common.prefix, customerio.group);
    bigquery.group = format!("{}{}", common.prefix, bigquery.group);
    let start = |run: Box<dyn FnOnce() -> anyhow::Result<()> + Send>| std::thread::spawn(run);
    let (connection, names, halt) = (common.connection.clone(), common.topics.clone(), stop.clone());
    let to_customerio = start(Box::new(move || {
        customerio_sink::run(&customerio, &connection, &names, &Health::new(), &halt)?;
        Ok(())
    }));
    let (connection, names, halt) = (common.connection.clone(), common.topics.clone(), stop.clone());
    let to_warehouse = start(Box::new(move || {
        bigquery_sink::run(&bigquery, &connection, &names, &Health::new(), &halt)?;
        Ok(())
    }));
    vec![to_customerio, to_warehouse]
}

fn free_address() -> anyhow::Result<SocketAddr> {
    Ok(StdListener::bind(SocketAddr::from(([127, 0, 0, 1], 0)))?.local_addr()?)
}
