use std::fmt;

/// One violation: where, what, and what to do about it.
#[derive(Debug, PartialEq, Eq)]
pub(crate) struct Finding {
    /// `path:line`, or a path, or a crate.
    pub(crate) place: String,
    pub(crate) what: String,
    pub(crate) mend: &'static str,
}

impl Finding {
    pub(crate) fn new(place: impl Into<String>, what: impl Into<String>, mend: &'static str) -> Finding {
        Finding { place: place.into(), what: what.into(), mend }
    }
}

impl fmt::Display for Finding {
    fn fmt(&self, out: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(out, "{}: {}; {}", self.place, self.what, self.mend)
    }
}

/// Fails with every finding, one a line.
pub(crate) fn expect_none(findings: impl IntoIterator<Item = Finding>) {
    let lines: Vec<String> = findings.into_iter().map(|finding| finding.to_string()).collect();
    assert!(lines.is_empty(), "{} to mend\n{}\n", lines.len(), lines.join("\n"));
}
