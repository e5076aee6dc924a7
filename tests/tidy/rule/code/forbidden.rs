//! Words that have no place, or one place only.

use crate::finding::Finding;
use crate::token::{attributes, calls, identifiers, tokens};
use crate::tree::Source;
use proc_macro2::TokenStream;
use std::ops::RangeInclusive;

/// Stubs, forgotten debugging, and tests that don't run.
pub(crate) fn left_open(file: &Source) -> Vec<Finding> {
    let stubs = calls(tokens(file))
        .into_iter()
        .filter(|call| matches!(&*call.name, "todo" | "unimplemented" | "dbg"));
    let stubs = stubs.map(|call| {
        Finding::new(
            file.at(call.line),
            format!("{}! is left", call.name),
            "finish it, or leave the feature out",
        )
    });
    let ignored = attributes(tokens(file)).into_iter().filter(|(attribute, _)| {
        // `#[ignore]`, `#[ignore = "…"]` and `#[cfg_attr(…, ignore)]`.
        identifiers(attribute.iter().cloned().collect()).iter().any(|(word, _)| word == "ignore")
    });
    let ignored = ignored.map(|(_, line)| {
        Finding::new(
            file.at(line),
            "a test is ignored",
            "mend it or remove it: a test that doesn't run proves nothing",
        )
    });
    stubs.chain(ignored).collect()
}

/// Stdout and stderr belong to the commands; services log.
pub(crate) fn prints(file: &Source) -> Vec<Finding> {
    let commands_own = ["services/aftersend/", "services/demo/", "tests/", "benches/"]
        .iter()
        .any(|dir| file.path.starts_with(dir));
    let script = file.path.ends_with("build.rs")
        || ["tests", "examples", "benches"].iter().any(|dir| inside(&file.path, dir));
    if commands_own || script {
        return Vec::new();
    }
    calls(tokens(file))
        .into_iter()
        .filter(|call| matches!(&*call.name, "println" | "eprintln" | "print" | "eprint"))
        .map(|call| {
            Finding::new(
                file.at(call.line),
                format!("{}! in a library", call.name),
                "log it with tracing, or return it",
            )
        })
        .collect()
}

/// Functions that look again and again for a condition, with a deadline: the one place where a test may
/// pause.
const AWAITING: [&str; 2] = ["until", "await_until"];
/// Where time itself is what happens: a pause of so long, a kill so long after, so many events a second.
const PASSING: (&str, &str) = ("tests/chaos/", "let_pass");

/// A test that sleeps is slow when it passes and flaky when it doesn't.
pub(crate) fn sleeps(file: &Source) -> Vec<Finding> {
    if !inside(&file.path, "tests") {
        return Vec::new();
    }
    let mend = "await the condition: a channel, a health answer, an offset; with a deadline, in a function named `until`";
    let passing = file.path.starts_with(PASSING.0).then_some(PASSING.1);
    let names: Vec<&str> = AWAITING.into_iter().chain(passing).collect();
    let awaiting = lines_of(file, &names);
    words(tokens(file), &["sleep", "sleep_until", "sleep_ms"])
        .into_iter()
        .filter(|(_, line)| !awaiting.iter().any(|lines| lines.contains(line)))
        .map(|(word, line)| Finding::new(file.at(line), format!("{word} in a test"), mend))
        .collect()
}

/// The processor's time is the brokers': a node's wall clock can be wrong, and can jump.
pub(crate) fn wall_clocks(file: &Source) -> Vec<Finding> {
    if !file.path.starts_with("services/processor/src/") {
        return Vec::new();
    }
    let mend = "take the brokers' time: clock.rs, or a record's append time";
    words(tokens(file), &["SystemTime"])
        .into_iter()
        .map(|(word, line)| Finding::new(file.at(line), format!("{word} in the processor"), mend))
        .collect()
}

/// Safe Rust everywhere, but for the calls into librdkafka that its wrapper lacks.
pub(crate) fn unsafe_blocks(file: &Source) -> Vec<Finding> {
    if file.path.starts_with("services/kit/kafka/src/ffi") {
        return Vec::new();
    }
    let mend = "only services/kit/kafka/src/ffi may: call it through a safe function there";
    words(tokens(file), &["unsafe"])
        .into_iter()
        .map(|(word, line)| Finding::new(file.at(line), word, mend))
        .collect()
}

/// The lines of the free functions of these names.
fn lines_of(file: &Source, names: &[&str]) -> Vec<RangeInclusive<usize>> {
    let items = syn::parse_file(&file.text).map(|parsed| parsed.items).unwrap_or_default();
    let functions =
        items.into_iter().filter_map(|item| if let syn::Item::Fn(item) = item { Some(item) } else { None });
    functions
        .filter(|item| names.iter().any(|name| item.sig.ident == name))
        .map(|item| item.sig.ident.span().start().line..=item.block.brace_token.span.close().end().line)
        .collect()
}

fn words(stream: TokenStream, wanted: &[&str]) -> Vec<(String, usize)> {
    identifiers(stream).into_iter().filter(|(word, _)| wanted.contains(&word.as_str())).collect()
}

fn inside(path: &str, folder: &str) -> bool {
    path.split('/').rev().skip(1).any(|part| part == folder)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn source(path: &str, text: &str) -> Source {
        Source::new(path, text)
    }

    #[test]
    fn a_stub_or_an_ignored_test_is_found() {
        let found = |text: &str| left_open(&source("src/a.rs", text)).len();
        assert_eq!(found("fn f() { todo!() }"), 1);
        assert_eq!(found("fn f() { tokio::select! { _ = a => std::dbg!(1) } }"), 1);
        assert_eq!(found("#[test] #[ignore] fn f() {}"), 1);
        assert_eq!(found("#[cfg_attr(miri, ignore = \"slow\")] fn f() {}"), 1);
        assert_eq!(found("// todo!()\n/// #[ignore]\nfn f() { let todo = \"dbg!(1)\"; }"), 0);
    }

    #[test]
    fn a_printing_library_is_found() {
        let text = "fn f() { println!(\"x\"); eprint!(\"y\") }";
        assert_eq!(prints(&source("services/gateway/src/a.rs", text)).len(), 2);
        assert!(prints(&source("services/demo/src/screen.rs", text)).is_empty());
        assert!(prints(&source("services/gateway/tests/a.rs", text)).is_empty());
    }

    #[test]
    fn a_sleep_in_a_test_is_found() {
        let text = "use tokio::time::{Duration, sleep}; async fn f() { sleep(Duration::ZERO).await }";
        assert_eq!(sleeps(&source("tests/e2e/main.rs", text)).len(), 2);
        assert_eq!(
            sleeps(&source("services/gateway/tests/drain.rs", "fn f() { std::thread::sleep(d) }")).len(),
            1
        );
        let until = "fn until() { loop { sleep(d) } } fn f() { until() }";
        assert!(sleeps(&source("tests/e2e/main.rs", until)).is_empty());
        let pass = "fn let_pass() { sleep(d) }";
        assert!(sleeps(&source("tests/chaos/fault.rs", pass)).is_empty());
        assert_eq!(sleeps(&source("tests/e2e/main.rs", pass)).len(), 1);
        assert!(sleeps(&source("services/gateway/src/tests.rs", text)).is_empty());
        assert!(sleeps(&source("tests/e2e/main.rs", "// sleep(1)\nfn asleep() {}")).is_empty());
    }

    #[test]
    fn a_wall_clock_in_the_processor_is_found() {
        let text = "fn f() -> SystemTime { std::time::SystemTime::now() }";
        assert_eq!(wall_clocks(&source("services/processor/src/engine/clock.rs", text)).len(), 2);
        assert!(wall_clocks(&source("services/gateway/src/receive.rs", text)).is_empty());
        assert!(wall_clocks(&source("services/processor/tests/broker/timer.rs", text)).is_empty());
    }

    #[test]
    fn unsafe_outside_its_place_is_found() {
        let text = "unsafe fn f() { unsafe { g() } } // unsafe";
        assert_eq!(unsafe_blocks(&source("services/kit/kafka/src/consumer.rs", text)).len(), 2);
        assert!(unsafe_blocks(&source("services/kit/kafka/src/ffi.rs", text)).is_empty());
        assert!(unsafe_blocks(&source("services/kit/kafka/src/ffi/flush.rs", text)).is_empty());
    }
}
