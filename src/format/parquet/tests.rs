//! Parquet files written in memory, and the real excerpt, through footer and decoder.

use std::sync::Arc;

use arrow_array::builder::{ListBuilder, StringBuilder};
use arrow_array::cast::AsArray;
use arrow_array::types::{Int32Type, Int64Type, TimestampMicrosecondType};
use arrow_array::*;
use arrow_schema::{DataType, Field, Fields, TimeUnit};
use bytes::Bytes;
use parquet::basic::{Compression, ZstdLevel};
use parquet::data_type::Int96;
use parquet::file::properties::WriterProperties;

use super::fixture::{File, Raw, nullable};
use super::*;
use crate::error::{Error, ErrorKind};
use crate::format::{Decode, Step};
use crate::model::{Extent, Rows};

fn fixture(name: &str) -> File {
    let path = format!("{}/fixtures/{name}", env!("CARGO_MANIFEST_DIR"));
    File::of_bytes(std::fs::read(path).unwrap())
}

fn ints(values: std::ops::Range<i64>) -> ArrayRef {
    Arc::new(Int64Array::from_iter_values(values))
}

/// One column, all its row groups put together.
fn column(file: &File, name: &str) -> ArrayRef {
    let rows = file.decode(&Projection::of_columns([name]), 7).unwrap();
    let parts: Vec<ArrayRef> = rows.iter().map(|rows| Arc::clone(rows.batch.column(0))).collect();
    let parts: Vec<&dyn Array> = parts.iter().map(AsRef::as_ref).collect();
    arrow_select::concat::concat(&parts).unwrap()
}

fn assert_names_object(error: &Error, kind: ErrorKind, phrase: &str) {
    assert_eq!(error.kind(), kind, "{error}");
    assert_eq!(error.place().object.as_deref(), Some("/data/test.parquet"), "{error}");
    assert!(error.to_string().contains(phrase), "{error}");
}

fn times() -> Vec<(&'static str, ArrayRef)> {
    let n = |value: i64| vec![Some(value), None, Some(-value), Some(0)];
    vec![
        ("s", Arc::new(TimestampSecondArray::from(n(5)))),
        ("ms", Arc::new(TimestampMillisecondArray::from(n(5)).with_timezone("UTC"))),
        ("us", Arc::new(TimestampMicrosecondArray::from(n(5)).with_timezone("Europe/Berlin"))),
        ("ns", Arc::new(TimestampNanosecondArray::from(n(5)))),
        ("date32", Arc::new(Date32Array::from(vec![Some(1), None, Some(-1), Some(0)]))),
        ("date64", Arc::new(Date64Array::from(n(86_400_000)))),
        ("time", Arc::new(Time64MicrosecondArray::from(n(5)))),
    ]
}

fn plain() -> Vec<(&'static str, ArrayRef)> {
    let texts = vec![Some("a"), None, Some(""), Some("ü")];
    vec![
        ("bool", Arc::new(BooleanArray::from(vec![Some(true), None, Some(false), Some(true)]))),
        ("i16", Arc::new(Int16Array::from(vec![Some(i16::MIN), None, Some(0), Some(i16::MAX)]))),
        ("u64", Arc::new(UInt64Array::from(vec![Some(u64::MAX), None, Some(0), Some(1)]))),
        ("f32", Arc::new(Float32Array::from(vec![Some(f32::NAN), None, Some(-0.0), Some(f32::INFINITY)]))),
        ("utf8", Arc::new(StringArray::from(texts.clone()))),
        ("binary", Arc::new(BinaryArray::from(vec![Some(&b"\0\xff"[..]), None, Some(b""), Some(b"x")]))),
        (
            "fixed",
            Arc::new(
                FixedSizeBinaryArray::try_from_sparse_iter_with_size(
                    [Some([1_u8; 16]), None, Some([0; 16]), Some([255; 16])].into_iter(),
                    16,
                )
                .unwrap(),
            ),
        ),
        (
            "d128",
            Arc::new(
                Decimal128Array::from(vec![Some(12345), None, Some(-1), Some(0)])
                    .with_precision_and_scale(20, 2)
                    .unwrap(),
            ),
        ),
        (
            "d256",
            Arc::new(
                Decimal256Array::from_iter([Some(12345_i32), None, Some(-1), Some(0)].map(|v| v.map(Into::into)))
                    .with_precision_and_scale(60, 2)
                    .unwrap(),
            ),
        ),
    ]
}

#[test]
fn values_come_back_as_they_were_written() {
    let columns: Vec<_> = times().into_iter().chain(plain()).collect();
    let file = File::of_columns(columns.clone(), 3);
    for (name, expected) in columns {
        assert_eq!(column(&file, name).as_ref(), expected.as_ref(), "{name}");
    }
}

#[test]
fn nested_columns_come_whole() {
    let mut lists = ListBuilder::new(StringBuilder::new());
    lists.append_value([Some("a"), None]);
    lists.append_null();
    lists.append_value([None::<&str>; 0]);
    let fields = Fields::from(vec![Field::new("x", DataType::Int64, true), Field::new("y", DataType::Utf8, true)]);
    let texts: ArrayRef = Arc::new(StringArray::from(vec![Some("p"), None, Some("q")]));
    let structs: ArrayRef = Arc::new(StructArray::new(fields, vec![ints(0..3), texts], None));
    let lists: ArrayRef = Arc::new(lists.finish());
    let columns =
        vec![("before", ints(0..3)), ("structs", structs.clone()), ("lists", lists.clone()), ("after", ints(3..6))];
    let file = File::of_columns(columns, 2);
    assert_eq!(column(&file, "structs").as_ref(), structs.as_ref());
    assert_eq!(column(&file, "lists").as_ref(), lists.as_ref());
    assert_eq!(column(&file, "after").as_ref(), ints(3..6).as_ref());
}

#[test]
fn strings_come_as_utf8_whatever_the_writer_had_in_memory() {
    let texts = vec![Some("a"), None, Some("b"), Some("a")];
    let dictionary: DictionaryArray<Int32Type> = texts.clone().into_iter().collect();
    let items: ArrayRef = Arc::new(StringViewArray::from(vec!["x", "y", "x", "z"]));
    let item = Arc::new(Field::new("item", DataType::Utf8View, true));
    let lists = LargeListArray::new(item, arrow_buffer::OffsetBuffer::from_lengths([1, 0, 2, 1]), items, None);
    let file = File::of_columns(
        vec![
            ("dictionary", Arc::new(dictionary)),
            ("view", Arc::new(StringViewArray::from(texts.clone()))),
            ("large", Arc::new(LargeStringArray::from(texts.clone()))),
            ("bytes", Arc::new(BinaryViewArray::from(vec![Some(&b"a"[..]), None, Some(b"b"), Some(b"a")]))),
            ("lists", Arc::new(lists)),
        ],
        3,
    );
    for name in ["dictionary", "view", "large"] {
        assert_eq!(column(&file, name).as_string::<i32>(), &StringArray::from(texts.clone()), "{name}");
    }
    assert_eq!(column(&file, "bytes").as_binary::<i32>().value(2), b"b");
    let types = file.metadata().unwrap().columns();
    assert_eq!(types[0], ("dictionary".to_owned(), DataType::Utf8));
    assert_eq!(types[4].1, DataType::List(Arc::new(Field::new("item", DataType::Utf8, true))));
    assert_eq!(column(&file, "lists").as_list::<i32>().value(2).as_string::<i32>().value(1), "x");
}

#[test]
fn columns_and_constants_come_in_the_wanted_order() {
    let file = File::of_columns(vec![("a", ints(0..3)), ("b", ints(10..13)), ("c", ints(20..23))], 2);
    let feeds = vec![
        Feed::Column("c".to_owned()),
        Feed::Constant("p".to_owned(), Some("01".to_owned())),
        Feed::Column("a".to_owned()),
        Feed::Constant("q".to_owned(), None),
        Feed::Column("c".to_owned()),
    ];
    let rows = file.decode(&Projection::new(feeds), 100).unwrap();
    let batch = &rows[1].batch;
    let names: Vec<_> = batch.schema().fields().iter().map(|field| field.name().clone()).collect();
    assert_eq!(names, ["c", "p", "a", "q", "c"]);
    assert_eq!(batch.column(0).as_primitive::<Int64Type>().values(), &[22]);
    assert_eq!(batch.column(1).as_string::<i32>().value(0), "01");
    assert_eq!(batch.column(2).as_primitive::<Int64Type>().values(), &[2]);
    assert_eq!((batch.column(3).data_type(), batch.column(3).null_count()), (&DataType::Utf8, 1));
    assert_eq!(batch.column(4).as_primitive::<Int64Type>().values(), &[22]);
}

#[test]
fn rows_are_counted_also_without_a_single_column_of_the_file() {
    let file = File::of_columns(vec![("a", ints(0..5))], 2);
    let projection = Projection::new(vec![Feed::Constant("p".to_owned(), Some("x".to_owned()))]);
    let rows = file.decode(&projection, 100).unwrap();
    assert_eq!(rows.iter().map(|rows| rows.batch.num_rows()).collect::<Vec<_>>(), [2, 2, 1]);
    let rows = file.decode(&Projection::default(), 100).unwrap();
    assert_eq!(rows.iter().map(|rows| rows.batch.num_rows()).sum::<usize>(), 5);
}

#[test]
fn an_extent_yields_its_row_groups_with_the_numbers_of_their_records() {
    let file = File::of_columns(vec![("a", ints(0..10))], 3);
    let metadata = file.metadata().unwrap();
    assert_eq!((metadata.rows(), metadata.row_group_count()), (10, 4));
    let extent = Extent::RowGroups { first: 1, count: 2, first_record: 4 };
    let decoder = ParquetDecoder::try_new(&file.object, &metadata, extent, &Projection::of_columns(["a"]), 2).unwrap();
    let rows = file.run(decoder).unwrap();
    let seen: Vec<(u64, Vec<i64>)> = rows
        .iter()
        .map(|rows| (rows.origin.first_record, rows.batch.column(0).as_primitive::<Int64Type>().values().to_vec()))
        .collect();
    assert_eq!(seen, [(4, vec![3, 4]), (6, vec![5]), (7, vec![6, 7]), (9, vec![8])]);
    assert!(rows[0].origin.bytes.is_none());
    assert_eq!(&*rows[0].origin.object, file.object.uri);
}

#[test]
fn row_groups_tell_the_bytes_of_the_wanted_columns_alone() {
    let file = File::of_columns(vec![("a", ints(0..100)), ("b", ints(0..100))], 60);
    let metadata = file.metadata().unwrap();
    let both = metadata.row_groups(&Projection::of_columns(["a", "b"])).unwrap();
    let one = metadata.row_groups(&Projection::of_columns(["b"])).unwrap();
    assert_eq!(one.iter().map(|group| (group.rows, group.first_record)).collect::<Vec<_>>(), [(60, 1), (40, 61)]);
    assert_eq!(both[0].ranges[1], one[0].ranges[0]);
    assert!(one[0].bytes > 0 && one[0].bytes < both[0].bytes);
    assert!(metadata.memory_size() > 0);
    let extent = Extent::RowGroups { first: 1, count: 1, first_record: 61 };
    let mut decoder =
        ParquetDecoder::try_new(&file.object, &metadata, extent, &Projection::of_columns(["b"]), 10).unwrap();
    let Step::Need(ranges) = decoder.step().unwrap() else { panic!("a decoder begins with a need") };
    assert_eq!(ranges, one[1].ranges);
}

#[test]
fn an_empty_file_has_no_rows_and_no_row_groups() {
    let file = File::of_columns(vec![("a", ints(0..0))], 10);
    let metadata = file.metadata().unwrap();
    assert_eq!((metadata.rows(), metadata.row_group_count()), (0, 0));
    assert_eq!(metadata.columns(), [("a".to_owned(), DataType::Int64)]);
    assert!(file.decode(&Projection::of_columns(["a"]), 10).unwrap().is_empty());
}

#[test]
fn a_missing_column_is_an_error_that_lists_what_there_is() {
    let file = File::of_columns(vec![("time", ints(0..1)), ("Host", ints(0..1))], 10);
    let error = file.decode(&Projection::of_columns(["host"]), 10).unwrap_err();
    assert_names_object(&error, ErrorKind::Schema, "no column 'host'");
    assert_eq!(error.hint(), Some("the columns are: time, Host"));
    let error = file.metadata().unwrap().row_groups(&Projection::of_columns(["host"])).unwrap_err();
    assert_names_object(&error, ErrorKind::Schema, "no column 'host'");
}

#[test]
fn missing_row_groups_are_an_error() {
    let file = File::of_columns(vec![("a", ints(0..4))], 2);
    let metadata = file.metadata().unwrap();
    let decoder = |first, count| {
        let extent = Extent::RowGroups { first, count, first_record: 1 };
        ParquetDecoder::try_new(&file.object, &metadata, extent, &Projection::default(), 10)
    };
    assert_names_object(&decoder(1, 2).unwrap_err(), ErrorKind::Source, "row groups");
    assert_names_object(&decoder(u32::MAX, u32::MAX).unwrap_err(), ErrorKind::Source, "row groups");
    assert!(decoder(2, 0).is_ok());
}

#[test]
fn two_columns_of_one_name_are_an_error() {
    let file = File::of_message("message m { required int32 a; required int32 b; required int32 a; }", |_, write| {
        write(Raw::Int32(&[1]));
    });
    assert_names_object(&file.metadata().unwrap_err(), ErrorKind::Schema, "two columns are called 'a'");
}

#[test]
fn a_footer_asks_for_more_only_if_the_tail_does_not_hold_it() {
    let small = File::of_columns(vec![("a", ints(0..4))], 2);
    let needs = |file: &File| {
        let (mut footer, mut needs) = (Footer::try_new(&file.object).unwrap(), Vec::new());
        while let FooterStep::Need(ranges) = footer.step().unwrap() {
            let data = file.read(&ranges);
            needs.extend(ranges.clone());
            footer.supply(ranges, data).unwrap();
        }
        needs
    };
    let whole = 0..small.object.bytes;
    assert_eq!(needs(&small), [whole]);
    let names: Vec<String> = (0..1_000).map(|number| format!("column_{number}_{}", "x".repeat(80))).collect();
    let large = File::of_columns(names.iter().map(|name| (name.as_str(), ints(0..1))).collect(), 1);
    let needs = needs(&large);
    assert_eq!(needs.len(), 2);
    assert_eq!(needs[0], large.object.bytes - 65_536..large.object.bytes);
    assert_eq!(needs[1].end, large.object.bytes - 8);
}

#[test]
fn a_broken_footer_is_an_error_that_says_how() {
    let good = File::of_columns(vec![("a", ints(0..4))], 2).bytes;
    let broken = |change: &dyn Fn(&mut Vec<u8>)| {
        let mut bytes = good.to_vec();
        change(&mut bytes);
        File::of_bytes(bytes).metadata().unwrap_err()
    };
    let end = good.len();
    let said = |length: u32| move |bytes: &mut Vec<u8>| bytes[end - 8..end - 4].copy_from_slice(&length.to_le_bytes());
    assert_names_object(&broken(&|b| b.truncate(end - 1)), ErrorKind::Source, "cut off");
    assert_names_object(&broken(&|b| b.truncate(9)), ErrorKind::Source, "cut off");
    assert_names_object(&broken(&|b| b.truncate(3)), ErrorKind::Source, "too small");
    assert_names_object(&broken(&|b| b[end - 1] = b'E'), ErrorKind::Source, "encrypted");
    assert_names_object(&broken(&said(u32::MAX)), ErrorKind::Source, "corrupt");
    assert_names_object(&broken(&said(3)), ErrorKind::Source, "metadata is corrupt");
    assert_names_object(&fixture("bad/truncated.parquet").metadata().unwrap_err(), ErrorKind::Source, "cut off");
}

#[test]
fn more_metadata_than_the_limit_is_an_error() {
    let file = File::of_columns(vec![("a", ints(0..4))], 2);
    let footer = Footer::try_new(&file.object).unwrap().with_metadata_bytes_max(10);
    assert_names_object(&file.drive(footer).unwrap_err(), ErrorKind::Limit, "at most 10");
}

#[test]
fn wrong_bytes_are_refused_by_footer_and_decoder() {
    let file = File::of_columns(vec![("a", ints(0..4))], 2);
    let mut footer = Footer::try_new(&file.object).unwrap();
    let tail = file.bytes.slice(file.bytes.len() - 100..);
    assert_eq!(footer.supply(std::iter::once(0..5).collect(), vec![tail]).unwrap_err().kind(), ErrorKind::Internal);
    let extent = Extent::RowGroups { first: 0, count: 1, first_record: 1 };
    let metadata = file.metadata().unwrap();
    let mut decoder =
        ParquetDecoder::try_new(&file.object, &metadata, extent, &Projection::of_columns(["a"]), 10).unwrap();
    let Step::Need(ranges) = decoder.step().unwrap() else { panic!("a decoder begins with a need") };
    let short = vec![Bytes::from_static(b"x")];
    assert_eq!(decoder.supply(ranges, short).unwrap_err().kind(), ErrorKind::Internal);
}

#[test]
fn a_corrupt_page_is_an_error_that_names_object_and_row_group() {
    let batch = RecordBatch::try_from_iter_with_nullable(nullable(vec![("a", ints(0..2_000))])).unwrap();
    let properties = WriterProperties::builder()
        .set_compression(Compression::ZSTD(ZstdLevel::default()))
        .set_max_row_group_row_count(Some(1_000))
        .build();
    let file = File::with_properties(&batch, properties);
    let group = file.metadata().unwrap().row_groups(&Projection::of_columns(["a"])).unwrap().remove(1);
    let mut bytes = file.bytes.to_vec();
    let range = usize::try_from(group.ranges[0].start).unwrap()..usize::try_from(group.ranges[0].end).unwrap();
    bytes[range.start + 60..range.end].fill(0xaa);
    let corrupt = File::of_bytes(bytes);
    let error = corrupt.decode(&Projection::of_columns(["a"]), 5_000).unwrap_err();
    assert_names_object(&error, ErrorKind::Source, "row group 1 cannot be decoded");
}

/// `file` with its first row group described by what `change` makes of the metadata.
fn redescribed(file: &File, change: impl FnOnce(Described) -> Described) -> Result<Metadata, Error> {
    let metadata = file.metadata().unwrap().parquet().clone();
    let mut builder = metadata.into_builder();
    let mut row_groups = builder.take_row_groups();
    row_groups[0] = change(row_groups[0].clone().into_builder()).build().unwrap();
    Metadata::try_new(builder.set_row_groups(row_groups).build(), &file.object, &[])
}

type Described = parquet::file::metadata::RowGroupMetaDataBuilder;

fn with_chunk(
    mut described: Described,
    change: impl FnOnce(
        parquet::file::metadata::ColumnChunkMetaDataBuilder,
    ) -> parquet::file::metadata::ColumnChunkMetaDataBuilder,
) -> Described {
    let mut columns = described.take_columns();
    columns[0] = change(columns[0].clone().into_builder()).build().unwrap();
    described.set_column_metadata(columns)
}

#[test]
fn rows_other_than_the_footer_says_are_an_error() {
    let file = File::of_columns(vec![("a", ints(0..4))], 2);
    for said in [1, 3] {
        let metadata = redescribed(&file, |group| group.set_num_rows(said)).unwrap();
        let extent = Extent::RowGroups { first: 0, count: 2, first_record: 1 };
        let decoder =
            ParquetDecoder::try_new(&file.object, &metadata, extent, &Projection::of_columns(["a"]), 10).unwrap();
        let error = file.run(decoder).unwrap_err();
        assert_names_object(&error, ErrorKind::Source, "row group 0");
    }
}

#[test]
fn impossible_numbers_in_a_footer_are_errors_and_not_panics() {
    let file = File::of_columns(vec![("a", ints(0..4))], 2);
    let error = |change: &dyn Fn(Described) -> Described| redescribed(&file, change).unwrap_err().to_string();
    assert!(error(&|group| group.set_num_rows(-1)).contains("row group 0 has a negative number"));
    let offset = |offset| {
        move |group| with_chunk(group, |chunk| chunk.set_data_page_offset(offset).set_dictionary_page_offset(None))
    };
    assert!(error(&offset(-4)).contains("column 'a' outside"));
    assert!(error(&offset(i64::MAX)).contains("column 'a' outside"));
    assert!(error(&|group| with_chunk(group, |chunk| chunk.set_total_compressed_size(-1))).contains("outside"));
    let elsewhere = |group| with_chunk(group, |chunk| chunk.set_file_path("b.parquet".to_owned()));
    assert!(error(&elsewhere).contains("another file"));
}

const JULIAN_1970: u32 = 2_440_588;

fn int96(days: u32, nanos: u64) -> Int96 {
    let [low, high] = [nanos & 0xffff_ffff, nanos >> 32].map(|half| u32::try_from(half).unwrap());
    let mut value = Int96::new();
    value.set_data(low, high, days);
    value
}

fn int96_file(values: &[Int96], levels: &[i16]) -> File {
    File::of_message("message m { optional int96 t; }", |_, write| write(Raw::Int96(values, Some(levels))))
}

#[test]
fn int96_comes_as_microseconds_also_past_the_year_2262() {
    let far = 2_932_896; // 9999-12-31
    let file = int96_file(&[int96(JULIAN_1970 + 1, 5_000), int96(JULIAN_1970 + far, 0)], &[1, 0, 1]);
    let column = column(&file, "t");
    assert_eq!(column.data_type(), &DataType::Timestamp(TimeUnit::Microsecond, None));
    let values = column.as_primitive::<TimestampMicrosecondType>();
    let day = 86_400_000_000;
    assert_eq!(values.iter().collect::<Vec<_>>(), [Some(day + 5), None, Some(i64::from(far) * day)]);
}

#[test]
fn int96_with_nanoseconds_is_a_fault_of_its_row() {
    let file = int96_file(&[int96(JULIAN_1970, 5_000), int96(JULIAN_1970 + 200_000, 5_001)], &[1, 0, 1]);
    let batches = file.decode(&Projection::of_columns(["t"]), 2).unwrap();
    let faults = |rows: &Rows| rows.faults.iter().map(|it| (rows.origin.record(it.row), it.column)).collect::<Vec<_>>();
    assert_eq!(batches.iter().flat_map(faults).collect::<Vec<_>>(), [(3, 0)]);
    assert!(batches[1].faults[0].reason.contains("nanoseconds"));
}

#[test]
fn int96_loses_nanoseconds_toward_the_past_where_that_is_allowed() {
    let file = int96_file(&[int96(JULIAN_1970, 5_001), int96(JULIAN_1970 - 1, 86_399_999_999_999)], &[1, 1]);
    let mut metadata = file.metadata().unwrap();
    metadata.allow_lossy();
    let extent = Extent::RowGroups { first: 0, count: 1, first_record: 1 };
    let projection = Projection::of_columns(["t"]);
    let decoder = ParquetDecoder::try_new(&file.object, &metadata, extent, &projection, 7).unwrap();
    let rows = file.run(decoder).unwrap();
    let values = rows[0].batch.column(0).as_primitive::<TimestampMicrosecondType>();
    assert_eq!(values.values(), &[5, -1]);
}

#[test]
fn the_flights_excerpt_has_the_rows_that_were_cut_out() {
    let file = fixture("flights_excerpt.parquet");
    let metadata = file.metadata().unwrap();
    assert_eq!((metadata.rows(), metadata.row_group_count()), (200, 2));
    let projection = Projection::of_columns(["time_hour", "carrier", "dep_delay"]);
    let rows = file.decode(&projection, 64).unwrap();
    assert_eq!(rows.iter().map(|rows| rows.origin.first_record).collect::<Vec<_>>(), [1, 65, 121, 185]);
    let first = &rows[0].batch;
    // 2013-01-01 05:00 in New York
    assert_eq!(first.column(0).as_primitive::<TimestampMicrosecondType>().value(0), 1_357_034_400_000_000);
    assert_eq!(first.column(1).as_string::<i32>().value(0), "UA");
    assert_eq!(first.column(2).as_primitive::<Int64Type>().value(0), 2);
}

#[test]
fn a_footer_can_be_read_of_an_object_that_is_no_parquet_without_harm() {
    let error = fixture("bad/not_parquet.parquet").metadata().unwrap_err();
    assert_names_object(&error, ErrorKind::Source, "does not end like a Parquet file");
}

#[test]
fn column_chunks_that_share_bytes_are_refused() {
    let file = File::of_columns(vec![("a", ints(0..4)), ("b", ints(0..4))], 4);
    let (start, _) = file.metadata().unwrap().parquet().row_group(0).column(1).byte_range();
    let start = i64::try_from(start).unwrap();
    let moved = |offset: i64| {
        redescribed(&file, |group| {
            with_chunk(group, |chunk| chunk.set_dictionary_page_offset(None).set_data_page_offset(start + offset))
        })
    };
    for offset in [0, -1] {
        let message = moved(offset).unwrap_err().to_string();
        assert!(message.contains("column 'b' of row group 0") && message.contains("share bytes"), "{message}");
    }
}
