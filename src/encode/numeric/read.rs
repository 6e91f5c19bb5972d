//! Numerics out of text, by the rules of `numeric_in`.

use super::super::values::trimmed;
use super::{GROUP, Numeric, NumericFault, Sign};

/// Weights beyond this do not fit the server's 16 bits.
const WEIGHT_MAX: i64 = 32_767;
/// Exponents from here on are refused whatever the digits, as the server does: half of 2^31 - 1.
const EXPONENT_END: i64 = 1_073_741_823;

impl Numeric {
    /// Takes the number that `text` spells; it is fit to be sent or printed only after [`fit`](Self::fit).
    pub(in super::super) fn read(&mut self, text: &str) -> Result<(), NumericFault> {
        let word = trimmed(text);
        let (negative, unsigned) = match word.as_bytes() {
            [b'-', rest @ ..] => (true, rest),
            [b'+', rest @ ..] | rest => (false, rest),
        };
        if unsigned.first().is_some_and(u8::is_ascii_alphabetic) {
            return self.read_special(word);
        }
        let (mantissa, exponent) = split_exponent(unsigned)?;
        let (whole, fraction) = self.gather(mantissa)?;
        self.sign = if negative { Sign::Negative } else { Sign::Positive };
        let scale = (fraction - exponent).max(0);
        // A scale that is too large may still be rounded to a declared one; `fit` refuses it where none is.
        self.scale = u16::try_from(scale).unwrap_or(u16::MAX);
        self.group(whole - 1 + exponent)
    }

    fn read_special(&mut self, word: &str) -> Result<(), NumericFault> {
        let is = |name: &str| word.eq_ignore_ascii_case(name);
        self.set_special(match () {
            () if is("nan") => Sign::NotANumber,
            () if is("inf") || is("+inf") || is("infinity") || is("+infinity") => Sign::Infinity,
            () if is("-inf") || is("-infinity") => Sign::NegativeInfinity,
            () => return Err(NumericFault::Syntax),
        });
        Ok(())
    }

    /// Gathers the decimal digits of `mantissa` without zeros at either end. Gives how many stand before the point,
    /// counted from the first that is not zero (so less than none for 0.001), and how many were written behind it.
    fn gather(&mut self, mantissa: &[u8]) -> Result<(i64, i64), NumericFault> {
        self.decimals.clear();
        let (mut whole, mut fraction, mut behind) = (0, 0, false);
        for letter in mantissa {
            match letter {
                b'.' if !behind => behind = true,
                b'0'..=b'9' => {
                    let leading = *letter == b'0' && self.decimals.is_empty();
                    fraction += i64::from(behind);
                    whole += match (behind, leading) {
                        (false, false) => 1,
                        (true, true) => -1,
                        _ => 0,
                    };
                    if !leading {
                        self.decimals.push(letter - b'0');
                    }
                }
                _ => return Err(NumericFault::Syntax),
            }
        }
        if mantissa.len() == usize::from(behind) {
            return Err(NumericFault::Syntax); // no digit at all
        }
        Ok((whole, fraction))
    }

    /// Groups the gathered decimals, the first of which counts 10^`place`, to base-10000 digits.
    pub(super) fn group(&mut self, place: i64) -> Result<(), NumericFault> {
        let end = self.decimals.iter().rposition(|decimal| *decimal != 0).map_or(0, |last| last + 1);
        self.decimals.truncate(end);
        self.digits.clear();
        if self.decimals.is_empty() {
            self.set_zero();
            return Ok(());
        }
        let weight = place.div_euclid(i64::from(GROUP));
        if weight > WEIGHT_MAX {
            return Err(NumericFault::Overflow);
        }
        // Exponents end long before the number could be too small for 32 bits.
        self.weight = i32::try_from(weight).map_err(|_| NumericFault::Overflow)?;
        let first = usize::try_from(place.rem_euclid(i64::from(GROUP)) + 1).expect("a remainder of four is small");
        let (head, tail) = self.decimals.split_at(first.min(self.decimals.len()));
        let value = |group: &[u8]| group.iter().fold(0, |value, decimal| value * 10 + u16::from(*decimal));
        let missing = |held: usize| 10_u16.pow(u32::try_from(held).expect("at most three digits are missing"));
        self.digits.push(value(head) * missing(first - head.len()));
        self.digits.extend(tail.chunks(4).map(|group| value(group) * missing(4 - group.len())));
        Ok(())
    }
}

/// Splits a number into its mantissa and its exponent, zero where there is none.
fn split_exponent(number: &[u8]) -> Result<(&[u8], i64), NumericFault> {
    let Some(at) = memchr::memchr2(b'e', b'E', number) else {
        return Ok((number, 0));
    };
    let (negative, digits) = match &number[at + 1..] {
        [b'-', digits @ ..] => (true, digits),
        [b'+', digits @ ..] | digits => (false, digits),
    };
    if digits.is_empty() || !digits.iter().all(u8::is_ascii_digit) {
        return Err(NumericFault::Syntax);
    }
    let size = digits.iter().fold(0_i64, |size, digit| size.saturating_mul(10).saturating_add(i64::from(digit - b'0')));
    if size >= EXPONENT_END {
        return Err(NumericFault::Overflow);
    }
    Ok((&number[..at], if negative { -size } else { size }))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn read(text: &str) -> Result<(Vec<u16>, i32, u16), NumericFault> {
        let mut number = Numeric::default();
        number.read(text)?;
        number.fit(None)?;
        Ok((number.digits, number.weight, number.scale))
    }

    #[test]
    fn decimal_texts_are_grouped_around_the_point() {
        assert_eq!(read(" 12345.678\n"), Ok((vec![1, 2345, 6780], 1, 3)));
        assert_eq!(read("+.5"), Ok((vec![5000], -1, 1)));
        assert_eq!(read("0005."), Ok((vec![5], 0, 0)));
        assert_eq!(read("10000"), Ok((vec![1], 1, 0)));
        assert_eq!(read("0.00010"), Ok((vec![1], -1, 5)));
        assert_eq!(read("0.00001"), Ok((vec![1000], -2, 5)));
        assert_eq!(read("1e5"), Ok((vec![10], 1, 0)));
        assert_eq!(read("1.50E-3"), Ok((vec![15], -1, 5)));
        assert_eq!(read("0e999999"), Ok((vec![], 0, 0)));
    }

    #[test]
    fn what_is_not_a_decimal_number_is_refused() {
        for text in ["", ".", "-", "+-5", "-.", "1e", "1e+", "1.2.3", "1,5", "-nan", "infinit", "0x1", "1 2", "1e5.0"] {
            assert_eq!(read(text), Err(NumericFault::Syntax), "{text:?}");
        }
    }

    #[test]
    fn numbers_beyond_the_servers_format_are_refused() {
        assert!(read("1e131071").is_ok());
        assert!(read("1e-16383").is_ok());
        for text in ["1e131072", "1e-16384", "0e-16384", "1e99999999999999999999"] {
            assert_eq!(read(text), Err(NumericFault::Overflow), "{text:?}");
        }
    }
}
