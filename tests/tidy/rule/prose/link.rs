//! Links in Markdown pages lead to files and headings that exist.

use crate::finding::Finding;
use crate::tree::Source;
use std::collections::{BTreeMap, BTreeSet};

/// Every link of every page whose file, folder or heading is not in the checkout. Addresses on the web are
/// not checked.
pub(crate) fn broken(files: &[Source]) -> Vec<Finding> {
    let mut places: BTreeSet<&str> = BTreeSet::new();
    for file in files {
        places.insert(&file.path);
        places.extend(file.path.match_indices('/').map(|(at, _)| &file.path[..at]));
    }
    let pages: BTreeMap<&str, &Source> =
        files.iter().filter(|file| is_page(&file.path)).map(|file| (file.path.as_str(), file)).collect();
    let leads_somewhere = |page: &Source, target: &str| {
        let (path, anchor) = target.split_once('#').unwrap_or((target, ""));
        let path = if path.is_empty() { Some(page.path.clone()) } else { resolve(&page.path, path) };
        let Some(path) = path.filter(|path| path.is_empty() || places.contains(path.as_str())) else {
            return false;
        };
        let headings = || pages.get(path.as_str()).map(|page| anchors(&page.text)).unwrap_or_default();
        anchor.is_empty() || headings().contains(anchor)
    };
    let mut found = Vec::new();
    for page in pages.values() {
        for (target, line) in links(&page.text) {
            if !is_on_the_web(&target) && !leads_somewhere(page, &target) {
                let what = format!("the link to {target} leads nowhere");
                found.push(Finding::new(page.at(line), what, "name a file and heading of this checkout"));
            }
        }
        for (name, line) in unlinked(&page.text) {
            let what = format!("[`{name}`] is no link on a page");
            let mend =
                "link the file, [name](src/file.rs), or drop the brackets: only rustdoc resolves names";
            found.push(Finding::new(page.at(line), what, mend));
        }
    }
    found
}

fn is_page(path: &str) -> bool {
    path.ends_with(".md")
}

fn is_on_the_web(target: &str) -> bool {
    target.contains("://") || target.starts_with("mailto:")
}

/// `path` as seen from the folder of `page`; `None` if it leaves the checkout.
fn resolve(page: &str, path: &str) -> Option<String> {
    let folder = page.rsplit_once('/').map_or("", |(folder, _)| folder);
    let mut parts: Vec<&str> = folder.split('/').filter(|part| !part.is_empty()).collect();
    for part in path.trim_end_matches('/').split('/') {
        match part {
            "" | "." => {}
            ".." => {
                parts.pop()?;
            }
            part => parts.push(part),
        }
    }
    Some(parts.join("/"))
}

/// The text outside fenced blocks, with line numbers.
fn prose(text: &str) -> Vec<(&str, usize)> {
    let mut fenced = false;
    let mut lines = Vec::new();
    for (line, number) in text.lines().zip(1..) {
        if line.trim_start().starts_with("```") {
            fenced = !fenced;
        } else if !fenced {
            lines.push((line, number));
        }
    }
    lines
}

/// The targets of `[text](target)`, with their lines.
fn links(text: &str) -> Vec<(String, usize)> {
    let mut found = Vec::new();
    for (line, number) in prose(text) {
        for (at, _) in line.match_indices("](") {
            let rest = &line[at + 2..];
            if let Some(end) = rest.find(')')
                && !inside_code(line, at)
            {
                found.push((rest[..end].to_owned(), number));
            }
        }
    }
    found
}

/// Names in brackets and backquotes without a target: rustdoc would resolve them, a forge shows them as they
/// stand.
fn unlinked(text: &str) -> Vec<(String, usize)> {
    let mut found = Vec::new();
    for (line, number) in prose(text) {
        for (at, _) in line.match_indices("[`") {
            let rest = &line[at + 2..];
            if let Some(end) = rest.find("`]")
                && !rest[end + 2..].starts_with('(')
            {
                found.push((rest[..end].to_owned(), number));
            }
        }
    }
    found
}

/// Whether the byte at `at` lies between backquotes.
fn inside_code(line: &str, at: usize) -> bool {
    line[..at].matches('`').count() % 2 == 1
}

/// The anchors of a page's headings, as forges make them: lower case, words joined by hyphens, other marks
/// dropped.
fn anchors(text: &str) -> BTreeSet<String> {
    let headings = prose(text).into_iter().filter_map(|(line, _)| {
        let words = line.trim_start_matches('#');
        (line.starts_with('#') && words.starts_with(' ')).then_some(words.trim())
    });
    let mut anchors = BTreeSet::new();
    for heading in headings {
        let kept = heading.chars().filter(|c| c.is_alphanumeric() || matches!(c, ' ' | '-' | '_'));
        let anchor: String = kept.flat_map(char::to_lowercase).collect::<String>().replace(' ', "-");
        let again = (1..).map(|number| format!("{anchor}-{number}"));
        let mut names = std::iter::once(anchor.clone()).chain(again);
        anchors.extend(names.find(|name| !anchors.contains(name)));
    }
    anchors
}

#[cfg(test)]
mod tests {
    use super::*;

    fn found(page: &str) -> Vec<String> {
        let files = [
            Source::new("services/gateway/README.md", page),
            Source::new(
                "services/README.md",
                "# The kit: all of it\n```\n# no heading\n```\n## P2, `whole`\n",
            ),
            Source::new("services/gateway/src/main.rs", ""),
        ];
        broken(&files).into_iter().map(|finding| finding.what).collect()
    }

    #[test]
    fn a_link_to_nothing_is_found() {
        assert_eq!(found("see [it](src/lost.rs)"), ["the link to src/lost.rs leads nowhere"]);
        assert_eq!(found("[up](../../../out.md)").len(), 1);
        assert_eq!(found("[kit](../README.md#the-kit)").len(), 1);
        assert_eq!(found("[kit](../README.md#no-heading)").len(), 1);
        assert_eq!(found("see [`crate::Type`] for it"), ["[`crate::Type`] is no link on a page"]);
    }

    #[test]
    fn files_folders_headings_and_the_web_pass() {
        let page = "# Here\n[a](src/main.rs) [b](src) [c](../README.md#the-kit-all-of-it) [d](#here)\n\
                    [e](https://example.com/x) [f](../README.md#p2-whole) [`main.rs`](src/main.rs) `[g](h)`\n\
                    ```\n[i](j)\n```\n";
        assert_eq!(found(page), [""; 0]);
    }
}
