//! INT96 columns as exact numbers of nanoseconds since 1970.
//!
//! An INT96 holds a day and the nanoseconds of that day: more than 64 bits of nanoseconds hold, and finer than
//! microseconds. The crate `parquet` wraps the one around and cuts the other off, both silently. So these columns are
//! decoded twice from the same bytes, as seconds, of which 64 bits hold all, and as nanoseconds modulo 2^64: together
//! they are exact. As bytes of fixed length they could be decoded once, but fastparquet fills pages of INT96 up with
//! zeros, which the crate refuses there.

use std::sync::Arc;

use arrow_array::cast::AsArray;
use arrow_array::types::{Decimal128Type, TimestampNanosecondType, TimestampSecondType};
use arrow_array::{Array, ArrayRef, PrimitiveArray, RecordBatch, RecordBatchOptions};
use arrow_schema::{DataType, Field, FieldRef, Schema};
use parquet::DecodeResult;
use parquet::arrow::push_decoder::ParquetPushDecoder;

use super::guard::guarded;
use crate::error::{Error, ErrorKind, Result};

/// Nanoseconds in a second.
const PER_SECOND: i64 = 1_000_000_000;

/// Decodes the INT96 columns of a row group in nanoseconds, in step with the decoder that yields the rows.
#[derive(Debug)]
pub(super) struct Nanos(ParquetPushDecoder);

impl Nanos {
    /// `decoder` has the bytes, and reads the same rows in batches of the same size.
    pub(super) fn new(decoder: ParquetPushDecoder) -> Self {
        Self(decoder)
    }

    /// The next batch, with its INT96 columns in nanoseconds.
    pub(super) fn join(&mut self, in_seconds: RecordBatch) -> Result<RecordBatch> {
        let in_nanos = match guarded(|| self.0.try_decode()) {
            Ok(DecodeResult::Data(batch)) if batch.num_rows() == in_seconds.num_rows() => batch,
            Ok(_) => {
                return Err(Error::new(ErrorKind::Source, "INT96 columns have other rows when they are read again"));
            }
            Err(error) => return Err(Error::new(ErrorKind::Source, "INT96 cannot be decoded").with_source(error)),
        };
        let options = RecordBatchOptions::new().with_row_count(Some(in_seconds.num_rows()));
        let (schema, mut columns, _) = in_seconds.into_parts();
        let mut fields: Vec<FieldRef> = schema.fields().iter().cloned().collect();
        for (field, nanos) in in_nanos.schema().fields().iter().zip(in_nanos.columns()) {
            let at = schema.index_of(field.name()).expect("INT96 columns are among those that are decoded");
            columns[at] = joined(&columns[at], nanos);
            let whole = Field::new(field.name(), columns[at].data_type().clone(), field.is_nullable());
            fields[at] = Arc::new(whole);
        }
        RecordBatch::try_new_with_options(Arc::new(Schema::new(fields)), columns, &options)
            .map_err(|error| Error::new(ErrorKind::Source, "INT96 cannot be decoded").with_source(error))
    }
}

/// Nanoseconds since 1970, as decimals without a fraction.
fn joined(seconds: &ArrayRef, nanos: &ArrayRef) -> ArrayRef {
    let (seconds, nanos) =
        (seconds.as_primitive::<TimestampSecondType>(), nanos.as_primitive::<TimestampNanosecondType>());
    let whole = |(seconds, nanos): (&i64, &i64)| {
        // Less than a second, so that what was wrapped around comes back.
        let rest = nanos.wrapping_sub(seconds.wrapping_mul(PER_SECOND));
        i128::from(*seconds) * i128::from(PER_SECOND) + i128::from(rest)
    };
    let values: Vec<i128> = seconds.values().iter().zip(nanos.values()).map(whole).collect();
    let all = PrimitiveArray::<Decimal128Type>::new(values.into(), seconds.nulls().cloned());
    Arc::new(all.with_data_type(DataType::Decimal128(38, 0)))
}
