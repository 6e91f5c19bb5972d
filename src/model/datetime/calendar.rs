//! The proleptic Gregorian calendar, counted in days from 2000-01-01 as the server stores dates.
//!
//! It is written out here because the server's range (4714 BC to 5874898 AD) is wider than that of calendar crates.

/// 1970-01-01, from which Unix and Arrow count, in days since 2000-01-01.
pub const UNIX_EPOCH_DAYS: i64 = -10_957;
/// The server's first date, 4714-11-24 BC: day 0 of the Julian day count.
pub const DATE_MIN: i64 = -2_451_545;
/// The day after the server's last date, 5874897-12-31.
pub const DATE_END: i64 = 2_145_031_949;

/// Days in 400 years, after which the calendar repeats, weekdays included.
const DAYS_PER_ERA: i64 = 146_097;
/// 2000-03-01, where an era begins, in days since 2000-01-01.
const ERA_START: i64 = 60;

/// Whether the server has a date so many days after 2000-01-01; infinities aside.
#[must_use]
pub const fn days_are_a_date(days: i64) -> bool {
    DATE_MIN <= days && days < DATE_END
}

/// The day that has in this calendar the date that the day `days` has in the Julian one, both counted from 2000-01-01;
/// `None` where this calendar lacks that date, a 29 February.
#[must_use]
pub fn same_date_as_in_julian(days: i64) -> Option<i64> {
    // Days since 1 March 4801 BC, from which Julian years of 1461 days in four, and months as below, are counted.
    let from_march = days.checked_sub(DATE_MIN)?.checked_add(32_082)?;
    let year = (4 * from_march + 3).div_euclid(1_461);
    let day_of_year = from_march - (1_461 * year).div_euclid(4);
    let month = (5 * day_of_year + 2) / 153;
    let date = Civil {
        year: year - 4_800 + month / 10,
        month: u8::try_from(month + 3 - 12 * (month / 10)).expect("a month is 1 to 12"),
        day: u8::try_from(day_of_year - (153 * month + 2) / 5 + 1).expect("a day of a month is 1 to 31"),
    };
    let same = date.to_days();
    (Civil::from_days(same) == date).then_some(same)
}

/// A day of the calendar.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(in crate::model) struct Civil {
    /// Astronomical year: 0 is 1 BC.
    pub(in crate::model) year: i64,
    /// Month, from 1.
    pub(in crate::model) month: u8,
    /// Day of the month, from 1.
    pub(in crate::model) day: u8,
}

impl Civil {
    /// From days since 2000-01-01.
    ///
    /// Years are counted from March, so that a leap day ends its year and each month starts on a fixed day of it.
    pub(in crate::model) fn from_days(days: i64) -> Self {
        let from_era = days.saturating_sub(ERA_START);
        let era = from_era.div_euclid(DAYS_PER_ERA);
        let day_of_era = from_era.rem_euclid(DAYS_PER_ERA);
        // Without its leap days an era has years of 365 days: one more in 4 years, one less in 100, one more in 400.
        let year_of_era = (day_of_era - day_of_era / 1_460 + day_of_era / 36_524 - day_of_era / 146_096) / 365;
        let day_of_year = day_of_era - (365 * year_of_era + year_of_era / 4 - year_of_era / 100);
        let from_march = (5 * day_of_year + 2) / 153; // months of 30 and 31 days take turns: 153 days in five
        let month = (from_march + 2) % 12 + 1;
        Self {
            year: 2000 + era * 400 + year_of_era + i64::from(month <= 2),
            month: u8::try_from(month).expect("a month is 1 to 12"),
            day: u8::try_from(day_of_year - (153 * from_march + 2) / 5 + 1).expect("a day of a month is 1 to 31"),
        }
    }

    /// Days since 2000-01-01.
    pub(in crate::model) fn to_days(self) -> i64 {
        let from_march = (i64::from(self.month) + 9) % 12;
        let year = self.year - i64::from(self.month <= 2) - 2000;
        let year_of_era = year.rem_euclid(400);
        let day_of_year = (153 * from_march + 2) / 5 + i64::from(self.day) - 1;
        let day_of_era = year_of_era * 365 + year_of_era / 4 - year_of_era / 100 + day_of_year;
        year.div_euclid(400) * DAYS_PER_ERA + day_of_era + ERA_START
    }

    /// Whether the calendar has this day.
    pub(super) fn exists(self) -> bool {
        (1..=12).contains(&self.month) && self.day >= 1 && self.day <= days_in_month(self.year, self.month)
    }
}

/// The number of days in `month` (from 1) of the astronomical `year`.
pub(super) fn days_in_month(year: i64, month: u8) -> u8 {
    match month {
        2 if year % 4 == 0 && (year % 100 != 0 || year % 400 == 0) => 29,
        2 => 28,
        4 | 6 | 9 | 11 => 30,
        _ => 31,
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    fn day(year: i64, month: u8, day: u8) -> i64 {
        Civil { year, month, day }.to_days()
    }

    #[test]
    fn the_days_that_the_server_names_have_its_numbers() {
        assert_eq!(day(2000, 1, 1), 0);
        assert_eq!(day(1970, 1, 1), UNIX_EPOCH_DAYS);
        assert_eq!(day(-4713, 11, 24), DATE_MIN);
        assert_eq!(day(5_874_898, 1, 1), DATE_END);
        assert_eq!(day(2000, 2, 29), 59);
        assert_eq!(day(1900, 3, 1) - day(1900, 2, 28), 1);
    }

    #[test]
    fn february_has_a_leap_day_by_the_gregorian_rule() {
        let lengths = [1900, 2000, 2023, 2024, 0, -4, -100].map(|year| days_in_month(year, 2));
        assert_eq!(lengths, [28, 29, 28, 29, 29, 29, 28]);
    }

    #[test]
    fn days_beyond_all_reason_do_not_panic() {
        Civil::from_days(i64::MAX);
        Civil::from_days(i64::MIN);
    }

    proptest! {
        #[test]
        fn every_day_of_the_servers_range_goes_there_and_back(days in DATE_MIN..DATE_END) {
            let civil = Civil::from_days(days);
            prop_assert!(civil.exists());
            prop_assert_eq!(civil.to_days(), days);
        }

        #[test]
        fn the_day_after_is_the_next_of_the_month_or_the_first_of_one(days in DATE_MIN..DATE_END) {
            let (today, next) = (Civil::from_days(days), Civil::from_days(days + 1));
            let steps = next.day == today.day + 1 && next.month == today.month;
            prop_assert!(steps || next.day == 1 && today.day == days_in_month(today.year, today.month));
        }
    }
}
