//! What is going on, and how long it still takes.

use std::cell::Cell;
use std::io::IsTerminal;
use std::time::{Duration, Instant};

/// How often a step's line is written anew on a terminal, and where there is none.
const REDRAW_EVERY: Duration = Duration::from_millis(200);
const LINE_EVERY: Duration = Duration::from_secs(5);

/// The screen of one run.
pub(crate) struct Screen {
    started: Instant,
    terminal: bool,
    steps: usize,
    step: Cell<usize>,
}

/// A step that is being shown.
pub(crate) struct Step<'a> {
    screen: &'a Screen,
    label: String,
    started: Instant,
    drawn: Cell<Instant>,
}

impl Screen {
    /// Of a run of `steps` steps.
    pub(crate) fn new(steps: usize) -> Self {
        Self { started: Instant::now(), terminal: std::io::stderr().is_terminal(), steps, step: Cell::new(0) }
    }

    /// Begins the next step.
    pub(crate) fn step(&self, label: impl Into<String>) -> Step<'_> {
        self.step.set(self.step.get() + 1);
        let step = Step {
            screen: self,
            label: label.into(),
            started: Instant::now(),
            drawn: Cell::new(Instant::now()),
        };
        self.write(&format!("{}{}", self.head(), step.label), !self.terminal);
        step
    }

    /// Time, and which step of how many.
    fn head(&self) -> String {
        let (step, steps) = (self.step.get(), self.steps);
        format!("{} {step:>2}/{steps} ", clock(self.started.elapsed()))
    }

    fn write(&self, text: &str, ends: bool) {
        let (begin, end) = (if self.terminal { "\r\x1b[2K" } else { "" }, if ends { "\n" } else { "" });
        eprint!("{begin}{text}{end}");
    }
}

impl Step<'_> {
    /// `done` of `all` is done.
    pub(crate) fn at(&self, done: u64, all: u64) {
        let every = if self.screen.terminal { REDRAW_EVERY } else { LINE_EVERY };
        if self.drawn.get().elapsed() < every {
            return;
        }
        self.drawn.set(Instant::now());
        let share = done as f64 / all.max(1) as f64;
        let left = left(self.started.elapsed(), share)
            .map_or_else(String::new, |left| format!(", {} left", clock(left)));
        let text = format!("{}{} {:.0} %{left}", self.screen.head(), self.label, share * 100.0);
        self.screen.write(&text, !self.screen.terminal);
    }

    /// The step is over, with this to say of it.
    pub(crate) fn done(self, outcome: &str) {
        let took = self.started.elapsed().as_secs_f64();
        let said = if outcome.is_empty() { String::new() } else { format!(": {outcome}") };
        self.screen.write(&format!("{}{}{said} ({took:.1} s)", self.screen.head(), self.label), true);
    }
}

/// What is left where `share` took `elapsed`.
fn left(elapsed: Duration, share: f64) -> Option<Duration> {
    (share > 0.01).then(|| elapsed.mul_f64((1.0 / share - 1.0).max(0.0)))
}

/// Minutes and seconds.
fn clock(duration: Duration) -> String {
    format!("{:02}:{:02}", duration.as_secs() / 60, duration.as_secs() % 60)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_is_left_follows_from_what_is_done() {
        assert_eq!(left(Duration::from_secs(10), 0.25), Some(Duration::from_secs(30)));
        assert_eq!(left(Duration::from_secs(10), 0.0), None);
        assert_eq!(clock(Duration::from_secs(125)), "02:05");
    }
}
