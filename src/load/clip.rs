//! Rows of a window out of rows of a piece, and which of them cannot be loaded.

use std::sync::Arc;

use arrow_array::{Array, BooleanArray, Int64Array, RecordBatch};
use arrow_schema::{DataType, Field, Schema};
use arrow_select::filter::filter_record_batch;

use crate::encode::{BlockBuilder, Encoder};
use crate::error::{Error, ErrorKind, Result};
use crate::model::{KeyKind, Origin, RowFault, Rows, TimeKey};
use crate::schema::{Reading, ValueFault, stored_keys, stored_keys_or_null};

/// The time column of a mapping.
#[derive(Debug, Clone)]
pub(crate) struct TimeColumn {
    /// Its position in the mapping.
    pub(crate) position: usize,
    pub(crate) kind: KeyKind,
    pub(crate) reading: Reading,
    /// Whether rows whose time cannot be read are passed over: the profile has noted them.
    pub(crate) passing_over: bool,
}

/// Rows whose time column holds stored keys, with where each of them stood.
#[derive(Debug)]
pub(crate) struct Keyed {
    pub(crate) batch: RecordBatch,
    pub(crate) origin: Origin,
    /// Positions of the rows in the origin; `None` where they are all of them.
    selection: Option<Vec<usize>>,
    /// Rows of the batch that could not be decoded.
    faults: Vec<RowFault>,
    /// The rows of the origin as they were decoded; `None` where no reject is ever made of one.
    decoded: Option<RecordBatch>,
}

/// Stored keys of rows, null where there is none.
pub(crate) struct Keys {
    pub(crate) keys: Int64Array,
    /// Why a time could not be read, where it could not.
    pub(crate) unread: Vec<RowFault>,
}

impl TimeColumn {
    /// Replaces the time column by its stored keys, which decide a row's window and are then encoded as they are.
    pub(crate) fn key(&self, rows: Rows) -> Result<(Keyed, Keys)> {
        let Rows { batch, origin, faults } = rows;
        let (undecoded, faults): (Vec<_>, Vec<_>) = faults.into_iter().partition(|fault| fault.column == self.position);
        let keys = self.keys(&batch, &origin, undecoded)?;
        let decoded = self.passing_over.then(|| batch.clone());
        let batch = with_keys(&batch, self.position, keys.keys.clone())?;
        Ok((Keyed { batch, origin, selection: None, faults, decoded }, keys))
    }

    fn keys(&self, batch: &RecordBatch, origin: &Origin, undecoded: Vec<RowFault>) -> Result<Keys> {
        let array = batch.column(self.position);
        let place = |fault: ValueFault| row_fault(ValueFault { column: self.position, ..fault }, 0);
        let refuse =
            |fault: &RowFault| Err(refusal(fault, batch.schema().field(self.position).name(), origin, fault.row));
        if !self.passing_over {
            return match (undecoded.first(), stored_keys(array, self.kind, &self.reading)) {
                (Some(fault), _) => refuse(fault),
                (None, Err(fault)) => refuse(&place(fault)),
                (None, Ok(keys)) => Ok(Keys { keys, unread: Vec::new() }),
            };
        }
        let mut faults = Vec::new();
        let keys = match stored_keys_or_null(array, self.kind, &self.reading, &mut faults) {
            Ok(keys) => keys,
            Err(fault) => return refuse(&place(fault)),
        };
        let mut unread: Vec<RowFault> = undecoded.into_iter().chain(faults.into_iter().map(place)).collect();
        unread.sort_by_key(|fault| fault.row);
        unread.dedup_by_key(|fault| fault.row);
        // What stands in the place of a time that was not decoded is a guess.
        let is_read = |row: &usize| unread.binary_search_by_key(row, |fault| fault.row).is_err();
        let keys = match unread.is_empty() {
            true => keys,
            false => keys.iter().enumerate().map(|(row, key)| key.filter(|_| is_read(&row))).collect(),
        };
        Ok(Keys { keys, unread })
    }

    /// The rows whose key is in `[start, end)`.
    pub(crate) fn clip(&self, rows: Rows, start: TimeKey, end: TimeKey) -> Result<Keyed> {
        let (keyed, Keys { keys, .. }) = self.key(rows)?;
        let inside =
            |key: Option<i64>| key.is_some_and(|key| TimeKey(key).is_within(start, end) && !self.infinite(key));
        let mask: Vec<bool> = keys.iter().map(inside).collect();
        if mask.iter().all(|inside| *inside) {
            return Ok(keyed);
        }
        keyed.select(mask)
    }

    pub(crate) fn infinite(&self, key: i64) -> bool {
        self.kind.is_infinite(TimeKey(key))
    }
}

impl Keyed {
    /// All rows, for a table without a time column.
    pub(crate) fn all(rows: Rows) -> Self {
        let decoded = Some(rows.batch.clone());
        Self { batch: rows.batch, origin: rows.origin, selection: None, faults: rows.faults, decoded }
    }

    /// The same rows in another order: row `i` of `batch` stood at `selection[i]`. None of them is at fault.
    pub(crate) fn reordered(&self, batch: RecordBatch, selection: Vec<usize>) -> Self {
        let decoded = self.decoded.clone();
        Self { batch, origin: self.origin.clone(), selection: Some(selection), faults: Vec::new(), decoded }
    }

    /// Position in the origin of row `row` of the batch.
    pub(crate) fn place(&self, row: usize) -> usize {
        self.selection.as_ref().map_or(row, |rows| rows[row])
    }

    /// The rows of the origin as they were decoded, where they are kept.
    pub(crate) fn decoded(&self) -> Option<&RecordBatch> {
        self.decoded.as_ref()
    }

    /// Rows that cannot be loaded, in their order: those that could not be decoded, and those with a null in one of
    /// `not_null`, which the target refuses too, but without saying where it stood.
    pub(crate) fn faults(&self, not_null: &[usize]) -> Vec<RowFault> {
        let mut faults = self.faults.clone();
        for &column in not_null {
            let Some(nulls) = self.batch.column(column).logical_nulls().filter(|nulls| nulls.null_count() > 0) else {
                continue;
            };
            let null =
                |row| RowFault { row, column, reason: "null value".to_owned(), byte: None, sqlstate: Some("23502") };
            faults.extend(nulls.iter().enumerate().filter(|(_, valid)| !valid).map(|(row, _)| null(row)));
        }
        // What could not be decoded is null too, and comes first.
        faults.sort_by_key(|fault| fault.row);
        faults.dedup_by_key(|fault| fault.row);
        faults
    }

    /// The rows but for those of `faults`.
    pub(crate) fn without(self, faults: &[RowFault]) -> Result<Self> {
        if faults.is_empty() {
            return Ok(self);
        }
        let mut mask = vec![true; self.batch.num_rows()];
        faults.iter().for_each(|fault| mask[fault.row] = false);
        Ok(Self { faults: Vec::new(), ..self.select(mask)? })
    }

    /// The rows for which `mask` has true.
    fn select(self, mask: Vec<bool>) -> Result<Self> {
        let rows = mask.iter().enumerate().filter_map(|(row, inside)| inside.then_some(row));
        let kept: Vec<usize> = rows.collect();
        let moved = |fault: RowFault| Some(RowFault { row: kept.binary_search(&fault.row).ok()?, ..fault });
        let faults = self.faults.into_iter().filter_map(moved).collect();
        let selection = match self.selection {
            None => kept,
            Some(former) => kept.into_iter().map(|row| former[row]).collect(),
        };
        let batch = filter_record_batch(&self.batch, &BooleanArray::from(mask)).map_err(internal)?;
        Ok(Self { batch, selection: Some(selection), faults, ..self })
    }

    /// Encodes `count` rows from `start` on. The first that cannot be stored is an error: `name` tells what its column is
    /// called.
    pub(crate) fn encode<'n>(
        &self,
        start: usize,
        count: usize,
        encoder: &mut Encoder,
        builder: &mut BlockBuilder,
        name: impl FnOnce(usize) -> &'n str,
    ) -> Result<()> {
        encoder.encode(&self.batch.slice(start, count), builder).map_err(|fault| {
            let fault = row_fault(fault, start);
            self.refuse(&fault, name(fault.column))
        })
    }

    /// Encodes those of `count` rows from `start` on that can be stored; the others are given back.
    pub(crate) fn encode_good(
        &self,
        start: usize,
        count: usize,
        encoder: &mut Encoder,
        builder: &mut BlockBuilder,
    ) -> Result<Vec<RowFault>> {
        let mut faults = Vec::new();
        encoder
            .encode_good(&self.batch.slice(start, count), builder, &mut faults)
            .map_err(|fault| self.refuse(&row_fault(fault, start), ""))?;
        Ok(faults.into_iter().map(|fault| row_fault(fault, start)).collect())
    }

    /// The error for a row at fault, whose column is called `name`.
    pub(crate) fn refuse(&self, fault: &RowFault, name: &str) -> Error {
        refusal(fault, name, &self.origin, self.place(fault.row))
    }
}

/// A fault in a slice of a batch that starts at row `start`, as a fault in the batch.
fn row_fault(fault: ValueFault, start: usize) -> RowFault {
    let ValueFault { row, column, reason } = fault;
    RowFault { row: row + start, column, reason, byte: None, sqlstate: None }
}

/// The error for a row at fault that stood at `place` in `origin`.
fn refusal(fault: &RowFault, column: &str, origin: &Origin, place: usize) -> Error {
    let mut error = Error::new(ErrorKind::Data, fault.reason.clone())
        .in_column(column)
        .at_object(&*origin.object)
        .at_record(origin.record(place));
    if let Some(byte) = fault.byte.or_else(|| origin.byte(place)) {
        error = error.at_byte(byte);
    }
    match fault.sqlstate {
        Some(code) => error.with_sqlstate(code),
        None => error,
    }
}

fn with_keys(batch: &RecordBatch, position: usize, keys: Int64Array) -> Result<RecordBatch> {
    let schema = batch.schema();
    let mut fields: Vec<Arc<Field>> = schema.fields().iter().cloned().collect();
    fields[position] = Arc::new(Field::new(schema.field(position).name(), DataType::Int64, true));
    let mut columns = batch.columns().to_vec();
    columns[position] = Arc::new(keys) as Arc<dyn Array>;
    RecordBatch::try_new(Arc::new(Schema::new(fields)), columns).map_err(internal)
}

fn internal(error: arrow_schema::ArrowError) -> Error {
    Error::new(ErrorKind::Internal, "rows of a window").with_source(error)
}
