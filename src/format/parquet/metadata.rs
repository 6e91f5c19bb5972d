//! What a Parquet object says of itself: columns, row groups, and where their bytes are.
//!
//! The crate `parquet` trusts the numbers in a footer further than it should (a negative offset is a panic), so they
//! are checked here, once, before anything is built on them.

use std::collections::HashSet;
use std::ops::Range;
use std::sync::Arc;

use arrow_array::ArrayRef;
use arrow_schema::{ArrowError, DataType, Schema, SchemaRef};
use parquet::arrow::ProjectionMask;
use parquet::arrow::arrow_reader::ArrowReaderMetadata;
use parquet::file::metadata::{ColumnChunkMetaData, ParquetMetaData, RowGroupMetaData};

use super::Projection;
use super::guard::guarded;
use super::meaning::{Faults, Meaning, Resolved, resolve};
use crate::error::{Error, ErrorKind, Result, listed};
use crate::format::too_many_columns;
use crate::model::Object;
use crate::options::bounds::COLUMNS_MAX;

/// The metadata of one Parquet object; cheap to clone.
#[derive(Debug, Clone)]
pub struct Metadata {
    /// URI of the object, for errors.
    object: Arc<str>,
    reader: ArrowReaderMetadata,
    /// How INT96 columns are read once more; `None` where there is none.
    in_nanos: Option<ArrowReaderMetadata>,
    /// The columns as they are handed on.
    schema: SchemaRef,
    /// What is made of each decoded column.
    meanings: Arc<[Meaning]>,
    /// Columns that are not read, with the reason and what to do.
    refused: Arc<[Option<(String, String)>]>,
    /// Whether times may lose what they have beyond microseconds.
    lossy: bool,
    /// Number of the first row of each row group, from 1, and one more for the row after the last.
    first_records: Arc<[u64]>,
    /// Positions of the leaf columns that are encrypted, in ascending order.
    encrypted: Arc<[usize]>,
}

/// A row group, as far as a plan needs to know it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct RowGroup {
    /// Rows in it.
    pub rows: u64,
    /// Number of its first row in the object, from 1.
    pub first_record: u64,
    /// Compressed bytes of the wanted columns.
    pub bytes: u64,
    /// Where they are: a range for each column that holds values, nested ones told apart.
    pub ranges: Vec<Range<u64>>,
}

impl Metadata {
    /// Checks what the footer of `object` says, and decides the types that its columns are decoded to.
    /// `encrypted` are the leaf columns that are encrypted.
    pub(super) fn try_new(metadata: ParquetMetaData, object: &Object, encrypted: &[usize]) -> Result<Self> {
        let columns = metadata.file_metadata().schema_descr().num_columns();
        if columns > COLUMNS_MAX {
            return Err(too_many_columns(columns).with_hint("a table has at most 1,600; write the others elsewhere"));
        }
        let first_records = check_row_groups(metadata.row_groups(), object.bytes, encrypted)?;
        let Resolved { reader, in_nanos, schema, meanings, refused } = guarded(|| resolve(metadata)).map_err(unread)?;
        check_names(&schema)?;
        Ok(Self {
            object: object.uri.as_str().into(),
            reader,
            in_nanos,
            schema,
            meanings: meanings.into(),
            refused: refused.into(),
            lossy: false,
            first_records: first_records.into(),
            encrypted: encrypted.into(),
        })
    }

    /// Lets INT96 timestamps lose what they have beyond microseconds: it is cut off, toward the past.
    pub fn allow_lossy(&mut self) {
        self.lossy = true;
    }

    /// The columns with the types that they are handed on with: strings as `Utf8`, never as views or dictionaries.
    #[must_use]
    pub fn arrow_schema(&self) -> &SchemaRef {
        &self.schema
    }

    /// Names and decoded types of the columns, in their order.
    #[must_use]
    pub fn columns(&self) -> Vec<(String, DataType)> {
        let fields = self.arrow_schema().fields().iter();
        fields.map(|field| (field.name().clone(), field.data_type().clone())).collect()
    }

    /// Rows in the object.
    #[must_use]
    pub fn rows(&self) -> u64 {
        self.first_record(self.row_group_count()) - 1
    }

    /// How many row groups there are; may be none.
    #[must_use]
    pub fn row_group_count(&self) -> usize {
        self.first_records.len() - 1
    }

    /// The row groups, with the bytes that `projection` makes a decoder fetch.
    ///
    /// # Errors
    ///
    /// [`ErrorKind::Schema`] if the object lacks a wanted column.
    pub fn row_groups(&self, projection: &Projection) -> Result<Vec<RowGroup>> {
        let positions = self.positions(projection).map_err(|error| self.at_object(error))?;
        let mask = self.mask(&positions);
        Ok((0..self.row_group_count()).map(|index| self.row_group(index, &mask)).collect())
    }

    fn row_group(&self, index: usize, mask: &ProjectionMask) -> RowGroup {
        let columns = self.parquet().row_group(index).columns().iter().enumerate();
        let wanted = columns.filter(|(leaf, _)| mask.leaf_included(*leaf));
        let ranges: Vec<Range<u64>> = wanted.filter_map(|(_, chunk)| byte_range(chunk)).collect();
        RowGroup {
            rows: self.rows_of(index),
            first_record: self.first_record(index),
            bytes: ranges.iter().map(|range| range.end - range.start).sum(),
            ranges,
        }
    }

    /// About how many bytes of memory this takes.
    #[must_use]
    pub fn memory_size(&self) -> usize {
        self.parquet().memory_size() + size_of_val(&*self.first_records)
    }

    /// Number of the first row of row group `index`, from 1.
    pub(super) fn first_record(&self, index: usize) -> u64 {
        self.first_records[index]
    }

    pub(super) fn at_object(&self, error: Error) -> Error {
        error.at_object(&*self.object)
    }

    pub(super) fn rows_of(&self, index: usize) -> u64 {
        self.first_records[index + 1] - self.first_records[index]
    }

    pub(super) fn reader(&self) -> &ArrowReaderMetadata {
        &self.reader
    }

    /// How to read the INT96 columns in nanoseconds, and which of `positions` they are.
    pub(super) fn int96(&self, positions: &[usize]) -> Option<(&ArrowReaderMetadata, Vec<usize>)> {
        let reader = self.in_nanos.as_ref()?;
        let is_int96 = |position: &usize| self.meanings[*position].is_int96();
        let positions: Vec<usize> = positions.iter().copied().filter(is_int96).collect();
        (!positions.is_empty()).then_some((reader, positions))
    }

    /// The decoded column at `position` as it is handed on; values that are none of its type are faults.
    pub(super) fn given(
        &self,
        position: usize,
        column: &ArrayRef,
        faults: &mut Faults,
    ) -> Result<ArrayRef, ArrowError> {
        self.meanings[position].apply(column, self.schema.field(position).data_type(), self.lossy, faults)
    }

    /// The same of a bound of a column's statistics; `None` where it does not tell.
    pub(super) fn given_bound(&self, position: usize, bound: &ArrayRef) -> Option<ArrayRef> {
        self.meanings[position].bound(bound, self.lossy)
    }

    pub(super) fn parquet(&self) -> &ParquetMetaData {
        self.reader.metadata()
    }

    /// Positions of the wanted columns among the object's, in the wanted order.
    pub(super) fn positions(&self, projection: &Projection) -> Result<Vec<usize>> {
        projection.columns().map(|name| self.position(name)).collect()
    }

    fn position(&self, name: &str) -> Result<usize> {
        let fields = self.arrow_schema().fields();
        let Some(position) = fields.iter().position(|field| field.name() == name) else {
            let known = listed(fields.iter().map(|field| field.name().as_str()));
            return Err(Error::new(ErrorKind::Schema, format!("there is no column '{name}'"))
                .with_hint(format!("the columns are: {known}")));
        };
        let schema = self.reader.parquet_schema();
        if self.encrypted.iter().any(|leaf| schema.get_column_root_idx(*leaf) == position) {
            return Err(Error::new(ErrorKind::Source, format!("column '{name}' is encrypted"))
                .with_hint("leave the column out (--ignore), or write the file without encryption"));
        }
        if let Some((message, hint)) = &self.refused[position] {
            return Err(Error::new(ErrorKind::Schema, message.clone()).with_hint(hint.clone()));
        }
        Ok(position)
    }

    /// The columns that hold the values of those at `positions`, nested ones told apart, in the object's order.
    pub(super) fn leaves(&self, positions: &[usize]) -> Vec<usize> {
        let mask = self.mask(positions);
        (0..self.reader.parquet_schema().num_columns()).filter(|leaf| mask.leaf_included(*leaf)).collect()
    }

    /// Where the bytes of each of them are in row group `index`.
    pub(super) fn ranges(&self, index: usize, positions: &[usize]) -> Vec<Range<u64>> {
        let columns = self.parquet().row_group(index).columns();
        let range = |leaf| byte_range(&columns[leaf]).expect("ranges were checked when the metadata was read");
        self.leaves(positions).into_iter().map(range).collect()
    }

    /// The mask that selects whole top-level columns.
    pub(super) fn mask(&self, positions: &[usize]) -> ProjectionMask {
        ProjectionMask::roots(self.reader.parquet_schema(), positions.iter().copied())
    }
}

/// Checks that row counts and byte ranges are possible, and numbers the row groups' first rows.
fn check_row_groups(row_groups: &[RowGroupMetaData], object_bytes: u64, encrypted: &[usize]) -> Result<Vec<u64>> {
    let mut next = 1_u64;
    let mut first_records = vec![next];
    let mut taken = Vec::new();
    for (index, row_group) in row_groups.iter().enumerate() {
        let problem = |what: &str| {
            Error::new(ErrorKind::Source, format!("the Parquet metadata is corrupt: row group {index} {what}"))
        };
        let rows = u64::try_from(row_group.num_rows()).map_err(|_| problem("has a negative number of rows"))?;
        next = next.checked_add(rows).ok_or_else(|| problem("has an impossible number of rows"))?;
        first_records.push(next);
        for (leaf, chunk) in row_group.columns().iter().enumerate() {
            if chunk.file_path().is_some() {
                return Err(problem("is kept in another file").with_hint("load the files that hold the data"));
            }
            if encrypted.binary_search(&leaf).is_ok() {
                continue;
            }
            let column = chunk.column_path().string();
            let range = byte_range(chunk).filter(|range| range.end <= object_bytes);
            let Some(range) = range else {
                return Err(problem(&format!("has bytes of column '{column}' outside of the object")));
            };
            if range.is_empty() && rows > 0 {
                return Err(problem(&format!("has no bytes of column '{column}'")));
            }
            if rows > 0 {
                taken.push((range.start, range.end, index, leaf));
            }
        }
    }
    check_overlaps(row_groups, taken)?;
    Ok(first_records)
}

/// Checks that no two column chunks share bytes: one of them would be read as the other. `taken` has the start and the end
/// of each with its row group and leaf.
fn check_overlaps(row_groups: &[RowGroupMetaData], mut taken: Vec<(u64, u64, usize, usize)>) -> Result<()> {
    taken.sort_unstable();
    let Some(pair) = taken.windows(2).find(|pair| pair[1].0 < pair[0].1) else { return Ok(()) };
    let named = |(_, _, group, leaf): (u64, u64, usize, usize)| {
        format!("column '{}' of row group {group}", row_groups[group].column(leaf).column_path().string())
    };
    let message = format!("the Parquet metadata is corrupt: {} and {} share bytes", named(pair[0]), named(pair[1]));
    Err(Error::new(ErrorKind::Source, message))
}

/// Where the pages of a column chunk are; `None` where the footer tells nonsense.
fn byte_range(chunk: &ColumnChunkMetaData) -> Option<Range<u64>> {
    let start = u64::try_from(chunk.dictionary_page_offset().unwrap_or(chunk.data_page_offset())).ok()?;
    let length = u64::try_from(chunk.compressed_size()).ok()?;
    Some(start..start.checked_add(length)?)
}

fn check_names(schema: &Schema) -> Result<()> {
    let mut seen = HashSet::new();
    match schema.fields().iter().find(|field| !seen.insert(field.name())) {
        Some(twice) => Err(Error::new(ErrorKind::Schema, format!("two columns are called '{}'", twice.name()))
            .with_hint("columns are matched by name; write the file with distinct names")),
        None => Ok(()),
    }
}

fn unread(error: parquet::errors::ParquetError) -> Error {
    Error::new(ErrorKind::Source, "the Parquet schema cannot be read").with_source(error)
}
