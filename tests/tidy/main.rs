//! The house rules, executed: what design and style ask of the tree as a whole, and no compiler checks.
//!
//! Each rule is a pure function from what it reads to what it finds, with a test that plants a violation. A
//! failure names file and line, the rule and the mend. What a rule cannot see (a poor name, a sentence that
//! is hard to follow) is left to review.

mod finding;
mod rule;
mod token;
mod tree;

use finding::expect_none;
use rule::code::{density, domain, forbidden, log, metric, type_name};
use rule::layout::{crates, path, size};
use rule::prose::{comment, link, promise, register};
use tree::tree;

#[test]
fn dependencies_point_one_way() {
    expect_none(crates::direction(&tree().packages));
}

#[test]
fn the_production_binary_links_no_development_crate() {
    expect_none(crates::production(&tree().packages));
}

#[test]
fn each_outside_crate_has_its_place() {
    expect_none(crates::places(&tree().packages));
}

#[test]
fn every_crate_opens_with_its_readme() {
    expect_none(crates::chapters(&tree().packages, &tree().files));
}

#[test]
fn the_domain_knows_no_async_no_io_and_no_clock() {
    expect_none(tree().rust().filter(|file| domain::is_domain(&file.path)).flat_map(domain::imports));
}

#[test]
fn files_are_short() {
    expect_none(tree().rust().filter_map(size::long_file));
}

#[test]
fn functions_are_short() {
    expect_none(tree().rust().flat_map(size::long_functions));
}

#[test]
fn folders_hold_few_files() {
    expect_none(size::crowded_folders(tree().rust().map(|file| file.path.as_str())));
}

#[test]
fn files_are_named_after_what_they_hold() {
    expect_none(tree().rust().filter_map(|file| size::vague_name(&file.path)));
}

#[test]
fn nothing_is_left_open() {
    expect_none(tree().rust().flat_map(forbidden::left_open));
}

#[test]
fn only_the_binary_prints() {
    expect_none(tree().rust().flat_map(forbidden::prints));
}

#[test]
fn tests_await_and_never_sleep() {
    expect_none(tree().rust().flat_map(forbidden::sleeps));
}

#[test]
fn the_processor_reads_no_wall_clock() {
    expect_none(tree().rust().flat_map(forbidden::wall_clocks));
}

#[test]
fn unsafe_has_one_place() {
    expect_none(tree().rust().flat_map(forbidden::unsafe_blocks));
}

#[test]
fn log_messages_are_lowercase_fragments() {
    expect_none(tree().rust().flat_map(log::messages));
}

#[test]
fn metric_names_end_in_their_unit() {
    expect_none(tree().rust().flat_map(metric::names));
}

#[test]
fn every_metric_is_described_in_its_crate() {
    expect_none(metric::undeclared(&tree().packages, &tree().files));
}

#[test]
fn no_type_name_stands_for_many_things() {
    expect_none(type_name::shared(&tree().packages, &tree().files));
}

#[test]
fn the_code_is_not_too_dense() {
    expect_none(density::too_dense(&density::Density::measure(tree().services())));
}

#[test]
fn comments_are_as_wide_as_the_code() {
    expect_none(tree().rust().flat_map(comment::wide));
}

#[test]
fn enough_is_documented() {
    expect_none(comment::undocumented(&comment::Prose::measure(tree().services())));
}

#[test]
fn links_on_pages_lead_somewhere() {
    expect_none(link::broken(&tree().files));
}

#[test]
fn numbered_names_are_in_a_register() {
    expect_none(tree().files.iter().flat_map(register::strays));
}

/// Prints what the rules above measure: `cargo tidy -- --nocapture numbers`.
#[test]
fn the_numbers_are_measured() {
    let prose = comment::Prose::measure(tree().services());
    let density = density::Density::measure(tree().services());
    println!("documented {:.1} % of {} lines", prose.documented_percent(), prose.lines);
    println!("plain comments {} lines", prose.plain);
    println!(
        "colons {:.0}, semicolons {:.0} per 100 sentences",
        prose.per_100_sentences(prose.colons),
        prose.per_100_sentences(prose.semicolons)
    );
    println!("wide comments {}", prose.wide);
    println!(
        "closures {:.1}, tuple lets {:.1} per 1,000 lines",
        density.per_1000_lines(density.closures),
        density.per_1000_lines(density.tuple_lets)
    );
    println!("tuple parameters {}", density.tuple_parameters);
    assert!(prose.sentences > 0 && density.closures > 0, "nothing was measured");
}

#[test]
fn no_path_of_one_machine_is_committed() {
    expect_none(tree().files.iter().flat_map(path::of_a_machine));
}

#[test]
fn every_promise_that_the_docs_make_has_a_test() {
    expect_none(promise::untested(&tree().files));
}

#[test]
fn the_code_is_formatted() {
    expect_none(size::unformatted(&tree().root));
}
