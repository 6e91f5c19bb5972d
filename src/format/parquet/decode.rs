//! Decodes row groups of a Parquet object to batches of exactly the wanted columns.
//!
//! Each row group gets a decoder of its own: then at most one is held in memory, its rows can be counted against the
//! footer, and an error can name it.

use std::ops::Range;
use std::sync::Arc;

use arrow_array::{ArrayRef, RecordBatch, RecordBatchOptions, StringArray, new_null_array};
use arrow_schema::{ArrowError, DataType, Field, Schema, SchemaRef};
use bytes::Bytes;

use super::Metadata;
use super::group::{BYTES_MAX, BYTES_MIN, Bounds, Decoded, Fetched, Group};
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
    bounds: Bounds,
    /// The row groups that are not begun.
    waiting: Range<usize>,
    current: Option<Current>,
}

/// The row group that is under way.
#[derive(Debug)]
enum Current {
    /// Its bytes have been asked for, and are there or not.
    Wanted(usize, Option<Fetched>),
    Decoding(Box<Group>),
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
            bounds: Bounds { rows_per_batch: rows_per_batch.max(1), bytes: BYTES_MAX },
            waiting: row_groups(extent, metadata).map_err(at_object)?,
            current: None,
        })
    }

    /// Sets how many bytes the pages of a row group may take in memory at once, as they are decoded; 256 MiB unless told
    /// otherwise, and never less than 64 MiB, for that is what a sound file may need.
    #[must_use]
    pub fn with_bytes_max(mut self, bytes: u64) -> Self {
        self.bounds.bytes = bytes.max(BYTES_MIN);
        self
    }

    /// The next row group with rows, if there is one.
    fn begin_next(&mut self) -> Result<Option<Current>> {
        let Some(index) = self.waiting.find(|index| self.metadata.rows_of(*index) > 0) else { return Ok(None) };
        if self.layout.positions.is_empty() {
            return self.decode(index, Fetched::default()).map(Some);
        }
        Ok(Some(Current::Wanted(index, None)))
    }

    /// Begins to decode a row group whose bytes are there.
    fn decode(&self, index: usize, fetched: Fetched) -> Result<Current> {
        let group = Group::try_new(&self.metadata, index, &self.layout.positions, fetched, self.bounds);
        group.map(|group| Current::Decoding(Box::new(group))).map_err(|error| error.at_object(&*self.object))
    }

    /// The batch as rows of the piece.
    fn rows(&self, group: &Group, decoded: &Decoded) -> Result<Rows> {
        let (batch, mut faults) =
            self.layout.apply(&self.metadata, &decoded.batch).map_err(|error| group.undecodable(error))?;
        faults.sort_by_key(|fault| fault.row);
        faults.dedup_by_key(|fault| fault.row);
        let origin = Origin::of_records(Arc::clone(&self.object), decoded.first_record);
        Ok(Rows { batch, origin, faults })
    }

    fn try_step(&mut self) -> Result<Step> {
        loop {
            let current = match self.current.take() {
                Some(current) => current,
                None => match self.begin_next()? {
                    Some(current) => current,
                    None => return Ok(Step::Done),
                },
            };
            let mut group = match current {
                Current::Wanted(index, None) => {
                    let ranges = self.metadata.ranges(index, &self.layout.positions);
                    self.current = Some(Current::Wanted(index, None));
                    return Ok(Step::Need(ranges));
                }
                Current::Wanted(index, Some(fetched)) => {
                    self.current = Some(self.decode(index, fetched)?);
                    continue;
                }
                Current::Decoding(group) => group,
            };
            let Some(decoded) = group.next(&self.metadata)? else { continue };
            let rows = self.rows(&group, &decoded)?;
            self.current = Some(Current::Decoding(group));
            return Ok(Step::Rows(rows));
        }
    }
}

impl Decode for ParquetDecoder {
    fn step(&mut self) -> Result<Step> {
        self.try_step().map_err(|error| error.at_object(&*self.object))
    }

    fn supply(&mut self, ranges: Vec<Range<u64>>, data: Vec<Bytes>) -> Result<()> {
        let fits = |range: &Range<u64>, bytes: &Bytes| range.end - range.start == bytes.len() as u64; // as below
        match &mut self.current {
            Some(Current::Wanted(index, fetched @ None))
                if ranges == self.metadata.ranges(*index, &self.layout.positions)
                    && ranges.len() == data.len()
                    && ranges.iter().zip(&data).all(|(range, bytes)| fits(range, bytes)) =>
            {
                *fetched = Some(Fetched { ranges, data });
                Ok(())
            }
            _ => Err(Error::new(ErrorKind::Internal, "wrong bytes were supplied").at_object(&*self.object)),
        }
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
    /// The object's column at `position`, which is at `place` in the decoded batch.
    Decoded {
        place: usize,
        position: usize,
    },
    Constant(Option<String>),
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
                    columns.push(Place::Decoded { place, position: *position });
                }
                Feed::Constant(name, value) => {
                    fields.push(Arc::new(Field::new(name, DataType::Utf8, true)));
                    columns.push(Place::Constant(value.clone()));
                }
            }
        }
        Ok(Self { schema: Arc::new(Schema::new(fields)), positions, columns })
    }

    /// The wanted columns, and the rows with values that are none of a column's type.
    fn apply(&self, metadata: &Metadata, batch: &RecordBatch) -> Result<(RecordBatch, Vec<RowFault>), ArrowError> {
        let rows = batch.num_rows();
        let (mut columns, mut faults) = (Vec::with_capacity(self.columns.len()), Vec::new());
        for (index, place) in self.columns.iter().enumerate() {
            columns.push(match place {
                Place::Decoded { place, position } => {
                    let mut of_column = Vec::new();
                    let column = metadata.given(*position, batch.column(*place), &mut of_column)?;
                    faults.extend(of_column.into_iter().map(|(row, reason)| undecoded(index, row, reason)));
                    column
                }
                Place::Constant(value) => constant(value.as_deref(), rows),
            });
        }
        let options = RecordBatchOptions::new().with_row_count(Some(rows));
        Ok((RecordBatch::try_new_with_options(Arc::clone(&self.schema), columns, &options)?, faults))
    }
}

fn undecoded(column: usize, row: usize, reason: String) -> RowFault {
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
