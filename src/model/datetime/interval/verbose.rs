//! The verbose form of intervals: numbers with units, a time of day, `ago`.

use super::super::clock::{double, take_fraction};
use super::super::cursor::{Cursor, number};
use super::super::{FORM, Fault, MICROS_PER_SECOND, NO_CLOCK, RANGE};
use super::{Amount, MICROS_PER_HOUR, MICROS_PER_MINUTE, Sum, Unit};

/// Units with their names. Each is a field that a text may name once.
const UNITS: [(&[&str], Unit); 12] = [
    (&["us", "usec", "usecs", "microsecond", "microseconds"], Unit::Micros(1)),
    (&["ms", "msec", "msecs", "millisecond", "milliseconds"], Unit::Micros(1_000)),
    (&["s", "sec", "secs", "second", "seconds"], Unit::Micros(MICROS_PER_SECOND)),
    (&["m", "min", "mins", "minute", "minutes"], Unit::Micros(MICROS_PER_MINUTE)),
    (&["h", "hr", "hrs", "hour", "hours"], Unit::Micros(MICROS_PER_HOUR)),
    (&["d", "day", "days"], Unit::Days),
    (&["w", "week", "weeks"], Unit::Weeks),
    (&["mon", "mons", "month", "months"], Unit::Months),
    (&["y", "yr", "yrs", "year", "years"], Unit::Years(1)),
    (&["decade", "decades"], Unit::Years(10)),
    (&["century", "centuries"], Unit::Years(100)),
    (&["millennium", "millennia"], Unit::Years(1_000)),
];

/// The fields of a second with a fraction: the second, its milliseconds and microseconds.
const SECOND_FIELDS: u16 = 0b111;
/// The fields of a time of day: those, the minute and the hour.
const CLOCK_FIELDS: u16 = 0b1_1111;

/// Reads numbers with units, at most one time of day after them, and `ago`. A number without a unit is days before a
/// time of day, and seconds at the end; `1-2` is a year and two months.
pub(super) fn read(text: &[u8], mut sum: Sum) -> Result<Sum, Fault> {
    let mut cursor = Cursor::new(text)?;
    // The mark of the server's `postgres_verbose` style, which says nothing.
    if cursor.take(b"@").is_some() {
        cursor.take_spaces();
    }
    let mut seen = 0;
    loop {
        let leading = Leading::take(&mut cursor);
        let is_clock = cursor.peek() == Some(b':');
        let (amount, unit, fields) = match cursor.peek() {
            Some(b':') => (take_clock(&mut cursor, &leading)?, Unit::Micros(1), CLOCK_FIELDS),
            Some(b'-') => take_months(&mut cursor, &leading)?,
            _ => take_with_unit(&mut cursor, &leading)?,
        };
        if seen & fields != 0 {
            return Err(Fault("a unit is named twice"));
        }
        seen |= fields;
        sum.add(amount, unit)?;
        if cursor.is_empty() {
            return Ok(sum);
        }
        if !cursor.take_spaces() {
            return Err(FORM);
        }
        if cursor.rest().eq_ignore_ascii_case(b"ago") {
            return sum.negated().ok_or(RANGE);
        }
        // The server loses fractions of days that come after a time of day.
        if is_clock {
            return Err(FORM);
        }
    }
}

/// The sign and the digits that a number or a time of day begins with.
struct Leading<'a> {
    negative: bool,
    digits: &'a [u8],
}

impl<'a> Leading<'a> {
    fn take(cursor: &mut Cursor<'a>) -> Self {
        let negative = cursor.take(b"+-") == Some(b'-');
        Self { negative, digits: cursor.take_digits() }
    }

    fn value(&self) -> Result<i64, Fault> {
        if self.digits.is_empty() { Err(FORM) } else { number(self.digits).ok_or(RANGE) }
    }

    fn amount(&self, whole: i64, fraction: f64) -> Amount {
        if self.negative { Amount { whole: -whole, fraction: -fraction } } else { Amount { whole, fraction } }
    }
}

fn take_with_unit(cursor: &mut Cursor<'_>, leading: &Leading<'_>) -> Result<(Amount, Unit, u16), Fault> {
    let whole = leading.value()?;
    let from_point = cursor.rest();
    let mut fraction = 0.0;
    if cursor.take(b".").is_some() {
        let count = cursor.take_digits().len();
        fraction = if count == 0 { return Err(FORM) } else { double(&from_point[..=count]) };
    }
    let position = take_unit(cursor)?;
    let unit = UNITS[position].1;
    let has_subseconds = unit == Unit::Micros(MICROS_PER_SECOND) && fraction != 0.0;
    let fields = if has_subseconds { SECOND_FIELDS } else { 1 << position };
    Ok((leading.amount(whole, fraction), unit, fields))
}

/// Takes the name of a unit, and gives its place among them; where none is named, as the server does, days before a time
/// of day and seconds at the end.
fn take_unit(cursor: &mut Cursor<'_>) -> Result<usize, Fault> {
    let of = |wanted: Unit| UNITS.iter().position(|(_, unit)| *unit == wanted).ok_or(FORM);
    let mut ahead = *cursor;
    ahead.take_spaces();
    let name = ahead.take_letters();
    if name.is_empty() && ahead.is_empty() {
        return of(Unit::Micros(MICROS_PER_SECOND));
    }
    if name.is_empty() && goes_on_with_clock(ahead) {
        return of(Unit::Days);
    }
    *cursor = ahead;
    let is_named = |names: &[&str]| names.iter().any(|known| name.eq_ignore_ascii_case(known.as_bytes()));
    UNITS.iter().position(|(names, _)| is_named(names)).ok_or(Fault("a number has no known unit"))
}

fn goes_on_with_clock(mut cursor: Cursor<'_>) -> bool {
    Leading::take(&mut cursor);
    cursor.peek() == Some(b':')
}

/// Takes the months of `1-2`, whose years were read.
fn take_months(cursor: &mut Cursor<'_>, years: &Leading<'_>) -> Result<(Amount, Unit, u16), Fault> {
    const FIELD: usize = 7; // of months
    cursor.take(b"-").ok_or(FORM)?;
    let months = cursor.take_number(1, 2)?;
    if months > 11 {
        return Err(Fault("a year has no more than eleven months beside it"));
    }
    let total = years.value()?.checked_mul(12).and_then(|years| years.checked_add(months)).ok_or(RANGE)?;
    Ok((years.amount(total, 0.0), UNITS[FIELD].1, 1 << FIELD))
}

/// Takes the rest of a time of day whose hours were read, to microseconds. Hours have no bound.
fn take_clock(cursor: &mut Cursor<'_>, hours: &Leading<'_>) -> Result<Amount, Fault> {
    cursor.take(b":").ok_or(FORM)?;
    let minutes = cursor.take_number(1, 2)?;
    let (mut seconds, mut micros) = (0, 0);
    if cursor.take(b":").is_some() {
        seconds = cursor.take_number(1, 2)?;
        micros = take_fraction(cursor);
    }
    if minutes > 59 || seconds > 60 {
        return Err(NO_CLOCK);
    }
    let micros = minutes * MICROS_PER_MINUTE + seconds * MICROS_PER_SECOND + micros;
    let total = hours.value()?.checked_mul(MICROS_PER_HOUR).and_then(|hours| hours.checked_add(micros)).ok_or(RANGE)?;
    Ok(hours.amount(total, 0.0))
}
