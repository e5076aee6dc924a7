//! The component's side of its health.

use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::{Duration, Instant};

use metrics::counter;
use tracing::{error, info, warn};

use super::judgement::{Phase, State, judge};
use super::{Component, Health};
use crate::metric;

/// The handle with which one component reports its health. A component whose handle is dropped without
/// [`finished`](Vital::finished), by a panic or an early return, has died.
#[derive(Debug)]
pub struct Vital {
    pulse: Arc<Pulse>,
    health: Health,
}

impl Vital {
    pub(super) fn new(pulse: Arc<Pulse>, health: Health) -> Vital {
        Vital { pulse, health }
    }

    /// Reports progress: the component did something, or it polled and had nothing to do. Cheap enough for
    /// every record.
    pub fn progress(&self) {
        self.pulse.progress();
    }

    /// Reports that the component can do its work. Counts as progress.
    pub fn ready(&self) {
        self.pulse.enter(Phase::Ready);
    }

    /// Reports that the component can't do its work now. Operators will read the reason, so it must hold no
    /// secret, address or payload. Counts as progress.
    pub fn not_ready(&self, why: impl Into<String>) {
        self.pulse.enter(Phase::NotReady(why.into()));
    }

    /// Reports that the component has ended as intended.
    pub fn finished(self) {
        self.pulse.enter(Phase::Finished);
    }
}

impl Drop for Vital {
    fn drop(&mut self) {
        if self.pulse.lives() {
            let component = self.pulse.name;
            self.pulse.enter(Phase::Died);
            error!(component, "component died");
            counter!(metric::DEATHS, "component" => component).increment(1);
            self.health.component_died(component);
        }
        self.health.component_ended();
    }
}

/// What a component and its observers share.
#[derive(Debug)]
pub(super) struct Pulse {
    pub(super) name: &'static str,
    stall_after: Duration,
    born: Instant,
    /// Milliseconds from birth to the latest progress. An atomic, because hot loops write it.
    progress_ms: AtomicU64,
    phase: Mutex<Phase>,
    /// Whether the present stall was already logged and counted.
    stalled: AtomicBool,
}

impl Pulse {
    pub(super) fn new(name: &'static str, stall_after: Duration) -> Pulse {
        Pulse {
            name,
            stall_after,
            born: Instant::now(),
            progress_ms: AtomicU64::new(0),
            phase: Mutex::new(Phase::Starting),
            stalled: AtomicBool::new(false),
        }
    }

    pub(super) fn lives(&self) -> bool {
        !matches!(*self.phase(), Phase::Finished | Phase::Died)
    }

    /// The component's state at `now`. A stall that begins or ends is logged once.
    pub(super) fn examine(&self, now: Instant) -> Component {
        let progress_at = self.born + Duration::from_millis(self.progress_ms.load(Ordering::Relaxed));
        let idle = now.saturating_duration_since(progress_at);
        let (state, cause) = judge(&self.phase(), idle, self.stall_after);
        let idle_ms = millis(idle);
        self.report_stall(state, idle_ms);
        Component { name: self.name, state, cause, idle_ms }
    }

    fn report_stall(&self, state: State, idle_ms: u64) {
        let component = self.name;
        let stalled = state == State::Stalled;
        match (self.stalled.swap(stalled, Ordering::Relaxed), stalled) {
            (false, true) => {
                counter!(metric::STALLS, "component" => component).increment(1);
                warn!(component, idle_ms, "component stalled");
            }
            (true, false) if self.lives() => info!(component, "component no longer stalled"),
            _ => {}
        }
    }

    fn progress(&self) {
        self.progress_ms.store(millis(self.born.elapsed()), Ordering::Relaxed);
    }

    fn enter(&self, phase: Phase) {
        self.progress();
        *self.phase() = phase;
    }

    fn phase(&self) -> MutexGuard<'_, Phase> {
        self.phase.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

fn millis(duration: Duration) -> u64 {
    u64::try_from(duration.as_millis()).unwrap_or(u64::MAX)
}
