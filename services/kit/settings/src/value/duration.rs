//! Durations as settings: a whole number and a unit.

use std::cmp::Ordering;
use std::time::Duration;

use super::{Value, largest_unit, split_unit};

/// The units and their nanoseconds, ascending.
const UNITS: [(&str, u128); 7] = [
    ("ns", 1),
    ("us", 1_000),
    ("ms", 1_000_000),
    ("s", NANOS_PER_SECOND),
    ("m", 60 * NANOS_PER_SECOND),
    ("h", 3_600 * NANOS_PER_SECOND),
    ("d", 86_400 * NANOS_PER_SECOND),
];

const NANOS_PER_SECOND: u128 = 1_000_000_000;

/// The shortest exact text of a duration, as settings accept it: `1500ms`, `3s`, `30d`.
pub fn print(duration: Duration) -> String {
    let nanos = duration.as_nanos();
    if nanos == 0 {
        return "0s".to_owned();
    }
    let (number, unit) = largest_unit(nanos, &UNITS);
    format!("{number}{unit}")
}

impl Value for Duration {
    const SHAPE: &'static str = "a duration such as 250ms, 3s, 5m, 2h or 30d";

    fn parse(text: &str) -> Result<Self, String> {
        let (number, unit) = split_unit(text)?;
        let (_, nanos_per_unit) = UNITS
            .iter()
            .find(|(name, _)| *name == unit)
            .ok_or_else(|| "its unit is none of ns, us, ms, s, m, h, d".to_owned())?;
        number.checked_mul(*nanos_per_unit).and_then(from_nanos).ok_or_else(|| "it is too long".to_owned())
    }

    fn compare(&self, bound: &Self) -> Option<Ordering> {
        Some(self.cmp(bound))
    }
}

fn from_nanos(nanos: u128) -> Option<Duration> {
    let seconds = u64::try_from(nanos / NANOS_PER_SECOND).ok()?;
    let rest = u32::try_from(nanos % NANOS_PER_SECOND).ok()?;
    Some(Duration::new(seconds, rest))
}

#[cfg(test)]
mod tests {
    use super::{Duration, Value, print};
    use proptest::prelude::{any, proptest};

    proptest! {
        #[test]
        fn a_printed_duration_parses_to_itself(seconds in any::<u64>(), nanos in 0_u32..1_000_000_000) {
            for duration in [Duration::new(seconds, nanos), Duration::from_secs(seconds), Duration::from_millis(seconds)] {
                assert_eq!(Duration::parse(&print(duration)), Ok(duration));
            }
        }

        #[test]
        fn no_text_makes_the_parser_panic(text in "[0-9]{0,45}[a-z ]{0,3}") {
            drop(Duration::parse(&text));
        }
    }

    #[test]
    fn each_unit_is_read() {
        let read = |text| Duration::parse(text).map(|duration| duration.as_nanos());
        assert_eq!(read("250ms"), Ok(250_000_000));
        assert_eq!(read("3 s"), Ok(3_000_000_000));
        assert_eq!(read("30d"), Ok(30 * 86_400 * 1_000_000_000));
        assert_eq!(print(Duration::ZERO), "0s");
        assert_eq!(print(Duration::from_secs(90)), "90s");
    }

    #[test]
    fn a_duration_without_a_unit_is_refused() {
        for text in ["", "3", "s", "1.5s", "-1s", "3S", "1h30m", "99999999999999999999999d"] {
            assert!(Duration::parse(text).is_err(), "{text}");
        }
    }
}
