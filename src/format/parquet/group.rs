//! One row group under way: the bytes of its columns, judged first, to batches of the object's order of columns.

use std::ops::Range;

use arrow_array::RecordBatch;
use bytes::Bytes;
use parquet::DecodeResult;
use parquet::arrow::arrow_reader::ArrowReaderMetadata;
use parquet::arrow::push_decoder::{ParquetPushDecoder, ParquetPushDecoderBuilder};
use parquet::errors::ParquetError;

use super::Metadata;
use super::guard::guarded;
use super::int96::Nanos;
use super::pages::{Chunk, Need, relabelled};
use crate::error::{Error, ErrorKind, Result};

/// Bytes of pages that a row group may take at once, unless told otherwise.
pub(super) const BYTES_MAX: u64 = 256 << 20;

/// What a decoder may take however little memory is asked for: pages of some MiB for each of a few columns.
pub(super) const BYTES_MIN: u64 = 64 << 20;

/// Bytes of a batch that are aimed at where values are large. A worker takes about eight times as much for a batch that
/// is decoded, encoded and sent: with 64 MiB, a file of 517 bytes took a loader to 541 MiB.
const BATCH_BYTES: u64 = 4 << 20;

/// How much is decoded at once.
#[derive(Debug, Clone, Copy)]
pub(super) struct Bounds {
    pub(super) rows_per_batch: usize,
    /// Bytes of pages.
    pub(super) bytes: u64,
}

/// The bytes of a row group's columns.
#[derive(Debug, Clone, Default)]
pub(super) struct Fetched {
    pub(super) ranges: Vec<Range<u64>>,
    pub(super) data: Vec<Bytes>,
}

/// The row group that is being decoded.
#[derive(Debug)]
pub(super) struct Group {
    index: usize,
    positions: Vec<usize>,
    /// Kept to find the column that cannot be decoded, if there is one.
    fetched: Fetched,
    bounds: Bounds,
    decoder: ParquetPushDecoder,
    nanos: Option<Nanos>,
    rows: u64,
}

/// A batch of a row group.
#[derive(Debug)]
pub(super) struct Decoded {
    pub(super) batch: RecordBatch,
    /// Number of its first row in the object, from 1.
    pub(super) first_record: u64,
}

impl Group {
    /// Judges the pages of row group `index`, and begins to decode the columns at `positions`.
    pub(super) fn try_new(
        metadata: &Metadata,
        index: usize,
        positions: &[usize],
        mut fetched: Fetched,
        bounds: Bounds,
    ) -> Result<Self> {
        let bounds = judge(metadata, index, positions, &mut fetched, bounds)?;
        let undecodable = |error: ParquetError| undecodable(index, error);
        let decoder = decoder(metadata, metadata.reader(), index, positions, bounds, &fetched).map_err(undecodable)?;
        let nanos = match metadata.int96(positions) {
            Some((reader, int96)) => {
                let decoder = self::decoder(metadata, reader, index, &int96, bounds, &fetched).map_err(undecodable)?;
                Some(Nanos::new(decoder))
            }
            None => None,
        };
        Ok(Self { index, positions: positions.to_vec(), fetched, bounds, decoder, nanos, rows: 0 })
    }

    /// The next batch; `None` at the end of the row group.
    pub(super) fn next(&mut self, metadata: &Metadata) -> Result<Option<Decoded>> {
        let batch = match guarded(|| self.decoder.try_decode()) {
            Ok(DecodeResult::Data(batch)) => batch,
            Ok(DecodeResult::Finished) if self.rows == metadata.rows_of(self.index) => return Ok(None),
            Ok(DecodeResult::Finished) => return Err(self.miscounted(metadata)),
            Ok(DecodeResult::NeedsData(_)) => {
                return Err(Error::new(ErrorKind::Internal, format!("row group {} lacks bytes", self.index)));
            }
            Err(error) => return Err(self.undecodable_column(metadata, error)),
        };
        let first_record = metadata.first_record(self.index) + self.rows;
        let batch = match &mut self.nanos {
            Some(nanos) => nanos.join(batch).map_err(|error| undecodable(self.index, error))?,
            None => batch,
        };
        self.rows += batch.num_rows() as u64; // usize has at most 64 bits
        if self.rows > metadata.rows_of(self.index) {
            return Err(self.miscounted(metadata));
        }
        Ok(Some(Decoded { batch, first_record }))
    }

    pub(super) fn undecodable(&self, error: impl Into<Box<dyn std::error::Error + Send + Sync>>) -> Error {
        undecodable(self.index, error)
    }

    fn miscounted(&self, metadata: &Metadata) -> Error {
        let said = metadata.rows_of(self.index);
        let message = format!("row group {} is corrupt: it holds other than the {said} rows it says", self.index);
        Error::new(ErrorKind::Source, message)
    }

    /// Names the first column that cannot be decoded by itself.
    fn undecodable_column(&self, metadata: &Metadata, error: ParquetError) -> Error {
        let undecodable = self.undecodable(error);
        let fails = |position: &&usize| self.decode_alone(metadata, **position).is_err();
        match self.positions.iter().find(fails) {
            Some(position) => undecodable.in_column(metadata.arrow_schema().field(*position).name()),
            None => undecodable,
        }
    }

    fn decode_alone(&self, metadata: &Metadata, position: usize) -> Result<(), ParquetError> {
        let mut decoder = decoder(metadata, metadata.reader(), self.index, &[position], self.bounds, &self.fetched)?;
        while let DecodeResult::Data(_) = guarded(|| decoder.try_decode())? {}
        Ok(())
    }
}

fn undecodable(index: usize, error: impl Into<Box<dyn std::error::Error + Send + Sync>>) -> Error {
    Error::new(ErrorKind::Source, format!("row group {index} cannot be decoded")).with_source(error)
}

/// A decoder of one row group that has its bytes.
fn decoder(
    metadata: &Metadata,
    reader: &ArrowReaderMetadata,
    index: usize,
    positions: &[usize],
    bounds: Bounds,
    fetched: &Fetched,
) -> Result<ParquetPushDecoder, ParquetError> {
    let builder = ParquetPushDecoderBuilder::new_with_metadata(reader.clone())
        .with_row_groups(vec![index])
        .with_projection(metadata.mask(positions))
        .with_batch_size(bounds.rows_per_batch);
    guarded(|| {
        let mut decoder = builder.build()?;
        decoder.push_ranges(fetched.ranges.clone(), fetched.data.clone())?;
        Ok(decoder)
    })
}

/// Judges the pages of all columns, once their flags are right; gives bounds that keep a batch small where values are
/// large.
fn judge(
    metadata: &Metadata,
    index: usize,
    positions: &[usize],
    fetched: &mut Fetched,
    bounds: Bounds,
) -> Result<Bounds> {
    let created_by = metadata.parquet().file_metadata().created_by();
    let mut whole = Need::default();
    for (leaf, bytes) in metadata.leaves(positions).into_iter().zip(&mut fetched.data) {
        let column = metadata.parquet().row_group(index).column(leaf);
        if let Some(relabelled) = relabelled(column, bytes, created_by) {
            *bytes = relabelled;
        }
        let chunk = Chunk { metadata: column, bytes, rows: metadata.rows_of(index), bytes_max: bounds.bytes };
        let in_column = |error: Error| {
            error.context(format!("row group {index} cannot be decoded")).in_column(column.column_path().string())
        };
        let need = chunk.need().map_err(in_column)?;
        whole.held = whole.held.saturating_add(need.held).saturating_add(need.record);
        whole.row = whole.row.saturating_add(need.row);
        if whole.held.max(whole.row) > bounds.bytes {
            let message = format!("the pages of its columns take more than {} bytes at once", bounds.bytes);
            let hint = "raise --memory, or write the file with smaller pages and row groups";
            return Err(in_column(Error::new(ErrorKind::Limit, message).with_hint(hint)));
        }
    }
    let rows = usize::try_from(BATCH_BYTES / whole.row.max(1)).unwrap_or(usize::MAX);
    Ok(Bounds { rows_per_batch: bounds.rows_per_batch.min(rows.max(1)), ..bounds })
}
