//! `aftersend token`: what stands for an address on the public topics (E2).

use std::path::Path;

use crate::cli::Token;
use crate::configuration;

/// Prints the token of each address. Asks no broker.
///
/// # Errors
/// If the secret is missing in production, or too short.
pub(crate) fn run(file: Option<&Path>, arguments: &Token) -> anyhow::Result<()> {
    let key = configuration::token_key(file)?;
    for address in &arguments.addresses {
        println!("{}", key.token(arguments.kind.into(), address));
    }
    Ok(())
}
