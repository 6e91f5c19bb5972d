//! Numerics brought to a declared precision and scale, by the rules of the server's `apply_typmod`.

use super::{BASE, GROUP, Numeric, NumericFault, SCALE_MAX, leading_zeros};

impl Numeric {
    /// Rounds, half away from zero, to the modifier's scale; refuses what then has more digits before the point than
    /// its precision leaves. Without a modifier, refuses a scale that the server does not keep.
    pub(in super::super) fn fit(&mut self, modifier: Option<(u16, i16)>) -> Result<(), NumericFault> {
        let Some((precision, scale)) = modifier else {
            return if i64::from(self.scale) <= SCALE_MAX { Ok(()) } else { Err(NumericFault::Overflow) };
        };
        if self.sign.is_special() {
            return if self.sign == super::Sign::NotANumber { Ok(()) } else { Err(NumericFault::Overflow) };
        }
        self.round(i32::from(scale));
        self.scale = u16::try_from(scale).unwrap_or(0);
        let allowed = i32::from(precision) - i32::from(scale);
        if !self.digits.is_empty() && self.whole_decimals() > allowed {
            return Err(NumericFault::Overflow);
        }
        Ok(())
    }

    /// Decimal digits before the point from the first that is not zero; less than none for 0.001.
    fn whole_decimals(&self) -> i32 {
        let zeros = self.digits.first().map_or(0, |digit| leading_zeros(*digit));
        (self.weight + 1) * 4 - i32::try_from(zeros).expect("a digit has at most three leading zeros")
    }

    /// Rounds to `scale` decimal digits behind the point.
    fn round(&mut self, scale: i32) {
        let kept = (self.weight + 1) * 4 + scale; // decimal digits, counted from the first of the first group
        let Ok(kept) = u32::try_from(kept) else {
            return self.set_zero();
        };
        let groups = usize::try_from(kept / GROUP).expect("a numeric's length fits memory");
        let Some(&cut) = self.digits.get(groups) else { return };
        let unit = 10_u16.pow(GROUP - kept % GROUP);
        let rest = cut % unit;
        self.digits.truncate(groups);
        if kept % GROUP > 0 {
            self.digits.push(cut - rest);
        }
        if rest >= unit / 2 {
            self.add(if kept % GROUP > 0 { unit } else { 1 });
        }
        self.strip();
    }

    /// Adds `amount` to the last digit that is kept, and carries.
    fn add(&mut self, amount: u16) {
        let mut amount = amount;
        for digit in self.digits.iter_mut().rev() {
            *digit += amount;
            if *digit < BASE {
                return;
            }
            *digit -= BASE;
            amount = 1;
        }
        self.digits.insert(0, amount);
        self.weight += 1;
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn fit(text: &str, precision: u16, scale: i16) -> Option<String> {
        let mut number = Numeric::default();
        number.read(text).unwrap();
        number.fit(Some((precision, scale))).ok()?;
        let mut out = Vec::new();
        number.print(&mut out);
        Some(String::from_utf8(out).unwrap())
    }

    #[test]
    fn a_scale_rounds_half_away_from_zero() {
        assert_eq!(fit("1.005", 10, 2).as_deref(), Some("1.01"));
        assert_eq!(fit("-1.005", 10, 2).as_deref(), Some("-1.01"));
        assert_eq!(fit("1.00499", 10, 2).as_deref(), Some("1.00"));
        assert_eq!(fit("9999.99995", 10, 4).as_deref(), Some("10000.0000"));
        assert_eq!(fit("0.00005", 4, 4).as_deref(), Some("0.0001"));
        assert_eq!(fit("0.00004", 4, 4).as_deref(), Some("0.0000"));
        assert_eq!(fit("-0.0000000049", 4, 4).as_deref(), Some("0.0000"));
        assert_eq!(fit("5", 10, 3).as_deref(), Some("5.000"));
        assert_eq!(fit("4999.5", 10, 0).as_deref(), Some("5000"));
        assert_eq!(fit("1e-16384", 10, 2).as_deref(), Some("0.00"));
        assert_eq!(fit("0e-1073741822", 10, 2).as_deref(), Some("0.00"));
    }

    #[test]
    fn a_negative_scale_rounds_before_the_point() {
        assert_eq!(fit("12345", 3, -2).as_deref(), Some("12300"));
        assert_eq!(fit("12350", 3, -2).as_deref(), Some("12400"));
        assert_eq!(fit("49", 3, -2).as_deref(), Some("0"));
        assert_eq!(fit("50", 3, -2).as_deref(), Some("100"));
        assert_eq!(fit("5000", 3, -4).as_deref(), Some("10000"));
    }

    #[test]
    fn more_digits_than_the_precision_are_refused() {
        assert_eq!(fit("999.994", 5, 2).as_deref(), Some("999.99"));
        assert_eq!(fit("999.995", 5, 2), None);
        assert_eq!(fit("0.00999", 3, 5).as_deref(), Some("0.00999"));
        assert_eq!(fit("0.01", 3, 5), None);
        assert_eq!(fit("NaN", 3, 0).as_deref(), Some("NaN"));
        assert_eq!(fit("Infinity", 3, 0), None);
    }
}
