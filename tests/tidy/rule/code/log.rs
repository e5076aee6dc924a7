//! Log messages read alike: lowercase fragments without a final period, values in fields.

use crate::finding::Finding;
use crate::token::{calls, is_punct, text, tokens};
use crate::tree::Source;
use proc_macro2::TokenTree;

const LEVELS: &[&str] = &["trace", "debug", "info", "warn", "error", "event"];

/// Every message of a `tracing` macro that isn't a lowercase fragment.
pub(crate) fn messages(file: &Source) -> Vec<Finding> {
    calls(tokens(file))
        .into_iter()
        .filter(|call| LEVELS.contains(&call.name.as_str()))
        .filter_map(|call| message(&call.arguments).map(|message| (message, call.line)))
        .filter(|(message, _)| !is_fragment(message))
        .map(|(message, line)| {
            let mend = "write a lowercase fragment without a final period; values go into fields";
            Finding::new(file.at(line), format!("log message {message:?}"), mend)
        })
        .collect()
}

/// The first string that is an argument of its own, and no field's value.
fn message(arguments: &[TokenTree]) -> Option<String> {
    let mut before = None;
    for token in arguments {
        let stands_alone = before.is_none_or(|before| is_punct(before, ','));
        if stands_alone && let Some(message) = text(token) {
            return Some(message);
        }
        before = Some(token);
    }
    None
}

fn is_fragment(message: &str) -> bool {
    let first = message.split(|c: char| !c.is_alphanumeric()).next().unwrap_or_default();
    // SIGTERM and HTTP are spelled so.
    let acronym = first.len() > 1 && !first.chars().any(char::is_lowercase);
    let lowercase = !message.chars().next().is_some_and(char::is_uppercase);
    (lowercase || acronym) && !message.ends_with(['.', '!', '…'])
}

#[cfg(test)]
mod tests {
    use super::*;

    fn found(text: &str) -> usize {
        messages(&Source::new("src/a.rs", text)).len()
    }

    #[test]
    fn a_sentence_in_the_log_is_found() {
        assert_eq!(found(r#"fn f() { info!("Gateway started") }"#), 1);
        assert_eq!(found(r#"fn f() { tracing::warn!(partition, error = %err, "delivery retried.") }"#), 1);
        assert_eq!(found(r#"fn f() { select! { _ = a => { error!(target: "x", "Lost") } } }"#), 1);
    }

    #[test]
    fn fragments_fields_and_acronyms_pass() {
        assert_eq!(found(r#"fn f() { info!(partition, "delivery retried") }"#), 0);
        assert_eq!(found(r#"fn f() { info!(state = "Started.", "listening") }"#), 0);
        assert_eq!(found(r#"fn f() { info!("SIGTERM received"); panic!("It is over.") }"#), 0);
        assert_eq!(found(r#"fn f() { debug!(?batch) }"#), 0);
    }
}
