//! `aftersend verify-signature`: why a signature fails.

use std::io::Read;
use std::path::Path;
use std::process::ExitCode;
use std::time::{Duration, SystemTime, UNIX_EPOCH};

use anyhow::Context;
use gateway::signature::{Age, Explanation, explain};
use settings::Reader;

use crate::cli::VerifySignature;
use crate::configuration;

/// Says whether the gateway would accept the request. Exit code 0 if it would, 1 if not.
///
/// # Errors
/// If the keys are not configured or the body cannot be read.
pub(crate) fn run(file: Option<&Path>, request: &VerifySignature) -> anyhow::Result<ExitCode> {
    let mut reader: Reader = configuration::reader(file);
    let keys = gateway::signing_keys(&mut reader);
    let stale_after = gateway::stale_after(&mut reader);
    reader.finish()?;
    let keys = keys.unwrap_or_default();
    let keys: Vec<&str> = keys.iter().map(settings::Secret::expose).collect();
    let body = read_body(request.body.as_deref())?;
    let age = Age {
        now_ms: millis(SystemTime::now().duration_since(UNIX_EPOCH).unwrap_or_default()),
        stale_after_ms: millis(stale_after.unwrap_or(Duration::MAX)),
    };
    match explain(&keys, request.timestamp.as_deref(), request.signature.as_deref(), &body, age) {
        Explanation::Valid { key, signed_at_ms, is_stale } => {
            let at = signed_at_ms
                .map_or("at no time that reads as one".to_owned(), |at| format!("at {}", at / 1_000));
            println!(
                "valid: signed with key {} of {}, {at} (Unix seconds), over {} bytes",
                key + 1,
                keys.len(),
                body.len()
            );
            if is_stale {
                println!(
                    "stale: signed longer ago than gateway.stale_after, so the gateway answers 200 and keeps the event as a \
                     dead letter: it takes no effect"
                );
            }
            Ok(ExitCode::SUCCESS)
        }
        Explanation::Refused { reason, cause } => {
            println!("refused ({}): {reason}", reason.code());
            match cause {
                Some(cause) => println!("why: {cause}"),
                None => println!(
                    "why: none of the known mistakes makes this signature from these {} bytes with the keys given; look for \
                     another key, or for a proxy that changes the body",
                    body.len()
                ),
            }
            Ok(ExitCode::FAILURE)
        }
    }
}

fn millis(duration: Duration) -> i64 {
    i64::try_from(duration.as_millis()).unwrap_or(i64::MAX)
}

fn read_body(file: Option<&Path>) -> anyhow::Result<Vec<u8>> {
    match file {
        Some(file) => std::fs::read(file).with_context(|| format!("{} can't be read", file.display())),
        None => {
            let mut body = Vec::new();
            std::io::stdin().read_to_end(&mut body).context("standard input can't be read")?;
            Ok(body)
        }
    }
}
