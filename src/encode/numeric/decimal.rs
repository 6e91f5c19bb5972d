//! Arrow's decimals, which are integers with a scale, to numerics; and where they may go.

use arrow_array::types::DecimalType;
use arrow_array::{ArrowPrimitiveType, PrimitiveArray};
use arrow_buffer::i256;
use arrow_schema::DataType;

use super::super::choose::Choice;
use super::super::field::{Built, FieldEncoder};
use super::super::float::{self, Float};
use super::super::integer::{Integer, out_of_range};
use super::super::money;
use super::super::text::Limit;
use super::super::values::Values;
use super::{BASE, Numeric};
use crate::schema::{PgKind, PgType};

/// The powers of ten that are doubles: dividing an exact number by one of them rounds but once.
const EXACT_POWERS: [f64; 23] = [
    1e0, 1e1, 1e2, 1e3, 1e4, 1e5, 1e6, 1e7, 1e8, 1e9, 1e10, 1e11, 1e12, 1e13, 1e14, 1e15, 1e16, 1e17, 1e18, 1e19, 1e20,
    1e21, 1e22,
];
/// Integers up to this one are doubles.
const EXACT_INTEGER: u64 = 1 << 53;

/// The unscaled values of Arrow's decimals.
pub(in super::super) trait Unscaled: Copy {
    /// Makes `number` this value with `scale` digits behind the point.
    fn put(self, scale: i8, number: &mut Numeric);

    /// The value as a double, if it is small enough to be one.
    fn exact_float(self) -> Option<f64>;
}

impl Unscaled for i128 {
    fn put(self, scale: i8, number: &mut Numeric) {
        number.set_decimal(self, scale);
    }

    fn exact_float(self) -> Option<f64> {
        #[expect(clippy::cast_precision_loss, reason = "at most 2^53")]
        i64::try_from(self).ok().filter(|value| value.unsigned_abs() <= EXACT_INTEGER).map(|value| value as f64)
    }
}

impl Unscaled for i256 {
    fn put(self, scale: i8, number: &mut Numeric) {
        match self.to_i128() {
            Some(narrow) => number.set_decimal(narrow, scale),
            None => number
                .read(&format!("{self}e{}", -i32::from(scale)))
                .expect("a decimal of 76 digits is within the server's format"),
        }
    }

    fn exact_float(self) -> Option<f64> {
        self.to_i128().and_then(Unscaled::exact_float)
    }
}

impl Numeric {
    /// Makes this `unscaled` with `scale` digits behind the point, or -`scale` zeros before it.
    pub(in super::super) fn set_decimal(&mut self, unscaled: i128, scale: i8) {
        let size = unscaled.unsigned_abs();
        self.sign = if unscaled < 0 { super::Sign::Negative } else { super::Sign::Positive };
        self.scale = u16::try_from(scale).unwrap_or(0);
        let groups = self.scale.div_ceil(4); // behind the point
        let shift = if scale < 0 { u32::from(scale.unsigned_abs()) } else { u32::from(groups * 4 - self.scale) };
        match 10_u128.checked_pow(shift).and_then(|factor| size.checked_mul(factor)) {
            Some(aligned) => self.set_aligned(aligned, i32::from(groups)),
            None => self.set_wide(size, scale),
        }
    }

    /// Makes the digits those of `aligned`, of which the last `groups` stand behind the point.
    fn set_aligned(&mut self, aligned: u128, groups: i32) {
        self.digits.clear();
        let mut rest = aligned;
        while rest > u128::from(u64::MAX) {
            self.digits.push(remainder(u64::try_from(rest % u128::from(BASE)).expect("below the base")));
            rest /= u128::from(BASE);
        }
        // Division of 64 bits is many times faster, and most values need no other.
        let mut rest = u64::try_from(rest).expect("just found to fit");
        while rest > 0 {
            self.digits.push(remainder(rest % u64::from(BASE)));
            rest /= u64::from(BASE);
        }
        self.digits.reverse();
        let count = i32::try_from(self.digits.len()).expect("128 bits have ten digits");
        self.weight = count - groups - 1;
        self.strip();
    }

    /// For values that 128 bits cannot align.
    fn set_wide(&mut self, size: u128, scale: i8) {
        self.decimals.clear();
        let mut rest = size;
        while rest > 0 {
            self.decimals.push(u8::try_from(rest % 10).expect("below ten"));
            rest /= 10;
        }
        self.decimals.reverse();
        let count = i64::try_from(self.decimals.len()).expect("128 bits have 39 digits");
        self.group(count - 1 - i64::from(scale)).expect("a decimal of 39 digits is within the server's format");
    }
}

fn remainder(value: u64) -> u16 {
    u16::try_from(value).expect("a remainder of the base is below it")
}

/// The encoder that feeds `target` from decimals with `scale` digits behind the point.
pub(in super::super) fn from_decimal<A>(scale: i8, source: &DataType, target: &PgType) -> Choice
where
    A: DecimalType + ArrowPrimitiveType,
    A::Native: Unscaled,
    PrimitiveArray<A>: Values,
{
    Choice::Binary(match &target.kind {
        PgKind::Int2 => integral::<A, i16, 2>(scale),
        PgKind::Int4 => integral::<A, i32, 4>(scale),
        PgKind::Int8 => integral::<A, i64, 8>(scale),
        PgKind::Float4 => printed::<A>(scale, float::parse::<f32>),
        PgKind::Float8 => nearest::<A>(scale),
        PgKind::Numeric(modifier) => {
            let modifier = *modifier;
            numbers::<A>(scale, move |number, out| number.encode(modifier, out))
        }
        PgKind::Money => numbers::<A>(scale, money::put_number),
        PgKind::Text | PgKind::Varchar(_) | PgKind::Char(_) => {
            let limit = Limit::of(&target.kind);
            printed::<A>(scale, move |text, out| limit.put(text, out))
        }
        _ => return Choice::none(source, target),
    })
}

/// Fields that `put` appends for each decimal.
fn numbers<A>(
    scale: i8,
    mut put: impl FnMut(&mut Numeric, &mut Vec<u8>) -> Result<(), String> + Send + 'static,
) -> Box<dyn FieldEncoder>
where
    A: ArrowPrimitiveType,
    A::Native: Unscaled,
{
    let mut number = Numeric::default();
    Built::<PrimitiveArray<A>, _>::boxed(move |array: &PrimitiveArray<A>, row, out: &mut Vec<u8>| {
        array.value(row).put(scale, &mut number);
        put(&mut number, out)
    })
}

/// Fields that `put` appends for the text of each decimal.
fn printed<A>(
    scale: i8,
    mut put: impl FnMut(&str, &mut Vec<u8>) -> Result<(), String> + Send + 'static,
) -> Box<dyn FieldEncoder>
where
    A: ArrowPrimitiveType,
    A::Native: Unscaled,
{
    let mut text = Vec::new();
    numbers::<A>(scale, move |number, out| {
        text.clear();
        number.print(&mut text);
        put(std::str::from_utf8(&text).expect("a printed number is ASCII"), out)
    })
}

fn integral<A, T: Integer<N>, const N: usize>(scale: i8) -> Box<dyn FieldEncoder>
where
    A: ArrowPrimitiveType,
    A::Native: Unscaled,
{
    numbers::<A>(scale, |number, out| {
        let whole = number.as_integer();
        match whole.and_then(|whole| T::try_from(whole).ok()) {
            Some(value) => out.extend_from_slice(&value.sent()),
            None => return Err(refuse_integer(number, T::NAME)),
        }
        Ok(())
    })
}

fn refuse_integer(number: &Numeric, name: &str) -> String {
    let mut text = Vec::new();
    number.print(&mut text);
    let text = String::from_utf8_lossy(&text);
    if text.contains('.') && number.as_integer().is_none() {
        return format!("{text} is not an integer");
    }
    out_of_range(text, name)
}

/// The double nearest to each decimal, as the server's cast gives it.
fn nearest<A>(scale: i8) -> Box<dyn FieldEncoder>
where
    A: ArrowPrimitiveType,
    A::Native: Unscaled,
{
    let power = usize::try_from(scale).ok().and_then(|scale| EXACT_POWERS.get(scale));
    let (mut number, mut text) = (Numeric::default(), Vec::new());
    Built::<PrimitiveArray<A>, _>::boxed(move |array: &PrimitiveArray<A>, row, out: &mut Vec<u8>| {
        let value = array.value(row);
        if let (Some(power), Some(unscaled)) = (power, value.exact_float()) {
            (unscaled / power).send(out);
            return Ok(());
        }
        value.put(scale, &mut number);
        text.clear();
        number.print(&mut text);
        float::parse::<f64>(std::str::from_utf8(&text).expect("a printed number is ASCII"), out)
    })
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    proptest! {
        #[test]
        fn a_decimal_is_the_number_that_its_digits_spell(
            value in any::<i128>(),
            shift in 0..127_u32,
            scale in -20..=76_i8,
        ) {
            let unscaled = value >> shift;
            let (mut from_value, mut from_text) = (Numeric::default(), Numeric::default());
            let (mut sent, mut read) = (Vec::new(), Vec::new());
            from_value.set_decimal(unscaled, scale);
            from_value.encode(None, &mut sent).unwrap();
            from_text.encode_text(&format!("{unscaled}e{}", -i32::from(scale)), None, &mut read).unwrap();
            prop_assert_eq!(&sent, &read);
            i256::from_i128(unscaled).put(scale, &mut from_value);
            sent.clear();
            from_value.encode(None, &mut sent).unwrap();
            prop_assert_eq!(sent, read);
        }

        #[test]
        fn an_integer_comes_back_out_of_a_decimal(value in any::<i128>(), scale in 0..10_i8) {
            let mut number = Numeric::default();
            if let Some(unscaled) = value.checked_mul(10_i128.pow(u32::from(scale.unsigned_abs()))) {
                number.set_decimal(unscaled, scale);
                prop_assert_eq!(number.as_integer(), Some(value));
            }
        }
    }

    #[test]
    fn the_widest_decimals_keep_all_their_digits() {
        let mut number = Numeric::default();
        let digits = "9".repeat(76);
        i256::from_string(&digits).unwrap().put(70, &mut number);
        let mut text = Vec::new();
        number.print(&mut text);
        assert_eq!(String::from_utf8(text).unwrap(), format!("{}.{}", &digits[..6], &digits[6..]));
    }

    #[test]
    fn what_is_no_integer_says_so() {
        let mut number = Numeric::default();
        number.set_decimal(150, 2);
        assert_eq!(refuse_integer(&number, "smallint"), "1.50 is not an integer");
        number.set_decimal(9_999_900, 2);
        assert_eq!(refuse_integer(&number, "smallint"), "99999.00 is out of range for smallint");
    }
}
