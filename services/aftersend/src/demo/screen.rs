//! The live table. Where there is no terminal, a line now and then.

use std::io::IsTerminal;
use std::time::{Duration, Instant};

use super::tally::Tally;
use super::topology::Topology;

/// How often a line is written where there is no terminal.
const LINE_EVERY: Duration = Duration::from_secs(2);
const BAR_WIDTH: u64 = 30;
/// The metrics of the funnel, in the order of a message's life.
const FUNNEL: [&str; 7] = ["sent", "delivered", "opened", "clicked", "bounced", "spammed", "unsubscribed"];

pub(super) struct Screen {
    terminal: bool,
    drawn: usize,
    line_at: Instant,
}

impl Screen {
    pub(super) fn new() -> Self {
        let now = Instant::now();
        Self { terminal: std::io::stderr().is_terminal(), drawn: 0, line_at: now }
    }

    /// Draws the table over the last one.
    pub(super) fn draw(&mut self, tally: &Tally, topology: &Topology, total: u64) {
        if self.terminal {
            let lines = table(tally, topology, total);
            if self.drawn > 0 {
                eprint!("\x1b[{}A", self.drawn);
            }
            for line in &lines {
                eprintln!("\x1b[2K{line}");
            }
            self.drawn = lines.len();
        } else if self.line_at.elapsed() >= LINE_EVERY {
            self.line_at = Instant::now();
            super::say(&format!(
                "accepted {}/{total} · raw {} · stored {} · suppressed {} · track calls {} · crashes {}",
                tally.accepted,
                tally.raw,
                tally.stored,
                tally.suppressed_profiles,
                tally.track_calls,
                tally.restarts
            ));
        }
    }
}

fn table(tally: &Tally, topology: &Topology, total: u64) -> Vec<String> {
    let distinct = topology.schedule.outcomes().len() as u64;
    let beyond = tally.raw.saturating_sub(tally.stored);
    let crash = match tally.restarts {
        0 => "running".to_owned(),
        crashes => format!("running again after {crashes} SIGKILL"),
    };
    let metrics: Vec<String> = FUNNEL
        .iter()
        .map(|metric| format!("{metric} {}", tally.funnel.get(*metric).copied().unwrap_or(0)))
        .collect();
    let reasons: Vec<String> =
        tally.suppressed.iter().map(|(reason, count)| format!("{reason} {count}")).collect();
    vec![
        String::new(),
        format!(
            "  Customer.io   {:>8} webhooks accepted of {total}  {}",
            tally.accepted,
            bar(tally.accepted, total)
        ),
        format!("  raw topic     {:>8} records", tally.raw),
        format!("  processor     {:>8} pid, {crash}", topology.processor_pid()),
        format!("  warehouse     {:>8} rows of {distinct}  {}", tally.stored, bar(tally.stored, distinct)),
        format!("  not stored    {beyond:>8} duplicates, and records on their way"),
        format!("  funnel        {}", metrics.join(" · ")),
        format!("  suppressed    {:>8} profiles: {}", tally.suppressed_profiles, reasons.join(" · ")),
        format!("  Track API     {:>8} calls", tally.track_calls),
        String::new(),
    ]
}

fn bar(part: u64, whole: u64) -> String {
    let filled = (part * BAR_WIDTH / whole.max(1)).min(BAR_WIDTH);
    let (full, empty) = ("█".repeat(usize::try_from(filled).unwrap_or(0)), BAR_WIDTH - filled);
    format!("{full}{}", "░".repeat(usize::try_from(empty).unwrap_or(0)))
}
