//! What a column would store of a value, as text that its input function reads back to the same.

use arrow_array::ArrayRef;
use arrow_schema::DataType;

use super::choose::{Choice, choose};
use super::copy_text::Printer;
use super::field::LENGTH_BYTES;
use super::text;
use crate::schema::{PgType, Reading};

/// The first value of `column`, which is not null, as `target` would store it. `None` where it cannot be stored, and where
/// the value's own text is read as the value is: texts are, and integers, which may also count time.
pub(crate) fn stored_text(column: &ArrayRef, target: &PgType, reading: &Reading) -> Option<Vec<u8>> {
    let source = column.data_type();
    if is_own_text(source) {
        return None;
    }
    let (mut encoder, form) = match choose(source, target, reading) {
        Choice::Binary(encoder) => (encoder, target.clone()),
        Choice::Text(encoder) => (encoder, text::plain()),
        Choice::None(_) => return None,
    };
    let prepared = encoder.prepare(column).ok()?;
    let mut lengths = [0];
    encoder.measure(&*prepared, 0..1, &mut lengths).ok()?;
    let mut field = vec![0; lengths[0]];
    encoder.write(&*prepared, 0..1, &mut field, &mut [0]);
    let mut printed = Vec::new();
    Printer::default().print(&form, &field[LENGTH_BYTES..], &mut printed);
    Some(printed)
}

fn is_own_text(source: &DataType) -> bool {
    match source {
        DataType::Dictionary(_, values) => is_own_text(values),
        DataType::RunEndEncoded(_, values) => is_own_text(values.data_type()),
        DataType::Utf8 | DataType::LargeUtf8 | DataType::Utf8View => true,
        other => other.is_integer(),
    }
}
