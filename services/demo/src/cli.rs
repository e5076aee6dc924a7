//! The command line.

use std::path::PathBuf;

use clap::Parser;

/// Shows the whole topology at work on this machine: a real Kafka, a simulated Customer.io, a crash, and a
/// proof.
#[derive(Debug, Clone, Parser)]
#[command(version)]
pub(crate) struct Arguments {
    /// Distinct outcomes to send.
    #[arg(long, default_value_t = 5_000, value_parser = clap::value_parser!(u32).range(1..=10_000_000))]
    pub(crate) events: u32,
    /// Share of outcomes that are sent a second time.
    #[arg(long, default_value_t = 0.2, value_parser = share)]
    pub(crate) duplicates: f64,
    /// Seed of everything that is drawn at random.
    #[arg(long, default_value_t = 1)]
    pub(crate) seed: u64,
    /// Folder for Kafka's data, the processor's state and the warehouse. What an earlier demo left there is
    /// removed.
    #[arg(long, default_value = ".demo", value_name = "DIR")]
    pub(crate) data: PathBuf,
    /// End after the proof instead of keeping the topology up for a look around.
    #[arg(long)]
    pub(crate) once: bool,
    /// Print one JSON object as the last line of standard output. Implies --once.
    #[arg(long)]
    pub(crate) json: bool,
    /// Webhooks per second at most. By default, as many as make the sending take 15 seconds.
    #[arg(long, value_parser = positive)]
    pub(crate) pace: Option<f64>,
}

fn share(text: &str) -> Result<f64, String> {
    let share: f64 = text.parse().map_err(|_| "not a number".to_owned())?;
    if (0.0..=10.0).contains(&share) { Ok(share) } else { Err("wanted: 0 to 10, such as 0.2".to_owned()) }
}

fn positive(text: &str) -> Result<f64, String> {
    let number: f64 = text.parse().map_err(|_| "not a number".to_owned())?;
    if number > 0.0 && number.is_finite() { Ok(number) } else { Err("wanted: more than 0".to_owned()) }
}
