//! Statistics that can be trusted, statistics that cannot, and the scan of the key column as the judge of both.

use std::sync::Arc;

use arrow_array::*;
use arrow_schema::TimeUnit;
use parquet::data_type::Int96;
use parquet::file::metadata::ColumnChunkMetaDataBuilder;
use parquet::file::properties::{EnabledStatistics, WriterProperties};
use parquet::file::statistics::{Statistics, ValueStatistics};
use proptest::prelude::*;

use super::super::ParquetDecoder;
use super::super::fixture::{File, Raw, nullable};
use super::*;
use crate::model::Extent;

/// Seconds from 1970 to 2000, where keys begin to count.
const KEY_EPOCH: i64 = 946_684_800;

fn spans(file: &File, kind: KeyKind, zone: &Zone) -> Vec<RowGroupKeys> {
    key_spans(&file.metadata().unwrap(), "t", kind, &zone.clone().into()).unwrap()
}

/// The keys of the only row group.
fn keys(array: impl Array + 'static, kind: KeyKind) -> RowGroupKeys {
    let file = File::of_columns(vec![("t", Arc::new(array))], 100);
    let spans = spans(&file, kind, &Zone::UTC);
    assert_eq!(spans.len(), 1);
    spans[0]
}

fn exact(min: i64, max: i64, unkeyed: u64) -> RowGroupKeys {
    RowGroupKeys::Exact { span: Some(KeySpan { min: TimeKey(min), max: TimeKey(max) }), unkeyed }
}

/// What decoding the key column tells of each row group: span and rows without a key.
fn scanned(file: &File, kind: KeyKind, zone: &Zone) -> Vec<(Option<KeySpan>, u64)> {
    let metadata = file.metadata().unwrap();
    let scan = |first| {
        let extent = Extent::RowGroups { first, count: 1, first_record: 1 };
        let key = Projection::of_columns(["t"]);
        let decoder = ParquetDecoder::try_new(&file.object, &metadata, extent, &key, 7).unwrap();
        let rows = file.run(decoder).unwrap();
        let keys = rows.iter().flat_map(|rows| {
            let keys = stored_keys(rows.batch.column(0), kind, &zone.clone().into()).unwrap();
            keys.iter().collect::<Vec<_>>()
        });
        let (keyed, unkeyed): (Vec<_>, Vec<_>) = keys.partition(Option::is_some);
        let keyed = keyed.into_iter().flatten().map(|key| KeySpan { min: TimeKey(key), max: TimeKey(key) });
        (keyed.reduce(KeySpan::union), unkeyed.len() as u64)
    };
    (0..u32::try_from(metadata.row_group_count()).unwrap()).map(scan).collect()
}

#[test]
fn timestamps_of_every_unit_give_exact_keys() {
    let values = |unit: i64| vec![Some((KEY_EPOCH + 7) * unit), None, Some((KEY_EPOCH - 3) * unit)];
    let expected = exact(-3_000_000, 7_000_000, 1);
    for kind in [KeyKind::TimestampTz, KeyKind::Timestamp] {
        assert_eq!(keys(TimestampSecondArray::from(values(1)), kind), expected);
        assert_eq!(keys(TimestampMillisecondArray::from(values(1_000)), kind), expected);
        assert_eq!(keys(TimestampMicrosecondArray::from(values(1_000_000)).with_timezone("UTC"), kind), expected);
        assert_eq!(keys(TimestampNanosecondArray::from(values(1_000_000_000)).with_timezone("+02:00"), kind), expected);
    }
}

#[test]
fn dates_and_integers_of_every_width_give_exact_keys() {
    assert_eq!(keys(Date32Array::from(vec![10_957, 10_958]), KeyKind::Date), exact(0, 1, 0));
    assert_eq!(
        keys(Date32Array::from(vec![10_956, 10_958]), KeyKind::Timestamp),
        exact(-86_400_000_000, 86_400_000_000, 0)
    );
    assert_eq!(keys(Int8Array::from(vec![-5, 5]), KeyKind::Integer), exact(-5, 5, 0));
    assert_eq!(keys(Int16Array::from(vec![-5, 5]), KeyKind::Integer), exact(-5, 5, 0));
    assert_eq!(keys(Int64Array::from(vec![i64::MIN, i64::MAX]), KeyKind::Integer), exact(i64::MIN, i64::MAX, 0));
    assert_eq!(keys(UInt8Array::from(vec![200, 5]), KeyKind::Integer), exact(5, 200, 0));
    assert_eq!(keys(UInt32Array::from(vec![u32::MAX, 5]), KeyKind::Integer), exact(5, i64::from(u32::MAX), 0));
}

#[test]
fn a_row_group_of_nulls_has_no_span_and_only_unkeyed_rows() {
    let none = RowGroupKeys::Exact { span: None, unkeyed: 3 };
    assert_eq!(keys(TimestampSecondArray::from(vec![None, None, None]), KeyKind::Timestamp), none);
}

#[test]
fn each_row_group_has_its_own_keys() {
    let file = File::of_columns(vec![("x", ints(0..5)), ("t", ints(0..5))], 2);
    assert_eq!(spans(&file, KeyKind::Integer, &Zone::UTC), [exact(0, 1, 0), exact(2, 3, 0), exact(4, 4, 0)]);
}

fn ints(values: std::ops::Range<i64>) -> ArrayRef {
    Arc::new(Int64Array::from_iter_values(values))
}

#[test]
fn what_cannot_be_a_sound_bound_is_unknown() {
    let unknown = RowGroupKeys::Unknown;
    assert_eq!(keys(StringArray::from(vec!["2024-01-01", "2024-01-02"]), KeyKind::Timestamp), unknown);
    assert_eq!(keys(Float64Array::from(vec![1.0, 2.0]), KeyKind::Integer), unknown);
    assert_eq!(keys(TimestampNanosecondArray::from(vec![1_000, 2_001]), KeyKind::Timestamp), unknown, "not whole");
    assert_eq!(keys(UInt64Array::from(vec![1, u64::MAX]), KeyKind::Integer), unknown, "past the largest key");
    assert_eq!(keys(TimestampSecondArray::from(vec![0, i64::MAX]), KeyKind::Timestamp), unknown, "past the last time");
    let decimal = Decimal128Array::from(vec![1, 2]).with_precision_and_scale(10, 0).unwrap();
    assert_eq!(keys(decimal, KeyKind::Integer), unknown);
    let lists = ListArray::from_iter_primitive::<arrow_array::types::Int64Type, _, _>([Some([Some(1)])]);
    assert_eq!(keys(lists, KeyKind::Integer), unknown);
}

#[test]
fn int96_is_unknown_and_its_values_are_not() {
    let mut day = Int96::new();
    day.set_data(0, 0, 2_440_588 + 10_957);
    let file = File::of_message("message m { required int96 t; }", |_, write| write(Raw::Int96(&[day], None)));
    assert_eq!(spans(&file, KeyKind::Timestamp, &Zone::UTC), [RowGroupKeys::Unknown]);
    let epoch = KeySpan { min: TimeKey(0), max: TimeKey(0) };
    assert_eq!(scanned(&file, KeyKind::Timestamp, &Zone::UTC), [(Some(epoch), 0)]);
}

#[test]
fn a_file_without_statistics_is_unknown_and_one_with_pages_is_not() {
    let batch = RecordBatch::try_from_iter_with_nullable(nullable(vec![("t", ints(3..9))])).unwrap();
    let with = |enabled| {
        let properties = WriterProperties::builder().set_statistics_enabled(enabled).build();
        spans(&File::with_properties(&batch, properties), KeyKind::Integer, &Zone::UTC)
    };
    assert_eq!(with(EnabledStatistics::None), [RowGroupKeys::Unknown]);
    assert_eq!(with(EnabledStatistics::Chunk), [exact(3, 8, 0)]);
    assert_eq!(with(EnabledStatistics::Page), [exact(3, 8, 0)]);
}

/// The keys of a row group of four rows whose statistics are `statistics`.
fn described_as(array: ArrayRef, statistics: Option<Statistics>) -> RowGroupKeys {
    let file = File::of_columns(vec![("t", array)], 100);
    let mut builder = file.metadata().unwrap().parquet().clone().into_builder();
    let mut row_groups = builder.take_row_groups();
    let mut columns = row_groups[0].columns().to_vec();
    let chunk: ColumnChunkMetaDataBuilder = columns[0].clone().into_builder().clear_statistics();
    let chunk = statistics.into_iter().fold(chunk, ColumnChunkMetaDataBuilder::set_statistics);
    columns[0] = chunk.build().unwrap();
    row_groups[0] = row_groups[0].clone().into_builder().set_column_metadata(columns).build().unwrap();
    let metadata = Metadata::try_new(builder.set_row_groups(row_groups).build(), &file.object, &[]).unwrap();
    key_spans(&metadata, "t", KeyKind::Integer, &Reading::utc()).unwrap()[0]
}

#[test]
fn statistics_that_contradict_themselves_or_leave_something_out_are_unknown() {
    let of = |statistics| described_as(ints(0..4), statistics);
    let stated = |min, max, nulls, old| Some(Statistics::int64(min, max, None, nulls, old));
    assert_eq!(of(stated(Some(0), Some(3), Some(1), false)), exact(0, 3, 1));
    assert_eq!(of(stated(Some(0), Some(3), Some(1), true)), exact(0, 3, 1), "one order of signed numbers");
    assert_eq!(of(stated(Some(0), Some(3), None, false)), RowGroupKeys::Unknown, "no null count");
    assert_eq!(of(stated(None, Some(3), Some(0), false)), RowGroupKeys::Unknown, "no smallest");
    assert_eq!(of(stated(Some(0), None, Some(0), false)), RowGroupKeys::Unknown, "no largest");
    assert_eq!(of(stated(Some(3), Some(0), Some(0), false)), RowGroupKeys::Unknown, "wrong way round");
    assert_eq!(of(stated(Some(0), Some(3), Some(5), false)), RowGroupKeys::Unknown, "more nulls than rows");
    assert_eq!(of(stated(None, None, Some(4), false)), RowGroupKeys::Exact { span: None, unkeyed: 4 });
    assert_eq!(of(None), RowGroupKeys::Unknown);
}

#[test]
fn unsigned_statistics_of_old_writers_are_unknown() {
    let numbers: ArrayRef = Arc::new(UInt64Array::from(vec![0, 1, 2, 3]));
    let stated = |old| Some(Statistics::int64(Some(0), Some(3), None, Some(0), old));
    assert_eq!(described_as(Arc::clone(&numbers), stated(false)), exact(0, 3, 0));
    assert_eq!(described_as(numbers, stated(true)), RowGroupKeys::Unknown);
}

#[test]
fn bounds_that_a_writer_calls_inexact_still_bound_integers() {
    let loose = ValueStatistics::new(Some(0), Some(9), None, Some(0), false);
    let loose = loose.with_min_is_exact(false).with_max_is_exact(false);
    assert_eq!(described_as(ints(0..4), Some(Statistics::Int64(loose))), exact(0, 9, 0));
}

#[test]
fn a_required_column_needs_no_null_count() {
    let array = Int64Array::from(vec![1, 2]);
    let batch = RecordBatch::try_from_iter_with_nullable(vec![("t", Arc::new(array) as ArrayRef, false)]).unwrap();
    let file = File::with_properties(&batch, WriterProperties::default());
    assert_eq!(spans(&file, KeyKind::Integer, &Zone::UTC), [exact(1, 2, 0)]);
}

#[test]
fn a_missing_key_column_is_an_error() {
    let file = File::of_columns(vec![("a", ints(0..1))], 1);
    let error = key_spans(&file.metadata().unwrap(), "t", KeyKind::Integer, &Reading::utc()).unwrap_err();
    assert_eq!(error.kind(), ErrorKind::Schema);
    assert_eq!(error.place().object.as_deref(), Some("/data/test.parquet"));
}

/// Local seconds since 1970 in Berlin around 2024-03-31 02:00, when clocks went to 03:00.
const FORWARD: i64 = 1_711_850_400;

#[test]
fn local_times_near_a_change_of_clocks_are_unknown_and_others_are_not() {
    let berlin = Zone::parse("Europe/Berlin").unwrap();
    let of = |min, max| {
        let file = File::of_columns(vec![("t", Arc::new(TimestampSecondArray::from(vec![min, max])))], 10);
        spans(&file, KeyKind::TimestampTz, &berlin)[0]
    };
    assert_eq!(of(FORWARD - 3600, FORWARD + 9 * 86_400), RowGroupKeys::Unknown);
    assert_eq!(of(FORWARD - 9 * 86_400, FORWARD + 3600), RowGroupKeys::Unknown);
    let micros = |local: i64, offset: i64| (local - offset - KEY_EPOCH) * 1_000_000;
    let (before, after) = (FORWARD - 9 * 86_400, FORWARD + 9 * 86_400);
    assert_eq!(of(before, after), exact(micros(before, 3600), micros(after, 7200), 0));
}

/// Seconds since 1970 of 2024-10-27 01:00 UTC, when clocks in Berlin went back to 02:00.
const BACK: i64 = 1_729_990_800;

/// Times for one column: within two years, or all within hours of a change of clocks.
fn seconds() -> impl Strategy<Value = Vec<Option<i64>>> {
    let range = prop_oneof![
        Just(FORWARD - 31_536_000..FORWARD + 31_536_000),
        Just(FORWARD - 3_600..FORWARD + 7_200),
        Just(BACK - 7_200..BACK + 7_200),
    ];
    range.prop_flat_map(|range| proptest::collection::vec(proptest::option::weighted(0.8, range), 1..40))
}

fn column() -> impl Strategy<Value = ArrayRef> {
    let unit = prop_oneof![Just(TimeUnit::Second), Just(TimeUnit::Millisecond), Just(TimeUnit::Nanosecond)];
    (seconds(), unit, any::<bool>()).prop_map(|(values, unit, is_instant)| {
        let zone = is_instant.then_some("UTC");
        let scaled = |factor: i64| values.iter().map(|value| value.map(|value| value * factor)).collect::<Vec<_>>();
        match unit {
            TimeUnit::Second => Arc::new(TimestampSecondArray::from(scaled(1)).with_timezone_opt(zone)) as ArrayRef,
            TimeUnit::Millisecond => Arc::new(TimestampMillisecondArray::from(scaled(1_000)).with_timezone_opt(zone)),
            _ => Arc::new(TimestampNanosecondArray::from(scaled(1_000_000_000)).with_timezone_opt(zone)),
        }
    })
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(300))]

    #[test]
    fn exact_keys_are_what_a_scan_of_the_column_finds(
        array in column(),
        rows in 1_usize..6,
        is_instant in any::<bool>(),
        zone in prop_oneof![3 => Just("Europe/Berlin"), 1 => Just("UTC"), 1 => Just("+05:30")],
    ) {
        let kind = if is_instant { KeyKind::TimestampTz } else { KeyKind::Timestamp };
        let zone = Zone::parse(zone).unwrap();
        let file = File::of_columns(vec![("t", array)], rows);
        for (told, scan) in spans(&file, kind, &zone).into_iter().zip(scanned(&file, kind, &zone)) {
            if let RowGroupKeys::Exact { span, unkeyed } = told {
                prop_assert_eq!((span, unkeyed), scan);
            }
        }
    }
}
