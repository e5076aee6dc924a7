//! The metrics that all sinks share.

telemetry::metrics! {
    /// Records written as dead letters.
    DEAD_LETTERS: counter "delivery_dead_letters_total" { stage, reason },
    /// Failed attempts to write a dead letter, by Kafka's error code.
    DEAD_LETTER_FAILURES: counter "delivery_dead_letter_failures_total" { stage, code },
}
