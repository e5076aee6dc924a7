//! The processor's settings.

use std::path::PathBuf;
use std::time::Duration;

use settings::{ByteSize, Fault, Reader, Value};

use crate::application::{self, ApplicationId};
use crate::domain::redact::LinkQueries;
use crate::domain::time::window::Window;
use crate::drill::Order;
use crate::state::memory::Budget;

settings::declare! {
    /// How the processor runs.
    #[derive(Debug, Clone)]
    pub struct Settings in "processor", checked by relate {
        /// Folder of the RocksDB stores. Only one process may use it at a time.
        pub state: PathBuf = "state" { env: "AFTERSEND_STATE" },
        /// Lasting name of this instance, such as its pod's. Without it a random name is made and kept in the
        /// state folder.
        pub instance: Option<String>,
        /// Sets a second processor apart that reads the same raw topic, for a replay or a comparison. Its
        /// group, its ids in Kafka, its folder and every topic that it writes end in this id. `bootstrap`
        /// with the same setting makes its topics. No sink and no gateway uses them. 1 to 32 of the
        /// characters a to z and 0 to 9.
        pub application_id: Option<ApplicationId>,
        /// The consumer group that follows from `processor.application_id`. Another one is refused: two
        /// groups on the same changelogs would count each event twice.
        pub group: Option<String>,
        /// After this time without a heartbeat, another instance takes over the partitions. Longer than a
        /// restart and the move of a volume take.
        pub session_timeout: Duration = "180s" { least: "6s", because: "the broker's own minimum" },
        /// Whether an instance that is told to stop leaves the group at once, so that others get its
        /// partitions in seconds. For scale-in and decommissioning. Otherwise it keeps them until the session
        /// timeout, for its restart.
        pub leave_on_stop: bool = "false",
        /// For how many days an event is recognised as a duplicate. At least 8, and 8 more than the raw
        /// topic's retention and one segment: 30 with bootstrap's topics.
        pub window: Window = "30" {
            key: "processor.dedupe_window_days",
            env: "AFTERSEND_PROCESSOR_DEDUPE_WINDOW_DAYS",
        },
        /// Time between two commits of a worker. After an idle period the first records are committed
        /// immediately.
        pub commit_interval: Duration = "100ms" { least: "5ms", most: "5s" },
        /// Largest number of records in one transaction. Fewer where a worker's share of `processor.memory`
        /// does not hold as many.
        pub batch_records: usize = "10000" {
            least: "1",
            most: "100000",
            because: "the ids of a transaction travel in one record",
        },
        /// Memory for the stores, the records read ahead, the records being applied and the records queued,
        /// of all partitions. At least 32MiB for each partition of the input.
        pub budget: Budget as ByteSize = "1GiB" { key: "processor.memory", env: "AFTERSEND_PROCESSOR_MEMORY" },
        /// Threads that apply and commit records, each with a producer. No more are started than there are
        /// partitions. A producer sends one request per partition that it writes to, one after the other, so
        /// fewer partitions per worker make shorter commits.
        pub workers: usize = "8" { least: "1", most: "256", mend: "one for four partitions is a good choice" },
        /// Partitions that are restored at the same time. Without it as many as the machine has cores.
        pub restorers: Option<usize>,
        /// Largest number of timers of one partition that fire in one transaction. The others wait for the
        /// next.
        pub timers_max: usize = "2000" { least: "1", most: "100000" },
        /// Time between two checkpoints, each of which records how far the changelogs are on disk. A restart
        /// replays what came after the last checkpoint.
        pub checkpoint_interval: Duration = "30s",
        /// The process exits when the engine has restarted this often without a committed transaction. The
        /// engine restarts when this many transactions were aborted in a row.
        pub restarts_max: u32 = "10",
        /// Longest pause before a partition that has stopped is tried again. The first pause is a second, and
        /// each further pause is twice as long.
        pub retry_pause_max: Duration = "60s" { least: "1s", most: "1h" },
        /// What becomes of the values in the queries of clicked links: `tokens`, `keep` or `drop`. A keyed
        /// token still groups links by the value. `keep` redacts addresses and known secrets alone. `utm_`
        /// parameters always stay.
        pub link_queries: LinkQueries = "tokens" {
            key: "privacy.link_queries",
            env: "AFTERSEND_PRIVACY_LINK_QUERIES",
        },
        /// Crash drill `POINT:N:FILE`: stops at the Nth pass of a point of the commit protocol. For tests.
        pub drill: Option<Order>,
    }
}

impl Settings {
    fn relate(&self, reader: &mut Reader) {
        let derived = application::group(self.application_id.as_ref());
        if let Some(group) = self.group.as_ref().filter(|group| **group != derived) {
            reader.require(false, || {
                let mend = "stop every processor, then unset it: the new group continues where the changelogs stand. For a \
                            second processor on the same input, set processor.application_id";
                Fault::new(Self::group, group, format!("{derived}, or nothing"), mend)
            });
        }
    }
}

impl Value for Window {
    const SHAPE: &'static str = "8 to 3650 days: the vendor retries for seven days";

    fn parse(text: &str) -> Result<Self, String> {
        Window::new(u16::parse(text)?).ok_or_else(|| "out of range".to_owned())
    }
}

impl Value for LinkQueries {
    const SHAPE: &'static str = "one of tokens, keep, drop";

    fn parse(text: &str) -> Result<Self, String> {
        let all = [Self::Tokens, Self::Keep, Self::Drop];
        all.into_iter().find(|choice| choice.name() == text).ok_or_else(|| "none of the three".to_owned())
    }
}

impl From<ByteSize> for Budget {
    fn from(size: ByteSize) -> Budget {
        Budget::of(size.bytes())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_shape_of_a_window_names_its_bounds() {
        let bounds = format!("{} to {} days", Window::DAYS_MIN, Window::DAYS_MAX);
        assert!(Window::SHAPE.starts_with(&bounds), "{}", Window::SHAPE);
        for days in [Window::DAYS_MIN, Window::DAYS_MAX] {
            assert_eq!(Window::parse(&days.to_string()).ok(), Window::new(days));
        }
        assert!(Window::parse("7").is_err() && Window::parse("3651").is_err());
    }
}
