//! What an encoder of one column must do, and the three ways of doing it that nearly all columns share.
//!
//! A group of rows is encoded in two steps, column by column: every column first adds the length of its field to each
//! row's length, so that the block grows once and each row's place is known; then every column writes its fields at
//! the rows' cursors. Dynamic dispatch happens once per column and group; the loops below are monomorphic.

use std::marker::PhantomData;
use std::ops::Range;
use std::sync::Arc;

use arrow_array::cast::AsArray;
use arrow_array::{Array, ArrayRef, ArrowPrimitiveType};

use super::values::{Values, nulls_in};

/// Bytes of the length that precedes every field.
pub(super) const LENGTH_BYTES: usize = 4;

/// The longest field that the server takes: it keeps values, with their headers, below 1 GiB.
const FIELD_BYTES_MAX: usize = (1 << 30) - 16;

/// Why a value cannot be stored, and in which row of its array it stands.
#[derive(Debug, PartialEq, Eq)]
pub(super) struct Fault {
    pub(super) row: usize,
    pub(super) reason: String,
}

/// Encodes one column.
///
/// `prepare` is called once per batch; `measure` and then `write` are called for each group of its rows, with the
/// prepared array, the same rows, and one length or cursor for each of those rows.
pub(super) trait FieldEncoder: Send {
    /// The array that `measure` and `write` shall be given for `column`: the same, or one of a simpler type.
    fn prepare(&self, column: &ArrayRef) -> Result<ArrayRef, Fault> {
        Ok(Arc::clone(column))
    }

    /// Adds to each length that of the row's field, its leading length included.
    fn measure(&mut self, column: &dyn Array, rows: Range<usize>, lengths: &mut [usize]) -> Result<(), Fault>;

    /// Writes the fields that were measured last, each at its row's cursor, and moves the cursor behind it.
    fn write(&mut self, column: &dyn Array, rows: Range<usize>, out: &mut [u8], cursors: &mut [usize]);
}

/// The length of a field that holds `bytes`, if the server can take it.
pub(super) fn field_length(bytes: usize) -> Result<usize, String> {
    if bytes > FIELD_BYTES_MAX {
        return Err(format!("a value of {bytes} bytes is longer than the 1 GB that a field can hold"));
    }
    Ok(LENGTH_BYTES + bytes)
}

/// Writes a field at `cursor`.
#[inline]
pub(super) fn put_field(out: &mut [u8], cursor: &mut usize, bytes: &[u8]) {
    let field = &mut out[*cursor..*cursor + LENGTH_BYTES + bytes.len()];
    let (head, body) = field.split_at_mut(LENGTH_BYTES);
    // Cannot wrap: `field_length` has refused what is longer than 1 GiB.
    #[expect(clippy::cast_possible_truncation, reason = "measured to be below 1 GiB")]
    head.copy_from_slice(&(bytes.len() as u32).to_be_bytes());
    body.copy_from_slice(bytes);
    *cursor += LENGTH_BYTES + bytes.len();
}

/// Writes a null at `cursor`.
#[inline]
pub(super) fn put_null(out: &mut [u8], cursor: &mut usize) {
    out[*cursor..*cursor + LENGTH_BYTES].copy_from_slice(&(-1_i32).to_be_bytes());
    *cursor += LENGTH_BYTES;
}

/// Fields of `N` bytes, each from one value of a primitive array by `convert`; `refuse` says why there is none.
pub(super) struct Fixed<A, const N: usize, F, R> {
    convert: F,
    refuse: R,
    values: PhantomData<fn(A)>,
}

impl<A, const N: usize, F, R> Fixed<A, N, F, R>
where
    A: ArrowPrimitiveType,
    F: Fn(A::Native) -> Option<[u8; N]> + Send + 'static,
    R: Fn(A::Native) -> String + Send + 'static,
{
    pub(super) fn boxed(convert: F, refuse: R) -> Box<dyn FieldEncoder> {
        Box::new(Self { convert, refuse, values: PhantomData })
    }
}

impl<A, const N: usize, F, R> FieldEncoder for Fixed<A, N, F, R>
where
    A: ArrowPrimitiveType,
    F: Fn(A::Native) -> Option<[u8; N]> + Send,
    R: Fn(A::Native) -> String + Send,
{
    fn measure(&mut self, column: &dyn Array, rows: Range<usize>, lengths: &mut [usize]) -> Result<(), Fault> {
        let first = rows.start;
        let array = column.as_primitive::<A>();
        let values = &array.values()[rows.clone()];
        let misfit = match nulls_in(array, &rows) {
            None => values.iter().position(|value| (self.convert)(*value).is_none()),
            Some(nulls) => {
                values.iter().zip(nulls.iter()).position(|(value, valid)| valid && (self.convert)(*value).is_none())
            }
        };
        if let Some(at) = misfit {
            return Err(Fault { row: first + at, reason: (self.refuse)(values[at]) });
        }
        match nulls_in(array, &rows) {
            None => lengths.iter_mut().for_each(|length| *length += LENGTH_BYTES + N),
            Some(nulls) => lengths
                .iter_mut()
                .zip(nulls.iter())
                .for_each(|(length, valid)| *length += LENGTH_BYTES + if valid { N } else { 0 }),
        }
        Ok(())
    }

    fn write(&mut self, column: &dyn Array, rows: Range<usize>, out: &mut [u8], cursors: &mut [usize]) {
        let array = column.as_primitive::<A>();
        let values = &array.values()[rows.clone()];
        let convert = |value| (self.convert)(value).expect("measure has refused values that do not convert");
        match nulls_in(array, &rows) {
            None => {
                for (value, cursor) in values.iter().zip(cursors) {
                    put_field(out, cursor, &convert(*value));
                }
            }
            Some(nulls) => {
                for ((value, cursor), valid) in values.iter().zip(cursors).zip(nulls.iter()) {
                    if valid { put_field(out, cursor, &convert(*value)) } else { put_null(out, cursor) }
                }
            }
        }
    }
}

/// Fields that `convert` appends, value by value, to a scratch buffer while they are measured.
pub(super) struct Built<V, F> {
    convert: F,
    scratch: Vec<u8>,
    ends: Vec<usize>,
    values: PhantomData<fn(V)>,
}

impl<V, F> Built<V, F>
where
    V: Values,
    F: FnMut(&V, usize, &mut Vec<u8>) -> Result<(), String> + Send + 'static,
{
    /// `convert` is given the array, a row that is not null, and the buffer to append to.
    pub(super) fn boxed(convert: F) -> Box<dyn FieldEncoder> {
        Box::new(Self { convert, scratch: Vec::new(), ends: Vec::new(), values: PhantomData })
    }
}

impl<V, F> FieldEncoder for Built<V, F>
where
    V: Values,
    F: FnMut(&V, usize, &mut Vec<u8>) -> Result<(), String> + Send,
{
    fn measure(&mut self, column: &dyn Array, rows: Range<usize>, lengths: &mut [usize]) -> Result<(), Fault> {
        let array = V::of(column);
        self.scratch.clear();
        self.ends.clear();
        for (row, length) in rows.zip(lengths) {
            let start = self.scratch.len();
            if array.is_valid(row) {
                (self.convert)(array, row, &mut self.scratch).map_err(|reason| Fault { row, reason })?;
            }
            let field = field_length(self.scratch.len() - start).map_err(|reason| Fault { row, reason })?;
            self.ends.push(self.scratch.len());
            *length += field;
        }
        Ok(())
    }

    fn write(&mut self, column: &dyn Array, rows: Range<usize>, out: &mut [u8], cursors: &mut [usize]) {
        let mut start = 0;
        for ((row, cursor), end) in rows.zip(cursors).zip(&self.ends) {
            if column.is_valid(row) {
                put_field(out, cursor, &self.scratch[start..*end]);
            } else {
                put_null(out, cursor);
            }
            start = *end;
        }
    }
}

/// Nothing but nulls.
pub(super) struct AllNull;

impl FieldEncoder for AllNull {
    fn measure(&mut self, _column: &dyn Array, _rows: Range<usize>, lengths: &mut [usize]) -> Result<(), Fault> {
        for length in lengths {
            *length += LENGTH_BYTES;
        }
        Ok(())
    }

    fn write(&mut self, _column: &dyn Array, _rows: Range<usize>, out: &mut [u8], cursors: &mut [usize]) {
        for cursor in cursors {
            put_null(out, cursor);
        }
    }
}

/// An encoder behind a change of the whole array to a type that the encoder takes.
pub(super) struct Prepared<P> {
    prepare: P,
    encoder: Box<dyn FieldEncoder>,
}

impl<P: Fn(&ArrayRef) -> Result<ArrayRef, Fault> + Send + 'static> Prepared<P> {
    pub(super) fn boxed(prepare: P, encoder: Box<dyn FieldEncoder>) -> Box<dyn FieldEncoder> {
        Box::new(Self { prepare, encoder })
    }
}

impl<P: Fn(&ArrayRef) -> Result<ArrayRef, Fault> + Send> FieldEncoder for Prepared<P> {
    fn prepare(&self, column: &ArrayRef) -> Result<ArrayRef, Fault> {
        self.encoder.prepare(&(self.prepare)(column)?)
    }

    fn measure(&mut self, column: &dyn Array, rows: Range<usize>, lengths: &mut [usize]) -> Result<(), Fault> {
        self.encoder.measure(column, rows, lengths)
    }

    fn write(&mut self, column: &dyn Array, rows: Range<usize>, out: &mut [u8], cursors: &mut [usize]) {
        self.encoder.write(column, rows, out, cursors);
    }
}
