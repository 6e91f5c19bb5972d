//! What whole batches become: tuples, hashes, lines and faults.

use std::sync::Arc;

use arrow_array::builder::{FixedSizeListBuilder, Int32Builder, ListBuilder, StringBuilder};
use arrow_array::types::Int32Type;
use arrow_array::{
    Array, ArrayRef, BinaryArray, Date32Array, DictionaryArray, DurationMillisecondArray, FixedSizeBinaryArray,
    FixedSizeListArray, Float64Array, Int32Array, Int64Array, LargeStringArray, ListArray, NullArray, RecordBatch,
    StringArray, StringViewArray, Time64NanosecondArray, TimestampMicrosecondArray, TimestampNanosecondArray,
};
use arrow_buffer::{NullBuffer, OffsetBuffer};
use arrow_schema::{DataType, Field, Schema};

use super::*;
use crate::model::{Block, RowHash, Zone};
use crate::schema::{PgKind, PgType, ValueFault};

/// Bytes as the server prints them, without `\x`.
pub(super) fn hex(bytes: &[u8]) -> String {
    bytes.iter().map(|byte| format!("{byte:02x}")).collect::<Vec<_>>().concat()
}

fn pg(name: &str, kind: PgKind) -> PgType {
    PgType { oid: 23, name: name.to_owned(), kind }
}

fn array_of(element: PgType) -> PgType {
    PgType { oid: 1, name: format!("{element}[]"), kind: PgKind::Array(Box::new(element)) }
}

fn text() -> PgType {
    pg("text", PgKind::Text)
}

fn batch(columns: &[(ArrayRef, PgType)]) -> RecordBatch {
    let fields: Vec<_> = columns
        .iter()
        .enumerate()
        .map(|(at, (array, _))| Field::new(format!("c{at}"), array.data_type().clone(), true))
        .collect();
    let arrays = columns.iter().map(|(array, _)| Arc::clone(array)).collect();
    RecordBatch::try_new(Arc::new(Schema::new(fields)), arrays).unwrap()
}

fn plans(columns: &[(ArrayRef, PgType)]) -> Vec<ColumnPlan> {
    let plan = |(array, target): &(ArrayRef, PgType)| ColumnPlan {
        name: "v".into(),
        source: array.data_type().clone(),
        target: target.clone(),
        role: Role::Value,
    };
    columns.iter().map(plan).collect()
}

fn encode(columns: &[(ArrayRef, PgType)], hashed: usize, format: CopyFormat) -> Result<Block, ValueFault> {
    let mut encoder = Encoder::try_new(plans(columns), hashed, format, Zone::UTC).unwrap();
    let mut out = BlockBuilder::new(1024);
    encoder.encode(&batch(columns), &mut out)?;
    Ok(out.finish())
}

/// The fields of a one-column batch, nulls as `None`.
fn fields(array: impl Array + 'static, target: PgType) -> Result<Vec<Option<Vec<u8>>>, String> {
    let block = encode(&[(Arc::new(array), target)], 1, CopyFormat::Binary).map_err(|fault| fault.reason)?;
    let (mut rest, mut fields) = (&block.bytes[..], Vec::new());
    while let Some((head, tail)) = rest.split_at_checked(6) {
        assert_eq!(head[..2], [0, 1]);
        let length = i32::from_be_bytes(head[2..].try_into().unwrap());
        let held = usize::try_from(length).ok();
        let (field, after) = tail.split_at(held.unwrap_or(0));
        fields.push(held.map(|_| field.to_vec()));
        rest = after;
    }
    Ok(fields)
}

fn lines(columns: &[(ArrayRef, PgType)]) -> String {
    String::from_utf8(encode(columns, 0, CopyFormat::Text).unwrap().bytes.to_vec()).unwrap()
}

fn mixed() -> Vec<(ArrayRef, PgType)> {
    vec![
        (Arc::new(StringArray::from(vec![Some("ab"), None])), text()),
        (Arc::new(Int32Array::from(vec![Some(7), Some(-1)])), pg("bigint", PgKind::Int8)),
        (Arc::new(Float64Array::from(vec![None, Some(-0.0)])), pg("double precision", PgKind::Float8)),
    ]
}

#[test]
fn a_batch_becomes_tuples_with_nulls_as_minus_one() {
    let block = encode(&mixed(), 3, CopyFormat::Binary).unwrap();
    let mut expected = Vec::new();
    expected.extend_from_slice(b"\0\x03\0\0\0\x02ab\0\0\0\x08\0\0\0\0\0\0\0\x07\xff\xff\xff\xff");
    expected.extend_from_slice(
        b"\0\x03\xff\xff\xff\xff\0\0\0\x08\xff\xff\xff\xff\xff\xff\xff\xff\0\0\0\x08\x80\0\0\0\0\0\0\0",
    );
    assert_eq!(block.bytes, expected);
    assert_eq!(block.rows, 2);
}

#[test]
fn the_hash_covers_the_first_fields_and_not_the_count() {
    let block = encode(&mixed(), 2, CopyFormat::Binary).unwrap();
    let first = RowHash::of_row(b"\0\0\0\x02ab\0\0\0\x08\0\0\0\0\0\0\0\x07");
    let second = RowHash::of_row(b"\xff\xff\xff\xff\0\0\0\x08\xff\xff\xff\xff\xff\xff\xff\xff");
    assert_eq!(block.hash, first + second);
}

#[test]
fn the_hash_is_the_same_in_either_format() {
    let [binary, text] = [CopyFormat::Binary, CopyFormat::Text].map(|format| encode(&mixed(), 2, format).unwrap());
    assert_eq!(binary.hash, text.hash);
    assert_eq!(text.bytes, "ab\t7\t\\N\n\\N\t-1\t-0\n".as_bytes());
}

#[test]
fn many_groups_of_rows_encode_as_one_row_at_a_time_would() {
    let numbers: Vec<_> = (0..3000).map(|row| (row % 7 != 3).then_some(row)).collect();
    let texts: Vec<_> =
        numbers.iter().map(|row| row.map(|row| "x".repeat(usize::try_from(row).unwrap() % 300))).collect();
    let columns: Vec<(ArrayRef, PgType)> = vec![
        (Arc::new(StringArray::from(texts)), text()),
        (Arc::new(Int32Array::from(numbers.clone())), pg("numeric", PgKind::Numeric(None))),
        (Arc::new(Int32Array::from(numbers)), pg("integer", PgKind::Int4)),
    ];
    let whole = batch(&columns);
    let mut encoder = Encoder::try_new(plans(&columns), 3, CopyFormat::Binary, Zone::UTC).unwrap();
    let [mut at_once, mut by_row] = [0, 1 << 20].map(BlockBuilder::new);
    encoder.encode(&whole, &mut at_once).unwrap();
    for row in 0..whole.num_rows() {
        encoder.encode(&whole.slice(row, 1), &mut by_row).unwrap();
    }
    assert_eq!((at_once.rows(), at_once.bytes()), (3000, by_row.bytes()));
    let [at_once, by_row] = [at_once.finish(), by_row.finish()];
    assert_eq!(at_once.bytes, by_row.bytes);
    assert_eq!(at_once.hash, by_row.hash);
}

#[test]
fn a_fault_names_row_and_column_and_leaves_the_block_as_it_was() {
    let mut values = vec![1; 2000];
    values[1500] = 99_999;
    let columns: Vec<(ArrayRef, PgType)> = vec![
        (Arc::new(NullArray::new(2000)), text()),
        (Arc::new(Int32Array::from(values)), pg("smallint", PgKind::Int2)),
    ];
    let mut encoder = Encoder::try_new(plans(&columns), 2, CopyFormat::Binary, Zone::UTC).unwrap();
    let mut out = BlockBuilder::new(0);
    encoder.encode(&batch(&columns).slice(0, 10), &mut out).unwrap();
    let before = (out.rows(), out.bytes());
    let fault = encoder.encode(&batch(&columns), &mut out).unwrap_err();
    assert_eq!(fault, ValueFault { row: 1500, column: 1, reason: "99999 is out of range for smallint".into() });
    assert_eq!((out.rows(), out.bytes()), before);
    let mut alone = BlockBuilder::new(0);
    encoder.encode(&batch(&columns).slice(0, 10), &mut alone).unwrap();
    assert_eq!(out.finish().hash, alone.finish().hash);
}

/// The rows that `encode_good` leaves out, and the block of the others.
fn encode_good(columns: &[(ArrayRef, PgType)], format: CopyFormat) -> (Vec<ValueFault>, Block) {
    let mut encoder = Encoder::try_new(plans(columns), 1, format, Zone::UTC).unwrap();
    let (mut out, mut faults) = (BlockBuilder::new(1024), Vec::new());
    encoder.encode_good(&batch(columns), &mut out, &mut faults).unwrap();
    (faults, out.finish())
}

#[test]
fn good_rows_are_encoded_as_if_the_others_were_not_there_wherever_those_stand() {
    const ROWS: usize = 5000;
    let scattered = |row: usize| row.is_multiple_of(97) || (1020..1030).contains(&row) || row == ROWS - 1;
    let patterns: [fn(usize) -> bool; 5] =
        [|_| false, |_| true, |row| row == 4096, |row| row % 2 == 0, |row| row < 1024];
    for is_bad in patterns.into_iter().chain([scattered as fn(usize) -> bool]) {
        // A row may be at fault in either column, or in both.
        let first = |row: usize| if is_bad(row) && row % 3 != 1 { "x".to_owned() } else { row.to_string() };
        let second = |row: usize| if is_bad(row) && !row.is_multiple_of(3) { "y".to_owned() } else { "7".to_owned() };
        let columns = |rows: &[usize]| -> Vec<(ArrayRef, PgType)> {
            let texts =
                |text: &dyn Fn(usize) -> String| StringArray::from_iter_values(rows.iter().map(|row| text(*row)));
            let target = || pg("integer", PgKind::Int4);
            vec![(Arc::new(texts(&first)), target()), (Arc::new(texts(&second)), target())]
        };
        let (bad, good): (Vec<usize>, Vec<usize>) = (0..ROWS).partition(|row| is_bad(*row));
        for format in [CopyFormat::Binary, CopyFormat::Text] {
            let (faults, block) = encode_good(&columns(&(0..ROWS).collect::<Vec<_>>()), format);
            assert_eq!(faults.iter().map(|fault| fault.row).collect::<Vec<_>>(), bad);
            let expected = encode(&columns(&good), 1, format).unwrap();
            assert_eq!((block.rows, block.hash, block.bytes), (expected.rows, expected.hash, expected.bytes));
        }
    }
}

#[test]
fn bytes_that_are_no_text_are_left_out_row_by_row() {
    let values: Vec<&[u8]> = (0..3000).map(|row| if row % 1000 == 999 { &b"\xff"[..] } else { b"ok" }).collect();
    let (faults, block) = encode_good(&[(Arc::new(BinaryArray::from_vec(values)), text())], CopyFormat::Binary);
    assert_eq!(faults.iter().map(|fault| fault.row).collect::<Vec<_>>(), [999, 1999, 2999]);
    assert_eq!(block.rows, 2997);
}

#[test]
fn a_batch_of_another_shape_than_planned_is_a_fault() {
    let columns = mixed();
    let mut encoder = Encoder::try_new(plans(&columns), 0, CopyFormat::Binary, Zone::UTC).unwrap();
    let mut out = BlockBuilder::new(0);
    let fault = encoder.encode(&batch(&columns[..2]), &mut out).unwrap_err();
    assert_eq!(fault.reason, "the batch has 2 columns, not 3");
    let other = vec![columns[1].clone(), columns[1].clone(), columns[2].clone()];
    let fault = encoder.encode(&batch(&other), &mut out).unwrap_err();
    assert_eq!((fault.column, fault.reason.as_str()), (0, "the batch holds Int32 where Utf8 was planned"));
}

#[test]
fn texts_are_the_same_in_every_arrow_type() {
    let plain = fields(StringArray::from(vec![Some("12"), None, Some("3")]), pg("integer", PgKind::Int4)).unwrap();
    assert_eq!(plain, [Some(vec![0, 0, 0, 12]), None, Some(vec![0, 0, 0, 3])]);
    let dictionary: DictionaryArray<Int32Type> = [Some("12"), None, Some("3")].into_iter().collect();
    let arrays: [ArrayRef; 3] = [
        Arc::new(LargeStringArray::from(vec![Some("12"), None, Some("3")])),
        Arc::new(StringViewArray::from(vec![Some("12"), None, Some("3")])),
        Arc::new(dictionary),
    ];
    for array in arrays {
        assert_eq!(fields(array, pg("integer", PgKind::Int4)).as_ref(), Ok(&plain));
    }
}

#[test]
fn bytes_become_text_only_where_they_are_utf8() {
    let bytes = |value: &'static [u8]| BinaryArray::from(vec![Some(value), None]);
    assert_eq!(fields(bytes("é".as_bytes()), text()), Ok(vec![Some("é".into()), None]));
    assert_eq!(fields(bytes(b"a\xff"), text()), Err("its byte 1 is not UTF-8".into()));
    assert_eq!(fields(bytes(b"a\xff"), pg("bytea", PgKind::Bytea)), Ok(vec![Some(b"a\xff".to_vec()), None]));
    let id = FixedSizeBinaryArray::try_from_iter([[7_u8; 16]].into_iter()).unwrap();
    assert_eq!(fields(id, pg("uuid", PgKind::Uuid)), Ok(vec![Some(vec![7; 16])]));
}

#[test]
fn stored_keys_are_sent_as_they_are_or_rounded_to_the_modifier() {
    let key = |target: PgType, key: i64| {
        let array: ArrayRef = Arc::new(Int64Array::from(vec![key]));
        let columns = [(array, target)];
        let mut plans = plans(&columns);
        plans[0].role = Role::StoredKey;
        let mut encoder = Encoder::try_new(plans, 1, CopyFormat::Binary, Zone::UTC).unwrap();
        let mut out = BlockBuilder::new(0);
        encoder
            .encode(&batch(&columns), &mut out)
            .map(|()| out.finish().bytes[6..].to_vec())
            .map_err(|fault| fault.reason)
    };
    assert_eq!(key(pg("timestamptz", PgKind::TimestampTz(None)), 1_500_001), Ok(1_500_001_i64.to_be_bytes().into()));
    assert_eq!(key(pg("timestamp(0)", PgKind::Timestamp(Some(0))), 1_500_001), Ok(2_000_000_i64.to_be_bytes().into()));
    assert_eq!(key(pg("timestamp(0)", PgKind::Timestamp(Some(0))), i64::MAX), Ok(i64::MAX.to_be_bytes().into()));
    assert_eq!(key(pg("date", PgKind::Date), -1), Ok((-1_i32).to_be_bytes().into()));
    assert_eq!(key(pg("smallint", PgKind::Int2), 40_000), Err("40000 is out of range for smallint".into()));
}

#[test]
fn dates_and_times_are_stored_exactly_or_not_at_all() {
    let stored = |micros: i64| Ok(vec![Some(micros.to_be_bytes().to_vec())]);
    let epoch = -946_684_800_000_000; // 1970 in microseconds since 2000
    let timestamptz = || pg("timestamptz", PgKind::TimestampTz(None));
    assert_eq!(fields(TimestampMicrosecondArray::from(vec![1]).with_timezone("UTC"), timestamptz()), stored(epoch + 1));
    assert_eq!(fields(StringArray::from(vec!["1970-01-01 01:00+01"]), timestamptz()), stored(epoch));
    assert_eq!(fields(Date32Array::from(vec![0]), pg("timestamp", PgKind::Timestamp(None))), stored(epoch));
    assert!(fields(TimestampNanosecondArray::from(vec![1]), timestamptz()).is_err());
    assert_eq!(
        fields(Time64NanosecondArray::from(vec![1_500]), pg("time", PgKind::Time(None))),
        Err("1500 ns is not a whole number of microseconds".into())
    );
    assert_eq!(
        fields(Time64NanosecondArray::from(vec![86_400_000_000_000]), pg("time", PgKind::Time(None))),
        stored(86_400_000_000)
    );
    let span = fields(DurationMillisecondArray::from(vec![-1]), pg("interval", PgKind::Interval(None))).unwrap();
    assert_eq!(span[0].as_deref(), Some(&[&(-1_000_i64).to_be_bytes()[..], &[0; 8]].concat()[..]));
    let fault = fields(StringArray::from(vec!["soon"]), pg("date", PgKind::Date)).unwrap_err();
    assert!(fault.starts_with("\"soon\" is not a value of type date: "), "{fault}");
}

#[test]
fn lists_and_array_literals_become_the_same_arrays() {
    let mut lists = ListBuilder::new(Int32Builder::new());
    lists.append_value([Some(1), None]);
    lists.append_null();
    lists.append_value([]);
    let integers = || array_of(pg("integer", PgKind::Int4));
    let from_lists = fields(lists.finish(), integers()).unwrap();
    assert_eq!(
        fields(StringArray::from(vec![Some("{1,NULL}"), None, Some("{}")]), integers()).as_ref(),
        Ok(&from_lists)
    );
    let words = [1, 1, 23, 2, 1, 4, 1, -1].map(i32::to_be_bytes).concat();
    assert_eq!(from_lists, [Some(words), None, Some([0, 0, 23].map(i32::to_be_bytes).concat())]);
}

#[test]
fn elements_of_null_lists_are_left_out() {
    let values = Int32Array::from(vec![1, 99_999, 2, 3]);
    let item = Arc::new(Field::new_list_field(DataType::Int32, true));
    let valid = NullBuffer::from(vec![true, false, true]);
    let list = ListArray::new(item, OffsetBuffer::from_lengths([1, 1, 2]), Arc::new(values), Some(valid));
    let smallints = || array_of(pg("smallint", PgKind::Int2));
    let expected = fields(StringArray::from(vec![Some("{1}"), None, Some("{2,3}")]), smallints()).unwrap();
    assert_eq!(fields(list.clone(), smallints()).as_ref(), Ok(&expected));
    assert_eq!(fields(list.slice(1, 2), smallints()).as_deref(), Ok(&expected[1..]));
    let mut fixed = FixedSizeListBuilder::new(Int32Builder::new(), 1);
    fixed.values().append_value(99_999);
    fixed.append(false);
    fixed.values().append_value(4);
    fixed.append(true);
    let fixed: FixedSizeListArray = fixed.finish();
    let expected = fields(StringArray::from(vec![None, Some("{4}")]), smallints());
    assert_eq!(fields(fixed, smallints()), expected);
}

#[test]
fn a_fault_in_an_array_names_the_row_of_the_array() {
    let texts: Vec<_> = (0..40).map(|row| if row == 35 { "{1,x}" } else { "{1,2}" }).collect();
    let target = array_of(pg("integer", PgKind::Int4));
    let array: ArrayRef = Arc::new(StringArray::from(texts));
    let fault = encode(&[(array, target.clone())], 1, CopyFormat::Binary).unwrap_err();
    assert_eq!((fault.row, fault.reason.as_str()), (35, "\"x\" is not an integer"));
    let mut lists = ListBuilder::new(StringBuilder::new());
    for row in 0..40 {
        lists.append_value([Some("1"), Some(if row == 38 { "y" } else { "2" })]);
    }
    let array: ArrayRef = Arc::new(lists.finish());
    let fault = encode(&[(array, target)], 1, CopyFormat::Binary).unwrap_err();
    assert_eq!((fault.row, fault.reason.as_str()), (38, "\"y\" is not an integer"));
}

#[test]
fn lines_escape_what_would_end_a_value() {
    let column =
        |value: &str, target: PgType| -> (ArrayRef, PgType) { (Arc::new(StringArray::from(vec![value])), target) };
    assert_eq!(lines(&[column("a\tb\\\r\n", text()), column("\\N", text())]), "a\\tb\\\\\\r\\n\t\\\\N\n");
}

#[test]
fn lines_hold_texts_that_read_back_to_the_same_values() {
    for (kind, value, line) in [
        (PgKind::Bool, "yes", "t"),
        (PgKind::Float4, "1e6", "1e+06"),
        (PgKind::Float8, "-nan", "-NaN"),
        (PgKind::Numeric(Some((6, 2))), "1.005", "1.01"),
        (PgKind::Bytea, "a\\000", "\\\\x6100"),
        (PgKind::Jsonb, "{\"b\":1,\"a\":2}", "{\"a\": 2, \"b\": 1}"),
        (PgKind::Char(Some(3)), "a", "a  "),
        (PgKind::Uuid, "00112233-4455-6677-8899-AABBCCDDEEFF", "00112233445566778899aabbccddeeff"),
        (PgKind::Date, "2024-02-29", "2024-02-29"),
        (PgKind::Timestamp(None), "2024-02-29T06:00", "2024-02-29 06:00:00"),
        (PgKind::TimeTz(None), "06:00:00.5-05:30", "06:00:00.5-05:30:00"),
        (PgKind::Interval(None), "1 mon -2 days -00:00:01", "1 mons -2 days -00:00:01.000000"),
        (PgKind::Other, "(1,2)", "(1,2)"),
    ] {
        assert_eq!(lines(&[(Arc::new(StringArray::from(vec![value])), pg("any", kind))]), format!("{line}\n"));
    }
    let place = |column: ArrayRef| lines(&[(column, pg("geometry", PgKind::Geometry))]);
    assert_eq!(place(Arc::new(BinaryArray::from_iter_values([b"\x01\xff"]))), "01ff\n");
    assert_eq!(place(Arc::new(StringArray::from(vec!["POINT(1 2)"]))), "POINT(1 2)\n");
    let texts = array_of(text());
    for (value, line) in [
        ("{a,NULL,\"b\\\"\"}", r#"{"a",NULL,"b\\""}"#),
        ("[0:1]={{x},{y}}", ""),
        ("[0:1][1:1]={{x},{y}}", r#"[0:1][1:1]={{"x"},{"y"}}"#),
        ("{}", "{}"),
    ] {
        let columns: [(ArrayRef, PgType); 1] = [(Arc::new(StringArray::from(vec![value])), texts.clone())];
        match line {
            "" => assert!(encode(&columns, 0, CopyFormat::Text).is_err()),
            line => assert_eq!(lines(&columns), format!("{line}\n")),
        }
    }
}

#[test]
fn support_tells_binary_from_text_from_nothing() {
    let binary = Support::Binary { hashed: true };
    assert_eq!(support(&DataType::Utf8, &pg("jsonb", PgKind::Jsonb)), binary);
    assert_eq!(support(&DataType::Null, &pg("uuid", PgKind::Uuid)), binary);
    assert_eq!(support(&DataType::Utf8, &pg("xml", PgKind::Other)), Support::Text);
    assert_eq!(support(&DataType::Int64, &pg("xid", PgKind::Other)), Support::Text);
    assert_eq!(support(&DataType::Utf8, &array_of(pg("xml", PgKind::Other))), Support::Text);
    let place = pg("geometry", PgKind::Geometry);
    for source in [DataType::Utf8, DataType::Binary, DataType::LargeBinary, DataType::FixedSizeBinary(21)] {
        assert_eq!(support(&source, &place), Support::Text);
    }
    assert_eq!(support(&DataType::Int64, &place), Support::None("no rule makes geometry out of Int64".into()));
    let day = pg("interval day", PgKind::Interval(Some(8 << 16 | 0xffff)));
    assert_eq!(support(&DataType::Utf8, &day), Support::Text);
    assert_eq!(
        support(&DataType::Int8, &pg("uuid", PgKind::Uuid)),
        Support::None("no rule makes uuid out of Int8".into())
    );
}

#[test]
fn a_table_that_needs_text_is_refused_as_binary() {
    let columns: [(ArrayRef, PgType); 1] = [(Arc::new(StringArray::from(vec!["<a/>"])), pg("xml", PgKind::Other))];
    let refused = Encoder::try_new(plans(&columns), 0, CopyFormat::Binary, Zone::UTC).unwrap_err();
    assert_eq!(refused.to_string(), "xml cannot be loaded: it has no binary form here in column \"v\"");
    assert!(Encoder::try_new(plans(&columns), 0, CopyFormat::Text, Zone::UTC).is_ok());
}

#[test]
fn a_stream_is_framed_as_the_server_frames_it() {
    assert_eq!(BINARY_HEADER, *b"PGCOPY\n\xff\r\n\0\0\0\0\0\0\0\0\0");
    assert_eq!(BINARY_TRAILER, [0xff, 0xff]);
}
