//! The command line.

use std::net::SocketAddr;
use std::path::PathBuf;

use clap::{Args, Parser, Subcommand};

/// Without a command: shows the whole topology at work on this machine, with a real Kafka, a simulated
/// Customer.io, a crash, and a proof.
#[derive(Debug, Parser)]
#[command(version, args_conflicts_with_subcommands = true)]
pub(crate) struct Cli {
    #[command(subcommand)]
    pub(crate) command: Option<Command>,
    #[command(flatten)]
    pub(crate) demo: Arguments,
}

#[derive(Debug, Subcommand)]
pub(crate) enum Command {
    /// The simulated Customer.io alone: answers the Track API and sends signed webhooks until it is stopped.
    Simulator(Simulator),
    /// Asks the simulator on this machine (`AFTERSEND_ADMIN`) whether it lives. Exit code 0 or 1.
    Healthcheck {
        /// Ask whether it is ready instead.
        #[arg(long)]
        ready: bool,
    },
}

/// What the simulator does. The webhooks are signed with `CUSTOMERIO_WEBHOOK_SIGNING_KEY`.
#[derive(Debug, Args)]
pub(crate) struct Simulator {
    /// Address and port of the Track API.
    #[arg(long, default_value = "127.0.0.1:8090")]
    pub(crate) listen: SocketAddr,
    /// Origin of the gateway, such as `http://gateway:8080`.
    #[arg(long, value_name = "URL")]
    pub(crate) gateway: String,
    /// Webhooks per second.
    #[arg(long, default_value_t = 5.0, value_parser = positive)]
    pub(crate) pace: f64,
    /// Share of outcomes that are sent a second time.
    #[arg(long, default_value_t = 0.2, value_parser = share)]
    pub(crate) duplicates: f64,
    /// People of the workspace.
    #[arg(long, default_value_t = 200, value_parser = clap::value_parser!(u32).range(1..=1_000_000))]
    pub(crate) people: u32,
    /// Seed of the people. Their outcomes are drawn anew at each start, so that they are new to Aftersend.
    #[arg(long, default_value_t = 1)]
    pub(crate) seed: u64,
    /// Site id that the Track API accepts.
    #[arg(long, default_value = "simulated-site")]
    pub(crate) site_id: String,
    /// API key that the Track API accepts.
    #[arg(long, default_value = "simulated-key")]
    pub(crate) api_key: String,
}

/// The demo.
#[derive(Debug, Clone, Args)]
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

#[cfg(test)]
mod tests {
    use clap::Parser as _;

    use super::{Cli, Command};

    #[test]
    fn the_arguments_of_the_demo_belong_to_no_command() {
        let demo = Cli::try_parse_from(["demo", "--events", "10", "--once"]).unwrap();
        assert!(demo.command.is_none() && demo.demo.events == 10);
        let simulator = Cli::try_parse_from(["demo", "simulator", "--gateway=http://gateway:8080"]).unwrap();
        assert!(matches!(simulator.command, Some(Command::Simulator(_))));
        assert!(Cli::try_parse_from(["demo", "--once", "simulator", "--gateway=http://g:1"]).is_err());
        assert!(Cli::try_parse_from(["demo", "simulator"]).is_err(), "there is no gateway by default");
    }
}
