//! `smallint`, `integer` and `bigint`; and where integers may go.

use arrow_array::{ArrowPrimitiveType, PrimitiveArray};
use arrow_schema::DataType;

use super::choose::{Choice, parsed};
use super::field::{Built, Fixed};
use super::money;
use super::numeric::Numeric;
use super::text::Limit;
use super::values::{Texts, Values, shown, trimmed};
use crate::schema::{PgKind, PgType, Reading};

/// An integer type of the server, of `N` bytes.
pub(super) trait Integer<const N: usize>: TryFrom<i64> + TryFrom<i128> + Copy + 'static {
    /// The type as SQL spells it.
    const NAME: &str;

    /// As it is sent.
    fn sent(self) -> [u8; N];
}

macro_rules! integer {
    ($($int:ty, $bytes:literal, $name:literal;)*) => {$(
        impl Integer<$bytes> for $int {
            const NAME: &str = $name;

            fn sent(self) -> [u8; $bytes] {
                self.to_be_bytes()
            }
        }
    )*};
}

integer! {
    i16, 2, "smallint";
    i32, 4, "integer";
    i64, 8, "bigint";
}

/// That `value` is outside the range of the type called `name`.
pub(super) fn out_of_range(value: impl std::fmt::Display, name: &str) -> String {
    let digits = value.to_string();
    if digits.len() > 40 {
        return format!("{}… is out of range for {name}", &digits[..40]);
    }
    format!("{digits} is out of range for {name}")
}

/// Appends the integer that `text` spells: a sign, if any, and decimal digits.
pub(super) fn parse<T: Integer<N>, const N: usize>(text: &str, out: &mut Vec<u8>) -> Result<(), String> {
    let word = trimmed(text);
    let digits = word.strip_prefix(['-', '+']).unwrap_or(word);
    if digits.is_empty() || !digits.bytes().all(|digit| digit.is_ascii_digit()) {
        return Err(format!("{} is not an integer", shown(text)));
    }
    let value = word.parse::<i64>().ok().and_then(|value| T::try_from(value).ok());
    out.extend_from_slice(&value.ok_or_else(|| out_of_range(word, T::NAME))?.sent());
    Ok(())
}

/// The encoder that feeds an integer type from texts.
pub(super) fn from_text<V: Texts, T: Integer<N>, const N: usize>(reading: &Reading) -> Choice {
    if reading.server_is_at_least(16) { parsed::<V, _>(parse_since_16::<T, N>) } else { parsed::<V, _>(parse::<T, N>) }
}

/// The same as servers from 16 on read it: also in hexadecimal, octal and binary digits, and with underscores between
/// digits.
fn parse_since_16<T: Integer<N>, const N: usize>(text: &str, out: &mut Vec<u8>) -> Result<(), String> {
    let word = trimmed(text);
    if word.bytes().all(|letter| !matches!(letter, b'_' | b'x' | b'X' | b'o' | b'O' | b'b' | b'B')) {
        return parse::<T, N>(text, out);
    }
    let unsigned = word.strip_prefix(['-', '+']).unwrap_or(word);
    let (radix, digits) = radix_of(unsigned);
    let plain = without_underscores(digits, radix).ok_or_else(|| format!("{} is not an integer", shown(text)))?;
    // 64 bits and a sign fit 128 many times; what does not is out of any range.
    let size = i128::from_str_radix(&plain, radix).ok();
    let value = size.map(|size| if word.starts_with('-') { -size } else { size });
    let value = value.and_then(|value| T::try_from(value).ok()).ok_or_else(|| out_of_range(word, T::NAME))?;
    out.extend_from_slice(&value.sent());
    Ok(())
}

/// The base of a number by its prefix, and the rest of it.
pub(super) fn radix_of(number: &str) -> (u32, &str) {
    match number.as_bytes() {
        [b'0', b'x' | b'X', ..] => (16, &number[2..]),
        [b'0', b'o' | b'O', ..] => (8, &number[2..]),
        [b'0', b'b' | b'B', ..] => (2, &number[2..]),
        _ => (10, number),
    }
}

/// The digits of a number, in which an underscore may stand before a digit, but not first in a decimal one.
pub(super) fn without_underscores(digits: &str, radix: u32) -> Option<String> {
    let misplaced = digits.ends_with('_') || digits.contains("__") || radix == 10 && digits.starts_with('_');
    let plain: String = digits.chars().filter(|letter| *letter != '_').collect();
    let sound = !misplaced && !plain.is_empty() && plain.chars().all(|letter| letter.is_digit(radix));
    sound.then_some(plain)
}

/// The encoder that feeds `target` from integers.
pub(super) fn from_integer<A>(source: &DataType, target: &PgType) -> Choice
where
    A: ArrowPrimitiveType,
    A::Native: Into<i128> + std::fmt::Display,
    PrimitiveArray<A>: Values,
{
    Choice::Binary(match &target.kind {
        PgKind::Bool => Fixed::<A, 1, _, _>::boxed(
            |value| match value.into() {
                0 => Some([0]),
                1 => Some([1]),
                _ => None,
            },
            |value| format!("{value} is not a boolean"),
        ),
        PgKind::Int2 => return ranged::<A, i16, 2>(),
        PgKind::Int4 => return ranged::<A, i32, 4>(),
        PgKind::Int8 => return ranged::<A, i64, 8>(),
        PgKind::Float4 => Fixed::<A, 4, _, _>::boxed(
            |value| exact_float4(value.into()).map(f32::to_be_bytes),
            |value| format!("{value} is not exactly a value of type real"),
        ),
        PgKind::Float8 => Fixed::<A, 8, _, _>::boxed(
            |value| exact_float8(value.into()).map(f64::to_be_bytes),
            |value| format!("{value} is not exactly a value of type double precision"),
        ),
        PgKind::Numeric(modifier) => {
            let (modifier, mut number) = (*modifier, Numeric::default());
            Built::<PrimitiveArray<A>, _>::boxed(move |array: &PrimitiveArray<A>, row, out: &mut Vec<u8>| {
                number.set_decimal(array.value(row).into(), 0);
                number.encode(modifier, out)
            })
        }
        PgKind::Oid => Fixed::<A, 4, _, _>::boxed(
            |value| u32::try_from(Into::<i128>::into(value)).ok().map(u32::to_be_bytes),
            |value| out_of_range(value, "oid"),
        ),
        PgKind::Money => money::from_integer::<A>(),
        PgKind::Text | PgKind::Varchar(_) | PgKind::Char(_) => {
            let (limit, mut digits) = (Limit::of(&target.kind), String::new());
            Built::<PrimitiveArray<A>, _>::boxed(move |array: &PrimitiveArray<A>, row, out: &mut Vec<u8>| {
                use std::fmt::Write;
                digits.clear();
                write!(digits, "{}", array.value(row)).expect("a string takes all that is written to it");
                limit.put(&digits, out)
            })
        }
        _ => return Choice::none(source, target),
    })
}

fn ranged<A, T: Integer<N>, const N: usize>() -> Choice
where
    A: ArrowPrimitiveType,
    A::Native: Into<i128> + std::fmt::Display,
{
    Choice::Binary(Fixed::<A, N, _, _>::boxed(
        |value| T::try_from(Into::<i128>::into(value)).ok().map(T::sent),
        |value| out_of_range(value, T::NAME),
    ))
}

#[expect(clippy::cast_precision_loss, clippy::cast_possible_truncation, reason = "the way back shows any loss")]
fn exact_float4(value: i128) -> Option<f32> {
    let float = value as f32;
    (float as i128 == value).then_some(float)
}

#[expect(clippy::cast_precision_loss, clippy::cast_possible_truncation, reason = "the way back shows any loss")]
fn exact_float8(value: i128) -> Option<f64> {
    let float = value as f64;
    (float as i128 == value).then_some(float)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn int2(text: &str) -> Result<Vec<u8>, String> {
        let mut out = Vec::new();
        parse::<i16, 2>(text, &mut out).map(|()| out)
    }

    #[test]
    fn integers_are_signed_decimal_digits_within_white_space_and_range() {
        assert_eq!(int2(" -1\n"), Ok(vec![0xff, 0xff]));
        assert_eq!(int2("+0032767"), Ok(vec![0x7f, 0xff]));
        assert_eq!(int2("99999"), Err("99999 is out of range for smallint".into()));
        assert_eq!(int2("99999999999999999999"), Err("99999999999999999999 is out of range for smallint".into()));
        for text in ["", "-", "1.0", "1 2", "0x1", "--1", "١"] {
            assert_eq!(int2(text), Err(format!("\"{text}\" is not an integer")));
        }
    }

    /// By the documentation of version 16, section 4.1.2.6 and its release notes.
    #[test]
    fn servers_from_16_on_read_other_bases_and_underscores() {
        let read = |text: &str| {
            let mut out = Vec::new();
            parse_since_16::<i16, 2>(text, &mut out).map(|()| i16::from_be_bytes([out[0], out[1]]))
        };
        for (text, value) in [
            ("0x1F", 31),
            (" -0X1f ", -31),
            ("0o17", 15),
            ("0b11", 3),
            ("1_000", 1_000),
            ("0x_1_F", 31),
            ("-0x8000", i16::MIN),
            ("+7", 7),
        ] {
            assert_eq!(read(text), Ok(value), "{text}");
        }
        for text in ["0x", "0x_", "_1", "1_", "1__0", "0xg", "0o8", "0b2", "0x-1", "x1", "--0x1", "0x1.0", "1e3"] {
            assert_eq!(read(text), Err(format!("\"{text}\" is not an integer")), "{text}");
        }
        assert_eq!(read("0x8000"), Err("0x8000 is out of range for smallint".into()));
        assert!(read(&format!("0x{}", "F".repeat(60))).is_err());
    }

    #[test]
    fn an_integer_becomes_a_float_only_where_that_is_exact() {
        assert_eq!(exact_float8(1 << 53), Some(9_007_199_254_740_992.0));
        assert_eq!(exact_float8((1 << 53) + 1), None);
        assert_eq!(exact_float8(i128::from(u64::MAX)), None);
        assert_eq!(exact_float4(16_777_217), None);
        assert_eq!(exact_float4(-16_777_216), Some(-16_777_216.0));
    }
}
