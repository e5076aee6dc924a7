//! How long, how many, how named, how formatted.

use crate::finding::Finding;
use crate::tree::Source;
use std::collections::BTreeMap;
use std::path::Path;
use std::process::Command;
use syn::spanned::Spanned;
use syn::visit::{self, Visit};
use syn::{Block, ImplItemFn, ItemFn, Signature, TraitItemFn};

const FILE_LINES_MAX: usize = 400;
const FUNCTION_LINES_MAX: usize = 60;
const FOLDER_FILES_MAX: usize = 9;
const VAGUE: &[&str] = &["util", "utils", "common", "helper", "helpers", "type", "types", "misc"];

pub(crate) fn long_file(file: &Source) -> Option<Finding> {
    let lines = file.text.lines().count();
    let what = format!("{lines} lines (at most {FILE_LINES_MAX})");
    (lines > FILE_LINES_MAX)
        .then(|| Finding::new(&*file.path, what, "which concept is missing? give it a file of its own"))
}

pub(crate) fn long_functions(file: &Source) -> Vec<Finding> {
    let Ok(syntax) = syn::parse_file(&file.text) else { return Vec::new() };
    let mut lengths = Lengths::default();
    lengths.visit_file(&syntax);
    let long = lengths.0.into_iter().filter(|(_, _, lines)| *lines > FUNCTION_LINES_MAX);
    long.map(|(name, line, lines)| {
        let what = format!("{name} is {lines} lines long (at most {FUNCTION_LINES_MAX})");
        Finding::new(file.at(line), what, "name its steps, and let them be functions")
    })
    .collect()
}

/// Name, line and length, from `fn` to the closing brace, of every function with a body.
#[derive(Default)]
struct Lengths(Vec<(String, usize, usize)>);

impl Lengths {
    fn record(&mut self, signature: &Signature, body: &Block) {
        let (first, last) = (signature.span().start().line, Spanned::span(body).end().line);
        self.0.push((signature.ident.to_string(), first, last - first + 1));
    }
}

impl Visit<'_> for Lengths {
    fn visit_item_fn(&mut self, item: &ItemFn) {
        self.record(&item.sig, &item.block);
        visit::visit_item_fn(self, item);
    }

    fn visit_impl_item_fn(&mut self, item: &ImplItemFn) {
        self.record(&item.sig, &item.block);
        visit::visit_impl_item_fn(self, item);
    }

    fn visit_trait_item_fn(&mut self, item: &TraitItemFn) {
        if let Some(body) = &item.default {
            self.record(&item.sig, body);
        }
        visit::visit_trait_item_fn(self, item);
    }
}

pub(crate) fn crowded_folders<'a>(paths: impl Iterator<Item = &'a str>) -> Vec<Finding> {
    let mut folders: BTreeMap<&str, usize> = BTreeMap::new();
    for (folder, _) in paths.filter_map(|path| path.rsplit_once('/')) {
        *folders.entry(folder).or_default() += 1;
    }
    let crowded = folders.into_iter().filter(|(_, files)| *files > FOLDER_FILES_MAX);
    crowded
        .map(|(folder, files)| {
            let what = format!("{files} source files (at most {FOLDER_FILES_MAX})");
            Finding::new(folder, what, "which rooms does it want? group them by concept")
        })
        .collect()
}

pub(crate) fn vague_name(path: &str) -> Option<Finding> {
    let vague = path.split('/').any(|part| VAGUE.contains(&part.trim_end_matches(".rs")));
    vague.then(|| Finding::new(path, "the name says nothing", "name it after what it holds, a singular noun"))
}

/// One finding per place that `cargo fmt` would change.
pub(crate) fn unformatted(root: &Path) -> Vec<Finding> {
    let cargo = std::env::var_os("CARGO").unwrap_or_else(|| "cargo".into());
    let output = Command::new(cargo).args(["fmt", "--all", "--check"]).current_dir(root).output();
    match output {
        Ok(output) if output.status.success() => Vec::new(),
        Ok(output) => {
            let said = [output.stdout, output.stderr].concat();
            unformatted_places(&String::from_utf8_lossy(&said), &root.display().to_string())
        }
        Err(error) => vec![Finding::new(
            "cargo fmt",
            error.to_string(),
            "install rustfmt: rustup component add rustfmt",
        )],
    }
}

/// `Diff in /checkout/schemas/src/lib.rs:3:` becomes `schemas/src/lib.rs:3`; what isn't a diff is an error of
/// the tool's.
fn unformatted_places(said: &str, root: &str) -> Vec<Finding> {
    let mend = "run `cargo fmt --all`";
    let mut places: Vec<Finding> = said
        .lines()
        .filter_map(|line| line.strip_prefix("Diff in "))
        .map(|place| {
            let place = place.trim_start_matches(root).trim_start_matches('/').trim_end_matches(':');
            Finding::new(place, "not formatted", mend)
        })
        .collect();
    if places.is_empty() {
        places.push(Finding::new("cargo fmt", said.trim(), mend));
    }
    places
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_long_file_is_found() {
        let long = Source::new("src/a.rs", &"\n".repeat(FILE_LINES_MAX + 1));
        let just = Source::new("src/a.rs", &"\n".repeat(FILE_LINES_MAX));
        assert!(long_file(&long).is_some());
        assert!(long_file(&just).is_none());
    }

    #[test]
    fn a_long_function_is_found_wherever_it_stands() {
        let body = "\n".repeat(FUNCTION_LINES_MAX);
        let within = "\n".repeat(FUNCTION_LINES_MAX - 1);
        let places = ["BODY", "mod m { BODY }", "impl X { BODY }", "trait X { BODY }", "fn outer() { BODY }"];
        for place in places {
            let count = |body: &str| {
                let text = place.replace("BODY", &format!("/// Documented.\nfn inner() {{{body}}}"));
                long_functions(&Source::new("src/a.rs", &text))
                    .iter()
                    .filter(|it| it.what.contains("inner"))
                    .count()
            };
            assert_eq!((count(&body), count(&within)), (1, 0), "{place}");
        }
    }

    #[test]
    fn a_crowded_folder_is_found() {
        let files = |count: usize| (0..count).map(|index| format!("src/{index}.rs")).collect::<Vec<_>>();
        assert_eq!(crowded_folders(files(10).iter().map(String::as_str)).len(), 1);
        assert!(crowded_folders(files(9).iter().map(String::as_str)).is_empty());
    }

    #[test]
    fn a_vague_name_is_found() {
        assert!(vague_name("services/gateway/src/utils.rs").is_some());
        assert!(vague_name("services/kit/common/src/lib.rs").is_some());
        assert!(vague_name("services/gateway/src/signature.rs").is_none());
    }

    #[test]
    fn an_unformatted_place_is_named() {
        let found = unformatted_places("Diff in /checkout/schemas/src/lib.rs:3:\n-a\n+b\n", "/checkout");
        assert_eq!(found.iter().map(|it| it.place.as_str()).collect::<Vec<_>>(), ["schemas/src/lib.rs:3"]);
        assert_eq!(unformatted_places("error: no such command: `fmt`", "/checkout").len(), 1);
    }
}
