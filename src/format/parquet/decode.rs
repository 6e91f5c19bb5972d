//! Decodes row groups of a Parquet object to batches of exactly the wanted columns.
//!
//! Each row group gets a decoder of its own: then at most one is held in memory, its rows can be counted against the
//! footer, and an error can name it.

use std::ops::Range;
use std::sync::Arc;

use arrow_array::{ArrayRef, RecordBatch, RecordBatchOptions, StringArray, new_null_array};
use arrow_schema::{DataType, Field, Schema, SchemaRef};
use bytes::Bytes;
use parquet::DecodeResult;
use parquet::arrow::arrow_reader::ArrowReaderMetadata;
use parquet::arrow::push_decoder::{ParquetPushDecoder, ParquetPushDecoderBuilder};
use parquet::errors::ParquetError;

use super::Metadata;
use super::guard::guarded;
use super::int96::NanosCheck;
use crate::error::{Error, ErrorKind, Result};
use crate::format::{Decode, Step};
use crate::model::{Extent, Object, Origin, RowFault, Rows};

/// Which columns a decoder yields, in their order.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Projection(Vec<Feed>);

/// What feeds a column of the batch.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Feed {
    /// The top-level column of this name, to the letter.
    Column(String),
    /// A `Utf8` column of this name with one value in all rows, such as one spelled in the object's path; `None` is
    /// null.
    Constant(String, Option<String>),
}

impl Projection {
    /// A column for each feed, in order.
    #[must_use]
    pub fn new(feeds: Vec<Feed>) -> Self {
        Self(feeds)
    }

    /// The columns called `names`, and no constants.
    #[must_use]
    pub fn of_columns<S: Into<String>>(names: impl IntoIterator<Item = S>) -> Self {
        Self(names.into_iter().map(|name| Feed::Column(name.into())).collect())
    }

    /// Names of the columns that are read from the object, in order.
    pub(super) fn columns(&self) -> impl Iterator<Item = &str> {
        self.0.iter().filter_map(|feed| match feed {
            Feed::Column(name) => Some(name.as_str()),
            Feed::Constant(..) => None,
        })
    }
}

/// Decodes the row groups of one piece.
#[derive(Debug)]
pub struct ParquetDecoder {
    object: Arc<str>,
    metadata: Metadata,
    layout: Layout,
    rows_per_batch: usize,
    /// The row groups that are not begun.
    waiting: Range<usize>,
    current: Option<Current>,
}

/// The row group that is being decoded.
#[derive(Debug)]
struct Current {
    index: usize,
    decoder: ParquetPushDecoder,
    check: Option<NanosCheck>,
    rows: u64,
}

impl Current {
    fn push(&mut self, ranges: Vec<Range<u64>>, data: Vec<Bytes>) -> Result<(), ParquetError> {
        if let Some(check) = &mut self.check {
            check.push(ranges.clone(), data.clone())?;
        }
        self.decoder.push_ranges(ranges, data)
    }
}

/// How a decoded batch becomes one of the wanted columns.
#[derive(Debug)]
struct Layout {
    schema: SchemaRef,
    /// Positions among the object's columns of those that are read, in the wanted order.
    positions: Vec<usize>,
    columns: Vec<Place>,
}

/// Where a wanted column comes from.
#[derive(Debug)]
enum Place {
    /// A position in the decoded batch, which keeps the object's order.
    Decoded(usize),
    Constant(Option<String>),
}

impl ParquetDecoder {
    /// A decoder for `extent` of `object`, with at most `rows_per_batch` rows in a batch.
    ///
    /// # Errors
    ///
    /// [`ErrorKind::Schema`] if the object lacks a wanted column, [`ErrorKind::Source`] if it lacks the row groups.
    pub fn try_new(
        object: &Object,
        metadata: &Metadata,
        extent: Extent,
        projection: &Projection,
        rows_per_batch: usize,
    ) -> Result<Self> {
        let at_object = |error: Error| error.at_object(&object.uri);
        Ok(Self {
            object: object.uri.as_str().into(),
            metadata: metadata.clone(),
            layout: Layout::try_new(metadata, projection).map_err(at_object)?,
            rows_per_batch: rows_per_batch.max(1),
            waiting: row_groups(extent, metadata).map_err(at_object)?,
            current: None,
        })
    }

    /// Begins the next row group, if there is one.
    fn begin_next(&mut self) -> Result<Option<Current>> {
        let Some(index) = self.waiting.next() else { return Ok(None) };
        let positions = &self.layout.positions;
        let decoder = self.decoder(self.metadata.reader(), index, positions)?;
        let check = match self.metadata.int96(positions) {
            Some((reader, int96)) => Some(NanosCheck::new(self.decoder(reader, index, &int96)?)),
            None => None,
        };
        Ok(Some(Current { index, decoder, check, rows: 0 }))
    }

    fn decoder(&self, reader: &ArrowReaderMetadata, index: usize, positions: &[usize]) -> Result<ParquetPushDecoder> {
        let builder = ParquetPushDecoderBuilder::new_with_metadata(reader.clone())
            .with_row_groups(vec![index])
            .with_projection(self.metadata.mask(positions))
            .with_batch_size(self.rows_per_batch);
        guarded(|| builder.build()).map_err(|error| self.undecodable(index, error))
    }

    /// The batch as rows of the piece.
    fn rows(&self, current: &mut Current, batch: &RecordBatch) -> Result<Rows> {
        let first_record = self.metadata.first_record(current.index) + current.rows;
        let cut = match &mut current.check {
            Some(check) => check.check(batch).map_err(|error| match error.kind() {
                ErrorKind::Source => self.undecodable(current.index, error),
                _ => error.at_object(&*self.object),
            })?,
            None => Vec::new(),
        };
        current.rows += batch.num_rows() as u64; // usize has at most 64 bits
        if current.rows > self.metadata.rows_of(current.index) {
            return Err(self.miscounted(current));
        }
        let batch = self.layout.apply(batch).map_err(|error| self.undecodable(current.index, error))?;
        let mut faults: Vec<RowFault> = cut
            .into_iter()
            .filter_map(|(name, row)| Some(nanoseconds_lost(batch.schema().index_of(&name).ok()?, row)))
            .collect();
        faults.sort_by_key(|fault| fault.row);
        faults.dedup_by_key(|fault| fault.row);
        Ok(Rows { batch, origin: Origin::of_records(Arc::clone(&self.object), first_record), faults })
    }

    fn check_count(&self, current: &Current) -> Result<()> {
        if current.rows == self.metadata.rows_of(current.index) { Ok(()) } else { Err(self.miscounted(current)) }
    }

    fn miscounted(&self, current: &Current) -> Error {
        let said = self.metadata.rows_of(current.index);
        let message = format!("row group {} is corrupt: it holds other than the {said} rows it says", current.index);
        Error::new(ErrorKind::Source, message).at_object(&*self.object)
    }

    fn undecodable(&self, index: usize, error: impl Into<Box<dyn std::error::Error + Send + Sync>>) -> Error {
        Error::new(ErrorKind::Source, format!("row group {index} cannot be decoded"))
            .at_object(&*self.object)
            .with_source(error)
    }
}

impl Decode for ParquetDecoder {
    fn step(&mut self) -> Result<Step> {
        loop {
            let mut current = match self.current.take() {
                Some(current) => current,
                None => match self.begin_next()? {
                    Some(current) => current,
                    None => return Ok(Step::Done),
                },
            };
            let decoded = guarded(|| current.decoder.try_decode());
            let step = match decoded.map_err(|error| self.undecodable(current.index, error))? {
                DecodeResult::NeedsData(ranges) => Step::Need(ranges),
                DecodeResult::Data(batch) => Step::Rows(self.rows(&mut current, &batch)?),
                DecodeResult::Finished => {
                    self.check_count(&current)?;
                    continue;
                }
            };
            self.current = Some(current);
            return Ok(step);
        }
    }

    fn supply(&mut self, ranges: Vec<Range<u64>>, data: Vec<Bytes>) -> Result<()> {
        let pushed = match &mut self.current {
            Some(current) => current.push(ranges, data),
            None => Err(ParquetError::General("no row group is being decoded".to_owned())),
        };
        pushed.map_err(|error| {
            Error::new(ErrorKind::Internal, "wrong bytes were supplied").at_object(&*self.object).with_source(error)
        })
    }
}

impl Layout {
    fn try_new(metadata: &Metadata, projection: &Projection) -> Result<Self> {
        let positions = metadata.positions(projection)?;
        let mut decoded = positions.clone();
        decoded.sort_unstable();
        decoded.dedup();
        let (mut fields, mut columns) = (Vec::new(), Vec::new());
        let mut wanted = positions.iter();
        for feed in &projection.0 {
            match feed {
                Feed::Column(_) => {
                    let position = wanted.next().expect("every column of the projection has a position");
                    let place = decoded.binary_search(position).expect("every wanted column is decoded");
                    fields.push(Arc::clone(&metadata.arrow_schema().fields()[*position]));
                    columns.push(Place::Decoded(place));
                }
                Feed::Constant(name, value) => {
                    fields.push(Arc::new(Field::new(name, DataType::Utf8, true)));
                    columns.push(Place::Constant(value.clone()));
                }
            }
        }
        Ok(Self { schema: Arc::new(Schema::new(fields)), positions, columns })
    }

    fn apply(&self, batch: &RecordBatch) -> Result<RecordBatch, arrow_schema::ArrowError> {
        let rows = batch.num_rows();
        let column = |place: &Place| match place {
            Place::Decoded(place) => Arc::clone(batch.column(*place)),
            Place::Constant(value) => constant(value.as_deref(), rows),
        };
        let options = RecordBatchOptions::new().with_row_count(Some(rows));
        RecordBatch::try_new_with_options(Arc::clone(&self.schema), self.columns.iter().map(column).collect(), &options)
    }
}

/// The fault of a time whose nanoseconds are no whole microseconds.
fn nanoseconds_lost(column: usize, row: usize) -> RowFault {
    let reason = "the nanoseconds of a timestamp would be lost".to_owned();
    RowFault { row, column, reason, byte: None, sqlstate: None }
}

fn constant(value: Option<&str>, rows: usize) -> ArrayRef {
    match value {
        Some(value) => Arc::new(StringArray::from_iter_values(std::iter::repeat_n(value, rows))),
        None => new_null_array(&DataType::Utf8, rows),
    }
}

/// The positions of the row groups in `extent`, checked against those that there are.
fn row_groups(extent: Extent, metadata: &Metadata) -> Result<Range<usize>> {
    let Extent::RowGroups { first, count, .. } = extent else {
        return Err(Error::new(ErrorKind::Internal, "a Parquet object is read by row groups"));
    };
    let known = metadata.row_group_count();
    let position = |number: u64| usize::try_from(number).ok().filter(|&position| position <= known);
    let end = u64::from(first) + u64::from(count);
    let (Some(start), Some(end)) = (position(u64::from(first)), position(end)) else {
        let message = format!("row groups from {first} on, {count} of them, are not among its {known}");
        return Err(Error::new(ErrorKind::Source, message));
    };
    Ok(start..end)
}
