//! What is odd about an event that was understood all the same.

use std::fmt;

/// One oddity. The set is closed, so that each can be a metric's label.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Oddity {
    /// The event came in a bare JSON array, and not in `{"events": […]}`.
    BareArray,
    /// `data` was a text that holds JSON.
    DataAsText,
    /// `timestamp` was a calendar date and time (ISO 8601).
    TimeAsDate,
    /// The metric had another name than the vendor's.
    MetricAlias,
    /// Preferences changed, and the event doesn't say how: "Include body content" is off in the vendor's
    /// settings.
    PreferencesMissing,
    /// `failure_message` was an object or a list.
    FailureNotText,
}

impl Oddity {
    /// Every oddity, for tables.
    pub const ALL: [Self; 6] = [
        Self::BareArray,
        Self::DataAsText,
        Self::TimeAsDate,
        Self::MetricAlias,
        Self::PreferencesMissing,
        Self::FailureNotText,
    ];

    /// The metric's label.
    #[must_use]
    pub fn code(self) -> &'static str {
        match self {
            Self::BareArray => "bare_array",
            Self::DataAsText => "data_as_text",
            Self::TimeAsDate => "time_as_date",
            Self::MetricAlias => "metric_alias",
            Self::PreferencesMissing => "preferences_missing",
            Self::FailureNotText => "failure_not_text",
        }
    }

    fn bit(self) -> u8 {
        1 << self as u8
    }
}

/// A set of oddities.
#[derive(Clone, Copy, PartialEq, Eq, Default)]
pub struct Oddities(u8);

impl Oddities {
    /// The oddities in the set, in the order of [`Oddity::ALL`].
    pub fn iter(self) -> impl Iterator<Item = Oddity> {
        Oddity::ALL.into_iter().filter(move |oddity| self.0 & oddity.bit() != 0)
    }

    pub(crate) fn add(&mut self, oddity: Oddity) {
        self.0 |= oddity.bit();
    }

    pub(crate) fn add_if(&mut self, is_odd: bool, oddity: Oddity) {
        if is_odd {
            self.add(oddity);
        }
    }
}

impl fmt::Debug for Oddities {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_set().entries(self.iter()).finish()
    }
}
