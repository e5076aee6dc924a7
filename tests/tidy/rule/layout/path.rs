//! A path of one machine means nothing on another.

use crate::finding::Finding;
use crate::tree::Source;

const HOMES: &[&str] = &["work", "root", "farm"];

/// Every line with an absolute path into a folder that only some machine has.
pub(crate) fn of_a_machine(file: &Source) -> Vec<Finding> {
    let mend = "write the path relative to the checkout, or take it from the environment";
    let lines = file.text.lines().zip(1..).filter(|(line, _)| is_of_a_machine(line));
    lines.map(|(_, number)| Finding::new(file.at(number), "a path of one machine", mend)).collect()
}

/// `/home-of-somebody/` and then a letter or a dot.
fn is_of_a_machine(line: &str) -> bool {
    HOMES.iter().any(|home| {
        line.split(&format!("/{home}/"))
            .skip(1)
            .any(|rest| rest.starts_with(|c: char| c.is_ascii_lowercase() || c == '.'))
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_machine_s_path_is_found() {
        let home = HOMES[0];
        let text = format!("first\nsee /{home}/main for more\nnot /{home}/, nor {home}/main");
        let found = of_a_machine(&Source::new("docs/a.md", &text));
        assert_eq!(found.iter().map(|it| it.place.as_str()).collect::<Vec<_>>(), ["docs/a.md:2"]);
    }
}
