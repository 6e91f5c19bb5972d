//! `interval`: microseconds, days and months, kept apart; and the server's modifiers for it.

use arrow_array::PrimitiveArray;
use arrow_array::types::{
    ArrowPrimitiveType, DurationMicrosecondType, DurationMillisecondType, DurationNanosecondType, DurationSecondType,
    IntervalDayTimeType, IntervalMonthDayNanoType, IntervalYearMonthType,
};
use arrow_schema::{DataType, IntervalUnit, TimeUnit};

use super::choose::Choice;
use super::field::Built;
use super::values::Values;
use crate::model::datetime::Interval;
use crate::schema::{PgKind, PgType};

/// Lower half of a modifier that declares no fractional digits.
const FULL_PRECISION: i32 = 0xffff;
/// Upper half of a modifier that names no fields.
const FULL_RANGE: i32 = 0x7fff;

/// Bits of a modifier's upper half, one for each field that it names, from the server's `datetime.h`.
mod field_bit {
    pub(super) const MONTH: i32 = 1 << 1;
    pub(super) const YEAR: i32 = 1 << 2;
    pub(super) const DAY: i32 = 1 << 3;
    pub(super) const HOUR: i32 = 1 << 10;
    pub(super) const MINUTE: i32 = 1 << 11;
    pub(super) const SECOND: i32 = 1 << 12;
}

/// Whether a modifier names fields, as in `interval day to second`.
pub(super) fn names_fields(modifier: i32) -> bool {
    (modifier >> 16) & FULL_RANGE != FULL_RANGE
}

/// Appends the interval, brought to the modifier.
pub(super) fn put(interval: Interval, modifier: Option<i32>, out: &mut Vec<u8>) -> Result<(), String> {
    let fitted = match modifier {
        Some(modifier) => fit(interval, modifier).ok_or("an interval is out of range")?,
        None => interval,
    };
    out.extend_from_slice(&fitted.micros.to_be_bytes());
    out.extend_from_slice(&fitted.days.to_be_bytes());
    out.extend_from_slice(&fitted.months.to_be_bytes());
    Ok(())
}

/// Drops what is below the modifier's last field, and rounds to its fractional digits, as the server's
/// `AdjustIntervalForTypmod` does. Fields above its first are kept, as there.
fn fit(interval: Interval, modifier: i32) -> Option<Interval> {
    const MINUTE: i64 = 60_000_000;
    const HOUR: i64 = 60 * MINUTE;
    let Interval { months, days, micros } = interval;
    let range = (modifier >> 16) & FULL_RANGE;
    let last = if range == FULL_RANGE { field_bit::SECOND } else { last_field(range) };
    let cut = match last {
        field_bit::YEAR => Interval { months: months / 12 * 12, days: 0, micros: 0 },
        field_bit::MONTH => Interval { months, days: 0, micros: 0 },
        field_bit::DAY => Interval { months, days, micros: 0 },
        field_bit::HOUR => Interval { months, days, micros: micros / HOUR * HOUR },
        field_bit::MINUTE => Interval { months, days, micros: micros / MINUTE * MINUTE },
        _ => interval,
    };
    let Some(zeros) = u32::try_from(6 - (modifier & FULL_PRECISION)).ok() else { return Some(cut) };
    let unit = 10_i64.pow(zeros);
    let half = if cut.micros < 0 { -(unit / 2) } else { unit / 2 };
    Some(Interval { micros: cut.micros.checked_add(half)? / unit * unit, ..cut })
}

/// The smallest field that a range names.
fn last_field(range: i32) -> i32 {
    use field_bit::{DAY, HOUR, MINUTE, MONTH, SECOND, YEAR};
    [SECOND, MINUTE, HOUR, DAY, MONTH, YEAR].into_iter().find(|field| range & field != 0).unwrap_or(SECOND)
}

/// Appends the interval as a text that the server reads back to it, whatever its settings.
pub(super) fn print(interval: Interval, out: &mut Vec<u8>) {
    let size = interval.micros.unsigned_abs();
    let sign = if interval.micros < 0 { '-' } else { '+' };
    let (seconds, fraction) = (size / 1_000_000, size % 1_000_000);
    let text = format!(
        "{} mons {} days {sign}{:02}:{:02}:{:02}.{fraction:06}",
        interval.months,
        interval.days,
        seconds / 3600,
        seconds / 60 % 60,
        seconds % 60,
    );
    out.extend_from_slice(text.as_bytes());
}

/// The encoder that feeds `target` from durations and intervals.
pub(super) fn from_intervals(source: &DataType, target: &PgType, lossy: bool) -> Choice {
    let PgKind::Interval(modifier) = target.kind else { return Choice::none(source, target) };
    match source {
        DataType::Duration(TimeUnit::Second) => {
            built::<DurationSecondType>(|seconds| seconds.checked_mul(1_000_000).and_then(micros), modifier)
        }
        DataType::Duration(TimeUnit::Millisecond) => {
            built::<DurationMillisecondType>(|millis| millis.checked_mul(1_000).and_then(micros), modifier)
        }
        DataType::Duration(TimeUnit::Microsecond) => built::<DurationMicrosecondType>(micros, modifier),
        DataType::Duration(TimeUnit::Nanosecond) if lossy => {
            built::<DurationNanosecondType>(|nanos| micros(nanos.div_euclid(1_000)), modifier)
        }
        DataType::Duration(TimeUnit::Nanosecond) => {
            built::<DurationNanosecondType>(|nanos| whole_micros(nanos).and_then(micros), modifier)
        }
        DataType::Interval(IntervalUnit::YearMonth) => {
            built::<IntervalYearMonthType>(|months| Some(Interval { months, days: 0, micros: 0 }), modifier)
        }
        DataType::Interval(IntervalUnit::DayTime) => built::<IntervalDayTimeType>(
            |value| {
                let micros = i64::from(value.milliseconds) * 1_000;
                Some(Interval { months: 0, days: value.days, micros })
            },
            modifier,
        ),
        DataType::Interval(IntervalUnit::MonthDayNano) if lossy => built::<IntervalMonthDayNanoType>(
            |value| {
                let micros = value.nanoseconds.div_euclid(1_000);
                Some(Interval { months: value.months, days: value.days, micros })
            },
            modifier,
        ),
        DataType::Interval(IntervalUnit::MonthDayNano) => built::<IntervalMonthDayNanoType>(
            |value| {
                let micros = whole_micros(value.nanoseconds)?;
                Some(Interval { months: value.months, days: value.days, micros })
            },
            modifier,
        ),
        _ => Choice::none(source, target),
    }
}

#[expect(clippy::unnecessary_wraps, reason = "it ends chains of conversions that can fail")]
fn micros(micros: i64) -> Option<Interval> {
    Some(Interval { months: 0, days: 0, micros })
}

fn whole_micros(nanos: i64) -> Option<i64> {
    (nanos % 1_000 == 0).then_some(nanos / 1_000)
}

fn built<A>(convert: fn(A::Native) -> Option<Interval>, modifier: Option<i32>) -> Choice
where
    A: ArrowPrimitiveType,
    PrimitiveArray<A>: Values,
{
    Choice::Binary(Built::<PrimitiveArray<A>, _>::boxed(move |array: &PrimitiveArray<A>, row, out: &mut Vec<u8>| {
        let value = array.value(row);
        let interval = convert(value).ok_or_else(|| format!("{value:?} is not a whole number of microseconds"))?;
        put(interval, modifier, out)
    }))
}

#[cfg(test)]
mod tests {
    use super::*;

    const SPAN: Interval = Interval { months: 14, days: 3, micros: -3_723_456_789 };

    fn modifier(range: i32, digits: i32) -> i32 {
        range << 16 | digits
    }

    #[test]
    fn a_modifier_drops_what_is_below_its_last_field() {
        let cut = |range| fit(SPAN, modifier(range, FULL_PRECISION)).unwrap();
        assert_eq!(cut(field_bit::YEAR), Interval { months: 12, days: 0, micros: 0 });
        assert_eq!(cut(field_bit::YEAR | field_bit::MONTH), Interval { months: 14, days: 0, micros: 0 });
        assert_eq!(cut(field_bit::DAY), Interval { micros: 0, ..SPAN });
        assert_eq!(cut(field_bit::DAY | field_bit::HOUR), Interval { micros: -3_600_000_000, ..SPAN });
        assert_eq!(cut(FULL_RANGE), SPAN);
        assert!(names_fields(modifier(field_bit::DAY, FULL_PRECISION)));
        assert!(!names_fields(modifier(FULL_RANGE, 3)));
    }

    #[test]
    fn a_precision_rounds_half_away_from_zero() {
        let rounded = |micros, digits| {
            fit(Interval { months: 0, days: 0, micros }, modifier(FULL_RANGE, digits)).map(|fitted| fitted.micros)
        };
        assert_eq!(rounded(-1_500_000, 0), Some(-2_000_000));
        assert_eq!(rounded(1_234_499, 3), Some(1_234_000));
        assert_eq!(rounded(1_234_567, 6), Some(1_234_567));
        assert_eq!(rounded(i64::MAX, 0), None);
    }
}
