//! The form of ISO 8601 with designators: `P1Y2M3DT4H5M6S`.

use super::super::clock::double;
use super::super::cursor::Cursor;
use super::super::{FORM, Fault, MICROS_PER_SECOND, RANGE};
use super::{Amount, MICROS_PER_HOUR, MICROS_PER_MINUTE, Sum, Unit};

/// Designators before the `T`, in their order.
const OF_DATE: &[(u8, Unit)] = &[(b'Y', Unit::Years(1)), (b'M', Unit::Months), (b'W', Unit::Weeks), (b'D', Unit::Days)];
/// Designators after the `T`, in their order.
const OF_CLOCK: &[(u8, Unit)] = &[
    (b'H', Unit::Micros(MICROS_PER_HOUR)),
    (b'M', Unit::Micros(MICROS_PER_MINUTE)),
    (b'S', Unit::Micros(MICROS_PER_SECOND)),
];
/// The server's bound for one number, which it reads by way of a double.
const AMOUNT_MAX: f64 = 1e15;

/// Reads a text that begins with `P`.
pub(super) fn read(text: &[u8]) -> Result<Sum, Fault> {
    let mut cursor = Cursor::new(text)?;
    // The server takes no white space around this form.
    if cursor.rest() != text {
        return Err(FORM);
    }
    cursor.take(b"P").ok_or(FORM)?;
    let mut sum = Sum::default();
    if cursor.peek() != Some(b'T') {
        take_part(&mut cursor, OF_DATE, &mut sum)?;
    }
    if cursor.take(b"T").is_some() {
        take_part(&mut cursor, OF_CLOCK, &mut sum)?;
    }
    if cursor.is_empty() { Ok(sum) } else { Err(FORM) }
}

/// Takes one or more numbers with designators, each of which may come once and in its order.
fn take_part(cursor: &mut Cursor<'_>, mut designators: &[(u8, Unit)], sum: &mut Sum) -> Result<(), Fault> {
    loop {
        let amount = take_amount(cursor)?;
        let letter = cursor.peek().ok_or(FORM)?;
        let position = designators.iter().position(|&(known, _)| known == letter).ok_or(FORM)?;
        cursor.take(&[letter]);
        sum.add(amount, designators[position].1)?;
        designators = &designators[position + 1..];
        if matches!(cursor.peek(), None | Some(b'T')) {
            return Ok(());
        }
    }
}

fn take_amount(cursor: &mut Cursor<'_>) -> Result<Amount, Fault> {
    let from = cursor.rest();
    cursor.take(b"-");
    let mut digits = cursor.take_digits().len();
    if cursor.take(b".").is_some() {
        digits = digits.min(cursor.take_digits().len());
    }
    if digits == 0 {
        return Err(FORM);
    }
    let value = double(&from[..from.len() - cursor.rest().len()]);
    if value.abs() > AMOUNT_MAX {
        return Err(RANGE);
    }
    #[expect(clippy::cast_possible_truncation, reason = "the bound is far less than i64 holds")]
    let whole = value.trunc() as i64;
    Ok(Amount { whole, fraction: value.fract() })
}
