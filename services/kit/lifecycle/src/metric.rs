//! What the lifecycle counts.

/// Times a component made no progress for longer than it may.
pub const STALLS: &str = "lifecycle_stalls_total";

/// Components that ended without saying that they had finished.
pub const DEATHS: &str = "lifecycle_deaths_total";

/// 1 while `/readyz` answers 200.
pub const READY: &str = "lifecycle_ready";

/// This crate's metrics and their meaning, for [`telemetry::Metrics::describe`]; [`admin::serve`](crate::admin::serve) does it.
pub const METRICS: &[(&str, &str)] = &[
    (STALLS, "Times a component made no progress for longer than it may, by component."),
    (DEATHS, "Components that ended without having finished, by component; none is normal."),
    (READY, "1 while the process is ready, else 0; the causes are at /readyz."),
];
