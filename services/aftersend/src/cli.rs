//! The command line: one variant per subcommand. The arguments of a subcommand have a file of their own in
//! `cli/`.

mod bootstrap;
mod healthcheck;
mod processor;
mod reset;
mod role;
mod token;
mod verify_signature;

use std::path::PathBuf;

use clap::{Parser, Subcommand};

pub(crate) use bootstrap::Bootstrap;
pub(crate) use healthcheck::Healthcheck;
pub(crate) use processor::{Leave, Processor};
pub(crate) use reset::{GivenUp, Reset, ResetProcessor};
pub(crate) use role::{AclForm, Role, Sink};
pub(crate) use token::Token;
pub(crate) use verify_signature::VerifySignature;

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
    Processor {
        /// Instead of running one.
        #[command(subcommand)]
        command: Option<Processor>,
    },
    /// Delivers outcome topics to a destination.
    Sink {
        /// Which destination.
        sink: Sink,
    },
    /// Creates missing topics and checks existing ones.
    Bootstrap(Bootstrap),
    /// Lets processors write the formats of this version, once every one of them is upgraded. Prints what it
    /// would do, and does it only with --yes.
    FinalizeUpgrade {
        /// Do it. From then on there is no way back to a version that doesn't know these formats.
        #[arg(long)]
        yes: bool,
    },
    /// Gives up named data so that a role that refuses to start can start.
    Reset {
        /// The role.
        #[command(subcommand)]
        role: Reset,
    },
    /// Reads the settings of every role and lists every fault.
    CheckConfig {
        /// Only these roles.
        #[arg(long = "role", value_name = "ROLE")]
        roles: Vec<Role>,
    },
    /// Prints the tokens that stand for addresses on the public topics, for a team that holds the secret.
    Token(Token),
    /// Asks a role whether it is well. Exit code 0 or 1. Needs no other setting than the admin port.
    Healthcheck(Healthcheck),
    /// Says whether a webhook's signature is right, and if not, why.
    VerifySignature(VerifySignature),
    /// Prints every setting as a Markdown table.
    Settings,
    /// Prints every metric as a Markdown table.
    Metrics,
}
