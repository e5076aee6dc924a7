//! Which crate may depend on which: the design's "schemas ← kit ← roles ← aftersend ← tests, benches".

use crate::finding::Finding;
use crate::tree::{Package, Source};
use cargo_metadata::DependencyKind;

/// From the innermost outwards.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
enum Layer {
    Schemas,
    Kit,
    Role,
    Binary,
    /// The topology on one machine: runs the binary, and is not part of it.
    Demo,
    /// `benches` too.
    Tests,
}

fn layer(dir: &str) -> Layer {
    match dir {
        "schemas" => Layer::Schemas,
        "services/aftersend" => Layer::Binary,
        "services/demo" => Layer::Demo,
        _ if dir.starts_with("services/kit/") => Layer::Kit,
        _ if dir.starts_with("services/") => Layer::Role,
        _ => Layer::Tests,
    }
}

/// Outside crates, and the folders whose crates may use them. Tests and benches may use any, and so may the
/// tests inside a crate.
const PLACES: &[(&str, &[&str])] = &[
    ("rdkafka", &["services/kit/kafka"]),
    ("rdkafka-sys", &["services/kit/kafka"]),
    ("rocksdb", &["services/processor"]),
    ("axum", &["services/devkit", "services/kit/lifecycle"]),
    ("reqwest", &["services/kit/customerio", "services/bigquery-sink", "services/devkit"]),
    ("tonic", &["services/bigquery-sink", "services/devkit"]),
];

/// Crates that are pure: what they depend on may know no runtime.
const PURE: &[&str] = &["schemas", "services/kit/webhook"];
const RUNTIMES: &[&str] = &["tokio", "async-std", "smol", "hyper"];

/// Each dependency between crates of this workspace points inwards. For its own tests any crate may use
/// `devkit`, the outside world.
pub(crate) fn direction(packages: &[Package]) -> Vec<Finding> {
    let mut found = Vec::new();
    for from in packages {
        for edge in &from.dependencies {
            let Some(to) = packages.iter().find(|to| to.name == edge.name) else { continue };
            let for_tests = edge.kind == DependencyKind::Development && to.dir == "services/devkit";
            let (outer, inner) = (layer(&from.dir), layer(&to.dir));
            let within = outer == inner && matches!(outer, Layer::Kit | Layer::Tests);
            if !(for_tests || inner < outer || within) {
                let what = format!("{} depends on {}", from.name, to.name);
                found.push(Finding::new(
                    manifest(from),
                    what,
                    "the direction is schemas <- kit <- roles <- aftersend <- tests, benches, and roles never meet: move \
                     what both need into a kit crate",
                ));
            }
        }
    }
    found
}

/// No chain of dependencies leads from the production binary to a crate that is for development only.
pub(crate) fn production(packages: &[Package]) -> Vec<Finding> {
    let mut linked: Vec<&Package> =
        packages.iter().filter(|package| layer(&package.dir) == Layer::Binary).collect();
    let mut next = 0;
    while let Some(package) = linked.get(next).copied() {
        next += 1;
        for edge in package.dependencies.iter().filter(|edge| edge.kind != DependencyKind::Development) {
            let Some(to) = packages.iter().find(|to| to.name == edge.name) else { continue };
            if !linked.iter().any(|known| known.name == to.name) {
                linked.push(to);
            }
        }
    }
    let mend = "what only a development machine needs belongs into services/demo or devkit";
    let misplaced = linked.into_iter().filter(|package| package.is_for_development());
    misplaced
        .map(|package| {
            Finding::new(manifest(package), format!("the production binary links {}", package.name), mend)
        })
        .collect()
}

/// Each outside crate that shapes its user is used in its own places only.
pub(crate) fn places(packages: &[Package]) -> Vec<Finding> {
    let mut found = Vec::new();
    for package in packages.iter().filter(|package| layer(&package.dir) < Layer::Tests) {
        for edge in package.dependencies.iter().filter(|edge| edge.kind != DependencyKind::Development) {
            let misplaced =
                PLACES.iter().any(|(name, dirs)| *name == edge.name && !dirs.contains(&package.dir.as_str()));
            let impure = PURE.contains(&package.dir.as_str()) && RUNTIMES.contains(&edge.name.as_str());
            if misplaced || impure {
                let what = format!("{} uses {}", package.name, edge.name);
                let mend = "only the crates listed in tests/tidy/rule/layout/crates.rs may: call one of them instead";
                found.push(Finding::new(manifest(package), what, mend));
            }
        }
    }
    found
}

/// Each crate has a README, its chapter, and its documentation opens with it.
pub(crate) fn chapters(packages: &[Package], files: &[Source]) -> Vec<Finding> {
    let text = |path: String| files.iter().find(|file| file.path == path).map(|file| file.text.as_str());
    let mut found = Vec::new();
    for package in packages {
        let dir = &package.dir;
        if text(format!("{dir}/README.md")).is_none_or(|readme| readme.trim().is_empty()) {
            let mend = "write what the crate is for, its reading order, and what it deliberately lacks";
            found.push(Finding::new(format!("{dir}/README.md"), "the crate has no README", mend));
        }
        let root = text(format!("{dir}/src/lib.rs")).or_else(|| text(format!("{dir}/src/main.rs")));
        if root.is_some_and(|root| !root.contains(r#"#![doc = include_str!("../README.md")]"#)) {
            let mend = r#"open it with #![doc = include_str!("../README.md")]"#;
            found.push(Finding::new(
                format!("{dir}/src"),
                "the crate's documentation doesn't open with its README",
                mend,
            ));
        }
    }
    found
}

fn manifest(package: &Package) -> String {
    format!("{}/Cargo.toml", package.dir)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::tree::Dependency;

    fn package(dir: &str, dependencies: &[(&str, DependencyKind)]) -> Package {
        let dependencies =
            dependencies.iter().map(|(name, kind)| Dependency { name: (*name).to_owned(), kind: *kind });
        Package { name: dir.replace('/', "-"), dir: dir.to_owned(), dependencies: dependencies.collect() }
    }

    fn refused(dir: &str, on: &str, kind: DependencyKind) -> bool {
        let packages = [
            package(dir, &[(&on.replace('/', "-"), kind)]),
            package(on, &[]), // the first of two with one name is found, and it has the same folder
        ];
        !direction(&packages).is_empty()
    }

    #[test]
    fn an_edge_outwards_or_sideways_is_found() {
        use DependencyKind::{Development, Normal};
        assert!(refused("schemas", "services/kit/settings", Normal));
        assert!(refused("services/kit/kafka", "services/gateway", Normal));
        assert!(refused("services/gateway", "services/processor", Normal));
        assert!(refused("services/gateway", "services/processor", Development));
        assert!(refused("services/gateway", "services/devkit", Normal));
        assert!(refused("services/gateway", "tests", Development));
        assert!(refused("services/processor", "benches", Development));

        assert!(!refused("services/gateway", "services/devkit", Development));
        assert!(!refused("services/gateway", "services/kit/kafka", Normal));
        assert!(!refused("services/kit/kafka", "services/kit/settings", Normal));
        assert!(!refused("services/aftersend", "services/gateway", Normal));
        assert!(!refused("services/demo", "services/devkit", Normal));
        assert!(refused("services/aftersend", "services/demo", Normal));
        assert!(!refused("tests", "services/aftersend", Normal));
        assert!(!refused("tests", "schemas", Normal));
        assert!(!refused("benches", "services/processor", Normal));
        assert!(!refused("benches", "tests", Normal));
    }

    #[test]
    fn a_development_crate_in_the_production_binary_is_found() {
        use DependencyKind::{Development, Normal};
        let chain = |kind| {
            [
                package("services/aftersend", &[("services-gateway", Normal)]),
                package("services/gateway", &[("services-devkit", kind)]),
                package("services/devkit", &[]),
            ]
        };
        assert_eq!(production(&chain(Normal)).len(), 1);
        assert!(production(&chain(Development)).is_empty());
    }

    #[test]
    fn an_outside_crate_in_the_wrong_place_is_found() {
        use DependencyKind::{Build, Development, Normal};
        assert_eq!(places(&[package("services/gateway", &[("rdkafka", Normal)])]).len(), 1);
        assert_eq!(places(&[package("services/kit/delivery", &[("rocksdb", Build)])]).len(), 1);
        assert_eq!(places(&[package("services/kit/webhook", &[("tokio", Normal)])]).len(), 1);
        assert!(
            places(&[package("services/kit/kafka", &[("rdkafka", Normal), ("tokio", Normal)])]).is_empty()
        );
        assert!(places(&[package("services/gateway", &[("reqwest", Development)])]).is_empty());
        assert!(places(&[package("tests", &[("rdkafka", Normal)])]).is_empty());
    }

    #[test]
    fn a_crate_without_its_chapter_is_found() {
        let crates = [package("schemas", &[])];
        let readme = Source::new("schemas/README.md", "# schemas");
        let bare = Source::new("schemas/src/lib.rs", "//! Schemas.");
        let good = Source::new("schemas/src/lib.rs", "#![doc = include_str!(\"../README.md\")]");
        assert_eq!(chapters(&crates, &[bare]).len(), 2);
        assert!(chapters(&crates, &[readme, good]).is_empty());
    }
}
