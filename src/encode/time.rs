//! `time` and `time with time zone`: microseconds since midnight, and seconds west of Greenwich.

use arrow_array::PrimitiveArray;
use arrow_array::types::{
    ArrowPrimitiveType, Time32MillisecondType, Time32SecondType, Time64MicrosecondType, Time64NanosecondType,
};
use arrow_schema::{DataType, TimeUnit};

use super::choose::Choice;
use super::field::{Built, FieldEncoder, Fixed};
use super::temporal::refuse;
use super::text::Limit;
use super::values::Values;
use crate::model::Zone;
use crate::model::datetime::{MICROS_PER_DAY, parse_timetz};
use crate::schema::{PgKind, PgType, Reading};

/// Fractional digits of a microsecond.
const MICRO_DIGITS: u8 = 6;

/// Rounds to so many fractional digits, half away from zero, as the server's `AdjustTimeForTypmod` does. A time is
/// not negative, and one just before midnight may become 24:00:00.
pub(super) fn round(micros: i64, digits: Option<u8>) -> i64 {
    let Some(unit) = digits.and_then(|digits| MICRO_DIGITS.checked_sub(digits)).map(|zeros| 10_i64.pow(zeros.into()))
    else {
        return micros;
    };
    (micros + unit / 2) / unit * unit
}

/// Appends the time with time zone that `text` spells.
pub(super) fn put_timetz_text(
    text: &str,
    digits: Option<u8>,
    zone: &Zone,
    name: &str,
    out: &mut Vec<u8>,
) -> Result<(), String> {
    let (micros, west) = parse_timetz(text.as_bytes(), zone).map_err(|fault| refuse(text, name, fault))?;
    out.extend_from_slice(&round(micros, digits).to_be_bytes());
    out.extend_from_slice(&west.to_be_bytes());
    Ok(())
}

/// Appends a time of day: `06:00:00`, `06:00:00.25`, `24:00:00`.
pub(super) fn print(micros: i64, out: &mut Vec<u8>) {
    let (seconds, fraction) = (micros / 1_000_000, micros % 1_000_000);
    let text = format!("{:02}:{:02}:{:02}", seconds / 3600, seconds / 60 % 60, seconds % 60);
    out.extend_from_slice(text.as_bytes());
    if fraction > 0 {
        out.extend_from_slice(format!(".{fraction:06}").trim_end_matches('0').as_bytes());
    }
}

/// The encoder that feeds `target` from times of day.
pub(super) fn from_times(source: &DataType, target: &PgType, reading: &Reading) -> Choice {
    let zone = &reading.zone;
    match source {
        DataType::Time32(TimeUnit::Second) => {
            in_unit::<Time32SecondType>(|value| Some(i64::from(value) * 1_000_000), source, target, zone)
        }
        DataType::Time32(TimeUnit::Millisecond) => {
            in_unit::<Time32MillisecondType>(|value| Some(i64::from(value) * 1_000), source, target, zone)
        }
        DataType::Time64(TimeUnit::Microsecond) => in_unit::<Time64MicrosecondType>(Some, source, target, zone),
        // Cut off toward midnight before it, which is toward the past.
        DataType::Time64(TimeUnit::Nanosecond) if reading.lossy => {
            in_unit::<Time64NanosecondType>(|value| Some(value.div_euclid(1_000)), source, target, zone)
        }
        DataType::Time64(TimeUnit::Nanosecond) => {
            in_unit::<Time64NanosecondType>(|value| (value % 1_000 == 0).then_some(value / 1_000), source, target, zone)
        }
        _ => Choice::none(source, target),
    }
}

/// For times of day that `micros` brings to microseconds, where they are whole ones.
fn in_unit<A>(micros: fn(A::Native) -> Option<i64>, source: &DataType, target: &PgType, zone: &Zone) -> Choice
where
    A: ArrowPrimitiveType,
    PrimitiveArray<A>: Values,
    A::Native: std::fmt::Display,
{
    let within_day = move |value| micros(value).filter(|micros| (0..=MICROS_PER_DAY).contains(micros));
    let refuse = move |value: A::Native| match micros(value) {
        Some(_) => format!("{value} is out of range for a time of day"),
        None => format!("{value} ns is not a whole number of microseconds"),
    };
    Choice::Binary(match &target.kind {
        PgKind::Time(digits) => {
            let digits = *digits;
            Fixed::<A, 8, _, _>::boxed(
                move |value| within_day(value).map(|micros| round(micros, digits).to_be_bytes()),
                refuse,
            )
        }
        PgKind::TimeTz(digits) => {
            let (digits, zone, name) = (*digits, zone.clone(), target.name.clone());
            printed::<A>(within_day, refuse, move |text, out| put_timetz_text(text, digits, &zone, &name, out))
        }
        PgKind::Text | PgKind::Varchar(_) | PgKind::Char(_) => {
            let limit = Limit::of(&target.kind);
            printed::<A>(within_day, refuse, move |text, out| limit.put(text, out))
        }
        _ => return Choice::none(source, target),
    })
}

/// Fields that `put` appends for the text of each time of day.
fn printed<A>(
    micros: impl Fn(A::Native) -> Option<i64> + Send + 'static,
    refuse: impl Fn(A::Native) -> String + Send + 'static,
    mut put: impl FnMut(&str, &mut Vec<u8>) -> Result<(), String> + Send + 'static,
) -> Box<dyn FieldEncoder>
where
    A: ArrowPrimitiveType,
    PrimitiveArray<A>: Values,
{
    let mut text = Vec::new();
    Built::<PrimitiveArray<A>, _>::boxed(move |array: &PrimitiveArray<A>, row, out: &mut Vec<u8>| {
        let value = array.value(row);
        text.clear();
        print(micros(value).ok_or_else(|| refuse(value))?, &mut text);
        put(std::str::from_utf8(&text).expect("a printed time is ASCII"), out)
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_time_rounds_half_away_from_zero_up_to_midnight() {
        assert_eq!(round(1_499_999, Some(0)), 1_000_000);
        assert_eq!(round(1_500_000, Some(0)), 2_000_000);
        assert_eq!(round(86_399_999_999, Some(3)), 86_400_000_000);
        assert_eq!(round(123_456, Some(6)), 123_456);
        assert_eq!(round(123_456, None), 123_456);
    }

    #[test]
    fn a_time_prints_without_superfluous_digits() {
        let printed = |micros| {
            let mut out = Vec::new();
            print(micros, &mut out);
            String::from_utf8(out).unwrap()
        };
        assert_eq!(printed(21_600_250_000), "06:00:00.25");
        assert_eq!(printed(86_400_000_000), "24:00:00");
    }
}
