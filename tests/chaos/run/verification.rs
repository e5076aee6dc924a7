//! The verification at the end of a run.

use aftersend_tests::broker::topic;
use aftersend_tests::oracle::Oracle;
use aftersend_tests::proof::outcome;
use aftersend_tests::wait::await_that;
use schemas::topic::Topic;

use super::ChaosRun;

/// New events at the end. Only a complete state handles them correctly.
const EPILOGUE: u64 = 400;

impl ChaosRun {
    /// Stops the load, waits until every event is processed, and compares the topics with the oracle: each
    /// event once, the traits and suppressions of every customer, no dead letters but the expected ones, no
    /// open transaction.
    ///
    /// Then it sends everything once more. Then it deletes every disk, sends everything a third time, and
    /// some new events. The result must stay the oracle's.
    pub(crate) fn verify(&mut self) {
        self.verify_as_it_is();
        self.send_all_again();
        self.stop();
        self.instances.iter().for_each(super::Instance::lose_disk);
        self.start(0);
        self.send_all_again();
        let from = self.events_sent;
        self.events_sent += EPILOGUE;
        self.sender.send(
            self.workload.order(from, self.events_sent).into_iter().map(|number| self.workload.event(number)),
        );
        self.verify_as_it_is();
        self.stop();
        self.counts.events += self.events_sent;
        self.counts.records += self.topic(Topic::Raw).length();
        self.total = std::mem::take(&mut self.counts).add_to_total();
    }

    /// The first part of [`Self::verify`], which sends nothing.
    pub(crate) fn verify_as_it_is(&mut self) {
        self.stop_load();
        if self.instances.iter().all(|instance| !instance.runs()) {
            self.start(0);
        }
        self.await_processed();
        let bodies: Vec<Vec<u8>> =
            (0..self.events_sent).map(|number| self.workload.event(number).body).collect();
        outcome::assert_held(&self.deployment, &Oracle::of(bodies.iter().map(Vec::as_slice)));
        assert_eq!(self.topic(Topic::DeadLetter).records().len(), self.expected_dead_letters, "dead letters");
    }

    /// Stops the load.
    pub(crate) fn stop_load(&mut self) {
        if let Some(load) = self.load.take() {
            self.events_sent = load.finish();
        }
    }

    /// Waits until the group's position is exactly raw's end, and no transaction is open.
    pub(crate) fn await_processed(&mut self) {
        self.await_caught_up();
        let ends = self.progress.ends().into_iter().map(|end| (end.0 > 0).then_some(end));
        assert_eq!(self.progress.positions(), ends.collect::<Vec<_>>(), "the group stands beyond raw's end");
        await_that("every transaction to be decided", || !self.progress.sees_open_transaction());
    }

    /// Sends each event once more. None of them may take effect.
    fn send_all_again(&mut self) {
        let outputs = |run: &ChaosRun| {
            [Topic::Warehouse, Topic::Trait, Topic::Suppression].map(|out| run.topic(out).records().len())
        };
        let before = outputs(self);
        self.sender.send((0..self.events_sent).map(|number| self.workload.event(number)));
        self.await_processed();
        assert_eq!(outputs(self), before, "what was sent again took effect again");
    }

    fn topic(&self, topic: Topic) -> topic::Topic {
        self.deployment.topic(topic)
    }
}
