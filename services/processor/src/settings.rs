//! The processor's settings.

use std::path::PathBuf;
use std::time::Duration;

use settings::{ByteSize, Fault, Field, Reader};

use crate::domain::window::Window;
use crate::state::memory::Budget;
use crate::transaction::drill::Order;

static STATE: Field =
    Field::new("processor.state", "AFTERSEND_STATE", "Folder of the RocksDB stores; one process at a time.")
        .default("state");
static INSTANCE: Field = Field::new(
    "processor.instance",
    "AFTERSEND_PROCESSOR_INSTANCE",
    "Lasting name of this instance, such as its pod's; kept in the state folder where unset.",
);
static GROUP: Field =
    Field::new("processor.group", "AFTERSEND_PROCESSOR_GROUP", "Consumer group, after the topic prefix.")
        .default("aftersend.processor");
static SESSION_TIMEOUT: Field = Field::new(
    "processor.session_timeout",
    "AFTERSEND_PROCESSOR_SESSION_TIMEOUT",
    "After this long without a heartbeat, another instance takes the partitions; longer than a restart and moving a volume take.",
)
.default("180s");
static WINDOW_DAYS: Field = Field::new(
    "processor.dedupe_window_days",
    "AFTERSEND_PROCESSOR_DEDUPE_WINDOW_DAYS",
    "For how many days an event is recognised as a duplicate; at least 8, and 8 more than raw's retention and one segment, which makes 30 with bootstrap's topics.",
)
.default("30");
static COMMIT_INTERVAL: Field = Field::new(
    "processor.commit_interval",
    "AFTERSEND_PROCESSOR_COMMIT_INTERVAL",
    "From one gathering of a worker's records to the next; after a pause, what comes is committed at once.",
)
.default("100ms");
static BATCH_RECORDS: Field = Field::new(
    "processor.batch_records",
    "AFTERSEND_PROCESSOR_BATCH_RECORDS",
    "Records in one transaction at most; fewer where a worker's share of `processor.memory` holds no more.",
)
.default("10000");
static MEMORY: Field = Field::new(
    "processor.memory",
    "AFTERSEND_PROCESSOR_MEMORY",
    "Memory for stores, records read ahead, records being worked off and records queued, of all partitions: at least 32MiB for each partition of the input.",
)
.default("1GiB");
static WORKERS: Field = Field::new(
    "processor.workers",
    "AFTERSEND_PROCESSOR_WORKERS",
    "Threads that work partitions off, each with a producer of its own, and never more than there are partitions. A producer sends a request for each partition that it writes to, one after the other, so fewer partitions for each worker make shorter commits.",
)
.default("8");
static TIMERS_MAX: Field = Field::new(
    "processor.timers_max",
    "AFTERSEND_PROCESSOR_TIMERS_MAX",
    "Timers that fire for one partition in one transaction at most; the others wait for the next.",
)
.default("2000");
static CHECKPOINT_INTERVAL: Field = Field::new(
    "processor.checkpoint_interval",
    "AFTERSEND_PROCESSOR_CHECKPOINT_INTERVAL",
    "How often it is noted how far the changelogs are on disk: a restart replays what came since.",
)
.default("30s");
static RESTARTS_MAX: Field = Field::new(
    "processor.restarts_max",
    "AFTERSEND_PROCESSOR_RESTARTS_MAX",
    "Times that the engine starts over without a committed transaction between before the process exits, and transactions aborted in a row before the engine starts over.",
)
.default("10");
static DRILL: Field = Field::new(
    "processor.drill",
    "AFTERSEND_PROCESSOR_DRILL",
    "Crash drill `POINT:N:FILE`: stand still at the Nth time of a point of the commit protocol. For tests.",
);

/// At most two entries of 17 bytes for each id: well below what a record holds.
const BATCH_RECORDS_MAX: usize = 100_000;

/// More would only wait for each other.
const WORKERS_MAX: usize = 256;

/// How the processor runs.
#[derive(Debug, Clone)]
pub struct Settings {
    /// Folder of the stores.
    pub state: PathBuf,
    /// Lasting name; `None` for one kept in the state folder.
    pub instance: Option<String>,
    /// Consumer group, before the prefix.
    pub group: String,
    /// The group's session timeout.
    pub session_timeout: Duration,
    /// The dedupe window.
    pub window: Window,
    /// How long records are gathered for a transaction.
    pub commit_interval: Duration,
    /// Records in a transaction at most; its bytes are bounded by the budget.
    pub batch_records: usize,
    /// Memory of stores and queues.
    pub budget: Budget,
    /// Threads that work partitions off.
    pub workers: usize,
    /// Timers that fire for one partition in one transaction at most.
    pub timers_max: usize,
    /// How often it is noted how far the changelogs are on disk.
    pub checkpoint_interval: Duration,
    /// Fruitless restarts of the engine before the process gives up.
    pub restarts_max: u32,
    /// A crash drill.
    pub drill: Option<Order>,
}

impl Settings {
    /// The settings that [`Self::read`] reads.
    pub const FIELDS: &'static [&'static Field] = &[
        &STATE,
        &INSTANCE,
        &GROUP,
        &SESSION_TIMEOUT,
        &WINDOW_DAYS,
        &COMMIT_INTERVAL,
        &BATCH_RECORDS,
        &MEMORY,
        &WORKERS,
        &TIMERS_MAX,
        &CHECKPOINT_INTERVAL,
        &RESTARTS_MAX,
        &DRILL,
    ];

    /// Reads them; `None` where a fault was recorded.
    pub fn read(reader: &mut Reader) -> Option<Self> {
        let state = reader.read(&STATE);
        let instance = reader.optional(&INSTANCE);
        let group = reader.read(&GROUP);
        let session_timeout: Option<Duration> = reader.read(&SESSION_TIMEOUT);
        let window = read_window(reader);
        let commit_interval: Option<Duration> = reader.read(&COMMIT_INTERVAL);
        let batch_records: Option<usize> = reader.read(&BATCH_RECORDS);
        let memory: Option<ByteSize> = reader.read(&MEMORY);
        let workers: Option<usize> = reader.read(&WORKERS);
        let timers_max: Option<usize> = reader.read(&TIMERS_MAX);
        let checkpoint_interval = reader.read(&CHECKPOINT_INTERVAL);
        let restarts_max = reader.read(&RESTARTS_MAX);
        let drill = reader.optional(&DRILL);
        let settings = Self {
            state: state?,
            instance: instance?,
            group: group?,
            session_timeout: session_timeout?,
            window: window?,
            commit_interval: commit_interval?,
            batch_records: batch_records?,
            budget: Budget::of(memory?.bytes()),
            workers: workers?,
            timers_max: timers_max?,
            checkpoint_interval: checkpoint_interval?,
            restarts_max: restarts_max?,
            drill: drill?,
        };
        settings.check(reader);
        Some(settings)
    }

    fn check(&self, reader: &mut Reader) {
        let interval = self.commit_interval;
        reader.require(interval >= Duration::from_millis(5) && interval <= Duration::from_secs(5), || {
            Fault::new(&COMMIT_INTERVAL, format!("{interval:?}"), "5ms to 5s", "choose a value between them")
        });
        let records = self.batch_records;
        reader.require((1..=BATCH_RECORDS_MAX).contains(&records), || {
            let wanted = format!("1 to {BATCH_RECORDS_MAX}: the ids of a transaction travel in one record");
            Fault::new(&BATCH_RECORDS, records.to_string(), wanted, "choose a value between them")
        });
        let workers = self.workers;
        reader.require((1..=WORKERS_MAX).contains(&workers), || {
            let wanted = format!("1 to {WORKERS_MAX}");
            Fault::new(&WORKERS, workers.to_string(), wanted, "one for four partitions is a good choice")
        });
        let timers = self.timers_max;
        reader.require((1..=BATCH_RECORDS_MAX).contains(&timers), || {
            let wanted = format!("1 to {BATCH_RECORDS_MAX}");
            Fault::new(&TIMERS_MAX, timers.to_string(), wanted, "choose a value between them")
        });
        let session = self.session_timeout;
        reader.require(session >= Duration::from_secs(6), || {
            Fault::new(
                &SESSION_TIMEOUT,
                format!("{session:?}"),
                "at least 6s, the broker's own minimum",
                "raise it",
            )
        });
    }
}

fn read_window(reader: &mut Reader) -> Option<Window> {
    let days: u16 = reader.read(&WINDOW_DAYS)?;
    let window = Window::new(days);
    reader.require(window.is_some(), || {
        let wanted = format!("{} to {}", Window::DAYS_MIN, Window::DAYS_MAX);
        Fault::new(&WINDOW_DAYS, days.to_string(), wanted, "the vendor retries for seven days: raise it")
    });
    window
}
