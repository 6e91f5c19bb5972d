//! Rows of other formats as records of delimited text, for people to mend: comma, quotes, and null as an unquoted empty
//! field.

use std::sync::Arc;

use arrow_array::cast::AsArray;
use arrow_array::types::{
    ArrowPrimitiveType, TimestampMicrosecondType, TimestampMillisecondType, TimestampNanosecondType,
    TimestampSecondType,
};
use arrow_array::{Array, ArrayRef, RecordBatch};
use arrow_cast::display::{ArrayFormatter, FormatOptions};
use arrow_schema::{DataType, TimeUnit};

/// Appends row `row` of `batch` as a record, without a line end. `stored` gives the text of a value, by its column and an
/// array that begins with it, where that is to be another than the value's own.
pub fn print_record(
    batch: &RecordBatch,
    row: usize,
    stored: impl Fn(usize, &ArrayRef) -> Option<Vec<u8>>,
    out: &mut Vec<u8>,
) {
    for (at, column) in batch.columns().iter().enumerate() {
        if at > 0 {
            out.push(b',');
        }
        let value = column.slice(row, 1);
        if value.logical_nulls().is_some_and(|nulls| nulls.is_null(0)) {
            continue;
        }
        match stored(at, &value) {
            Some(text) => print_text(&text, !is_bare(&text), out),
            None => print_value(&value, out),
        }
    }
}

/// Appends `names` as a record, without a line end.
pub fn print_names<'a>(names: impl IntoIterator<Item = &'a str>, out: &mut Vec<u8>) {
    for (at, name) in names.into_iter().enumerate() {
        if at > 0 {
            out.push(b',');
        }
        print_field(name.as_bytes(), out);
    }
}

/// Appends the one value of `array`, which is not null. Texts are quoted whatever they hold, so that none is taken for a mark
/// of null.
fn print_value(array: &ArrayRef, out: &mut Vec<u8>) {
    match array.data_type() {
        DataType::Utf8 => print_text(array.as_string::<i32>().value(0).as_bytes(), true, out),
        DataType::LargeUtf8 => print_text(array.as_string::<i64>().value(0).as_bytes(), true, out),
        DataType::Utf8View => print_text(array.as_string_view().value(0).as_bytes(), true, out),
        DataType::Binary => print_bytes(array.as_binary::<i32>().value(0), out),
        DataType::LargeBinary => print_bytes(array.as_binary::<i64>().value(0), out),
        DataType::BinaryView => print_bytes(array.as_binary_view().value(0), out),
        DataType::FixedSizeBinary(_) => print_bytes(array.as_fixed_size_binary().value(0), out),
        DataType::Dictionary(_, values) => match arrow_cast::cast(array, values) {
            Ok(plain) if plain.is_valid(0) => print_value(&plain, out),
            _ => {}
        },
        _ => {
            let text = displayed(&at_offset_zero(array));
            print_field(text.as_bytes(), out);
        }
    }
}

fn displayed(array: &ArrayRef) -> String {
    let options = FormatOptions::default().with_display_error(true);
    match ArrayFormatter::try_new(array, &options) {
        Ok(formatter) => formatter.value(0).to_string(),
        Err(error) => error.to_string(),
    }
}

/// An instant in a named zone as one in UTC: it is the same, and takes no table of zones to print.
fn at_offset_zero(array: &ArrayRef) -> ArrayRef {
    fn moved<T: ArrowPrimitiveType + arrow_array::types::ArrowTimestampType>(array: &ArrayRef) -> ArrayRef {
        Arc::new(array.as_primitive::<T>().clone().with_timezone("+00:00"))
    }
    match array.data_type() {
        DataType::Timestamp(TimeUnit::Second, Some(_)) => moved::<TimestampSecondType>(array),
        DataType::Timestamp(TimeUnit::Millisecond, Some(_)) => moved::<TimestampMillisecondType>(array),
        DataType::Timestamp(TimeUnit::Microsecond, Some(_)) => moved::<TimestampMicrosecondType>(array),
        DataType::Timestamp(TimeUnit::Nanosecond, Some(_)) => moved::<TimestampNanosecondType>(array),
        _ => Arc::clone(array),
    }
}

fn print_bytes(bytes: &[u8], out: &mut Vec<u8>) {
    const DIGITS: &[u8; 16] = b"0123456789abcdef";
    out.extend_from_slice(b"\\x");
    out.extend(bytes.iter().flat_map(|byte| [DIGITS[usize::from(byte >> 4)], DIGITS[usize::from(byte & 15)]]));
}

/// Whether a text can be taken for nothing else, whatever stands for null and whatever is trimmed: a number, a time.
fn is_bare(text: &[u8]) -> bool {
    let ends = [text.first(), text.last()];
    ends.iter().all(|end| end.is_some_and(|byte| *byte != b' '))
        && text.iter().all(|byte| byte.is_ascii_digit() || b".:+- ".contains(byte))
}

fn needs_quotes(text: &[u8]) -> bool {
    text.is_empty() || text.iter().any(|byte| matches!(byte, b',' | b'"' | b'\n' | b'\r'))
}

/// Appends a field, in quotes where it must be; an empty one too, for without them it would be null.
pub fn print_field(text: &[u8], out: &mut Vec<u8>) {
    print_text(text, needs_quotes(text), out);
}

/// Appends a field, in quotes if it is to be.
fn print_text(text: &[u8], quoted: bool, out: &mut Vec<u8>) {
    if !quoted {
        return out.extend_from_slice(text);
    }
    out.push(b'"');
    for byte in text {
        if *byte == b'"' {
            out.push(b'"');
        }
        out.push(*byte);
    }
    out.push(b'"');
}

#[cfg(test)]
mod tests {
    use arrow_array::{BinaryArray, Float64Array, Int32Array, StringArray, TimestampNanosecondArray};
    use arrow_schema::{Field, Schema};

    use super::*;

    #[test]
    fn a_row_is_printed_so_that_a_copy_would_read_it_back() {
        let columns: Vec<ArrayRef> = vec![
            Arc::new(StringArray::from(vec!["a,\"b\"\nc"])),
            Arc::new(StringArray::from(vec![""])),
            Arc::new(StringArray::from(vec![None::<&str>])),
            Arc::new(Int32Array::from(vec![-7])),
            Arc::new(Float64Array::from(vec![0.1])),
            Arc::new(BinaryArray::from_vec(vec![b"\x00\xff"])),
            Arc::new(TimestampNanosecondArray::from(vec![1_234_567_891]).with_timezone("Europe/Berlin")),
        ];
        let fields = columns.iter().map(|column| Field::new("c", column.data_type().clone(), true));
        let schema = Schema::new(fields.collect::<Vec<_>>());
        let batch = RecordBatch::try_new(Arc::new(schema), columns).unwrap();
        let mut out = Vec::new();
        print_record(&batch, 0, |_, _| None, &mut out);
        let expected = "\"a,\"\"b\"\"\nc\",\"\",,-7,0.1,\\x00ff,1970-01-01T00:00:01.234567891Z";
        assert_eq!(String::from_utf8(out).unwrap(), expected);
    }

    #[test]
    fn names_are_quoted_where_they_must_be() {
        let mut out = Vec::new();
        print_names(["ts", "a,b"], &mut out);
        assert_eq!(out, b"ts,\"a,b\"");
    }
}
