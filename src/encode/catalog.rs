//! Types that the server's catalog is made of and that tables use now and then: `oid`, `pg_lsn`, `name`, `"char"`;
//! and `point`.

use super::float;
use super::text::Rule;
use super::values::{is_space, shown, trimmed};

/// The longest `name`: the server's `NAMEDATALEN` less the end of the string.
const NAME_BYTES_MAX: usize = 63;

/// Appends the object identifier that `text` spells: 32 bits, which may be written with a sign.
///
/// A leading zero is refused: from version 16 on the server takes it for octal, before for decimal.
pub(super) fn parse_oid(text: &str, out: &mut Vec<u8>) -> Result<(), String> {
    let word = trimmed(text);
    let (negative, digits) = match word.as_bytes() {
        [b'-', ..] => (true, &word[1..]),
        [b'+', ..] => (false, &word[1..]),
        _ => (false, word),
    };
    let spelled = !digits.is_empty() && digits.bytes().all(|digit| digit.is_ascii_digit());
    if !spelled || (digits.len() > 1 && digits.starts_with('0')) {
        return Err(format!("{} is not an oid", shown(text)));
    }
    let size = digits.parse::<u64>().ok();
    let oid = match negative {
        false => size.and_then(|size| u32::try_from(size).ok()),
        // The other half of the same 32 bits.
        true => size.filter(|size| *size <= 1 << 31).and_then(|size| u32::try_from(size).ok()).map(u32::wrapping_neg),
    };
    out.extend_from_slice(&oid.ok_or_else(|| format!("{} is out of range for oid", shown(text)))?.to_be_bytes());
    Ok(())
}

/// Appends the place in the write-ahead log that `text` spells: `16/B374D848`.
pub(super) fn parse_lsn(text: &str, out: &mut Vec<u8>) -> Result<(), String> {
    let half = |digits: &str| match digits.len() {
        1..=8 if digits.bytes().all(|digit| digit.is_ascii_hexdigit()) => u32::from_str_radix(digits, 16).ok(),
        _ => None,
    };
    let halves = text.split_once('/').and_then(|(high, low)| Some([half(high)?, half(low)?]));
    let halves = halves.ok_or_else(|| format!("{} is not a value of type pg_lsn", shown(text)))?;
    out.extend_from_slice(halves.map(u32::to_be_bytes).as_flattened());
    Ok(())
}

/// Appends a place in the write-ahead log.
pub(super) fn print_lsn(field: &[u8], out: &mut Vec<u8>) {
    let (high, low) = field.split_at(4);
    let half = |bytes: &[u8]| u32::from_be_bytes(bytes.try_into().expect("half of eight bytes"));
    out.extend_from_slice(format!("{:X}/{:X}", half(high), half(low)).as_bytes());
}

/// Admits names that the server stores whole; it would cut longer ones.
pub(super) struct WholeName;

impl Rule for WholeName {
    fn admit<'a>(&mut self, value: &'a [u8]) -> Result<&'a [u8], String> {
        if value.len() > NAME_BYTES_MAX {
            return Err(format!("a name of {} bytes is longer than {NAME_BYTES_MAX}", value.len()));
        }
        if value.contains(&0) { Err("the text holds a NUL character".to_owned()) } else { Ok(value) }
    }
}

/// Appends the one byte that `text` is, or zero for an empty text. The server would cut a longer one.
pub(super) fn parse_char(text: &str, out: &mut Vec<u8>) -> Result<(), String> {
    match text.as_bytes() {
        [] => out.push(0),
        [0] => return Err("the text holds a NUL character".to_owned()),
        [byte] => out.push(*byte),
        _ => return Err(format!("{} is more than one byte", shown(text))),
    }
    Ok(())
}

/// Appends the point that `text` spells: two numbers with a comma, perhaps in parentheses.
pub(super) fn parse_point(text: &str, out: &mut Vec<u8>) -> Result<(), String> {
    let refuse = || format!("{} is not a point", shown(text));
    let start = text.trim_start_matches(is_space);
    let pair = match start.strip_prefix('(') {
        Some(inner) => inner.trim_end_matches(is_space).strip_suffix(')').ok_or_else(refuse)?,
        None => start,
    };
    let (x, y) = pair.split_once(',').ok_or_else(refuse)?;
    float::parse::<f64>(x, out)?;
    float::parse::<f64>(y, out)
}

#[cfg(test)]
mod tests {
    use super::super::tests::hex;
    use super::*;

    fn sent(parse: fn(&str, &mut Vec<u8>) -> Result<(), String>, text: &str) -> Option<String> {
        let mut out = Vec::new();
        parse(text, &mut out).ok().map(|()| hex(&out))
    }

    #[test]
    fn an_oid_has_32_bits_however_they_are_written() {
        for (text, bytes) in
            [(" 7 ", "00000007"), ("4294967295", "ffffffff"), ("-1", "ffffffff"), ("-2147483648", "80000000")]
        {
            assert_eq!(sent(parse_oid, text).as_deref(), Some(bytes), "{text}");
        }
        for text in ["", "-", "010", "4294967296", "-2147483649", "x", "1.0"] {
            assert_eq!(sent(parse_oid, text), None, "{text}");
        }
    }

    #[test]
    fn a_place_in_the_log_has_two_halves() {
        assert_eq!(sent(parse_lsn, "16/b374D848").as_deref(), Some("00000016b374d848"));
        for text in ["", "16", "/1", "1/", " 1/1", "123456789/0", "g/0", "1/2/3"] {
            assert_eq!(sent(parse_lsn, text), None, "{text}");
        }
        let mut out = Vec::new();
        print_lsn(&[0, 0, 0, 0x16, 0xb3, 0x74, 0xd8, 0x48], &mut out);
        assert_eq!(out, b"16/B374D848");
    }

    #[test]
    fn what_the_server_would_cut_is_refused() {
        assert!(WholeName.admit(&[b'a'; 63]).is_ok());
        assert!(WholeName.admit(&[b'a'; 64]).is_err());
        assert_eq!(sent(parse_char, "").as_deref(), Some("00"));
        assert_eq!(sent(parse_char, "a").as_deref(), Some("61"));
        assert_eq!(sent(parse_char, "é"), None);
        assert_eq!(sent(parse_char, "ab"), None);
    }

    #[test]
    fn a_point_is_two_numbers() {
        for text in ["(1,2)", "1,2", " ( 1 , 2 ) ", "1e0, 2.0"] {
            assert_eq!(sent(parse_point, text).as_deref(), Some("3ff00000000000004000000000000000"), "{text}");
        }
        for text in ["", "1", "(1,2", "1,2)", "(1,2)x", "(1,2,3)", "((1,2))"] {
            assert_eq!(sent(parse_point, text), None, "{text}");
        }
    }
}
