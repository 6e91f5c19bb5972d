//! Rows of a window out of rows of a piece.

use std::sync::Arc;

use arrow_array::{Array, BooleanArray, Int64Array, RecordBatch};
use arrow_schema::{DataType, Field, Schema};
use arrow_select::filter::filter_record_batch;

use crate::encode::{BlockBuilder, Encoder};
use crate::error::{Error, ErrorKind, Result};
use crate::model::{KeyKind, Origin, Rows, TimeKey, Zone};
use crate::schema::{ValueFault, stored_keys};

/// The time column of a mapping.
#[derive(Debug, Clone)]
pub(crate) struct TimeColumn {
    /// Its position in the mapping.
    pub(crate) position: usize,
    pub(crate) kind: KeyKind,
    pub(crate) zone: Zone,
}

/// Rows whose time column holds stored keys, with where each of them stood.
#[derive(Debug)]
pub(crate) struct Keyed {
    pub(crate) batch: RecordBatch,
    pub(crate) origin: Origin,
    /// Positions of the rows in the origin; `None` where they are all of them.
    selection: Option<Vec<usize>>,
}

impl TimeColumn {
    /// Replaces the time column by its stored keys, which decide a row's window and are then encoded as they are.
    pub(crate) fn key(&self, rows: Rows) -> Result<(Keyed, Int64Array)> {
        let Rows { batch, origin } = rows;
        let fault = |fault: ValueFault| ValueFault { column: self.position, ..fault };
        let keys = stored_keys(batch.column(self.position), self.kind, &self.zone)
            .map_err(|found| refuse(&fault(found), batch.schema().field(self.position).name(), &origin, None))?;
        let batch = with_keys(&batch, self.position, keys.clone())?;
        Ok((Keyed { batch, origin, selection: None }, keys))
    }

    /// The rows whose key is in `[start, end)`.
    pub(crate) fn clip(&self, rows: Rows, start: TimeKey, end: TimeKey) -> Result<Keyed> {
        let (keyed, keys) = self.key(rows)?;
        let inside = |key: Option<i64>| key.is_some_and(|key| (start.0..end.0).contains(&key) && !self.infinite(key));
        let mask: Vec<bool> = keys.iter().map(inside).collect();
        if mask.iter().all(|inside| *inside) {
            return Ok(keyed);
        }
        let selection = mask.iter().enumerate().filter_map(|(row, inside)| inside.then_some(row)).collect();
        let batch = filter_record_batch(&keyed.batch, &BooleanArray::from(mask)).map_err(internal)?;
        Ok(Keyed { batch, selection: Some(selection), ..keyed })
    }

    pub(crate) fn infinite(&self, key: i64) -> bool {
        self.kind.is_infinite(TimeKey(key))
    }
}

impl Keyed {
    /// All rows, for a table without a time column.
    pub(crate) fn all(rows: Rows) -> Self {
        Self { batch: rows.batch, origin: rows.origin, selection: None }
    }

    /// The same rows in another order: row `i` of `batch` stood at `selection[i]`.
    pub(crate) fn reordered(&self, batch: RecordBatch, selection: Vec<usize>) -> Self {
        Self { batch, origin: self.origin.clone(), selection: Some(selection) }
    }

    /// Refuses a null in one of `columns`, which the target refuses too, but without saying where it stood.
    pub(crate) fn refuse_nulls<'n>(&self, columns: &[usize], name: impl FnOnce(usize) -> &'n str) -> Result<()> {
        let has_null = |column: &&usize| self.batch.column(**column).logical_null_count() > 0;
        let Some(&column) = columns.iter().find(has_null) else { return Ok(()) };
        let nulls = self.batch.column(column).logical_nulls();
        let row = nulls.and_then(|nulls| nulls.iter().position(|valid| !valid)).unwrap_or(0);
        let fault = ValueFault { row, column, reason: "null value".to_owned() };
        Err(refuse(&fault, name(column), &self.origin, self.selection.as_deref()).with_sqlstate("23502"))
    }

    /// Encodes `count` rows from `start` on; `name` tells what a column of the COPY is called.
    pub(crate) fn encode<'n>(
        &self,
        start: usize,
        count: usize,
        encoder: &mut Encoder,
        builder: &mut BlockBuilder,
        name: impl FnOnce(usize) -> &'n str,
    ) -> Result<()> {
        encoder.encode(&self.batch.slice(start, count), builder).map_err(|fault| {
            let fault = ValueFault { row: fault.row + start, ..fault };
            refuse(&fault, name(fault.column), &self.origin, self.selection.as_deref())
        })
    }
}

fn refuse(fault: &ValueFault, column: &str, origin: &Origin, selection: Option<&[usize]>) -> Error {
    let row = selection.map_or(fault.row, |rows| rows[fault.row]);
    let error = Error::new(ErrorKind::Data, fault.reason.clone())
        .in_column(column)
        .at_object(&*origin.object)
        .at_record(origin.record(row));
    match origin.byte(row) {
        Some(byte) => error.at_byte(byte),
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
