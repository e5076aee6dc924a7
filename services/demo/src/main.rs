#![doc = include_str!("../README.md")]
// This crate talks to a terminal.
#![allow(clippy::print_stdout, clippy::print_stderr)]

mod child;
mod cli;
mod count;
mod proof;
mod run;
mod screen;
mod topic;
mod topology;

use std::process::ExitCode;

use clap::Parser as _;

use cli::Arguments;

/// Exit code of wrong arguments: `EX_USAGE` of BSD's sysexits.
const WRONG_ARGUMENTS: u8 = 64;

fn main() -> ExitCode {
    let arguments = match Arguments::try_parse() {
        Ok(arguments) => arguments,
        Err(refused) => {
            // Help and version are reported this way too. A closed output leaves nobody to tell.
            let _ = refused.print();
            return if refused.use_stderr() { ExitCode::from(WRONG_ARGUMENTS) } else { ExitCode::SUCCESS };
        }
    };
    run::run(&arguments).unwrap_or_else(|error| {
        eprintln!("aftersend-demo: {error:#}");
        ExitCode::FAILURE
    })
}
