//! Readiness as progress (E4): acknowledgements where something was published, answers to metadata where
//! nothing was.

use std::convert::Infallible;
use std::time::{Duration, Instant};

use kafka::Publisher;
use lifecycle::Vital;
use tokio::sync::watch;
use tokio::time::sleep;

use crate::ingest::Ingest;
use crate::partition_count::PartitionCount;

const EVERY: Duration = Duration::from_secs(1);

/// Reports to `vital` every second, for as long as the process lives.
pub(super) async fn beat(
    vital: &Vital,
    ingest: &Ingest,
    publisher: &Publisher,
    mut partition_count: watch::Receiver<PartitionCount>,
) -> Infallible {
    let mut progress = Progress { attempts: 0, acknowledged: None };
    let mut reported = None;
    loop {
        let metadata_answered = partition_count.has_changed().unwrap_or(false);
        let count = *partition_count.borrow_and_update();
        if reported != Some(count) {
            report(vital, count);
            reported = Some(count);
        }
        if progress.made(ingest.publish_attempts(), publisher.last_acknowledged(), metadata_answered) {
            vital.progress();
        }
        sleep(EVERY).await;
    }
}

fn report(vital: &Vital, count: PartitionCount) {
    match count {
        PartitionCount::Unknown => {
            vital.not_ready("no kafka broker has answered yet: check AFTERSEND_KAFKA");
        }
        PartitionCount::Missing => vital.not_ready("topics are missing: run `aftersend bootstrap`"),
        PartitionCount::Fixed(_) => vital.ready(),
        PartitionCount::Changed { was, now } => vital.not_ready(format!(
            "raw has {now} partitions and had {was} at boot: the count is immutable; restore the topic"
        )),
    }
}

/// What was seen when progress was last made.
struct Progress {
    attempts: u64,
    acknowledged: Option<Instant>,
}

impl Progress {
    /// Whether there was progress since the last time: something was acknowledged, or nothing was published.
    /// A new answer to a request for metadata counts too. Without that, a gateway that gets no requests
    /// because it isn't ready would never be ready again.
    fn made(&mut self, attempts: u64, acknowledged: Option<Instant>, metadata_answered: bool) -> bool {
        let made = acknowledged > self.acknowledged || attempts == self.attempts || metadata_answered;
        if made {
            *self = Self { attempts, acknowledged };
        }
        made
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn health_is_acknowledgements_never_attempts() {
        let mut progress = Progress { attempts: 0, acknowledged: None };
        let now = Some(Instant::now());
        assert!(progress.made(0, None, false), "nothing to do");
        assert!(!progress.made(1, None, false), "tried in vain");
        assert!(!progress.made(1, None, false), "still in vain");
        assert!(progress.made(2, now, false), "acknowledged");
        assert!(progress.made(2, now, false), "nothing to do");
        assert!(!progress.made(3, now, false), "tried in vain");
        assert!(progress.made(3, now, true), "a broker answers again");
    }
}
