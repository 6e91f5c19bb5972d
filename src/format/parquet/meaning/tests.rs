//! Every type of the format: what it is handed on as, and that no value is handed on as another one.

use std::sync::Arc;

use arrow_array::cast::AsArray;
use arrow_array::types::{Date32Type, Decimal128Type, Int8Type, IntervalMonthDayNanoType, TimestampMicrosecondType};
use arrow_array::{Array, ArrayRef};
use arrow_schema::{DataType, Field, Schema, TimeUnit};
use parquet::arrow::add_encoded_arrow_schema_to_metadata;
use parquet::data_type::Int96;
use parquet::file::metadata::KeyValue;
use parquet::file::properties::WriterProperties;

use super::super::fixture::{File, Raw};
use super::super::{Projection, RowGroupKeys, key_spans};
use crate::error::ErrorKind;
use crate::model::KeyKind;
use crate::schema::Reading;

/// The columns of a file without rows, by name of their Arrow types.
fn handed_on(column: &str) -> String {
    let file = File::of_message(&format!("message m {{ {column} }}"), |_, _| {});
    file.metadata().map_or_else(|error| format!("{error:#}"), |metadata| metadata.columns()[0].1.to_string())
}

#[test]
fn every_type_of_the_format_is_handed_on_as_a_type_that_holds_it() {
    let cases = [
        ("required boolean v;", "Boolean"),
        ("required int32 v;", "Int32"),
        ("required int32 v (INTEGER(8,true));", "Int8"),
        ("required int32 v (INTEGER(16,true));", "Int16"),
        ("required int32 v (INTEGER(32,true));", "Int32"),
        ("required int32 v (INTEGER(8,false));", "UInt8"),
        ("required int32 v (INTEGER(16,false));", "UInt16"),
        ("required int32 v (INTEGER(32,false));", "UInt32"),
        ("required int64 v (INTEGER(64,true));", "Int64"),
        ("required int64 v (INTEGER(64,false));", "UInt64"),
        ("required int32 v (UINT_8);", "UInt8"),
        ("required int32 v (INT_16);", "Int16"),
        ("required int64 v (UINT_64);", "UInt64"),
        ("required int32 v (DECIMAL(9,2));", "Decimal128(9, 2)"),
        ("required int64 v (DECIMAL(18,2));", "Decimal128(18, 2)"),
        ("required fixed_len_byte_array(16) v (DECIMAL(38,10));", "Decimal128(38, 10)"),
        ("required fixed_len_byte_array(32) v (DECIMAL(76,38));", "Decimal256(76, 38)"),
        ("required binary v (DECIMAL(38,2));", "Decimal128(38, 2)"),
        ("required binary v (DECIMAL(60,2));", "Decimal256(60, 2)"),
        ("required int32 v (DATE);", "Date32"),
        ("required int32 v (TIME(MILLIS,true));", "Time32(ms)"),
        ("required int32 v (TIME_MILLIS);", "Time32(ms)"),
        ("required int64 v (TIME(MICROS,false));", "Time64(µs)"),
        ("required int64 v (TIME_MICROS);", "Time64(µs)"),
        ("required int64 v (TIME(NANOS,false));", "Time64(ns)"),
        ("required int64 v (TIMESTAMP(MILLIS,false));", "Timestamp(ms)"),
        ("required int64 v (TIMESTAMP(MILLIS,true));", "Timestamp(ms, \"UTC\")"),
        ("required int64 v (TIMESTAMP_MILLIS);", "Timestamp(ms, \"UTC\")"),
        ("required int64 v (TIMESTAMP(MICROS,false));", "Timestamp(µs)"),
        ("required int64 v (TIMESTAMP(MICROS,true));", "Timestamp(µs, \"UTC\")"),
        ("required int64 v (TIMESTAMP_MICROS);", "Timestamp(µs, \"UTC\")"),
        ("required int64 v (TIMESTAMP(NANOS,false));", "Timestamp(ns)"),
        ("required int64 v (TIMESTAMP(NANOS,true));", "Timestamp(ns, \"UTC\")"),
        ("required int96 v;", "Timestamp(µs)"),
        ("required float v;", "Float32"),
        ("required double v;", "Float64"),
        ("required fixed_len_byte_array(2) v (FLOAT16);", "Float16"),
        ("required binary v;", "Binary"),
        ("required binary v (STRING);", "Utf8"),
        ("required binary v (UTF8);", "Utf8"),
        ("required binary v (JSON);", "Utf8"),
        ("required binary v (BSON);", "Binary"),
        ("required binary v (ENUM);", "Binary"),
        ("required binary v (GEOMETRY);", "Binary"),
        ("required binary v (GEOGRAPHY);", "Binary"),
        ("required fixed_len_byte_array(16) v (UUID);", "FixedSizeBinary(16)"),
        ("required fixed_len_byte_array(7) v;", "FixedSizeBinary(7)"),
        ("required fixed_len_byte_array(12) v (INTERVAL);", "Interval(MonthDayNano)"),
        ("optional int32 v (UNKNOWN);", "Null"),
        ("optional fixed_len_byte_array(12) v (UNKNOWN);", "Null"),
        (
            "optional group v (LIST) { repeated group list { optional fixed_len_byte_array(12) element (INTERVAL); } }",
            "List(Interval(MonthDayNano), field: 'element')",
        ),
        ("repeated int32 v (INTEGER(8,true));", "List(non-null Int8, field: 'v')"),
        ("optional group v { optional int32 a (INTEGER(8,true)); }", "Struct(\"a\": Int8)"),
    ];
    for (column, expected) in cases {
        assert_eq!(handed_on(column), expected, "{column}");
    }
    let map = handed_on(
        "optional group v (MAP) { repeated group key_value { required binary key (STRING); optional int32 value (INTEGER(8,false)); } }",
    );
    assert!(map.contains("Utf8") && map.contains("UInt8"), "{map}");
}

#[test]
fn variants_are_refused_by_name() {
    let column = "required int32 n; optional group v (VARIANT) { required binary metadata; required binary value; }";
    let file = File::of_message(&format!("message m {{ {column} }}"), |_, _| {});
    let error = file.decode(&Projection::of_columns(["v"]), 9).unwrap_err();
    assert_eq!(error.kind(), ErrorKind::Schema);
    assert!(error.to_string().contains("column 'v' holds VARIANT"), "{error}");
    assert!(file.decode(&Projection::of_columns(["n"]), 9).is_ok(), "other columns are read");
}

/// The one column of a file, and the rows at fault with their reasons.
fn read(file: &File) -> (ArrayRef, Vec<(usize, String)>) {
    let rows = file.decode(&Projection::of_columns(["v"]), 99).unwrap();
    assert_eq!(rows.len(), 1);
    let faults = rows[0].faults.iter().map(|fault| (fault.row, fault.reason.clone())).collect();
    (Arc::clone(rows[0].batch.column(0)), faults)
}

fn file(column: &str, raw: Raw<'_>) -> File {
    file_with(column, &[], raw)
}

/// The same with keys in its footer.
fn file_with(column: &str, keys: &[(&str, &str)], raw: Raw<'_>) -> File {
    let keys = keys.iter().map(|(key, value)| KeyValue::new((*key).to_owned(), (*value).to_owned())).collect();
    let properties = WriterProperties::builder().set_key_value_metadata(Some(keys)).build();
    with_properties(column, properties, raw)
}

/// The same with a footer that says that the Arrow type was this one.
fn file_hinted(column: &str, arrow: DataType, raw: Raw<'_>) -> File {
    let mut properties = WriterProperties::default();
    add_encoded_arrow_schema_to_metadata(&Schema::new(vec![Field::new("v", arrow, false)]), &mut properties);
    with_properties(column, properties, raw)
}

fn with_properties(column: &str, properties: WriterProperties, raw: Raw<'_>) -> File {
    let raw = std::cell::RefCell::new(Some(raw));
    File::of_message_with(&format!("message m {{ {column} }}"), properties, |_, write| {
        write(raw.take().expect("there is one column"));
    })
}

#[test]
fn an_interval_keeps_its_months() {
    let bytes: Vec<u8> = [14_u32, 3, 14_400_000].iter().flat_map(|part| part.to_le_bytes()).collect();
    let many: Vec<u8> = [u32::MAX, 0, 0].iter().flat_map(|part| part.to_le_bytes()).collect();
    let column = "required fixed_len_byte_array(12) v (INTERVAL);";
    let (values, faults) = read(&file(column, Raw::Fixed(&[&bytes, &many])));
    let first = values.as_primitive::<IntervalMonthDayNanoType>().value(0);
    assert_eq!((first.months, first.days, first.nanoseconds), (14, 3, 14_400_000_000_000));
    assert_eq!(faults.len(), 1);
    assert!(faults[0].0 == 1 && faults[0].1.contains("4294967295 months"), "{faults:?}");
    // Whatever unit the writer had in memory, all parts that the file holds are there.
    let arrow = DataType::Interval(arrow_schema::IntervalUnit::YearMonth);
    let (values, faults) = read(&file_hinted(column, arrow, Raw::Fixed(&[&bytes, &many])));
    let values = values.as_primitive::<IntervalMonthDayNanoType>();
    assert_eq!((values.value(0).days, values.value(1).months), (3, -1), "Arrow's own writer has them signed");
    assert!(faults.is_empty());
}

#[test]
fn a_number_that_its_short_type_lacks_is_a_fault() {
    let (values, faults) = read(&file("required int32 v (INTEGER(8,true));", Raw::Int32(&[127, -128, 128, 0])));
    assert_eq!(values.as_primitive::<Int8Type>().values()[..2], [127, -128]);
    assert_eq!(faults, [(2, "128 is no value of the column's type Int8".to_owned())]);
    for (ty, number) in [("8,false", -1), ("8,false", 256), ("16,true", 32_768), ("16,false", 65_536)] {
        let (_, faults) = read(&file(&format!("required int32 v (INTEGER({ty}));"), Raw::Int32(&[1, number])));
        assert_eq!(faults.len(), 1, "{number} as INTEGER({ty})");
    }
}

#[test]
fn a_value_in_a_column_of_type_unknown_is_a_fault() {
    let (values, faults) = read(&file("required int32 v (UNKNOWN);", Raw::Int32(&[7])));
    assert_eq!((values.data_type(), faults[0].0), (&DataType::Null, 0));
    assert!(faults[0].1.contains("UNKNOWN"), "{faults:?}");
}

#[test]
fn texts_of_every_type_are_checked_to_be_utf8() {
    let bad: &[&[u8]] = &[b"\"a\"", b"\"\xff\""];
    let undecodable = |file: File| file.decode(&Projection::of_columns(["v"]), 9).unwrap_err().to_string();
    for column in ["required binary v (JSON);", "required binary v (STRING);"] {
        assert!(undecodable(file(column, Raw::Bytes(bad))).contains("cannot be decoded"), "{column}");
    }
    let hinted = file_hinted("required binary v;", DataType::Utf8, Raw::Bytes(bad));
    assert!(undecodable(hinted).contains("cannot be decoded"));
}

#[test]
fn decimals_in_bytes_are_exact_or_faults() {
    let long = [&[0xff; 17][..], &[0xfe]].concat();
    let larger = [&[1_u8][..], &[0; 16]].concat();
    let values: &[&[u8]] = &[&[0x04, 0xd2], &[0xff], &long, &larger, &[]];
    let (decimals, faults) = read(&file("required binary v (DECIMAL(38,2));", Raw::Bytes(values)));
    assert_eq!(decimals.as_primitive::<Decimal128Type>().values()[..3], [1234, -1, -2]);
    assert_eq!(faults.iter().map(|fault| fault.0).collect::<Vec<_>>(), [3, 4], "{faults:?}");
}

#[test]
fn the_type_of_the_file_rules_over_the_arrow_schema_in_its_footer() {
    let ty = |column: &str, arrow| read(&file_hinted(column, arrow, Raw::Int64(&[1234]))).0.data_type().clone();
    let named = |zone: &str| DataType::Timestamp(TimeUnit::Microsecond, Some(zone.into()));
    let plain = |unit| DataType::Timestamp(unit, None);
    let micros = "required int64 v (TIMESTAMP(MICROS,false));";
    assert_eq!(ty(micros, named("Europe/Berlin")), plain(TimeUnit::Microsecond));
    assert_eq!(ty("required int64 v (TIMESTAMP(MICROS,true));", plain(TimeUnit::Microsecond)), named("UTC"));
    assert_eq!(ty("required int64 v (DECIMAL(18,2));", DataType::Decimal64(18, 0)), DataType::Decimal128(18, 2));
    assert_eq!(ty("required int64 v (DECIMAL(18,2));", DataType::Decimal256(40, 7)), DataType::Decimal128(18, 2));
    // Where the file has no type for it, the schema tells.
    assert_eq!(ty("required int64 v;", plain(TimeUnit::Second)), plain(TimeUnit::Second));
    assert_eq!(
        ty("required int64 v;", DataType::Timestamp(TimeUnit::Second, Some("".into()))),
        plain(TimeUnit::Second)
    );
    let duration = DataType::Duration(TimeUnit::Nanosecond);
    assert_eq!(ty("required int64 v;", duration.clone()), duration);
}

fn int96(day: u32, nanos: u32) -> Int96 {
    let mut value = Int96::new();
    value.set_data(nanos, 0, day);
    value
}

#[test]
fn int96_is_refused_where_microseconds_would_wrap_around() {
    // 2^31 days before and after 1970 are more microseconds than 64 bits have.
    let (_, faults) = read(&file("required int96 v;", Raw::Int96(&[int96(2_440_588, 0), int96(0x7fff_ffff, 0)], None)));
    assert_eq!(faults.iter().map(|fault| fault.0).collect::<Vec<_>>(), [1], "{faults:?}");
}

#[test]
fn int96_in_a_list_is_refused_by_name() {
    let column = "required int32 n; required group v (LIST) { repeated group list { required int96 element; } }";
    let error = File::of_message(&format!("message m {{ {column} }}"), |_, _| {});
    let error = error.decode(&Projection::of_columns(["v"]), 9).unwrap_err().to_string();
    assert!(error.contains("column 'v' nests INT96"), "{error}");
}

#[test]
fn faults_inside_of_lists_name_the_row() {
    let column = "required group v (LIST) { repeated group list { required int32 element (INTEGER(8,true)); } }";
    let (lists, faults) = read(&file(column, Raw::Levels(&[1, 2, 300], &[1, 1, 0, 1], &[0, 1, 0, 0])));
    let first = lists.as_list::<i32>().value(0);
    assert_eq!(first.as_primitive::<Int8Type>().values(), &[1, 2]);
    assert_eq!(faults.iter().map(|fault| fault.0).collect::<Vec<_>>(), [2], "{faults:?}");
}

const LEGACY: &[(&str, &str)] = &[("org.apache.spark.version", "3.5.1"), ("org.apache.spark.legacyDateTime", "")];

#[test]
fn dates_of_a_legacy_calendar_are_converted() {
    // 1500-12-25 as Spark writes it then, which is 1501-01-04 by the other calendar; and a date after the switch.
    let days = [-171_296, 10];
    let (dates, faults) = read(&file_with("required int32 v (DATE);", LEGACY, Raw::Int32(&days)));
    assert_eq!((&dates.as_primitive::<Date32Type>().values()[..], faults.len()), (&[-171_306, 10][..], 0));
    let (dates, _) = read(&file("required int32 v (DATE);", Raw::Int32(&days)));
    assert_eq!(dates.as_primitive::<Date32Type>().values()[..], days);
    let unknown = [("org.apache.spark.sql.parquet.row.metadata", "{}")];
    let (_, faults) = read(&file_with("required int32 v (DATE);", &unknown, Raw::Int32(&days)));
    assert!(faults.len() == 1 && faults[0].1.contains("1582-10-15"), "{faults:?}");
}

#[test]
fn timestamps_of_a_legacy_calendar_are_refused_before_1900() {
    let micros = [-2_208_988_800_000_000, -2_208_988_800_000_001];
    let column = "required int64 v (TIMESTAMP(MICROS,true));";
    let (_, faults) = read(&file_with(column, LEGACY, Raw::Int64(&micros)));
    assert!(faults.len() == 1 && faults[0].0 == 1, "{faults:?}");
    assert!(faults[0].1.contains("org.apache.spark.legacyDateTime"), "{faults:?}");
    assert!(read(&file(column, Raw::Int64(&micros))).1.is_empty());
    let legacy96 = [("org.apache.spark.legacyINT96", "")];
    let old = file_with("required int96 v;", &legacy96, Raw::Int96(&[int96(2_415_020, 0), int96(2_415_021, 0)], None));
    assert_eq!(read(&old).1.len(), 1, "1899-12-31 and 1900-01-01");
}

#[test]
fn statistics_of_a_legacy_calendar_are_trusted_after_the_switch_alone() {
    let keys = |days: &[i32]| {
        let metadata = file_with("required int32 v (DATE);", LEGACY, Raw::Int32(days)).metadata().unwrap();
        key_spans(&metadata, "v", KeyKind::Date, &Reading::utc()).unwrap().remove(0)
    };
    assert!(matches!(keys(&[10, 20]), RowGroupKeys::Exact { span: Some(_), .. }));
    assert_eq!(keys(&[-171_296, 20]), RowGroupKeys::Unknown);
    let short = file("required int32 v (INTEGER(8,true));", Raw::Int32(&[1, 300])).metadata().unwrap();
    assert_eq!(key_spans(&short, "v", KeyKind::Integer, &Reading::utc()).unwrap(), [RowGroupKeys::Unknown]);
}

#[test]
fn int96_is_local_time_or_an_instant_as_its_writer_says() {
    let ty = |keys: &[(&str, &str)]| {
        let (values, _) = read(&file_with("required int96 v;", keys, Raw::Int96(&[int96(2_460_000, 0)], None)));
        let micros = values.as_primitive::<TimestampMicrosecondType>().value(0);
        (
            matches!(values.data_type(), DataType::Timestamp(_, Some(_))),
            (micros - 1_677_196_800_000_000) / 3_600_000_000,
        )
    };
    assert_eq!(ty(&[]), (false, 0));
    assert_eq!(ty(&[("org.apache.spark.version", "3.5.1")]), (true, 0));
    let hive = [("writer.time.zone", "America/New_York"), ("writer.date.proleptic", "true")];
    assert_eq!(ty(&hive), (false, -5));
    let lost = [("writer.time.zone", "Mars/Base")];
    let file = file_with("required int96 v;", &lost, Raw::Int96(&[int96(2_460_000, 0)], None));
    let error = file.decode(&Projection::of_columns(["v"]), 9).unwrap_err().to_string();
    assert!(error.contains("Mars/Base"), "{error}");
}
