//! Health is progress (E4): each component reports its progress, and a component without progress has
//! stalled.

mod judgement;
mod vital;

use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, Mutex, MutexGuard, OnceLock, PoisonError};
use std::time::{Duration, Instant};

use metrics::gauge;
use serde::Serialize;
use tokio::sync::Notify;

use crate::{Stop, metric};
pub use judgement::State;
use vital::Pulse;
pub use vital::Vital;

/// The health of this process: the state of each of its components. Cheap to clone: every clone is the same
/// health.
#[derive(Debug, Clone, Default)]
pub struct Health {
    shared: Arc<Shared>,
}

#[derive(Debug, Default)]
struct Shared {
    pulses: Mutex<Vec<Arc<Pulse>>>,
    draining: AtomicBool,
    stop_on_death: OnceLock<Stop>,
    /// Notified whenever a component ends.
    ended: Notify,
}

/// The health at one moment. `/readyz` answers it as JSON.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct Report {
    /// Whether the process should be given work: it is not draining, at least one component runs, and none is
    /// unready.
    pub ready: bool,
    /// Whether the process is about to end.
    pub draining: bool,
    /// Each component, in the order of their registration.
    pub components: Vec<Component>,
}

/// One component in a [`Report`].
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct Component {
    /// Its name.
    pub name: &'static str,
    /// How it is.
    pub state: State,
    /// Why it isn't ready. None where it is ready or has finished.
    pub cause: Option<String>,
    /// Milliseconds since it last made progress.
    pub idle_ms: u64,
}

impl Health {
    /// Nothing runs yet, so nothing is ready.
    pub fn new() -> Health {
        Health::default()
    }

    /// Registers a component. It is not ready until it reports so, and it stalls when it makes no progress
    /// for longer than `stall_after`. It replaces an earlier component of the same name that has ended. Two
    /// living components of the same name are reported side by side.
    pub fn component(&self, name: &'static str, stall_after: Duration) -> Vital {
        let pulse = Arc::new(Pulse::new(name, stall_after));
        let mut pulses = self.pulses();
        match pulses.iter_mut().find(|other| other.name == name && !other.lives()) {
            Some(ended) => *ended = Arc::clone(&pulse),
            None => pulses.push(Arc::clone(&pulse)),
        }
        Vital::new(pulse, self.clone())
    }

    /// The health now. A stall is noticed, logged and counted only when this is called. The admin server
    /// calls it every second.
    pub fn ready(&self) -> Report {
        self.report(Instant::now())
    }

    /// Turns readiness off for good: the first step of a drain, before any work is refused.
    pub fn draining(&self) {
        self.shared.draining.store(true, Ordering::Relaxed);
    }

    /// Makes the death of any component request `stop`. `/livez` stays 200 even then, so a process that can't
    /// do its work must end by itself. Its supervisor restarts it, after a drain. Only the first call counts.
    pub fn stop_on_death(&self, stop: &Stop) {
        drop(self.shared.stop_on_death.set(stop.clone()));
    }

    /// Resolves once no component lives.
    pub async fn ended(&self) {
        loop {
            // Created before the check, so that an end between the two is not missed.
            let ended = self.shared.ended.notified();
            if !self.pulses().iter().any(|pulse| pulse.lives()) {
                return;
            }
            ended.await;
        }
    }

    fn report(&self, now: Instant) -> Report {
        let draining = self.shared.draining.load(Ordering::Relaxed);
        let components: Vec<Component> = self.pulses().iter().map(|pulse| pulse.examine(now)).collect();
        let ready = !draining
            && components.iter().any(|component| component.state == State::Ready)
            && components.iter().all(|component| component.cause.is_none());
        gauge!(metric::READY).set(if ready { 1.0 } else { 0.0 });
        Report { ready, draining, components }
    }

    fn component_ended(&self) {
        self.shared.ended.notify_waiters();
    }

    fn component_died(&self, name: &'static str) {
        if let Some(stop) = self.shared.stop_on_death.get() {
            stop.request(&format!("{name} died"));
        }
    }

    fn pulses(&self) -> MutexGuard<'_, Vec<Arc<Pulse>>> {
        self.shared.pulses.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl Report {
    /// The components that died. A process with any of them should exit with a failure.
    pub fn died(&self) -> Vec<&'static str> {
        let dead = self.components.iter().filter(|component| component.state == State::Died);
        dead.map(|component| component.name).collect()
    }
}

#[cfg(test)]
mod tests;
