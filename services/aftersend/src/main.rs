#![doc = include_str!("../README.md")]
// The one crate that talks to a terminal.
#![allow(clippy::print_stdout, clippy::print_stderr)]

mod cli;
mod configuration;
mod demo;
mod metric;
mod probe;
mod reset;
mod role;
mod signature;
mod topology;

use std::process::ExitCode;

use clap::Parser;
use tikv_jemallocator::Jemalloc;

use cli::{Cli, Command, Reset};

/// For librdkafka and RocksDB too, whose calls it takes over: a record's memory is allocated by the client's thread and freed by a worker's,
/// which glibc makes both of them pay for.
#[global_allocator]
static ALLOCATOR: Jemalloc = Jemalloc;

/// Exit code of a bad configuration, wrong arguments among it: `EX_USAGE` of BSD's sysexits.
const BAD_CONFIGURATION: u8 = 64;

fn main() -> ExitCode {
    let cli = match Cli::try_parse() {
        Ok(cli) => cli,
        Err(told) => {
            // Help and version come this way too. Where nobody reads any more, nothing can be said.
            let _ = told.print();
            return if told.use_stderr() { ExitCode::from(BAD_CONFIGURATION) } else { ExitCode::SUCCESS };
        }
    };
    match run(cli) {
        Ok(code) => code,
        Err(error) => {
            if let Some(faults) = error.downcast_ref::<settings::Faults>() {
                eprintln!("bad configuration:\n{faults}");
                return ExitCode::from(BAD_CONFIGURATION);
            }
            eprintln!("aftersend: {error:#}");
            ExitCode::FAILURE
        }
    }
}

fn run(cli: Cli) -> anyhow::Result<ExitCode> {
    let file = cli.config.as_deref();
    match cli.command {
        Command::Gateway => role::gateway(file).map(|()| ExitCode::SUCCESS),
        Command::Processor => role::processor(file).map(|()| ExitCode::SUCCESS),
        Command::Sink { sink } => role::sink(file, sink).map(|()| ExitCode::SUCCESS),
        Command::Bootstrap { probe } => topology::bootstrap_command(file, probe),
        Command::Reset { whose: Reset::Processor(arguments) } => {
            reset::processor(file, &arguments).map(|()| ExitCode::SUCCESS)
        }
        Command::CheckConfig { roles } => configuration::check(file, &roles).map(|()| ExitCode::SUCCESS),
        Command::VerifySignature(arguments) => signature::verify(file, &arguments),
        Command::Settings => {
            print!("{}", settings::table(&configuration::catalogue()));
            Ok(ExitCode::SUCCESS)
        }
        Command::Metrics => {
            print!("{}", telemetry::metric::table(&metric::catalogue()));
            Ok(ExitCode::SUCCESS)
        }
        Command::Demo(arguments) => demo::run(&arguments),
    }
}
