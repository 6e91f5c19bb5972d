//! A date with an optional time of day and zone, in any of the forms read here; timestamps and dates are made of it.

use super::calendar::{Civil, UNIX_EPOCH_DAYS};
use super::clock::take_clock;
use super::cursor::{Cursor, number};
use super::offset::take_zone;
use super::{FORM, Fault, NO_DAY};

/// What a text says.
pub(super) enum Reading {
    /// `infinity`, later than every other.
    Infinity,
    /// `-infinity`, earlier than every other.
    MinusInfinity,
    /// A day and what goes with it.
    Moment(Moment),
}

/// A day and what goes with it.
pub(super) struct Moment {
    /// Days since 2000-01-01.
    pub(super) days: i64,
    /// Microseconds since midnight, up to and including 24:00.
    pub(super) micros: i64,
    /// Its offset, in seconds east of Greenwich, where the text has one.
    pub(super) east_seconds: Option<i32>,
}

/// Reads `YYYY-MM-DD`, `YYYY/MM/DD` or `YYYYMMDD`, with an optional time after a `T` or white space, an optional offset
/// after that, and an era at the end; or one of the server's words for a moment that is always the same.
pub(super) fn read(text: &[u8]) -> Result<Reading, Fault> {
    let mut cursor = Cursor::new(text)?;
    if let Some(reading) = word(cursor.rest()) {
        return Ok(reading);
    }
    let date = take_date(&mut cursor)?;
    let (mut micros, mut east_seconds) = (0, None);
    if goes_on_with_clock(&mut cursor) {
        micros = take_clock(&mut cursor)?;
        east_seconds = take_zone(&mut cursor)?;
    }
    let date = in_era(date, take_era(&mut cursor))?;
    if cursor.is_empty() {
        Ok(Reading::Moment(Moment { days: date.to_days(), micros, east_seconds }))
    } else {
        Err(FORM)
    }
}

fn word(text: &[u8]) -> Option<Reading> {
    if text.eq_ignore_ascii_case(b"infinity") {
        Some(Reading::Infinity)
    } else if text.eq_ignore_ascii_case(b"-infinity") {
        Some(Reading::MinusInfinity)
    } else if text.eq_ignore_ascii_case(b"epoch") {
        Some(Reading::Moment(Moment { days: UNIX_EPOCH_DAYS, micros: 0, east_seconds: Some(0) }))
    } else {
        None
    }
}

/// Takes the day as it is written; whether the calendar has it depends on the era.
fn take_date(cursor: &mut Cursor<'_>) -> Result<Civil, Fault> {
    let leading = cursor.take_digits();
    let separator = cursor.take(b"-/");
    let [year, month, day] = match (leading.len(), separator) {
        (8, None) => [&leading[..4], &leading[4..6], &leading[6..]].map(number).map(|part| part.unwrap_or(0)),
        // With fewer digits the server goes by its DateStyle.
        (4.., Some(separator)) => {
            let year = number(leading).ok_or(FORM)?;
            let month = cursor.take_number(1, 2)?;
            cursor.take(&[separator]).ok_or(FORM)?;
            [year, month, cursor.take_number(1, 2)?]
        }
        _ => return Err(FORM),
    };
    let short = |number| u8::try_from(number).expect("two digits are a small number");
    Ok(Civil { year, month: short(month), day: short(day) })
}

/// Whether a time of day follows; takes what stands before it.
fn goes_on_with_clock(cursor: &mut Cursor<'_>) -> bool {
    let mut ahead = *cursor;
    let separated = ahead.take(b"Tt").is_some() || ahead.take_spaces();
    let clock = separated && ahead.peek().is_some_and(|byte| byte.is_ascii_digit());
    if clock {
        *cursor = ahead;
    }
    clock
}

/// Takes an era after white space: true for years before Christ.
fn take_era(cursor: &mut Cursor<'_>) -> bool {
    let mut ahead = *cursor;
    let spaced = ahead.take_spaces();
    let era = ahead.take_letters();
    let before = era.eq_ignore_ascii_case(b"bc");
    if spaced && (before || era.eq_ignore_ascii_case(b"ad")) {
        *cursor = ahead;
    }
    spaced && before
}

fn in_era(date: Civil, before_christ: bool) -> Result<Civil, Fault> {
    if date.year == 0 || date.year > YEAR_MAX {
        return Err(NO_DAY);
    }
    let year = if before_christ { 1 - date.year } else { date.year };
    let date = Civil { year, ..date };
    if date.exists() { Ok(date) } else { Err(NO_DAY) }
}

/// Far past the server's last year, and near enough for all arithmetic on days and microseconds to hold.
const YEAR_MAX: i64 = 9_999_999;
