//! Numbers in page headers and footers that lie, one at a time: what is read is what was written, or an error.

use std::ops::Range;
use std::sync::Arc;

use arrow_array::builder::{Int64Builder, ListBuilder};
use arrow_array::{ArrayRef, BooleanArray, FixedSizeBinaryArray, Int64Array, RecordBatch, StringArray};
use arrow_select::concat::concat_batches;
use parquet::basic::{Compression, Encoding, ZstdLevel};
use parquet::file::metadata::ParquetMetaDataWriter;
use parquet::file::properties::{WriterProperties, WriterVersion};

use super::super::Projection;
use super::super::fixture::File;
use super::header::PageHeader;
use super::relabelled;
use crate::error::{Error, ErrorKind};

/// A number of a structure: where it stands, and the numbers of the fields that lead to it.
#[derive(Debug, Clone)]
struct Number {
    at: Range<usize>,
    value: i64,
    path: Vec<i64>,
}

/// Finds the numbers and flags of a structure in Thrift's compact protocol.
struct Numbers<'a> {
    bytes: &'a [u8],
    at: usize,
    path: Vec<i64>,
    found: Vec<Number>,
    /// Where the type of a boolean field stands.
    flags: Vec<usize>,
}

impl<'a> Numbers<'a> {
    fn of(bytes: &'a [u8], at: usize) -> Self {
        let mut numbers = Self { bytes, at, path: Vec::new(), found: Vec::new(), flags: Vec::new() };
        numbers.structure();
        numbers
    }

    fn byte(&mut self) -> u8 {
        self.at += 1;
        self.bytes[self.at - 1]
    }

    fn unsigned(&mut self) -> u64 {
        let (mut value, mut shift) = (0, 0);
        loop {
            let byte = self.byte();
            value |= u64::from(byte & 0x7f) << shift;
            shift += 7;
            if byte & 0x80 == 0 {
                return value;
            }
        }
    }

    fn signed(&mut self) -> i64 {
        let value = self.unsigned();
        (value >> 1).cast_signed() ^ -((value & 1).cast_signed())
    }

    fn structure(&mut self) {
        let mut last = 0;
        loop {
            let start = self.at;
            let head = self.byte();
            if head == 0 {
                return;
            }
            last = if head >> 4 == 0 { self.signed() } else { last + i64::from(head >> 4) };
            self.path.push(last);
            if [1, 2].contains(&(head & 0x0f)) {
                self.flags.push(start);
            } else {
                self.value(head & 0x0f);
            }
            self.path.pop();
        }
    }

    fn value(&mut self, kind: u8) {
        match kind {
            1..=3 => self.at += 1,
            4..=6 => {
                let start = self.at;
                let value = self.signed();
                self.found.push(Number { at: start..self.at, value, path: self.path.clone() });
            }
            7 => self.at += 8,
            8 => {
                let length = usize::try_from(self.unsigned()).unwrap();
                self.at += length;
            }
            9 | 10 => {
                let head = self.byte();
                let count = if head >> 4 == 15 { self.unsigned() } else { u64::from(head >> 4) };
                (0..count).for_each(|_| self.value(head & 0x0f));
            }
            12 => self.structure(),
            _ => panic!("no such type in these files"),
        }
    }
}

/// The number in as many bytes as stand there; `None` where it takes more.
fn spelled(value: i64, bytes: usize) -> Option<Vec<u8>> {
    let mut left = ((value << 1) ^ (value >> 63)).cast_unsigned();
    let mut spelled = Vec::new();
    for at in 0..bytes {
        let goes_on = if at + 1 < bytes { 0x80 } else { 0 };
        spelled.push(u8::try_from(left & 0x7f).unwrap() | goes_on);
        left >>= 7;
    }
    (left == 0).then_some(spelled)
}

fn lies(value: i64) -> Vec<i64> {
    let mut lies = vec![value + 1, value - 1, value * 2, value / 2, 0, 1, 2, 3, -1, value + 8, value - 8];
    lies.retain(|lie| *lie != value);
    lies.sort_unstable();
    lies.dedup();
    lies
}

fn lists() -> ArrayRef {
    let mut lists = ListBuilder::new(Int64Builder::new());
    for row in 0..40_i64 {
        (0..row % 4).for_each(|item| lists.values().append_option((item != 1).then_some(row * 10 + item)));
        lists.append(row % 7 != 2);
    }
    Arc::new(lists.finish())
}

fn batch() -> RecordBatch {
    let some = |row: &i64| (row % 5 != 3).then_some(*row);
    let fixed = (0..40_i64).map(|row| some(&row).map(i64::to_le_bytes));
    let columns: Vec<(&str, ArrayRef, bool)> = vec![
        ("required", Arc::new(Int64Array::from_iter_values((0..40).map(|row| row * 1_000))), false),
        ("optional", Arc::new((0..40_i64).map(|row| some(&row).map(|row| row % 6)).collect::<Int64Array>()), true),
        ("flag", Arc::new((0..40_i64).map(|row| some(&row).map(|row| row % 3 == 0)).collect::<BooleanArray>()), true),
        (
            "text",
            Arc::new((0..40_i64).map(|row| some(&row).map(|row| format!("text {}", row % 7))).collect::<StringArray>()),
            true,
        ),
        ("fixed", Arc::new(FixedSizeBinaryArray::try_from_sparse_iter_with_size(fixed, 8).unwrap()), true),
        ("list", lists(), true),
    ];
    RecordBatch::try_from_iter_with_nullable(columns).unwrap()
}

/// Files of every kind of page, by what they are.
fn files() -> Vec<(String, File)> {
    let mut files = Vec::new();
    for version in [WriterVersion::PARQUET_1_0, WriterVersion::PARQUET_2_0] {
        for codec in [Compression::UNCOMPRESSED, Compression::SNAPPY] {
            for (has_dictionary, encoding) in
                [(true, Encoding::PLAIN), (false, Encoding::PLAIN), (false, Encoding::DELTA_BINARY_PACKED)]
            {
                let mut properties = WriterProperties::builder()
                    .set_writer_version(version)
                    .set_compression(codec)
                    .set_dictionary_enabled(has_dictionary)
                    .set_data_page_row_count_limit(11)
                    .set_write_batch_size(5)
                    .set_max_row_group_row_count(Some(25));
                for column in ["required", "optional", "list.list.item"] {
                    properties = properties.set_column_encoding(column.into(), encoding);
                }
                let file = File::with_properties(&batch(), properties.build());
                files.push((format!("{version:?} {codec} {has_dictionary} {encoding}"), file));
            }
        }
    }
    files
}

/// What each column holds, and all together.
fn read(file: &File, columns: &[&str]) -> Result<RecordBatch, Error> {
    let rows = file.decode(&Projection::of_columns(columns.iter().copied()), 16)?;
    let batches: Vec<&RecordBatch> = rows.iter().map(|rows| &rows.batch).collect();
    Ok(concat_batches(&batches[0].schema(), batches).unwrap())
}

const COLUMNS: [&str; 6] = ["required", "optional", "flag", "text", "fixed", "list"];

/// The changed bytes of each lie that a header which begins at `at` can tell, by what it is.
fn changes(file: &File, at: usize) -> Vec<(String, Range<usize>, Vec<u8>)> {
    let numbers = Numbers::of(&file.bytes, at);
    let lies = numbers.found.iter().flat_map(|number| {
        let spelled = move |lie| Some((lie, spelled(lie, number.at.len())?));
        let described =
            |(lie, bytes)| (format!("{:?}: {lie} for {}", number.path, number.value), number.at.clone(), bytes);
        lies(number.value).into_iter().filter_map(spelled).map(described)
    });
    // Types 1 and 2 of a field are its values `true` and `false`.
    let flags =
        numbers.flags.iter().map(|flag| (format!("flag at {flag}"), *flag..flag + 1, vec![file.bytes[*flag] ^ 3]));
    lies.chain(flags).collect()
}

/// Where the headers of a column's pages begin, in all row groups.
fn headers(file: &File, position: usize) -> Vec<usize> {
    let metadata = file.metadata().unwrap();
    let mut headers = Vec::new();
    for group in 0..metadata.row_group_count() {
        let range = metadata.ranges(group, &[position]).remove(0);
        let (mut at, end) = (usize::try_from(range.start).unwrap(), usize::try_from(range.end).unwrap());
        while at < end {
            headers.push(at);
            let (header, length) = PageHeader::read(&file.bytes[at..]).unwrap();
            at += length + usize::try_from(header.compressed).unwrap();
        }
    }
    headers
}

#[test]
fn a_number_in_a_page_header_that_lies_changes_no_value() {
    let (mut wrong, mut refused) = (Vec::new(), 0);
    for (name, file) in files() {
        for (position, column) in COLUMNS.iter().enumerate() {
            let expected = read(&file, &[column]).unwrap();
            for (lie, at, lied) in headers(&file, position).into_iter().flat_map(|at| changes(&file, at)) {
                let mut bytes = file.bytes.to_vec();
                bytes[at].copy_from_slice(&lied);
                match read(&File::of_bytes(bytes), &[column]) {
                    Ok(found) if found == expected => {}
                    Ok(_) => wrong.push(format!("{name} {column} field {lie}")),
                    Err(_) => refused += 1,
                }
            }
        }
    }
    assert!(wrong.is_empty(), "{} wrong:\n{}", wrong.len(), wrong.join("\n"));
    assert!(refused > 10_000, "most lies are found: {refused}");
}

/// The flags of all pages of version 2 say that nothing is compressed, as Arrow's C++ library wrote before version 3.
fn with_wrong_flags(file: &File, columns: usize) -> (File, usize) {
    let mut bytes = file.bytes.to_vec();
    let mut changed = 0;
    for at in (0..columns).flat_map(|position| headers(file, position)) {
        let numbers = Numbers::of(&file.bytes, at);
        for flag in numbers.flags.iter().filter(|flag| file.bytes[**flag] & 0x0f == 1) {
            bytes[*flag] ^= 3;
            changed += 1;
        }
    }
    (File::of_bytes(bytes), changed)
}

#[test]
fn a_page_that_denies_its_compression_is_decoded_where_its_sizes_prove_it() {
    for codec in [Compression::SNAPPY, Compression::LZ4_RAW, Compression::ZSTD(ZstdLevel::default())] {
        let properties = WriterProperties::builder()
            .set_writer_version(WriterVersion::PARQUET_2_0)
            .set_compression(codec)
            .set_dictionary_enabled(false);
        let numbers: ArrayRef = Arc::new(Int64Array::from_iter_values((0..1_000).map(|row| row / 100)));
        let batch = RecordBatch::try_from_iter([("v", numbers)]).unwrap();
        let sound = File::with_properties(&batch, properties.build());
        let (wrong, changed) = with_wrong_flags(&sound, 1);
        assert!(changed > 0, "{codec} has pages that are compressed");
        assert_eq!(read(&wrong, &["v"]).unwrap(), batch, "{codec}");
        // Bytes that are no stream of the codec are an error, whatever the flag says.
        let mut broken = wrong.bytes.to_vec();
        let at = headers(&wrong, 0)[0];
        let (header, length) = PageHeader::read(&broken[at..]).unwrap();
        broken[at + length..][..usize::try_from(header.compressed).unwrap()].fill(0xfe);
        let error = read(&File::of_bytes(broken), &["v"]).unwrap_err();
        assert_eq!((error.kind(), error.place().column.as_deref()), (ErrorKind::Source, Some("v")), "{error:?}");
    }
}

/// A file of one column and one page, with a checksum in the page's header.
fn with_checksum(file: &File) -> File {
    let metadata = file.metadata().unwrap().parquet().clone();
    let chunk = metadata.row_group(0).column(0).clone();
    let (start, length) = chunk.byte_range();
    let [start, end] = [start, start + length].map(|at| usize::try_from(at).unwrap());
    let (header, length) = PageHeader::read(&file.bytes[start..]).unwrap();
    let page = &file.bytes[start + length..end];
    assert_eq!(page.len(), usize::try_from(header.compressed).unwrap(), "there is one page");
    let mut crc = flate2::Crc::new();
    crc.update(page);
    // Field 4 stands behind the sizes, and the next field's number is told by its distance to the one before.
    let numbers = Numbers::of(&file.bytes, start);
    let sizes_end = numbers.found[2].at.end;
    let checksum = spelled(crc.sum().cast_signed().into(), 5).unwrap();
    let mut bytes = [&file.bytes[..sizes_end], &[0x15], &checksum, &[file.bytes[sizes_end] - 0x10]].concat();
    bytes.extend_from_slice(&file.bytes[sizes_end + 1..end]);
    let mut builder = metadata.into_builder();
    let mut groups = builder.take_row_groups();
    let chunk = chunk.clone().into_builder().set_total_compressed_size(chunk.compressed_size() + 6).build().unwrap();
    groups[0] = groups[0].clone().into_builder().set_column_metadata(vec![chunk]).build().unwrap();
    let metadata = builder.set_row_groups(groups).build();
    ParquetMetaDataWriter::new(&mut bytes, &metadata).finish().unwrap();
    File::of_bytes(bytes)
}

#[test]
fn a_page_whose_checksum_does_not_match_is_refused() {
    let numbers: ArrayRef = Arc::new(Int64Array::from_iter_values(0..100));
    let batch = RecordBatch::try_from_iter([("v", numbers)]).unwrap();
    for version in [WriterVersion::PARQUET_1_0, WriterVersion::PARQUET_2_0] {
        let properties = WriterProperties::builder().set_writer_version(version).set_dictionary_enabled(false);
        let file = with_checksum(&File::with_properties(&batch, properties.build()));
        assert_eq!(read(&file, &["v"]).unwrap(), batch);
        let mut bytes = file.bytes.to_vec();
        let at = headers(&file, 0)[0];
        let (header, length) = PageHeader::read(&bytes[at..]).unwrap();
        bytes[at + length + usize::try_from(header.compressed).unwrap() - 1] ^= 1;
        let error = read(&File::of_bytes(bytes), &["v"]).unwrap_err();
        assert_eq!((error.kind(), error.place().column.as_deref()), (ErrorKind::Source, Some("v")), "{error:?}");
        assert!(std::error::Error::source(&error).unwrap().to_string().contains("checksum"), "{error:?}");
    }
}

#[test]
fn pages_of_equal_sizes_are_compressed_where_their_writer_compressed_all() {
    let numbers: ArrayRef = Arc::new(Int64Array::from_iter_values(0..9));
    let properties =
        WriterProperties::builder().set_writer_version(WriterVersion::PARQUET_2_0).set_dictionary_enabled(false);
    let file = File::with_properties(&RecordBatch::try_from_iter([("v", numbers)]).unwrap(), properties.build());
    let metadata = file.metadata().unwrap();
    let chunk = metadata.parquet().row_group(0).column(0).clone().into_builder();
    let chunk = chunk.set_compression(Compression::SNAPPY).build().unwrap();
    let bytes = file.read(&metadata.ranges(0, &[0])).remove(0);
    assert!(PageHeader::read(&bytes).unwrap().0.plain_flag.is_some(), "it says that it is not compressed");
    assert!(relabelled(&chunk, &bytes, None).is_none());
    assert!(relabelled(&chunk, &bytes, Some("parquet-cpp-arrow version 17.0.0")).is_none());
    let relabelled = relabelled(&chunk, &bytes, Some("parquet-cpp version 1.5.1-SNAPSHOT")).unwrap();
    assert!(PageHeader::read(&relabelled).unwrap().0.plain_flag.is_none());
    assert_eq!(relabelled.len(), bytes.len());
}

/// The file with other bytes in its footer, and the length that goes with it.
fn with_footer(file: &File, change: impl FnOnce(&mut Vec<u8>)) -> File {
    let (start, end) = footer(file);
    let mut footer = file.bytes[start..end].to_vec();
    change(&mut footer);
    let length = u32::try_from(footer.len()).unwrap().to_le_bytes();
    File::of_bytes([&file.bytes[..start], &footer, &length, b"PAR1"].concat())
}

/// Where the footer stands.
fn footer(file: &File) -> (usize, usize) {
    let end = file.bytes.len() - 8;
    let length = u32::from_le_bytes(file.bytes[end..end + 4].try_into().unwrap());
    (end - usize::try_from(length).unwrap(), end)
}

#[test]
fn a_number_in_a_footer_that_lies_changes_no_value() {
    let (mut wrong, mut refused) = (Vec::new(), 0);
    // Every fifth, for time: of both versions and both codecs.
    for (name, file) in files().into_iter().step_by(5) {
        let expected = read(&file, &COLUMNS).unwrap();
        let (start, end) = footer(&file);
        let numbers = Numbers::of(&file.bytes[start..end], 0).found;
        // What the schema says is what the file means; how bytes are read is in the row groups.
        for number in numbers.iter().filter(|number| [3, 4].contains(&number.path[0])) {
            for lie in lies(number.value) {
                let spelled = (1..10).find_map(|bytes| spelled(lie, bytes)).unwrap();
                let lying = with_footer(&file, |footer| drop(footer.splice(number.at.clone(), spelled)));
                match read(&lying, &COLUMNS) {
                    Ok(found) if found == expected => {}
                    Ok(_) => wrong.push(format!("{name} field {:?}: {lie} for {}", number.path, number.value)),
                    Err(_) => refused += 1,
                }
            }
        }
    }
    assert!(wrong.is_empty(), "{} wrong:\n{}", wrong.len(), wrong.join("\n"));
    assert!(refused > 1_000, "most lies are found: {refused}");
}
