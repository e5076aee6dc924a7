//! The command line.

use std::path::PathBuf;

use clap::{Args, Parser, Subcommand, ValueEnum};

/// The truth layer for message outcomes: Customer.io's webhooks in, each outcome out exactly once.
#[derive(Debug, Parser)]
#[command(version, arg_required_else_help = true)]
pub(crate) struct Cli {
    /// Settings file, TOML or YAML; environment variables override it. `aftersend settings` lists them all.
    #[arg(long, global = true, env = "AFTERSEND_CONFIG", value_name = "FILE")]
    pub(crate) config: Option<PathBuf>,
    #[command(subcommand)]
    pub(crate) command: Command,
}

#[derive(Debug, Subcommand)]
pub(crate) enum Command {
    /// Takes webhooks, verifies them and writes them to the raw topic.
    Gateway,
    /// Drops duplicates, keeps each customer's deliverability and emits outcomes, exactly once.
    Processor,
    /// Drains outcome topics to a destination.
    Sink {
        /// Which destination.
        sink: Sink,
    },
    /// Creates the topics where they are missing and checks them where they are not.
    Bootstrap {
        /// First shows, by trying, whether the cluster keeps what exactly-once processing requires; where it doesn't, nothing is
        /// created and the exit code is 1. Takes about a minute, and removes what it made.
        #[arg(long)]
        probe: bool,
    },
    /// Gives something up, by name, where a role refuses to go on.
    Reset {
        /// Whose.
        #[command(subcommand)]
        whose: Reset,
    },
    /// Reads the settings of every role and lists every fault.
    CheckConfig {
        /// Only these roles.
        #[arg(long = "role", value_name = "ROLE")]
        roles: Vec<Role>,
    },
    /// Says whether a webhook's signature is right, and if not, why.
    VerifySignature(VerifySignature),
    /// Prints every setting as a Markdown table.
    Settings,
    /// Prints every metric as a Markdown table.
    Metrics,
    /// Shows the whole topology at work on this machine: a real Kafka, a simulated Customer.io, a crash, and a proof.
    Demo(Demo),
}

/// What can be reset.
#[derive(Debug, Subcommand)]
pub(crate) enum Reset {
    /// The processor's state, while no processor runs. Says what it would do; does it only with --yes.
    Processor(ResetProcessor),
}

/// A reset of the processor.
#[derive(Debug, Args)]
pub(crate) struct ResetProcessor {
    /// What is given up.
    pub(crate) given_up: Given,
    /// Only this partition; may be given several times.
    #[arg(long = "partition", value_name = "PARTITION")]
    pub(crate) partitions: Vec<i32>,
    /// Do it. There is no way back.
    #[arg(long)]
    pub(crate) yes: bool,
}

/// What a reset gives up.
#[derive(Debug, Clone, Copy, PartialEq, Eq, ValueEnum)]
pub(crate) enum Given {
    /// Input that was cut before it was read, and ids that the dedupe changelog has lost; customers stay.
    AcceptLoss,
    /// Every customer and every id; the input is read again from its beginning, and its outcomes emitted again.
    StartOver,
}

/// A destination.
#[derive(Debug, Clone, Copy, PartialEq, Eq, ValueEnum)]
pub(crate) enum Sink {
    /// Traits and suppressions to Customer.io.
    Customerio,
    /// Outcomes to the warehouse.
    Bigquery,
}

/// A role whose settings can be checked.
#[derive(Debug, Clone, Copy, PartialEq, Eq, ValueEnum)]
pub(crate) enum Role {
    /// `aftersend gateway`
    Gateway,
    /// `aftersend processor`
    Processor,
    /// `aftersend sink customerio`
    SinkCustomerio,
    /// `aftersend sink bigquery`
    SinkBigquery,
}

impl Role {
    pub(crate) const ALL: [Self; 4] =
        [Self::Gateway, Self::Processor, Self::SinkCustomerio, Self::SinkBigquery];
}

/// A request as it was received. The key is `CUSTOMERIO_WEBHOOK_SIGNING_KEY`.
#[derive(Debug, Args)]
pub(crate) struct VerifySignature {
    /// Value of the X-CIO-Timestamp header.
    #[arg(long)]
    pub(crate) timestamp: Option<String>,
    /// Value of the X-CIO-Signature header.
    #[arg(long)]
    pub(crate) signature: Option<String>,
    /// File with the body's raw bytes; standard input where left out.
    #[arg(long, value_name = "FILE")]
    pub(crate) body: Option<PathBuf>,
}

/// What the demo shows.
#[derive(Debug, Clone, Args)]
pub(crate) struct Demo {
    /// Distinct outcomes to send.
    #[arg(long, default_value_t = 5_000, value_parser = clap::value_parser!(u32).range(1..=10_000_000))]
    pub(crate) events: u32,
    /// Share of outcomes that are sent once more.
    #[arg(long, default_value_t = 0.2, value_parser = share)]
    pub(crate) duplicates: f64,
    /// Decides everything that is drawn.
    #[arg(long, default_value_t = 1)]
    pub(crate) seed: u64,
    /// Folder for Kafka's data, the processor's state and the warehouse; made anew.
    #[arg(long, default_value = ".demo", value_name = "DIR")]
    pub(crate) data: PathBuf,
    /// End after the proof instead of keeping the topology up for a look around.
    #[arg(long)]
    pub(crate) once: bool,
    /// One JSON object as the last line of standard output; implies --once.
    #[arg(long)]
    pub(crate) json: bool,
    /// Webhooks per second at most; where left out, as many as make the sending take a quarter of a minute.
    #[arg(long, value_parser = positive)]
    pub(crate) pace: Option<f64>,
}

fn share(text: &str) -> Result<f64, String> {
    let share: f64 = text.parse().map_err(|_| "no number".to_owned())?;
    if (0.0..=10.0).contains(&share) { Ok(share) } else { Err("wanted: 0 to 10, such as 0.2".to_owned()) }
}

fn positive(text: &str) -> Result<f64, String> {
    let number: f64 = text.parse().map_err(|_| "no number".to_owned())?;
    if number > 0.0 && number.is_finite() { Ok(number) } else { Err("wanted: more than 0".to_owned()) }
}
