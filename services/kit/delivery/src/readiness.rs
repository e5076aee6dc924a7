//! Whether the sink can do its work, and what keeps it from it (E4).

use std::fmt::Write as _;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use lifecycle::Vital;

use crate::intake::{Intake, Stopped};
use crate::metric;

/// Stopped partitions that a cause names; of more it says how many.
const NAMED_MAX: usize = 5;

/// What keeps the target from taking records, if anything. Written by the sink, read into readiness. Clones
/// share it.
#[derive(Debug, Clone, Default)]
pub struct TargetHealth(Arc<Mutex<Option<String>>>);

impl TargetHealth {
    /// The target takes nothing now, for this cause. Operators read it: it holds no secret, address or
    /// payload.
    pub fn fails(&self, cause: String) {
        *locked(&self.0) = Some(cause);
    }

    /// The target works. Returns whether a cause had been named.
    pub fn works(&self) -> bool {
        locked(&self.0).take().is_some()
    }

    /// What was named last, until the target works again.
    #[must_use]
    pub fn cause(&self) -> Option<String> {
        locked(&self.0).clone()
    }
}

/// The sink's readiness, from the causes that the loop and the sink know.
#[derive(Debug)]
pub struct Readiness<'a> {
    vital: &'a Vital,
    target: TargetHealth,
    dead_letters: TargetHealth,
    reading: TargetHealth,
    intake: Arc<Intake>,
    named: Mutex<Option<String>>,
}

impl<'a> Readiness<'a> {
    pub(crate) fn new(vital: &'a Vital, target: TargetHealth, intake: Arc<Intake>) -> Self {
        let (dead_letters, reading) = (TargetHealth::default(), TargetHealth::default());
        Self { vital, target, dead_letters, reading, intake, named: Mutex::default() }
    }

    /// A step was done. Reports ready, or the cause that keeps the sink from the rest of its work. Counts as
    /// progress.
    pub fn report(&self) {
        metrics::gauge!(metric::REFUSED_PARTITIONS).set(self.intake.refused().len() as f64);
        metrics::gauge!(metric::STOPPED_PARTITIONS).set(self.intake.stopped().len() as f64);
        let cause = self.cause();
        match &cause {
            Some(cause) => self.vital.not_ready(cause),
            None => self.vital.ready(),
        }
        *locked(&self.named) = cause;
    }

    /// Nothing was done. Reports a cause that was not reported yet, and nothing else: a report counts as
    /// progress, and waiting is none.
    pub(crate) fn report_new_cause(&self) {
        let cause = self.cause();
        if cause.is_some() && cause != *locked(&self.named) {
            self.report();
        }
    }

    /// The topic of dead letters, as a target of its own.
    pub(crate) fn dead_letters(&self) -> &TargetHealth {
        &self.dead_letters
    }

    /// The topics that are read.
    pub(crate) fn reading(&self) -> &TargetHealth {
        &self.reading
    }

    fn cause(&self) -> Option<String> {
        let failing =
            [&self.dead_letters, &self.target, &self.reading].into_iter().find_map(TargetHealth::cause);
        failing.or_else(|| refused(&self.intake.refused())).or_else(|| stopped(&self.intake.stopped()))
    }
}

/// Names the first partition that isn't started because its position can't be right; `None` where there are
/// none.
fn refused(causes: &[String]) -> Option<String> {
    let (first, more) = causes.split_first()?;
    let more = if more.is_empty() { String::new() } else { format!(" (and {} partitions more)", more.len()) };
    Some(format!(
        "{first}{more}: nothing of it is read; bring the topic back, or set on_gap to record to go on without those records"
    ))
}

/// Names the partitions that are stopped at a record of an unknown schema; `None` where there are none.
fn stopped(partitions: &[Stopped]) -> Option<String> {
    let mut cause = String::new();
    for Stopped { partition: (topic, number), fingerprint } in partitions.iter().take(NAMED_MAX) {
        let separator = if cause.is_empty() { "" } else { ", " };
        let written = write!(cause, "{separator}{topic}[{number}] stopped at schema {fingerprint:016x}");
        debug_assert!(written.is_ok(), "a string takes all text");
    }
    match partitions.len() {
        0 => return None,
        1..=NAMED_MAX => {}
        more => cause.push_str(&format!(" and {} more", more - NAMED_MAX)),
    }
    Some(cause + ", which this version does not know: upgrade this sink")
}

fn locked<T>(mutex: &Mutex<T>) -> MutexGuard<'_, T> {
    mutex.lock().unwrap_or_else(PoisonError::into_inner)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn partitions(numbers: std::ops::Range<i32>) -> Vec<Stopped> {
        let at = |number| Stopped { partition: ("t".into(), number), fingerprint: 0xab };
        numbers.map(at).collect()
    }

    #[test]
    fn a_stopped_partition_is_named_with_its_schema_and_the_mend() {
        assert_eq!(stopped(&[]), None);
        let one = stopped(&partitions(3..4)).expect("a cause");
        assert_eq!(
            one,
            "t[3] stopped at schema 00000000000000ab, which this version does not know: upgrade this sink"
        );
        let many = stopped(&partitions(0..7)).expect("a cause");
        assert!(
            many.contains("t[4] stopped") && !many.contains("t[5]") && many.contains("and 2 more"),
            "{many}"
        );
    }

    /// E4: a sink that waits for one cause makes no progress, so it must come to count as stalled.
    #[test]
    fn a_cause_is_reported_once_while_nothing_is_done() {
        let health = lifecycle::Health::new();
        let vital = health.component("sink", std::time::Duration::from_millis(1));
        let target = TargetHealth::default();
        let readiness = Readiness::new(&vital, target.clone(), Arc::default());
        target.fails("answered 503".to_owned());
        readiness.report_new_cause();
        assert_eq!(health.ready().components[0].cause.as_deref(), Some("answered 503"));
        std::thread::sleep(std::time::Duration::from_millis(20));
        readiness.report_new_cause();
        assert!(health.ready().components[0].idle_ms >= 20, "the same cause again is no progress");
        assert!(target.works());
        readiness.report();
        assert_eq!(health.ready().components[0].state, lifecycle::State::Ready);
    }
}
