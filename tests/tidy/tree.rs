//! What the rules read: the checkout's text files, and its crates with their dependencies. Read once.

use cargo_metadata::{DependencyKind, MetadataCommand};
use std::fs;
use std::path::{Path, PathBuf};
use std::sync::LazyLock;

/// Names at the root that hold no source. In a linked worktree, `.git` is a file.
const SKIPPED: &[&str] = &[".git", ".demo", "target"];
const TEXT_BYTES_MAX: usize = 4 << 20;
/// Crates for one machine only: a simulated vendor, a Kafka starter, the demo.
const DEVELOPMENT: &[&str] = &["services/devkit", "services/demo"];

pub(crate) struct Tree {
    pub(crate) root: PathBuf,
    pub(crate) files: Vec<Source>,
    pub(crate) packages: Vec<Package>,
}

/// A text file; the path is relative to the root, with `/`.
pub(crate) struct Source {
    pub(crate) path: String,
    pub(crate) text: String,
}

/// A crate of this workspace.
pub(crate) struct Package {
    pub(crate) name: String,
    /// Its folder, relative to the root.
    pub(crate) dir: String,
    pub(crate) dependencies: Vec<Dependency>,
}

pub(crate) struct Dependency {
    pub(crate) name: String,
    pub(crate) kind: DependencyKind,
}

/// The checkout that this test was built from.
pub(crate) fn tree() -> &'static Tree {
    static TREE: LazyLock<Tree> = LazyLock::new(|| {
        // Asked when it runs: checkouts that share a build folder share this binary too.
        let tests = PathBuf::from(std::env::var_os("CARGO_MANIFEST_DIR").expect("cargo runs the tests"));
        let root = tests.parent().expect("tests/ lies in the checkout").to_owned();
        let mut files = Vec::new();
        collect(&root, &root, &mut files);
        files.sort_by(|left, right| left.path.cmp(&right.path));
        let packages = packages(&root);
        Tree { root, files, packages }
    });
    &TREE
}

impl Tree {
    /// Rust of `schemas` and `services`, development crates too.
    pub(crate) fn services(&self) -> impl Iterator<Item = &Source> {
        self.rust().filter(|file| file.path.starts_with("services/") || file.path.starts_with("schemas/"))
    }

    pub(crate) fn rust(&self) -> impl Iterator<Item = &Source> {
        self.files.iter().filter(|file| file.path.ends_with(".rs"))
    }
}

impl Package {
    /// Whether production runs it: a crate of `schemas` or `services`, but none for development only.
    pub(crate) fn is_product(&self) -> bool {
        let dir = self.dir.as_str();
        (dir == "schemas" || dir.starts_with("services/")) && !self.is_for_development()
    }

    /// Whether it is for one machine only: the simulated vendor, the Kafka starter, the demo.
    pub(crate) fn is_for_development(&self) -> bool {
        DEVELOPMENT.contains(&self.dir.as_str())
    }
}

impl Source {
    pub(crate) fn new(path: &str, text: &str) -> Source {
        Source { path: path.to_owned(), text: text.to_owned() }
    }

    /// The text without its tests: nothing of a file of tests, and nothing from an inline module of tests on.
    pub(crate) fn product_text(&self) -> &str {
        let folder_of_tests = ["/tests/", "/benches/"].iter().any(|folder| self.path.contains(folder));
        if folder_of_tests || self.path.ends_with("tests.rs") {
            return "";
        }
        self.text.find("\n#[cfg(test)]\nmod tests {").map_or(&*self.text, |at| &self.text[..at])
    }

    /// `path:line`, as terminals make it a link.
    pub(crate) fn at(&self, line: usize) -> String {
        format!("{}:{line}", self.path)
    }
}

fn collect(root: &Path, dir: &Path, files: &mut Vec<Source>) {
    for entry in fs::read_dir(dir).expect("the checkout is readable").flatten() {
        let path = entry.path();
        let kind = entry.file_type().expect("the checkout is readable");
        if dir == root && SKIPPED.contains(&&*entry.file_name().to_string_lossy()) {
            continue;
        }
        if kind.is_dir() {
            collect(root, &path, files);
        } else if kind.is_file() {
            // What isn't UTF-8 isn't text; what has gone since the folder was listed was an editor's.
            let Ok(text) = fs::read_to_string(&path) else { continue };
            if text.len() <= TEXT_BYTES_MAX {
                files.push(Source { path: relative(root, &path), text });
            }
        }
    }
}

fn relative(root: &Path, path: &Path) -> String {
    path.strip_prefix(root).expect("only the checkout is walked").to_string_lossy().into_owned()
}

fn packages(root: &Path) -> Vec<Package> {
    let metadata =
        MetadataCommand::new().current_dir(root).no_deps().exec().expect("`cargo metadata` works here");
    let dependencies = |package: &cargo_metadata::Package| {
        let pair =
            |edge: &cargo_metadata::Dependency| Dependency { name: edge.name.clone(), kind: edge.kind };
        package.dependencies.iter().map(pair).collect()
    };
    metadata
        .packages
        .iter()
        .map(|package| Package {
            name: package.name.to_string(),
            dir: relative(root, package.manifest_path.parent().expect("a file is in a folder").as_std_path()),
            dependencies: dependencies(package),
        })
        .collect()
}
