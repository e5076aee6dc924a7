//! What is counted here.

/// Records kept as dead letters, by `stage` and `reason`.
pub const DEAD_LETTERS: &str = "delivery_dead_letters_total";
/// Tries to keep a dead letter that failed, by `stage` and `code`.
pub const DEAD_LETTER_FAILURES: &str = "delivery_dead_letter_failures_total";

/// Every metric of this crate with its meaning.
pub const METRICS: &[(&str, &str)] = &[
    (DEAD_LETTERS, "Records kept as dead letters, by stage and reason."),
    (DEAD_LETTER_FAILURES, "Tries to keep a dead letter that failed, by stage and code."),
];
