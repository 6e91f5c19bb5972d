//! Thrift's compact protocol, as much of it as tells the sizes in a file before its own decoder believes them.
//!
//! Written from the protocol's specification (`thrift-compact-protocol.md`). `None` stands for bytes that are not of it.

/// Structures in structures that are skipped; the decoder itself skips no more.
const DEPTH_MAX: u8 = 64;

/// The type of a field, by its number in the protocol.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) struct Kind(u8);

impl Kind {
    pub(super) const LIST: Self = Self(9);

    /// The value of a boolean field, which is told by its type.
    pub(super) fn is_true(self) -> bool {
        self.0 == 1
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
            8 => {
                let length = usize::try_from(self.unsigned()?).ok()?;
                self.take(length).map(|_| ())
            }
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
