//! Health as progress (E4): acknowledgements where something was tried, answers to metadata where nothing was.

use std::convert::Infallible;
use std::time::{Duration, Instant};

use kafka::Publisher;
use lifecycle::Vital;
use tokio::sync::watch;
use tokio::time::sleep;

use crate::record::partition::Partitions;
use crate::request::Desk;

const EVERY: Duration = Duration::from_secs(1);

pub(super) async fn beat(
    vital: &Vital,
    desk: &Desk,
    publisher: &Publisher,
    mut partitions: watch::Receiver<Partitions>,
) -> Infallible {
    let mut progress = Progress { tried: 0, acknowledged: None };
    let mut told = None;
    loop {
        let looked = partitions.has_changed().unwrap_or(false);
        let state = *partitions.borrow_and_update();
        if told != Some(state) {
            tell(vital, state);
            told = Some(state);
        }
        if progress.made(desk.tried(), publisher.last_acknowledged(), looked) {
            vital.progress();
        }
        sleep(EVERY).await;
    }
}

fn tell(vital: &Vital, state: Partitions) {
    match state {
        Partitions::Unknown => vital.not_ready("no kafka broker has answered yet: check AFTERSEND_KAFKA"),
        Partitions::Fixed(_) => vital.ready(),
        Partitions::Changed { was, now } => vital.not_ready(format!(
            "raw has {now} partitions and had {was} at boot: the count is immutable; restore the topic"
        )),
    }
}

struct Progress {
    tried: u64,
    acknowledged: Option<Instant>,
}

impl Progress {
    /// Whether something was acknowledged, or nothing was tried, since progress was last made. A fresh answer to a
    /// metadata request counts too: else a gateway that gets no requests because it isn't ready never is again.
    fn made(&mut self, tried: u64, acknowledged: Option<Instant>, looked: bool) -> bool {
        let made = acknowledged > self.acknowledged || tried == self.tried || looked;
        if made {
            *self = Self { tried, acknowledged };
        }
        made
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn health_is_acknowledgements_never_attempts() {
        let mut progress = Progress { tried: 0, acknowledged: None };
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
