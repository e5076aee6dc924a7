//! A calendar date and time as Unix milliseconds.

/// Reads ISO 8601, in its long and its short form; `None` where a part is missing or out of range.
pub(super) fn parse(text: &str) -> Option<i64> {
    let mut rest = text.trim();
    let year = number(&mut rest, 4)?;
    skip(&mut rest, '-');
    let month = number(&mut rest, 2)?;
    skip(&mut rest, '-');
    let day = number(&mut rest, 2)?;
    let days = days_since_1970(year, month, day)?;
    if rest.is_empty() {
        return Some(days * 86_400_000);
    }
    rest = rest.strip_prefix(['T', 't', ' '])?;
    let hour = number(&mut rest, 2)?;
    skip(&mut rest, ':');
    let minute = number(&mut rest, 2)?;
    let second = if skip(&mut rest, ':') || rest.starts_with(|c: char| c.is_ascii_digit()) {
        number(&mut rest, 2)?
    } else {
        0
    };
    let millis = fraction(&mut rest);
    // 60 is a leap second.
    if hour > 24 || minute > 59 || second > 60 {
        return None;
    }
    let local_s = days * 86_400 + hour * 3_600 + minute * 60 + second;
    Some((local_s - offset_s(rest.trim_start())?) * 1_000 + millis)
}

/// Takes so many digits.
fn number(rest: &mut &str, digits: usize) -> Option<i64> {
    let (number, after) = rest.split_at_checked(digits)?;
    let value = number.bytes().all(|byte| byte.is_ascii_digit()).then(|| number.parse().ok())?;
    *rest = after;
    value
}

fn skip(rest: &mut &str, separator: char) -> bool {
    let after = rest.strip_prefix(separator);
    *rest = after.unwrap_or(rest);
    after.is_some()
}

/// Takes a fraction of a second: milliseconds, what is finer cut off.
fn fraction(rest: &mut &str) -> i64 {
    let Some(after) = rest.strip_prefix(['.', ',']) else { return 0 };
    let digits = after.bytes().take_while(u8::is_ascii_digit).count();
    let millis = after.bytes().take(digits).chain(std::iter::repeat(b'0')).take(3);
    let millis = millis.fold(0, |millis, digit| millis * 10 + i64::from(digit - b'0'));
    *rest = &after[digits..];
    millis
}

/// How far a zone is ahead of UTC, in seconds.
fn offset_s(zone: &str) -> Option<i64> {
    let sign = match zone {
        "" | "Z" | "z" | "UTC" | "GMT" => return Some(0),
        _ if zone.starts_with('+') => 1,
        _ if zone.starts_with('-') => -1,
        _ => return None,
    };
    let mut rest = &zone[1..];
    let hours = number(&mut rest, 2)?;
    skip(&mut rest, ':');
    let minutes = if rest.is_empty() { 0 } else { number(&mut rest, 2)? };
    let is_whole = rest.is_empty() && hours <= 18 && minutes <= 59;
    is_whole.then_some(sign * (hours * 3_600 + minutes * 60))
}

/// Days from 1970-01-01 to a date of the Gregorian calendar. March begins the year here, so that the leap day
/// ends it.
fn days_since_1970(year: i64, month: i64, day: i64) -> Option<i64> {
    let is_leap = year % 4 == 0 && (year % 100 != 0 || year % 400 == 0);
    let days_of_month = match month {
        2 => 28 + i64::from(is_leap),
        4 | 6 | 9 | 11 => 30,
        1 | 3 | 5 | 7 | 8 | 10 | 12 => 31,
        _ => return None,
    };
    if !(1..=days_of_month).contains(&day) {
        return None;
    }
    let year = year - i64::from(month <= 2);
    let day_of_year = (153 * ((month + 9) % 12) + 2) / 5 + day - 1;
    Some(365 * year + year / 4 - year / 100 + year / 400 + day_of_year - 719_468)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn days_are_counted_over_leap_years() {
        for (date, days) in [
            ((1970, 1, 1), 0),
            ((1969, 12, 31), -1),
            ((2000, 2, 29), 11_016),
            ((2000, 3, 1), 11_017),
            ((2100, 3, 1), 47_541),
            ((2024, 12, 31), 20_088),
        ] {
            assert_eq!(days_since_1970(date.0, date.1, date.2), Some(days), "{date:?}");
        }
        assert_eq!(days_since_1970(2100, 2, 29), None);
    }
}
