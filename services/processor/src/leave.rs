//! Takes instances that have stopped for good out of the consumer group.
//!
//! An instance that stops keeps its partitions until its session times out, so that a restart moves nothing.
//! Where it won't come back, nobody needs that time. librdkafka can't remove another member from a group. So
//! this joins under the instance's id, which takes its place, and leaves.

use std::time::{Duration, Instant};

use kafka::consumer::Group;
use kafka::transaction::{Member, Rebalanced};
use kafka::{Cluster, Connection};
use schemas::topic::Topic;
use thiserror::Error;
use tracing::info;

use crate::application::Application;
use crate::instance::{Instance, InstanceError};
use crate::settings::Settings;

/// The session of a member that only leaves. It is the brokers' minimum: where leaving fails, the partitions
/// move after this time.
const SESSION_TIMEOUT: Duration = Duration::from_secs(6);
/// How long the group may take to let a member join.
const JOIN_MAX: Duration = Duration::from_mins(1);
const POLL_WAIT: Duration = Duration::from_millis(100);
/// Of what a member reads ahead, in bytes. It reads nothing.
const PREFETCH_BYTES: u64 = 1 << 20;

/// Which instances leave.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Leaving {
    /// The one of these settings, whose state folder no process uses.
    This,
    /// Every instance whose name is `prefix` and a number that is at least `from`: those that a scale-in has
    /// stopped.
    Numbered {
        /// What stands before the number.
        prefix: String,
        /// The least number.
        from: u64,
    },
}

/// An instance could not leave the group.
#[derive(Debug, Error)]
pub enum LeaveError {
    /// It is still running, or its state folder can't be used.
    #[error("{0}")]
    Instance(#[from] InstanceError),
    /// Kafka failed.
    #[error(transparent)]
    Kafka(#[from] kafka::Error),
    /// The group did not let the member in.
    #[error(
        "group {group} let {instance} not in within {JOIN_MAX:?}: another rebalance takes that long; run the command again, or wait \
         for the session timeout"
    )]
    NotJoined {
        /// The group.
        group: String,
        /// The instance.
        instance: String,
    },
}

impl Leaving {
    /// Whether the instance `name` is to leave.
    fn names(&self, name: &str, this: Option<&str>) -> bool {
        match self {
            Self::This => this == Some(name),
            Self::Numbered { prefix, from } => {
                let number = name.strip_prefix(prefix).and_then(|number| number.parse::<u64>().ok());
                number.is_some_and(|number| number >= *from)
            }
        }
    }
}

/// Takes the instances that `leaving` names out of the group, and returns their names. Other instances have
/// their partitions some seconds later.
///
/// # Errors
/// See [`LeaveError`]. Instances before the one that failed have left.
pub fn leave(
    settings: &Settings,
    connection: &Connection,
    prefix: &str,
    leaving: &Leaving,
) -> Result<Vec<String>, LeaveError> {
    // Holds the folder's lock to the end: the instance must not start meanwhile.
    let this = match leaving {
        Leaving::This => Some(Instance::take(&settings.state, settings.instance.as_deref())?),
        Leaving::Numbered { .. } => None,
    };
    let application = Application::new(prefix, settings.application_id.as_ref());
    let members = Cluster::connect(connection)?.static_members(application.group())?;
    let mut left = Vec::new();
    for member in members {
        let Some(name) = member.strip_prefix(&application.member_id("")) else { continue };
        if leaving.names(name, this.as_ref().map(Instance::name)) {
            take_out(connection, &application, &member)?;
            info!(instance = name, "instance has left the group");
            left.push(name.to_owned());
        }
    }
    Ok(left)
}

fn take_out(connection: &Connection, application: &Application, instance: &str) -> Result<(), LeaveError> {
    let group = application.group();
    let topic = application.topics().name(Topic::Raw);
    let place =
        Group { id: group.to_owned(), instance: Some(instance.to_owned()), session_timeout: SESSION_TIMEOUT };
    let member = Member::join(connection, &place, topic, PREFETCH_BYTES)?;
    let deadline = Instant::now() + JOIN_MAX;
    while Instant::now() < deadline {
        let events = member.poll(POLL_WAIT)?;
        if events.iter().any(|event| matches!(event, Rebalanced::Assigned(_))) {
            member.leave();
            return Ok(());
        }
    }
    Err(LeaveError::NotJoined { group: group.to_owned(), instance: instance.to_owned() })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_scale_in_names_the_numbers_from_the_first_that_is_gone() {
        let leaving = Leaving::Numbered { prefix: "ns/processor-".to_owned(), from: 2 };
        let names = |name| leaving.names(name, None);
        assert!(names("ns/processor-2") && names("ns/processor-10"));
        assert!(!names("ns/processor-1") && !names("other/processor-2"));
        assert!(!names("ns/processor-") && !names("ns/processor-x") && !names("ns/processor-2-3"));
    }

    #[test]
    fn only_this_instance_leaves_where_no_other_is_named() {
        assert!(Leaving::This.names("one", Some("one")));
        assert!(!Leaving::This.names("two", Some("one")));
    }
}
