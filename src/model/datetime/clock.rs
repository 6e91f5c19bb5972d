//! Times of day: `HH:MM[:SS[.frac]]` or `HHMMSS[.frac]`, with an optional am or pm; where nothing else can stand also
//! `HHMM`.

use super::cursor::{Cursor, is_space, number};
use super::offset::take_zone;
use super::{FORM, Fault, MICROS_PER_DAY, MICROS_PER_SECOND, NO_CLOCK, Zone};

/// Microseconds since midnight; an offset in the text is dropped, as the server does.
///
/// # Errors
///
/// If the text is not a time of day.
pub fn parse_time(text: &[u8]) -> Result<i64, Fault> {
    read(text).map(|(micros, _)| micros)
}

/// Microseconds since midnight, and the zone in seconds west of Greenwich; a text without an offset is taken in `zone`.
///
/// # Errors
///
/// If the text is not a time of day, or its offset would depend on the day.
pub fn parse_timetz(text: &[u8], zone: &Zone) -> Result<(i64, i32), Fault> {
    let (micros, own) = read(text)?;
    let east = own.or_else(|| zone.fixed_offset()).ok_or(Fault("its offset depends on the day"))?;
    Ok((micros, -east))
}

fn read(text: &[u8]) -> Result<(i64, Option<i32>), Fault> {
    let mut cursor = Cursor::new(text)?;
    cursor.take(b"Tt");
    let micros = take_clock_after_letter(&mut cursor)?;
    let east_seconds = take_zone(&mut cursor)?;
    if cursor.is_empty() { Ok((micros, east_seconds)) } else { Err(FORM) }
}

/// Takes a time of day, to microseconds since midnight. 24:00:00 is one, and a second 60 is carried.
pub(super) fn take_clock(cursor: &mut Cursor<'_>) -> Result<i64, Fault> {
    let clock = take_fields(cursor)?;
    finish(clock, cursor)
}

/// Takes a time of day where a `T`, or the type, says that it is one: four digits are hour and minute then.
pub(super) fn take_clock_after_letter(cursor: &mut Cursor<'_>) -> Result<i64, Fault> {
    let mut ahead = *cursor;
    let digits = ahead.take_digits();
    if digits.len() != 4 || ahead.peek() == Some(b'.') {
        return take_clock(cursor);
    }
    *cursor = ahead;
    refuse_colon_behind_minus(cursor)?;
    finish(Clock { hour: value(&digits[..2]), minute: value(&digits[2..]), second: 0, micros: 0 }, cursor)
}

/// Of a time without colons and an offset west of Greenwich the server makes one part, which has no colons either.
fn refuse_colon_behind_minus(cursor: &Cursor<'_>) -> Result<(), Fault> {
    let joined = cursor.peek() == Some(b'-') && cursor.rest().contains(&b':');
    if joined { Err(FORM) } else { Ok(()) }
}

/// Applies the am or pm that may follow.
fn finish(mut clock: Clock, cursor: &mut Cursor<'_>) -> Result<i64, Fault> {
    if let Some(afternoon) = take_meridiem(cursor) {
        clock.hour = match (clock.hour, afternoon) {
            (13.., _) => return Err(NO_CLOCK),
            (12, false) => 0,
            (0..=11, true) => clock.hour + 12,
            (hour, _) => hour,
        };
    }
    clock.to_micros().ok_or(NO_CLOCK)
}

/// The fields of a time as they are written.
#[derive(Debug)]
pub(super) struct Clock {
    pub(super) hour: i64,
    pub(super) minute: i64,
    pub(super) second: i64,
    /// Microseconds of the second; a million where the fraction was rounded up.
    pub(super) micros: i64,
}

impl Clock {
    pub(super) fn to_micros(&self) -> Option<i64> {
        let fields_exist = self.hour <= 24 && self.minute <= 59 && self.second <= 60;
        let seconds = (self.hour * 60 + self.minute) * 60 + self.second;
        let micros = seconds * MICROS_PER_SECOND + self.micros;
        (fields_exist && micros <= MICROS_PER_DAY).then_some(micros)
    }
}

fn take_fields(cursor: &mut Cursor<'_>) -> Result<Clock, Fault> {
    let leading = cursor.take_digits();
    match leading.len() {
        1 | 2 => take_colons(cursor, leading),
        6 => {
            let [hour, minute, second] = [0, 2, 4].map(|at| value(&leading[at..at + 2]));
            // Without colons the server wants digits behind a point.
            if matches!(cursor.rest(), [b'.'] | [b'.', b'\0'..=b'/' | b':'.., ..]) {
                return Err(FORM);
            }
            if cursor.peek() != Some(b'.') {
                refuse_colon_behind_minus(cursor)?;
            }
            let micros = take_fraction(cursor);
            Ok(Clock { hour, minute, second, micros })
        }
        _ => Err(FORM),
    }
}

fn take_colons(cursor: &mut Cursor<'_>, hour: &[u8]) -> Result<Clock, Fault> {
    cursor.take(b":").ok_or(FORM)?;
    let mut clock = Clock { hour: value(hour), minute: cursor.take_number(1, 2)?, second: 0, micros: 0 };
    // A fraction needs its second: the server takes `12:30.5` for minutes and seconds.
    if cursor.take(b":").is_some() {
        clock.second = cursor.take_number(1, 2)?;
        clock.micros = take_fraction(cursor);
    }
    Ok(clock)
}

/// Takes the fraction of a second, if there is one, to microseconds; a point without digits is none.
pub(super) fn take_fraction(cursor: &mut Cursor<'_>) -> i64 {
    let from_point = cursor.rest();
    if cursor.take(b".").is_none() {
        return 0;
    }
    let digits = cursor.take_digits();
    match digits.len() {
        count @ 0..=6 => (count..6).fold(value(digits), |micros, _| micros * 10),
        count => rounded_micros(&from_point[..=count]),
    }
}

/// Rounds a fraction such as `.1234567` as the server does: by way of a double, a tie to the even microsecond.
fn rounded_micros(fraction: &[u8]) -> i64 {
    let fraction = double(fraction) * 1e6;
    #[expect(clippy::cast_possible_truncation, reason = "the fraction of a second is at most a million microseconds")]
    let micros = fraction.round_ties_even() as i64;
    micros
}

/// The double nearest to a decimal number.
pub(super) fn double(decimal: &[u8]) -> f64 {
    let text = str::from_utf8(decimal).expect("digits, a sign and a point are ASCII");
    text.parse().expect("digits with at most one point and one sign are a number")
}

/// Whether the text goes on with am (`Some(false)`) or pm (`Some(true)`), which are then taken.
fn take_meridiem(cursor: &mut Cursor<'_>) -> Option<bool> {
    let mut ahead = *cursor;
    ahead.take_spaces();
    let word = ahead.take_letters();
    let afternoon = word.eq_ignore_ascii_case(b"pm");
    // Before a sign the server takes the word for the name of a zone.
    let ends = ahead.peek().is_none_or(is_space);
    if !ends || !afternoon && !word.eq_ignore_ascii_case(b"am") {
        return None;
    }
    *cursor = ahead;
    Some(afternoon)
}

/// The value of at most six digits.
fn value(digits: &[u8]) -> i64 {
    number(digits).expect("six digits are a small number")
}
