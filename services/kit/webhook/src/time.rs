//! When an event happened, as far as its sender says.

mod calendar;

/// 2010-01-01, before the vendor existed. Unix milliseconds.
pub const EARLIEST_MS: i64 = 1_262_304_000_000;

/// 2100-01-01. Unix milliseconds.
pub const LATEST_MS: i64 = 4_102_444_800_000;

/// How far a sender's clock may run ahead of the gateway's, in milliseconds: one day, as in the dedupe
/// window's rule.
pub const AHEAD_MAX_MS: i64 = 86_400_000;

/// An event's own time. It depends on the event alone, so that every copy of it gives the same.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub enum EventTime {
    /// Unix milliseconds, within [`EARLIEST_MS`] and [`LATEST_MS`].
    Known(i64),
    /// None was given.
    #[default]
    Missing,
    /// No number, or out of those bounds.
    Absurd,
}

/// An event's time as it takes effect.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Occurred {
    /// Unix milliseconds.
    pub at_ms: i64,
    /// Whose clock said so.
    pub source: TimeSource,
}

/// Whose clock an [`Occurred`] is by.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum TimeSource {
    /// The event's own time.
    Event,
    /// The gateway's time of receipt: the event's was missing, absurd or more than a day ahead.
    Received,
}

impl TimeSource {
    /// As `MessageOutcome.time_source` spells it.
    #[must_use]
    pub fn as_str(self) -> &'static str {
        match self {
            Self::Event => "event",
            Self::Received => "received",
        }
    }
}

impl EventTime {
    /// Reads a number's text: seconds, as the vendor writes them, with or without a fraction; or
    /// milliseconds, as other senders do. No number is plausible as both. A calendar date and time is read
    /// too, see [`is_date`].
    #[must_use]
    pub fn parse(text: &str) -> Self {
        let text = text.trim();
        let known = match text.parse::<i64>() {
            Ok(number) => number.checked_mul(1_000).and_then(plausible).or_else(|| plausible(number)),
            Err(_) if is_date(text) => calendar::parse(text).and_then(plausible),
            Err(_) => fraction(text),
        };
        known.map_or(Self::Absurd, Self::Known)
    }

    /// The event's own time in Unix milliseconds, where it has a plausible one. What dedupes must go by this:
    /// a time of receipt differs between copies of one event.
    #[must_use]
    pub fn known_ms(self) -> Option<i64> {
        if let Self::Known(at_ms) = self { Some(at_ms) } else { None }
    }

    /// The time at which the event takes effect, where the gateway received it at `received_at_ms`.
    #[must_use]
    pub fn resolve(self, received_at_ms: i64) -> Occurred {
        match self {
            Self::Known(at_ms) if at_ms <= received_at_ms.saturating_add(AHEAD_MAX_MS) => {
                Occurred { at_ms, source: TimeSource::Event }
            }
            _ => Occurred { at_ms: received_at_ms, source: TimeSource::Received },
        }
    }
}

/// Whether a text looks like a date in ISO 8601: `2026-01-31T08:30:00Z`, with a fraction, an offset, a blank
/// for the `T`, or as `20260131T083000Z`. A time without an offset is in UTC.
#[must_use]
pub fn is_date(text: &str) -> bool {
    let bytes = text.trim().as_bytes();
    let digits = bytes.iter().take_while(|byte| byte.is_ascii_digit()).count();
    matches!((digits, bytes.get(digits)), (4, Some(b'-')) | (8, Some(b'T' | b't')))
}

fn plausible(at_ms: i64) -> Option<i64> {
    (EARLIEST_MS..=LATEST_MS).contains(&at_ms).then_some(at_ms)
}

#[expect(
    clippy::cast_possible_truncation,
    reason = "a float's cast saturates, and the bounds refuse what saturated"
)]
fn fraction(text: &str) -> Option<i64> {
    let number = text.parse::<f64>().ok().filter(|number| number.is_finite())?;
    plausible((number * 1_000.0).round() as i64).or_else(|| plausible(number.round() as i64))
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    #[test]
    fn seconds_milliseconds_and_fractions_are_one_time() {
        for text in ["1613063089", "1613063089000", "1613063089.0", "1.613063089e9", " 1613063089 "] {
            assert_eq!(EventTime::parse(text), EventTime::Known(1_613_063_089_000), "{text}");
        }
        assert_eq!(EventTime::parse("1613063089.25"), EventTime::Known(1_613_063_089_250));
    }

    #[test]
    fn a_calendar_date_is_a_time() {
        for text in [
            "2021-02-11T17:04:49Z",
            "2021-02-11t17:04:49z",
            "2021-02-11 17:04:49",
            "2021-02-11T17:04:49+00:00",
            "2021-02-11T19:34:49+0230",
            "2021-02-11T09:04:49-08",
            "20210211T170449Z",
            " 2021-02-11T17:04:49.000000Z ",
            "2021-02-11 17:04:49 UTC",
        ] {
            assert_eq!(EventTime::parse(text), EventTime::Known(1_613_063_089_000), "{text}");
        }
        assert_eq!(EventTime::parse("2021-02-11T17:04:49.25Z"), EventTime::Known(1_613_063_089_250));
        assert_eq!(EventTime::parse("2021-02-11"), EventTime::Known(1_613_001_600_000));
        assert_eq!(EventTime::parse("2021-02-11T17:04"), EventTime::Known(1_613_063_040_000));
        for text in [
            "2021-02-29T00:00:00Z",
            "2021-13-01",
            "2021-02-11T25:00:00Z",
            "2021-02-11T17:04:49+99:00",
            "2021-02-11T17:04:49 CET",
            "2021-02-",
            "1999-01-01T00:00:00Z",
            "20210211T17",
        ] {
            assert_eq!(EventTime::parse(text), EventTime::Absurd, "{text}");
        }
    }

    #[test]
    fn times_that_nobody_means_are_absurd() {
        for text in
            ["0", "-1", "1262303999", "4102444801", "9223372036854775807", "1e999", "NaN", "inf", "", "noon"]
        {
            assert_eq!(EventTime::parse(text), EventTime::Absurd, "{text}");
        }
    }

    #[test]
    fn a_time_of_receipt_replaces_what_is_missing_absurd_or_far_ahead() {
        let received = 1_767_225_600_000;
        let own = |time: EventTime| time.resolve(received).source == TimeSource::Event;
        assert!(own(EventTime::Known(received + AHEAD_MAX_MS)) && own(EventTime::Known(EARLIEST_MS)));
        for time in [EventTime::Missing, EventTime::Absurd, EventTime::Known(received + AHEAD_MAX_MS + 1)] {
            assert_eq!(time.resolve(received), Occurred { at_ms: received, source: TimeSource::Received });
        }
    }

    proptest! {
        #[test]
        fn no_text_makes_it_panic_and_a_known_time_is_in_bounds(text: String, received: i64) {
            let time = EventTime::parse(&text);
            prop_assert!(time.known_ms().is_none_or(|at| (EARLIEST_MS..=LATEST_MS).contains(&at)));
            let _ = time.resolve(received);
        }

        #[test]
        fn whole_seconds_in_bounds_are_known(seconds in EARLIEST_MS / 1_000..=LATEST_MS / 1_000) {
            prop_assert_eq!(EventTime::parse(&seconds.to_string()), EventTime::Known(seconds * 1_000));
        }
    }
}
