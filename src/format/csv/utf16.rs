//! UTF-16, transcoded before it is read, so that everything else knows bytes of UTF-8 alone; and the way back from
//! positions there to offsets in the object.
//!
//! Half a surrogate pair becomes the three bytes that it would be if it were a character. That is no UTF-8, so it is refused
//! wherever other invalid bytes are; and every position keeps its offset: a code unit is two bytes of the object, one unit
//! for each character of up to three bytes, two for one of four.

use super::offset;

/// The order of the bytes of a code unit.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Utf16 {
    LittleEndian,
    BigEndian,
}

/// Bytes of a code unit.
pub(super) const UNIT_BYTES: u64 = 2;

impl Utf16 {
    /// The UTF-8 of `object`, a part that begins on a code unit. A byte too many at its end is one that is no UTF-8.
    pub(super) fn to_utf8(self, object: &[u8]) -> Vec<u8> {
        let (units, odd) = object.as_chunks::<2>();
        let unit = |bytes: &[u8; 2]| match self {
            Self::LittleEndian => u16::from_le_bytes(*bytes),
            Self::BigEndian => u16::from_be_bytes(*bytes),
        };
        let mut text = Vec::with_capacity(units.len() + units.len() / 8);
        for character in char::decode_utf16(units.iter().map(unit)) {
            match character {
                Ok(character) if character.is_ascii() => text.push(character as u8), // an ASCII character is one byte
                Ok(character) => text.extend_from_slice(character.encode_utf8(&mut [0; 4]).as_bytes()),
                Err(half) => push_half(half.unpaired_surrogate(), &mut text),
            }
        }
        if !odd.is_empty() {
            text.push(0xff);
        }
        text
    }
}

/// Appends half a surrogate pair as if it were a character.
fn push_half(unit: u16, text: &mut Vec<u8>) {
    let [.., low] = unit.to_be_bytes();
    let middle = u8::try_from(unit >> 6 & 0x3f).expect("six bits fit a byte");
    text.extend([0xe0 | 0x0d, 0x80 | middle, 0x80 | low & 0x3f]);
}

/// How many bytes of the object `text` takes there.
pub(super) fn bytes_of(text: &[u8]) -> u64 {
    let units = |byte: &u8| match byte {
        0x80..=0xbf => 0,
        0xf0..=0xf7 => 2,
        _ => 1,
    };
    text.iter().map(units).sum::<u64>() * UNIT_BYTES
}

/// Goes from positions in the text of a piece to offsets in the object, faster where they ascend.
#[derive(Debug, Clone)]
pub(super) struct Locator {
    start: u64,
    is_utf16: bool,
    /// A position and its offset.
    known: (usize, u64),
}

impl Locator {
    /// For a piece that begins at offset `start`.
    pub(super) fn new(start: u64, utf16: Option<Utf16>) -> Self {
        Self { start, is_utf16: utf16.is_some(), known: (0, start) }
    }

    /// The offset of the byte at position `at` of `text`, the piece as it is read.
    #[inline]
    pub(super) fn locate(&mut self, text: &[u8], at: usize) -> u64 {
        if !self.is_utf16 {
            return self.start + offset(at);
        }
        let (position, known) = if self.known.0 <= at { self.known } else { (0, self.start) };
        self.known = (at, known + bytes_of(&text[position..at]));
        self.known.1
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    fn units(text: &str, order: Utf16) -> Vec<u8> {
        let bytes = |unit: u16| if order == Utf16::LittleEndian { unit.to_le_bytes() } else { unit.to_be_bytes() };
        text.encode_utf16().flat_map(bytes).collect()
    }

    proptest! {
        #[test]
        fn text_is_kept_and_every_position_has_its_offset(text: String, big: bool, cut in 0_usize..40) {
            let order = if big { Utf16::BigEndian } else { Utf16::LittleEndian };
            let object = units(&text, order);
            prop_assert_eq!(order.to_utf8(&object), text.as_bytes());
            prop_assert_eq!(bytes_of(text.as_bytes()), offset(object.len()));
            // A cut between units, be it within a pair, keeps the count of units.
            let cut = (cut * 2).min(object.len());
            let parts = [order.to_utf8(&object[..cut]), order.to_utf8(&object[cut..])];
            prop_assert_eq!((bytes_of(&parts[0]), bytes_of(&parts[1])), (offset(cut), offset(object.len() - cut)));
            let mut locator = Locator::new(10, Some(order));
            let all = text.as_bytes();
            for (at, _) in text.char_indices().chain(text.char_indices().rev()) {
                prop_assert_eq!(locator.locate(all, at), 10 + bytes_of(&all[..at]));
            }
        }
    }

    #[test]
    fn half_a_pair_and_half_a_unit_are_no_text() {
        for object in [&[0x61, 0, 0x3d, 0xd8][..], &[0x61, 0, 0, 0xdc, 0x62, 0], &[0x61, 0, 0x62]] {
            let text = Utf16::LittleEndian.to_utf8(object);
            assert_eq!(std::str::from_utf8(&text).unwrap_err().valid_up_to(), 1);
            assert_eq!(bytes_of(&text), offset(object.len().next_multiple_of(2)));
        }
    }
}
