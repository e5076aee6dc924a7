//! Processors that die, stand still, and come back.

use std::fs;
use std::time::Duration;

use super::{Then, let_pass};
use crate::run::ChaosRun;

/// Transactions that a successor commits before the one that was considered dead comes back.
const MEANWHILE: u64 = 5;

impl ChaosRun {
    pub(super) fn inject_kill(&mut self, who: usize, after: Duration, then: Then) {
        let_pass(after);
        self.kill(who);
        self.succeed(who, then);
    }

    pub(super) fn inject_kills(&mut self, who: usize, again: Duration, then: Then) {
        self.kill(who);
        self.leave_disk(who, then);
        self.start(who);
        let_pass(again);
        self.kill(who);
        self.succeed(who, Then::SameDisk);
    }

    pub(super) fn inject_crash(&mut self, who: usize, point: &str, nth: u32, then: Then) {
        self.instances[who].collect_counts(&mut self.counts);
        self.instances[who].stop();
        if point == "stopping" {
            let marker = self.start_drilled(who, point, nth);
            self.await_commit(who);
            self.instances[who].terminate();
            self.await_marker(who, &marker);
        } else {
            self.start_until(who, point, nth);
        }
        self.kill(who);
        self.succeed(who, then);
    }

    pub(super) fn inject_pause(&mut self, who: usize, time: Duration) {
        self.instances[who].pause();
        let_pass(time);
        self.instances[who].resume();
        self.await_owned();
    }

    pub(super) fn inject_zombie(&mut self, who: usize, point: &str, nth: u32) {
        self.instances[who].collect_counts(&mut self.counts);
        self.instances[who].stop();
        let marker = self.start_until(who, point, nth);
        self.instances[who].pause();
        fs::remove_file(marker).expect("the marker was there");
        self.await_owned();
        self.await_commits(MEANWHILE);
        self.instances[who].resume();
        self.await_owned();
    }

    pub(super) fn inject_restart(&mut self, who: usize) {
        self.instances[who].collect_counts(&mut self.counts);
        self.instances[who].stop();
        self.start(who);
        self.await_owned();
    }

    /// What follows a death, until there is work again.
    fn succeed(&mut self, who: usize, then: Then) {
        self.leave_disk(who, then);
        if then == Then::TakenOver {
            self.await_owned();
            self.start(who);
            self.await_owned();
        } else {
            self.start(who);
            self.await_commit(who);
        }
    }

    fn leave_disk(&mut self, who: usize, then: Then) {
        let saved = self.deployment.path(&format!("saved-{who}"));
        match then {
            Then::LostDisk => self.instances[who].lose_disk(),
            Then::OldDisk if saved.exists() => self.instances[who].put_disk(&saved),
            Then::OldDisk => self.instances[who].save_disk(&saved),
            Then::SameDisk | Then::TakenOver => {}
        }
    }
}
