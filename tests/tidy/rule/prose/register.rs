//! Numbered names (T4, C12, R3, G1 …) exist: each belongs to a register that the glossary lists.

use crate::finding::Finding;
use crate::tree::Source;

/// The letters of the registers with their first and last number: promises, then the steps of the commit
/// protocol (T), the crash cases (C) and the steps of a restore (R). `docs/glossary.md` says what each is,
/// and where it is written.
const REGISTERS: &[(char, u32, u32)] =
    &[('G', 1, 7), ('P', 1, 8), ('S', 1, 5), ('E', 1, 4), ('T', 0, 6), ('C', 0, 14), ('R', 0, 7)];

/// Numbered names in comments and on pages that no register has.
pub(crate) fn strays(file: &Source) -> Vec<Finding> {
    let is_page = file.path.ends_with(".md");
    if !is_page && !file.path.ends_with(".rs") {
        return Vec::new();
    }
    let mut found = Vec::new();
    for (line, number) in file.text.lines().zip(1..) {
        let prose = if is_page { Some(line) } else { line.split_once("//").map(|(_, comment)| comment) };
        for word in prose.unwrap_or_default().split(|c: char| !c.is_ascii_alphanumeric()) {
            if is_stray(word) {
                let what = format!("{word} is in no register");
                found.push(Finding::new(
                    file.at(number),
                    what,
                    "say it in words, or use a number that exists",
                ));
            }
        }
    }
    found
}

/// Whether the word is a register's letter and a number that this register lacks.
fn is_stray(word: &str) -> bool {
    let mut rest = word.chars();
    let register = rest.next().and_then(|letter| REGISTERS.iter().find(|(known, ..)| *known == letter));
    let digits = rest.as_str();
    let Some((_, first, last)) = register else { return false };
    if digits.is_empty() || digits.len() > 2 || !digits.bytes().all(|byte| byte.is_ascii_digit()) {
        return false;
    }
    digits.parse::<u32>().is_ok_and(|number| !(*first..=*last).contains(&number))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_number_of_no_register_is_found() {
        let stray = format!("R{}", 26);
        let found = |path: &str, text: &str| strays(&Source::new(path, text)).len();
        assert_eq!(found("src/a.rs", &format!("/// {stray}: a dead letter has an origin.")), 1);
        assert_eq!(found("README.md", &format!("see {stray}")), 1);
        assert_eq!(found("src/a.rs", &format!("let {stray} = 1;")), 0);
        assert_eq!(found("src/a.rs", "/// P2, C14 and T0 hold; S3 too. SHA256, R, P99th, E1234."), 0);
    }
}
