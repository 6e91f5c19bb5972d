//! Values of Parquet's types: each reaches any column that can hold it, by value, and one that cannot is refused.

use std::fs::File;
use std::path::PathBuf;
use std::sync::Arc;

use arrow_array::builder::{Int32Builder, ListBuilder};
use arrow_array::types::Int32Type;
use arrow_array::{
    Array, ArrayRef, BinaryArray, BooleanArray, Date32Array, Decimal128Array, Decimal256Array, DictionaryArray,
    FixedSizeBinaryArray, Float32Array, Float64Array, Int8Array, Int16Array, Int32Array, Int64Array, LargeStringArray,
    RecordBatch, StringArray, Time32MillisecondArray, Time64MicrosecondArray, TimestampMicrosecondArray,
    TimestampMillisecondArray, TimestampNanosecondArray, UInt8Array, UInt16Array, UInt32Array, UInt64Array,
};
use arrow_buffer::i256;
use parquet::arrow::ArrowWriter;

use crate::harness::{Database, Folder, Output, run};

/// A source column, the type of the column that it feeds, and what the server then prints, row by row.
pub(crate) struct Case {
    column: ArrayRef,
    ty: &'static str,
    printed: &'static [&'static str],
}

pub(crate) fn case(column: impl Array + 'static, ty: &'static str, printed: &'static [&'static str]) -> Case {
    Case { column: Arc::new(column), ty, printed }
}

/// Loads `column` into column `v` of a new table `t`.
pub(crate) fn load(database: &Database, folder: &Folder, column: &ArrayRef, ty: &str) -> Output {
    database.sql(&format!(
        "drop table if exists t; create table t (n int not null, v {ty}); drop schema if exists pgbackfill cascade"
    ));
    let numbers = Int32Array::from_iter_values(0..i32::try_from(column.len()).unwrap());
    let batch = RecordBatch::try_from_iter_with_nullable([
        ("n", Arc::new(numbers) as ArrayRef, false),
        ("v", Arc::clone(column), true),
    ])
    .unwrap();
    let path = PathBuf::from(folder.path()).join("a.parquet");
    let mut writer = ArrowWriter::try_new(File::create(&path).unwrap(), batch.schema(), None).unwrap();
    writer.write(&batch).unwrap();
    writer.close().unwrap();
    run(database, &format!("load {} --table t --time-column n", path.display()))
}

#[track_caller]
fn stored(cases: Vec<Case>) {
    stored_with("", cases);
}

/// The same in a database with types of its own.
#[track_caller]
pub(crate) fn stored_with(setup: &str, cases: Vec<Case>) {
    let (database, folder) = (Database::with(setup), Folder::new());
    for Case { column, ty, printed } in cases {
        load(&database, &folder, &column, ty).exits(0);
        let rows = database.rows("select v from t order by n");
        assert_eq!(rows, printed, "{} into {ty}", column.data_type());
        run(&database, "verify").exits(0).prints(&["equal"]);
    }
}

#[test]
fn integers_of_any_width_and_sign_reach_numbers_by_value() {
    stored(vec![
        case(Int8Array::from(vec![Some(-128), None, Some(127)]), "smallint", &["-128", "null", "127"]),
        case(Int16Array::from(vec![i16::MIN, i16::MAX]), "integer", &["-32768", "32767"]),
        case(Int32Array::from(vec![i32::MIN, i32::MAX]), "bigint", &["-2147483648", "2147483647"]),
        case(Int64Array::from(vec![1, -2, 30_000]), "smallint", &["1", "-2", "30000"]),
        case(
            Int64Array::from(vec![i64::MIN, 0, i64::MAX]),
            "numeric",
            &["-9223372036854775808", "0", "9223372036854775807"],
        ),
        case(Int64Array::from(vec![1, -1, 1 << 53]), "double precision", &["1", "-1", "9.007199254740992e+15"]),
        case(UInt8Array::from(vec![0, 255]), "smallint", &["0", "255"]),
        case(UInt16Array::from(vec![0, 65_535]), "integer", &["0", "65535"]),
        case(UInt32Array::from(vec![0, u32::MAX]), "bigint", &["0", "4294967295"]),
        case(UInt64Array::from(vec![0, u64::MAX]), "numeric", &["0", "18446744073709551615"]),
        case(UInt64Array::from(vec![7]), "integer", &["7"]),
        case(Int64Array::from(vec![12, -7]), "numeric(6,2)", &["12.00", "-7.00"]),
    ]);
}

#[test]
fn decimals_and_floats_reach_numbers_by_value() {
    let decimal =
        |values: Vec<Option<i128>>, scale| Decimal128Array::from(values).with_precision_and_scale(38, scale).unwrap();
    let wide =
        Decimal256Array::from(vec![i256::from_string("-123456789012345678901234567890123456789012345").unwrap()]);
    stored(vec![
        case(decimal(vec![Some(100_000_001), None, Some(-5)], 8), "numeric", &["1.00000001", "null", "-0.00000005"]),
        case(decimal(vec![Some(12_345), Some(-12_355)], 3), "numeric(8,2)", &["12.35", "-12.36"]),
        case(
            wide.with_precision_and_scale(76, 20).unwrap(),
            "numeric",
            &["-1234567890123456789012345.67890123456789012345"],
        ),
        case(
            Float32Array::from(vec![0.1, f32::NAN, f32::NEG_INFINITY, -0.0]),
            "real",
            &["0.1", "NaN", "-Infinity", "-0"],
        ),
        case(Float32Array::from(vec![0.5, f32::MAX]), "double precision", &["0.5", "3.4028234663852886e+38"]),
        case(
            Float64Array::from(vec![0.1, 5e-324, f64::MAX]),
            "double precision",
            &["0.1", "5e-324", "1.7976931348623157e+308"],
        ),
    ]);
}

#[test]
fn dates_and_times_of_every_unit_reach_those_of_the_server() {
    let (millis, micros, nanos) = (1_704_067_200_123_i64, 1_704_067_200_123_456_i64, 1_704_067_200_123_456_000_i64);
    stored(vec![
        case(
            Date32Array::from(vec![Some(0), None, Some(19_723), Some(-719_162)]),
            "date",
            &["1970-01-01", "null", "2024-01-01", "0001-01-01"],
        ),
        case(TimestampMillisecondArray::from(vec![millis]), "timestamp", &["2024-01-01 00:00:00.123"]),
        case(
            TimestampMicrosecondArray::from(vec![micros, -1]),
            "timestamp",
            &["2024-01-01 00:00:00.123456", "1969-12-31 23:59:59.999999"],
        ),
        case(TimestampNanosecondArray::from(vec![nanos]), "timestamp", &["2024-01-01 00:00:00.123456"]),
        case(
            TimestampMillisecondArray::from(vec![millis]).with_timezone("UTC"),
            "timestamptz",
            &["2024-01-01 00:00:00.123+00"],
        ),
        case(
            TimestampNanosecondArray::from(vec![nanos]).with_timezone("+02:00"),
            "timestamptz",
            &["2024-01-01 00:00:00.123456+00"],
        ),
        case(Time32MillisecondArray::from(vec![0, 86_399_999]), "time", &["00:00:00", "23:59:59.999"]),
        case(Time64MicrosecondArray::from(vec![1, 86_399_999_999]), "time", &["00:00:00.000001", "23:59:59.999999"]),
    ]);
}

#[test]
fn texts_bytes_booleans_and_lists_reach_their_likes() {
    let words: DictionaryArray<Int32Type> = vec![Some("a"), None, Some("ü"), Some("a")].into_iter().collect();
    let uuid = FixedSizeBinaryArray::try_from_iter([[0x11_u8; 16], [0xff; 16]].iter()).unwrap();
    let mut lists = ListBuilder::new(Int32Builder::new());
    lists.append_value([Some(1), None, Some(3)]);
    lists.append_null();
    lists.append_value([]);
    stored(vec![
        case(BooleanArray::from(vec![Some(true), None, Some(false)]), "boolean", &["t", "null", "f"]),
        case(StringArray::from(vec!["", "naïve ☃", "tab\t"]), "text", &["", "naïve ☃", "tab\t"]),
        case(LargeStringArray::from(vec!["ab", "c "]), "char(3)", &["ab ", "c  "]),
        case(words, "varchar(2)", &["a", "null", "ü", "a"]),
        case(StringArray::from(vec!["{\"b\":1, \"a\": 2}"]), "jsonb", &["{\"a\": 2, \"b\": 1}"]),
        case(StringArray::from(vec!["1.50", "NaN"]), "numeric", &["1.50", "NaN"]),
        case(BinaryArray::from(vec![&b"\x00\xff"[..], b""]), "bytea", &["\\x00ff", "\\x"]),
        case(uuid, "uuid", &["11111111-1111-1111-1111-111111111111", "ffffffff-ffff-ffff-ffff-ffffffffffff"]),
        case(lists.finish(), "int[]", &["{1,NULL,3}", "null", "{}"]),
    ]);
}

/// Loads a column of which the second value cannot be stored, and expects it named.
#[track_caller]
fn refused(column: impl Array + 'static, ty: &str) {
    let (database, folder) = (Database::new(), Folder::new());
    let column: ArrayRef = Arc::new(column);
    load(&database, &folder, &column, ty).exits(1).says(&["column \"v\"", "a.parquet record 2"]);
    assert_eq!(database.count("t"), 0);
}

#[test]
fn a_value_that_its_column_cannot_hold_is_refused_and_never_wrapped_or_cut() {
    refused(Int64Array::from(vec![1, 32_768]), "smallint");
    refused(Int64Array::from(vec![1, -2_147_483_649]), "integer");
    refused(UInt64Array::from(vec![1, u64::MAX]), "bigint");
    refused(UInt32Array::from(vec![1, u32::MAX]), "integer");
    refused(Int64Array::from(vec![1, 10_000]), "numeric(5,2)");
    refused(StringArray::from(vec!["abc", "abcd"]), "varchar(3)");
    refused(StringArray::from(vec!["abc", "nul\0"]), "text");
    refused(StringArray::from(vec!["1", "one"]), "integer");
    refused(TimestampNanosecondArray::from(vec![1_000, 1_001]), "timestamp");
    refused(TimestampMillisecondArray::from(vec![0, i64::MAX / 500]), "timestamp");
    refused(BinaryArray::from(vec![&b"ok"[..], b"\xff"]), "text");
}

#[test]
fn a_type_that_cannot_feed_a_column_is_refused_before_anything_is_written() {
    let (database, folder) = (Database::new(), Folder::new());
    let cases: [(ArrayRef, &str); 3] = [
        (Arc::new(BooleanArray::from(vec![true])), "date"),
        (Arc::new(Date32Array::from(vec![1])), "integer"),
        (Arc::new(Float64Array::from(vec![1.0])), "uuid"),
    ];
    for (column, ty) in cases {
        load(&database, &folder, &column, ty).exits(2).says(&["source column v cannot feed v", "--ignore v"]);
    }
}
