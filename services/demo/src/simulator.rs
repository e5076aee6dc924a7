//! The simulated Customer.io as a process of its own, for the compose file: it answers the Track API and
//! sends webhooks until it is stopped.

use std::time::{Duration, SystemTime, UNIX_EPOCH};

use anyhow::Context as _;
use devkit::customerio::webhook::{Disorder, Schedule, Sender, Settings as SenderSettings, Snapshot, Stats};
use devkit::customerio::{CustomerIo, Settings as CustomerIoSettings, track};
use lifecycle::{Health, Stop, Vital, admin, healthcheck};
use settings::{Field, Reader, Secret};
use tokio::net::TcpListener;
use tracing::info;

use crate::cli::Simulator;

/// Outcomes of one round. The first 52 deliveries of a round go every way that there is.
const ROUND_OUTCOMES: usize = 500;
/// Outcomes may leave this many places from where they belong.
const DISORDER: usize = 50;
/// Calls that are under way.
const LANES: usize = 8;
/// The vendor's hour takes a second.
const CLOCK_FACTOR: f64 = 3_600.0;
/// How often the sender's numbers are looked at, and how long they may be silent.
const LOOK_EVERY: Duration = Duration::from_secs(1);
const STALL_AFTER: Duration = Duration::from_secs(30);

settings::declare! {
    /// The one setting of the simulator that is secret, and so is no argument.
    struct Signing in "simulator" {
        /// Key with which the webhooks are signed.
        key: Secret { env: "CUSTOMERIO_WEBHOOK_SIGNING_KEY" },
    }
}

/// What the simulator reads from its environment.
struct Environment {
    signing_key: Secret,
    admin: admin::Settings,
    log: telemetry::Settings,
}

/// Runs until SIGTERM or SIGINT.
///
/// # Errors
/// If a setting is bad, or an address can't be listened on.
pub(crate) fn run(arguments: &Simulator) -> anyhow::Result<()> {
    let environment = Environment::read()?;
    let metrics = telemetry::init(&environment.log)?;
    let (health, stop) = (Health::new(), Stop::new());
    stop.on_signals();
    health.stop_on_death(&stop);
    let runtime = tokio::runtime::Builder::new_multi_thread().enable_all().build()?;
    runtime.block_on(async {
        let listen = environment.admin.listen;
        let listener = TcpListener::bind(listen)
            .await
            .with_context(|| format!("{listen} can't be listened on: set AFTERSEND_ADMIN"))?;
        let admin = tokio::spawn(admin::serve(listener, health.clone(), metrics, stop.clone()));
        let vital = health.component("simulator", STALL_AFTER);
        simulate(arguments, &environment.signing_key, &vital, &stop).await?;
        vital.finished();
        Ok(admin.await??)
    })
}

/// Asks the simulator on this machine.
///
/// # Errors
/// If the answer isn't 200, or does not come within 3 s.
pub(crate) fn check_health(ready: bool) -> anyhow::Result<()> {
    let mut reader = Reader::new(admin::Settings::FIELDS, None, settings::process_environment());
    let settings = admin::Settings::read(&mut reader);
    reader.finish()?;
    let listen = settings.expect("a fault is recorded where nothing was read").listen;
    let url = healthcheck::local_url(listen, if ready { "/readyz" } else { "/livez" });
    let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build()?;
    Ok(runtime.block_on(healthcheck::ask(&url))?)
}

async fn simulate(
    arguments: &Simulator,
    signing_key: &Secret,
    vital: &Vital,
    stop: &Stop,
) -> anyhow::Result<()> {
    let customerio = CustomerIo::start(CustomerIoSettings {
        seed: arguments.seed,
        people: usize::try_from(arguments.people)?,
        listen: arguments.listen,
        track: track::Settings::new(&arguments.site_id, &arguments.api_key),
    })
    .await
    .with_context(|| format!("{} can't be listened on: choose --listen", arguments.listen))?;
    let url = format!("{}/v1/webhooks/customerio/reporting", arguments.gateway.trim_end_matches('/'));
    info!(track = customerio.track_url(), webhooks = url, pace_per_s = arguments.pace, "simulator runs");
    let sender = Sender::new(SenderSettings {
        lanes: LANES,
        pace_per_s: Some(arguments.pace),
        clock_factor: CLOCK_FACTOR,
        ..SenderSettings::new(url, signing_key.expose())
    })?;
    let stats = sender.stats();
    tokio::select! {
        () = send(arguments, &customerio, &sender, stop) => {}
        never = report(&stats, vital) => match never {},
    }
    let Snapshot { attempts, accepted, .. } = stats.read();
    info!(attempts, accepted, "simulator ends");
    Ok(customerio.stop().await?)
}

/// Sends round after round until `stop`.
async fn send(arguments: &Simulator, customerio: &CustomerIo, sender: &Sender, stop: &Stop) {
    while !stop.requested() {
        let now = SystemTime::now().duration_since(UNIX_EPOCH).unwrap_or_default();
        // No two rounds begin in the same millisecond, so that none repeats an earlier one.
        let seed = u64::try_from(now.as_millis()).unwrap_or_default();
        let now_s = i64::try_from(now.as_secs()).unwrap_or_default();
        let outcomes = customerio.population().outcomes(seed, ROUND_OUTCOMES, now_s);
        let disorder = Disorder { duplicates: arguments.duplicates, window: DISORDER, seed };
        sender.run(&Schedule::new(outcomes, &disorder), stop.wait()).await;
    }
}

/// Reports the sender's progress, without end. The simulator is ready while the gateway takes its webhooks.
async fn report(stats: &Stats, vital: &Vital) -> std::convert::Infallible {
    let mut ticks = tokio::time::interval(LOOK_EVERY);
    loop {
        ticks.tick().await;
        let Snapshot { accepted, stalled, last_error, .. } = stats.read();
        if stalled {
            let cause = last_error.unwrap_or_default();
            vital.not_ready(format!("the gateway does not take a webhook: {cause}"));
        } else if accepted > 0 {
            vital.ready();
        } else {
            vital.not_ready("no webhook was sent yet");
        }
    }
}

impl Environment {
    fn read() -> Result<Self, settings::Faults> {
        let catalogue: Vec<&'static Field> =
            [Signing::FIELDS, admin::Settings::FIELDS, telemetry::Settings::FIELDS].concat();
        let mut reader = Reader::new(&catalogue, None, settings::process_environment());
        let signing = Signing::read(&mut reader);
        let admin = admin::Settings::read(&mut reader);
        let log = telemetry::Settings::read(&mut reader);
        reader.finish()?;
        let read = "a fault is recorded where nothing was read";
        Ok(Self { signing_key: signing.expect(read).key, admin: admin.expect(read), log: log.expect(read) })
    }
}
