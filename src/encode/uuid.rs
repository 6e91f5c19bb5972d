//! `uuid` out of the spellings that the server takes.

use super::bytea::hex_digit;
use super::values::shown;

/// Appends the identifier that `text` spells: 32 digits, perhaps in braces, perhaps with a hyphen after any four.
pub(super) fn parse(text: &str, out: &mut Vec<u8>) -> Result<(), String> {
    let id = read(text.as_bytes()).ok_or_else(|| format!("{} is not a uuid", shown(text)))?;
    out.extend_from_slice(&id);
    Ok(())
}

fn read(text: &[u8]) -> Option<[u8; 16]> {
    let mut rest = match text {
        [b'{', inner @ .., b'}'] => inner,
        bare => bare,
    };
    let mut id = [0; 16];
    for (at, byte) in id.iter_mut().enumerate() {
        let [high, low, after @ ..] = rest else { return None };
        *byte = hex_digit(*high)? << 4 | hex_digit(*low)?;
        rest = match after {
            [b'-', after @ ..] if at % 2 == 1 && at < 15 => after,
            after => after,
        };
    }
    rest.is_empty().then_some(id)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_uuid_may_have_braces_and_hyphens_after_any_four_digits() {
        let id: Vec<u8> = (0..16).map(|byte| byte * 0x11).collect();
        for text in [
            "00112233-4455-6677-8899-aabbccddeeff",
            "{00112233445566778899AABBCCDDEEFF}",
            "0011-2233-4455-6677-8899-aabb-ccdd-eeff",
        ] {
            let mut out = Vec::new();
            assert_eq!(parse(text, &mut out), Ok(()));
            assert_eq!(out, id);
        }
        for text in ["", " 00112233445566778899aabbccddeeff", "00112233445566778899aabbccddeeff-", "{00"] {
            assert_eq!(parse(text, &mut Vec::new()), Err(format!("\"{text}\" is not a uuid")));
        }
        assert!(parse("001122-33445566778899aabbccddeeff", &mut Vec::new()).is_err());
        assert!(parse("00112233445566778899aabbccddeefg", &mut Vec::new()).is_err());
    }
}
