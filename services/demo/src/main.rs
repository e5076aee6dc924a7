#![doc = include_str!("../README.md")]
// This crate talks to a terminal.
#![allow(clippy::print_stdout, clippy::print_stderr)]

mod child;
mod cli;
mod count;
mod proof;
mod run;
mod simulator;
mod topic;
mod topology;

use std::process::ExitCode;

use clap::Parser as _;

use cli::{Cli, Command};

/// Exit code of wrong arguments and settings: `EX_USAGE` of BSD's sysexits.
const WRONG_ARGUMENTS: u8 = 64;

fn main() -> ExitCode {
    let cli = match Cli::try_parse() {
        Ok(cli) => cli,
        Err(refused) => {
            // Help and version are reported this way too. A closed output leaves nobody to tell.
            let _ = refused.print();
            return if refused.use_stderr() { ExitCode::from(WRONG_ARGUMENTS) } else { ExitCode::SUCCESS };
        }
    };
    let outcome = match cli.command {
        None => run::run(&cli.demo),
        Some(Command::Simulator(arguments)) => simulator::run(&arguments).map(|()| ExitCode::SUCCESS),
        Some(Command::Healthcheck { ready }) => simulator::check_health(ready).map(|()| ExitCode::SUCCESS),
    };
    outcome.unwrap_or_else(|error| {
        eprintln!("aftersend-demo: {error:#}");
        let bad_configuration = error.is::<settings::Faults>();
        if bad_configuration { ExitCode::from(WRONG_ARGUMENTS) } else { ExitCode::FAILURE }
    })
}
