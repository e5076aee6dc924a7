use std::path::PathBuf;

use clap::Args;

/// A request as it was received. The key is `CUSTOMERIO_WEBHOOK_SIGNING_KEY`.
#[derive(Debug, Args)]
pub(crate) struct VerifySignature {
    /// Value of the X-CIO-Timestamp header.
    #[arg(long)]
    pub(crate) timestamp: Option<String>,
    /// Value of the X-CIO-Signature header.
    #[arg(long)]
    pub(crate) signature: Option<String>,
    /// File with the body's raw bytes. By default, standard input.
    #[arg(long, value_name = "FILE")]
    pub(crate) body: Option<PathBuf>,
}
