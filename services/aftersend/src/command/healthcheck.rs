//! `aftersend healthcheck`: asks a role whether it is well.

use std::path::Path;

use lifecycle::{admin, healthcheck};

use crate::cli::Healthcheck;
use crate::configuration;

/// Runs the subcommand.
///
/// # Errors
/// If the answer isn't 200, or does not come within 3 s.
pub(crate) fn run(file: Option<&Path>, arguments: &Healthcheck) -> anyhow::Result<()> {
    let url = match &arguments.url {
        Some(url) => url.clone(),
        None => admin_url(file, arguments.ready)?,
    };
    let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build()?;
    Ok(runtime.block_on(healthcheck::ask(&url))?)
}

/// Where the role on this machine answers. Of all settings only the admin port is read.
fn admin_url(file: Option<&Path>, ready: bool) -> anyhow::Result<String> {
    let mut reader = configuration::reader(file);
    let settings = admin::Settings::read(&mut reader);
    reader.finish()?;
    let listen = settings.expect("a fault is recorded where nothing was read").listen;
    Ok(healthcheck::local_url(listen, if ready { "/readyz" } else { "/livez" }))
}
