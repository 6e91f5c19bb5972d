//! Tests of time keys, array type by array type.

use std::sync::Arc;

use arrow_array::{
    ArrayRef, Date32Array, Date64Array, Decimal128Array, DictionaryArray, Int8Array, LargeStringArray, NullArray,
    StringArray, StringViewArray, TimestampMicrosecondArray, TimestampMillisecondArray, TimestampNanosecondArray,
    TimestampSecondArray, UInt64Array, types::Int32Type,
};
use proptest::prelude::*;

use super::*;
use crate::model::Zone;

/// 2024-01-31 12:00 in microseconds since 2000.
const NOON: i64 = 8_796 * MICROS_PER_DAY + MICROS_PER_DAY / 2;
/// The same in seconds since 1970.
const NOON_UNIX: i64 = 1_706_702_400;
const HOUR: i64 = 3_600 * MICROS_PER_SECOND;

fn berlin() -> Zone {
    Zone::parse("Europe/Berlin").unwrap()
}

fn keys(array: &dyn Array, kind: KeyKind) -> Vec<Option<i64>> {
    stored_keys(array, kind, &berlin().into()).unwrap().iter().collect()
}

fn reason(array: &dyn Array, kind: KeyKind) -> String {
    stored_keys(array, kind, &berlin().into()).unwrap_err().reason
}

#[test]
fn texts_of_every_layout_give_the_same_keys() {
    let texts = vec![Some("2024-01-31 12:00"), None, Some("2024-01-31T12:00:00Z")];
    let dictionary: DictionaryArray<Int32Type> = texts.iter().copied().collect();
    let arrays: [ArrayRef; 4] = [
        Arc::new(StringArray::from(texts.clone())),
        Arc::new(LargeStringArray::from(texts.clone())),
        Arc::new(StringViewArray::from(texts)),
        Arc::new(dictionary),
    ];
    for array in &arrays {
        assert_eq!(keys(array, KeyKind::TimestampTz), [Some(NOON - HOUR), None, Some(NOON)]);
        assert_eq!(keys(array, KeyKind::Timestamp), [Some(NOON), None, Some(NOON)]);
    }
}

#[test]
fn numbers_at_the_end_of_a_type_are_infinities_or_refused() {
    let ends = vec![i64::MAX, -i64::MAX];
    let arrays: [ArrayRef; 3] = [
        Arc::new(TimestampSecondArray::from(ends.clone())),
        Arc::new(TimestampMillisecondArray::from(ends.clone())),
        Arc::new(TimestampMicrosecondArray::from(ends.clone()).with_timezone("UTC")),
    ];
    for array in &arrays {
        assert_eq!(keys(array, KeyKind::TimestampTz), [Some(i64::MAX), Some(i64::MIN)]);
        assert_eq!(keys(array, KeyKind::Date), [Some(i32::MAX.into()), Some(i32::MIN.into())]);
    }
    let days = Date32Array::from(vec![i32::MAX, -i32::MAX]);
    assert_eq!(keys(&days, KeyKind::Date), [Some(i32::MAX.into()), Some(i32::MIN.into())]);
    assert_eq!(keys(&days, KeyKind::Timestamp), [Some(i64::MAX), Some(i64::MIN)]);
    // NumPy's NaT, which is not null in the file.
    assert!(reason(&TimestampMicrosecondArray::from(vec![i64::MIN]), KeyKind::Timestamp).contains("NaT"));
    assert!(reason(&Date32Array::from(vec![i32::MIN]), KeyKind::Date).contains("NaT"));
    // The last nanosecond is a time of its own in pandas, and infinity in DuckDB.
    let lossy = Reading { lossy: true, ..Reading::utc() };
    for end in [i64::MIN, -i64::MAX, i64::MAX] {
        assert!(stored_keys(&TimestampNanosecondArray::from(vec![end]), KeyKind::Timestamp, &lossy).is_err());
    }
}

#[test]
fn a_timestamp_whose_zone_has_no_name_is_local() {
    let local = TimestampSecondArray::from(vec![NOON_UNIX]).with_timezone("");
    assert_eq!(keys(&local, KeyKind::Timestamp), [Some(NOON)]);
    assert_eq!(keys(&local, KeyKind::TimestampTz), [Some(NOON - HOUR)]);
}

#[test]
fn a_slice_of_an_array_gives_the_keys_of_the_slice() {
    let texts = StringArray::from(vec![Some("x"), None, Some("7"), Some("8")]);
    assert_eq!(keys(&texts.slice(1, 2), KeyKind::Integer), [None, Some(7)]);
}

#[test]
fn timestamps_of_every_unit_give_the_same_keys() {
    let arrays: [ArrayRef; 4] = [
        Arc::new(TimestampSecondArray::from(vec![NOON_UNIX])),
        Arc::new(TimestampMillisecondArray::from(vec![NOON_UNIX * 1_000])),
        Arc::new(TimestampMicrosecondArray::from(vec![NOON_UNIX * 1_000_000])),
        Arc::new(TimestampNanosecondArray::from(vec![NOON_UNIX * 1_000_000_000])),
    ];
    for array in &arrays {
        assert_eq!(keys(array, KeyKind::Timestamp), [Some(NOON)]);
        assert_eq!(keys(array, KeyKind::TimestampTz), [Some(NOON - HOUR)]);
    }
}

#[test]
fn an_instant_stays_one_and_becomes_local_time_where_the_key_has_no_zone() {
    let array = TimestampSecondArray::from(vec![Some(NOON_UNIX), None]).with_timezone("America/New_York");
    assert_eq!(keys(&array, KeyKind::TimestampTz), [Some(NOON), None]);
    assert_eq!(keys(&array, KeyKind::Timestamp), [Some(NOON + HOUR), None]);
}

#[test]
fn dates_are_midnight_in_the_zone() {
    let arrays: [ArrayRef; 2] = [
        Arc::new(Date32Array::from(vec![8_796 + 10_957])),
        Arc::new(Date64Array::from(vec![(NOON_UNIX - 43_200) * 1_000])),
    ];
    for array in &arrays {
        assert_eq!(keys(array, KeyKind::Date), [Some(8_796)]);
        assert_eq!(keys(array, KeyKind::Timestamp), [Some(8_796 * MICROS_PER_DAY)]);
        assert_eq!(keys(array, KeyKind::TimestampTz), [Some(8_796 * MICROS_PER_DAY - HOUR)]);
    }
}

#[test]
fn a_timestamp_becomes_a_date_only_at_midnight() {
    let local = TimestampSecondArray::from(vec![NOON_UNIX - 43_200, NOON_UNIX]);
    assert_eq!(keys(&local.slice(0, 1), KeyKind::Date), [Some(8_796)]);
    assert!(reason(&local, KeyKind::Date).contains("lose its time of day"));
    let berlin_midnight = TimestampSecondArray::from(vec![NOON_UNIX - 43_200 - 3_600]).with_timezone_utc();
    assert_eq!(keys(&berlin_midnight, KeyKind::Date), [Some(8_796)]);
    assert_eq!(stored_keys(&local, KeyKind::Date, &Reading::utc()).unwrap_err().row, 1);
}

#[test]
fn nanoseconds_that_are_no_whole_microseconds_are_refused_with_their_row() {
    for nanos in [1, -1, 1_999] {
        let array = TimestampNanosecondArray::from(vec![Some(-1_000), None, Some(nanos)]);
        let fault = stored_keys(&array, KeyKind::Timestamp, &Reading::utc()).unwrap_err();
        assert_eq!((fault.row, fault.column), (2, 0));
        assert!(fault.reason.contains("nanoseconds would be lost"), "{}", fault.reason);
    }
}

#[test]
fn integers_of_every_width_are_keys_and_too_large_ones_are_refused() {
    assert_eq!(keys(&Int8Array::from(vec![Some(-5), None]), KeyKind::Integer), [Some(-5), None]);
    let largest = 9_223_372_036_854_775_807;
    assert_eq!(keys(&UInt64Array::from(vec![largest]), KeyKind::Integer), [Some(i64::MAX)]);
    assert!(reason(&UInt64Array::from(vec![largest + 1]), KeyKind::Integer).contains("range"));
    let decimals = |value| Decimal128Array::from(vec![value]).with_precision_and_scale(38, 0).unwrap();
    assert_eq!(keys(&decimals(i128::from(i64::MIN)), KeyKind::Integer), [Some(i64::MIN)]);
    assert!(reason(&decimals(i128::from(i64::MIN) - 1), KeyKind::Integer).contains("range"));
}

#[test]
fn texts_of_integers_are_decimal_digits_only() {
    let table = ["0", " 42\t", "+7", "-0009", "9223372036854775807", "-9223372036854775808"];
    let expected = [0, 42, 7, -9, i64::MAX, i64::MIN].map(Some);
    assert_eq!(keys(&StringArray::from(table.to_vec()), KeyKind::Integer), expected);
    for text in ["", " ", "-", "1.0", "1e3", "0x10", "1_000", "9223372036854775808", "1 2", "\u{a0}1", "+-1"] {
        assert!(reason(&StringArray::from(vec![text]), KeyKind::Integer).contains("is not a value"), "{text}");
    }
}

#[test]
fn values_out_of_the_servers_range_are_refused() {
    let seconds = [i64::MAX - 1, i64::MIN + 2, 9_224_318_016_000, -210_866_803_201];
    for second in seconds {
        assert!(reason(&TimestampSecondArray::from(vec![second]), KeyKind::Timestamp).contains("range"), "{second}");
    }
    let within = TimestampSecondArray::from(vec![9_224_318_015_999, -210_866_803_200]);
    assert!(stored_keys(&within, KeyKind::Timestamp, &Reading::utc()).is_ok());
    for days in [i32::MIN + 2, i32::MAX - 1] {
        assert!(reason(&Date32Array::from(vec![days]), KeyKind::Date).contains("range"));
        assert!(reason(&Date32Array::from(vec![days]), KeyKind::TimestampTz).contains("range"));
    }
}

#[test]
fn a_fault_shows_the_beginning_of_a_long_value() {
    let text = "ä".repeat(41);
    let reason = reason(&StringArray::from(vec![text.as_str()]), KeyKind::Date);
    assert_eq!(reason, format!("\"{}\"… is not a value of type date: it is not in ISO form", "ä".repeat(40)));
}

#[test]
fn a_column_of_another_type_is_refused_and_can_not_be_a_key() {
    let pairs: [(ArrayRef, KeyKind); 3] = [
        (Arc::new(Int8Array::from(vec![1])), KeyKind::Date),
        (Arc::new(Date32Array::from(vec![1])), KeyKind::Integer),
        (Arc::new(arrow_array::Float64Array::from(vec![1.0])), KeyKind::Integer),
    ];
    for (array, kind) in &pairs {
        assert!(!can_be_key(array.data_type(), *kind, &Reading::utc()));
        assert!(reason(array, *kind).contains("cannot be read as"));
    }
    assert_eq!(keys(&NullArray::new(2), KeyKind::Date), [None, None]);
}

proptest! {
    #[test]
    fn an_instant_and_its_text_have_the_same_key(
        micros in datetime::TIMESTAMP_MIN / 2..datetime::TIMESTAMP_END / 2,
    ) {
        let unix = micros - UNIX_EPOCH_DAYS * MICROS_PER_DAY;
        let instant = TimestampMicrosecondArray::from(vec![unix]).with_timezone_utc();
        let text = StringArray::from(vec![datetime::format_timestamptz(micros)]);
        prop_assert_eq!(keys(&instant, KeyKind::TimestampTz), keys(&text, KeyKind::TimestampTz));
    }

    #[test]
    fn local_time_in_a_zone_goes_to_the_instant_and_back(unix in -4_000_000_000_i64..8_000_000_000) {
        let local = TimestampSecondArray::from(vec![unix]);
        let instant = keys(&local, KeyKind::TimestampTz)[0].unwrap();
        let seconds = instant / MICROS_PER_SECOND - UNIX_EPOCH_DAYS * 86_400;
        let array = TimestampSecondArray::from(vec![seconds]).with_timezone_utc();
        let back = keys(&array, KeyKind::Timestamp)[0].unwrap();
        let expected = (unix + UNIX_EPOCH_DAYS * 86_400) * MICROS_PER_SECOND;
        // A time in the gap of spring comes back an hour later.
        prop_assert!(back == expected || back == expected + HOUR);
    }
}

#[test]
fn rows_without_a_key_are_null_and_told_where_they_may_be() {
    let texts = StringArray::from(vec![Some("2024-01-01"), None, Some("soon"), Some("2024-01-02"), Some("later")]);
    let mut faults = Vec::new();
    let keys = stored_keys_or_null(&texts, KeyKind::Date, &Reading::utc(), &mut faults).unwrap();
    assert_eq!(keys.iter().map(|key| key.is_some()).collect::<Vec<_>>(), [true, false, false, true, false]);
    assert_eq!(faults.iter().map(|fault| fault.row).collect::<Vec<_>>(), [2, 4]);
    let floats = arrow_array::Float64Array::from(vec![1.0]);
    assert!(stored_keys_or_null(&floats, KeyKind::Date, &Reading::utc(), &mut faults).is_err());
}

#[test]
fn only_types_whose_values_have_keys_side_by_side_lack_none_between_two() {
    let times = |unit| DataType::Timestamp(unit, None);
    assert!(may_lack_keys_inside(&times(TimeUnit::Nanosecond), KeyKind::Timestamp, &Reading::utc()));
    assert!(may_lack_keys_inside(&times(TimeUnit::Microsecond), KeyKind::Date, &Reading::utc()));
    assert!(may_lack_keys_inside(&DataType::Utf8, KeyKind::Integer, &Reading::utc()));
    assert!(!may_lack_keys_inside(&times(TimeUnit::Microsecond), KeyKind::TimestampTz, &Reading::utc()));
    assert!(!may_lack_keys_inside(&DataType::Date32, KeyKind::Date, &Reading::utc()));
    assert!(!may_lack_keys_inside(&DataType::UInt64, KeyKind::Integer, &Reading::utc()));
}
