//! The metrics of a process's lifecycle.

telemetry::metrics! {
    /// How often a component made no progress for longer than it may.
    STALLS: counter "lifecycle_stalls_total" { component },
    /// Components that ended without saying that they had finished. None is normal.
    DEATHS: counter "lifecycle_deaths_total" { component },
    /// 1 while the process is ready, else 0. `/readyz` names the causes.
    READY: gauge "lifecycle_ready",
}
