//! Which encoding bytes may be in: told by a byte order mark, by zero bytes or by being UTF-8; guessed for what is left.

use std::borrow::Cow;

use crate::options::CsvOptions;

/// What the first bytes of an object say of its encoding.
#[derive(Debug, PartialEq, Eq)]
pub(super) struct Guess {
    /// As `--encoding` takes it; `None` is UTF-8, or unknown.
    pub(super) name: Option<String>,
    pub(super) note: Option<String>,
}

const BYTE_ORDER_MARK: &[u8] = b"\xef\xbb\xbf";

/// Bytes without a character in windows-1252.
const UNUSED: [u8; 5] = [0x81, 0x8d, 0x8f, 0x90, 0x9d];

/// Text in languages of western Europe has a letter beyond ASCII here and there; runs of such bytes are another script, of
/// one or several bytes to the letter.
const RUN_MEAN_MAX: f64 = 1.5;

/// Judges the first bytes of an object.
pub(super) fn guess(head: &[u8]) -> Guess {
    let certain = |name: Option<&str>| Guess { name: name.map(str::to_owned), note: None };
    if head.starts_with(BYTE_ORDER_MARK) {
        return certain(None);
    }
    if let Some(name) = utf_16(head) {
        return certain(Some(name));
    }
    match std::str::from_utf8(head) {
        Ok(_) => certain(None),
        Err(error) if error.error_len().is_none() => certain(None),
        Err(error) => beyond_utf_8(head, error.valid_up_to()),
    }
}

/// What a user declares, with the byte order that the mark tells.
pub(super) fn declared(csv: &CsvOptions, head: &[u8]) -> Guess {
    let plain: String = csv.encoding.chars().filter(char::is_ascii_alphanumeric).collect();
    let name = match plain.to_ascii_lowercase().as_str() {
        "utf8" => None,
        "utf16" => utf_16(head).map(str::to_owned).or_else(|| Some(csv.encoding.clone())),
        _ => Some(csv.encoding.clone()),
    };
    Guess { name, note: None }
}

/// UTF-16, told by its mark, or by the zero bytes that ASCII characters have in it.
fn utf_16(head: &[u8]) -> Option<&'static str> {
    match head {
        [0xff, 0xfe, ..] => return Some("utf-16le"),
        [0xfe, 0xff, ..] => return Some("utf-16be"),
        _ => {}
    }
    let zeros = |first: usize| head.iter().skip(first).step_by(2).filter(|byte| **byte == 0).count();
    let (even, odd, half) = (zeros(0), zeros(1), head.len() / 2);
    // A delimiter and a line end have a zero byte in any script.
    let is_frequent = |zeros: usize, others: usize| zeros > 1 && zeros * 5 >= half && others * 20 <= zeros;
    if is_frequent(odd, even) {
        Some("utf-16le")
    } else if is_frequent(even, odd) {
        Some("utf-16be")
    } else {
        None
    }
}

fn beyond_utf_8(head: &[u8], at: usize) -> Guess {
    let text = String::from_utf8_lossy(head);
    let invalid = text.matches('\u{fffd}').count();
    let valid = text.chars().filter(|character| !character.is_ascii() && *character != '\u{fffd}').count();
    if valid > invalid {
        let note =
            format!("UTF-8, but for {invalid} invalid sequences, the first at byte {at}: no other encoding is guessed");
        return Guess { name: None, note: Some(note) };
    }
    let (runs, bytes) = runs(head);
    let mean = bytes / runs.max(1.0);
    if head.iter().any(|byte| UNUSED.contains(byte)) || mean > RUN_MEAN_MAX {
        let note = format!(
            "not UTF-8 from byte {at} on, and no western text either: ask where it comes from, and declare it with --encoding"
        );
        return Guess { name: None, note: Some(note) };
    }
    let note =
        "not UTF-8; windows-1252 is a guess, for single-byte encodings cannot be told apart: look at the accents";
    Guess { name: Some("windows-1252".to_owned()), note: Some(note.to_owned()) }
}

/// How many runs of bytes beyond ASCII there are, and how many such bytes.
fn runs(head: &[u8]) -> (f64, f64) {
    let (mut runs, mut bytes, mut before) = (0.0, 0.0, false);
    for byte in head {
        let beyond = !byte.is_ascii();
        runs += if beyond && !before { 1.0 } else { 0.0 };
        bytes += if beyond { 1.0 } else { 0.0 };
        before = beyond;
    }
    (runs, bytes)
}

/// Bytes in which structure can be seen: UTF-8, or an encoding that agrees with it on ASCII.
pub(super) fn readable<'a>(bytes: &'a [u8], encoding: Option<&str>) -> Cow<'a, [u8]> {
    let encoding = encoding.unwrap_or_default().to_ascii_lowercase();
    let unit: fn([u8; 2]) -> u16 = match encoding.as_str() {
        "utf-16le" | "utf-16" => u16::from_le_bytes,
        "utf-16be" => u16::from_be_bytes,
        _ => return Cow::Borrowed(bytes.strip_prefix(BYTE_ORDER_MARK).unwrap_or(bytes)),
    };
    let units = bytes.chunks_exact(2).map(|pair| unit([pair[0], pair[1]]));
    let text: String = char::decode_utf16(units).map(|unit| unit.unwrap_or('\u{fffd}')).collect();
    Cow::Owned(text.strip_prefix('\u{feff}').unwrap_or(&text).as_bytes().to_vec())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn marks_and_zero_bytes_tell_utf_16() {
        let units = |text: &str, little: bool| -> Vec<u8> {
            text.encode_utf16().flat_map(|unit| if little { unit.to_le_bytes() } else { unit.to_be_bytes() }).collect()
        };
        for text in ["\u{feff}id,name\n1,a\n", "id,name\n1,a\n2,Ċ\n", "日,本\n東,京\n"] {
            assert_eq!(guess(&units(text, true)).name.as_deref(), Some("utf-16le"), "{text}");
            assert_eq!(guess(&units(text, false)).name.as_deref(), Some("utf-16be"), "{text}");
        }
        let bytes = units("\u{feff}id,é\n", false);
        assert_eq!(readable(&bytes, Some("utf-16be")).as_ref(), "id,é\n".as_bytes());
    }

    #[test]
    fn what_is_not_utf_8_is_guessed_only_where_it_looks_western_and_said_to_be_a_guess() {
        assert_eq!(guess("naïve €, 日本".as_bytes()), Guess { name: None, note: None });
        assert_eq!(guess("日".as_bytes().split_at(2).0), Guess { name: None, note: None }, "it may go on");
        let western = guess(b"id,name\n1,M\xfcller\n2,caf\xe9\n");
        assert_eq!(western.name.as_deref(), Some("windows-1252"));
        assert!(western.note.is_some_and(|note| note.contains("guess")));
        let cyrillic = guess(b"id,name\n1,\xcf\xf0\xe8\xe2\xe5\xf2\n");
        assert_eq!(cyrillic.name, None);
        assert!(cyrillic.note.is_some_and(|note| note.contains("byte 10")));
        let damaged = guess("é,é,é,é\n\u{fffd}".as_bytes().strip_suffix(b"\xbf\xbd").expect("it ends so"));
        assert_eq!(damaged.name, None);
    }
}
