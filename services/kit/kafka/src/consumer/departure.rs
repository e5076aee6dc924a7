//! How a member's client ends: within bounds, and without a call that librdkafka no longer answers.
//!
//! While librdkafka's group terminates, it takes any answer to a rebalance for "nothing is assigned". After
//! the first answer the group may be gone at any moment, and a second one waits for ever (its issue 4884).
//! Two rebalances are open at a stop that meets a rebalance: the one under way, and the one of the stop. So
//! while a client closes, the first rebalance is answered, and no other. Only an open one can be answered: it
//! keeps the group from being gone.

use std::ops::Deref;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::mpsc::channel;
use std::time::{Duration, Instant};

use rdkafka::TopicPartitionList;
use rdkafka::consumer::{BaseConsumer, Consumer as _, ConsumerContext};
use tracing::{error, warn};

use crate::ffi;

/// How long a member that leaves waits until a rebalance under way lets it go.
const LEAVE_MAX: Duration = Duration::from_secs(10);
/// How long the whole end of a client may take. Its request to leave has five seconds of them.
const CLOSE_MAX: Duration = Duration::from_secs(20);
/// How long one poll takes meanwhile.
const POLL_WAIT: Duration = Duration::from_millis(20);

/// The context of a client that is a group's member.
pub(crate) trait MemberContext: ConsumerContext + 'static {
    /// Where the context notes that its client closes.
    fn closing(&self) -> &Closing;
}

/// Whether a client closes, and whether it has answered a rebalance since.
#[derive(Debug, Default)]
pub(crate) struct Closing {
    began: AtomicBool,
    answered: AtomicBool,
}

impl Closing {
    /// Answers a rebalance of `partitions` where the client closes, and returns whether it does. Then the
    /// caller answers nothing.
    pub(crate) fn answers<C: ConsumerContext>(
        &self,
        client: &BaseConsumer<C>,
        partitions: &TopicPartitionList,
    ) -> bool {
        let closes = self.began.load(Ordering::Relaxed);
        if closes
            && !self.answered.swap(true, Ordering::Relaxed)
            && let Err(error) = client.incremental_unassign(partitions)
        {
            warn!(%error, "last rebalance not answered");
        }
        closes
    }
}

/// A group member's client. Its end is bounded, and may go on in the background.
pub(crate) struct MemberClient<C: MemberContext> {
    /// Taken only when this is dropped.
    client: Option<Arc<BaseConsumer<C>>>,
    leaves: AtomicBool,
}

impl<C: MemberContext> MemberClient<C> {
    /// A client that leaves the group at its end, or keeps its place there until the session times out.
    pub(crate) fn new(client: BaseConsumer<C>, leaves: bool) -> Self {
        Self { client: Some(Arc::new(client)), leaves: AtomicBool::new(leaves) }
    }

    /// Leaves the group at its end, also as a static member.
    pub(crate) fn will_leave(&self) {
        self.leaves.store(true, Ordering::Relaxed);
    }
}

impl<C: MemberContext> Deref for MemberClient<C> {
    type Target = Arc<BaseConsumer<C>>;

    fn deref(&self) -> &Self::Target {
        self.client.as_ref().expect("taken only when this is dropped")
    }
}

impl<C: MemberContext> Drop for MemberClient<C> {
    fn drop(&mut self) {
        let Some(client) = self.client.take() else { return };
        let leaves = self.leaves.load(Ordering::Relaxed);
        let (ended, end) = channel();
        let close = move || {
            if leaves {
                leave(&client);
            }
            client.context().closing().began.store(true, Ordering::Relaxed);
            drop(client);
            // Nobody waits any more where this took too long.
            let _ = ended.send(());
        };
        if let Err(error) = std::thread::Builder::new().name("kafka close".to_owned()).spawn(close) {
            // The client was closed here, with the closure.
            warn!(%error, "no thread to close a kafka client");
            return;
        }
        if end.recv_timeout(CLOSE_MAX).is_err() {
            error!(
                waited = ?CLOSE_MAX,
                "a group member has not closed, and is left behind: others get its partitions when its session times out"
            );
        }
    }
}

/// Gives every partition back and leaves the group, before the client closes: a static member that closes
/// doesn't leave. During a rebalance librdkafka waits for its end.
fn leave<C: MemberContext>(client: &BaseConsumer<C>) {
    client.unsubscribe();
    let deadline = Instant::now() + LEAVE_MAX;
    while !has_left(client) {
        if Instant::now() > deadline {
            warn!(waited = ?LEAVE_MAX, "the group is in a rebalance for too long to be left");
            return;
        }
        // Records come no more, and an error changes nothing.
        let _ = client.poll(POLL_WAIT);
    }
}

/// Whether nothing is assigned, and the group has no member id for this client any more.
fn has_left<C: MemberContext>(client: &BaseConsumer<C>) -> bool {
    let holds_nothing = client.assignment().is_ok_and(|assigned| assigned.count() == 0);
    holds_nothing && !ffi::is_member(client.client())
}
