//! `aftersend reset processor`: prints what it would do, and does it only with `--yes`.

use std::path::Path;

use processor::reset::Resetter;
use processor::reset::plan::ResetKind;

use crate::cli::{GivenUp, ResetProcessor};
use crate::configuration::{self, Tokens};

/// Runs the subcommand.
///
/// # Errors
/// If the plan or the reset fails; partitions that are already reset stay so.
pub(crate) fn processor(file: Option<&Path>, arguments: &ResetProcessor) -> anyhow::Result<()> {
    let (common, settings) = configuration::read(file, Tokens::Made, processor::Settings::read)?;
    telemetry::init(&common.telemetry)?;
    let kind = match arguments.given_up {
        GivenUp::AcceptLoss => ResetKind::AcceptLoss,
        GivenUp::StartOver => ResetKind::StartOver,
    };
    let resetter = Resetter::new(&common.connection, &common.prefix, &settings)?;
    let plans = resetter.plan(kind, &arguments.partitions)?;
    for plan in &plans {
        println!("{plan}");
    }
    if !arguments.yes {
        println!("Nothing was done. To do it: the same command with --yes. There is no way back.");
        return Ok(());
    }
    resetter.carry_out(&plans, |plan| println!("partition {} was reset", plan.partition))?;
    println!("Disks of the old state are wiped, and filled from the changelogs, when processors start.");
    Ok(())
}
