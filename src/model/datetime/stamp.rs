//! A timestamp taken apart into calendar fields, and the arithmetic of months that calendar windows need.

use super::calendar::{Civil, days_in_month};
use super::timestamp::micros_are_a_timestamp;
use super::{MICROS_PER_DAY, format};

/// A timestamp taken apart.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Stamp {
    /// Astronomical year (0 is 1 BC).
    pub year: i32,
    /// Month, from 1.
    pub month: u8,
    /// Day of the month, from 1.
    pub day: u8,
    /// Microseconds since midnight.
    pub micros: i64,
}

impl Stamp {
    /// From microseconds since 2000-01-01.
    #[must_use]
    pub fn from_micros(micros: i64) -> Self {
        let midnight = Self::from_days(micros.div_euclid(MICROS_PER_DAY));
        Self { micros: micros.rem_euclid(MICROS_PER_DAY), ..midnight }
    }

    /// Midnight of a day, from days since 2000-01-01; a year beyond `i32` is cut to it.
    #[must_use]
    pub fn from_days(days: i64) -> Self {
        let Civil { year, month, day } = Civil::from_days(days);
        let year = i32::try_from(year).unwrap_or(if year < 0 { i32::MIN } else { i32::MAX });
        Self { year, month, day, micros: 0 }
    }

    /// Back to microseconds since 2000-01-01; `None` outside the server's range.
    #[must_use]
    pub fn to_micros(self) -> Option<i64> {
        let micros = self.to_days().checked_mul(MICROS_PER_DAY)?.checked_add(self.micros)?;
        micros_are_a_timestamp(micros).then_some(micros)
    }

    /// The day alone, in days since 2000-01-01.
    #[must_use]
    pub fn to_days(self) -> i64 {
        Civil { year: self.year.into(), month: self.month, day: self.day }.to_days()
    }

    /// So many calendar months later; a day past the end of its new month becomes that month's last.
    #[must_use]
    pub fn add_months(self, months: i32) -> Self {
        let from_start = i64::from(self.year) * 12 + i64::from(self.month) - 1 + i64::from(months);
        let moved = self.at_month(from_start);
        Self { day: self.day.min(days_in_month(moved.year.into(), moved.month)), ..moved }
    }

    /// Midnight of the first day of the months that it lies in, when months are counted by `months` from 2000-01.
    #[must_use]
    pub fn floor_month(self, months: u32) -> Self {
        let from_2000 = (i64::from(self.year) - 2000) * 12 + i64::from(self.month) - 1;
        let months = i64::from(months.max(1));
        let floor = from_2000.div_euclid(months) * months;
        Self { day: 1, micros: 0, ..self.at_month(floor + 2000 * 12) }
    }

    /// With the month that is so many months after January of year 0.
    fn at_month(self, from_start: i64) -> Self {
        let year = from_start.div_euclid(12);
        let month = u8::try_from(from_start.rem_euclid(12) + 1).expect("a month is 1 to 12");
        let year = i32::try_from(year).unwrap_or(if year < 0 { i32::MIN } else { i32::MAX });
        Self { year, month, ..self }
    }

    /// `2024-01-01`, `2024-01-01 06:00`, `2024-01-01 06:00:01.5`.
    #[must_use]
    pub fn short(self) -> String {
        format::short(self)
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::super::timestamp::{TIMESTAMP_END, TIMESTAMP_MIN};
    use super::*;

    fn stamp(year: i32, month: u8, day: u8) -> Stamp {
        Stamp { year, month, day, micros: 1 }
    }

    #[test]
    fn adding_months_keeps_the_day_or_takes_the_months_last() {
        assert_eq!(stamp(2024, 1, 31).add_months(1), stamp(2024, 2, 29));
        assert_eq!(stamp(2024, 1, 31).add_months(-2), stamp(2023, 11, 30));
        assert_eq!(stamp(2024, 11, 15).add_months(14), stamp(2026, 1, 15));
        assert_eq!(stamp(0, 1, 1).add_months(-1), stamp(-1, 12, 1));
    }

    #[test]
    fn months_are_floored_to_multiples_counted_from_january_2000() {
        let first = |year, month| Stamp { year, month, day: 1, micros: 0 };
        assert_eq!(stamp(2024, 5, 17).floor_month(1), first(2024, 5));
        assert_eq!(stamp(2024, 5, 17).floor_month(3), first(2024, 4));
        assert_eq!(stamp(2024, 5, 17).floor_month(12), first(2024, 1));
        assert_eq!(stamp(2024, 5, 17).floor_month(5), first(2024, 3));
        assert_eq!(stamp(1999, 12, 31).floor_month(6), first(1999, 7));
        assert_eq!(stamp(1999, 12, 31).floor_month(0), first(1999, 12));
    }

    #[test]
    fn a_stamp_outside_the_servers_range_has_no_microseconds() {
        assert_eq!(stamp(294_277, 1, 1).to_micros(), None);
        assert_eq!(stamp(i32::MAX, 1, 1).to_micros(), None);
        assert_eq!(Stamp::from_micros(TIMESTAMP_END - 1).to_micros(), Some(TIMESTAMP_END - 1));
        assert_eq!(Stamp::from_micros(TIMESTAMP_MIN - 1).to_micros(), None);
    }

    proptest! {
        #[test]
        fn every_timestamp_goes_apart_and_back(micros in TIMESTAMP_MIN..TIMESTAMP_END) {
            prop_assert_eq!(Stamp::from_micros(micros).to_micros(), Some(micros));
        }

        #[test]
        fn a_floor_is_at_or_before_its_stamp_and_its_next_is_after(micros in TIMESTAMP_MIN..TIMESTAMP_END, months in 1_u32..50) {
            let at = Stamp::from_micros(micros);
            let floor = at.floor_month(months);
            let next = floor.add_months(months.try_into().unwrap());
            let order = |stamp: Stamp| (stamp.to_days(), stamp.micros);
            prop_assert!(order(floor) <= order(at) && order(at) < order(next));
            prop_assert_eq!(next.floor_month(months), next);
        }
    }
}
