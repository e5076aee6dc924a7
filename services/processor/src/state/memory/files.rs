//! How the process's open files are divided among its stores.

use thiserror::Error;

/// Files that are none of a store: sockets and pipes of Kafka's clients (measured: 90 with 4 partitions and
/// one broker), the admin port, logs.
const OTHERS: u64 = 256;
/// What a store has open besides its tables: logs, manifest, lock, folders (measured: 8), and what a flush
/// and a compaction write.
const STORE_OTHERS: u64 = 16;
/// The fewest open tables with which RocksDB works at all.
const TABLES_MIN: u64 = 20;
/// With fewer tables, a store that is full opens tables for its look-ups again and again.
const TABLES_WANTED: u64 = 128;

/// How many tables each store may keep open.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct FileBudget {
    tables: u64,
    is_tight: bool,
}

/// The limit of open files is too low for the partitions.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Error)]
#[error(
    "this process may open {limit} files, and it may come to own all {partitions} partitions, which need {wanted}: raise the hard \
     limit of open files (LimitNOFILE= of systemd, `ulimits: nofile` of compose, `ulimit -Hn` of a shell)"
)]
pub struct FilesTooFew {
    /// The limit.
    pub limit: u64,
    /// Partitions of the input.
    pub partitions: u32,
    /// The lowest limit that is enough.
    pub wanted: u64,
}

impl FileBudget {
    /// Divides `limit` open files among the stores of `partitions`, because one instance may come to own all
    /// of them.
    ///
    /// # Errors
    /// [`FilesTooFew`], which says what to do.
    pub fn of(limit: u64, partitions: u32) -> Result<Self, FilesTooFew> {
        let stores = u64::from(partitions.max(1));
        let wanted = OTHERS + stores * (STORE_OTHERS + TABLES_MIN);
        if limit < wanted {
            return Err(FilesTooFew { limit, partitions, wanted });
        }
        let tables = (limit - OTHERS) / stores - STORE_OTHERS;
        Ok(Self { tables, is_tight: tables < TABLES_WANTED })
    }

    /// Whether stores will work, but slower once they are full.
    #[must_use]
    pub fn is_tight(&self) -> bool {
        self.is_tight
    }

    /// Tables that each store may keep open, in RocksDB's terms.
    #[must_use]
    pub fn tables_per_store(&self) -> i32 {
        i32::try_from(self.tables).unwrap_or(i32::MAX)
    }

    /// A limit with which no store is short of files.
    #[must_use]
    pub fn comfortable_limit(partitions: u32) -> u64 {
        OTHERS + u64::from(partitions) * (STORE_OTHERS + TABLES_WANTED)
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    #[test]
    fn too_few_files_are_refused_with_the_mend_and_few_are_an_alarm() {
        let few = FileBudget::of(1_024, 32).expect_err("too few");
        assert_eq!(few.wanted, 1_408);
        assert!(few.to_string().contains("LimitNOFILE="), "{few}");
        assert!(FileBudget::of(few.wanted, 32).expect("enough").is_tight());
        assert!(!FileBudget::of(FileBudget::comfortable_limit(32), 32).expect("enough").is_tight());
        assert!(!FileBudget::of(1_024, 4).expect("enough").is_tight());
    }

    proptest! {
        /// Whatever the limit, the stores together never ask for more.
        #[test]
        fn all_stores_together_stay_below_the_limit(limit in 0u64..3_000_000, partitions in 1u32..2_000) {
            if let Ok(files) = FileBudget::of(limit, partitions) {
                let tables = u64::try_from(files.tables_per_store()).expect("positive");
                prop_assert!(tables >= TABLES_MIN);
                prop_assert!(OTHERS + u64::from(partitions) * (STORE_OTHERS + tables) <= limit);
            }
        }
    }
}
