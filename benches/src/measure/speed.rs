//! The machine around a part of the run: its disk at rest, and its speed, a fixed piece of work, timed. It
//! tells a slow minute from a slow subject.

use std::hint::black_box;
use std::process::Command;
use std::time::Instant;

use anyhow::{Context, ensure};

/// Rounds of the work on each core: about 0.3 s of a core that does nothing else.
const ROUNDS: u64 = 150_000_000;

/// Seconds that the work took right before a part of the run, and right after it.
#[derive(Debug, Clone, Copy, PartialEq)]
pub(crate) struct Speed {
    /// Before.
    pub(crate) before: f64,
    /// After.
    pub(crate) after: f64,
}

impl Speed {
    /// Has everything written so far put on disk, times the work, lets `part` come to its end, and times the
    /// work again. Nothing else should be at work at these two moments: a subject is to be idle, or gone.
    ///
    /// # Errors
    /// Those of `part`, and where `sync` can't be run.
    pub(crate) fn around<T>(part: impl FnOnce() -> anyhow::Result<T>) -> anyhow::Result<(T, Self)> {
        write_back()?;
        let before = timed();
        let found = part()?;
        Ok((found, Self { before, after: timed() }))
    }

    /// The shorter of both times.
    pub(crate) fn fastest(&self) -> f64 {
        self.before.min(self.after)
    }

    /// The speeds before and after, where that is 1 at which the work takes `fastest` seconds. Lower is
    /// slower.
    pub(crate) fn against(&self, fastest: f64) -> [f64; 2] {
        [fastest / self.before, fastest / self.after]
    }
}

/// Has the kernel put on disk what it holds of files, and waits for it. By itself it would after half a
/// minute, in the midst of what is measured next: half load lost 30 % of a core to it.
fn write_back() -> anyhow::Result<()> {
    let status = Command::new("sync").status().context("`sync` can't be run")?;
    ensure!(status.success(), "`sync` failed: {status}");
    Ok(())
}

/// Seconds until every core has done the work, all at once.
fn timed() -> f64 {
    let cores = std::thread::available_parallelism().map_or(1, usize::from);
    let started = Instant::now();
    std::thread::scope(|scope| {
        for seed in (1..).take(cores) {
            scope.spawn(move || black_box(work(black_box(seed), ROUNDS)));
        }
    });
    started.elapsed().as_secs_f64()
}

/// A generator's state after so many rounds: each needs the one before it, and none needs memory.
fn work(seed: u64, rounds: u64) -> u64 {
    (0..rounds).fold(seed, |mut state, _| {
        state ^= state << 13;
        state ^= state >> 7;
        state ^ (state << 17)
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_fastest_moment_is_1_and_slower_ones_are_less() {
        let (quiet, slow) = (Speed { before: 0.25, after: 0.5 }, Speed { before: 1.0, after: 0.5 });
        let fastest = quiet.fastest().min(slow.fastest());
        assert_eq!([quiet, slow].map(|speed| speed.against(fastest)), [[1.0, 0.5], [0.25, 0.5]]);
    }

    #[test]
    fn the_work_is_the_same_whenever_it_is_done_and_all_of_it_is_done() {
        assert_eq!(work(1, 1_000), work(1, 1_000));
        assert_eq!(work(work(1, 400), 600), work(1, 1_000));
        assert_ne!(work(1, 1_000), work(2, 1_000));
    }
}
