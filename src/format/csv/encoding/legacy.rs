//! Encodings from before Unicode, in which ASCII bytes mean themselves, as tables of what the other bytes mean.
//!
//! The tables are those of `encoding_rs`, changed where `PostgreSQL` means something else by a byte; the suite compares
//! them with the server for every byte and every pair.

use std::collections::HashMap;
use std::sync::{Arc, LazyLock, Mutex};

use encoding_rs::{DecoderResult, Encoding};

/// How an encoding's table is made.
pub(super) struct Plan {
    pub(super) name: &'static str,
    /// How it is spelled, in lower case and without hyphens.
    pub(super) spellings: &'static [&'static str],
    table: Table,
    /// Changes the character of a byte or pair; 0 refuses it.
    amend: fn(u16, u16) -> u16,
}

enum Table {
    /// Every byte is the code point of its number.
    Identity,
    Bytes(&'static Encoding),
    Pairs(&'static Encoding),
}

/// What the bytes of an encoding mean.
#[derive(Debug)]
pub(in crate::format::csv) struct Legacy {
    /// The character of each byte from 0x80 on; 0 where it has none by itself.
    bytes: [u16; HIGH_BYTES],
    /// The character of each pair that begins with such a byte; none where there are only single bytes.
    pairs: Vec<u16>,
}

const HIGH_BYTES: usize = 128;

/// Bytes below this are no second byte of a pair in any of the encodings.
const SECOND_BYTE_MIN: u8 = 0x40;

const fn bytes(
    name: &'static str,
    spellings: &'static [&'static str],
    of: &'static Encoding,
    amend: fn(u16, u16) -> u16,
) -> Plan {
    Plan { name, spellings, table: Table::Bytes(of), amend }
}

const fn pairs(
    name: &'static str,
    spellings: &'static [&'static str],
    of: &'static Encoding,
    amend: fn(u16, u16) -> u16,
) -> Plan {
    Plan { name, spellings, table: Table::Pairs(of), amend }
}

/// All of them. `encoding_rs` reads ISO 8859-1 and -9 as the Windows encodings that browsers take them for.
pub(super) static PLANS: [Plan; 31] = [
    bytes("windows-1250", &["windows1250", "cp1250", "win1250"], encoding_rs::WINDOWS_1250, assigned),
    bytes("windows-1251", &["windows1251", "cp1251", "win1251"], encoding_rs::WINDOWS_1251, assigned),
    bytes("windows-1252", &["windows1252", "cp1252", "win1252"], encoding_rs::WINDOWS_1252, assigned),
    bytes("windows-1253", &["windows1253", "cp1253", "win1253"], encoding_rs::WINDOWS_1253, assigned),
    bytes("windows-1254", &["windows1254", "cp1254", "win1254"], encoding_rs::WINDOWS_1254, assigned),
    bytes("windows-1255", &["windows1255", "cp1255", "win1255"], encoding_rs::WINDOWS_1255, assigned_hebrew),
    bytes("windows-1256", &["windows1256", "cp1256", "win1256"], encoding_rs::WINDOWS_1256, assigned),
    bytes("windows-1257", &["windows1257", "cp1257", "win1257"], encoding_rs::WINDOWS_1257, assigned),
    bytes("windows-1258", &["windows1258", "cp1258", "win1258"], encoding_rs::WINDOWS_1258, assigned),
    bytes("windows-874", &["windows874", "cp874", "win874"], encoding_rs::WINDOWS_874, assigned),
    Plan { name: "iso-8859-1", spellings: &["iso88591", "latin1"], table: Table::Identity, amend: same },
    bytes("iso-8859-2", &["iso88592", "latin2"], encoding_rs::ISO_8859_2, same),
    bytes("iso-8859-3", &["iso88593", "latin3"], encoding_rs::ISO_8859_3, same),
    bytes("iso-8859-4", &["iso88594", "latin4"], encoding_rs::ISO_8859_4, same),
    bytes("iso-8859-5", &["iso88595"], encoding_rs::ISO_8859_5, same),
    bytes("iso-8859-6", &["iso88596"], encoding_rs::ISO_8859_6, same),
    bytes("iso-8859-7", &["iso88597"], encoding_rs::ISO_8859_7, same),
    bytes("iso-8859-8", &["iso88598"], encoding_rs::ISO_8859_8, same),
    bytes("iso-8859-9", &["iso88599", "latin5"], encoding_rs::WINDOWS_1254, with_controls),
    bytes("iso-8859-10", &["iso885910", "latin6"], encoding_rs::ISO_8859_10, same),
    bytes("iso-8859-13", &["iso885913", "latin7"], encoding_rs::ISO_8859_13, same),
    bytes("iso-8859-14", &["iso885914", "latin8"], encoding_rs::ISO_8859_14, same),
    bytes("iso-8859-15", &["iso885915", "latin9"], encoding_rs::ISO_8859_15, same),
    bytes("iso-8859-16", &["iso885916", "latin10"], encoding_rs::ISO_8859_16, same),
    bytes("koi8-r", &["koi8r", "koi8"], encoding_rs::KOI8_R, same),
    bytes("koi8-u", &["koi8u"], encoding_rs::KOI8_U, ukrainian),
    bytes("ibm866", &["ibm866", "cp866", "win866", "866"], encoding_rs::IBM866, same),
    bytes("macintosh", &["macintosh", "macroman", "mac"], encoding_rs::MACINTOSH, same),
    pairs(
        "shift_jis",
        &["shiftjis", "sjis", "cp932", "windows31j", "mskanji"],
        encoding_rs::SHIFT_JIS,
        without_private,
    ),
    pairs("gbk", &["gbk", "cp936", "windows936"], encoding_rs::GBK, chinese),
    pairs("euc-kr", &["euckr", "uhc", "cp949", "windows949"], encoding_rs::EUC_KR, korean),
];

fn same(_: u16, character: u16) -> u16 {
    character
}

/// Bytes without a character are the control characters of their numbers to browsers; the server refuses them.
fn assigned(byte: u16, character: u16) -> u16 {
    if character == byte && byte < 0xa0 { 0 } else { character }
}

fn assigned_hebrew(byte: u16, character: u16) -> u16 {
    if byte == 0xca { 0 } else { assigned(byte, character) }
}

fn with_controls(byte: u16, character: u16) -> u16 {
    if byte < 0xa0 { byte } else { character }
}

/// The server keeps the box-drawing characters of RFC 2319 where browsers have two Belarusian letters.
fn ukrainian(byte: u16, character: u16) -> u16 {
    match byte {
        0xae => 0x255d,
        0xbe => 0x256c,
        _ => character,
    }
}

fn without_private(_: u16, character: u16) -> u16 {
    if character == 0x80 || is_private(character) { 0 } else { character }
}

/// The server has the two rows of characters of one's own, and the postal code mark.
fn korean(pair: u16, character: u16) -> u16 {
    match pair {
        0xa2e8 => 0x327e,
        0xc9a1..=0xc9fe => 0xe000 + (pair - 0xc9a1),
        0xfea1..=0xfefe => 0xe05e + (pair - 0xfea1),
        _ => character,
    }
}

/// The server has none of the pairs that came after the first edition of GBK.
fn chinese(pair: u16, character: u16) -> u16 {
    match pair {
        0x80
        | 0xa2e3
        | 0xa3a0
        | 0xa6d9..=0xa6df
        | 0xa6ec..=0xa6ed
        | 0xa6f3
        | 0xa8bc
        | 0xa8bf
        | 0xa989..=0xa995
        | 0xfe50..=0xfea0 => 0,
        _ => without_private(pair, character),
    }
}

fn is_private(character: u16) -> bool {
    (0xe000..=0xf8ff).contains(&character)
}

impl Legacy {
    /// The tables of an encoding, made once.
    pub(super) fn of(plan: &'static Plan) -> Arc<Self> {
        static MADE: LazyLock<Mutex<HashMap<&'static str, Arc<Legacy>>>> = LazyLock::new(Mutex::default);
        let mut made = MADE.lock().unwrap_or_else(std::sync::PoisonError::into_inner);
        Arc::clone(made.entry(plan.name).or_insert_with(|| Arc::new(Self::make(plan))))
    }

    fn make(plan: &Plan) -> Self {
        let character = |raw: &[u8], of: &'static Encoding| {
            let number = raw.iter().fold(0, |number, byte| number << 8 | u16::from(*byte));
            (plan.amend)(number, decode_one(of, raw))
        };
        let mut legacy = Self { bytes: [0; HIGH_BYTES], pairs: Vec::new() };
        for (byte, known) in (0x80..=0xff_u8).zip(&mut legacy.bytes) {
            *known = match plan.table {
                Table::Identity => u16::from(byte),
                Table::Bytes(of) | Table::Pairs(of) => character(&[byte], of),
            };
        }
        if let Table::Pairs(of) = plan.table {
            let all = (0x80..=0xff_u8).flat_map(|first| (0..=0xff_u8).map(move |second| [first, second]));
            let of_pair = |pair: [u8; 2]| if pair[1] < SECOND_BYTE_MIN { 0 } else { character(&pair, of) };
            legacy.pairs = all.map(of_pair).collect();
        }
        legacy
    }

    /// The character at the start of `raw`, which is not empty, and how many bytes it takes.
    #[inline]
    fn first(&self, raw: &[u8]) -> Option<(char, usize)> {
        let Some(high) = raw[0].checked_sub(0x80).map(usize::from) else { return Some((char::from(raw[0]), 1)) };
        let (code, length) = match (self.bytes[high], raw.get(1)) {
            (0, Some(&second)) => (self.pairs.get(high << 8 | usize::from(second)).copied().unwrap_or(0), 2),
            (code, _) => (code, 1),
        };
        char::from_u32(u32::from(code)).filter(|_| code != 0).map(|character| (character, length))
    }

    /// Appends the text of `raw` in UTF-8 to `text`, or says which byte is none; `text` then has what stands before.
    pub(in crate::format::csv) fn decode(&self, raw: &[u8], text: &mut Vec<u8>) -> Result<(), usize> {
        let mut at = 0;
        while at < raw.len() {
            let (character, length) = self.first(&raw[at..]).ok_or(at)?;
            text.extend_from_slice(character.encode_utf8(&mut [0; 4]).as_bytes());
            at += length;
        }
        Ok(())
    }

    /// The bytes of `text`, if it has any in this encoding.
    pub(super) fn encode(&self, text: &str) -> Option<Vec<u8>> {
        let mut raw = Vec::with_capacity(text.len());
        for character in text.chars() {
            let code = u16::try_from(u32::from(character)).ok()?;
            let place = |table: &[u16]| table.iter().position(|&known| known == code);
            match (u8::try_from(code), place(&self.bytes), place(&self.pairs)) {
                (Ok(byte), ..) if byte.is_ascii() => raw.push(byte),
                (_, Some(high), _) => raw.push(u8::try_from(high + 0x80).ok()?),
                (.., Some(pair)) => raw.extend_from_slice(&u16::try_from(pair + 0x8000).ok()?.to_be_bytes()),
                (_, None, None) => return None,
            }
        }
        Some(raw)
    }

    /// Whether `byte` may be the second of a pair.
    pub(super) fn is_ambiguous(&self, byte: u8) -> bool {
        !self.pairs.is_empty() && byte >= SECOND_BYTE_MIN
    }
}

/// The one character that `raw` is, 0 if it is none.
fn decode_one(of: &'static Encoding, raw: &[u8]) -> u16 {
    let mut text = [0; 16];
    let (result, _, written) =
        of.new_decoder_without_bom_handling().decode_to_utf8_without_replacement(raw, &mut text, true);
    let decoded = std::str::from_utf8(&text[..written]).unwrap_or("");
    let mut characters = decoded.chars();
    match (result, characters.next(), characters.next()) {
        (DecoderResult::InputEmpty, Some(character), None) => u16::try_from(u32::from(character)).unwrap_or(0),
        _ => 0,
    }
}
