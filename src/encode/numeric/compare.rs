//! The order of numerics, by the bytes in which they are sent.

use std::cmp::Ordering;

/// The order of two numbers in their binary form, as the server's `numeric_cmp` has it: infinities outermost, and NaN
/// above all.
pub(in super::super) fn compare_sent(one: &[u8], other: &[u8]) -> Ordering {
    let (left, right) = (Sent::of(one), Sent::of(other));
    left.class.cmp(&right.class).then_with(|| match left.class {
        Class::Positive => left.compare_size(right),
        Class::Negative => right.compare_size(left),
        _ => Ordering::Equal,
    })
}

#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
enum Class {
    NegativeInfinity,
    Negative,
    Zero,
    Positive,
    Infinity,
    NotANumber,
}

/// A number as it is sent.
#[derive(Debug, Clone, Copy)]
struct Sent<'a> {
    class: Class,
    weight: i16,
    /// Base-10000 digits of two bytes each, without zeros at either end.
    digits: &'a [u8],
}

impl<'a> Sent<'a> {
    fn of(field: &'a [u8]) -> Self {
        let (head, digits) = field.split_at(8);
        let class = match (u16::from_be_bytes([head[4], head[5]]), digits.is_empty()) {
            (0xc000, _) => Class::NotANumber,
            (0xd000, _) => Class::Infinity,
            (0xf000, _) => Class::NegativeInfinity,
            (_, true) => Class::Zero,
            (0x4000, false) => Class::Negative,
            (_, false) => Class::Positive,
        };
        Self { class, weight: i16::from_be_bytes([head[2], head[3]]), digits }
    }

    /// The order of two numbers without their signs. Digits are big-endian, so their bytes are in the order of digits.
    fn compare_size(self, other: Self) -> Ordering {
        self.weight.cmp(&other.weight).then_with(|| self.digits.cmp(other.digits))
    }
}

#[cfg(test)]
mod tests {
    use super::super::Numeric;
    use super::*;

    #[test]
    fn numbers_are_ordered_by_value_and_not_by_scale() {
        let sent = |text: &str| {
            let mut out = Vec::new();
            Numeric::default().encode_text(text, None, &mut out).unwrap();
            out
        };
        let rising = [
            "-inf", "-10000", "-9999.9", "-1", "-0.0001", "0", "0.00009", "0.5", "1", "1.00001", "20000", "inf", "nan",
        ];
        for (at, one) in rising.iter().enumerate() {
            for (place, other) in rising.iter().enumerate() {
                assert_eq!(compare_sent(&sent(one), &sent(other)), at.cmp(&place), "{one} {other}");
            }
        }
        assert_eq!(compare_sent(&sent("1.00"), &sent("1")), Ordering::Equal);
        assert_eq!(compare_sent(&sent("-0.0"), &sent("0")), Ordering::Equal);
    }
}
