//! The encoder of a table: all its columns over a group of rows at a time, then the hashes of those rows.

use std::ops::Range;

use arrow_array::{ArrayRef, RecordBatch};
use arrow_schema::DataType;

use super::builder::BlockBuilder;
use super::choose::{Choice, choose, choose_stored_key};
use super::copy_text::LineWriter;
use super::field::{Fault, FieldEncoder};
use crate::error::{Error, ErrorKind, Result};
use crate::model::RowHash;
use crate::schema::{PgType, Reading, ValueFault};

/// Rows encoded together. Lengths and cursors of so many rows stay in the first-level cache.
const GROUP_ROWS_MAX: usize = 1024;
/// Fewer rows than this are not worth the dispatch for each column.
const GROUP_ROWS_MIN: usize = 32;
/// Bytes that a group should not pass by much: it is walked once per column, so it should stay in the second-level
/// cache.
const GROUP_BYTES: usize = 256 << 10;
/// Bytes of the field count that precedes every row.
const FIELD_COUNT_BYTES: usize = 2;

/// How one target column is fed; column `i` of the plan from column `i` of the batch.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct ColumnPlan {
    /// Name of the target column, for messages.
    pub name: String,
    /// Arrow type of the batch's column.
    pub source: DataType,
    /// Type of the target column.
    pub target: PgType,
    /// What the batch's column holds.
    pub role: Role,
}

/// What a column of the batch holds.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Role {
    /// Values as the source has them.
    Value,
    /// An `Int64Array` of stored keys: microseconds or days since 2000-01-01, or the integer itself.
    StoredKey,
}

/// The form in which COPY takes the rows.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum CopyFormat {
    /// `format binary`; a stream begins with [`BINARY_HEADER`](super::BINARY_HEADER) and ends with
    /// [`BINARY_TRAILER`](super::BINARY_TRAILER).
    Binary,
    /// `format text` with its default delimiter and null, in UTF-8.
    Text,
}

/// Encodes batches of one table's rows.
pub struct Encoder {
    columns: Vec<ColumnPlan>,
    fields: FieldSet,
    lines: Option<Lines>,
}

/// The columns' encoders, with the scratch that a group of rows needs.
struct FieldSet {
    encoders: Vec<Box<dyn FieldEncoder>>,
    /// Columns, counted from the first, that take part in the row hash.
    hashed: usize,
    /// The field count as each row begins with it.
    count: [u8; FIELD_COUNT_BYTES],
    /// For each row of the group its length, then where it starts, then where its next field goes.
    cursors: Vec<usize>,
    /// Where each row of the group starts; one more for the end of the last.
    starts: Vec<usize>,
}

/// What the text form needs on top: rows are encoded as tuples first, and then printed.
struct Lines {
    tuples: Vec<u8>,
    writer: LineWriter,
}

impl std::fmt::Debug for Encoder {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Encoder").field("columns", &self.columns).finish_non_exhaustive()
    }
}

impl Encoder {
    /// An encoder for `columns`, of which the first `hashed` take part in the row hash. Texts without an offset are
    /// taken in the zone of `reading`.
    ///
    /// # Errors
    ///
    /// [`ErrorKind::Schema`] if a column cannot be fed from its source, or not in this format.
    pub fn try_new(
        columns: Vec<ColumnPlan>,
        hashed: usize,
        format: CopyFormat,
        reading: impl Into<Reading>,
    ) -> Result<Self> {
        let reading = reading.into();
        let count = i16::try_from(columns.len())
            .map_err(|_| Error::new(ErrorKind::Schema, format!("{} columns are too many for COPY", columns.len())))?;
        if hashed > columns.len() {
            return Err(Error::new(ErrorKind::Internal, "more columns are hashed than there are"));
        }
        let mut encoders = Vec::with_capacity(columns.len());
        let mut printed = Vec::with_capacity(columns.len());
        for column in &columns {
            let (encoder, form) = column_encoder(column, format, &reading.of_column(&column.name))?;
            encoders.push(encoder);
            printed.push(form);
        }
        let lines =
            (format == CopyFormat::Text).then(|| Lines { tuples: Vec::new(), writer: LineWriter::new(printed) });
        let fields = FieldSet { encoders, hashed, count: count.to_be_bytes(), cursors: Vec::new(), starts: Vec::new() };
        Ok(Self { columns, fields, lines })
    }

    /// Encodes all rows of `batch` and appends them to `out`.
    ///
    /// # Errors
    ///
    /// A row of the batch whose value cannot be stored; `out` is then as it was.
    pub fn encode(&mut self, batch: &RecordBatch, out: &mut BlockBuilder) -> Result<(), ValueFault> {
        self.check(batch)?;
        let arrays = self.prepare(batch)?;
        let mark = out.mark();
        let mut rows = 0..GROUP_ROWS_MIN.min(batch.num_rows());
        while !rows.is_empty() {
            let before = out.bytes();
            if let Err(fault) = self.encode_group(&arrays, rows.clone(), out) {
                out.return_to(mark);
                return Err(fault);
            }
            let row_bytes = (out.bytes() - before).div_ceil(rows.len()).max(1);
            let next = (GROUP_BYTES / row_bytes).clamp(GROUP_ROWS_MIN, GROUP_ROWS_MAX);
            rows = rows.end..batch.num_rows().min(rows.end + next);
        }
        Ok(())
    }

    /// Encodes all rows of `batch` that can be stored and appends them to `out`; why the others cannot goes to `faults`, one
    /// for each such row, in the order of rows.
    ///
    /// A fault costs that rows of its group are measured again, never those of the batch.
    ///
    /// # Errors
    ///
    /// If `batch` is not of the planned columns; `out` is then as it was.
    pub fn encode_good(
        &mut self,
        batch: &RecordBatch,
        out: &mut BlockBuilder,
        faults: &mut Vec<ValueFault>,
    ) -> Result<(), ValueFault> {
        self.check(batch)?;
        match self.prepare(batch) {
            Ok(arrays) => self.encode_good_groups(&arrays, 0..batch.num_rows(), 0, out, faults),
            Err(_) => self.encode_good_slices(batch, out, faults),
        }
        Ok(())
    }

    /// The same where some value cannot even be brought to the type that its encoder takes: in slices, past each such row.
    fn encode_good_slices(&mut self, batch: &RecordBatch, out: &mut BlockBuilder, faults: &mut Vec<ValueFault>) {
        let (mut start, mut size) = (0, GROUP_ROWS_MAX);
        while start < batch.num_rows() {
            let rows = size.min(batch.num_rows() - start);
            match self.prepare(&batch.slice(start, rows)) {
                Ok(arrays) => {
                    self.encode_good_groups(&arrays, 0..rows, start, out, faults);
                    (start, size) = (start + rows, (2 * size).min(GROUP_ROWS_MAX));
                }
                Err(fault) if fault.row == 0 => {
                    faults.push(ValueFault { row: start, ..fault });
                    (start, size) = (start + 1, GROUP_ROWS_MIN);
                }
                // Up to the fault all can be, and then the fault is the first.
                Err(fault) => size = fault.row,
            }
        }
    }

    /// Encodes `rows` of prepared columns but for those at fault; row 0 of the columns is row `first` of the batch.
    fn encode_good_groups(
        &mut self,
        arrays: &[ArrayRef],
        rows: Range<usize>,
        first: usize,
        out: &mut BlockBuilder,
        faults: &mut Vec<ValueFault>,
    ) {
        let (mut start, mut size) = (rows.start, GROUP_ROWS_MIN);
        // Rows that are known to be at fault and are not passed yet, the nearest last.
        let mut ahead: Vec<ValueFault> = Vec::new();
        while start < rows.end {
            let end = ahead.last().map_or(rows.end, |fault| fault.row).min(start + size);
            let before = out.bytes();
            match self.encode_group(arrays, start..end, out) {
                Ok(()) => {
                    let row_bytes = (out.bytes() - before).div_ceil(end - start).max(1);
                    let room = (GROUP_BYTES / row_bytes).clamp(GROUP_ROWS_MIN, GROUP_ROWS_MAX);
                    // From a fault on, groups grow again step by step: faults often stand together.
                    (start, size) = (end, room.min(4 * size));
                }
                Err(fault) => {
                    ahead.push(fault);
                    size = GROUP_ROWS_MIN;
                }
            }
            while let Some(fault) = ahead.pop_if(|fault| fault.row == start) {
                start += 1;
                faults.push(ValueFault { row: first + fault.row, ..fault });
            }
        }
    }

    /// Whether the batch has the planned columns.
    fn check(&self, batch: &RecordBatch) -> Result<(), ValueFault> {
        if batch.num_columns() != self.columns.len() {
            let reason = format!("the batch has {} columns, not {}", batch.num_columns(), self.columns.len());
            return Err(ValueFault { row: 0, column: batch.num_columns().min(self.columns.len()), reason });
        }
        let planned = self.columns.iter().zip(batch.columns()).enumerate();
        for (column, (plan, array)) in planned {
            if array.data_type() != &plan.source {
                let reason = format!("the batch holds {} where {} was planned", array.data_type(), plan.source);
                return Err(ValueFault { row: 0, column, reason });
            }
        }
        Ok(())
    }

    /// The batch's columns in the types that their encoders take.
    fn prepare(&self, batch: &RecordBatch) -> Result<Vec<ArrayRef>, ValueFault> {
        let planned = self.fields.encoders.iter().zip(batch.columns()).enumerate();
        planned.map(|(at, (encoder, array))| encoder.prepare(array).map_err(|fault| in_column(at, fault))).collect()
    }

    fn encode_group(
        &mut self,
        arrays: &[ArrayRef],
        rows: Range<usize>,
        out: &mut BlockBuilder,
    ) -> Result<(), ValueFault> {
        let count = rows.len();
        let hash = match &mut self.lines {
            None => self.fields.append(arrays, rows, out.buffer())?,
            Some(lines) => {
                lines.tuples.clear();
                let hash = self.fields.append(arrays, rows, &mut lines.tuples)?;
                lines.writer.append(&lines.tuples, out.buffer());
                hash
            }
        };
        out.count(count, hash);
        Ok(())
    }
}

impl FieldSet {
    /// Appends a group of rows to `out`; gives the sum of their hashes.
    fn append(&mut self, arrays: &[ArrayRef], rows: Range<usize>, out: &mut Vec<u8>) -> Result<RowHash, ValueFault> {
        self.cursors.clear();
        self.cursors.resize(rows.len(), FIELD_COUNT_BYTES);
        for (at, (encoder, array)) in self.encoders.iter_mut().zip(arrays).enumerate() {
            encoder.measure(array, rows.clone(), &mut self.cursors).map_err(|fault| in_column(at, fault))?;
        }
        let end = self.place_rows(out.len());
        out.resize(end, 0);
        for cursor in &mut self.cursors {
            out[*cursor..*cursor + FIELD_COUNT_BYTES].copy_from_slice(&self.count);
            *cursor += FIELD_COUNT_BYTES;
        }
        let (hashed, rest) = self.encoders.split_at_mut(self.hashed);
        for (encoder, array) in hashed.iter_mut().zip(arrays) {
            encoder.write(array, rows.clone(), out, &mut self.cursors);
        }
        // The cursors now stand behind the last hashed field of each row.
        let hash = hash_rows(out, &self.starts, &self.cursors);
        for (encoder, array) in rest.iter_mut().zip(&arrays[self.hashed..]) {
            encoder.write(array, rows.clone(), out, &mut self.cursors);
        }
        debug_assert_eq!(self.cursors, self.starts[1..], "every column wrote what it measured");
        Ok(hash)
    }

    /// Turns the rows' lengths into the places where they start, from `start` on; gives the end of the last.
    fn place_rows(&mut self, start: usize) -> usize {
        let mut end = start;
        self.starts.clear();
        for cursor in &mut self.cursors {
            let length = std::mem::replace(cursor, end);
            self.starts.push(end);
            end += length;
        }
        self.starts.push(end);
        end
    }
}

fn hash_rows(bytes: &[u8], starts: &[usize], ends: &[usize]) -> RowHash {
    let mut sum = RowHash::default();
    for (start, end) in starts.iter().zip(ends) {
        sum += RowHash::of_row(&bytes[start + FIELD_COUNT_BYTES..*end]);
    }
    sum
}

fn in_column(column: usize, fault: Fault) -> ValueFault {
    ValueFault { row: fault.row, column, reason: fault.reason }
}

/// A column's encoder, and the type by whose rules its fields are printed as text.
fn column_encoder(
    column: &ColumnPlan,
    format: CopyFormat,
    reading: &Reading,
) -> Result<(Box<dyn FieldEncoder>, PgType)> {
    let refuse = |reason: String| {
        Error::new(ErrorKind::Schema, format!("{} cannot be loaded: {reason}", column.target)).in_column(&column.name)
    };
    let choice = match column.role {
        Role::Value => choose(&column.source, &column.target, reading),
        Role::StoredKey => choose_stored_key(&column.source, &column.target),
    };
    match choice {
        Choice::Binary(encoder) => Ok((encoder, column.target.clone())),
        Choice::Text(encoder) if format == CopyFormat::Text => Ok((encoder, super::text::plain())),
        Choice::Text(_) => Err(refuse("it has no binary form here".to_owned())),
        Choice::None(reason) => Err(refuse(reason)),
    }
}
