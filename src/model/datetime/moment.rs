//! A date with an optional time of day and zone, in any of the forms read here; timestamps and dates are made of it.

use super::calendar::{Civil, UNIX_EPOCH_DAYS};
use super::clock::{take_clock, take_clock_after_letter};
use super::cursor::{Cursor, number};
use super::offset::take_zone;
use super::{FORM, Fault, NO_DAY, named};

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

/// Reads `YYYY-MM-DD`, `YYYY/MM/DD`, `YYYY.MM.DD`, `YYYYMMDD` or a date with the name of its month, with an optional
/// time after a `T` or white space, an optional offset after that, and an era at the end; or one of the server's words
/// for a moment that is always the same.
pub(super) fn read(text: &[u8]) -> Result<Reading, Fault> {
    let mut cursor = Cursor::new(text)?;
    if let Some(reading) = word(cursor.rest()) {
        return Ok(reading);
    }
    let named = named::take(&mut cursor);
    let inner = named.as_ref().and_then(|named| named.clock);
    let is_joined = named.as_ref().map(|named| named.is_joined);
    let date = named.map_or_else(|| take_date(&mut cursor), |named| Ok(named.date))?;
    let (micros, east_seconds) = match inner {
        Some((micros, None)) => (micros, take_zone(&mut cursor)?),
        Some(clock) => clock,
        None => take_clock_of_day(&mut cursor, is_joined)?,
    };
    let date = in_era(date, take_era(&mut cursor))?;
    if cursor.is_empty() {
        Ok(Reading::Moment(Moment { days: date.to_days(), micros, east_seconds }))
    } else {
        Err(FORM)
    }
}

/// Takes the time of day that follows a date, and the offset after it; midnight where there is none. `is_joined` tells
/// how a date that names its month is written.
fn take_clock_of_day(cursor: &mut Cursor<'_>, is_joined: Option<bool>) -> Result<(i64, Option<i32>), Fault> {
    let micros = match take_separator(cursor, is_joined) {
        // Right behind a date it would be one more part of that.
        None if cursor.peek() == Some(b'-') => return Err(FORM),
        // Right behind `02-Jan-2024` the server takes letters for a part of the date: some it refuses, a `Z` it passes over.
        None if is_joined == Some(true) && cursor.peek().is_some_and(|byte| byte.is_ascii_alphabetic()) => {
            return Err(FORM);
        }
        None => 0,
        Some(Separator::Letter) => take_clock_after_letter(cursor)?,
        Some(Separator::Space) => take_clock(cursor)?,
    };
    Ok((micros, take_zone(cursor)?))
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
    let separator = cursor.take(b"-/.");
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

/// What stands between a date and its time of day.
enum Separator {
    /// A `T`.
    Letter,
    /// White space; after a date that names its month also a comma or a colon.
    Space,
}

/// Takes what stands before a time of day, if one follows.
fn take_separator(cursor: &mut Cursor<'_>, is_joined: Option<bool>) -> Option<Separator> {
    let mut ahead = *cursor;
    let separator = if let Some(is_joined) = is_joined {
        named::take_separator(&mut ahead, is_joined).then_some(Separator::Space)
    } else if ahead.take(b"Tt").is_some() {
        Some(Separator::Letter)
    } else {
        ahead.take_spaces().then_some(Separator::Space)
    };
    let separator = separator.filter(|_| ahead.peek().is_some_and(|byte| byte.is_ascii_digit()))?;
    *cursor = ahead;
    Some(separator)
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
