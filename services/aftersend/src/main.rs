#![doc = include_str!("../README.md")]
// The one crate that talks to a terminal.
#![allow(clippy::print_stdout, clippy::print_stderr)]

mod cli;
mod command;
mod configuration;
mod metric;
mod preflight;
mod probe;
mod process;
mod role;

use std::path::Path;
use std::process::ExitCode;

use clap::Parser;
use telemetry::Format;
use tikv_jemallocator::Jemalloc;
use tracing::error;

use cli::{Bootstrap, Cli, Command, Processor, Reset};

/// Also serves librdkafka and RocksDB. A record's memory is allocated by the client's thread and freed by a
/// worker's thread, which is expensive with glibc's allocator.
#[global_allocator]
static ALLOCATOR: Jemalloc = Jemalloc;

/// Exit code of a bad configuration and of wrong arguments: `EX_USAGE` of BSD's sysexits.
const BAD_CONFIGURATION: u8 = 64;

fn main() -> ExitCode {
    let cli = match Cli::try_parse() {
        Ok(cli) => cli,
        Err(refused) => {
            // Help and version are reported this way too. A closed output leaves nobody to tell.
            let _ = refused.print();
            return if refused.use_stderr() { ExitCode::from(BAD_CONFIGURATION) } else { ExitCode::SUCCESS };
        }
    };
    let file = cli.config.as_deref();
    match run(file, cli.command) {
        Ok(code) => code,
        Err(error) => {
            report(file, &error);
            let bad_configuration = error.is::<settings::Faults>();
            if bad_configuration { ExitCode::from(BAD_CONFIGURATION) } else { ExitCode::FAILURE }
        }
    }
}

/// Writes why the command failed to standard error. It is the line that an operator looks for, so it has the
/// form of the logs where a collector parses them.
fn report(file: Option<&Path>, error: &anyhow::Error) {
    let text = match error.downcast_ref::<settings::Faults>() {
        Some(faults) => format!("bad configuration:\n{faults}"),
        None => format!("aftersend: {error:#}"),
    };
    let log = configuration::log_settings(file);
    if log.format == Format::Json && telemetry::init(&log).is_ok() {
        error!(error = text, "aftersend failed");
    } else {
        eprintln!("{text}");
    }
}

fn run(file: Option<&Path>, command: Command) -> anyhow::Result<ExitCode> {
    match command {
        Command::Gateway => role::gateway(file).map(|()| ExitCode::SUCCESS),
        Command::Processor { command: None } => role::processor(file).map(|()| ExitCode::SUCCESS),
        Command::Processor { command: Some(Processor::Leave(arguments)) } => {
            command::leave::run(file, arguments).map(|()| ExitCode::SUCCESS)
        }
        Command::Sink { sink } => role::sink(file, sink).map(|()| ExitCode::SUCCESS),
        Command::Bootstrap(Bootstrap { acls: Some(form), .. }) => {
            command::bootstrap::print_acls(file, form).map(|()| ExitCode::SUCCESS)
        }
        Command::Bootstrap(arguments) => command::bootstrap::run(file, &arguments),
        Command::FinalizeUpgrade { yes } => {
            command::finalize_upgrade::run(file, yes).map(|()| ExitCode::SUCCESS)
        }
        Command::Reset { role: Reset::Processor(arguments) } => {
            command::reset::processor(file, &arguments).map(|()| ExitCode::SUCCESS)
        }
        Command::CheckConfig { roles } => configuration::check(file, &roles).map(|()| ExitCode::SUCCESS),
        Command::Token(arguments) => command::token::run(file, &arguments).map(|()| ExitCode::SUCCESS),
        Command::Healthcheck(arguments) => {
            command::healthcheck::run(file, &arguments).map(|()| ExitCode::SUCCESS)
        }
        Command::VerifySignature(arguments) => command::verify_signature::run(file, &arguments),
        Command::Settings => {
            print!("{}", settings::table(&configuration::catalogue()));
            Ok(ExitCode::SUCCESS)
        }
        Command::Metrics => {
            print!("{}", telemetry::metric::table(&metric::catalogue()));
            Ok(ExitCode::SUCCESS)
        }
    }
}
