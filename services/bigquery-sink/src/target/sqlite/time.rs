//! Times as people read them.

const DAY_MS: i64 = 86_400_000;

/// `unix_ms` as ISO 8601 in UTC, such as `2026-11-20T12:34:56.789Z`. Years beyond four digits take a sign and
/// six or more digits, as ISO 8601 has it, so that no number is unspeakable.
pub(super) fn text(unix_ms: i64) -> String {
    let (year, month, day) = civil(unix_ms.div_euclid(DAY_MS));
    let in_day = unix_ms.rem_euclid(DAY_MS);
    let (hour, minute, second, ms) =
        (in_day / 3_600_000, in_day / 60_000 % 60, in_day / 1_000 % 60, in_day % 1_000);
    let time = format!("{month:02}-{day:02}T{hour:02}:{minute:02}:{second:02}.{ms:03}Z");
    if (0..=9_999).contains(&year) { format!("{year:04}-{time}") } else { format!("{year:+07}-{time}") }
}

/// The date of a day counted from 1970-01-01, in the proleptic Gregorian calendar ([Howard Hinnant's
/// `civil_from_days`](https://howardhinnant.github.io/date_algorithms.html)). Its years begin in March, so
/// that the leap day comes last.
fn civil(days: i64) -> (i64, i64, i64) {
    let from_march_0000 = days + 719_468;
    let era = from_march_0000.div_euclid(146_097);
    let day_of_era = from_march_0000.rem_euclid(146_097);
    let year_of_era = (day_of_era - day_of_era / 1_460 + day_of_era / 36_524 - day_of_era / 146_096) / 365;
    let day_of_year = day_of_era - (365 * year_of_era + year_of_era / 4 - year_of_era / 100);
    let march_month = (5 * day_of_year + 2) / 153;
    let day = day_of_year - (153 * march_month + 2) / 5 + 1;
    let month = if march_month < 10 { march_month + 3 } else { march_month - 9 };
    (era * 400 + year_of_era + i64::from(month <= 2), month, day)
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;
    use rusqlite::Connection;

    use super::text;

    #[test]
    fn extremes_are_spoken() {
        assert_eq!(text(0), "1970-01-01T00:00:00.000Z");
        assert_eq!(text(-1), "1969-12-31T23:59:59.999Z");
        assert_eq!(text(253_402_300_799_999), "9999-12-31T23:59:59.999Z");
        assert_eq!(text(253_402_300_800_000), "+010000-01-01T00:00:00.000Z");
        assert_eq!(text(i64::MAX), "+292278994-08-17T07:12:55.807Z");
        assert_eq!(text(i64::MIN), "-292275055-05-16T16:47:04.192Z");
    }

    proptest! {
        /// SQLite's own calendar is the judge: it gives the same text, and reads the text as the same number.
        #[test]
        fn sqlite_says_the_same(unix_ms in -62_167_219_200_000_i64..=253_402_300_799_999) {
            let connection = Connection::open_in_memory().expect("memory");
            let said: String = connection
                .query_row(
                    "SELECT strftime('%Y-%m-%dT%H:%M:%S', ?1, 'unixepoch') || printf('.%03dZ', ?2)",
                    (unix_ms.div_euclid(1_000), unix_ms.rem_euclid(1_000)),
                    |row| row.get(0),
                )
                .expect("sqlite tells the time");
            prop_assert_eq!(text(unix_ms), said);
        }
    }
}
