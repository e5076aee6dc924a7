//! Timers in a step: what has come due is done before the records of the same transaction.

use schemas::topic::Topic;

use super::{Output, StepError, Work};
use crate::domain::timer::{Kind, done, due_ms};
use crate::state::timer::Timer;

impl Work<'_> {
    /// Looks at a customer whose timer has come up at `now_ms`. The state tells what is really due: now, later, or no more.
    pub(super) fn fire(&mut self, timer: &Timer, now_ms: i64) -> Result<(), StepError> {
        self.overlay.take_timer(timer.clone());
        let touched = self.touch(&timer.key)?;
        let due = due_ms(timer.kind, &touched.now);
        let Some(due) = due.filter(|due| *due <= now_ms) else {
            if let Some(at_ms) = due {
                self.overlay.put_timer(Timer { at_ms, ..timer.clone() });
            }
            return Ok(());
        };
        done(timer.kind, &mut touched.now, due);
        match timer.kind {
            Kind::Tombstone => {
                let key = Some(timer.key.clone());
                self.outputs.push(Output {
                    topic: Topic::Suppression,
                    key,
                    value: None,
                    headers: Vec::new(),
                });
            }
        }
        self.counts.timers += 1;
        Ok(())
    }

    /// Puts into the index what `key`'s customer now asks for. A deadline that has only moved later has an entry already, which
    /// will find out.
    pub(super) fn arm(&mut self, key: &[u8], touched: &super::Touched) {
        for timer in Timer::of(key, &touched.now) {
            let before = due_ms(timer.kind, &touched.before);
            if before.is_none_or(|before| timer.at_ms < before) {
                self.overlay.put_timer(timer);
            }
        }
    }
}
