//! Everything that the demo starts, on ports that it picks.

use std::collections::BTreeMap;
use std::net::{Ipv4Addr, SocketAddr, TcpStream};
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::time::{Duration, Instant, SystemTime, UNIX_EPOCH};

use anyhow::bail;
use devkit::customerio::webhook::{Disorder, Schedule, Settings as SenderSettings, Snapshot};
use devkit::customerio::{CustomerIo, Settings as CustomerIoSettings, track};
use devkit::kafka::{Broker, free_ports};
use kafka::Connection;
use kafka::transaction::Tail;
use schemas::topic::{Topic, Topics};
use tokio::runtime::Runtime;

use crate::child::{Role, Running};
use crate::cli::Arguments;
use crate::count::{Counts, Warehouse};
use crate::run::say;
use crate::topic::TopicReader;

const SIGNING_KEY: &str = "demo-signing-key";
const SITE_ID: &str = "demo-site";
const API_KEY: &str = "demo-api-key";
/// Partitions of the demo's topics.
const PARTITIONS: i32 = 6;
/// Calls that the simulator has under way.
const LANES: usize = 32;
/// How long the sending takes by default, and how slow it is at least.
const SENDING_SECONDS: f64 = 15.0;
const PACE_MIN_PER_S: f64 = 300.0;
/// The vendor's hour takes a second.
const CLOCK_FACTOR: f64 = 3_600.0;
/// Outcomes may leave this many places from where they belong.
const DISORDER: usize = 200;
/// Outcomes per person, about.
const OUTCOMES_PER_PERSON: u32 = 5;
/// How long the gateway may take until it listens.
const LISTENS_WITHIN: Duration = Duration::from_secs(30);
const LOOK_EVERY: Duration = Duration::from_millis(20);

/// The running topology.
pub(crate) struct Topology {
    pub(crate) schedule: Arc<Schedule>,
    pub(crate) warehouse: PathBuf,
    pub(crate) customerio: CustomerIo,
    pub(crate) topics: TopicReader,
    addresses: Addresses,
    processor: Running,
    gateway: Running,
    sinks: Vec<Running>,
    // Last, so that it outlives everything that talks to it.
    broker: Broker,
}

/// Where the roles listen.
struct Addresses {
    webhooks: SocketAddr,
    gateway_admin: SocketAddr,
    processor_admin: SocketAddr,
    customerio_sink_admin: SocketAddr,
    warehouse_sink_admin: SocketAddr,
}

impl Topology {
    pub(crate) fn start(arguments: &Arguments, runtime: &Runtime) -> anyhow::Result<Self> {
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

        let addresses = Addresses::pick()?;
        let roles = Roles { data: &data, shared: settings(&broker, &prefix, &customerio, &data) };
        roles.role("bootstrap", &["bootstrap"], &[]).run_to_end()?;
        let mut gateway = roles
            .role(
                "gateway",
                &["gateway"],
                &[("AFTERSEND_ADMIN", addresses.gateway_admin), ("AFTERSEND_LISTEN", addresses.webhooks)],
            )
            .start()?;
        let admin = |address| [("AFTERSEND_ADMIN", address)];
        let sinks = vec![
            roles
                .role("sink-customerio", &["sink", "customerio"], &admin(addresses.customerio_sink_admin))
                .start()?,
            roles
                .role("sink-bigquery", &["sink", "bigquery"], &admin(addresses.warehouse_sink_admin))
                .start()?,
        ];
        let processor = roles.role("processor", &["processor"], &admin(addresses.processor_admin)).start()?;
        await_listener(addresses.webhooks, &mut gateway)?;
        let tail = Tail::new(&Connection::plain(broker.bootstrap()), "aftersend.demo")?;
        Ok(Self {
            schedule: Arc::new(schedule),
            warehouse: warehouse_file(&data),
            customerio,
            topics: TopicReader::new(tail, Topics::new(&prefix), PARTITIONS),
            addresses,
            processor,
            gateway,
            sinks,
            broker,
        })
    }

    pub(crate) fn sender_settings(&self, arguments: &Arguments) -> SenderSettings {
        let url = format!("http://{}/v1/webhooks/customerio/reporting", self.addresses.webhooks);
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

    pub(crate) fn restarts(&self) -> u64 {
        self.processor.restarts()
    }

    pub(crate) fn processor_pid(&self) -> u32 {
        self.processor.pid()
    }

    pub(crate) fn kill_and_restart_processor(&mut self) -> anyhow::Result<()> {
        self.processor.kill_and_restart()
    }

    /// Counts everything from outside. Fails if a role has ended by itself.
    pub(crate) fn count(&mut self, sender: &Snapshot) -> anyhow::Result<Counts> {
        self.processor.check()?;
        self.gateway.check()?;
        self.sinks.iter_mut().try_for_each(Running::check)?;
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
        Ok(Counts {
            requests: sender.attempts,
            accepted: sender.accepted,
            raw: self.topics.count_plain(Topic::Raw)?,
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

    /// Where to look around while the topology stays up.
    pub(crate) fn what_next(&self) -> String {
        let (warehouse, kafka) = (self.warehouse.display(), self.broker.bootstrap());
        let Addresses { webhooks, processor_admin, .. } = self.addresses;
        let track = self.customerio.track_url();
        format!(
            "\n  It keeps running until Ctrl-C. To look around:\n\
             \x20   sqlite3 {warehouse} 'SELECT * FROM message_funnel LIMIT 10'\n\
             \x20   curl -s http://{processor_admin}/metrics | grep ^aftersend_processor_     (processor, pid {})\n\
             \x20   webhooks go to http://{webhooks}/v1/webhooks/customerio/reporting, the Track API is {track}\n\
             \x20   Kafka is {kafka}; the README says how to point Aftersend at yours",
            self.processor.pid()
        )
    }

    /// Stops every role, waits until they have drained, and stops the simulator.
    pub(crate) fn stop(self, runtime: &Runtime) {
        say("stopping");
        let roles: Vec<Running> = [self.gateway, self.processor].into_iter().chain(self.sinks).collect();
        roles.iter().for_each(Running::ask_to_stop);
        for failure in roles.into_iter().filter_map(Running::await_end) {
            say(&failure);
        }
        if let Err(error) = runtime.block_on(self.customerio.stop()) {
            say(&error.to_string());
        }
    }
}

impl Addresses {
    fn pick() -> anyhow::Result<Self> {
        let ports = free_ports(5)?;
        let mut addresses = ports.into_iter().map(|port| SocketAddr::from((Ipv4Addr::LOCALHOST, port)));
        let mut next = || addresses.next().expect("as many ports as were asked for");
        Ok(Self {
            webhooks: next(),
            gateway_admin: next(),
            processor_admin: next(),
            customerio_sink_admin: next(),
            warehouse_sink_admin: next(),
        })
    }
}

/// Makes roles that share their settings and their data folder.
struct Roles<'a> {
    data: &'a Path,
    shared: Vec<(String, String)>,
}

impl Roles<'_> {
    /// The role that runs `arguments`, logs to `name`.log and listens at `addresses`.
    fn role(&self, name: &str, arguments: &'static [&'static str], addresses: &[(&str, SocketAddr)]) -> Role {
        let own = addresses.iter().map(|(name, address)| ((*name).to_owned(), address.to_string()));
        let environment = self.shared.iter().cloned().chain(own).collect();
        Role { arguments, environment, log: self.data.join(format!("{name}.log")) }
    }
}

/// The settings that all roles share, as a user would give them.
fn settings(broker: &Broker, prefix: &str, customerio: &CustomerIo, data: &Path) -> Vec<(String, String)> {
    [
        ("AFTERSEND_KAFKA", broker.bootstrap().to_owned()),
        ("AFTERSEND_TOPIC_PREFIX", prefix.to_owned()),
        ("AFTERSEND_PARTITIONS", PARTITIONS.to_string()),
        ("AFTERSEND_STATE", data.join("state").display().to_string()),
        ("AFTERSEND_WAREHOUSE", format!("sqlite:{}", warehouse_file(data).display())),
        // No load balancer has to notice that the gateway leaves.
        ("AFTERSEND_GATEWAY_DRAIN_DELAY", "0s".to_owned()),
        // A restarted processor is the same group member, and gets its partitions back at once. Any other
        // member would wait this long for them.
        ("AFTERSEND_PROCESSOR_SESSION_TIMEOUT", "10s".to_owned()),
        ("CUSTOMERIO_WEBHOOK_SIGNING_KEY", SIGNING_KEY.to_owned()),
        ("CUSTOMERIO_SITE_ID", SITE_ID.to_owned()),
        ("CUSTOMERIO_API_KEY", API_KEY.to_owned()),
        ("AFTERSEND_CUSTOMERIO_URL", customerio.track_url()),
    ]
    .map(|(name, value)| (name.to_owned(), value))
    .to_vec()
}

fn warehouse_file(data: &Path) -> PathBuf {
    data.join("warehouse.sqlite")
}

/// Waits until the gateway takes connections: the simulated vendor treats a refused one as an outage.
fn await_listener(address: SocketAddr, gateway: &mut Running) -> anyhow::Result<()> {
    let deadline = Instant::now() + LISTENS_WITHIN;
    while TcpStream::connect(address).is_err() {
        gateway.check()?;
        if Instant::now() > deadline {
            bail!("the gateway does not listen at {address} within {LISTENS_WITHIN:?}");
        }
        std::thread::sleep(LOOK_EVERY);
    }
    Ok(())
}
