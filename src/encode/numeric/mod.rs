//! `numeric`: exact decimals in groups of four digits, as the server keeps and sends them.
//!
//! The binary form is that of `numeric_send` in the server's `numeric.c`: number of digits, weight of the first, sign,
//! display scale, then the base-10000 digits, without zeros at either end.

mod compare;
mod decimal;
mod read;
mod round;
mod since_16;

pub(super) use compare::compare_sent;
pub(super) use decimal::from_decimal;

use super::values::shown;
use crate::schema::Reading;

/// Decimal digits in a base-10000 digit.
const GROUP: u32 = 4;
/// The base.
const BASE: u16 = 10_000;
/// Most digits behind the point that the server keeps (14 bits).
const SCALE_MAX: i64 = 16_383;
/// Most base-10000 digits that the server's binary input takes, although its text input takes more: the sum of its
/// `NUMERIC_MAX_PRECISION` and `NUMERIC_MAX_RESULT_SCALE`.
const DIGITS_MAX: usize = 3_000;

/// A numeric, with the scratch to make one: it is meant to be filled again and again.
#[derive(Debug, Default)]
pub(super) struct Numeric {
    sign: Sign,
    /// Base-10000 digits, without zeros at either end; none for zero.
    digits: Vec<u16>,
    /// Power of the base that the first digit counts.
    weight: i32,
    /// Decimal digits behind the point that are shown.
    scale: u16,
    /// Decimal digits on their way to base 10000.
    decimals: Vec<u8>,
    /// Whether the server takes other bases and underscores: from 16 on.
    takes_other_bases: bool,
    /// Whether the server is known to have no infinities: before 14.
    lacks_infinity: bool,
}

#[derive(Debug, Default, Clone, Copy, PartialEq, Eq)]
enum Sign {
    #[default]
    Positive,
    Negative,
    NotANumber,
    Infinity,
    NegativeInfinity,
}

impl Sign {
    /// As the server sends it, with the display scale that it sends for values that have no digits to show: part of
    /// its mark for infinity falls into the bits of the scale.
    fn sent(self, scale: u16) -> (u16, u16) {
        match self {
            Self::Positive => (0x0000, scale),
            Self::Negative => (0x4000, scale),
            Self::NotANumber => (0xc000, 0),
            Self::Infinity => (0xd000, 0x20),
            Self::NegativeInfinity => (0xf000, 0x20),
        }
    }

    fn is_special(self) -> bool {
        !matches!(self, Self::Positive | Self::Negative)
    }
}

/// Why there is no numeric.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum NumericFault {
    /// The text does not spell one.
    Syntax,
    /// It has more digits than the server's type, or than its declared precision, can hold.
    Overflow,
}

impl Numeric {
    /// For texts as the server of `reading` takes them.
    pub(super) fn for_server(reading: &Reading) -> Self {
        Self {
            takes_other_bases: reading.server_is_at_least(16),
            lacks_infinity: reading.server.is_some_and(|major| major < 14),
            ..Self::default()
        }
    }

    /// Appends the binary form of the number that `text` spells.
    pub(super) fn encode_text(
        &mut self,
        text: &str,
        modifier: Option<(u16, i16)>,
        out: &mut Vec<u8>,
    ) -> Result<(), String> {
        let in_decimal = if self.takes_other_bases { since_16::in_decimal(text) } else { None };
        let read = self.read(in_decimal.as_deref().unwrap_or(text));
        let is_infinite = matches!(self.sign, Sign::Infinity | Sign::NegativeInfinity);
        let read = if is_infinite && self.lacks_infinity { Err(NumericFault::Syntax) } else { read };
        read.map_err(|fault| match fault {
            NumericFault::Syntax => format!("{} is not a number", shown(text)),
            NumericFault::Overflow => format!("{} is out of range for numeric", shown(text)),
        })?;
        self.fit(modifier).map_err(|_| overflow(&shown(text), modifier))?;
        self.send(out)
    }

    /// Appends the binary form of the number at hand.
    pub(super) fn encode(&mut self, modifier: Option<(u16, i16)>, out: &mut Vec<u8>) -> Result<(), String> {
        self.fit(modifier).map_err(|_| {
            let mut text = Vec::new();
            self.print(&mut text);
            overflow(&shown(&String::from_utf8_lossy(&text)), modifier)
        })?;
        self.send(out)
    }

    fn send(&self, out: &mut Vec<u8>) -> Result<(), String> {
        if self.digits.len() > DIGITS_MAX {
            return Err(format!("a number of {} digits is longer than COPY BINARY takes", self.digits.len() * 4));
        }
        #[expect(clippy::cast_possible_truncation, reason = "just found to be at most 3000")]
        let count = self.digits.len() as u16;
        let weight = i16::try_from(self.weight).expect("reading and rounding keep the weight in the server's range");
        let (sign, scale) = self.sign.sent(self.scale);
        for part in [count.to_be_bytes(), weight.to_be_bytes(), sign.to_be_bytes(), scale.to_be_bytes()] {
            out.extend_from_slice(&part);
        }
        out.extend(self.digits.iter().flat_map(|digit| digit.to_be_bytes()));
        Ok(())
    }

    /// Takes the number out of its binary form, which this module has made.
    pub(super) fn take_sent(&mut self, field: &[u8]) {
        let mut words = field.chunks_exact(2).map(|word| u16::from_be_bytes([word[0], word[1]]));
        let mut next = || words.next().expect("a numeric field has a header of four words");
        let _count = next();
        self.weight = i32::from(next().cast_signed());
        self.sign = match next() {
            0x0000 => Sign::Positive,
            0x4000 => Sign::Negative,
            0xd000 => Sign::Infinity,
            0xf000 => Sign::NegativeInfinity,
            _ => Sign::NotANumber,
        };
        self.scale = next();
        self.digits.clear();
        self.digits.extend(words);
    }

    /// Appends the number as the server prints it: never with an exponent, with all digits of its scale.
    pub(super) fn print(&self, out: &mut Vec<u8>) {
        match self.sign {
            Sign::NotANumber => return out.extend_from_slice(b"NaN"),
            Sign::Infinity => return out.extend_from_slice(b"Infinity"),
            Sign::NegativeInfinity => return out.extend_from_slice(b"-Infinity"),
            Sign::Negative => out.push(b'-'),
            Sign::Positive => {}
        }
        if self.weight < 0 {
            out.push(b'0');
        }
        for place in (0..=self.weight).rev() {
            let from = if place == self.weight { leading_zeros(self.digit(place)) } else { 0 };
            out.extend_from_slice(&decimals_of(self.digit(place))[from..]);
        }
        if self.scale > 0 {
            out.push(b'.');
            let end = out.len() + usize::from(self.scale);
            let mut place = -1;
            while out.len() < end {
                out.extend_from_slice(&decimals_of(self.digit(place)));
                place -= 1;
            }
            out.truncate(end);
        }
    }

    /// The digit that counts this power of the base.
    fn digit(&self, place: i32) -> u16 {
        usize::try_from(self.weight - place).ok().and_then(|at| self.digits.get(at)).copied().unwrap_or(0)
    }

    /// The number as an integer, if it is one of 128 bits.
    fn as_integer(&self) -> Option<i128> {
        let whole = self.digits.len() <= usize::try_from(self.weight + 1).unwrap_or(0);
        if self.sign.is_special() || !whole {
            return None;
        }
        let mut value: i128 = 0;
        for place in (0..=self.weight).rev() {
            value = value.checked_mul(i128::from(BASE))?.checked_add(i128::from(self.digit(place)))?;
        }
        Some(if self.sign == Sign::Negative { -value } else { value })
    }

    fn set_zero(&mut self) {
        self.sign = Sign::Positive;
        self.weight = 0;
        self.digits.clear();
    }

    fn set_special(&mut self, sign: Sign) {
        self.set_zero();
        self.sign = sign;
        self.scale = 0;
    }

    /// Takes zeros off both ends.
    fn strip(&mut self) {
        let end = self.digits.iter().rposition(|digit| *digit != 0).map_or(0, |last| last + 1);
        self.digits.truncate(end);
        let zeros = self.digits.iter().take_while(|digit| **digit == 0).count();
        if zeros > 0 {
            self.digits.drain(..zeros);
            self.weight -= i32::try_from(zeros).expect("a numeric has fewer than 2^31 digits");
        }
        if self.digits.is_empty() {
            self.set_zero();
        }
    }
}

fn overflow(shown: &str, modifier: Option<(u16, i16)>) -> String {
    match modifier {
        Some((precision, scale)) => format!("{shown} is out of range for numeric({precision},{scale})"),
        None => format!("{shown} is out of range for numeric"),
    }
}

/// The four decimal digits of a digit, in ASCII.
fn decimals_of(digit: u16) -> [u8; 4] {
    let ascii = |value: u16| b'0' + u8::try_from(value % 10).expect("a remainder of ten is below ten");
    [ascii(digit / 1000), ascii(digit / 100), ascii(digit / 10), ascii(digit)]
}

/// Decimal zeros before the first other digit; three for zero, whose last digit is shown.
fn leading_zeros(digit: u16) -> usize {
    match digit {
        0..=9 => 3,
        10..=99 => 2,
        100..=999 => 1,
        _ => 0,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// The server's own bytes, from `select numeric_send('…')`.
    #[test]
    fn numbers_are_sent_as_the_server_sends_them() {
        for (text, hex) in [
            ("Infinity", "00000000d0000020"),
            ("-inf", "00000000f0000020"),
            ("NaN", "00000000c0000000"),
            ("0.000", "0000000000000003"),
            ("-0", "0000000000000000"),
            ("1e-5", "0001fffe0000000503e8"),
            ("-12345.678", "0003000140000003000109291a7c"),
        ] {
            let mut out = Vec::new();
            Numeric::default().encode_text(text, None, &mut out).unwrap();
            let sent = out.iter().map(|byte| format!("{byte:02x}")).collect::<Vec<_>>().concat();
            assert_eq!(sent, hex, "{text}");
        }
    }

    #[test]
    fn what_was_sent_prints_as_what_was_read() {
        for text in ["0", "0.00", "-0.001", "10000", "10000.0001", "123456789.10", "NaN", "-Infinity", "0.00001"] {
            let (mut number, mut field, mut printed) = (Numeric::default(), Vec::new(), Vec::new());
            number.encode_text(text, None, &mut field).unwrap();
            number.take_sent(&field);
            number.print(&mut printed);
            assert_eq!(String::from_utf8(printed).unwrap(), text);
        }
    }

    #[test]
    fn a_number_longer_than_the_binary_form_is_refused() {
        let mut number = Numeric::default();
        assert!(number.encode_text(&"1".repeat(12_000), None, &mut Vec::new()).is_ok());
        assert!(number.encode_text(&"1".repeat(12_001), None, &mut Vec::new()).is_err());
    }
}
