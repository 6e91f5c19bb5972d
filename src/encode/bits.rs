//! `bit` and `bit varying`: the number of bits, then the bits, the last byte filled with zeros.

use super::bytea::hex_digit;
use super::values::shown;

/// How many bits a type allows.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Width {
    /// As many as there are.
    Any,
    /// Exactly so many.
    Exactly(u32),
    /// At most so many.
    Most(u32),
}

/// Appends the bits that `text` spells: binary digits, perhaps after a `B`, or hexadecimal digits after an `X`.
pub(super) fn parse(text: &str, width: Width, out: &mut Vec<u8>) -> Result<(), String> {
    let (digits, bits_per_digit) = match text.as_bytes() {
        [b'x' | b'X', digits @ ..] => (digits, 4),
        [b'b' | b'B', digits @ ..] | digits => (digits, 1),
    };
    let count = digits.len().checked_mul(bits_per_digit).and_then(|count| u32::try_from(count).ok());
    // The length is sent with a sign.
    let count =
        count.filter(|count| i32::try_from(*count).is_ok()).ok_or_else(|| format!("{} is too long", shown(text)))?;
    width.admit(count)?;
    out.extend_from_slice(&count.to_be_bytes());
    let read = if bits_per_digit == 1 { put_binary(digits, out) } else { put_hex(digits, out) };
    read.ok_or_else(|| format!("{} is not a bit string", shown(text)))
}

impl Width {
    fn admit(self, count: u32) -> Result<(), String> {
        match self {
            Self::Exactly(width) if count != width => {
                Err(format!("a bit string of {count} bits is not of type bit({width})"))
            }
            Self::Most(width) if count > width => {
                Err(format!("a bit string of {count} bits is longer than bit varying({width})"))
            }
            _ => Ok(()),
        }
    }
}

fn put_binary(digits: &[u8], out: &mut Vec<u8>) -> Option<()> {
    for eight in digits.chunks(8) {
        let mut byte = 0;
        for (at, digit) in eight.iter().enumerate() {
            match digit {
                b'0' => {}
                b'1' => byte |= 0x80 >> at,
                _ => return None,
            }
        }
        out.push(byte);
    }
    Some(())
}

fn put_hex(digits: &[u8], out: &mut Vec<u8>) -> Option<()> {
    for pair in digits.chunks(2) {
        let low = pair.get(1).map_or(Some(0), |low| hex_digit(*low))?;
        out.push(hex_digit(pair[0])? << 4 | low);
    }
    Some(())
}

/// Appends the bits of a field as binary digits.
pub(super) fn print(field: &[u8], out: &mut Vec<u8>) {
    let (length, bytes) = field.split_at(4);
    let length = u32::from_be_bytes(length.try_into().expect("the length has four bytes"));
    let bits = bytes.iter().flat_map(|byte| (0..8).map(move |at| byte & (0x80 >> at) != 0));
    out.extend(bits.zip(0..length).map(|(bit, _)| if bit { b'1' } else { b'0' }));
}

#[cfg(test)]
mod tests {
    use super::super::tests::hex;
    use super::*;

    fn bits(text: &str, width: Width) -> Option<String> {
        let mut out = Vec::new();
        parse(text, width, &mut out).ok().map(|()| hex(&out))
    }

    #[test]
    fn bits_are_spelled_in_binary_or_hexadecimal() {
        assert_eq!(bits("101", Width::Exactly(3)).as_deref(), Some("00000003a0"));
        assert_eq!(bits("b1010101011", Width::Any).as_deref(), Some("0000000aaac0"));
        assert_eq!(bits("X1f", Width::Most(8)).as_deref(), Some("000000081f"));
        assert_eq!(bits("x123", Width::Any).as_deref(), Some("0000000c1230"));
        assert_eq!(bits("", Width::Most(1)).as_deref(), Some("00000000"));
    }

    #[test]
    fn a_width_is_exact_or_a_limit() {
        for (text, width) in [
            ("10", Width::Exactly(3)),
            ("1010", Width::Exactly(3)),
            ("x1f", Width::Exactly(5)),
            ("11111", Width::Most(4)),
            ("12", Width::Any),
            ("xg", Width::Any),
            (" 1", Width::Any),
            ("1\u{e9}", Width::Any),
        ] {
            assert_eq!(bits(text, width), None, "{text}");
        }
    }

    #[test]
    fn bits_print_in_binary() {
        let (mut field, mut out) = (Vec::new(), Vec::new());
        parse("x1f8", Width::Any, &mut field).unwrap();
        print(&field, &mut out);
        assert_eq!(out, b"000111111000");
    }
}
