//! The warehouse's file, read with SQL, as its user would.

use std::path::Path;
use std::time::Duration;

use rusqlite::{Connection, OpenFlags};

use crate::oracle::Row;

/// The file; may be read while the sink writes to it.
#[derive(Debug)]
pub struct Warehouse {
    connection: Connection,
}

impl Warehouse {
    /// Opens the file, which must be there, for reading.
    ///
    /// # Panics
    /// If it isn't.
    #[must_use]
    pub fn open(path: &Path) -> Warehouse {
        let connection = Connection::open_with_flags(path, OpenFlags::SQLITE_OPEN_READ_ONLY);
        let connection = connection.expect("the warehouse can be opened");
        connection.busy_timeout(Duration::from_secs(10)).expect("a timeout can be set");
        Warehouse { connection }
    }

    /// How many rows `message_outcomes` has.
    ///
    /// # Panics
    /// If it can't be read.
    #[must_use]
    pub fn stored(&self) -> u64 {
        self.count("SELECT count(*) FROM message_outcomes")
    }

    /// How many outcomes were refused because their event already had a row.
    ///
    /// # Panics
    /// If it can't be read.
    #[must_use]
    pub fn conflicts(&self) -> u64 {
        self.count("SELECT count(*) FROM message_outcome_conflicts")
    }

    /// Every row: outcome id, and what the oracle knows of it.
    ///
    /// # Panics
    /// If it can't be read.
    #[must_use]
    pub fn rows(&self) -> Vec<(String, Row)> {
        let sql = "SELECT outcome_id, customer_id, channel, metric, \
                   CAST(round(unixepoch(timestamp, 'subsec') * 1000) AS INTEGER), delivery_id FROM message_outcomes";
        let mut statement = self.connection.prepare(sql).expect("the columns are there");
        let rows = statement.query_map([], |row| {
            let found = Row {
                customer_id: row.get(1)?,
                channel: row.get(2)?,
                metric: row.get(3)?,
                occurred_at_ms: row.get(4)?,
                delivery_id: row.get(5)?,
            };
            Ok((row.get(0)?, found))
        });
        rows.expect("rows can be read").collect::<Result<_, _>>().expect("rows have their types")
    }

    fn count(&self, sql: &str) -> u64 {
        let count: i64 = self.connection.query_row(sql, [], |row| row.get(0)).expect("the table is there");
        u64::try_from(count).expect("a count is no negative number")
    }
}
