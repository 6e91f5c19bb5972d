//! The forms of ISO 8601: with designators, `P1Y2M3DT4H5M6S`, and the alternative one, `P0001-02-03T04:05:06`.

use super::super::clock::double;
use super::super::cursor::Cursor;
use super::super::{FORM, Fault, MICROS_PER_SECOND, RANGE};
use super::{Amount, MICROS_PER_HOUR, MICROS_PER_MINUTE, Sum, Unit};

const HOURS: Unit = Unit::Micros(MICROS_PER_HOUR);
const MINUTES: Unit = Unit::Micros(MICROS_PER_MINUTE);
const SECONDS: Unit = Unit::Micros(MICROS_PER_SECOND);

/// Designators before the `T`.
const OF_DATE: &[(u8, Unit)] = &[(b'Y', Unit::Years(1)), (b'M', Unit::Months), (b'W', Unit::Weeks), (b'D', Unit::Days)];
/// Designators after the `T`.
const OF_CLOCK: &[(u8, Unit)] = &[(b'H', HOURS), (b'M', MINUTES), (b'S', SECONDS)];
/// The server's bound for one number, which it reads by way of a double.
const AMOUNT_MAX: f64 = 1e15;

/// Reads a text that begins with `P`.
pub(super) fn read(text: &[u8], mut sum: Sum) -> Result<Sum, Fault> {
    let mut cursor = Cursor::new(text)?;
    // The server takes no white space around this form.
    if cursor.rest() != text || text.len() < 2 {
        return Err(FORM);
    }
    cursor.take(b"P").ok_or(FORM)?;
    take_date(&mut cursor, &mut sum)?;
    while cursor.take(b"T").is_some() {
        take_clock(&mut cursor, &mut sum)?;
    }
    if cursor.is_empty() { Ok(sum) } else { Err(FORM) }
}

/// Takes numbers with designators up to the `T`, in any order and however often, or years, months and days with hyphens.
fn take_date(cursor: &mut Cursor<'_>, sum: &mut Sum) -> Result<(), Fault> {
    let mut first = true;
    while !at_end(cursor) {
        let amount = take_amount(cursor)?;
        if take_unit(cursor, OF_DATE, amount, sum)? {
            first = false;
            continue;
        }
        // Eight digits would be a date without hyphens.
        if !first || amount.digits == 8 {
            return Err(FORM);
        }
        sum.add(amount.value, Unit::Years(1))?;
        for unit in [Unit::Months, Unit::Days] {
            if at_end(cursor) {
                return Ok(());
            }
            cursor.take(b"-").ok_or(FORM)?;
            sum.add(take_amount(cursor)?.value, unit)?;
        }
        return if at_end(cursor) { Ok(()) } else { Err(FORM) };
    }
    Ok(())
}

/// Takes numbers with designators to the end or the next `T`, or hours, minutes and seconds with colons.
fn take_clock(cursor: &mut Cursor<'_>, sum: &mut Sum) -> Result<(), Fault> {
    let mut first = true;
    while !at_end(cursor) {
        let amount = take_amount(cursor)?;
        if take_unit(cursor, OF_CLOCK, amount, sum)? {
            first = false;
            continue;
        }
        // Six digits would be a time without colons.
        if !first || amount.digits == 6 {
            return Err(FORM);
        }
        sum.add(amount.value, HOURS)?;
        for unit in [MINUTES, SECONDS] {
            if cursor.is_empty() {
                return Ok(());
            }
            cursor.take(b":").ok_or(FORM)?;
            sum.add(take_amount(cursor)?.value, unit)?;
        }
        return if cursor.is_empty() { Ok(()) } else { Err(FORM) };
    }
    Ok(())
}

fn at_end(cursor: &Cursor<'_>) -> bool {
    matches!(cursor.peek(), None | Some(b'T'))
}

/// Takes the designator that follows a number, and adds the number; false where none follows.
fn take_unit(
    cursor: &mut Cursor<'_>,
    designators: &[(u8, Unit)],
    number: Number,
    sum: &mut Sum,
) -> Result<bool, Fault> {
    let found = cursor.peek().and_then(|letter| designators.iter().find(|(known, _)| *known == letter));
    let Some((letter, unit)) = found else { return Ok(false) };
    cursor.take(&[*letter]);
    sum.add(number.value, *unit).map(|()| true)
}

/// A number, and how many digits it has before its point.
#[derive(Clone, Copy)]
struct Number {
    value: Amount,
    digits: usize,
}

fn take_amount(cursor: &mut Cursor<'_>) -> Result<Number, Fault> {
    let from = cursor.rest();
    cursor.take(b"-");
    let digits = cursor.take_digits().len();
    let fraction = if cursor.take(b".").is_some() { cursor.take_digits().len() } else { 0 };
    if digits + fraction == 0 {
        return Err(FORM);
    }
    let value = double(&from[..from.len() - cursor.rest().len()]);
    if value.abs() > AMOUNT_MAX {
        return Err(RANGE);
    }
    #[expect(clippy::cast_possible_truncation, reason = "the bound is far less than i64 holds")]
    let whole = value.trunc() as i64;
    Ok(Number { value: Amount { whole, fraction: value.fract() }, digits })
}
