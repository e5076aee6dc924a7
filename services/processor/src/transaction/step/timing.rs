//! Timers in a step: what has come due is done before the records of the same transaction.

use schemas::topic::Topic;

use super::{Due, Output, StepError, Work};
use crate::domain::timer::{Kind, done, due_ms};
use crate::state::timer::Timer;

impl<'a> Work<'a> {
    /// Looks at the customers whose timers have come up. The state tells what is really due: now, later, or no more.
    pub(super) fn fire(&mut self, due: &'a Due) -> Result<(), StepError> {
        self.customers.fetch(self.store, due.timers.iter().map(|timer| timer.key.as_slice()))?;
        for timer in &due.timers {
            self.overlay.take_timer(timer.clone());
            let mut customer = self.customers.get(&timer.key);
            match due_ms(timer.kind, &customer) {
                Some(at_ms) if at_ms <= due.now_ms => {
                    done(timer.kind, &mut customer, at_ms);
                    self.customers.set(&timer.key, customer, self.overlay.meta().clock_ms);
                    self.counts.timers += 1;
                    match timer.kind {
                        Kind::Tombstone => self.outputs.push(tombstone(&timer.key)),
                    }
                }
                Some(at_ms) => self.overlay.put_timer(Timer { at_ms, ..timer.clone() }),
                None => {}
            }
        }
        Ok(())
    }
}

fn tombstone(key: &[u8]) -> Output {
    Output { topic: Topic::Suppression, key: Some(key.to_vec()), value: None, headers: Vec::new() }
}
