//! The verdict at the end of a run.

use aftersend_tests::broker::topic;
use aftersend_tests::oracle::Oracle;
use aftersend_tests::proof::outcome;
use aftersend_tests::wait::{PATIENCE, await_that, await_until};
use schemas::topic::Topic;

use super::Arena;

/// The processor's consumer group, before the prefix.
const GROUP: &str = "aftersend.processor";
/// What its transactions write to.
const WRITTEN: [Topic; 6] =
    [Topic::Warehouse, Topic::Trait, Topic::Suppression, Topic::DeadLetter, Topic::State, Topic::Dedupe];
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
        let (raw, group) = (self.topic(Topic::Raw), self.world.group(GROUP));
        let ends: Vec<_> = raw.ends().into_iter().map(|end| (end.0 > 0).then_some(end)).collect();
        let mut stands = raw.committed(&group);
        while stands != ends {
            stands =
                await_until(&format!("raw to be worked off from {stands:?} to {ends:?}"), PATIENCE, || {
                    self.instances.iter_mut().for_each(super::Instance::assert_alive);
                    Some(raw.committed(&group)).filter(|now| *now != stands)
                });
        }
        await_that("every transaction to be decided", || {
            WRITTEN.iter().all(|written| !self.topic(*written).has_open_transaction())
        });
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
