//! Blocks of batches of every kind of array: what an independent reader finds in them is what was put in.

use std::sync::Arc;

use arrow_array::builder::{Int32Builder, ListBuilder};
use arrow_array::cast::AsArray;
use arrow_array::types::{Decimal128Type, Float64Type, Int64Type, UInt64Type};
use arrow_array::{
    Array, ArrayRef, BinaryArray, BooleanArray, Date32Array, Decimal128Array, FixedSizeBinaryArray, Float32Array,
    Float64Array, Int8Array, Int16Array, Int32Array, Int64Array, NullArray, RecordBatch, StringArray, StringViewArray,
    Time64MicrosecondArray, TimestampMicrosecondArray, TimestampMillisecondArray, TimestampNanosecondArray,
    UInt32Array, UInt64Array,
};
use arrow_schema::{Field, Schema};
use pgbackfill::Zone;
use pgbackfill::encode::{BlockBuilder, ColumnPlan, CopyFormat, Encoder, Role, Support, support};
use pgbackfill::model::{Block, RowHash};
use pgbackfill::schema::{PgKind, PgType};

use super::Feed;
use super::copy_binary::{check_field, numeric, read_tuples};
use super::single::pg;

/// Bytes that choose columns and rows, then values.
pub(crate) fn check(data: &[u8]) {
    let mut feed = Feed(data);
    let (columns, rows) = (usize::from(feed.byte() % 4) + 1, usize::from(feed.byte() % 70));
    let mut arrays: Vec<ArrayRef> = Vec::new();
    let mut targets = Vec::new();
    for _ in 0..columns {
        let target = targets_of().swap_remove(usize::from(feed.byte()) % targets_of().len());
        let array = array(&mut feed, rows);
        if matches!(support(array.data_type(), &target), Support::Binary { .. }) {
            arrays.push(array);
            targets.push(target);
        }
    }
    if arrays.is_empty() {
        return;
    }
    let hashed = usize::from(feed.byte()) % (arrays.len() + 1);
    let binary = encode(&arrays, &targets, hashed, CopyFormat::Binary);
    let text = encode(&arrays, &targets, hashed, CopyFormat::Text);
    assert_eq!(binary.is_some(), text.is_some(), "both forms refuse the same");
    let (Some(binary), Some(text)) = (binary, text) else { return };
    assert_eq!((binary.rows, binary.hash), (text.rows, text.hash), "both forms are the same rows");
    assert_eq!(text.bytes.split(|byte| *byte == b'\n').count(), rows + 1, "a line for each row");
    judge(&binary, &arrays, &targets, hashed, rows);
}

fn judge(block: &Block, arrays: &[ArrayRef], targets: &[PgType], hashed: usize, rows: usize) {
    let tuples = read_tuples(&block.bytes, arrays.len()).expect("a block is whole tuples");
    assert_eq!((tuples.len(), block.rows), (rows, rows as u64)); // usize has at most 64 bits
    let mut hash = RowHash::default();
    for (row, tuple) in tuples.iter().enumerate() {
        let mut fields = Vec::new();
        for (at, field) in tuple.iter().enumerate() {
            let is_null = arrays[at].is_null(row) || arrays[at].data_type().is_null();
            assert_eq!(field.is_none(), is_null, "row {row} of {}", targets[at]);
            if let Some(field) = field {
                check_field(field, &targets[at]).unwrap_or_else(|fault| panic!("{fault}: row {row}"));
                compare(field, &arrays[at], row, &targets[at]);
            }
            if at < hashed {
                let length = field.map_or(-1, |field| i32::try_from(field.len()).expect("a field is short"));
                fields.extend_from_slice(&length.to_be_bytes());
                fields.extend_from_slice(field.unwrap_or_default());
            }
        }
        hash += RowHash::of_row(&fields);
    }
    assert_eq!(block.hash, hash, "the hash is of the rows' hashed fields");
}

/// Compares a value with its field, where both say it plainly.
fn compare(field: &[u8], array: &ArrayRef, row: usize, target: &PgType) {
    let int64 = || i64::from_be_bytes(field.try_into().expect("the length was judged before"));
    let integer = array.as_primitive_opt::<Int64Type>().map(|array| i128::from(array.value(row)));
    let unsigned = array.as_primitive_opt::<UInt64Type>().map(|array| i128::from(array.value(row)));
    match &target.kind {
        PgKind::Int8 => {
            if let Some(value) = integer.or(unsigned) {
                assert_eq!(i128::from(int64()), value, "an integer as bigint");
            }
        }
        PgKind::Float8 => {
            if let Some(value) = array.as_primitive_opt::<Float64Type>().map(|array| array.value(row)) {
                let stored = f64::from_bits(int64().cast_unsigned());
                assert!(stored.to_bits() == value.to_bits() || (stored.is_nan() && value.is_nan()), "{value}");
            }
        }
        PgKind::Text => {
            if let Some(array) = array.as_string_opt::<i32>() {
                assert_eq!(array.value(row).as_bytes(), field, "a text as text");
            }
        }
        PgKind::Bytea => {
            if let Some(array) = array.as_binary_opt::<i32>() {
                assert_eq!(array.value(row), field, "bytes as bytea");
            }
        }
        PgKind::Numeric(None) => {
            let decimal = array.as_primitive_opt::<Decimal128Type>().map(|array| array.value(row));
            let scaled = decimal.or_else(|| integer.or(unsigned).and_then(|value| value.checked_mul(1_000)));
            if let Some(scaled) = scaled {
                assert_eq!(thousandths(field), Some(scaled), "a number as numeric");
            }
        }
        _ => {}
    }
}

/// A numeric of at most three decimal places, times 1,000.
fn thousandths(field: &[u8]) -> Option<i128> {
    let number = numeric(field).expect("it was judged before");
    let mut sum = 0_i128;
    for (at, digit) in number.digits.iter().enumerate() {
        let weight = i32::from(number.weight) - i32::try_from(at).ok()?;
        let digit = i128::from(*digit);
        sum += match u32::try_from(weight) {
            Ok(weight) => digit.checked_mul(10_000_i128.checked_pow(weight)?)?.checked_mul(1_000)?,
            Err(_) if weight == -1 && digit % 10 == 0 => digit / 10,
            Err(_) => return None,
        };
    }
    Some(if number.sign == 0x4000 { -sum } else { sum })
}

fn encode(arrays: &[ArrayRef], targets: &[PgType], hashed: usize, format: CopyFormat) -> Option<Block> {
    let plan = |(array, target): (&ArrayRef, &PgType)| ColumnPlan {
        name: "v".to_owned(),
        source: array.data_type().clone(),
        target: target.clone(),
        role: Role::Value,
    };
    let plans = arrays.iter().zip(targets).map(plan).collect();
    let mut encoder = Encoder::try_new(plans, hashed, format, Zone::UTC).expect("every pair is supported");
    let field = |(at, array): (usize, &ArrayRef)| Field::new(format!("c{at}"), array.data_type().clone(), true);
    let schema = Arc::new(Schema::new(arrays.iter().enumerate().map(field).collect::<Vec<_>>()));
    let batch = RecordBatch::try_new(schema, arrays.to_vec()).expect("columns of one length");
    let mut builder = BlockBuilder::new(64);
    match encoder.encode(&batch, &mut builder) {
        Ok(()) => Some(builder.finish()),
        Err(fault) => {
            assert!(fault.row < batch.num_rows() && fault.column < arrays.len(), "{fault:?}");
            assert_eq!((builder.rows(), builder.bytes()), (0, 0), "a builder is as it was");
            None
        }
    }
}

fn targets_of() -> Vec<PgType> {
    let labels: Arc<[String]> = ["", "a", "b c"].map(str::to_owned).into();
    let array =
        |element: PgType| PgType { oid: 1, name: format!("{element}[]"), kind: PgKind::Array(Box::new(element)) };
    vec![
        pg("boolean", PgKind::Bool),
        pg("smallint", PgKind::Int2),
        pg("integer", PgKind::Int4),
        pg("bigint", PgKind::Int8),
        pg("real", PgKind::Float4),
        pg("double precision", PgKind::Float8),
        pg("numeric", PgKind::Numeric(None)),
        pg("numeric(12,3)", PgKind::Numeric(Some((12, 3)))),
        pg("numeric(5,-2)", PgKind::Numeric(Some((5, -2)))),
        pg("text", PgKind::Text),
        pg("varchar(4)", PgKind::Varchar(Some(4))),
        pg("char(4)", PgKind::Char(Some(4))),
        pg("bytea", PgKind::Bytea),
        pg("date", PgKind::Date),
        pg("time", PgKind::Time(None)),
        pg("timestamp", PgKind::Timestamp(None)),
        pg("timestamptz", PgKind::TimestampTz(None)),
        pg("interval", PgKind::Interval(None)),
        pg("uuid", PgKind::Uuid),
        pg("json", PgKind::Json),
        pg("jsonb", PgKind::Jsonb),
        pg("mood", PgKind::Enum(labels)),
        array(pg("integer", PgKind::Int4)),
        array(pg("text", PgKind::Text)),
    ]
}

/// An array of `rows` values, one in eight of them null.
fn array(feed: &mut Feed<'_>, rows: usize) -> ArrayRef {
    fn values<T>(feed: &mut Feed<'_>, rows: usize, mut one: impl FnMut(&mut Feed<'_>) -> T) -> Vec<Option<T>> {
        (0..rows).map(|_| (feed.byte() % 8 != 7).then(|| one(feed))).collect()
    }
    let int64 = |feed: &mut Feed<'_>| i64::from_be_bytes(feed.array());
    let bytes = |feed: &mut Feed<'_>| {
        let count = usize::from(feed.byte() % 24);
        feed.bytes(count).to_vec()
    };
    let text = |feed: &mut Feed<'_>| String::from_utf8_lossy(&bytes(feed)).into_owned();
    match feed.byte() % 21 {
        0 => Arc::new(BooleanArray::from(values(feed, rows, |feed| feed.byte() % 2 == 1))),
        1 => Arc::new(Int8Array::from(values(feed, rows, |feed| feed.byte().cast_signed()))),
        2 => Arc::new(Int16Array::from(values(feed, rows, |feed| i16::from_be_bytes(feed.array())))),
        3 => Arc::new(Int32Array::from(values(feed, rows, |feed| i32::from_be_bytes(feed.array())))),
        4 => Arc::new(Int64Array::from(values(feed, rows, int64))),
        5 => Arc::new(UInt32Array::from(values(feed, rows, |feed| u32::from_be_bytes(feed.array())))),
        6 => Arc::new(UInt64Array::from(values(feed, rows, |feed| int64(feed).cast_unsigned()))),
        7 => Arc::new(Float32Array::from(values(feed, rows, |feed| f32::from_be_bytes(feed.array())))),
        8 => Arc::new(Float64Array::from(values(feed, rows, |feed| f64::from_be_bytes(feed.array())))),
        9 => {
            // Within what 38 digits hold.
            let digits = values(feed, rows, |feed| i128::from_be_bytes(feed.array()) / 2);
            Arc::new(Decimal128Array::from(digits).with_precision_and_scale(38, 3).expect("a scale of three"))
        }
        10 => Arc::new(StringArray::from(values(feed, rows, text))),
        11 => Arc::new(values(feed, rows, text).into_iter().collect::<StringViewArray>()),
        12 => Arc::new(values(feed, rows, bytes).into_iter().collect::<BinaryArray>()),
        13 => {
            let values = values(feed, rows, |feed| u128::from_be_bytes(feed.array()).to_be_bytes());
            let array = FixedSizeBinaryArray::try_from_sparse_iter_with_size(values.into_iter(), 16);
            Arc::new(array.expect("values of one width"))
        }
        14 => Arc::new(Date32Array::from(values(feed, rows, |feed| i32::from_be_bytes(feed.array())))),
        15 => Arc::new(Time64MicrosecondArray::from(values(feed, rows, |feed| int64(feed) % 100_000_000_000))),
        16 => Arc::new(TimestampMicrosecondArray::from(values(feed, rows, int64)).with_timezone("UTC")),
        17 => Arc::new(TimestampMillisecondArray::from(values(feed, rows, int64))),
        18 => Arc::new(TimestampNanosecondArray::from(values(feed, rows, |feed| int64(feed).wrapping_mul(1_000)))),
        19 => {
            let mut lists = ListBuilder::new(Int32Builder::new());
            for _ in 0..rows {
                let count = feed.byte();
                (0..count % 5).for_each(|_| lists.values().append_option(Some(i32::from(feed.byte()))));
                lists.append(count % 8 != 7);
            }
            Arc::new(lists.finish())
        }
        _ => Arc::new(NullArray::new(rows)),
    }
}
