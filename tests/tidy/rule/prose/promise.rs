//! The promises of the design (G1, P2, …): where a page makes one, a test keeps it.
//!
//! A page makes a promise by writing its id in bold, `**G1**`. A line that says "not yet proven" is exempt,
//! and honest.

use crate::finding::Finding;
use crate::token::{Function, functions, text, tokens};
use crate::tree::Source;
use proc_macro2::TokenTree;
use std::collections::BTreeSet;

/// The letters of the promises, and how many each has: gateway, processor, sinks, everywhere.
const PROMISES: &[(char, u8)] = &[('G', 7), ('P', 8), ('S', 5), ('E', 4)];
const EXEMPT: &str = "not yet proven";

/// Each promise in bold on a Markdown page that no test names, in its own name (`g1_…`) or its doc comment
/// (`G1`).
pub(crate) fn untested(files: &[Source]) -> Vec<Finding> {
    let rust = files.iter().filter(|file| file.path.ends_with(".rs"));
    let tested: BTreeSet<String> =
        rust.flat_map(|file| functions(tokens(file))).flat_map(|it| kept_by(&it)).collect();
    let pages = files.iter().filter(|file| file.path.ends_with(".md"));
    let made =
        pages.flat_map(|page| page.text.lines().zip(1..).map(move |(line, number)| (page, line, number)));
    let mend = "name a test after it, or write \"not yet proven\" beside it";
    made.filter(|(_, line, _)| !line.contains(EXEMPT))
        .flat_map(|(page, line, number)| {
            ids().filter(|id| line.contains(&format!("**{id}**"))).map(move |id| (page.at(number), id))
        })
        .filter(|(_, id)| !tested.contains(id))
        .map(|(place, id)| Finding::new(place, format!("promise {id} has no test"), mend))
        .collect()
}

fn ids() -> impl Iterator<Item = String> {
    PROMISES.iter().flat_map(|(letter, last)| (1..=*last).map(move |number| format!("{letter}{number}")))
}

/// The promises that a function keeps: none if it isn't a test.
fn kept_by(function: &Function) -> Vec<String> {
    let is_test = |attribute: &Vec<TokenTree>| matches!(attribute.as_slice(), [.., TokenTree::Ident(last)] if last == "test");
    let with_options = |attribute: &Vec<TokenTree>| matches!(attribute.as_slice(), [.., TokenTree::Ident(last), TokenTree::Group(_)] if last == "test");
    if !function.attributes.iter().any(|attribute| is_test(attribute) || with_options(attribute)) {
        return Vec::new();
    }
    let documented = function.attributes.iter().filter_map(|attribute| attribute.last()).filter_map(text);
    let said: String = documented.chain([function.name.to_uppercase()]).collect::<Vec<_>>().join("\n");
    let words: BTreeSet<&str> = said.split(|c: char| !c.is_ascii_alphanumeric()).collect();
    ids().filter(|id| words.contains(id.as_str())).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    fn found(page: &str, code: &str) -> Vec<String> {
        let files = [Source::new("README.md", page), Source::new("tests/e2e/main.rs", code)];
        untested(&files).into_iter().map(|finding| finding.what).collect()
    }

    #[test]
    fn a_promise_without_a_test_is_found() {
        let page = "- **G1** A 2xx means that the event is in Kafka.\n- **S4** not yet proven\nsee P2";
        assert_eq!(found(page, ""), ["promise G1 has no test"]);
        assert_eq!(found(page, "/// G1\nfn a_mere_function() {}"), ["promise G1 has no test"]);
        assert_eq!(found(page, "// G1\n#[test] fn it_works() {}"), ["promise G1 has no test"]);
    }

    #[test]
    fn a_test_keeps_a_promise_by_its_name_or_its_doc_comment() {
        let page = "**G1**";
        for code in [
            "#[test] fn g1_an_ack_comes_first() {}",
            "/// G1: the ack comes first.\n#[test]\nfn the_ack_comes_first() {}",
            "#[tokio::test(flavor = \"multi_thread\")]\n/// (G1)\nasync fn the_ack_comes_first() {}",
            "mod m { proptest! { /// Proves G1.\n#[test] fn acks(x in 0..1) { } } }",
        ] {
            assert!(found(page, code).is_empty(), "{code}");
        }
    }
}
