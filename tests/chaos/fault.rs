//! What can happen, as data: drawn from a seed, told in a line, done again.

use std::time::{Duration, Instant};

use aftersend_tests::wait::until;

use crate::arena::Arena;
use crate::arena::dice::Dice;

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

/// A fault. `who` is one of the processors.
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
    /// SIGTERM, and a start after its end.
    Restart { who: usize },
}

/// Points at which a processor under load comes by again and again.
const POINTS: [&str; 6] = ["begun", "sent", "flushed", "offsets_sent", "committed", "applied"];

impl Fault {
    /// One of those that a run of so many processors can bear at any time.
    pub(crate) fn draw(dice: &mut Dice, processors: usize) -> Fault {
        let who = dice.place(processors);
        let then = match dice.below(100) {
            0..55 => Then::SameDisk,
            55..75 => Then::LostDisk,
            75..88 => Then::OldDisk,
            _ if processors > 1 => Then::TakenOver,
            _ => Then::SameDisk,
        };
        match dice.below(100) {
            0..45 => Fault::Kill { who, after: dice.millis(0, 1_500), then },
            45..60 => Fault::KillTwice { who, again: dice.millis(0, 1_200), then },
            60..90 => Fault::Crash {
                who,
                point: dice.one_of(&POINTS),
                nth: 1 + u32::try_from(dice.below(12)).expect("small"),
                then,
            },
            90..96 => Fault::Pause { who, time: dice.millis(100, 9_000) },
            _ => Fault::Restart { who },
        }
    }

    /// Its kind.
    pub(crate) fn kind(&self) -> &'static str {
        match self {
            Fault::Kill { .. } => "killed at any moment",
            Fault::KillTwice { .. } => "killed, and again after the restart",
            Fault::Crash { .. } => "killed at a point of the protocol",
            Fault::Pause { .. } => "paused",
            Fault::Restart { .. } => "restarted",
        }
    }
}

impl Arena {
    /// Lets a fault happen, and waits until its victim works again.
    pub(crate) fn suffer(&mut self, fault: &Fault) {
        self.tally.faults += 1;
        *self.tally.kinds.entry(fault.kind()).or_default() += 1;
        match *fault {
            Fault::Kill { who, after, then } => {
                until(Instant::now() + after);
                self.kill(who);
                self.succeed(who, then);
            }
            Fault::KillTwice { who, again, then } => {
                self.kill(who);
                self.leave_disk(who, then);
                self.start(who);
                until(Instant::now() + again);
                self.kill(who);
                self.succeed(who, Then::SameDisk);
            }
            Fault::Crash { who, point, nth, then } => {
                self.instances[who].harvest(&mut self.tally);
                self.instances[who].stop();
                self.crash(who, point, nth);
                self.succeed(who, then);
            }
            Fault::Pause { who, time } => {
                self.instances[who].pause();
                until(Instant::now() + time);
                self.instances[who].resume();
                self.await_owned();
            }
            Fault::Restart { who } => {
                self.instances[who].harvest(&mut self.tally);
                self.instances[who].stop();
                self.start(who);
                self.await_commit(who);
            }
        }
    }

    fn crash(&mut self, who: usize, point: &str, nth: u32) {
        if point == "stopping" {
            let marker = self.world.path(&format!("stopping-{}", self.tally.faults));
            self.instances[who].start(&self.world, Some(format!("stopping:1:{}", marker.display())));
            self.await_commit(who);
            self.instances[who].terminate();
            self.await_marker(who, &marker);
        } else {
            self.start_until(who, point, nth);
        }
        self.kill(who);
    }

    /// What follows a death, until there is work again.
    fn succeed(&mut self, who: usize, then: Then) {
        self.leave_disk(who, then);
        if then == Then::TakenOver {
            self.await_owned();
        }
        self.start(who);
        match then {
            Then::TakenOver => self.await_owned(),
            _ => self.await_commit(who),
        }
    }

    fn leave_disk(&mut self, who: usize, then: Then) {
        let saved = self.world.path(&format!("saved-{who}"));
        match then {
            Then::LostDisk => self.instances[who].lose_disk(),
            Then::OldDisk if saved.exists() => self.instances[who].put_disk(&saved),
            Then::OldDisk => self.instances[who].save_disk(&saved),
            Then::SameDisk | Then::TakenOver => {}
        }
    }
}
