//! How partitions come and go.

use std::collections::{BTreeMap, BTreeSet};
use std::sync::{Arc, Mutex};

use rdkafka::config::RDKafkaLogLevel;
use rdkafka::consumer::{BaseConsumer, Consumer as _, ConsumerContext};
use rdkafka::error::KafkaError;
use rdkafka::{ClientContext, Offset, Statistics, TopicPartitionList};
use rdkafka_sys::rd_kafka_resp_err_t as Response;
use tracing::{info, warn};

use super::departure::{Closing, MemberContext};
use super::progress::Latest;
use super::{Assignment, Revocation, locked, named};
use crate::NextOffset;
use crate::client::Observer;

/// The client's side of the group: what is owned, and the callbacks by which partitions come and go.
pub(super) struct Owner {
    observer: Observer,
    hooks: Arc<dyn Assignment>,
    pub(super) owned: Mutex<BTreeSet<(String, i32)>>,
    /// Owned, and not started yet.
    pub(super) waiting: Mutex<BTreeSet<(String, i32)>>,
    /// Where partitions were started by hand, until the first record from there on.
    pub(super) floors: Mutex<BTreeMap<(String, i32), NextOffset>>,
    /// Went since the polling thread last dropped the records of such partitions.
    pub(super) revoked: Mutex<BTreeSet<(String, i32)>>,
    pub(super) statistics: Mutex<Latest>,
    closing: Closing,
}

impl MemberContext for Owner {
    fn closing(&self) -> &Closing {
        &self.closing
    }
}

impl Owner {
    pub(super) fn new(hooks: Arc<dyn Assignment>) -> Self {
        Self {
            observer: Observer::new("consumer"),
            hooks,
            owned: Mutex::default(),
            waiting: Mutex::default(),
            floors: Mutex::default(),
            revoked: Mutex::default(),
            statistics: Mutex::default(),
            closing: Closing::default(),
        }
    }

    fn assign(&self, consumer: &BaseConsumer<Self>, partitions: &mut TopicPartitionList) {
        let named = named(partitions);
        let later = self.hooks.starts_later();
        let starts = if named.is_empty() { Vec::new() } else { self.hooks.assigned(&named) };
        for ((topic, partition), start) in named.iter().zip(starts) {
            let offset = match start {
                // Not the logical beginning: the client would ask where that is, and a late answer would undo
                // the seek to the true start (seen).
                _ if later => Offset::Offset(0),
                Some(next) => Offset::Offset(next.0),
                None => Offset::Invalid,
            };
            if let Err(error) = partitions.set_partition_offset(topic, *partition, offset) {
                warn!(topic, partition, %error, "start offset not set");
            }
        }
        info!(partitions = named.len(), "partitions assigned");
        if later {
            locked(&self.waiting).extend(named.iter().cloned());
        }
        locked(&self.owned).extend(named);
        if let Err(error) = consumer.incremental_assign(partitions) {
            warn!(%error, "assignment failed");
        }
        // Before the first fetch can answer: `Consumer::start` seeks to the true start.
        if later
            && partitions.count() > 0
            && let Err(error) = consumer.pause(partitions)
        {
            warn!(%error, "pause failed");
        }
    }

    /// Nothing more is done for `partitions`.
    fn forget(&self, consumer: &BaseConsumer<Self>, partitions: &TopicPartitionList) {
        let named = named(partitions);
        let how = if consumer.assignment_lost() { Revocation::Lost } else { Revocation::Revoked };
        info!(partitions = named.len(), ?how, "partitions revoked");
        {
            let mut owned = locked(&self.owned);
            let mut waiting = locked(&self.waiting);
            let mut floors = locked(&self.floors);
            for partition in &named {
                owned.remove(partition);
                waiting.remove(partition);
                floors.remove(partition);
            }
            locked(&self.revoked).extend(named.iter().cloned());
        }
        if !named.is_empty() {
            self.hooks.revoked(&named, how);
        }
    }
}

impl ClientContext for Owner {
    fn log(&self, level: RDKafkaLogLevel, facility: &str, message: &str) {
        self.observer.log(level, facility, message);
    }

    fn stats(&self, statistics: Statistics) {
        *locked(&self.statistics) = Latest::of(&statistics);
    }

    fn error(&self, error: KafkaError, reason: &str) {
        self.observer.error(error, reason);
    }
}

impl ConsumerContext for Owner {
    fn rebalance(
        &self,
        consumer: &BaseConsumer<Self>,
        response: Response,
        partitions: &mut TopicPartitionList,
    ) {
        let is_assigned = response == Response::RD_KAFKA_RESP_ERR__ASSIGN_PARTITIONS;
        if !is_assigned {
            self.forget(consumer, partitions);
        }
        if self.closing.answers(consumer, partitions) {
            return;
        }
        if is_assigned {
            self.assign(consumer, partitions);
        } else if let Err(error) = consumer.incremental_unassign(partitions) {
            warn!(%error, "unassignment failed");
        }
    }
}
