//! Proves that INT96 timestamps lose nothing as microseconds.
//!
//! An INT96 holds a day and the nanoseconds of that day. As 64-bit nanoseconds since 1970 the years past 2262 would
//! wrap around, silently; as microseconds the last three digits would be cut off, silently. So the columns are decoded
//! both ways from the same bytes: the difference of the two, also where the nanoseconds wrapped, is what was cut off.
//! Only old files pay for it: INT96 is deprecated.

use arrow_array::cast::AsArray;
use arrow_array::types::{TimestampMicrosecondType, TimestampNanosecondType};
use arrow_array::{Array, RecordBatch};
use parquet::DecodeResult;
use parquet::arrow::push_decoder::ParquetPushDecoder;

use super::guard::guarded;
use crate::error::{Error, ErrorKind, Result};

/// Decodes the INT96 columns of a row group in nanoseconds, in step with the decoder that yields the rows.
#[derive(Debug)]
pub(super) struct NanosCheck(ParquetPushDecoder);

impl NanosCheck {
    /// `decoder` has the bytes, and reads the same rows in batches of the same size.
    pub(super) fn new(decoder: ParquetPushDecoder) -> Self {
        Self(decoder)
    }

    /// Checks the next batch: columns, by name, and rows whose microseconds are not all there is.
    pub(super) fn check(&mut self, in_micros: &RecordBatch) -> Result<Vec<(String, usize)>> {
        let in_nanos = match guarded(|| self.0.try_decode()) {
            Ok(DecodeResult::Data(batch)) if batch.num_rows() == in_micros.num_rows() => batch,
            Ok(_) => {
                return Err(Error::new(ErrorKind::Source, "INT96 columns have other rows when they are read again"));
            }
            Err(error) => return Err(Error::new(ErrorKind::Source, "INT96 cannot be decoded").with_source(error)),
        };
        let mut cut = Vec::new();
        for (field, nanos) in in_nanos.schema().fields().iter().zip(in_nanos.columns()) {
            let micros =
                in_micros.column_by_name(field.name()).expect("INT96 columns are among those that are decoded");
            cut.extend(rows_cut(micros, nanos).map(|row| (field.name().clone(), row)));
        }
        Ok(cut)
    }
}

/// The rows that are more than their microseconds.
fn rows_cut<'a>(micros: &'a dyn Array, nanos: &'a dyn Array) -> impl Iterator<Item = usize> + 'a {
    let micros = micros.as_primitive::<TimestampMicrosecondType>();
    let nanos = nanos.as_primitive::<TimestampNanosecondType>();
    let is_cut = move |row: &usize| micros.value(*row).wrapping_mul(1_000) != nanos.value(*row);
    (0..micros.len()).filter(move |row| micros.is_valid(*row) && is_cut(row))
}
