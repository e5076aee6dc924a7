//! The live table. Without a terminal, a line every two seconds.

use std::io::IsTerminal;
use std::time::{Duration, Instant};

use crate::count::Counts;
use crate::run::say;
use crate::topology::Topology;

/// How often a line is written without a terminal.
const LINE_EVERY: Duration = Duration::from_secs(2);
const BAR_WIDTH: u64 = 30;
/// The metrics of the funnel, in the order of a message's life.
const FUNNEL: [&str; 7] = ["sent", "delivered", "opened", "clicked", "bounced", "spammed", "unsubscribed"];

pub(crate) struct Screen {
    terminal: bool,
    drawn: usize,
    line_at: Instant,
}

impl Screen {
    pub(crate) fn new() -> Self {
        let now = Instant::now();
        Self { terminal: std::io::stderr().is_terminal(), drawn: 0, line_at: now }
    }

    /// Draws the table over the last one.
    pub(crate) fn draw(&mut self, counts: &Counts, topology: &Topology, total: u64) {
        if self.terminal {
            let lines = table(counts, topology, total);
            if self.drawn > 0 {
                eprint!("\x1b[{}A", self.drawn);
            }
            for line in &lines {
                eprintln!("\x1b[2K{line}");
            }
            self.drawn = lines.len();
        } else if self.line_at.elapsed() >= LINE_EVERY {
            self.line_at = Instant::now();
            say(&format!(
                "accepted {}/{total} · raw {} · stored {} · suppressed {} · track calls {} · crashes {}",
                counts.accepted,
                counts.raw,
                counts.stored,
                counts.suppressed_profiles,
                counts.track_calls,
                counts.restarts
            ));
        }
    }
}

fn table(counts: &Counts, topology: &Topology, total: u64) -> Vec<String> {
    let distinct = topology.schedule.outcomes().len() as u64;
    let beyond = counts.raw.saturating_sub(counts.stored);
    let crash = match counts.restarts {
        0 => "running".to_owned(),
        crashes => format!("running again after {crashes} SIGKILL"),
    };
    let metrics: Vec<String> = FUNNEL
        .iter()
        .map(|metric| format!("{metric} {}", counts.funnel.get(*metric).copied().unwrap_or(0)))
        .collect();
    let reasons: Vec<String> =
        counts.suppressed.iter().map(|(reason, count)| format!("{reason} {count}")).collect();
    vec![
        String::new(),
        format!(
            "  Customer.io   {:>8} webhooks accepted of {total}  {}",
            counts.accepted,
            bar(counts.accepted, total)
        ),
        format!("  raw topic     {:>8} records", counts.raw),
        format!("  processor     {:>8} pid, {crash}", topology.processor_pid()),
        format!("  warehouse     {:>8} rows of {distinct}  {}", counts.stored, bar(counts.stored, distinct)),
        format!("  not stored    {beyond:>8} duplicates, and records on their way"),
        format!("  funnel        {}", metrics.join(" · ")),
        format!("  suppressed    {:>8} profiles: {}", counts.suppressed_profiles, reasons.join(" · ")),
        format!("  Track API     {:>8} calls", counts.track_calls),
        String::new(),
    ]
}

fn bar(part: u64, whole: u64) -> String {
    let filled = (part * BAR_WIDTH / whole.max(1)).min(BAR_WIDTH);
    let (full, empty) = ("█".repeat(usize::try_from(filled).unwrap_or(0)), BAR_WIDTH - filled);
    format!("{full}{}", "░".repeat(usize::try_from(empty).unwrap_or(0)))
}
