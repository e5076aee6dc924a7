//! The simulated Customer.io, on its own runtime: tests block their threads.

use std::collections::BTreeSet;
use std::net::SocketAddr;
use std::time::{SystemTime, UNIX_EPOCH};

use devkit::customerio::track::{self, Track};
use devkit::customerio::webhook::{self, Disorder, Report, Schedule, Sender, Stats};
use devkit::customerio::{CustomerIo, Settings};
use tokio::runtime::Runtime;
use tokio::sync::oneshot;
use tokio::task::JoinHandle;

/// What webhooks are signed with.
pub const SIGNING_KEY: &str = "a-signing-key-for-tests";

const SITE_ID: &str = "site";
const API_KEY: &str = "key";

/// Where the gateway takes the vendor's webhooks.
pub const ENDPOINT: &str = "/v1/webhooks/customerio/reporting";

/// The vendor's hour takes a second here. It is the wait after a refused call.
const CLOCK_FACTOR: f64 = 3_600.0;

/// A workspace with its people, its webhooks and its Track API.
#[derive(Debug)]
pub struct Vendor {
    customer_io: CustomerIo,
    url: String,
    runtime: Runtime,
}

/// How fast calls are begun.
#[derive(Clone, Copy, Debug)]
pub struct Pace {
    /// Calls under way at the same time.
    pub lanes: usize,
    /// New calls per second at most. `None` means as fast as the gateway answers.
    pub calls_per_s: Option<f64>,
}

/// Webhooks on their way.
#[derive(Debug)]
pub struct Sending<'a> {
    vendor: &'a Vendor,
    stats: Stats,
    stop: oneshot::Sender<()>,
    task: JoinHandle<Report>,
}

impl Vendor {
    /// A workspace with this many people, all drawn from `seed`.
    ///
    /// # Panics
    /// If it can't listen.
    #[must_use]
    pub fn start(seed: u64, people: usize) -> Vendor {
        let runtime = Runtime::new().expect("a runtime starts");
        let settings = Settings {
            seed,
            people,
            listen: SocketAddr::from(([127, 0, 0, 1], 0)),
            track: track::Settings::new(SITE_ID, API_KEY),
        };
        let customer_io = runtime.block_on(CustomerIo::start(settings)).expect("loopback can be listened on");
        let url = customer_io.track_url();
        Vendor { customer_io, url, runtime }
    }

    /// A schedule of outcomes up to now. A share of them is sent twice, and each is moved by less than
    /// `window` places.
    #[must_use]
    pub fn schedule(&self, count: usize, duplicates: f64, window: usize) -> Schedule {
        let disorder = Disorder { duplicates, window, seed: 11 };
        self.customer_io.schedule(count, now_s(), &disorder)
    }

    /// Begins to send `schedule` to the gateway at `address`.
    ///
    /// # Panics
    /// If the pace makes no sense.
    #[must_use]
    pub fn send(&self, address: SocketAddr, schedule: &Schedule, pace: Pace) -> Sending<'_> {
        let settings = webhook::Settings {
            lanes: pace.lanes,
            pace_per_s: pace.calls_per_s,
            clock_factor: CLOCK_FACTOR,
            ..webhook::Settings::new(format!("http://{address}{ENDPOINT}"), SIGNING_KEY)
        };
        let sender = Sender::new(settings).expect("the sender's settings make sense");
        let (stats, schedule) = (sender.stats(), schedule.clone());
        let (stop, stopped) = oneshot::channel::<()>();
        let task = self.runtime.spawn(async move {
            let stopped = async {
                // Dropping the handle does not stop the task.
                if stopped.await.is_err() {
                    std::future::pending::<()>().await;
                }
            };
            sender.run(&schedule, stopped).await
        });
        Sending { vendor: self, stats, stop, task }
    }

    /// The Track API and the profiles behind it.
    #[must_use]
    pub fn track(&self) -> &Track {
        self.customer_io.track()
    }

    /// What the Customer.io sink has to know of it.
    #[must_use]
    pub fn credentials(&self) -> [(&str, &str); 3] {
        self.credentials_with_key(API_KEY)
    }

    /// The same settings with another key.
    #[must_use]
    pub fn credentials_with_key<'a>(&'a self, key: &'a str) -> [(&'a str, &'a str); 3] {
        [
            ("CUSTOMERIO_SITE_ID", SITE_ID),
            ("CUSTOMERIO_API_KEY", key),
            ("AFTERSEND_CUSTOMERIO_URL", &self.url),
        ]
    }
}

impl Sending<'_> {
    /// The numbers so far.
    #[must_use]
    pub fn stats(&self) -> &Stats {
        &self.stats
    }

    /// Waits until everything was accepted.
    ///
    /// # Panics
    /// If the sender does.
    #[must_use]
    pub fn finish(self) -> Report {
        // Kept until the end, because dropping it does not ask for a stop.
        let Sending { vendor, task, stop: _stop, .. } = self;
        vendor.runtime.block_on(task).expect("the sender doesn't panic")
    }

    /// Stops. Returns which outcomes were accepted by then, as positions in the schedule.
    ///
    /// # Panics
    /// If the sender does.
    #[must_use]
    pub fn stop(self) -> BTreeSet<usize> {
        let _ = self.stop.send(());
        self.vendor.runtime.block_on(self.task).expect("the sender doesn't panic").accepted
    }
}

/// The signature headers of `body`, signed now.
///
/// # Panics
/// Before 1970.
#[must_use]
pub fn signed(body: &[u8]) -> [(String, String); 2] {
    let timestamp = now_s().to_string();
    let signature = webhook::sign(SIGNING_KEY, &timestamp, body);
    [("X-CIO-Timestamp".to_owned(), timestamp), ("X-CIO-Signature".to_owned(), signature)]
}

fn now_s() -> i64 {
    let since = SystemTime::now().duration_since(UNIX_EPOCH).expect("the clock is past 1970");
    i64::try_from(since.as_secs()).expect("seconds fit")
}
