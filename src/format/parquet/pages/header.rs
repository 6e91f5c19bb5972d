//! The header of a page, as it stands before the page's bytes.

use super::super::thrift::{Compact, Field};

/// What a page's header says, where it says it.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub(super) struct PageHeader {
    pub(super) kind: i64,
    pub(super) uncompressed: i64,
    pub(super) compressed: i64,
    pub(super) values: i64,
    pub(super) encoding: i64,
    /// Bytes of the levels that stand uncompressed before the values, of a page of version 2.
    pub(super) levels: i64,
    /// Whether the page is left uncompressed, whatever its column's codec.
    pub(super) is_plain: bool,
}

/// Numbers of `PageType` in the format.
pub(super) const INDEX_PAGE: i64 = 1;
pub(super) const DICTIONARY_PAGE: i64 = 2;

impl PageHeader {
    /// Reads a header from the start of `bytes`: `parquet.thrift` of the format has its fields. Gives its length too.
    pub(super) fn read(bytes: &[u8]) -> Option<(Self, usize)> {
        let (mut reader, mut header, mut last) = (Compact(bytes), Self::default(), 0);
        while let Field::Of(id, kind) = reader.field(&mut last)? {
            match id {
                1 => header.kind = reader.integer()?,
                2 => header.uncompressed = reader.integer()?,
                3 => header.compressed = reader.integer()?,
                5 | 7 => header.read_inner(&mut reader, 2, None)?,
                8 => header.read_inner(&mut reader, 4, Some((5, 6, 7)))?,
                _ => reader.skip(kind)?,
            }
        }
        Some((header, bytes.len() - reader.0.len()))
    }

    /// Reads the part that is of one kind of page: the number of values is field 1 in each, the encoding `encoding`;
    /// `levels` are the lengths of both levels and whether the rest is compressed.
    fn read_inner(&mut self, reader: &mut Compact<'_>, encoding: i64, levels: Option<(i64, i64, i64)>) -> Option<()> {
        let mut last = 0;
        while let Field::Of(id, kind) = reader.field(&mut last)? {
            match (id, levels) {
                (1, _) => self.values = reader.integer()?,
                (id, _) if id == encoding => self.encoding = reader.integer()?,
                (id, Some((one, two, _))) if id == one || id == two => {
                    self.levels = self.levels.checked_add(reader.integer()?)?;
                }
                (id, Some((.., compressed))) if id == compressed => self.is_plain = !kind.is_true(),
                _ => reader.skip(kind)?,
            }
        }
        Some(())
    }
}
