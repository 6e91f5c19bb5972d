//! Dates with the name of their month, in the orders that the server reads alike whatever its settings.
//!
//! `2 Jan 2024`, `02-Jan-2024`, `Jan 2, 2024`, `2024-Jan-02`, and `Jan 2 03:04:05 2024` as C, Unix and mail write it;
//! a weekday before them is passed over, as the server does. A year must have four digits: with fewer it is a guess.

use super::calendar::Civil;
use super::clock::take_clock;
use super::cursor::{Cursor, number};
use super::offset::take_zone;

/// A month's name is known by its first letters; these follow them where it is written out.
const MONTHS: [(&str, &str); 12] = [
    ("jan", "uary"),
    ("feb", "ruary"),
    ("mar", "ch"),
    ("apr", "il"),
    ("may", ""),
    ("jun", "e"),
    ("jul", "y"),
    ("aug", "ust"),
    ("sep", "tember"),
    ("oct", "ober"),
    ("nov", "ember"),
    ("dec", "ember"),
];
/// Weekdays, likewise.
const WEEKDAYS: [(&str, &str); 7] = [
    ("mon", "day"),
    ("tue", "sday"),
    ("wed", "nesday"),
    ("thu", "rsday"),
    ("fri", "day"),
    ("sat", "urday"),
    ("sun", "day"),
];
/// Digits of a year.
const YEAR_DIGITS: usize = 4;

/// A day, and the time of day where that stands inside of it.
pub(super) struct Named {
    /// The day as it is written; whether the calendar has it depends on the era.
    pub(super) date: Civil,
    /// Microseconds since midnight, and the offset in seconds east of Greenwich where there is one.
    pub(super) clock: Option<(i64, Option<i32>)>,
    /// Whether its parts are joined by hyphens or slashes, so that it ends where these end.
    pub(super) is_joined: bool,
}

/// Takes a date that names its month; nothing where there is none.
pub(super) fn take(cursor: &mut Cursor<'_>) -> Option<Named> {
    let mut ahead = *cursor;
    take_weekday(&mut ahead);
    let found = if ahead.peek()?.is_ascii_digit() { number_first(&mut ahead) } else { month_first(&mut ahead) }?;
    *cursor = ahead;
    Some(found)
}

/// Takes what may stand between such a date and a time of day: white space, a comma, and, as servers write their logs,
/// a colon behind a joined date.
pub(super) fn take_separator(cursor: &mut Cursor<'_>, is_joined: bool) -> bool {
    let mark = cursor.take(if is_joined { b",:" } else { b"," }).is_some();
    cursor.take_spaces() || mark
}

/// `Jan 2, 2024`, `Jan 2 03:04:05 [+00] 2024`.
fn month_first(cursor: &mut Cursor<'_>) -> Option<Named> {
    let month = take_month(cursor)?;
    cursor.take_spaces().then_some(())?;
    let day = short(cursor.take_number(1, 2).ok()?)?;
    let comma = cursor.take(b",").is_some();
    (cursor.take_spaces() || comma).then_some(())?;
    let mut ahead = *cursor;
    if let Some(year) = take_year(&mut ahead) {
        *cursor = ahead;
        return Some(Named { date: Civil { year, month, day }, clock: None, is_joined: false });
    }
    // A run of six digits is a date to the server here, for it knows no year yet.
    let mut hours = *cursor;
    (hours.take_digits().len() <= 2).then_some(())?;
    let micros = take_clock(cursor).ok()?;
    let east_seconds = take_zone(cursor).ok()?;
    cursor.take_spaces().then_some(())?;
    let year = take_year(cursor)?;
    Some(Named { date: Civil { year, month, day }, clock: Some((micros, east_seconds)), is_joined: false })
}

/// `2 Jan 2024`, `02-Jan-2024`, `10/Oct/2000`, `2024-Jan-02`.
fn number_first(cursor: &mut Cursor<'_>) -> Option<Named> {
    let digits = cursor.take_digits();
    let separator = cursor.take(b"-/");
    let take_separator = |cursor: &mut Cursor<'_>| match separator {
        Some(separator) => cursor.take(&[separator]).is_some(),
        None => cursor.take_spaces(),
    };
    if separator.is_none() {
        cursor.take_spaces().then_some(())?;
    }
    let month = take_month(cursor)?;
    take_separator(cursor).then_some(())?;
    let (year, day) = match digits.len() {
        1 | 2 => (take_year(cursor)?, number(digits)?),
        YEAR_DIGITS => (number(digits)?, cursor.take_number(1, 2).ok()?),
        _ => return None,
    };
    Some(Named { date: Civil { year, month, day: short(day)? }, clock: None, is_joined: separator.is_some() })
}

/// Four digits, with which the date ends.
fn take_year(cursor: &mut Cursor<'_>) -> Option<i64> {
    let year = cursor.take_number(YEAR_DIGITS, YEAR_DIGITS).ok()?;
    (!matches!(cursor.peek(), Some(b'.' | b'-' | b'/'))).then_some(year)
}

/// Takes the name of a month, whole or its first three letters; January is 1.
pub(super) fn take_month(cursor: &mut Cursor<'_>) -> Option<u8> {
    let word = cursor.take_letters();
    let position = MONTHS.iter().position(|name| is_name(word, *name));
    // The one name that has a second short form.
    let position = position.or_else(|| word.eq_ignore_ascii_case(b"sept").then_some(8));
    u8::try_from(position? + 1).ok()
}

/// Takes the name of a weekday; Monday is 0.
pub(super) fn take_weekday_name(cursor: &mut Cursor<'_>) -> Option<usize> {
    let word = cursor.take_letters();
    WEEKDAYS.iter().position(|name| is_name(word, *name))
}

fn take_weekday(cursor: &mut Cursor<'_>) {
    let mut ahead = *cursor;
    let found = take_weekday_name(&mut ahead).is_some();
    let comma = ahead.take(b",").is_some();
    if found && (ahead.take_spaces() || comma) {
        *cursor = ahead;
    }
}

fn is_name(word: &[u8], (short, rest): (&str, &str)) -> bool {
    let Some((head, tail)) = word.split_at_checked(short.len()) else { return false };
    head.eq_ignore_ascii_case(short.as_bytes()) && (tail.is_empty() || tail.eq_ignore_ascii_case(rest.as_bytes()))
}

fn short(number: i64) -> Option<u8> {
    u8::try_from(number).ok()
}
