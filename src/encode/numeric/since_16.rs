//! Spellings of numerics that servers from 16 on take: other bases, and underscores between digits.
//!
//! By the documentation of version 16, section 4.1.2.6, and its release notes.

use std::fmt::Write;

use super::super::integer::{radix_of, without_underscores};
use super::super::values::trimmed;
use super::DIGITS_MAX;

/// The same number as a decimal text that every server takes; `None` where the text is none of these spellings.
pub(super) fn in_decimal(text: &str) -> Option<String> {
    let word = trimmed(text);
    let (sign, unsigned) = match word.as_bytes().first() {
        Some(b'-') => ("-", &word[1..]),
        Some(b'+') => ("", &word[1..]),
        _ => ("", word),
    };
    match radix_of(unsigned) {
        (10, digits) if digits.contains('_') => Some(format!("{sign}{}", without_separators(digits)?)),
        (10, _) => None,
        (radix, digits) => Some(format!("{sign}{}", decimal(&without_underscores(digits, radix)?, radix)?)),
    }
}

/// A decimal number without underscores, each of which must stand before a digit and behind one.
fn without_separators(number: &str) -> Option<String> {
    let letters = number.as_bytes();
    let is_digit = |at: Option<usize>| at.and_then(|at| letters.get(at)).is_some_and(u8::is_ascii_digit);
    let mut underscores = letters.iter().enumerate().filter(|(_, letter)| **letter == b'_');
    let sound = underscores.all(|(at, _)| is_digit(at.checked_sub(1)) && is_digit(Some(at + 1)));
    sound.then(|| number.replace('_', ""))
}

/// The decimal digits of a number that is written in another base; `None` where it has more than can be sent.
fn decimal(digits: &str, radix: u32) -> Option<String> {
    const BASE: u64 = 1_000_000_000;
    let mut parts: Vec<u64> = vec![0]; // of nine decimal digits, the lowest first
    for digit in digits.chars() {
        let mut carry = u64::from(digit.to_digit(radix)?);
        for part in &mut parts {
            let value = *part * u64::from(radix) + carry;
            (*part, carry) = (value % BASE, value / BASE);
        }
        if carry > 0 {
            parts.push(carry);
        }
        if parts.len() * 9 > DIGITS_MAX * 4 {
            return None;
        }
    }
    let (last, rest) = parts.split_last()?;
    let mut text = last.to_string();
    rest.iter().rev().for_each(|part| write!(text, "{part:09}").expect("a string takes any text"));
    Some(text)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn numbers_in_other_bases_and_with_underscores_are_brought_to_plain_decimals() {
        for (text, plain) in [
            ("0x1F", "31"),
            (" -0b_1_1 ", "-3"),
            ("0o17", "15"),
            ("1_000.500_1e1_0", "1000.5001e10"),
            ("+0xffffffffffffffffffff", "1208925819614629174706175"),
            ("0x3b9aca00", "1000000000"),
        ] {
            assert_eq!(in_decimal(text).as_deref(), Some(plain), "{text}");
        }
        for text in
            ["1", "1.5", "NaN", "_1", "1_", "1__0", "1_.0", "1._0", "1e_1", "1_e1", "0x", "0xg", "0x1.8", "0x1e_"]
        {
            assert_eq!(in_decimal(text), None, "{text}");
        }
        assert_eq!(in_decimal(&format!("0x{}", "f".repeat(20_000))), None);
    }
}
