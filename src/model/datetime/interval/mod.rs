//! Texts of intervals: the verbose form that the server prints, and the designators of ISO 8601.
//!
//! The rules are those of server versions from 15 on. Earlier ones round fractions of years in another way, so these
//! are refused.

mod iso;
mod verbose;

use super::{Fault, MICROS_PER_DAY, MICROS_PER_SECOND, RANGE};

const MICROS_PER_MINUTE: i64 = 60 * MICROS_PER_SECOND;
const MICROS_PER_HOUR: i64 = 60 * MICROS_PER_MINUTE;
const DAYS_PER_WEEK: i32 = 7;
/// As the server takes a fraction of a month.
const DAYS_PER_MONTH: i32 = 30;

const FRACTION_OF_YEAR: Fault = Fault("servers read the fraction of a year in different ways");

/// Months, days and microseconds.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Interval {
    /// Calendar months.
    pub months: i32,
    /// Days.
    pub days: i32,
    /// Microseconds.
    pub micros: i64,
}

/// An interval: `1 year 2 mons 3 days 04:05:06.789`, `-1 day +02:03`, `3 weeks ago`, `P1Y2M3DT4H5M6S`.
///
/// # Errors
///
/// If the text is not an interval, or one that another version of the server would read in another way.
pub fn parse_interval(text: &[u8]) -> Result<Interval, Fault> {
    parse(text, false)
}

/// The same for a server that is known to be of version 15 or later: also the fraction of a year.
///
/// # Errors
///
/// If the text is not an interval.
pub fn parse_interval_since_15(text: &[u8]) -> Result<Interval, Fault> {
    parse(text, true)
}

fn parse(text: &[u8], rounds_years: bool) -> Result<Interval, Fault> {
    let sum = Sum { rounds_years, ..Sum::default() };
    let sum = if text.first() == Some(&b'P') { iso::read(text, sum)? } else { verbose::read(text, sum)? };
    sum.into_interval()
}

/// What one number of an interval counts.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Unit {
    Micros(i64),
    Days,
    Weeks,
    Months,
    Years(i32),
}

/// A number as it is written: whole part and fraction, both with its sign.
#[derive(Debug, Clone, Copy)]
struct Amount {
    whole: i64,
    fraction: f64,
}

/// The fields as the server sums them up; years overflow by themselves.
#[derive(Debug, Default)]
struct Sum {
    years: i32,
    months: i32,
    days: i32,
    micros: i64,
    /// Whether the fraction of a year is rounded to months.
    rounds_years: bool,
}

impl Sum {
    fn add(&mut self, amount: Amount, unit: Unit) -> Result<(), Fault> {
        if matches!(unit, Unit::Years(_)) && amount.fraction != 0.0 && !self.rounds_years {
            return Err(FRACTION_OF_YEAR);
        }
        self.try_add(amount, unit).ok_or(RANGE)
    }

    fn try_add(&mut self, amount: Amount, unit: Unit) -> Option<()> {
        match unit {
            Unit::Micros(scale) => {
                self.micros = self.micros.checked_add(amount.whole.checked_mul(scale)?)?;
                self.add_fraction(amount.fraction, scale)
            }
            // A fraction may be as much as 1, by its own rounding, and is a whole day then only by the clock.
            Unit::Days => {
                self.days = self.days.checked_add(scaled(amount.whole, 1)?)?;
                self.add_fraction(amount.fraction, MICROS_PER_DAY)
            }
            Unit::Weeks => {
                self.days = self.days.checked_add(scaled(amount.whole, DAYS_PER_WEEK)?)?;
                self.add_fraction_of_days(amount.fraction, DAYS_PER_WEEK)
            }
            Unit::Months => {
                self.months = self.months.checked_add(scaled(amount.whole, 1)?)?;
                self.add_fraction_of_days(amount.fraction, DAYS_PER_MONTH)
            }
            Unit::Years(scale) => {
                self.years = self.years.checked_add(scaled(amount.whole, scale)?)?;
                let months = (amount.fraction * f64::from(scale) * 12.0).round_ties_even();
                #[expect(clippy::cast_possible_truncation, reason = "a fraction of a millennium has few months")]
                let months = months as i32;
                self.months = self.months.checked_add(months)?;
                Some(())
            }
        }
    }

    fn add_fraction_of_days(&mut self, fraction: f64, scale: i32) -> Option<()> {
        let days = fraction * f64::from(scale);
        #[expect(clippy::cast_possible_truncation, reason = "a fraction of a week or month is less than 30 days")]
        let whole = days.trunc() as i32;
        self.days = self.days.checked_add(whole)?;
        self.add_fraction(days - f64::from(whole), MICROS_PER_DAY)
    }

    /// Adds a fraction of a unit of `scale` microseconds; a tie is rounded toward zero.
    fn add_fraction(&mut self, fraction: f64, scale: i64) -> Option<()> {
        #[expect(clippy::cast_precision_loss, reason = "the scale is at most a day, far less than 2^53 microseconds")]
        let micros = fraction * scale as f64;
        let rest = micros.fract();
        let rounding = i64::from(rest > 0.5) - i64::from(rest < -0.5);
        #[expect(clippy::cast_possible_truncation, reason = "a fraction of a day is less than a day")]
        let whole = micros.trunc() as i64;
        self.micros = self.micros.checked_add(whole + rounding)?;
        Some(())
    }

    fn negated(&self) -> Option<Self> {
        Some(Self {
            years: self.years.checked_neg()?,
            months: self.months.checked_neg()?,
            days: self.days.checked_neg()?,
            micros: self.micros.checked_neg()?,
            rounds_years: self.rounds_years,
        })
    }

    fn into_interval(self) -> Result<Interval, Fault> {
        let months = i64::from(self.years) * 12 + i64::from(self.months);
        let interval =
            Interval { months: i32::try_from(months).map_err(|_| RANGE)?, days: self.days, micros: self.micros };
        let most = Interval { months: i32::MAX, days: i32::MAX, micros: i64::MAX };
        let least = Interval { months: i32::MIN, days: i32::MIN, micros: i64::MIN };
        // Servers from 17 on store the infinite intervals so.
        if interval == most || interval == least { Err(RANGE) } else { Ok(interval) }
    }
}

fn scaled(whole: i64, scale: i32) -> Option<i32> {
    i32::try_from(whole).ok()?.checked_mul(scale)
}
