//! Counts of one run, and of all runs of the test process.

use std::collections::BTreeMap;
use std::fmt;
use std::sync::{Mutex, PoisonError};
use std::time::Duration;

/// Counts of one run, or of several.
#[derive(Clone, Debug, Default)]
pub(crate) struct Counts {
    /// SIGKILLs.
    pub(crate) kills: u64,
    /// Faults of any kind.
    pub(crate) faults: u64,
    /// Faults by kind.
    pub(crate) kinds: BTreeMap<&'static str, u64>,
    /// Distinct events.
    pub(crate) events: u64,
    /// Records that raw had, copies included.
    pub(crate) records: u64,
    /// Doubts resolved, by verdict. Those since the last look before a kill are missing.
    pub(crate) doubts: BTreeMap<&'static str, u64>,
    /// From the end of a fault until every partition had caught up.
    pub(crate) recoveries: Vec<Duration>,
}

/// Prints a line of progress. In a short run it is shown only if the test fails.
#[expect(clippy::print_stderr, reason = "whoever runs this watches it")]
pub(crate) fn say(line: fmt::Arguments<'_>) {
    eprintln!("chaos: {line}");
}

/// All verified runs of this process.
static ALL: Mutex<Option<Counts>> = Mutex::new(None);

impl Counts {
    /// Adds a verified run to those of this process, and returns the sum.
    pub(crate) fn add_to_total(self) -> Counts {
        let mut all = ALL.lock().unwrap_or_else(PoisonError::into_inner);
        let sum = all.take().unwrap_or_default().with(self);
        all.insert(sum).clone()
    }

    /// Both together.
    fn with(mut self, other: Counts) -> Counts {
        self.kills += other.kills;
        self.faults += other.faults;
        self.events += other.events;
        self.records += other.records;
        for (mine, theirs) in [(&mut self.kinds, other.kinds), (&mut self.doubts, other.doubts)] {
            for (name, count) in theirs {
                *mine.entry(name).or_default() += count;
            }
        }
        self.recoveries.extend(other.recoveries);
        self
    }

    fn recovery(&self, percent: usize) -> f64 {
        let mut sorted = self.recoveries.clone();
        sorted.sort_unstable();
        let place = (sorted.len() * percent / 100).min(sorted.len().saturating_sub(1));
        sorted.get(place).map_or(0.0, Duration::as_secs_f64)
    }
}

/// The table at the end. It is printed after the verification, so nothing was lost and nothing doubled.
impl fmt::Display for Counts {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let doubts: Vec<String> =
            self.doubts.iter().map(|(verdict, count)| format!("{count} {verdict}")).collect();
        writeln!(
            f,
            "| kills | faults | events | records | lost | doubled | doubts | recoveries | p50 | p99 |"
        )?;
        writeln!(f, "|---|---|---|---|---|---|---|---|---|---|")?;
        writeln!(
            f,
            "| {} | {} | {} | {} | 0 | 0 | {} | {} | {:.1} s | {:.1} s |",
            self.kills,
            self.faults,
            self.events,
            self.records,
            if doubts.is_empty() { "0".to_owned() } else { doubts.join(", ") },
            self.recoveries.len(),
            self.recovery(50),
            self.recovery(99)
        )?;
        for (kind, count) in &self.kinds {
            writeln!(f, "  {count:>5} {kind}")?;
        }
        Ok(())
    }
}
