//! Brokers that go, and come back.

use std::time::Duration;

use devkit::kafka::proxy::Api;

use super::survives;
use crate::fault::{Fault, How};
use crate::run::Kafka;

/// P1: the only broker, killed and back, twice.
#[test]
fn p1_a_broker_that_dies_and_comes_back_costs_nothing() {
    let faults = [
        Fault::Broker { node: 0, how: How::Killed },
        Fault::BrokerAt { api: Api::END_TXN, how: How::Killed },
    ];
    survives("p1_a_broker_that_dies", Kafka::own(1), 1, &faults);
}

/// P1: of three brokers, the one that decides a commit dies at it; the group's, when it is given the offsets;
/// then each in turn.
#[test]
fn p1_of_three_brokers_any_may_die_at_any_time() {
    let faults = [
        Fault::BrokerAt { api: Api::END_TXN, how: How::Killed },
        Fault::BrokerAt { api: Api::TXN_OFFSET_COMMIT, how: How::Killed },
        Fault::Parted { node: Some(0), time: Duration::from_secs(3) },
        Fault::Broker { node: 0, how: How::Stopped },
        Fault::Broker { node: 1, how: How::Killed },
        Fault::Broker { node: 2, how: How::Paused(Duration::from_secs(4)) },
    ];
    survives("p1_of_three_brokers", Kafka::own(3), 2, &faults);
}

/// P1: of three brokers, each in turn is paused until it is considered dead, and comes
/// back believing that it leads.
#[test]
fn p1_a_broker_that_was_taken_for_dead_and_comes_back_costs_nothing() {
    let paused = |node| Fault::Broker { node, how: How::Paused(Duration::from_secs(4)) };
    survives("p1_a_broker_that_was_taken", Kafka::own(3), 2, &[0, 1, 2].map(paused));
}
