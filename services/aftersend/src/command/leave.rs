//! `aftersend processor leave`.

use std::path::Path;

use processor::Leaving;

use crate::cli::Leave;
use crate::configuration::{self, Tokens};

/// Runs the subcommand.
///
/// # Errors
/// If an instance is still running, or the group does not let it go.
pub(crate) fn run(file: Option<&Path>, arguments: Leave) -> anyhow::Result<()> {
    let (common, settings) = configuration::read(file, Tokens::NotMade, processor::Settings::read)?;
    telemetry::init(&common.telemetry)?;
    let leaving = match (arguments.instance_prefix, arguments.from) {
        (Some(prefix), Some(from)) => Leaving::Numbered { prefix, from },
        _ => Leaving::This,
    };
    let left = processor::leave(&settings, &common.connection, &common.prefix, &leaving)?;
    for instance in &left {
        println!("instance {instance} has left the group");
    }
    if left.is_empty() {
        println!("no such instance is in the group: nothing to do");
    }
    Ok(())
}
