//! Comments: how wide they are, how much of the code is documented, and how they are punctuated.

use crate::finding::Finding;
use crate::tree::Source;

/// The width of the code, which rustfmt does not enforce for comments.
const COLUMNS_MAX: usize = 110;
/// Doc lines with words, in percent of all lines that are not blank.
const DOCUMENTED_MIN_PERCENT: f64 = 15.0;

/// Every comment line that is wider than the code may be. A line without a space to break at, such as a long
/// address, passes.
pub(crate) fn wide(file: &Source) -> Vec<Finding> {
    let is_wide = |line: &str| {
        let words = line.trim_start().trim_start_matches(['/', '!']).trim();
        line.chars().count() > COLUMNS_MAX && is_comment(line) && words.contains(' ')
    };
    let lines = file.text.lines().zip(1..).filter(|(line, _)| is_wide(line));
    lines
        .map(|(line, number)| {
            let what = format!("a comment of {} columns (at most {COLUMNS_MAX})", line.chars().count());
            Finding::new(file.at(number), what, "break the line")
        })
        .collect()
}

/// What the comments of some files amount to.
#[derive(Debug, Default, Clone, Copy, PartialEq)]
pub(crate) struct Prose {
    /// Lines that are not blank, comments among them.
    pub(crate) lines: usize,
    /// Lines of documentation with words in them: no blank ones, no headings.
    pub(crate) documented: usize,
    /// Lines of plain comments.
    pub(crate) plain: usize,
    /// Comment lines that are wider than the code may be.
    pub(crate) wide: usize,
    /// Sentences of documentation, by their final full stop, question mark or exclamation mark.
    pub(crate) sentences: usize,
    /// Colons in documentation, without those of paths.
    pub(crate) colons: usize,
    /// Semicolons in documentation.
    pub(crate) semicolons: usize,
}

impl Prose {
    /// Measures the part of each file that is not a test.
    pub(crate) fn measure<'a>(files: impl Iterator<Item = &'a Source>) -> Prose {
        let mut prose = Prose::default();
        for file in files {
            prose.wide += wide(file).len();
            for line in file.product_text().lines().filter(|line| !line.trim().is_empty()) {
                prose.add(line);
            }
        }
        prose
    }

    fn add(&mut self, line: &str) {
        self.lines += 1;
        let Some(words) = documentation(line) else {
            self.plain += usize::from(is_comment(line));
            return;
        };
        if words.is_empty() || words.starts_with('#') {
            return;
        }
        self.documented += 1;
        let ends = |word: &&str| word.trim_end_matches([')', '*', '"', '`']).ends_with(['.', '?', '!']);
        self.sentences += words.split_whitespace().filter(ends).count();
        self.colons += words.split_whitespace().filter(|word| word.ends_with(':')).count();
        self.semicolons += words.split_whitespace().filter(|word| word.ends_with(';')).count();
    }

    /// Documented lines in percent of all lines that are not blank.
    pub(crate) fn documented_percent(&self) -> f64 {
        percent(self.documented, self.lines)
    }

    /// How many there are per hundred sentences.
    pub(crate) fn per_100_sentences(&self, count: usize) -> f64 {
        percent(count, self.sentences)
    }
}

/// Fails the tree as a whole if too little of it is documented.
pub(crate) fn undocumented(prose: &Prose) -> Option<Finding> {
    let percent = prose.documented_percent();
    let what = format!("{percent:.1} % of the lines document (at least {DOCUMENTED_MIN_PERCENT} %)");
    (percent < DOCUMENTED_MIN_PERCENT).then(|| {
        Finding::new("services", what, "say of each item what it means, its unit, its limit, its errors")
    })
}

fn is_comment(line: &str) -> bool {
    line.trim_start().starts_with("//")
}

/// The words of a doc line.
fn documentation(line: &str) -> Option<&str> {
    let line = line.trim_start();
    line.strip_prefix("///").or_else(|| line.strip_prefix("//!")).map(str::trim)
}

#[expect(clippy::cast_precision_loss, reason = "counts of lines are small")]
fn percent(part: usize, whole: usize) -> f64 {
    100.0 * part as f64 / whole.max(1) as f64
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_wide_comment_is_found() {
        let comment = |words: &str| wide(&Source::new("src/a.rs", words)).len();
        let filler = "x".repeat(COLUMNS_MAX - 5);
        assert_eq!(comment(&format!("/// {filler} y")), 1);
        assert_eq!(comment(&format!("//! {filler}")), 0);
        assert_eq!(comment(&format!("// https://{filler}/{filler}")), 0);
        assert_eq!(comment(&format!("let text = \"{filler} {filler}\";")), 0);
    }

    #[test]
    fn headings_and_blank_lines_document_nothing() {
        let text =
            "/// Says it. And: this; that.\n///\n/// # Errors\n/// None.\nfn f() {}\n\n// Why.\nfn g() {}\n";
        let prose = Prose::measure([Source::new("src/a.rs", text)].iter());
        let expected =
            Prose { lines: 7, documented: 2, plain: 1, wide: 0, sentences: 3, colons: 1, semicolons: 1 };
        assert_eq!(prose, expected);
        assert_eq!(undocumented(&prose), None);
        let bare = Prose { lines: 100, documented: 14, ..Prose::default() };
        assert!(undocumented(&bare).is_some());
    }

    #[test]
    fn tests_are_not_measured() {
        let text = "/// Doc.\nfn f() {}\n\n#[cfg(test)]\nmod tests {\n    fn g() {}\n}\n";
        assert_eq!(Prose::measure([Source::new("src/a.rs", text)].iter()).lines, 2);
        assert_eq!(Prose::measure([Source::new("src/a/tests.rs", text)].iter()).lines, 0);
    }
}
