//! `real` and `double precision`: IEEE 754, big-endian; and where floats may go.

use std::fmt::{LowerExp, Write};

use arrow_array::{ArrowPrimitiveType, PrimitiveArray};
use arrow_schema::DataType;

use super::choose::Choice;
use super::field::{Built, FieldEncoder, Fixed};
use super::integer::{Integer, out_of_range};
use super::numeric::Numeric;
use super::text::Limit;
use super::values::{Values, shown, trimmed};
use crate::schema::{PgKind, PgType};

/// A floating-point type that both sides have.
pub(super) trait Float: Copy + Into<f64> + LowerExp + std::str::FromStr + Send + 'static {
    /// The type as SQL spells it.
    const NAME: &str;
    /// The first decimal exponent that the server prints in scientific notation: it has the digits to spare below.
    const EXPONENT_PRINTED: i32;

    /// The float nearest to `value`.
    fn nearest(value: f64) -> Self;

    /// Appends it as it is sent.
    fn send(self, out: &mut Vec<u8>);
}

impl Float for f32 {
    const NAME: &str = "real";
    const EXPONENT_PRINTED: i32 = 6;

    fn nearest(value: f64) -> Self {
        #[expect(clippy::cast_possible_truncation, reason = "rounding to the nearest is what is asked for")]
        let nearest = value as Self;
        nearest
    }

    fn send(self, out: &mut Vec<u8>) {
        out.extend_from_slice(&self.to_be_bytes());
    }
}

impl Float for f64 {
    const NAME: &str = "double precision";
    const EXPONENT_PRINTED: i32 = 15;

    fn nearest(value: f64) -> Self {
        value
    }

    fn send(self, out: &mut Vec<u8>) {
        out.extend_from_slice(&self.to_be_bytes());
    }
}

/// Appends the float that `text` spells.
pub(super) fn parse<T: Float>(text: &str, out: &mut Vec<u8>) -> Result<(), String> {
    let word = trimmed(text);
    // Rust reads what the C library reads, apart from hexadecimal floats, which are refused, and from the sign of NaN.
    let Ok(value) = word.parse::<T>() else {
        return Err(format!("{} is not a number", shown(text)));
    };
    let wide: f64 = value.into();
    if wide.is_nan() {
        T::nearest(if word.starts_with('-') { -f64::NAN } else { f64::NAN }).send(out);
        return Ok(());
    }
    let spelled_out = word.bytes().any(|letter| matches!(letter, b'n' | b'N'));
    let lost = (wide.is_infinite() && !spelled_out) || (wide == 0.0 && has_digit_above_zero(word));
    if lost {
        return Err(format!("{} is out of range for {}", shown(text), T::NAME));
    }
    value.send(out);
    Ok(())
}

/// Whether the mantissa of a decimal number is above zero.
fn has_digit_above_zero(number: &str) -> bool {
    let mantissa = number.split(['e', 'E']).next().unwrap_or(number);
    mantissa.bytes().any(|letter| matches!(letter, b'1'..=b'9'))
}

/// Appends `value` as the server prints it: the shortest digits that read back to it. (The server counts digits that
/// lie exactly on the border to the next float as not reading back: it prints `9.999999999999999e+22` for 1e23.)
pub(super) fn print<T: Float>(value: T, digits: &mut String, out: &mut Vec<u8>) {
    let wide: f64 = value.into();
    if !wide.is_finite() {
        let name: &[u8] = match (wide.is_nan(), wide.is_sign_negative()) {
            (true, false) => b"NaN",
            (true, true) => b"-NaN",
            (false, false) => b"Infinity",
            (false, true) => b"-Infinity",
        };
        return out.extend_from_slice(name);
    }
    digits.clear();
    write!(digits, "{value:e}").expect("a string takes all that is written to it");
    let (mantissa, exponent) = digits.split_once('e').expect("the form has an exponent");
    let exponent: i32 = exponent.parse().expect("the exponent is a small integer");
    if (-4..T::EXPONENT_PRINTED).contains(&exponent) {
        print_plain(mantissa, exponent, out);
    } else {
        out.extend_from_slice(mantissa.as_bytes());
        let sign = if exponent < 0 { '-' } else { '+' };
        out.extend_from_slice(format!("e{sign}{:02}", exponent.abs()).as_bytes());
    }
}

/// Appends `mantissa` × 10^`exponent` without an exponent; the mantissa has one digit before its point.
fn print_plain(mantissa: &str, exponent: i32, out: &mut Vec<u8>) {
    let (sign, mantissa) = mantissa.strip_prefix('-').map_or(("", mantissa), |rest| ("-", rest));
    let digits = mantissa.bytes().filter(u8::is_ascii_digit);
    out.extend_from_slice(sign.as_bytes());
    let Ok(before_point) = usize::try_from(exponent + 1) else {
        return print_fraction(exponent, digits, out);
    };
    if before_point == 0 {
        return print_fraction(exponent, digits, out);
    }
    let mut count = 0;
    for digit in digits {
        if count == before_point {
            out.push(b'.');
        }
        out.push(digit);
        count += 1;
    }
    out.extend((count..before_point).map(|_| b'0'));
}

/// Appends a number below one, whose first digit stands `-exponent` places behind the point.
fn print_fraction(exponent: i32, digits: impl Iterator<Item = u8>, out: &mut Vec<u8>) {
    out.extend_from_slice(b"0.");
    out.extend((exponent + 1..0).map(|_| b'0'));
    out.extend(digits);
}

/// The encoder that feeds `target` from floats.
pub(super) fn from_float<A>(source: &DataType, target: &PgType) -> Choice
where
    A: ArrowPrimitiveType,
    A::Native: Float,
    PrimitiveArray<A>: Values,
{
    Choice::Binary(match &target.kind {
        PgKind::Int2 => integral::<A, i16, 2>(),
        PgKind::Int4 => integral::<A, i32, 4>(),
        PgKind::Int8 => integral::<A, i64, 8>(),
        PgKind::Float4 => Fixed::<A, 4, _, _>::boxed(
            |value| narrowed(value.into()).map(f32::to_be_bytes),
            |value| out_of_range(format_args!("{:e}", value.into()), f32::NAME),
        ),
        PgKind::Float8 => {
            Fixed::<A, 8, _, _>::boxed(|value| Some(value.into().to_be_bytes()), |value| format!("{:e}", value.into()))
        }
        PgKind::Numeric(modifier) => {
            let (modifier, mut number, mut digits) = (*modifier, Numeric::default(), String::new());
            let mut printed = Vec::new();
            Built::<PrimitiveArray<A>, _>::boxed(move |array: &PrimitiveArray<A>, row, out: &mut Vec<u8>| {
                let value = array.value(row);
                let wide: f64 = value.into();
                printed.clear();
                print(value, &mut digits, &mut printed);
                let text = if wide.is_nan() { "NaN" } else { ascii(&printed) };
                number.encode_text(text, modifier, out)
            })
        }
        PgKind::Text | PgKind::Varchar(_) | PgKind::Char(_) => {
            let (limit, mut digits) = (Limit::of(&target.kind), String::new());
            let mut printed = Vec::new();
            Built::<PrimitiveArray<A>, _>::boxed(move |array: &PrimitiveArray<A>, row, out: &mut Vec<u8>| {
                let value = array.value(row);
                let wide: f64 = value.into();
                printed.clear();
                print(value, &mut digits, &mut printed);
                limit.put(if wide.is_nan() { "NaN" } else { ascii(&printed) }, out)
            })
        }
        _ => return Choice::none(source, target),
    })
}

fn ascii(printed: &[u8]) -> &str {
    std::str::from_utf8(printed).expect("a printed number is ASCII")
}

fn integral<A, T: Integer<N>, const N: usize>() -> Box<dyn FieldEncoder>
where
    A: ArrowPrimitiveType,
    A::Native: Float,
{
    Fixed::<A, N, _, _>::boxed(
        |value| whole(value.into()).and_then(|whole| T::try_from(whole).ok()).map(T::sent),
        |value| {
            let value: f64 = value.into();
            match whole(value) {
                Some(_) => out_of_range(value, T::NAME),
                None => format!("{value:e} is not an integer"),
            }
        },
    )
}

/// The integer that `value` is, if it is one; a value beyond 128 bits counts as the outermost of them, which no
/// integer type of the server holds either.
fn whole(value: f64) -> Option<i128> {
    if !value.is_finite() || value.fract() != 0.0 {
        return None;
    }
    #[expect(clippy::cast_possible_truncation, reason = "it has no fraction, and the cast saturates")]
    let whole = value as i128;
    Some(whole)
}

/// The `real` nearest to `value`, unless that is beyond its range or nothing but zero is left of it: the server's cast.
fn narrowed(value: f64) -> Option<f32> {
    let float = f32::nearest(value);
    let lost = (float.is_infinite() && value.is_finite()) || (float == 0.0 && value != 0.0);
    (!lost).then_some(float)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn float8(text: &str) -> Result<Vec<u8>, String> {
        let mut out = Vec::new();
        parse::<f64>(text, &mut out).map(|()| out)
    }

    #[test]
    fn float_texts_are_read_as_the_c_library_reads_them() {
        for (text, value) in [
            (" 1.5 ", 1.5),
            (".5e+1", 5.0),
            ("1.e1", 10.0),
            ("-0", -0.0),
            ("-Infinity", f64::NEG_INFINITY),
            ("iNf", f64::INFINITY),
            ("nan", f64::NAN),
            ("0e-999", 0.0),
            ("5e-324", 5e-324),
        ] {
            assert_eq!(float8(text), Ok(value.to_be_bytes().to_vec()), "{text}");
        }
        for text in ["", ".", "1e", "infi", "nano", "0x1p3", "1 e5", "1_0"] {
            assert_eq!(float8(text), Err(format!("\"{text}\" is not a number")));
        }
    }

    #[test]
    fn a_float_text_that_overflows_or_vanishes_is_refused() {
        for text in ["1e400", "-1e400", "2e-324", "-1e-400"] {
            assert_eq!(float8(text), Err(format!("\"{text}\" is out of range for double precision")));
        }
        let mut out = Vec::new();
        assert!(parse::<f32>("1e-46", &mut out).is_err());
        assert!(parse::<f32>("3.4028236e38", &mut out).is_err());
        assert!(parse::<f32>("3.4028235e38", &mut out).is_ok());
    }

    #[test]
    fn floats_are_printed_as_the_server_prints_them() {
        let printed = |value: f64| {
            let mut out = Vec::new();
            print(value, &mut String::new(), &mut out);
            String::from_utf8(out).unwrap()
        };
        for (value, text) in [
            (1e15, "1e+15"),
            (1e14, "100000000000000"),
            (123_456_789_012_345.0, "123456789012345"),
            (1_234_567_890_123_456.0, "1.234567890123456e+15"),
            (1e-4, "0.0001"),
            (1e-5, "1e-05"),
            (-0.25, "-0.25"),
            (-0.0, "-0"),
            (12.5, "12.5"),
            (5e-324, "5e-324"),
            (f64::NEG_INFINITY, "-Infinity"),
        ] {
            assert_eq!(printed(value), text);
        }
        let mut out = Vec::new();
        print(1_234_567_f32, &mut String::new(), &mut out);
        assert_eq!(out, b"1.234567e+06");
    }

    #[test]
    fn a_double_narrows_to_the_nearest_real_or_not_at_all() {
        assert_eq!(narrowed(0.1), Some(0.1_f32));
        assert_eq!(narrowed(f64::INFINITY), Some(f32::INFINITY));
        assert_eq!(narrowed(1e39), None);
        assert_eq!(narrowed(1e-46), None);
        assert_eq!(narrowed(-0.0).map(f32::to_bits), Some((-0.0_f32).to_bits()));
    }

    #[test]
    fn only_a_float_without_fraction_is_an_integer() {
        assert_eq!(whole(-3.0), Some(-3));
        assert_eq!(whole(1.5), None);
        assert_eq!(whole(f64::NAN), None);
        assert_eq!(whole(1e300), Some(i128::MAX));
    }
}
