use clap::Args;

/// Whom to ask for what. By default the admin port of the role on this machine (`AFTERSEND_ADMIN`) is asked
/// whether the process lives.
#[derive(Debug, Args)]
pub(crate) struct Healthcheck {
    /// Ask whether the role is ready instead.
    #[arg(long)]
    pub(crate) ready: bool,
    /// Ask this address instead, such as `http://gateway:8080/healthz`. An answer other than 200 is a
    /// failure.
    #[arg(long, value_name = "URL", conflicts_with = "ready")]
    pub(crate) url: Option<String>,
}
