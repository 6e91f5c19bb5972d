//! `smallint`, `integer` and `bigint`; and where integers may go.

use arrow_array::{ArrowPrimitiveType, PrimitiveArray};
use arrow_schema::DataType;

use super::choose::Choice;
use super::field::{Built, Fixed};
use super::money;
use super::numeric::Numeric;
use super::text::Limit;
use super::values::{Values, shown, trimmed};
use crate::schema::{PgKind, PgType};

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

    #[test]
    fn an_integer_becomes_a_float_only_where_that_is_exact() {
        assert_eq!(exact_float8(1 << 53), Some(9_007_199_254_740_992.0));
        assert_eq!(exact_float8((1 << 53) + 1), None);
        assert_eq!(exact_float8(i128::from(u64::MAX)), None);
        assert_eq!(exact_float4(16_777_217), None);
        assert_eq!(exact_float4(-16_777_216), Some(-16_777_216.0));
    }
}
