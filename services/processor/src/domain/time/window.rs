//! The dedupe window: which ids are remembered where, and for how long.
//!
//! Ids are in buckets by the event's own day. So one look-up finds a duplicate, and whole days expire at
//! once. An event far from the present (a redrive, a wrong clock, no time at all) is also remembered in the
//! bucket [`LATE`], with the day on which it was appended. All decisions depend only on the event and on the
//! partition's clock, so a replay decides the same.
//!
//! With each id stands a hash of what its event said ([`ContentHash`]). So an id that comes again with other
//! content is told from a copy, by the same look-up. This holds within a bucket. Where the second event is
//! dated on another day, and both are recent, it is looked up in another bucket and not recognised.

use schemas::id::DedupeId;

use crate::domain::event::content::ContentHash;

/// Days since 1970-01-01. The number [`LATE`] stands for no day.
pub type Day = u16;

/// The bucket of ids that are remembered by their append day.
pub const LATE: Day = 0;

/// Milliseconds of a day.
pub const DAY_MS: i64 = 86_400_000;

/// How far behind the clock a day still counts as recent: the vendor retries for seven days, and one day is
/// slack.
const RECENT_DAYS: Day = 8;

/// The day of a time, within the numbers that a bucket can have.
#[must_use]
pub fn day(at_ms: i64) -> Day {
    Day::try_from(at_ms.div_euclid(DAY_MS).clamp(1, i64::from(Day::MAX) - 1)).unwrap_or(1)
}

/// For how many days an id is remembered.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Window(Day);

/// An event as the window sees it: everything that decides whether the event is a duplicate.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Sighting {
    /// The event's id.
    pub id: DedupeId,
    /// What the event says.
    pub content: ContentHash,
    /// The event's own day, where it has a usable time.
    pub day: Option<Day>,
    /// The day of the partition's clock when the event is read.
    pub now: Day,
}

/// What the window knows of an event.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Seen {
    /// No event with its id has taken effect.
    Never,
    /// A copy of it has taken effect.
    AsCopy,
    /// Its id belongs to an event that says something else.
    AsAnother,
}

impl Sighting {
    /// What the event is, where one with its id and the content `remembered` has taken effect.
    #[must_use]
    pub fn compared_with(&self, remembered: ContentHash) -> Seen {
        if self.content.is_copy_of(remembered) { Seen::AsCopy } else { Seen::AsAnother }
    }
}

/// Where an id is looked up, and where it is remembered when it is new.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Placement {
    /// The bucket of the event's day, where the event has a day that may hold the id.
    pub day: Option<Day>,
    /// Whether the late bucket is read and written, too.
    pub late: bool,
    /// Whether the event's day is written, and not only read.
    pub remember_day: bool,
}

impl Window {
    /// Fewest days: the vendor retries for seven.
    pub const DAYS_MIN: Day = 8;

    /// Most days that the arithmetic of days allows for.
    pub const DAYS_MAX: Day = 3_650;

    /// A window of `days`, within [`Self::DAYS_MIN`] and [`Self::DAYS_MAX`].
    #[must_use]
    pub fn new(days: Day) -> Option<Self> {
        (Self::DAYS_MIN..=Self::DAYS_MAX).contains(&days).then_some(Self(days))
    }

    /// The window's length in days.
    #[must_use]
    pub fn days(self) -> Day {
        self.0
    }

    /// Where an event of day `event` belongs when the partition's clock stands at day `now`. `None` is an
    /// event without a usable time; every copy of it must find the same place.
    #[must_use]
    pub fn place(self, event: Option<Day>, now: Day) -> Placement {
        let Some(event) = event else {
            return Placement { day: None, late: true, remember_day: false };
        };
        let recent = now.saturating_sub(RECENT_DAYS) <= event && event <= now.saturating_add(1);
        let ahead = event > now.saturating_add(1) && event <= now.saturating_add(self.0).saturating_add(1);
        Placement { day: Some(event), late: !recent, remember_day: recent || ahead }
    }

    /// Whether the bucket of `event` is forgotten when the clock stands at `now`.
    #[must_use]
    pub fn day_expired(self, event: Day, now: Day) -> bool {
        now > event.saturating_add(self.0).saturating_add(RECENT_DAYS)
    }

    /// Whether a late id that was appended on day `appended` is forgotten when the clock stands at `now`.
    #[must_use]
    pub fn late_expired(self, appended: Day, now: Day) -> bool {
        now > appended.saturating_add(self.0)
    }
}

#[cfg(test)]
mod tests {
    use std::collections::HashMap;

    use proptest::prelude::*;

    use super::*;

    /// Ids as a naive map, kept by the rule.
    #[derive(Default)]
    struct Memory {
        days: HashMap<(Day, u32), ()>,
        late: HashMap<u32, Day>,
    }

    impl Memory {
        /// Whether `id` is a duplicate; remembers it where it is not.
        fn meets(&mut self, window: Window, id: u32, event: Option<Day>, now: Day) -> bool {
            let place = window.place(event, now);
            let in_day = place
                .day
                .is_some_and(|day| !window.day_expired(day, now) && self.days.contains_key(&(day, id)));
            let in_late =
                place.late && self.late.get(&id).is_some_and(|appended| !window.late_expired(*appended, now));
            if in_day || in_late {
                return true;
            }
            if let Some(day) = place.day.filter(|_| place.remember_day) {
                self.days.insert((day, id), ());
            }
            if place.late {
                self.late.insert(id, now);
            }
            false
        }
    }

    proptest! {
        /// P1: whatever the event's time says, a copy within the window after the first is a duplicate.
        #[test]
        fn a_copy_within_the_window_is_a_duplicate(
            event in proptest::option::of(19_000u16..21_000),
            first in 19_900u16..20_100,
            later in 0u16..=30,
            window in 8u16..60,
        ) {
            let window = Window::new(window).expect("within bounds");
            let mut memory = Memory::default();
            prop_assert!(!memory.meets(window, 1, event, first));
            prop_assume!(later <= window.days());
            prop_assert!(memory.meets(window, 1, event, first + later));
        }

        /// The clock of a partition never goes back, so nothing is remembered for ever either.
        #[test]
        fn every_id_is_forgotten_in_the_end(event in proptest::option::of(19_000u16..20_200), first in 19_900u16..20_100) {
            let window = Window::new(30).expect("within bounds");
            let mut memory = Memory::default();
            memory.meets(window, 1, event, first);
            prop_assert!(!memory.meets(window, 1, event, first + 400));
        }
    }

    #[test]
    fn a_recent_event_costs_one_probe() {
        let window = Window::new(30).expect("within bounds");
        for event in 20_000 - 8..=20_001 {
            assert_eq!(
                window.place(Some(event), 20_000),
                Placement { day: Some(event), late: false, remember_day: true }
            );
        }
        assert!(window.place(Some(19_991), 20_000).late);
        assert!(window.place(Some(20_002), 20_000).late);
    }

    #[test]
    fn a_window_shorter_than_the_vendors_retries_is_refused() {
        assert_eq!(Window::new(7), None);
        assert_eq!(day(-1), 1);
        assert_eq!(day(DAY_MS * 20_000 + 5), 20_000);
    }
}
