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
    /// Encodings of definition and repetition levels, of a page of version 1.
    pub(super) level_encodings: [i64; 2],
    /// Bytes of the definition and the repetition levels, of a page of version 2: these stand uncompressed before the
    /// values, the repetition levels first.
    pub(super) levels: [i64; 2],
    /// Where in the header it says that the page is left uncompressed, whatever its column's codec; `None` where it does
    /// not say so.
    pub(super) plain_flag: Option<usize>,
}

/// Numbers of `PageType` in the format.
pub(super) const INDEX_PAGE: i64 = 1;
pub(super) const DICTIONARY_PAGE: i64 = 2;
pub(super) const DATA_PAGE_V2: i64 = 3;

impl PageHeader {
    /// Reads a header from the start of `bytes`: `parquet.thrift` of the format has its fields. Gives its length too.
    pub(super) fn read(bytes: &[u8]) -> Option<(Self, usize)> {
        let (mut reader, mut header, mut last) = (Compact(bytes), Self::default(), 0);
        while let Field::Of(id, kind) = reader.field(&mut last)? {
            match id {
                1 => header.kind = reader.integer()?,
                2 => header.uncompressed = reader.integer()?,
                3 => header.compressed = reader.integer()?,
                5 => header.read_data_page(&mut reader)?,
                7 => header.read_dictionary_page(&mut reader)?,
                8 => header.read_data_page_v2(&mut reader, bytes.len())?,
                _ => reader.skip(kind)?,
            }
        }
        Some((header, bytes.len() - reader.0.len()))
    }

    fn read_data_page(&mut self, reader: &mut Compact<'_>) -> Option<()> {
        let mut last = 0;
        while let Field::Of(id, kind) = reader.field(&mut last)? {
            match id {
                1 => self.values = reader.integer()?,
                2 => self.encoding = reader.integer()?,
                3 => self.level_encodings[0] = reader.integer()?,
                4 => self.level_encodings[1] = reader.integer()?,
                _ => reader.skip(kind)?,
            }
        }
        Some(())
    }

    fn read_dictionary_page(&mut self, reader: &mut Compact<'_>) -> Option<()> {
        let mut last = 0;
        while let Field::Of(id, kind) = reader.field(&mut last)? {
            match id {
                1 => self.values = reader.integer()?,
                2 => self.encoding = reader.integer()?,
                _ => reader.skip(kind)?,
            }
        }
        Some(())
    }

    /// `length` is how many bytes there are from the start of the header on.
    fn read_data_page_v2(&mut self, reader: &mut Compact<'_>, length: usize) -> Option<()> {
        let mut last = 0;
        loop {
            let at = length - reader.0.len();
            let Field::Of(id, kind) = reader.field(&mut last)? else { return Some(()) };
            match id {
                1 => self.values = reader.integer()?,
                4 => self.encoding = reader.integer()?,
                5 => self.levels[0] = reader.integer()?,
                6 => self.levels[1] = reader.integer()?,
                7 => self.plain_flag = (!kind.is_true()).then_some(at),
                _ => reader.skip(kind)?,
            }
        }
    }
}
