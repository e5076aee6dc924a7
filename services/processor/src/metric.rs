//! The processor's metrics.

/// Records worked off, by `outcome`: unique, duplicate or dead_lettered (E1).
pub const RECORDS: &str = "processor_records_total";
/// Timers that fired.
pub const TIMERS: &str = "processor_timers_total";
/// Times that this node's clock was set back to the broker's.
pub const CLOCK_CORRECTIONS: &str = "processor_clock_corrections_total";
/// Records set aside, by `reason`.
pub const DEAD_LETTERS: &str = "processor_dead_letters_total";
/// Transactions, by `end`, as the protocol names it: committed, aborted, unapplied, elsewhere, undecided or torn.
pub const TRANSACTIONS: &str = "processor_transactions_total";
/// Transactions in doubt whose outcome was found out, by `verdict`.
pub const DOUBTS: &str = "processor_doubts_total";
/// Producers taken anew, the first one of each worker included.
pub const PRODUCER_RENEWALS: &str = "processor_producer_renewals_total";
/// Workers that are at one act for longer than it should take.
pub const STUCK_WORKERS: &str = "processor_stuck_workers";
/// Times that the process gave itself up because a thread hung.
pub const HOPELESS: &str = "processor_hopeless_workers_total";
/// From a transaction's beginning to T6, a new producer included where it takes one.
pub const COMMIT_SECONDS: &str = "processor_commit_seconds";
/// From the raw record's append to its outputs' commit.
pub const LATENCY_SECONDS: &str = "processor_latency_seconds";
/// Partitions owned and restored.
pub const PARTITIONS: &str = "processor_owned_partitions";
/// Times the engine had to start over.
pub const RESTARTS: &str = "processor_session_restarts_total";
/// Changelog records replayed, by `changelog`.
pub const RESTORED_RECORDS: &str = "processor_restored_records_total";
/// Changelog records still to replay, by `changelog` and `partition`.
pub const RESTORE_REMAINING: &str = "processor_restore_remaining_records";
/// Seconds until the restores that run are done.
pub const RESTORE_ETA: &str = "processor_restore_remaining_seconds";
/// Restores that have not moved for a minute.
pub const RESTORE_STALLED: &str = "processor_restore_stalled_partitions";
/// State stores wiped, by `cause`: damaged, or reset by an operator.
pub const STORES_WIPED: &str = "processor_stores_wiped_total";
/// Dedupe ids on disk, as RocksDB estimates, by `partition`.
pub const STORED_IDS: &str = "processor_stored_ids_records";

/// Every metric with its meaning.
pub const METRICS: &[(&str, &str)] = &[
    (RECORDS, "raw records worked off, by outcome"),
    (TIMERS, "timers that fired"),
    (CLOCK_CORRECTIONS, "times that this node's clock was set back to the broker's"),
    (DEAD_LETTERS, "raw records set aside, by reason"),
    (TRANSACTIONS, "transactions, by end"),
    (DOUBTS, "transactions in doubt whose outcome was found out, by verdict"),
    (PRODUCER_RENEWALS, "producers taken anew"),
    (STUCK_WORKERS, "workers that are at one act for longer than it should take"),
    (HOPELESS, "times that the process gave itself up because a thread hung"),
    (COMMIT_SECONDS, "time of a transaction from its beginning to the disk"),
    (LATENCY_SECONDS, "time from a raw record's append to the commit of what follows from it"),
    (PARTITIONS, "partitions owned and restored"),
    (RESTARTS, "times the engine had to start over"),
    (RESTORED_RECORDS, "changelog records replayed, by changelog"),
    (RESTORE_REMAINING, "changelog records still to replay, by changelog and partition"),
    (RESTORE_ETA, "seconds until the restores that run are done, at their pace so far"),
    (RESTORE_STALLED, "restores that have not moved for a minute"),
    (STORES_WIPED, "state stores wiped to be restored from the changelogs, by cause"),
    (STORED_IDS, "dedupe ids on disk as RocksDB estimates, by partition"),
];
