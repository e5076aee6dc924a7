//! `aftersend finalize-upgrade`: lets roles write the formats of this version.

use std::path::Path;

use anyhow::Context as _;
use processor::{Application, FormatLevel};
use schemas::topic::meta::Topology;

use crate::configuration::{self, Tokens};
use crate::preflight::acl::Principal;
use crate::preflight::{self, meta};

/// Runs the subcommand. Without `yes` it only says what it would do.
///
/// # Errors
/// If no broker answers, or the topics were made for other settings.
pub(crate) fn run(file: Option<&Path>, yes: bool) -> anyhow::Result<()> {
    let (common, settings) = configuration::read(file, Tokens::NotMade, processor::Settings::read)?;
    telemetry::init(&common.telemetry)?;
    let application = Application::new(&common.prefix, settings.application_id.as_ref());
    let topics = application.topics();
    preflight::check(&common, Principal::Bootstrap, topics, application.id())?;
    let stored = meta::read(&common, topics)?.context(preflight::MetaEmpty)?;
    let level = stored.formats;
    let newest = FormatLevel::NEWEST.number();
    if level >= newest {
        println!(
            "nothing to do: formats of level {level} are written, and this version knows level {newest}"
        );
        return Ok(());
    }
    if !yes {
        println!(
            "would raise the level of written formats from {level} to {newest}. Versions that don't know level {newest} can't read \
             what is written then, so the roll-back to them ends here. Once every processor is upgraded, and none is to be rolled \
             back, run this again with --yes"
        );
        return Ok(());
    }
    meta::write(&common, topics, &Topology { formats: newest, ..stored })?;
    println!("formats of level {newest} are written from each processor's next start on");
    Ok(())
}
