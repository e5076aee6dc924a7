//! Timers: what has come due is done after the records of the same transaction, because a record may postpone
//! it.

use schemas::topic::Topic;

use super::customers::TouchedCustomer;
use super::{Applier, ApplyError, DueTimers, Output};
use crate::domain::time::timer::{TimerKind, done, due_ms};
use crate::state::overlay::Overlay;
use crate::state::timer::Timer;

impl<'a> Applier<'a> {
    /// Takes the timers of `due` out of the index. Whether something is really due is decided from the
    /// customer's state, when the customer is published.
    pub(super) fn take_timers(&mut self, due: &'a DueTimers) -> Result<(), ApplyError> {
        self.customers.fetch(self.store, due.timers.iter().map(|timer| timer.key.as_slice()))?;
        for timer in &due.timers {
            self.overlay.take_timer(timer.clone());
            self.customers.came_up(&timer.key, timer.kind);
        }
        Ok(())
    }
}

impl TouchedCustomer<'_> {
    /// Does what is due at `now_ms`, and puts later deadlines into the index. Returns how many timers fired.
    ///
    /// A deadline that only moved later needs no new entry: its old entry comes up first, and is then made
    /// again with the new time. It does need one where this transaction has taken the old entry out.
    pub(super) fn fire(&mut self, now_ms: i64, overlay: &mut Overlay, outputs: &mut Vec<Output>) -> u64 {
        let mut fired = 0;
        for kind in TimerKind::ALL {
            let came_up = self.came_up.contains(&kind);
            let Some(at_ms) = due_ms(kind, &self.now) else { continue };
            if came_up && at_ms <= now_ms {
                done(kind, &mut self.now, at_ms);
                fired += 1;
                match kind {
                    TimerKind::Tombstone => outputs.push(tombstone(self.key)),
                }
            } else if came_up || due_ms(kind, &self.before).is_none_or(|before| at_ms < before) {
                overlay.put_timer(Timer { at_ms, kind, key: self.key.to_vec() });
            }
        }
        fired
    }
}

fn tombstone(key: &[u8]) -> Output {
    Output { topic: Topic::Suppression, key: Some(key.to_vec()), value: None, headers: Vec::new() }
}
