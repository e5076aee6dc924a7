//! What is decided, is decided by pure functions: code under `domain/` names nothing that waits, reads,
//! writes or tells the time.

use crate::finding::Finding;
use crate::tree::Source;
use syn::spanned::Spanned as _;
use syn::visit::{self, Visit};
use syn::{ExprAsync, ExprAwait, ItemUse, Signature, UseTree};

const FOREIGN: &[&str] = &[
    "std::time::SystemTime",
    "std::time::Instant",
    "std::fs",
    "std::io",
    "std::net",
    "std::process",
    "std::env",
    "std::thread",
    "tokio",
    "futures",
    "kafka",
    "rdkafka",
    "rocksdb",
    "axum",
    "reqwest",
];

pub(crate) fn is_domain(path: &str) -> bool {
    path.split('/').any(|part| part == "domain" || part == "domain.rs")
}

/// Every import and path of `file` that has no place in the domain, and every `async`.
pub(crate) fn imports(file: &Source) -> Vec<Finding> {
    let Ok(syntax) = syn::parse_file(&file.text) else { return Vec::new() };
    let mut names = Names::default();
    names.visit_file(&syntax);
    let mend = "pass the time and what was read in as values, and do the effect outside of domain/";
    names
        .0
        .into_iter()
        .filter(|(name, _)| is_foreign(name))
        .map(|(name, line)| Finding::new(file.at(line), format!("the domain names {name}"), mend))
        .collect()
}

fn is_foreign(name: &str) -> bool {
    let covers = |whole: &str, part: &str| {
        part.strip_prefix(whole).is_some_and(|rest| rest.is_empty() || rest.starts_with("::"))
    };
    let everything_of = name.strip_suffix("::*");
    name == "async"
        || FOREIGN.iter().any(|foreign| {
            covers(foreign, name) || everything_of.is_some_and(|module| covers(module, foreign))
        })
}

/// Every path as it is written, imports spelled out, with its line.
#[derive(Default)]
struct Names(Vec<(String, usize)>);

impl Visit<'_> for Names {
    fn visit_item_use(&mut self, item: &ItemUse) {
        spell_out(&item.tree, "", &mut self.0);
    }

    fn visit_path(&mut self, path: &syn::Path) {
        let parts: Vec<String> = path.segments.iter().map(|part| part.ident.to_string()).collect();
        self.0.push((parts.join("::"), path.span().start().line));
        visit::visit_path(self, path);
    }

    fn visit_signature(&mut self, signature: &Signature) {
        if let Some(word) = &signature.asyncness {
            self.0.push(("async".to_owned(), word.span.start().line));
        }
        visit::visit_signature(self, signature);
    }

    fn visit_expr_async(&mut self, block: &ExprAsync) {
        self.0.push(("async".to_owned(), block.async_token.span.start().line));
        visit::visit_expr_async(self, block);
    }

    fn visit_expr_await(&mut self, wait: &ExprAwait) {
        self.0.push(("async".to_owned(), wait.await_token.span.start().line));
        visit::visit_expr_await(self, wait);
    }
}

fn spell_out(tree: &UseTree, prefix: &str, names: &mut Vec<(String, usize)>) {
    let line = tree.span().start().line;
    match tree {
        UseTree::Path(path) => spell_out(&path.tree, &format!("{prefix}{}::", path.ident), names),
        UseTree::Group(group) => group.items.iter().for_each(|item| spell_out(item, prefix, names)),
        UseTree::Glob(_) => names.push((format!("{prefix}*"), line)),
        UseTree::Name(name) if name.ident == "self" => {
            names.push((prefix.trim_end_matches("::").to_owned(), line));
        }
        UseTree::Name(name) => names.push((format!("{prefix}{}", name.ident), line)),
        UseTree::Rename(rename) => names.push((format!("{prefix}{}", rename.ident), line)),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn found(text: &str) -> usize {
        imports(&Source::new("services/processor/src/domain/bounce.rs", text)).len()
    }

    #[test]
    fn a_clock_io_or_async_in_the_domain_is_found() {
        assert_eq!(found("use std::time::Instant;"), 1);
        assert_eq!(found("use std::{collections::HashMap, time::{Duration, SystemTime}};"), 1);
        assert_eq!(found("use std::time::*;"), 1);
        assert_eq!(found("use std::io::{self, Read as _};"), 2);
        assert_eq!(found("use tokio as t;"), 1);
        assert_eq!(found("fn now() -> u64 { std::time::SystemTime::now(); 1 }"), 1);
        assert_eq!(found("async fn decide() { other().await }"), 2);
        assert_eq!(found("fn f() { let _ = async { 1 }; }"), 1);
    }

    #[test]
    fn durations_collections_and_neighbours_are_the_domain_s() {
        assert_eq!(
            found(
                "use std::time::Duration; use std::collections::BTreeMap; use schemas::record::Suppression;"
            ),
            0
        );
        assert_eq!(found("use std::fmt; use crate::kafka_like::X; use super::tokio_free;"), 0);
    }

    #[test]
    fn the_domain_is_a_folder_or_a_file_of_that_name() {
        assert!(is_domain("services/processor/src/domain/bounce.rs"));
        assert!(is_domain("services/processor/src/domain.rs"));
        assert!(!is_domain("services/processor/src/domains_of_mail.rs"));
    }
}
