//! `money`: a count of hundredths, on servers whose `lc_monetary` says so (see [`PgKind::Money`](crate::schema::PgKind)).
//!
//! Texts are read as `cash_in` reads them, which is lax: thousands separators may stand anywhere, signs and currency
//! before and after, and a third digit behind the point rounds.

use arrow_array::PrimitiveArray;
use arrow_array::types::ArrowPrimitiveType;

use super::field::{Built, FieldEncoder};
use super::numeric::Numeric;
use super::values::{Values, is_space, shown};

/// Digits behind the point.
const DIGITS: u32 = 2;

/// Appends the amount that `text` spells.
pub(super) fn parse(text: &str, out: &mut Vec<u8>) -> Result<(), String> {
    let amount = read(text).map_err(|fault| match fault {
        Fault::Syntax => format!("{} is not a value of type money", shown(text)),
        Fault::Range => format!("{} is out of range for money", shown(text)),
    })?;
    out.extend_from_slice(&amount.to_be_bytes());
    Ok(())
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Fault {
    Syntax,
    Range,
}

fn read(text: &str) -> Result<i64, Fault> {
    let start = after_currency(text);
    let (mut negative, start) = match start.as_bytes() {
        [b'-' | b'(', ..] => (true, &start[1..]),
        [b'+', ..] => (false, &start[1..]),
        _ => (false, start),
    };
    let (size, rest) = read_amount(after_currency(start).as_bytes())?;
    for letter in rest {
        match letter {
            b'-' => negative = true,
            b')' | b'+' | b'$' => {}
            space if is_space(char::from(*space)) => {}
            _ => return Err(Fault::Syntax),
        }
    }
    // The size is held below zero, where there is room for one more.
    if negative { Ok(size) } else { size.checked_neg().ok_or(Fault::Range) }
}

/// `text` without a currency symbol and white space around it.
fn after_currency(text: &str) -> &str {
    let text = text.trim_start_matches(is_space);
    text.strip_prefix('$').unwrap_or(text).trim_start_matches(is_space)
}

/// The hundredths at the start of `text`, as a number below zero, and what follows its digits.
fn read_amount(text: &[u8]) -> Result<(i64, &[u8]), Fault> {
    let (mut size, mut behind, mut rest) = (0_i64, None, text);
    let mut add = |factor: i64, digit: u8| {
        size = size.checked_mul(factor).and_then(|size| size.checked_sub(i64::from(digit))).ok_or(Fault::Range)?;
        Ok(size)
    };
    while let [letter, after @ ..] = rest {
        match (letter, behind) {
            (b'0'..=b'9', None) => {
                add(10, letter - b'0')?;
            }
            (b'0'..=b'9', Some(digits)) if digits < DIGITS => {
                add(10, letter - b'0')?;
                behind = Some(digits + 1);
            }
            (b'.', None) => behind = Some(0),
            (b',', _) => {}
            _ => break,
        }
        rest = after;
    }
    if rest.first().is_some_and(|digit| (b'5'..=b'9').contains(digit)) {
        add(1, 1)?;
    }
    let missing = DIGITS - behind.unwrap_or(0);
    let size = add(10_i64.pow(missing), 0)?;
    let digits = rest.iter().take_while(|digit| digit.is_ascii_digit()).count();
    Ok((size, &rest[digits..]))
}

/// Appends an amount as a text that is read back to it.
pub(super) fn print(amount: i64, out: &mut Vec<u8>) {
    let (sign, size) = (if amount < 0 { "-" } else { "" }, amount.unsigned_abs());
    out.extend_from_slice(format!("{sign}{}.{:02}", size / 100, size % 100).as_bytes());
}

/// Appends a number as an amount, rounded to hundredths as the server's cast rounds.
pub(super) fn put_number(number: &mut Numeric, out: &mut Vec<u8>) -> Result<(), String> {
    /// More digits than an amount can have.
    const PRECISION: u16 = 1000;
    const SCALE: i16 = 2;
    let mut text = Vec::new();
    let fitted = number.fit(Some((PRECISION, SCALE)));
    number.print(&mut text);
    let text = String::from_utf8_lossy(&text);
    let hundredths: String = text.chars().filter(|letter| *letter != '.').collect();
    let amount = fitted.ok().and_then(|()| hundredths.parse::<i64>().ok());
    let amount = amount.ok_or_else(|| format!("{} is out of range for money", shown(&text)))?;
    out.extend_from_slice(&amount.to_be_bytes());
    Ok(())
}

/// Amounts out of integers, which count whole units.
pub(super) fn from_integer<A>() -> Box<dyn FieldEncoder>
where
    A: ArrowPrimitiveType,
    A::Native: Into<i128>,
    PrimitiveArray<A>: Values,
{
    Built::<PrimitiveArray<A>, _>::boxed(move |array: &PrimitiveArray<A>, row, out: &mut Vec<u8>| {
        let units: i128 = array.value(row).into();
        let amount = units.checked_mul(100).and_then(|amount| i64::try_from(amount).ok());
        let amount = amount.ok_or_else(|| format!("{units} is out of range for money"))?;
        out.extend_from_slice(&amount.to_be_bytes());
        Ok(())
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn amounts_have_signs_currency_and_separators_in_many_places() {
        for (text, amount) in [
            ("12.34", 1234),
            ("$1,234.5", 123_450),
            (" - $ 12", -1200),
            ("$-12", -1200),
            ("($1.00)", -100),
            ("1-", -100),
            ("12 $", 1200),
            ("1.005", 101),
            ("1.004999", 100),
            ("-0.995", -100),
            ("", 0),
            ("+.5", 50),
            ("1,,2,3.4,5", 12_345),
            ("-92233720368547758.08", i64::MIN),
            ("92233720368547758.07", i64::MAX),
        ] {
            assert_eq!(read(text), Ok(amount), "{text}");
            let mut out = Vec::new();
            print(amount, &mut out);
            assert_eq!(read(std::str::from_utf8(&out).unwrap()), Ok(amount));
        }
        for (text, fault) in [
            ("1.2.3", Fault::Syntax),
            ("abc", Fault::Syntax),
            ("€1", Fault::Syntax),
            ("1e5", Fault::Syntax),
            ("92233720368547758.08", Fault::Range),
            ("999999999999999999999", Fault::Range),
        ] {
            assert_eq!(read(text), Err(fault), "{text}");
        }
    }

    #[test]
    fn numbers_become_amounts_by_value() {
        let amount = |text: &str| {
            let (mut number, mut out) = (Numeric::default(), Vec::new());
            number.read(text).unwrap();
            put_number(&mut number, &mut out).map(|()| i64::from_be_bytes(out.try_into().unwrap()))
        };
        assert_eq!(amount("12.345"), Ok(1235));
        assert_eq!(amount("-0.005"), Ok(-1));
        assert_eq!(amount("1e20"), Err("\"100000000000000000000.00\" is out of range for money".into()));
        assert!(amount("NaN").is_err());
    }
}
