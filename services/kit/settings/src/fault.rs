//! What is wrong with a setting, in words with which it can be mended without reading code.

use std::fmt;

use strsim::levenshtein;

use crate::Field;

/// The longest piece of a public value that a fault repeats, in characters.
const SHOWN_CHARS_MAX: usize = 40;

/// One thing wrong with the settings. It never holds a secret's value.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("{subject}: got {got}; wanted {wanted}; {mend}")]
pub struct Fault {
    /// The setting's key and environment variable, or the file.
    subject: String,
    /// What was found: a public value's short text, a secret's shape.
    got: String,
    /// What would have been accepted.
    wanted: String,
    /// What to do about it.
    mend: String,
}

impl Fault {
    /// A fault of one setting, as [`Reader::require`](crate::Reader::require) needs it:
    ///
    /// ```
    /// use settings::{Fault, Field};
    /// const LINGER: Field =
    ///     Field::new("kafka.linger", "AFTERSEND_KAFKA_LINGER", "How long a record waits.");
    /// let fault = Fault::new(&LINGER, "7s", "less than kafka.message_timeout (3s)", "lower it");
    /// assert_eq!(
    ///     fault.to_string(),
    ///     "kafka.linger (AFTERSEND_KAFKA_LINGER): got 7s; \
    ///      wanted less than kafka.message_timeout (3s); lower it"
    /// );
    /// ```
    pub fn new(
        field: &Field,
        got: impl Into<String>,
        wanted: impl Into<String>,
        mend: impl Into<String>,
    ) -> Fault {
        Fault::of(format!("{} ({})", field.key, field.env), got, wanted, mend)
    }

    /// A fault of something that isn't a setting, such as the file.
    pub(crate) fn of(
        subject: impl Into<String>,
        got: impl Into<String>,
        wanted: impl Into<String>,
        mend: impl Into<String>,
    ) -> Fault {
        Fault { subject: subject.into(), got: got.into(), wanted: wanted.into(), mend: mend.into() }
    }
}

/// Every fault of one reading, in the order in which they were found. Displayed one per line.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Faults(Vec<Fault>);

impl Faults {
    /// Keeps each distinct fault once: two roles may read the same faulty setting.
    pub(crate) fn new(found: Vec<Fault>) -> Faults {
        let mut distinct: Vec<Fault> = Vec::with_capacity(found.len());
        for fault in found {
            if !distinct.contains(&fault) {
                distinct.push(fault);
            }
        }
        Faults(distinct)
    }

    /// The faults, at least one.
    pub fn iter(&self) -> impl Iterator<Item = &Fault> {
        self.0.iter()
    }
}

impl fmt::Display for Faults {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        for (index, fault) in self.0.iter().enumerate() {
            if index > 0 {
                writeln!(f)?;
            }
            write!(f, "{fault}")?;
        }
        Ok(())
    }
}

impl std::error::Error for Faults {}

/// A public value as a fault shows it: quoted, on one line, and cut where it is long.
pub(crate) fn shown(text: &str) -> String {
    let head: String = text.chars().take(SHOWN_CHARS_MAX).collect();
    if head.len() == text.len() {
        format!("{head:?}")
    } else {
        format!("{head:?}… ({} characters)", text.chars().count())
    }
}

/// A secret as a fault shows it: only its length.
pub(crate) fn redacted(text: &str) -> String {
    format!("a secret of {} characters", text.chars().count())
}

/// The known name that was most likely meant: at most a third of its characters differ (Levenshtein
/// distance).
pub(crate) fn nearest<'a>(name: &str, known: impl IntoIterator<Item = &'a str>) -> Option<&'a str> {
    known
        .into_iter()
        .map(|candidate| (levenshtein(name, candidate), candidate))
        .min()
        .filter(|(distance, candidate)| distance * 3 <= candidate.chars().count())
        .map(|(_, candidate)| candidate)
}

#[cfg(test)]
mod tests {
    use super::{nearest, shown};

    #[test]
    fn a_slip_is_recognised_and_a_stranger_is_not() {
        let known = ["gateway.listen", "gateway.body_limit"];
        assert_eq!(nearest("gateway.lisen", known), Some("gateway.listen"));
        assert_eq!(nearest("gateway.bodylimit", known), Some("gateway.body_limit"));
        assert_eq!(nearest("warehouse", known), None);
    }

    #[test]
    fn a_long_value_is_cut_and_stays_on_one_line() {
        let text = format!("first\nsecond{}", "x".repeat(100));
        let shown = shown(&text);
        assert!(!shown.contains('\n'), "{shown}");
        assert!(shown.ends_with("(112 characters)"), "{shown}");
    }
}
