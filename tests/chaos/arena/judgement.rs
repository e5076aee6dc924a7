//! The verdict at the end of a run.

use aftersend_tests::broker::topic;
use aftersend_tests::oracle::Oracle;
use aftersend_tests::proof::outcome;
use aftersend_tests::wait::await_that;
use schemas::topic::Topic;

use super::Arena;

/// Fresh events, after everything, that only a whole memory answers rightly.
const EPILOGUE: u64 = 400;

impl Arena {
    /// Ends the events, waits until they are worked off, and judges what lies on the topics against the oracle: each event once,
    /// everybody's traits and suppressions, nothing set aside, nothing open, nothing left. Then sends everything once more,
    /// and at last loses every disk, sends everything a third time, and some that is new: nobody must notice.
    pub(crate) fn judge(&mut self) {
        self.judge_as_it_is();
        self.send_all_again();
        self.stop();
        self.instances.iter().for_each(super::Instance::lose_disk);
        self.start(0);
        self.send_all_again();
        let from = self.fed;
        self.fed += EPILOGUE;
        self.sender
            .send(self.workload.order(from, self.fed).into_iter().map(|number| self.workload.event(number)));
        self.judge_as_it_is();
        self.stop();
        self.tally.events += self.fed;
        self.tally.records += self.topic(Topic::Raw).length();
        self.total = std::mem::take(&mut self.tally).book();
    }

    /// The first part of it: what holds without sending anything more.
    pub(crate) fn judge_as_it_is(&mut self) {
        self.finish_feed();
        if self.instances.iter().all(|instance| !instance.runs()) {
            self.start(0);
        }
        self.await_worked_off();
        let bodies: Vec<Vec<u8>> = (0..self.fed).map(|number| self.workload.event(number).body).collect();
        outcome::assert_held(&self.world, &Oracle::of(bodies.iter().map(Vec::as_slice)));
        assert_eq!(self.topic(Topic::DeadLetter).records().len(), self.expected_dead_letters, "dead letters");
    }

    /// Lets no more events come.
    pub(crate) fn finish_feed(&mut self) {
        if let Some(feed) = self.feed.take() {
            self.fed = feed.finish();
        }
    }

    /// Waits until the group stands at raw's end exactly, and no transaction is open.
    pub(crate) fn await_worked_off(&mut self) {
        self.await_caught_up();
        let ends = self.eye.ends().into_iter().map(|end| (end.0 > 0).then_some(end));
        assert_eq!(self.eye.stands(), ends.collect::<Vec<_>>(), "the group stands beyond raw's end");
        await_that("every transaction to be decided", || !self.eye.sees_open_transaction());
    }

    /// Each event once more; not one takes effect.
    fn send_all_again(&mut self) {
        let outputs = |arena: &Arena| {
            [Topic::Warehouse, Topic::Trait, Topic::Suppression].map(|out| arena.topic(out).records().len())
        };
        let before = outputs(self);
        self.sender.send((0..self.fed).map(|number| self.workload.event(number)));
        self.await_worked_off();
        assert_eq!(outputs(self), before, "what was sent again took effect again");
    }

    fn topic(&self, topic: Topic) -> topic::Topic {
        self.world.topic(topic)
    }
}
