//! One name, one concept: no type name is defined in more than two product crates.

use crate::finding::Finding;
use crate::tree::{Package, Source};
use std::collections::{BTreeMap, BTreeSet};
use syn::visit::{self, Visit};

const CRATES_MAX: usize = 2;
/// The page that lists the names that every crate may use for its own, one a line: "- `Error`: …", below this
/// heading.
pub(crate) const GLOSSARY: &str = "docs/glossary.md";
const HEADING: &str = "## Type names that every crate may define";

/// Type names that too many product crates define, and that the glossary does not allow. Tests, benches and
/// the crates for development do not count.
pub(crate) fn shared(packages: &[Package], files: &[Source]) -> Vec<Finding> {
    let allowed = files.iter().find(|file| file.path == GLOSSARY).map(|page| allowed(&page.text));
    let allowed = allowed.unwrap_or_default();
    let mut owners: BTreeMap<String, BTreeSet<&str>> = BTreeMap::new();
    for package in packages.iter().filter(|package| package.is_product()) {
        let src = format!("{}/src/", package.dir);
        for file in files.iter().filter(|file| file.path.starts_with(&src) && file.path.ends_with(".rs")) {
            for name in defined(file) {
                owners.entry(name).or_default().insert(&package.dir);
            }
        }
    }
    let mend = "name each after what it is in its crate; a name that fits all is listed in docs/glossary.md";
    owners
        .into_iter()
        .filter(|(name, crates)| crates.len() > CRATES_MAX && !allowed.contains(name))
        .map(|(name, crates)| {
            let crates: Vec<&str> = crates.into_iter().collect();
            let what = format!("{name} is a type of {} crates: {}", crates.len(), crates.join(", "));
            Finding::new("services", what, mend)
        })
        .collect()
}

/// The names that the glossary allows.
fn allowed(page: &str) -> BTreeSet<String> {
    let section = page.split_once(HEADING).map_or("", |(_, rest)| rest);
    let section = section.split("\n## ").next().unwrap_or_default();
    let names = section.lines().filter_map(|line| line.strip_prefix("- `")?.split('`').next());
    names.map(str::to_owned).collect()
}

/// Names of the types that a file defines outside its tests.
fn defined(file: &Source) -> BTreeSet<String> {
    let Ok(syntax) = syn::parse_file(file.product_text()) else { return BTreeSet::new() };
    let mut names = Names::default();
    names.visit_file(&syntax);
    names.0
}

#[derive(Default)]
struct Names(BTreeSet<String>);

impl Names {
    fn add(&mut self, name: &syn::Ident) {
        self.0.insert(name.to_string());
    }
}

impl Visit<'_> for Names {
    fn visit_item_struct(&mut self, item: &syn::ItemStruct) {
        self.add(&item.ident);
    }

    fn visit_item_enum(&mut self, item: &syn::ItemEnum) {
        self.add(&item.ident);
    }

    fn visit_item_union(&mut self, item: &syn::ItemUnion) {
        self.add(&item.ident);
    }

    fn visit_item_type(&mut self, item: &syn::ItemType) {
        self.add(&item.ident);
    }

    fn visit_item_trait(&mut self, item: &syn::ItemTrait) {
        self.add(&item.ident);
        visit::visit_item_trait(self, item);
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn found(code: &str, glossary: &str) -> Vec<String> {
        let dirs = ["services/gateway", "services/processor", "services/kit/kafka", "services/devkit"];
        let packages =
            dirs.map(|dir| Package { name: dir.to_owned(), dir: dir.to_owned(), dependencies: Vec::new() });
        let mut files: Vec<Source> =
            dirs.iter().map(|dir| Source::new(&format!("{dir}/src/a.rs"), code)).collect();
        files.push(Source::new(GLOSSARY, glossary));
        shared(&packages, &files).into_iter().map(|finding| finding.what).collect()
    }

    #[test]
    fn a_name_of_three_product_crates_is_found() {
        let crates = "services/gateway, services/kit/kafka, services/processor";
        let what = |name: &str| format!("{name} is a type of 3 crates: {crates}");
        assert_eq!(found("pub struct Batch;", ""), [what("Batch")]);
        assert_eq!(
            found("mod m { pub(crate) enum Plan { A } } type Told = u8;", ""),
            [what("Plan"), what("Told")]
        );
        assert_eq!(found("fn f() {}\n\n#[cfg(test)]\nmod tests {\n    struct Batch;\n}\n", ""), [""; 0]);
    }

    #[test]
    fn a_name_that_the_glossary_lists_passes() {
        let page = |list: &str| format!("# Words\n- `Batch`\n{HEADING}\n\n{list}\n\n## More\n- `Batch`\n");
        assert_eq!(found("struct Batch;", &page("- `Batch`: records that are handled together")), [""; 0]);
        assert_eq!(found("struct Batch;", &page("- `Error`: what can go wrong")).len(), 1);
    }
}
