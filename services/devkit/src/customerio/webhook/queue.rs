//! What is sent when: the vendor's head-of-line blocking as a state machine without a clock of its own.

use std::collections::{BTreeSet, VecDeque};
use std::time::{Duration, Instant};

use super::answer::{Answer, PATIENCE, wait};

/// One entry of the schedule on its way.
#[derive(Debug)]
pub(super) struct Call {
    /// Its outcome's place in the schedule's outcomes.
    pub(super) index: usize,
    failures: u32,
    first_try: Option<Instant>,
}

impl Call {
    pub(super) fn is_retry(&self) -> bool {
        self.failures > 0
    }
}

/// What becomes of a call after an answer.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub(super) enum Next {
    Done,
    Again,
    GivenUp,
}

/// The calls that wait, those on their way, and those that failed and are due again.
///
/// Nothing new starts while a call is failing: between its failure and its success only calls that were on
/// their way already, and retries, are sent.
#[derive(Debug)]
pub(super) struct Queue {
    upcoming: VecDeque<usize>,
    waiting: Vec<(Instant, Call)>,
    failing: usize,
    in_flight: usize,
    lanes: usize,
    clock_factor: f64,
    accepted: BTreeSet<usize>,
}

impl Queue {
    pub(super) fn new(order: &[usize], lanes: usize, clock_factor: f64) -> Queue {
        Queue {
            upcoming: order.iter().copied().collect(),
            waiting: Vec::new(),
            failing: 0,
            in_flight: 0,
            lanes: lanes.max(1),
            clock_factor,
            accepted: BTreeSet::new(),
        }
    }

    /// Whether a new call may start.
    pub(super) fn may_start(&self) -> bool {
        self.failing == 0 && self.in_flight < self.lanes && !self.upcoming.is_empty()
    }

    /// Takes the next new call, if one may start.
    pub(super) fn start(&mut self) -> Option<Call> {
        if !self.may_start() {
            return None;
        }
        let index = self.upcoming.pop_front()?;
        self.in_flight += 1;
        Some(Call { index, failures: 0, first_try: None })
    }

    /// Takes a failed call that is due again.
    pub(super) fn retry(&mut self, now: Instant) -> Option<Call> {
        let place = self.waiting.iter().position(|(due, _)| *due <= now)?;
        self.in_flight += 1;
        Some(self.waiting.swap_remove(place).1)
    }

    /// When the next failed call is due.
    pub(super) fn retry_due(&self) -> Option<Instant> {
        self.waiting.iter().map(|(due, _)| *due).min()
    }

    /// Takes note of an answer. `began` is when the request went out.
    pub(super) fn answered(&mut self, mut call: Call, answer: Answer, began: Instant, now: Instant) -> Next {
        self.in_flight -= 1;
        if answer.accepted() {
            self.failing -= usize::from(call.is_retry());
            self.accepted.insert(call.index);
            return Next::Done;
        }
        self.failing += usize::from(!call.is_retry());
        let first_try = *call.first_try.get_or_insert(began);
        if now.duration_since(first_try) >= self.patience() {
            self.failing -= 1;
            return Next::GivenUp;
        }
        call.failures += 1;
        self.waiting.push((now + wait(answer, call.failures, self.clock_factor), call));
        Next::Again
    }

    /// How many calls failed and haven't succeeded yet.
    pub(super) fn failing(&self) -> usize {
        self.failing
    }

    /// Whether every call has come to its end.
    pub(super) fn is_done(&self) -> bool {
        self.upcoming.is_empty() && self.waiting.is_empty() && self.in_flight == 0
    }

    /// The outcomes that were accepted at least once.
    pub(super) fn into_accepted(self) -> BTreeSet<usize> {
        self.accepted
    }

    fn patience(&self) -> Duration {
        PATIENCE.div_f64(self.clock_factor)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const OK: Answer = Answer::Status(200);
    const BUSY: Answer = Answer::Status(503);

    #[test]
    fn nothing_new_starts_behind_a_failing_call() {
        let now = Instant::now();
        let mut queue = Queue::new(&[0, 1, 2, 3], 2, 1.0);
        let (first, second) = (queue.start().unwrap(), queue.start().unwrap());
        assert!(queue.start().is_none(), "two lanes, both taken");

        assert_eq!(queue.answered(first, BUSY, now, now), Next::Again);
        assert_eq!(queue.answered(second, OK, now, now), Next::Done);
        assert!(!queue.may_start(), "a lane is free, but the first call is failing");
        assert!(queue.retry(now).is_none(), "not due yet");

        let later = queue.retry_due().unwrap();
        let first = queue.retry(later).unwrap();
        assert!(first.is_retry() && !queue.may_start());
        assert_eq!(queue.answered(first, OK, later, later), Next::Done);
        assert_eq!(queue.start().unwrap().index, 2);
    }

    #[test]
    fn after_seven_days_an_event_is_given_up_and_the_queue_moves_on() {
        let begin = Instant::now();
        let mut queue = Queue::new(&[0, 1], 1, 1.0);
        let mut call = queue.start().unwrap();
        let mut now = begin;
        while queue.answered(call, BUSY, now, now) == Next::Again {
            now = queue.retry_due().unwrap();
            call = queue.retry(now).unwrap();
        }
        assert!(now.duration_since(begin) >= PATIENCE);
        assert_eq!((queue.failing(), queue.start().unwrap().index), (0, 1));
    }
}
