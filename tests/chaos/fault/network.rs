//! What gets lost or late between processors and brokers, and brokers that go.

use std::time::Duration;

use aftersend_tests::wait::PATIENCE;
use devkit::kafka::proxy::{Action, Api, Rule};

use super::{How, let_pass};
use crate::run::ChaosRun;

impl ChaosRun {
    pub(super) fn inject_loss(&mut self, api: Api, action: Action) {
        let proxy = self.kafka.proxy();
        let strike = proxy.arm(Rule::new(api, action));
        assert!(strike.await_struck(PATIENCE).is_some(), "no processor sent {api:?}");
    }

    pub(super) fn inject_late_commit(&mut self, after: Duration) {
        let proxy = self.kafka.proxy();
        let strike =
            proxy.arm(Rule::new(Api::END_TXN, Action::Hold).when(|request| request.commits == Some(true)));
        let node = strike.await_struck(PATIENCE).expect("a processor commits").node;
        // Its client asks again on another connection, and is answered; the first asking is still on its way.
        proxy.links()[node].cut();
        self.await_commits(1);
        let_pass(after);
        strike.release();
    }

    pub(super) fn inject_partition(&mut self, node: Option<usize>, time: Duration) {
        let proxy = self.kafka.proxy();
        let links =
            || proxy.links().iter().enumerate().filter(|(number, _)| node.is_none_or(|node| node == *number));
        links().for_each(|(_, link)| link.part());
        let_pass(time);
        links().for_each(|(_, link)| link.join());
    }

    pub(super) fn inject_broker(&mut self, node: usize, how: How) {
        match how {
            How::Killed => self.kafka.node(node).kill(),
            How::Stopped => self.kafka.node(node).stop(),
            How::Paused(_) => self.kafka.node(node).pause(),
        }
        if let How::Paused(time) = how {
            let_pass(time);
            self.kafka.node(node).resume();
        } else {
            // Of three nodes, two go on meanwhile.
            if self.kafka.breakable() > 1 {
                self.await_caught_up();
            }
            self.kafka.node(node).restart().expect("Kafka starts again");
        }
    }

    pub(super) fn inject_broker_at(&mut self, api: Api, how: How) {
        let proxy = self.kafka.proxy();
        let strike = proxy.arm(Rule::new(api, Action::Hold));
        let node = strike.await_struck(PATIENCE).expect("a processor sends such a request").node;
        // What is held is delivered to nobody, or, where the broker is paused, when it goes on.
        if let How::Paused(_) = how {
            self.kafka.node(node).pause();
            strike.release();
        }
        self.inject_broker(node, how);
    }
}
