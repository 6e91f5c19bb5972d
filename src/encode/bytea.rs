//! `bytea` out of its two text forms, hexadecimal (`\x6162`) and escaped (`a\142`).

use super::values::shown;

/// Appends the bytes that `text` spells.
pub(super) fn parse(text: &str, out: &mut Vec<u8>) -> Result<(), String> {
    let read = match text.as_bytes() {
        [b'\\', b'x', digits @ ..] => parse_hex(digits, out),
        escaped => parse_escaped(escaped, out),
    };
    read.ok_or_else(|| format!("{} is not a bytea text", shown(text)))
}

/// Pairs of digits, with white space allowed before and after a pair.
fn parse_hex(mut digits: &[u8], out: &mut Vec<u8>) -> Option<()> {
    out.reserve(digits.len() / 2);
    loop {
        match digits {
            [] => return Some(()),
            [b' ' | b'\n' | b'\t' | b'\r', rest @ ..] => digits = rest,
            [high, low, rest @ ..] => {
                out.push(hex_digit(*high)? << 4 | hex_digit(*low)?);
                digits = rest;
            }
            [_] => return None,
        }
    }
}

/// The value of a hexadecimal digit.
pub(super) fn hex_digit(digit: u8) -> Option<u8> {
    match digit {
        b'0'..=b'9' => Some(digit - b'0'),
        b'a'..=b'f' => Some(digit - b'a' + 10),
        b'A'..=b'F' => Some(digit - b'A' + 10),
        _ => None,
    }
}

/// Appends two digits for each byte.
pub(super) fn print_hex(bytes: &[u8], out: &mut Vec<u8>) {
    const DIGITS: &[u8; 16] = b"0123456789abcdef";
    for byte in bytes {
        out.push(DIGITS[usize::from(byte >> 4)]);
        out.push(DIGITS[usize::from(byte & 15)]);
    }
}

/// Bytes as they stand, apart from `\\` and `\ooo`, three octal digits.
fn parse_escaped(mut text: &[u8], out: &mut Vec<u8>) -> Option<()> {
    loop {
        let plain = memchr::memchr(b'\\', text).unwrap_or(text.len());
        out.extend_from_slice(&text[..plain]);
        match &text[plain..] {
            [] => return Some(()),
            [b'\\', b'\\', rest @ ..] => {
                out.push(b'\\');
                text = rest;
            }
            [b'\\', a @ b'0'..=b'3', b @ b'0'..=b'7', c @ b'0'..=b'7', rest @ ..] => {
                out.push((a - b'0') << 6 | (b - b'0') << 3 | (c - b'0'));
                text = rest;
            }
            _ => return None,
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn bytes(text: &str) -> Result<Vec<u8>, String> {
        let mut out = Vec::new();
        parse(text, &mut out).map(|()| out)
    }

    #[test]
    fn bytea_texts_are_hexadecimal_or_escaped() {
        assert_eq!(bytes(r"\x 0aFF 0b"), Ok(vec![0x0a, 0xff, 0x0b]));
        assert_eq!(bytes(r"\x"), Ok(vec![]));
        assert_eq!(bytes(r"0x\377\\a\000"), Ok(b"0x\xff\\a\0".to_vec()));
        for text in [r"\xabc", r"\x0 a", r"\X00", r"\400", r"\", r"a\08"] {
            assert_eq!(bytes(text), Err(format!("\"{text}\" is not a bytea text")));
        }
    }
}
