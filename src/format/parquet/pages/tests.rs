//! Files that would take far more memory than they have bytes, and sound ones that look like them.

use std::sync::Arc;

use arrow_array::builder::{Int32Builder, ListBuilder};
use arrow_array::{ArrayRef, Int64Array, RecordBatch, StringArray};
use parquet::basic::{BrotliLevel, Compression, Encoding, GzipLevel, ZstdLevel};
use parquet::file::properties::{WriterProperties, WriterPropertiesBuilder, WriterVersion};

use super::super::fixture::File;
use super::super::{ParquetDecoder, Projection};
use crate::error::{Error, ErrorKind};
use crate::model::Extent;

const MIB: usize = 1 << 20;

fn file(array: ArrayRef, properties: WriterPropertiesBuilder) -> File {
    let batch = RecordBatch::try_from_iter_with_nullable([("v", array, true)]).unwrap();
    File::with_properties(&batch, properties.build())
}

fn zstd() -> WriterPropertiesBuilder {
    WriterProperties::builder().set_compression(Compression::ZSTD(ZstdLevel::default()))
}

/// Rows of each batch, within the least memory that a decoder is given.
fn batches(file: &File) -> Result<Vec<usize>, Error> {
    let metadata = file.metadata()?;
    let extent = Extent::RowGroups { first: 0, count: 1, first_record: 1 };
    let decoder = ParquetDecoder::try_new(&file.object, &metadata, extent, &Projection::of_columns(["v"]), 8192)?;
    let bytes = |rows: &crate::model::Rows| rows.batch.get_array_memory_size();
    let rows = file.run(decoder.with_bytes_max(0))?;
    let is_small = |rows: &crate::model::Rows| bytes(rows) < 16 * MIB || rows.batch.num_rows() == 1;
    assert!(rows.iter().all(is_small), "a batch is small, however large its values");
    Ok(rows.iter().map(|rows| rows.batch.num_rows()).collect())
}

fn refusal(file: &File, kind: ErrorKind) -> String {
    let error = batches(file).unwrap_err();
    assert_eq!((error.kind(), error.place().object.as_deref()), (kind, Some("/data/test.parquet")), "{error:?}");
    assert_eq!(error.place().column.as_deref().map(|column| &column[..1]), Some("v"), "{error:?}");
    assert!(error.to_string().contains("row group 0"), "{error}");
    std::error::Error::source(&error).unwrap().to_string()
}

/// The file with another size in the header of its first page: the second number of it, in as many bytes.
fn with_uncompressed_size(file: &File, size: u32) -> File {
    let mut bytes = file.bytes.to_vec();
    assert_eq!((bytes[4], bytes[6]), (0x15, 0x15), "a header begins with two numbers");
    let mut left = size << 1;
    for byte in bytes.iter_mut().skip(7) {
        let goes_on = *byte & 0x80;
        *byte = u8::try_from(left & 0x7f).unwrap() | goes_on;
        left >>= 7;
        if goes_on == 0 {
            break;
        }
    }
    assert_eq!(left, 0, "the new size fits in the place of the old");
    File::of_bytes(bytes)
}

fn texts(text: &str, rows: usize) -> ArrayRef {
    Arc::new(StringArray::from_iter_values(std::iter::repeat_n(text, rows)))
}

#[test]
fn a_page_that_claims_more_than_may_be_held_is_refused_before_room_is_made() {
    let sound = file(texts(&"a".repeat(3 * MIB), 1), zstd().set_dictionary_enabled(false));
    assert_eq!(batches(&sound).unwrap(), [1]);
    let message = refusal(&with_uncompressed_size(&sound, 100 << 20), ErrorKind::Limit);
    assert!(message.contains("104857600 bytes for one page"), "{message}");
}

#[test]
fn a_page_that_inflates_to_more_than_it_says_is_refused() {
    let codecs = [Compression::GZIP(GzipLevel::default()), Compression::BROTLI(BrotliLevel::default())];
    for codec in codecs {
        let properties = WriterProperties::builder().set_compression(codec).set_dictionary_enabled(false);
        let sound = file(texts(&"a".repeat(70 * MIB), 1), properties);
        assert!(sound.bytes.len() < MIB, "{codec} makes little of it");
        // 70 MiB are refused as they are, and so is a lie about them.
        let message = refusal(&sound, ErrorKind::Limit);
        assert!(message.contains("for one page"), "{message}");
        let message = refusal(&with_uncompressed_size(&sound, 5_000), ErrorKind::Source);
        assert!(message.contains("inflates to more than the 5000 bytes"), "{message}");
    }
}

#[test]
fn a_large_value_in_every_row_makes_batches_of_few_rows() {
    let mib = "a".repeat(MIB);
    let dictionary = file(texts(&mib, 300), zstd().set_dictionary_page_size_limit(4 * MIB));
    assert!(dictionary.bytes.len() < MIB / 10);
    assert!(batches(&dictionary).unwrap().iter().all(|rows| *rows == 4));
    let plain = file(texts(&mib, 300), zstd().set_dictionary_enabled(false));
    assert_eq!(batches(&plain).unwrap().iter().sum::<usize>(), 300);
}

#[test]
fn texts_that_share_a_prefix_are_as_large_as_they_become() {
    for version in [WriterVersion::PARQUET_1_0, WriterVersion::PARQUET_2_0] {
        let properties = zstd().set_dictionary_enabled(false).set_writer_version(version);
        let shared = file(texts(&"a".repeat(MIB), 300), properties.set_encoding(Encoding::DELTA_BYTE_ARRAY));
        assert!(shared.bytes.len() < MIB / 10);
        assert!(batches(&shared).unwrap().iter().all(|rows| *rows <= 4));
    }
}

#[test]
fn small_values_are_decoded_in_whole_batches() {
    let texts = (0..20_000).map(|row| format!("text number {row} is not the same as the one before"));
    for encoding in [Encoding::PLAIN, Encoding::DELTA_BYTE_ARRAY, Encoding::DELTA_LENGTH_BYTE_ARRAY] {
        for has_dictionary in [true, false] {
            let properties = zstd().set_dictionary_enabled(has_dictionary).set_encoding(encoding);
            let found = batches(&file(Arc::new(StringArray::from_iter_values(texts.clone())), properties)).unwrap();
            assert_eq!(found, [8192, 8192, 3616], "{encoding} {has_dictionary}");
        }
    }
    let numbers = Arc::new(Int64Array::from_iter_values(0..20_000));
    assert_eq!(batches(&file(numbers, zstd())).unwrap(), [8192, 8192, 3616]);
}

fn lists(rows: usize, items: usize) -> ArrayRef {
    let mut lists = ListBuilder::new(Int32Builder::new());
    for _ in 0..rows {
        lists.values().append_slice(&vec![7; items]);
        lists.append(true);
    }
    Arc::new(lists.finish())
}

#[test]
fn a_list_that_alone_is_more_than_may_be_held_is_refused_and_many_lists_are_not() {
    for version in [WriterVersion::PARQUET_1_0, WriterVersion::PARQUET_2_0] {
        let properties = || zstd().set_writer_version(version);
        let one = file(lists(1, 6_000_000), properties());
        assert!(one.bytes.len() < MIB);
        let message = refusal(&one, ErrorKind::Limit);
        assert!(message.contains("for one record"), "{message}");
        let many = file(lists(60_000, 100), properties());
        assert_eq!(batches(&many).unwrap().iter().sum::<usize>(), 60_000);
    }
}
