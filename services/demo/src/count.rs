//! What arrived where, counted from outside: the simulator, the log, the warehouse, the simulated profiles.

use std::collections::BTreeMap;
use std::path::Path;

use rusqlite::{Connection, OpenFlags};

/// The counts at one moment.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub(crate) struct Counts {
    /// Requests sent, retries included.
    pub(crate) requests: u64,
    /// Webhooks answered 2xx, copies included.
    pub(crate) accepted: u64,
    /// Records in the raw topic.
    pub(crate) raw: u64,
    /// Rows in the warehouse.
    pub(crate) stored: u64,
    /// Rows that the warehouse refused as doubles.
    pub(crate) conflicts: u64,
    /// Distinct persons in the warehouse.
    pub(crate) customers: u64,
    /// Rows by metric.
    pub(crate) funnel: BTreeMap<String, u64>,
    /// Profiles that hold a suppression, by reason.
    pub(crate) suppressed: BTreeMap<String, u64>,
    /// Profiles that hold any suppression.
    pub(crate) suppressed_profiles: u64,
    /// Requests at the Track API.
    pub(crate) track_calls: u64,
    /// Crashes so far.
    pub(crate) restarts: u64,
}

/// What the warehouse holds.
#[derive(Debug, Default)]
pub(crate) struct Warehouse {
    pub(crate) stored: u64,
    pub(crate) conflicts: u64,
    pub(crate) customers: u64,
    pub(crate) funnel: BTreeMap<String, u64>,
}

impl Warehouse {
    /// Reads the file while the sink writes it.
    pub(crate) fn read(path: &Path) -> rusqlite::Result<Self> {
        let file = Connection::open_with_flags(path, OpenFlags::SQLITE_OPEN_READ_ONLY)?;
        let count = |sql: &str| file.query_row(sql, [], |row| row.get::<_, i64>(0)).map(i64::unsigned_abs);
        let mut statement = file.prepare("SELECT metric, count(*) FROM message_outcomes GROUP BY metric")?;
        let rows = statement.query_map([], |row| Ok((row.get(0)?, row.get::<_, i64>(1)?.unsigned_abs())))?;
        let funnel = rows.collect::<Result<_, _>>()?;
        Ok(Self {
            stored: count("SELECT count(*) FROM message_outcomes")?,
            conflicts: count("SELECT count(*) FROM message_outcome_conflicts")?,
            customers: count(
                "SELECT count(DISTINCT customer_id) FROM message_outcomes
                 WHERE customer_id NOT GLOB '~dlv:*' AND customer_id NOT GLOB '~evt:*'",
            )?,
            funnel,
        })
    }
}

/// The ids of an outcome: its own, and that of its event, as the vendor gave it.
#[derive(Debug, PartialEq, Eq, PartialOrd, Ord)]
pub(crate) struct Ids {
    pub(crate) outcome_id: String,
    pub(crate) event_id: String,
}

/// The ids of all rows, in no order.
pub(crate) fn stored_ids(path: &Path) -> rusqlite::Result<Vec<Ids>> {
    let file = Connection::open_with_flags(path, OpenFlags::SQLITE_OPEN_READ_ONLY)?;
    let mut statement = file.prepare("SELECT outcome_id, event_id FROM message_outcomes")?;
    statement.query_map([], |row| Ok(Ids { outcome_id: row.get(0)?, event_id: row.get(1)? }))?.collect()
}
