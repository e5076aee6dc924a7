//! How much a line of code packs: closures, and `let`s that take a tuple apart.
//!
//! A closure or a tuple is often the shortest way to write something, and one too many makes the reader look
//! up types. The limits are a little above what the tree has, so that the density can only fall.

use crate::finding::Finding;
use crate::tree::Source;
use syn::visit::{self, Visit};
use syn::{ExprClosure, FnArg, Local, Pat};

/// Closures per thousand lines.
const CLOSURES_MAX: f64 = 37.0;
/// `let (a, b) = …` per thousand lines.
const TUPLE_LETS_MAX: f64 = 4.3;

/// What the code of some files amounts to.
#[derive(Debug, Default, Clone, Copy, PartialEq, Eq)]
pub(crate) struct Density {
    /// Lines, blank ones too.
    pub(crate) lines: usize,
    /// Closures.
    pub(crate) closures: usize,
    /// `let`s whose pattern is a tuple.
    pub(crate) tuple_lets: usize,
    /// Parameters of functions whose type is a tuple.
    pub(crate) tuple_parameters: usize,
}

impl Density {
    /// Measures the part of each file that is not a test.
    pub(crate) fn measure<'a>(files: impl Iterator<Item = &'a Source>) -> Density {
        let mut density = Density::default();
        for file in files {
            let text = file.product_text();
            density.lines += text.lines().count();
            if let Ok(syntax) = syn::parse_file(text) {
                density.visit_file(&syntax);
            }
        }
        density
    }

    /// How many there are per thousand lines.
    #[expect(clippy::cast_precision_loss, reason = "counts of lines are small")]
    pub(crate) fn per_1000_lines(&self, count: usize) -> f64 {
        1_000.0 * count as f64 / self.lines.max(1) as f64
    }
}

/// What is above its limit.
pub(crate) fn too_dense(density: &Density) -> Vec<Finding> {
    let counted = [
        ("closures", density.closures, CLOSURES_MAX, "name a step as a function, or write the loop"),
        ("tuple lets", density.tuple_lets, TUPLE_LETS_MAX, "use a struct with named fields, or a `let` each"),
    ];
    let mut found = Vec::new();
    for (what, count, max, mend) in counted {
        let per_1000 = density.per_1000_lines(count);
        if per_1000 > max {
            let what = format!("{per_1000:.1} {what} per 1,000 lines (at most {max})");
            found.push(Finding::new("services", what, mend));
        }
    }
    found
}

impl Visit<'_> for Density {
    fn visit_expr_closure(&mut self, closure: &ExprClosure) {
        self.closures += 1;
        visit::visit_expr_closure(self, closure);
    }

    fn visit_local(&mut self, local: &Local) {
        self.tuple_lets += usize::from(matches!(local.pat, Pat::Tuple(_)));
        visit::visit_local(self, local);
    }

    fn visit_fn_arg(&mut self, argument: &FnArg) {
        if let FnArg::Typed(typed) = argument {
            self.tuple_parameters += usize::from(matches!(*typed.ty, syn::Type::Tuple(_)));
        }
        visit::visit_fn_arg(self, argument);
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn closures_and_tuples_are_counted_outside_tests() {
        let text = "fn f(pair: (u8, u8)) {\n    let (a, b) = pair;\n    let g = |x| move || x;\n}\n\n\
                    #[cfg(test)]\nmod tests {\n    fn t() { let (a, b) = (1, 2); }\n}\n";
        let density = Density::measure([Source::new("src/a.rs", text)].iter());
        assert_eq!(density, Density { lines: 4, closures: 2, tuple_lets: 1, tuple_parameters: 1 });
        assert_eq!(too_dense(&density).len(), 2);
        assert!(
            too_dense(&Density { lines: 1_000, closures: 30, tuple_lets: 4, tuple_parameters: 0 }).is_empty()
        );
    }
}
