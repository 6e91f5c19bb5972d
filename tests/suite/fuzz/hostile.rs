//! Parquet files of every type, encoding and compression, changed at random: each must be read as rows or refused with
//! an error that names the object, and never take the process with it.
//!
//! `PGBACKFILL_HOSTILE_FILES` sets how many files are made, `PGBACKFILL_HOSTILE_SEED` the first seed; a file that fails
//! is told by its seed.

#![allow(clippy::from_iter_instead_of_collect, reason = "an array is told by its type")]

use std::sync::Arc;
use std::time::{Duration, Instant};

use arrow_array::builder::{Int32Builder, ListBuilder, MapBuilder, StringBuilder};
use arrow_array::{
    ArrayRef, BinaryArray, BooleanArray, Date32Array, Decimal128Array, FixedSizeBinaryArray, Float32Array,
    Float64Array, Int16Array, Int32Array, Int64Array, RecordBatch, StringArray, StructArray, Time64MicrosecondArray,
    TimestampMicrosecondArray, TimestampNanosecondArray, UInt64Array,
};
use arrow_schema::{DataType, Field, Fields};
use bytes::Bytes;
use parquet::arrow::ArrowWriter;
use parquet::basic::{BrotliLevel, Compression, Encoding, GzipLevel, ZstdLevel};
use parquet::file::properties::{WriterProperties, WriterVersion};

use super::checks;

/// A generator of numbers that is the same everywhere (`SplitMix64`).
struct Draw(u64);

impl Draw {
    fn next(&mut self) -> u64 {
        self.0 = self.0.wrapping_add(0x9e37_79b9_7f4a_7c15);
        let mixed = (self.0 ^ (self.0 >> 30)).wrapping_mul(0xbf58_476d_1ce4_e5b9);
        let mixed = (mixed ^ (mixed >> 27)).wrapping_mul(0x94d0_49bb_1331_11eb);
        mixed ^ (mixed >> 31)
    }

    fn below(&mut self, end: usize) -> usize {
        usize::try_from(self.next() % end.max(1) as u64).expect("it is below a usize")
    }

    fn byte(&mut self) -> u8 {
        self.next().to_le_bytes()[0]
    }
}

fn batch(rows: i64) -> RecordBatch {
    let some = |row: &i64| row % 5 != 3;
    let numbers: Vec<Option<i64>> = (0..rows).map(|row| some(&row).then_some(row * 7_919)).collect();
    let small = |number: &Option<i64>| number.map(|number| i32::try_from(number % 100_000).unwrap());
    let texts: Vec<Option<String>> = numbers.iter().map(|number| number.map(|n| format!("text {}", n % 13))).collect();
    let mut lists = ListBuilder::new(StringBuilder::new());
    let mut maps = MapBuilder::new(None, StringBuilder::new(), Int32Builder::new());
    for row in 0..rows {
        (0..row % 4).for_each(|item| lists.values().append_option((item != 1).then(|| format!("item {item}"))));
        lists.append(row % 7 != 2);
        (0..row % 3).for_each(|item| {
            maps.keys().append_value(format!("key {item}"));
            maps.values().append_option((item == 0).then_some(7));
        });
        maps.append(row % 6 != 1).unwrap();
    }
    let fields = Fields::from(vec![Field::new("x", DataType::Int64, true), Field::new("y", DataType::Utf8, true)]);
    let members: Vec<ArrayRef> =
        vec![Arc::new(Int64Array::from(numbers.clone())), Arc::new(StringArray::from(texts.clone()))];
    let fixed = texts.iter().map(|text| text.as_ref().map(|text| text.len().to_le_bytes()));
    let floats = numbers.iter().map(|number| number.map(|n| f64::from(i32::try_from(n % 1_000).unwrap()) / 3.0));
    let columns: Vec<(&str, ArrayRef)> = vec![
        ("ts", Arc::new(TimestampMicrosecondArray::from_iter_values(0..rows).with_timezone("UTC"))),
        ("ns", Arc::new(TimestampNanosecondArray::from(numbers.clone()))),
        ("i64", Arc::new(Int64Array::from(numbers.clone()))),
        ("i32", Arc::new(Int32Array::from_iter(numbers.iter().map(small)))),
        ("i16", Arc::new(Int16Array::from_iter(numbers.iter().map(|n| n.map(|n| i16::try_from(n % 999).unwrap()))))),
        ("u64", Arc::new(UInt64Array::from_iter(numbers.iter().map(|n| n.map(i64::cast_unsigned))))),
        ("f64", Arc::new(Float64Array::from_iter(floats))),
        ("f32", Arc::new(Float32Array::from_iter_values((0..rows).map(|row| f32::from(i16::try_from(row).unwrap()))))),
        ("bool", Arc::new(BooleanArray::from_iter(numbers.iter().map(|n| n.map(|n| n % 2 == 0))))),
        ("date", Arc::new(Date32Array::from_iter(numbers.iter().map(small)))),
        ("time", Arc::new(Time64MicrosecondArray::from(numbers.clone()))),
        ("text", Arc::new(StringArray::from(texts.clone()))),
        ("binary", Arc::new(BinaryArray::from_iter(texts.iter().map(|text| text.as_ref().map(String::as_bytes))))),
        ("fixed", Arc::new(FixedSizeBinaryArray::try_from_sparse_iter_with_size(fixed, 8).unwrap())),
        (
            "decimal",
            Arc::new(
                Decimal128Array::from_iter(numbers.iter().map(|n| n.map(i128::from)))
                    .with_precision_and_scale(30, 4)
                    .unwrap(),
            ),
        ),
        ("struct", Arc::new(StructArray::new(fields, members, None))),
        ("list", Arc::new(lists.finish())),
        ("map", Arc::new(maps.finish())),
    ];
    let nullable = columns.into_iter().map(|(name, array)| (name, array, name != "ts"));
    RecordBatch::try_from_iter_with_nullable(nullable).unwrap()
}

/// Files that are sound, by what they are.
pub(crate) fn sound() -> Vec<(String, Vec<u8>)> {
    let flights = concat!(env!("CARGO_MANIFEST_DIR"), "/fixtures/flights_excerpt.parquet");
    let mut files = vec![("flights".to_owned(), std::fs::read(flights).unwrap())];
    let compressions = [
        Compression::UNCOMPRESSED,
        Compression::SNAPPY,
        Compression::GZIP(GzipLevel::default()),
        Compression::BROTLI(BrotliLevel::default()),
        Compression::LZ4_RAW,
        Compression::ZSTD(ZstdLevel::default()),
    ];
    let integers = [Encoding::PLAIN, Encoding::DELTA_BINARY_PACKED, Encoding::BYTE_STREAM_SPLIT];
    let texts = [Encoding::PLAIN, Encoding::DELTA_LENGTH_BYTE_ARRAY, Encoding::DELTA_BYTE_ARRAY];
    for (at, compression) in compressions.into_iter().enumerate() {
        for has_dictionary in [true, false] {
            let version = if at % 2 == 0 { WriterVersion::PARQUET_1_0 } else { WriterVersion::PARQUET_2_0 };
            let mut properties = WriterProperties::builder()
                .set_compression(compression)
                .set_writer_version(version)
                .set_dictionary_enabled(has_dictionary)
                .set_data_page_row_count_limit(11)
                .set_write_batch_size(5)
                .set_max_row_group_row_count(Some(25));
            if !has_dictionary {
                for column in ["ns", "i64", "i32", "u64"] {
                    properties = properties.set_column_encoding(column.into(), integers[at % 3]);
                }
                for column in ["text", "binary"] {
                    properties = properties.set_column_encoding(column.into(), texts[at % 3]);
                }
            }
            let batch = batch(40);
            let mut writer = ArrowWriter::try_new(Vec::new(), batch.schema(), Some(properties.build())).unwrap();
            writer.write(&batch).unwrap();
            files.push((format!("{compression} {version:?} {has_dictionary}"), writer.into_inner().unwrap()));
        }
    }
    files
}

/// Changes a few bytes of a file, or its length.
fn mutate(bytes: &mut Vec<u8>, draw: &mut Draw) {
    const EXTREMES: [u8; 8] = [0, 1, 0x7f, 0x80, 0xff, 0x0f, 0xf0, 0x1c];
    for _ in 0..=draw.below(4) {
        let at = draw.below(bytes.len());
        match draw.below(8) {
            0 => bytes[at] ^= 1 << draw.below(8),
            1 => bytes[at] = draw.byte(),
            2 => bytes[at] = EXTREMES[draw.below(EXTREMES.len())],
            3 => bytes[at] = bytes[at].wrapping_add(if draw.below(2) == 0 { 1 } else { 255 }),
            4 => {
                // A number that goes on and on, or is as large as it can be.
                let end = (at + 1 + draw.below(9)).min(bytes.len());
                bytes[at..end].fill(0xff);
            }
            5 => {
                let (from, count) = (draw.below(bytes.len()), draw.below(64));
                let copied = bytes[from..(from + count).min(bytes.len())].to_vec();
                let end = (at + copied.len()).min(bytes.len());
                bytes[at..end].copy_from_slice(&copied[..end - at]);
            }
            6 => {
                // Most structure stands near the end.
                let near = bytes.len() - 1 - draw.below(2_000.min(bytes.len() - 1));
                bytes[near] = draw.byte();
            }
            _ if draw.below(4) == 0 => bytes.truncate(at.max(12)),
            _ => {
                bytes.remove(at);
            }
        }
    }
}

fn setting(name: &str, otherwise: u64) -> u64 {
    std::env::var(name).map_or(otherwise, |text| text.parse().unwrap())
}

#[test]
fn sound_files_of_every_encoding_and_compression_are_read() {
    for (name, bytes) in sound() {
        println!("{name}");
        assert!(checks::parquet::read(&Bytes::from(bytes)), "{name}");
    }
}

#[test]
fn a_parquet_file_that_was_changed_anywhere_is_rows_or_an_error_that_names_it() {
    let files = sound();
    let (first, count) = (setting("PGBACKFILL_HOSTILE_SEED", 1), setting("PGBACKFILL_HOSTILE_FILES", 2_000));
    let mut slowest = (Duration::ZERO, 0);
    for seed in first..first + count {
        let mut draw = Draw(seed);
        let (name, sound) = &files[draw.below(files.len())];
        let mut bytes = sound.clone();
        mutate(&mut bytes, &mut draw);
        let bytes = Bytes::from(bytes);
        let begun = Instant::now();
        let read = std::panic::catch_unwind(|| checks::parquet::read(&bytes));
        assert!(read.is_ok(), "seed {seed}, made of {name}");
        slowest = slowest.max((begun.elapsed(), seed));
    }
    println!("{count} files from seed {first} on; the slowest took {:?}, seed {}", slowest.0, slowest.1);
    assert!(slowest.0 < Duration::from_secs(20), "seed {} took {:?}", slowest.1, slowest.0);
}
