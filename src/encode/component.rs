//! The parts of composite values: columns that are encoded by themselves, before what holds them is put together.

use std::ops::Range;

use arrow_array::{Array, ArrayRef};

use super::field::{Fault, FieldEncoder, LENGTH_BYTES, field_length, put_field, put_null};

/// The fields of one part, for a group of rows.
pub(super) struct Component {
    encoder: Box<dyn FieldEncoder>,
    /// The fields, one after another.
    bytes: Vec<u8>,
    /// For each row where its field ends.
    ends: Vec<usize>,
}

impl Component {
    pub(super) fn new(encoder: Box<dyn FieldEncoder>) -> Self {
        Self { encoder, bytes: Vec::new(), ends: Vec::new() }
    }

    pub(super) fn prepare(&self, column: &ArrayRef) -> Result<ArrayRef, Fault> {
        self.encoder.prepare(column)
    }

    /// Encodes the part in these rows of its prepared column.
    pub(super) fn encode(&mut self, column: &dyn Array, rows: Range<usize>) -> Result<(), Fault> {
        self.ends.clear();
        self.ends.resize(rows.len(), 0);
        self.encoder.measure(column, rows.clone(), &mut self.ends)?;
        let mut end = 0;
        for place in &mut self.ends {
            end += std::mem::replace(place, end);
        }
        self.bytes.clear();
        self.bytes.resize(end, 0);
        self.encoder.write(column, rows, &mut self.bytes, &mut self.ends);
        Ok(())
    }

    /// The field of a row of the group, counted from its first, with the length that precedes it.
    pub(super) fn field(&self, at: usize) -> &[u8] {
        &self.bytes[self.place(at)]
    }

    /// What is in the field of a row of the group; empty if it is null.
    pub(super) fn value(&self, at: usize) -> &[u8] {
        &self.field(at)[LENGTH_BYTES..]
    }

    /// The same, to be changed in place.
    pub(super) fn value_mut(&mut self, at: usize) -> &mut [u8] {
        let place = self.place(at);
        &mut self.bytes[place][LENGTH_BYTES..]
    }

    fn place(&self, at: usize) -> Range<usize> {
        let start = at.checked_sub(1).map_or(0, |before| self.ends[before]);
        start..self.ends[at]
    }
}

/// Fields that were put together for a group of rows, before they are written.
#[derive(Debug, Default)]
pub(super) struct Gathered {
    bytes: Vec<u8>,
    ends: Vec<usize>,
}

impl Gathered {
    pub(super) fn clear(&mut self) {
        self.bytes.clear();
        self.ends.clear();
    }

    /// Where the field of the next row is appended.
    pub(super) fn buffer(&mut self) -> &mut Vec<u8> {
        &mut self.bytes
    }

    /// Ends a row's field, and gives its length; a null is a row to whose field nothing was appended.
    pub(super) fn end(&mut self) -> Result<usize, String> {
        let start = self.ends.last().copied().unwrap_or(0);
        self.ends.push(self.bytes.len());
        field_length(self.bytes.len() - start)
    }

    pub(super) fn write(&self, column: &dyn Array, rows: Range<usize>, out: &mut [u8], cursors: &mut [usize]) {
        let mut start = 0;
        for ((row, cursor), end) in rows.zip(cursors).zip(&self.ends) {
            if column.is_valid(row) {
                put_field(out, cursor, &self.bytes[start..*end]);
            } else {
                put_null(out, cursor);
            }
            start = *end;
        }
    }
}
