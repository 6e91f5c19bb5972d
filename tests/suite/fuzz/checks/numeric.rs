//! Texts of numbers: plain decimals keep their value to the digit, whatever type takes them, and all that is stored is
//! canonical.

use pgbackfill::Zone;
use pgbackfill::schema::PgKind;

use super::Feed;
use super::copy_binary::{Numeric, numeric};
use super::single::{pg, stored};

/// Two bytes that choose precision and scale, then the text.
pub(crate) fn check(data: &[u8]) {
    let mut feed = Feed(data);
    let (precision, scale) = (u16::from(feed.byte()) % 40 + 1, i16::from(feed.byte().cast_signed()) % 50);
    let Ok(text) = std::str::from_utf8(feed.0) else { return };
    let field = |name, kind| stored(text, &pg(name, kind), &Zone::UTC);
    let whole = field("numeric", PgKind::Numeric(None));
    let limited = field("numeric(p,s)", PgKind::Numeric(Some((precision, scale))));
    assert!(whole.is_some() || limited.is_none(), "{text:?} is a number for numeric({precision},{scale}) alone");
    if let (Some(expected), Some(field)) = (plain_decimal(text), &whole) {
        assert_eq!(printed(&numeric(field).expect("it was judged before")), expected, "{text:?}");
    }
    let narrow = field("smallint", PgKind::Int2).map(|bytes| i64::from(i16::from_be_bytes(exactly(&bytes))));
    let middle = field("integer", PgKind::Int4).map(|bytes| i64::from(i32::from_be_bytes(exactly(&bytes))));
    let wide = field("bigint", PgKind::Int8).map(|bytes| i64::from_be_bytes(exactly(&bytes)));
    assert!(narrow.is_none() || narrow == middle, "{text:?} as smallint and integer");
    assert!(middle.is_none() || middle == wide, "{text:?} as integer and bigint");
    if let (Some(wide), Some(field)) = (wide, &whole) {
        let number = printed(&numeric(field).expect("it was judged before"));
        assert_eq!(number, wide.to_string(), "{text:?} as bigint and numeric");
    }
    let double = field("double precision", PgKind::Float8).map(|bytes| f64::from_be_bytes(exactly(&bytes)));
    if let (Some(double), Ok(expected)) = (double, text.parse::<f64>()) {
        assert!(double.to_bits() == expected.to_bits() || (double.is_nan() && expected.is_nan()), "{text:?}");
    }
    field("real", PgKind::Float4);
}

fn exactly<const N: usize>(bytes: &[u8]) -> [u8; N] {
    bytes.try_into().expect("the length was judged before")
}

/// A number of nothing but digits, sign and point, without the zeros that say nothing before it.
fn plain_decimal(text: &str) -> Option<String> {
    let (sign, digits) = match text.strip_prefix('-') {
        Some(rest) => ("-", rest),
        None => ("", text.strip_prefix('+').unwrap_or(text)),
    };
    let (whole, fraction) = digits.split_once('.').unwrap_or((digits, ""));
    let is_plain = |part: &str| part.bytes().all(|byte| byte.is_ascii_digit());
    if whole.len() + fraction.len() == 0 || !is_plain(whole) || !is_plain(fraction) {
        return None;
    }
    let whole = match whole.trim_start_matches('0') {
        "" => "0",
        whole => whole,
    };
    let is_zero = whole == "0" && fraction.bytes().all(|byte| byte == b'0');
    let (sign, point) = (if is_zero { "" } else { sign }, if fraction.is_empty() { "" } else { "." });
    Some(format!("{sign}{whole}{point}{fraction}"))
}

/// The number as the server prints it.
fn printed(number: &Numeric) -> String {
    let sign = match number.sign {
        0x0000 => "",
        0x4000 => "-",
        0xd000 => return "Infinity".to_owned(),
        0xf000 => return "-Infinity".to_owned(),
        _ => return "NaN".to_owned(),
    };
    let place = |weight: i32| {
        let at = usize::try_from(i32::from(number.weight) - weight).ok();
        format!("{:04}", at.and_then(|at| number.digits.get(at)).copied().unwrap_or(0))
    };
    let whole: String = (0..=i32::from(number.weight)).rev().map(place).collect();
    let whole = match whole.trim_start_matches('0') {
        "" => "0",
        whole => whole,
    };
    let scale = usize::from(number.scale);
    let fraction: String = (1..).take(scale.div_ceil(4)).map(|at: i32| place(-at)).collect();
    let point = if scale == 0 { "" } else { "." };
    format!("{sign}{whole}{point}{}", &fraction[..scale])
}
