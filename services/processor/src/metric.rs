//! The processor's metrics.

telemetry::metrics! {
    /// Raw records applied. Each record has exactly one outcome (E1).
    RECORDS: counter "processor_records_total" { outcome: ["unique", "duplicate", "dead_lettered"] },
    /// Timers that fired.
    TIMERS: counter "processor_timers_total",
    /// How often this node's clock was set back to the broker's.
    CLOCK_CORRECTIONS: counter "processor_clock_corrections_total",
    /// Raw records that became dead letters.
    DEAD_LETTERS: counter "processor_dead_letters_total" { reason },
    /// Transactions, by how they ended.
    TRANSACTIONS: counter "processor_transactions_total" {
        end: ["committed", "unapplied", "aborted", "elsewhere", "undecided", "torn"],
    },
    /// Transactions whose outcome was unknown at first, by what the committed offsets showed.
    DOUBTS: counter "processor_doubts_total" { verdict: ["committed", "aborted", "elsewhere", "torn"] },
    /// New producers, the first producer of each worker included.
    PRODUCER_RENEWALS: counter "processor_producer_renewals_total",
    /// Workers that have been in one step for longer than it should take.
    STUCK_WORKERS: gauge "processor_stuck_workers",
    /// How often the process ended itself because a thread hung.
    HOPELESS: counter "processor_hopeless_workers_total",
    /// Time of a transaction from its beginning to the disk, a new producer included where it needs one.
    COMMIT_SECONDS: histogram "processor_commit_seconds",
    /// Time from a raw record's append to the commit of what follows from it.
    LATENCY_SECONDS: histogram "processor_latency_seconds",
    /// Partitions that are owned and restored.
    PARTITIONS: gauge "processor_owned_partitions",
    /// Partitions that have stopped, each alone, by cause. Readiness names each with its mend, and each is
    /// tried again after a pause.
    STOPPED_PARTITIONS: gauge "processor_stopped_partitions" {
        cause: ["refused", "unreadable", "unknown_schema", "unwritable", "damaged", "unavailable", "panicked"],
    },
    /// How often the engine had to start over.
    RESTARTS: counter "processor_session_restarts_total",
    /// Changelog records replayed.
    RESTORED_RECORDS: counter "processor_restored_records_total" { changelog },
    /// Changelog records that are still to be replayed.
    RESTORE_REMAINING: gauge "processor_restore_remaining_records" { changelog, partition },
    /// Time until the running restores are done, at their pace so far.
    RESTORE_ETA: gauge "processor_restore_remaining_seconds",
    /// Restores that have made no progress for a minute.
    RESTORE_STALLED: gauge "processor_restore_stalled_partitions",
    /// State stores that were wiped, to be restored from the changelogs.
    STORES_WIPED: counter "processor_stores_wiped_total" { cause },
    /// Dedupe ids on disk, as RocksDB estimates.
    STORED_IDS: gauge "processor_stored_ids" { partition },
}
