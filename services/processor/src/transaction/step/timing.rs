//! Timers in a step: what has come due is done after the records of the same transaction, which may have put it off.

use schemas::topic::Topic;

use super::customers::Met;
use super::{Due, Output, StepError, Work};
use crate::domain::timer::{Kind, done, due_ms};
use crate::state::overlay::Overlay;
use crate::state::timer::Timer;

impl<'a> Work<'a> {
    /// Takes `due` out of the index. What is really due, the customers tell when they are published.
    pub(super) fn take_timers(&mut self, due: &'a Due) -> Result<(), StepError> {
        self.customers.fetch(self.store, due.timers.iter().map(|timer| timer.key.as_slice()))?;
        for timer in &due.timers {
            self.overlay.take_timer(timer.clone());
            self.customers.came_up(&timer.key, timer.kind);
        }
        Ok(())
    }
}

impl Met<'_> {
    /// Does what is due at `now_ms`, and puts into the index what the customer asks for later; answers how many timers fired. A
    /// deadline that has only moved later has an entry already, which will find out; unless this step has taken it.
    pub(super) fn fire(&mut self, now_ms: i64, overlay: &mut Overlay, outputs: &mut Vec<Output>) -> u64 {
        let mut fired = 0;
        for kind in Kind::ALL {
            let came_up = self.came_up.contains(&kind);
            let Some(at_ms) = due_ms(kind, &self.now) else { continue };
            if came_up && at_ms <= now_ms {
                done(kind, &mut self.now, at_ms);
                fired += 1;
                match kind {
                    Kind::Tombstone => outputs.push(tombstone(self.key)),
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
