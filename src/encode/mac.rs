//! `macaddr` and `macaddr8`: six and eight bytes, in the spellings that the server takes.

use super::bytea::hex_digit;
use super::values::{is_space, shown};

/// What stands between the six numbers of a `macaddr`, and whether each has at most two digits. The server tries these
/// in turn.
const FORMS: [([Option<u8>; 5], bool); 7] = [
    ([Some(b':'); 5], false),
    ([Some(b'-'); 5], false),
    ([None, None, Some(b':'), None, None], true),
    ([None, None, Some(b'-'), None, None], true),
    ([None, Some(b'.'), None, Some(b'.'), None], true),
    ([None, Some(b'-'), None, Some(b'-'), None], true),
    ([None; 5], true),
];

/// Appends the address of six bytes that `text` spells.
pub(super) fn parse_6(text: &str, out: &mut Vec<u8>) -> Result<(), String> {
    let found = FORMS.iter().find_map(|(separators, pairs)| scan(text.as_bytes(), separators, *pairs));
    let numbers = found.ok_or_else(|| format!("{} is not a value of type macaddr", shown(text)))?;
    for number in numbers {
        let octet = u8::try_from(number).map_err(|_| format!("{} has an octet above 255", shown(text)))?;
        out.push(octet);
    }
    Ok(())
}

/// Reads six hexadecimal numbers as the C library's `sscanf` does, which lets white space, a sign and `0x` precede each.
fn scan(text: &[u8], separators: &[Option<u8>; 5], pairs: bool) -> Option<[u32; 6]> {
    let (mut numbers, mut rest) = ([0; 6], text);
    for (at, number) in numbers.iter_mut().enumerate() {
        if let Some(separator) = at.checked_sub(1).and_then(|before| separators[before]) {
            rest = rest.strip_prefix(&[separator])?;
        }
        (*number, rest) = scan_number(rest, if pairs { 2 } else { usize::MAX })?;
    }
    skip_space(rest).is_empty().then_some(numbers)
}

fn scan_number(text: &[u8], letters: usize) -> Option<(u32, &[u8])> {
    let text = skip_space(text);
    let signed = usize::from(matches!(text.first(), Some(b'-' | b'+')));
    let prefixed = if matches!(text[signed..], [b'0', b'x' | b'X', ..]) && letters > signed + 2 { 2 } else { 0 };
    let start = signed + prefixed;
    let digits = text[start..].iter().take_while(|digit| digit.is_ascii_hexdigit()).count();
    let digits = digits.min(letters.saturating_sub(start));
    if digits == 0 {
        return None;
    }
    let (spelled, rest) = text[start..].split_at(digits);
    let value = std::str::from_utf8(spelled).ok().and_then(|digits| u64::from_str_radix(digits, 16).ok());
    // A number past 64 bits is the largest of them; what does not fit 32 bits is cut, as `%x` cuts it.
    let value = value.unwrap_or(u64::MAX);
    let value = if text[0] == b'-' { value.wrapping_neg() } else { value };
    let low = u32::try_from(value & 0xffff_ffff).expect("it was cut to 32 bits");
    Some((low, rest))
}

fn skip_space(text: &[u8]) -> &[u8] {
    let spaces = text.iter().take_while(|letter| is_space(char::from(**letter))).count();
    &text[spaces..]
}

/// Appends the address of eight bytes that `text` spells; one of six gets `ff` and `fe` in its middle.
pub(super) fn parse_8(text: &str, out: &mut Vec<u8>) -> Result<(), String> {
    let octets = read_8(text.as_bytes()).ok_or_else(|| format!("{} is not a value of type macaddr8", shown(text)))?;
    out.extend_from_slice(&octets);
    Ok(())
}

/// Pairs of digits with one kind of separator. A single letter behind the last is passed over, as the server does.
fn read_8(text: &[u8]) -> Option<[u8; 8]> {
    let (mut octets, mut count) = ([0; 8], 0);
    let mut spacer = None;
    let mut rest = skip_space(text);
    while let [high, low, after @ ..] = rest {
        *octets.get_mut(count)? = hex_digit(*high)? << 4 | hex_digit(*low)?;
        count += 1;
        rest = after;
        if let [found @ (b':' | b'-' | b'.'), after @ ..] = rest {
            if *spacer.get_or_insert(*found) != *found {
                return None;
            }
            rest = after;
        }
        if (count == 6 || count == 8) && rest.first().is_some_and(|letter| is_space(char::from(*letter))) {
            rest = skip_space(rest);
            if !rest.is_empty() {
                return None;
            }
        }
    }
    if count == 6 {
        octets.copy_within(3..6, 5);
        octets[3..5].copy_from_slice(&[0xff, 0xfe]);
    }
    (count == 6 || count == 8).then_some(octets)
}

/// Appends an address of either length, its bytes in pairs of digits with colons between.
pub(super) fn print(octets: &[u8], out: &mut Vec<u8>) {
    let pairs: Vec<String> = octets.iter().map(|octet| format!("{octet:02x}")).collect();
    out.extend_from_slice(pairs.join(":").as_bytes());
}

#[cfg(test)]
mod tests {
    use super::super::tests::hex;
    use super::*;

    fn six(text: &str) -> Option<String> {
        let mut out = Vec::new();
        parse_6(text, &mut out).ok().map(|()| hex(&out))
    }

    fn eight(text: &str) -> Option<String> {
        let mut out = Vec::new();
        parse_8(text, &mut out).ok().map(|()| hex(&out))
    }

    #[test]
    fn six_bytes_have_many_spellings() {
        for text in [
            "08:00:2b:01:02:03",
            "08-00-2B-01-02-03",
            "08002b:010203",
            "08002b-010203",
            "0800.2b01.0203",
            "0800-2b01-0203",
            "08002b010203",
            "8:0:2b:1:2:3",
            " 08 00 2b 01 02 03 ",
            "0x8:+0:2b:1:2:3",
        ] {
            assert_eq!(six(text).as_deref(), Some("08002b010203"), "{text}");
        }
        for text in
            ["", "08:00:2b:01:02", "08:00:2b:01:02:03x", "08:00:2b:01:02:100", "08:00-2b:01:02:03", "-1:0:0:0:0:0"]
        {
            assert_eq!(six(text), None, "{text}");
        }
    }

    #[test]
    fn eight_bytes_are_spelled_or_made_of_six() {
        assert_eq!(eight("08:00:2b:01:02:03:04:05").as_deref(), Some("08002b0102030405"));
        assert_eq!(eight(" 08002b:0102030405 ").as_deref(), Some("08002b0102030405"));
        assert_eq!(eight("0800.2b01.0203").as_deref(), Some("08002bfffe010203"));
        assert_eq!(eight("08002b010203").as_deref(), Some("08002bfffe010203"));
        for text in ["", "08:00-2b:01:02:03", "08002b01020304", "8:0:2b:1:2:3", "08002b010203040506", "08002b010203 x"]
        {
            assert_eq!(eight(text), None, "{text}");
        }
    }

    #[test]
    fn an_address_prints_with_colons() {
        let mut out = Vec::new();
        print(&[8, 0, 0x2b, 1, 2, 3], &mut out);
        assert_eq!(out, b"08:00:2b:01:02:03");
    }
}
