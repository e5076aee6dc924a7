//! The clock of this machine, as Unix time.

use std::time::{SystemTime, UNIX_EPOCH};

/// Milliseconds since 1970 by the clock of this machine, which may jump. 0 where the clock stands before
/// 1970.
#[must_use]
pub fn now_ms() -> i64 {
    let since = SystemTime::now().duration_since(UNIX_EPOCH).unwrap_or_default();
    i64::try_from(since.as_millis()).unwrap_or(i64::MAX)
}

#[cfg(test)]
mod tests {
    use super::now_ms;

    #[test]
    fn the_unit_is_milliseconds_since_1970() {
        // 2020 to 2100: seconds or microseconds would lie far outside.
        assert!((1_577_836_800_000..4_102_444_800_000).contains(&now_ms()));
    }
}
