//! What can happen, as data: drawn from a seed, told in a line, done again.

mod draw;
mod network;
mod process;
mod store;

use std::time::{Duration, Instant};

use devkit::kafka::proxy::{Action, Api};

use crate::run::ChaosRun;
use crate::run::counts::say;
pub(crate) use draw::REQUESTS;
pub(crate) use store::Damage;

/// What a dead processor's successor finds.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Then {
    /// Its disk.
    SameDisk,
    /// Nothing.
    LostDisk,
    /// Its disk as it was at an earlier death, where there was one.
    OldDisk,
    /// Somebody else takes over first; then it comes back with its disk.
    TakenOver,
}

/// How a broker goes.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum How {
    /// SIGKILL, and a restart.
    Killed,
    /// SIGTERM, and a restart.
    Stopped,
    /// SIGSTOP for so long.
    Paused(Duration),
}

/// A fault. `who` is one of the processors, `node` one of the brokers.
#[derive(Clone, Debug)]
pub(crate) enum Fault {
    /// SIGKILL at any moment.
    Kill { who: usize, after: Duration, then: Then },
    /// SIGKILL, and again so long after the restart: in its restore, or before, or after.
    KillTwice { who: usize, again: Duration, then: Then },
    /// SIGKILL at the nth time of a point.
    Crash { who: usize, point: &'static str, nth: u32, then: Then },
    /// SIGSTOP, and SIGCONT so long after it.
    Pause { who: usize, time: Duration },
    /// SIGSTOP at the nth time of a point, for so long that everybody takes it for dead and works on; then it
    /// goes on where it was.
    Zombie { who: usize, point: &'static str, nth: u32 },
    /// SIGTERM, and a start after its end.
    Restart { who: usize },
    /// SIGKILL, and what lies on disk is damaged.
    Damaged { who: usize, damage: Damage, dice: u64 },
    /// The next request of a kind is lost, or its answer.
    Lost { api: Api, action: Action },
    /// A commit comes again long after it was answered, inside a later transaction (KIP-890).
    Late { after: Duration },
    /// All connections break.
    Cut,
    /// No way to one broker, or to all, for so long.
    Parted { node: Option<usize>, time: Duration },
    /// A broker goes and comes back.
    Broker { node: usize, how: How },
    /// The broker goes that has such a request of ours in its hands.
    BrokerAt { api: Api, how: How },
}

impl Fault {
    /// Its kind.
    pub(crate) fn kind(&self) -> &'static str {
        match self {
            Fault::Kill { .. } => "processor killed at any moment",
            Fault::KillTwice { .. } => "processor killed, and again after the restart",
            Fault::Crash { .. } => "processor killed at a point of the protocol",
            Fault::Pause { .. } => "processor paused",
            Fault::Zombie { .. } => "processor taken for dead, and back",
            Fault::Restart { .. } => "processor restarted",
            Fault::Damaged { .. } => "disk damaged",
            Fault::Lost { .. } => "request or answer lost",
            Fault::Late { .. } => "commit comes again, late",
            Fault::Cut => "connections broken",
            Fault::Parted { .. } => "brokers out of reach",
            Fault::Broker { .. } => "broker gone and back",
            Fault::BrokerAt { .. } => "broker gone at a request",
        }
    }
}

/// Lets time pass: for what happens at a time, and not at an event.
pub(crate) fn let_pass(time: Duration) {
    std::thread::sleep(time);
}

impl ChaosRun {
    /// Lets a fault happen, waits until every partition has caught up, and notes how long that took.
    pub(crate) fn inject(&mut self, fault: &Fault) {
        say(format_args!("fault {}: {fault:?}", self.counts.faults));
        self.counts.faults += 1;
        *self.counts.kinds.entry(fault.kind()).or_default() += 1;
        match *fault {
            Fault::Kill { who, after, then } => self.inject_kill(who, after, then),
            Fault::KillTwice { who, again, then } => self.inject_kills(who, again, then),
            Fault::Crash { who, point, nth, then } => self.inject_crash(who, point, nth, then),
            Fault::Pause { who, time } => self.inject_pause(who, time),
            Fault::Zombie { who, point, nth } => self.inject_zombie(who, point, nth),
            Fault::Restart { who } => self.inject_restart(who),
            Fault::Damaged { who, damage, dice } => self.inject_damage(who, damage, dice),
            Fault::Lost { api, action } => self.inject_loss(api, action),
            Fault::Late { after } => self.inject_late_commit(after),
            Fault::Cut => self.kafka.proxy().cut(),
            Fault::Parted { node, time } => self.inject_partition(node, time),
            Fault::Broker { node, how } => self.inject_broker(node, how),
            Fault::BrokerAt { api, how } => self.inject_broker_at(api, how),
        }
        let over = Instant::now();
        self.await_caught_up();
        self.counts.recoveries.push(over.elapsed());
    }
}
