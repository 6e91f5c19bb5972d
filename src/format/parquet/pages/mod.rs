//! What the pages of a row group will take in memory, judged before the crate `parquet` makes room for it.
//!
//! That crate believes page headers: it allocates what they say, inflates a stream to its end whatever they say, and
//! makes as many rows of a batch as it is asked for, however large a value of the dictionary stands in each. A few bytes
//! that lie would take all memory, and an allocation that fails ends the process. So the headers are walked here first;
//! pages are decoded for that only where their values can be larger than they look: dictionaries of texts, texts that
//! share prefixes, and lists without end.

mod delta;
mod header;
mod inflate;
mod levels;
mod records;
mod relabel;

use std::sync::Arc;

use bytes::{Buf, Bytes};
use parquet::basic::{Compression, Encoding, Type as PhysicalType};
use parquet::column::page::{Page, PageReader};
use parquet::errors::ParquetError;
use parquet::file::metadata::ColumnChunkMetaData;
use parquet::file::reader::{ChunkReader, Length};
use parquet::file::serialized_reader::SerializedPageReader;

use self::header::{DATA_PAGE_V2, DICTIONARY_PAGE, INDEX_PAGE, PageHeader};
use self::records::Records;
pub(super) use self::relabel::relabelled;
use super::guard::guarded;
use crate::error::{Error, ErrorKind, Result};

/// A dictionary of texts up to this size is not looked into: a batch of nothing but its largest value is small.
const DICTIONARY_BYTES_SAFE: u64 = 4 << 10;

/// The number of the encoding that levels had before there was a hybrid one.
const BIT_PACKED: i64 = 4;

/// What a level and a value's place take for each value of a nested column, beside the value.
const NESTED_VALUE_BYTES: u64 = 12;

/// What decoding the pages of a column takes.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub(super) struct Need {
    /// Bytes that are held at once: the largest page, and the dictionary.
    pub(super) held: u64,
    /// Bytes of a row, as far as pages tell: its share in the page where values are largest.
    pub(super) row: u64,
    /// Bytes of the largest record, where one can be larger than that.
    pub(super) record: u64,
}

/// The pages of one column in one row group.
#[derive(Debug, Clone, Copy)]
pub(super) struct Chunk<'a> {
    pub(super) metadata: &'a ColumnChunkMetaData,
    /// All of them.
    pub(super) bytes: &'a Bytes,
    /// Rows of the row group.
    pub(super) rows: u64,
    /// The most bytes that may be held.
    pub(super) bytes_max: u64,
}

/// A page as its header tells it.
#[derive(Debug, Clone, Copy)]
struct Sized {
    header: PageHeader,
    /// Bytes of its values, inflated.
    bytes: u64,
    values: u64,
}

impl Chunk<'_> {
    /// Judges the pages.
    ///
    /// # Errors
    ///
    /// [`ErrorKind::Source`] where they contradict themselves or the footer, [`ErrorKind::Limit`] where they take more
    /// than is allowed. The caller names the place.
    pub(super) fn need(&self) -> Result<Need> {
        let pages = self.pages()?;
        let (dictionaries, data): (Vec<Sized>, Vec<Sized>) =
            pages.iter().partition(|page| page.header.kind == DICTIONARY_PAGE);
        let largest = |pages: &[Sized]| pages.iter().map(|page| page.bytes).max().unwrap_or(0);
        let places: u64 = dictionaries.iter().map(|page| page.values.saturating_mul(4)).max().unwrap_or(0);
        let held = largest(&data) + largest(&dictionaries) + places;
        if held > self.bytes_max {
            return Err(self.beyond(held, "at once"));
        }
        let values: u64 = data.iter().map(|page| page.values).fold(0, u64::saturating_add);
        let per_row = if self.is_nested() { values.div_ceil(self.rows.max(1)).max(1) } else { 1 };
        let value = self.value_bytes(&dictionaries, &data)?;
        let places = if self.is_nested() { NESTED_VALUE_BYTES } else { 0 };
        let row = value.saturating_add(places).saturating_mul(per_row);
        Ok(Need { held, row, record: self.record_bytes(values, value)? })
    }

    /// Walks the headers. Bytes behind the last value are nobody's, and are not looked at.
    fn pages(&self) -> Result<Vec<Sized>> {
        let (mut at, mut seen, mut pages) = (0, 0_u64, Vec::new());
        let values =
            u64::try_from(self.metadata.num_values()).map_err(|_| corrupt("it has a negative number of values"))?;
        while at < self.bytes.len() {
            let rest = &self.bytes[at..];
            let Some((header, length)) = PageHeader::read(rest) else {
                if seen >= values && !pages.is_empty() {
                    break;
                }
                return Err(corrupt("the header of a page cannot be read"));
            };
            let page = self.page(header, &rest[length..])?;
            at += length + usize::try_from(header.compressed).expect("the page is within the bytes");
            match header.kind {
                INDEX_PAGE => continue,
                DICTIONARY_PAGE if !pages.is_empty() => {
                    return Err(corrupt("a dictionary page does not come first, or not alone"));
                }
                DICTIONARY_PAGE => {}
                _ => seen = seen.saturating_add(page.values),
            }
            pages.push(page);
        }
        if seen != values {
            return Err(corrupt(format!("its pages have {seen} values, and the footer says {values}")));
        }
        Ok(pages)
    }

    /// Judges one header against what follows it.
    fn page(&self, header: PageHeader, rest: &[u8]) -> Result<Sized> {
        let size = |number: i64| u32::try_from(number).ok().filter(|size| i32::try_from(*size).is_ok());
        let levels = header.levels[0].checked_add(header.levels[1]).filter(|_| header.levels.iter().all(|it| *it >= 0));
        let (Some(compressed), Some(uncompressed), Some(values), Some(levels)) =
            (size(header.compressed), size(header.uncompressed), size(header.values), levels.and_then(size))
        else {
            return Err(corrupt("the header of a page has sizes that are none"));
        };
        let Some(bytes) = rest.get(..compressed as usize) else {
            // usize has at least 32 bits
            return Err(corrupt("a page is longer than its column"));
        };
        let is_inflated = self.metadata.compression() != Compression::UNCOMPRESSED && header.plain_flag.is_none();
        let size = if is_inflated { uncompressed } else { compressed };
        let page = Sized { header, bytes: size.into(), values: values.into() };
        if page.bytes > self.bytes_max {
            return Err(self.beyond(page.bytes, "for one page"));
        }
        self.check_values(&page)?;
        self.check_encodings(&header)?;
        if header.kind == DATA_PAGE_V2 {
            self.check_levels(&page, bytes)?;
        }
        let stream = bytes.get(levels as usize..).unwrap_or_default(); // as above
        let claimed = page.bytes.saturating_sub(levels.into());
        if is_inflated && inflate::inflates_beyond(claimed, stream, self.metadata.compression(), self.bytes_max) {
            return Err(corrupt(format!("a page inflates to more than the {uncompressed} bytes that it says")));
        }
        Ok(page)
    }

    /// Whether the encodings of a page are among those that the footer lists: bytes of one encoding can be read as
    /// another.
    fn check_encodings(&self, header: &PageHeader) -> Result<()> {
        let is_listed = |wanted: i64| {
            let mut listed = self.metadata.encodings().map(number_of);
            listed.any(|listed| listed == wanted || is_dictionary(listed) && is_dictionary(wanted))
        };
        if self.metadata.encodings().next().is_none() || [INDEX_PAGE, DICTIONARY_PAGE].contains(&header.kind) {
            return Ok(());
        }
        let level_maxima = self.level_maxima();
        let levels = header.level_encodings.iter().zip(level_maxima).filter(|(_, max)| *max > 0);
        let packed = levels.map(|(encoding, _)| *encoding).filter(|encoding| *encoding == BIT_PACKED);
        match packed.chain([header.encoding]).find(|encoding| !is_listed(*encoding)) {
            Some(encoding) => Err(corrupt(format!(
                "a page has encoding {encoding}, which is not among those that the footer lists for its column"
            ))),
            None => Ok(()),
        }
    }

    /// Whether the levels of a page of version 2, which begins with `bytes`, are as long as its header says.
    fn check_levels(&self, page: &Sized, bytes: &[u8]) -> Result<()> {
        let length = |at: usize| usize::try_from(page.header.levels[at]).ok();
        let [definition, repetition] = self.level_maxima();
        let fits = || {
            let (repetitions, rest) = bytes.split_at_checked(length(1)?)?;
            let (definitions, _) = rest.split_at_checked(length(0)?)?;
            Some(
                levels::are_whole(repetitions, page.values, repetition)
                    && levels::are_whole(definitions, page.values, definition),
            )
        };
        match fits() {
            Some(true) => Ok(()),
            _ => Err(corrupt("the levels of a page are not as long as its header says")),
        }
    }

    /// The largest definition and repetition level.
    fn level_maxima(&self) -> [i16; 2] {
        let descriptor = self.metadata.column_descr();
        [descriptor.max_def_level(), descriptor.max_rep_level()]
    }

    /// Whether a page can have as many values as it says.
    fn check_values(&self, page: &Sized) -> Result<()> {
        let values_max = match page.header.kind {
            DICTIONARY_PAGE => page.bytes / self.least_bytes().max(1),
            _ if self.is_nested() => u64::MAX,
            _ => self.rows,
        };
        if page.header.kind != INDEX_PAGE && page.values > values_max {
            let message =
                format!("a page says that it has {} values, and cannot have more than {values_max}", page.values);
            return Err(corrupt(message));
        }
        Ok(())
    }

    fn is_nested(&self) -> bool {
        self.metadata.column_descr().max_rep_level() > 0
    }

    /// Bytes of a value as it stands in a dictionary, at least.
    fn least_bytes(&self) -> u64 {
        match self.metadata.column_type() {
            PhysicalType::BOOLEAN => 1,
            PhysicalType::INT32 | PhysicalType::FLOAT | PhysicalType::BYTE_ARRAY => 4,
            PhysicalType::INT64 | PhysicalType::DOUBLE => 8,
            PhysicalType::INT96 => 12,
            PhysicalType::FIXED_LEN_BYTE_ARRAY => self.fixed_bytes(),
        }
    }

    fn fixed_bytes(&self) -> u64 {
        u64::try_from(self.metadata.column_descr().type_length()).unwrap_or(0)
    }

    /// Bytes of a value where values are largest.
    fn value_bytes(&self, dictionaries: &[Sized], data: &[Sized]) -> Result<u64> {
        let is_large = |page: &Sized| is_delta(page.header.encoding);
        match self.metadata.column_type() {
            PhysicalType::BYTE_ARRAY => {}
            PhysicalType::FIXED_LEN_BYTE_ARRAY => {
                if data.iter().any(is_large) {
                    self.decoded_values(true)?;
                }
                return Ok(self.fixed_bytes());
            }
            _ => return Ok(self.least_bytes()),
        }
        let is_safe = |page: &Sized| page.bytes <= DICTIONARY_BYTES_SAFE;
        let share = |page: &Sized| page.bytes.div_ceil(page.values.max(1));
        let plain = data.iter().map(share).max().unwrap_or(0);
        let has_delta = data.iter().any(is_large);
        if dictionaries.iter().all(is_safe) && !has_delta {
            return Ok(plain.max(dictionaries.iter().map(|page| page.bytes).max().unwrap_or(0)));
        }
        Ok(plain.max(self.decoded_values(has_delta)?))
    }

    /// Bytes of a text where texts are largest, for which the pages that hide them are decoded: the dictionary, which is
    /// the first, and those of lengths where the column has any.
    fn decoded_values(&self, has_delta: bool) -> Result<u64> {
        let mut largest = 0;
        let mut reader = self.reader()?;
        while let Some(page) = guarded(|| reader.get_next_page()).map_err(undecodable)? {
            match &page {
                Page::DictionaryPage { buf, num_values, .. }
                    if self.metadata.column_type() == PhysicalType::BYTE_ARRAY =>
                {
                    largest = largest.max(longest_text(buf, *num_values));
                    if !has_delta {
                        break;
                    }
                }
                Page::DictionaryPage { .. } => {}
                Page::DataPage { encoding, num_values, .. } | Page::DataPageV2 { encoding, num_values, .. } => {
                    let bytes = self.text_bytes(&page, *encoding, (*num_values).into())?;
                    largest = largest.max(bytes.div_ceil(u64::from(*num_values).max(1)));
                }
            }
        }
        Ok(largest)
    }

    /// Bytes that the texts of a page take, where its lengths tell; else none.
    fn text_bytes(&self, page: &Page, encoding: Encoding, values: u64) -> Result<u64> {
        if !is_delta(number_of(encoding)) {
            return Ok(0);
        }
        let impossible = || corrupt("a page has other lengths of texts than it can have");
        if values.saturating_mul(8) > self.bytes_max {
            return Err(self.beyond(values.saturating_mul(8), "for the lengths of one page"));
        }
        let texts = self.after_levels(page).ok_or_else(impossible)?;
        let first = delta::read(texts, values).ok_or_else(impossible)?;
        if encoding == Encoding::DELTA_LENGTH_BYTE_ARRAY {
            return Ok(first.sum.unsigned_abs());
        }
        let second = delta::read(&texts[first.bytes..], values).ok_or_else(impossible)?;
        Ok((first.sum + second.sum).unsigned_abs())
    }

    /// What stands in a page behind its levels.
    fn after_levels<'p>(&self, page: &'p Page) -> Option<&'p [u8]> {
        let descriptor = self.metadata.column_descr();
        match page {
            Page::DataPage { buf, .. } => {
                let mut rest = &buf[..];
                for level_max in [descriptor.max_rep_level(), descriptor.max_def_level()] {
                    if level_max > 0 {
                        rest = split_levels(rest)?.1;
                    }
                }
                Some(rest)
            }
            Page::DataPageV2 { buf, def_levels_byte_len, rep_levels_byte_len, .. } => {
                let levels = def_levels_byte_len.checked_add(*rep_levels_byte_len)?;
                buf.get(levels as usize..) // usize has at least 32 bits
            }
            Page::DictionaryPage { .. } => None,
        }
    }

    /// Bytes of the largest record of a nested column, where that is not within what is allowed anyway.
    fn record_bytes(&self, values: u64, value: u64) -> Result<u64> {
        let value = value.saturating_add(NESTED_VALUE_BYTES);
        if !self.is_nested() || values.saturating_mul(value) <= self.bytes_max {
            return Ok(0);
        }
        let level_max = self.metadata.column_descr().max_rep_level();
        let (mut records, mut reader) = (Records::default(), self.reader()?);
        while let Some(page) = guarded(|| reader.get_next_page()).map_err(undecodable)? {
            let counted = match &page {
                Page::DataPage { buf, num_values, rep_level_encoding: Encoding::RLE, .. } => {
                    split_levels(buf).and_then(|(levels, _)| records.push(levels, (*num_values).into(), level_max))
                }
                Page::DataPage { num_values, .. } => {
                    records.push_unknown((*num_values).into());
                    Some(())
                }
                Page::DataPageV2 { buf, num_values, rep_levels_byte_len, .. } => buf
                    .get(..*rep_levels_byte_len as usize) // usize has at least 32 bits
                    .and_then(|levels| records.push(levels, (*num_values).into(), level_max)),
                Page::DictionaryPage { .. } => Some(()),
            };
            counted.ok_or_else(|| corrupt("the levels of a page cannot be read"))?;
        }
        let record = records.longest().saturating_mul(value);
        if record > self.bytes_max { Err(self.beyond(record, "for one record")) } else { Ok(record) }
    }

    fn reader(&self) -> Result<SerializedPageReader<Held>> {
        let (start, _) = self.metadata.byte_range();
        let held = Arc::new(Held { start, bytes: self.bytes.clone() });
        let rows = usize::try_from(self.rows).unwrap_or(usize::MAX);
        guarded(|| SerializedPageReader::new(held, self.metadata, rows, None)).map_err(undecodable)
    }

    fn beyond(&self, bytes: u64, what: &str) -> Error {
        Error::new(
            ErrorKind::Limit,
            format!("its pages take {bytes} bytes {what}, and at most {} are held", self.bytes_max),
        )
        .with_hint("raise --memory, or write the file with smaller pages and row groups")
    }
}

fn corrupt(what: impl Into<String>) -> Error {
    Error::new(ErrorKind::Source, what)
}

fn undecodable(error: ParquetError) -> Error {
    Error::new(ErrorKind::Source, "its pages cannot be decoded").with_source(error)
}

/// Whether texts are encoded by their lengths, in streams that say how many there are.
fn is_delta(encoding: i64) -> bool {
    [number_of(Encoding::DELTA_LENGTH_BYTE_ARRAY), number_of(Encoding::DELTA_BYTE_ARRAY)].contains(&encoding)
}

/// Whether values stand in a dictionary: the two numbers for it mean the same.
fn is_dictionary(encoding: i64) -> bool {
    [number_of(Encoding::PLAIN_DICTIONARY), number_of(Encoding::RLE_DICTIONARY)].contains(&encoding)
}

/// An encoding's number in the format.
fn number_of(encoding: Encoding) -> i64 {
    encoding as i64
}

/// The levels at the start of a page of version 1, and what is behind them.
fn split_levels(page: &[u8]) -> Option<(&[u8], &[u8])> {
    let (length, rest) = page.split_first_chunk::<4>()?;
    rest.split_at_checked(u32::from_le_bytes(*length) as usize) // usize has at least 32 bits
}

/// Bytes of the longest text in a dictionary.
fn longest_text(dictionary: &[u8], values: u32) -> u64 {
    let (mut rest, mut longest) = (dictionary, 0);
    for _ in 0..values {
        let Some((_, after)) = split_levels(rest) else { break };
        longest = longest.max(rest.len() - after.len() - 4);
        rest = after;
    }
    longest as u64 // usize has at most 64 bits
}

/// The bytes of a column as a file that holds nothing else.
struct Held {
    /// Where they stand in the object.
    start: u64,
    bytes: Bytes,
}

impl Held {
    fn from(&self, start: u64) -> Option<Bytes> {
        let at = usize::try_from(start.checked_sub(self.start)?).ok()?;
        (at <= self.bytes.len()).then(|| self.bytes.slice(at..))
    }
}

impl Length for Held {
    fn len(&self) -> u64 {
        self.start + self.bytes.len() as u64 // usize has at most 64 bits
    }
}

impl ChunkReader for Held {
    type T = bytes::buf::Reader<Bytes>;

    fn get_read(&self, start: u64) -> Result<Self::T, ParquetError> {
        self.from(start).map(Buf::reader).ok_or_else(|| ParquetError::EOF("no such byte".to_owned()))
    }

    fn get_bytes(&self, start: u64, length: usize) -> Result<Bytes, ParquetError> {
        let bytes = self.from(start).filter(|bytes| length <= bytes.len());
        bytes.map(|bytes| bytes.slice(..length)).ok_or_else(|| ParquetError::EOF("no such bytes".to_owned()))
    }
}

#[cfg(test)]
mod lies;
#[cfg(test)]
mod tests;
