//! Thrift's compact protocol, as much of it as tells the sizes in a file before its own decoder believes them.
//!
//! Written from the protocol's specification (`thrift-compact-protocol.md`). `None` stands for bytes that are not of it.

/// Structures in structures that are skipped; the decoder itself skips no more.
const DEPTH_MAX: u8 = 64;

/// The type of a field, by its number in the protocol.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) struct Kind(u8);

impl Kind {
    pub(super) const I32: Self = Self(5);
    pub(super) const I64: Self = Self(6);
    pub(super) const BINARY: Self = Self(8);
    pub(super) const LIST: Self = Self(9);
    pub(super) const STRUCT: Self = Self(12);

    /// The value of a boolean field, which is told by its type.
    pub(super) fn is_true(self) -> bool {
        self.0 == 1
    }

    /// Whether this is a number of 16, 32 or 64 bits: all are spelled alike.
    pub(super) fn is_integer(self) -> bool {
        matches!(self.0, 4..=6)
    }
}

/// What stands next in a structure.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Field {
    /// A field, by its number, of this type.
    Of(i64, Kind),
    /// The structure's end.
    End,
}

/// Reads values from the start of some bytes.
#[derive(Debug, Clone, Copy)]
pub(super) struct Compact<'a>(pub(super) &'a [u8]);

impl<'a> Compact<'a> {
    /// The next bytes as they are.
    pub(super) fn take(&mut self, count: usize) -> Option<&'a [u8]> {
        let (taken, rest) = self.0.split_at_checked(count)?;
        self.0 = rest;
        Some(taken)
    }

    fn byte(&mut self) -> Option<u8> {
        self.take(1).map(|byte| byte[0])
    }

    /// A number without a sign.
    pub(super) fn unsigned(&mut self) -> Option<u64> {
        let (mut value, mut shift) = (0_u64, 0);
        loop {
            let byte = self.byte()?;
            value |= u64::from(byte & 0x7f).checked_shl(shift)?;
            if byte & 0x80 == 0 {
                return Some(value);
            }
            shift += 7;
        }
    }

    /// A signed number of any width.
    pub(super) fn integer(&mut self) -> Option<i64> {
        let value = self.unsigned()?;
        Some((value >> 1).cast_signed() ^ -((value & 1).cast_signed()))
    }

    /// Bytes with their length before them.
    pub(super) fn binary(&mut self) -> Option<&'a [u8]> {
        let length = usize::try_from(self.unsigned()?).ok()?;
        self.take(length)
    }

    /// The head of a structure's next field. `last` is the number of the field before, 0 at first.
    pub(super) fn field(&mut self, last: &mut i64) -> Option<Field> {
        let head = self.byte()?;
        if head.trailing_zeros() >= 4 {
            return Some(Field::End);
        }
        *last = match head >> 4 {
            0 => self.integer()?,
            delta => last.checked_add(delta.into())?,
        };
        Some(Field::Of(*last, Kind(head & 0x0f)))
    }

    /// The head of a list: how many elements, and their type.
    pub(super) fn list(&mut self) -> Option<(usize, Kind)> {
        let head = self.byte()?;
        let count = match head >> 4 {
            15 => usize::try_from(self.unsigned()?).ok()?,
            count => count.into(),
        };
        Some((count, Kind(head & 0x0f)))
    }

    /// Passes over a field.
    pub(super) fn skip(&mut self, kind: Kind) -> Option<()> {
        self.skip_within(kind, DEPTH_MAX)
    }

    fn skip_within(&mut self, kind: Kind, depth: u8) -> Option<()> {
        let depth = depth.checked_sub(1)?;
        match kind.0 {
            // A boolean is in its field's head.
            1 | 2 => Some(()),
            3 => self.take(1).map(|_| ()),
            4..=6 => self.unsigned().map(|_| ()),
            7 => self.take(8).map(|_| ()),
            8 => self.binary().map(|_| ()),
            9 | 10 => {
                let (count, kind) = self.list()?;
                (0..count).try_for_each(|_| self.skip_element(kind, depth))
            }
            11 => self.skip_map(depth),
            12 => {
                let mut last = 0;
                while let Field::Of(_, kind) = self.field(&mut last)? {
                    self.skip_within(kind, depth)?;
                }
                Some(())
            }
            13 => self.take(16).map(|_| ()),
            _ => None,
        }
    }

    fn skip_map(&mut self, depth: u8) -> Option<()> {
        let count = self.unsigned()?;
        if count == 0 {
            return Some(());
        }
        let kinds = self.byte()?;
        (0..count).try_for_each(|_| {
            self.skip_element(Kind(kinds >> 4), depth)?;
            self.skip_element(Kind(kinds & 0x0f), depth)
        })
    }

    /// Booleans in lists are none: no structure of Parquet that is read here has such a list, and the decoder takes them
    /// to have no bytes, so that lists of lists of them would never end.
    fn skip_element(&mut self, kind: Kind, depth: u8) -> Option<()> {
        match kind.0 {
            1 | 2 => None,
            _ => self.skip_within(kind, depth),
        }
    }
}

/// Writes the fields of one structure.
#[derive(Debug, Default)]
pub(super) struct Writer {
    bytes: Vec<u8>,
    last: i64,
}

impl Writer {
    fn unsigned(&mut self, mut value: u64) {
        while value > 0x7f {
            self.bytes.push(value.to_le_bytes()[0] | 0x80);
            value >>= 7;
        }
        self.bytes.push(value.to_le_bytes()[0]);
    }

    fn signed(&mut self, value: i64) {
        self.unsigned(((value << 1) ^ (value >> 63)).cast_unsigned());
    }

    fn head(&mut self, id: i64, kind: Kind) {
        if let Ok(delta @ 1..=15) = u8::try_from(id - self.last) {
            self.bytes.push(delta << 4 | kind.0);
        } else {
            self.bytes.push(kind.0);
            self.signed(id);
        }
        self.last = id;
    }

    pub(super) fn integer(&mut self, id: i64, kind: Kind, value: i64) {
        self.head(id, kind);
        self.signed(value);
    }

    /// A field whose value stands next in `reader`. `None` where it does not.
    pub(super) fn copy(&mut self, id: i64, kind: Kind, reader: &mut Compact<'_>) -> Option<()> {
        self.head(id, kind);
        let before = reader.0;
        reader.skip(kind)?;
        self.bytes.extend_from_slice(&before[..before.len() - reader.0.len()]);
        Some(())
    }

    /// A list that stands next in `reader`, of this type of elements. An empty one may have another type there.
    pub(super) fn list(&mut self, id: i64, element: Kind, reader: &mut Compact<'_>) -> Option<()> {
        let (count, kind) = reader.clone().list()?;
        if count > 0 {
            return if kind == element { self.copy(id, Kind::LIST, reader) } else { None };
        }
        reader.list()?;
        self.list_head(id, element, 0);
        Some(())
    }

    /// The head of a list of as many elements, which follow.
    pub(super) fn list_head(&mut self, id: i64, element: Kind, count: usize) {
        self.head(id, Kind::LIST);
        if let Ok(count @ ..15) = u8::try_from(count) {
            self.bytes.push(count << 4 | element.0);
        } else {
            self.bytes.push(0xf0 | element.0);
            self.unsigned(count as u64); // usize has at most 64 bits
        }
    }

    /// A field that is a whole structure.
    pub(super) fn structure(&mut self, id: i64, bytes: &[u8]) {
        self.head(id, Kind::STRUCT);
        self.element(bytes);
    }

    /// A whole structure as the next element of a list.
    pub(super) fn element(&mut self, bytes: &[u8]) {
        self.bytes.extend_from_slice(bytes);
    }

    /// The structure.
    pub(super) fn end(mut self) -> Vec<u8> {
        self.bytes.push(0);
        self.bytes
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn fields_are_read_and_passed_over() {
        // 1: i32 -3; 2: a list of two structs; 18: binary "ab"; the end.
        let bytes = [0x15, 5, 0x19, 0x2c, 0x15, 2, 0, 0x15, 4, 0, 0x08, 36, 2, b'a', b'b', 0, 7];
        let (mut reader, mut last) = (Compact(&bytes), 0);
        assert_eq!(reader.field(&mut last), Some(Field::Of(1, Kind(5))));
        assert_eq!(reader.integer(), Some(-3));
        assert_eq!(reader.field(&mut last), Some(Field::Of(2, Kind::LIST)));
        assert_eq!(reader.skip(Kind::LIST), Some(()));
        assert_eq!(reader.field(&mut last), Some(Field::Of(18, Kind(8))));
        assert_eq!(reader.skip(Kind(8)), Some(()));
        assert_eq!(reader.field(&mut last), Some(Field::End));
        assert_eq!(reader.0, [7]);
    }

    #[test]
    fn what_has_no_end_and_what_is_too_deep_is_refused() {
        assert_eq!(Compact(&[0xff; 20]).integer(), None);
        assert_eq!(Compact(&[200, 1]).skip(Kind(8)), None);
        let nested = [0x1c; 200];
        assert_eq!(Compact(&nested).skip(Kind(12)), None);
        assert_eq!(Compact(&[0x21, 1, 1]).skip(Kind::LIST), None);
    }
}
