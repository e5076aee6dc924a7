#![doc = include_str!("../README.md")]
// It talks to a terminal.
#![allow(clippy::print_stdout, clippy::print_stderr)]

mod measure;
mod plan;
mod report;
mod run;
mod screen;
mod subject;
mod workload;

use std::process::ExitCode;

use clap::{Parser, Subcommand};
use tikv_jemallocator::Jemalloc;

use plan::Plan;
use subject::pass_through::{self, PassThrough};

/// The one of the processor: the pass-through is to differ from it by its work only.
#[global_allocator]
static ALLOCATOR: Jemalloc = Jemalloc;

/// Measures the processor beside a transactional pass-through and Kafka Streams, on one broker and the same
/// raw records.
#[derive(Debug, Parser)]
#[command(version, args_conflicts_with_subcommands = true)]
struct Cli {
    #[command(flatten)]
    plan: Plan,
    #[command(subcommand)]
    child: Option<Child>,
}

/// What this program starts of itself, as a process of its own.
#[derive(Debug, Subcommand)]
enum Child {
    /// The transactional pass-through.
    #[command(hide = true)]
    PassThrough(PassThrough),
}

fn main() -> ExitCode {
    let cli = Cli::parse();
    let outcome = match &cli.child {
        Some(Child::PassThrough(settings)) => pass_through::serve(settings),
        None => run::run(&cli.plan),
    };
    match outcome {
        Ok(()) => ExitCode::SUCCESS,
        Err(error) => {
            eprintln!("benches: {error:#}");
            ExitCode::FAILURE
        }
    }
}
